//! A subscriber's filter: one condition over the rows of a topic.

use arqon_grammar::Diagnostic;
use arqon_grammar::parse_expression;
use arqon_operators::Expr;
use arqon_types::Schema;

use crate::places::Places;
use crate::report::Report;
use crate::resolve::{Functions, Params};
use crate::row_type::RowType;
use crate::typing::{Scope, Typer};

/// The condition `text` over rows of `schema`.
///
/// # Errors
/// All faults of the text; their places are offsets in it.
pub fn compile_filter(text: &str, schema: &Schema) -> Result<Expr, Vec<Diagnostic>> {
    let (ast, faults) = parse_expression(text);
    if faults.iter().any(Diagnostic::is_error) {
        return Err(faults);
    }
    let places = Places::new(text);
    let (functions, params) = (Functions::new(), Params::new());
    let row = RowType::from_fields(&schema.fields, None);
    let mut report = Report::default();
    let mut typer = Typer::new(&functions, &params, &places, &mut report);
    let expr = typer.condition(&ast, &Scope::Row(&row), "a filter");
    expr.ok_or_else(|| report.into_sorted())
}

#[cfg(test)]
mod tests {
    use arqon_types::{Field, Type};

    use super::*;

    fn check(text: &str, expected: &str) {
        let schema = Schema::new(
            "Order",
            vec![
                Field::new("amount", Type::Decimal(2)),
                Field::new("status", Type::Enum(vec!["open".into(), "paid".into()])),
            ],
        );
        let found = match compile_filter(text, &schema) {
            Ok(expr) => expr.ty.to_string(),
            Err(faults) => {
                let lines: Vec<String> = faults.iter().map(|fault| fault.brief(text)).collect();
                lines.join("\n")
            }
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn filters_are_conditions_over_one_row() {
        check("status == \"paid\" and amount > 0.5", "bool");
        check(
            "amuont > 0",
            "1:1-7 error[E0205]: unknown field `amuont`\n  help: did you mean `amount`?",
        );
        check(
            "amount",
            "1:1-7 error[E0211]: a filter wants bool, found decimal<2>\n  here: this is `decimal<2>`",
        );
    }
}
