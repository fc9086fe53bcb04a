//! Expressions outside of circuits: a subscriber's filter, a value or an aggregate to be computed.

use arqon_grammar::Diagnostic;
use arqon_grammar::expr as syntax;
use arqon_grammar::parse_expression;
use arqon_operators::{Aggregate, Expr};
use arqon_types::Schema;

use crate::places::Places;
use crate::report::Report;
use crate::resolve::{Functions, Params};
use crate::row_type::RowType;
use crate::typing::{Scope, Typer};

/// The expression `text` over rows of `schema`.
///
/// # Errors
/// All faults of the text; their places are offsets in it.
pub fn compile_expression(text: &str, schema: &Schema) -> Result<Expr, Vec<Diagnostic>> {
    typed(text, schema, |typer, ast, scope| Some(typer.expression(ast, scope, None)?.expr))
}

/// The condition `text` over rows of `schema`.
///
/// # Errors
/// All faults of the text; their places are offsets in it.
pub fn compile_filter(text: &str, schema: &Schema) -> Result<Expr, Vec<Diagnostic>> {
    typed(text, schema, |typer, ast, scope| typer.condition(ast, scope, "a filter"))
}

/// The aggregate `text` over the rows of a group, each of `schema`.
///
/// # Errors
/// All faults of the text; their places are offsets in it.
pub fn compile_aggregate(text: &str, schema: &Schema) -> Result<Aggregate, Vec<Diagnostic>> {
    typed(text, schema, |typer, ast, scope| typer.aggregate(ast, scope, false))
}

fn typed<T>(
    text: &str,
    schema: &Schema,
    type_it: impl FnOnce(&mut Typer<'_>, &syntax::Expr, &Scope<'_>) -> Option<T>,
) -> Result<T, Vec<Diagnostic>> {
    let (ast, faults) = parse_expression(text);
    if faults.iter().any(Diagnostic::is_error) {
        return Err(faults);
    }
    let places = Places::new(text);
    let (functions, params) = (Functions::new(), Params::new());
    let row = RowType::from_fields(&schema.fields, None);
    let mut report = Report::default();
    let mut typer = Typer::new(&functions, &params, &places, &mut report);
    let made = type_it(&mut typer, &ast, &Scope::Row(&row));
    made.ok_or_else(|| report.into_sorted())
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
                Field::new("status", Type::Enum(vec!["open".into(), "paid".into()].into())),
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
    fn a_fault_in_a_pattern_has_its_place_in_the_text() {
        let schema = Schema::new("One", vec![Field::new("s", Type::String)]);
        for (text, expected) in [
            (r#"matches(s, "a\\d(b")"#, "1:17-18 error[E0240]"),
            (r#"regex_replace(s, "é[", "")"#, "1:20-21 error[E0240]"),
            (r#"regex_extract(s, "(a)", 2)"#, "1:25-26 error[E0214]"),
            (r#"parse_time(s, "%Y-%K-%d")"#, "1:19-21 error[E0241]"),
            (r#"parse_time(s, "%H:%M")"#, "1:15-22 error[E0241]"),
            (r#"format("a { b", s)"#, "1:11-12 error[E0241]"),
            (r#"format("{} {}", s)"#, "1:1-7 error[E0213]"),
            ("format(s, s)", "1:8-9 error[E0224]"),
            (r#"diff(d"2026-01-01", d"2026-01-01", "moon")"#, "1:36-42 error[E0214]"),
            ("s[1]", "1:1-2 error[E0210]"),
        ] {
            let faults = compile_expression(text, &schema).unwrap_err();
            let found = faults[0].brief(text);
            assert!(found.starts_with(expected), "{text}: {found}");
        }
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
