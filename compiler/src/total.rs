//! Which expressions have a value for every row, so that a pass may leave them out for some.

use arqon_operators::{BinaryOp, Expr, ExprKind, Function, UnaryOp};

use crate::walk::for_each_child;

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
    for_each_child(expr, |child| all = all && never_fails(child));
    all
}
