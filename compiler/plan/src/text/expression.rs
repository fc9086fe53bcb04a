//! Typed expressions, written back as the language has them.

use arqon_operators::{
    Aggregate, AggregateFunction, BinaryOp, Expr, ExprKind, Function, TensorFunction, UnaryOp,
};
use arqon_types::{Type, Value};

/// An expression over columns of these names, with only the brackets it needs.
///
/// A column without a name is `$7`; parameters of lambdas are `x1`, `x2`, from the outermost.
pub fn expression_text(expr: &Expr, names: &[String]) -> String {
    Writer { names }.text(expr, 0, 0)
}

/// `sum(amount, where=paid)`
pub(super) fn aggregate_text(aggregate: &Aggregate, names: &[String]) -> String {
    let mut args: Vec<String> =
        aggregate.args.iter().map(|arg| expression_text(arg, names)).collect();
    if let Some(filter) = &aggregate.filter {
        args.push(format!("where={}", expression_text(filter, names)));
    }
    format!("{}({})", aggregate_name(aggregate.function), args.join(", "))
}

fn aggregate_name(function: AggregateFunction) -> &'static str {
    match function {
        AggregateFunction::Count => "count",
        AggregateFunction::Sum => "sum",
        AggregateFunction::Average => "avg",
        AggregateFunction::Min => "min",
        AggregateFunction::Max => "max",
        AggregateFunction::First => "first",
        AggregateFunction::Last => "last",
        AggregateFunction::Any => "any",
        AggregateFunction::All => "all",
        AggregateFunction::DistinctCount => "distinct_count",
        AggregateFunction::List => "list",
        AggregateFunction::StandardDeviation => "stddev",
        AggregateFunction::Variance => "variance",
        AggregateFunction::Quantile => "quantile",
        AggregateFunction::Top => "top",
    }
}

/// Its name in circuits, which is its name in plans.
fn function_name(function: Function) -> String {
    let value = match function {
        Function::OfTensor(function) => serde_json::to_value(function),
        function => serde_json::to_value(function),
    };
    match value {
        Ok(serde_json::Value::String(name)) => name,
        Ok(_) | Err(_) => format!("{function:?}"),
    }
}

struct Writer<'n> {
    names: &'n [String],
}

impl Writer<'_> {
    /// The text of an expression that stands where anything weaker than `level` needs brackets,
    /// inside of `n_locals` parameters.
    fn text(&self, expr: &Expr, level: u8, n_locals: usize) -> String {
        let (own, text) = self.parts(expr, n_locals);
        if own < level { format!("({text})") } else { text }
    }

    fn parts(&self, expr: &Expr, n_locals: usize) -> (u8, String) {
        let at = |expr: &Expr, level: u8| self.text(expr, level, n_locals);
        let list =
            |items: &[Expr]| items.iter().map(|item| at(item, 0)).collect::<Vec<_>>().join(", ");
        match &expr.kind {
            ExprKind::Column(column) => {
                let name = self.names.get(*column).cloned();
                (ATOM, name.unwrap_or_else(|| format!("${column}")))
            }
            ExprKind::Local(local) => (ATOM, format!("x{}", n_locals.saturating_sub(*local))),
            ExprKind::Literal(value) => (ATOM, literal_text(value, &expr.ty)),
            ExprKind::Field { of, idx } => {
                let name = match of.ty.required() {
                    Type::Struct(fields) => fields.get(*idx).map(|field| field.name.clone()),
                    _ => None,
                };
                let name = name.unwrap_or_else(|| format!("${idx}").into());
                (ATOM, format!("{}.{name}", at(of, ATOM)))
            }
            ExprKind::Unary(UnaryOp::Not, operand) => (NOT, format!("not {}", at(operand, UNARY))),
            ExprKind::Unary(UnaryOp::Negate, operand) => {
                (UNARY, format!("-{}", at(operand, UNARY)))
            }
            ExprKind::Binary(op, left, right) => {
                let (level, sign) = binary(*op);
                // Comparisons do not chain; the others group to the left.
                let left_level = if level == COMPARISON { level + 1 } else { level };
                (level, format!("{} {sign} {}", at(left, left_level), at(right, level + 1)))
            }
            ExprKind::And(operands) => (AND, joined(operands, " and ", |it| at(it, AND + 1))),
            ExprKind::Or(operands) => (OR, joined(operands, " or ", |it| at(it, OR + 1))),
            ExprKind::If { condition, then, otherwise } => {
                let text = format!(
                    "if {} then {} else {}",
                    at(condition, 0),
                    at(then, 0),
                    at(otherwise, 0)
                );
                (0, text)
            }
            ExprKind::In { of, items } => {
                (COMPARISON, format!("{} in [{}]", at(of, COMPARISON + 1), list(items)))
            }
            ExprKind::Default { of, otherwise } => {
                (DEFAULT, format!("{} // {}", at(of, DEFAULT), at(otherwise, DEFAULT + 1)))
            }
            ExprKind::Try(of) => (ATOM, format!("try({})", at(of, 0))),
            ExprKind::Cast(of) => (ATOM, cast_text(&expr.ty, &at(of, 0))),
            ExprKind::Call {
                function: Function::Item | Function::OfTensor(TensorFunction::Item),
                args,
            } if args.len() == 2 => (ATOM, format!("{}[{}]", at(&args[0], ATOM), at(&args[1], 0))),
            ExprKind::Call {
                function: function @ Function::OfTensor(TensorFunction::Cast),
                args,
            } => {
                let element = match expr.ty.required() {
                    Type::Tensor(tensor) => tensor.element.name(),
                    _ => "?",
                };
                (ATOM, format!("{}({}, {element:?})", function_name(*function), list(args)))
            }
            ExprKind::Call { function, args } => {
                (ATOM, format!("{}({})", function_name(*function), list(args)))
            }
            ExprKind::List(items) => (ATOM, format!("[{}]", list(items))),
            ExprKind::Struct(items) => {
                let names: Vec<&str> = match expr.ty.required() {
                    Type::Struct(fields) => fields.iter().map(|it| &*it.name).collect(),
                    _ => Vec::new(),
                };
                let fields: Vec<String> = items
                    .iter()
                    .enumerate()
                    .map(|(idx, item)| {
                        format!("{}: {}", names.get(idx).unwrap_or(&"?"), at(item, 0))
                    })
                    .collect();
                (ATOM, format!("{{ {} }}", fields.join(", ")))
            }
            ExprKind::Lambda { n_params, body } => {
                let inner = n_locals.saturating_add(*n_params);
                let params: Vec<String> =
                    (n_locals + 1..=inner).map(|number| format!("x{number}")).collect();
                (0, format!("{} -> {}", params.join(", "), self.text(body, 0, inner)))
            }
        }
    }
}

