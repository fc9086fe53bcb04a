//! Expressions that keep the order of a column: of two rows that differ in it alone, the one with
//! the greater value has no lesser result, where neither fails.

use arqon_operators::{BinaryOp, Expr, ExprKind, Function};

use super::Order;

/// Whether an expression keeps the order of a column.
pub(super) fn is_isotone(expr: &Expr, column: usize) -> bool {
    if !reads(expr, column) {
        return true;
    }
    match &expr.kind {
        ExprKind::Column(_) => true,
        ExprKind::Binary(BinaryOp::Add, one, two) => {
            is_isotone(one, column) && is_isotone(two, column)
        }
        ExprKind::Binary(BinaryOp::Subtract, from, less) => {
            is_isotone(from, column) && !reads(less, column)
        }
        ExprKind::Call { function: Function::Min | Function::Max, args } => {
            args.iter().all(|arg| is_isotone(arg, column))
        }
        _ => false,
    }
}

/// Whether a condition that holds for a value of a column holds for all that come before it in this
/// order.
pub(super) fn holds_before(condition: &Expr, column: usize, order: Order) -> bool {
    if !reads(condition, column) {
        return true;
    }
    match &condition.kind {
        ExprKind::And(all) | ExprKind::Or(all) => {
            all.iter().all(|condition| holds_before(condition, column, order))
        }
        ExprKind::Binary(operator, left, right) => {
            let [lesser, greater] = match operator {
                BinaryOp::Less | BinaryOp::LessEqual => [left, right],
                BinaryOp::Greater | BinaryOp::GreaterEqual => [right, left],
                _ => return false,
            };
            let [moves, stays] = match order {
                Order::Ascending => [lesser, greater],
                Order::Descending => [greater, lesser],
            };
            is_isotone(moves, column) && !reads(stays, column)
        }
        _ => false,
    }
}

fn reads(expr: &Expr, column: usize) -> bool {
    matches!(expr.kind, ExprKind::Column(at) if at == column)
        || expr.children().into_iter().any(|child| reads(child, column))
}

#[cfg(test)]
mod tests {
    use arqon_types::{Type, Value};

    use super::*;

    fn expr(kind: ExprKind) -> Expr {
        Expr { kind, ..Expr::literal(Value::Int(0), Type::Int64) }
    }

    fn column(at: usize) -> Expr {
        expr(ExprKind::Column(at))
    }

    fn binary(operator: BinaryOp, one: Expr, two: Expr) -> Expr {
        expr(ExprKind::Binary(operator, Box::new(one), Box::new(two)))
    }

    #[test]
    fn sums_and_ends_keep_the_order() {
        let sum = binary(BinaryOp::Add, column(1), column(3));
        assert!(is_isotone(&sum, 1) && is_isotone(&sum, 3) && is_isotone(&sum, 2));
        let difference = binary(BinaryOp::Subtract, sum, column(0));
        assert!(is_isotone(&difference, 1) && !is_isotone(&difference, 0));
        let args = vec![difference, column(2)];
        let least = expr(ExprKind::Call { function: Function::Min, args });
        assert!(is_isotone(&least, 2) && !is_isotone(&least, 0));
        // What is negative turns it around.
        let product = binary(BinaryOp::Multiply, column(1), column(3));
        assert!(!is_isotone(&product, 1) && is_isotone(&product, 0));
    }

    #[test]
    fn a_condition_holds_on_one_side() {
        let (ascending, descending) = (Order::Ascending, Order::Descending);
        let sum = || binary(BinaryOp::Add, column(1), column(3));
        let below = binary(BinaryOp::Less, sum(), column(2));
        assert!(holds_before(&below, 1, ascending) && !holds_before(&below, 1, descending));
        assert!(holds_before(&below, 2, descending) && !holds_before(&below, 2, ascending));
        let above = binary(BinaryOp::GreaterEqual, sum(), column(2));
        assert!(holds_before(&above, 1, descending) && !holds_before(&above, 1, ascending));
        let both = expr(ExprKind::And(vec![below, above]));
        assert!(!holds_before(&both, 1, ascending) && holds_before(&both, 0, ascending));
        let other = binary(BinaryOp::NotEqual, sum(), column(2));
        assert!(!holds_before(&other, 1, ascending) && holds_before(&other, 0, descending));
    }
}
