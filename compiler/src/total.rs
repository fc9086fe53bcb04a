//! Which expressions and aggregates have a value for every row, so that a pass may leave them out
//! for some.

use arqon_operators::{AggregateFunction, BinaryOp, Expr, ExprKind, Function, UnaryOp};
use arqon_plan::OverKind;

/// Whether the expression has a value for every row.
pub(crate) fn never_fails(expr: &Expr) -> bool {
    let itself = match &expr.kind {
        ExprKind::Column(_)
        | ExprKind::Local(_)
        | ExprKind::Literal(_)
        | ExprKind::Field { .. }
        | ExprKind::Unary(UnaryOp::Not, _)
        | ExprKind::And(_)
        | ExprKind::Or(_)
        | ExprKind::If { .. }
        | ExprKind::In { .. }
        | ExprKind::Default { .. }
        | ExprKind::List(_)
        | ExprKind::Struct(_) => true,
        ExprKind::Try(_) => return true,
        ExprKind::Cast(of) => of.ty.required() == expr.ty.required(),
        ExprKind::Binary(op, ..) => match op {
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Less
            | BinaryOp::LessEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterEqual => true,
            BinaryOp::Add
            | BinaryOp::Subtract
            | BinaryOp::Multiply
            | BinaryOp::Divide
            | BinaryOp::Remainder
            | BinaryOp::Concat => false,
        },
        ExprKind::Call { function, .. } => *function == Function::IsSome,
        ExprKind::Unary(UnaryOp::Negate, _) | ExprKind::Lambda { .. } => false,
    };
    let mut all = itself;
    expr.for_each_child(|child| all = all && never_fails(child));
    all
}

/// Whether an aggregate has a value for every group, whatever its rows.
pub(crate) fn always_has_value(function: AggregateFunction) -> bool {
    use AggregateFunction as A;
    match function {
        A::Count | A::DistinctCount | A::Any | A::All => true,
        // Sums may overflow, lists be too long, and an end may be missing where rows were taken
        // back that had not come.
        A::Sum
        | A::Average
        | A::Min
        | A::Max
        | A::First
        | A::Last
        | A::List
        | A::Top
        | A::Quantile
        | A::StandardDeviation
        | A::Variance => false,
    }
}

/// Whether a value along an order is there for every row.
pub(crate) fn is_certain(kind: &OverKind) -> bool {
    let has_value = match kind {
        OverKind::Aggregate { aggregate, .. } => always_has_value(aggregate.function),
        OverKind::Lag { .. }
        | OverKind::Lead { .. }
        | OverKind::First { .. }
        | OverKind::RowNumber
        | OverKind::Rank
        | OverKind::DenseRank => true,
    };
    has_value && kind.exprs().into_iter().all(never_fails)
}