fn joined(items: &[Expr], sign: &str, text: impl Fn(&Expr) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(sign)
}

fn cast_text(ty: &Type, operand: &str) -> String {
    match ty.required() {
        Type::Decimal(scale) => format!("decimal({operand}, {scale})"),
        other => format!("{other}({operand})"),
    }
}

/// A value as it would be written in an expression.
fn literal_text(value: &Value, ty: &Type) -> String {
    let text = value.display(ty);
    match value {
        Value::String(_) | Value::Enum(_) | Value::Uuid(_) => format!("{text:?}"),
        Value::Bytes(_) => format!("from_base64({text:?})"),
        Value::Tensor(_) => format!("tensor({text})"),
        Value::Timestamp(_) => format!("t\"{text}\""),
        Value::Date(_) => format!("d\"{text}\""),
        Value::List(items) => match ty.required() {
            Type::List(inner) => {
                let items: Vec<String> =
                    items.iter().map(|item| literal_text(item, inner)).collect();
                format!("[{}]", items.join(", "))
            }
            _ => text,
        },
        Value::None
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Decimal(_)
        | Value::Duration(_)
        | Value::Map(_)
        | Value::Struct(_) => text,
    }
}

fn binary(op: BinaryOp) -> (u8, &'static str) {
    match op {
        BinaryOp::Equal => (COMPARISON, "=="),
        BinaryOp::NotEqual => (COMPARISON, "!="),
        BinaryOp::Less => (COMPARISON, "<"),
        BinaryOp::LessEqual => (COMPARISON, "<="),
        BinaryOp::Greater => (COMPARISON, ">"),
        BinaryOp::GreaterEqual => (COMPARISON, ">="),
        BinaryOp::Add => (SUM, "+"),
        BinaryOp::Subtract => (SUM, "-"),
        BinaryOp::Concat => (SUM, "++"),
        BinaryOp::Multiply => (PRODUCT, "*"),
        BinaryOp::Divide => (PRODUCT, "/"),
        BinaryOp::Remainder => (PRODUCT, "%"),
    }
}

// How tightly each form binds, as the language has it.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const DEFAULT: u8 = 5;
const SUM: u8 = 6;
const PRODUCT: u8 = 7;
const UNARY: u8 = 8;
const ATOM: u8 = 9;
