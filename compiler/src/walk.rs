//! Walks over typed expressions: their size, and the variables of lambdas in them.

use arqon_operators::{Expr, ExprKind};

/// How many parts an expression has, itself included, and how deep they are nested.
pub(crate) fn measure(expr: &Expr) -> (usize, usize) {
    let mut n_parts = 1;
    let mut depth = 0;
    expr.for_each_child(|child| {
        let (parts, below) = measure(child);
        n_parts += parts;
        depth = depth.max(below);
    });
    (n_parts, depth + 1)
}

/// The expression with the variables of lambdas around it counted `by` further out.
pub(crate) fn shift_locals(expr: &mut Expr, by: usize) {
    shift_above(expr, by, 0);
}

fn shift_above(expr: &mut Expr, by: usize, n_inner: usize) {
    if by == 0 {
        return;
    }
    let inner = match &mut expr.kind {
        ExprKind::Local(at) => {
            if n_inner <= *at {
                *at += by;
            }
            return;
        }
        ExprKind::Lambda { n_params, .. } => n_inner + *n_params,
        _ => n_inner,
    };
    expr.for_each_child_mut(|child| shift_above(child, by, inner));
}

#[cfg(test)]
mod tests {
    use arqon_types::Type;

    use super::*;

    fn local(at: usize) -> Expr {
        Expr { kind: ExprKind::Local(at), ..Expr::column(0, Type::Int64) }
    }

    #[test]
    fn only_free_locals_are_shifted() {
        let body = Expr {
            kind: ExprKind::List(vec![local(0), local(1)]),
            ..Expr::column(0, Type::List(Box::new(Type::Int64)))
        };
        let mut lambda = Expr {
            kind: ExprKind::Lambda { n_params: 1, body: Box::new(body) },
            ..Expr::column(0, Type::Int64)
        };
        shift_locals(&mut lambda, 2);
        let ExprKind::Lambda { body, .. } = &lambda.kind else { panic!("a lambda") };
        let mut parts = Vec::new();
        body.for_each_child(|part| parts.push(part));
        assert_eq!(parts, [&local(0), &local(3)]);
        assert_eq!(measure(&lambda), (4, 3));
    }
}
