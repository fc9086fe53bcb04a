//! Walks over typed expressions: their parts, their size, the columns they read.

use arqon_operators::{Expr, ExprKind};

/// The direct parts of an expression, in order of evaluation.
pub(crate) fn children(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Column(_) | ExprKind::Local(_) | ExprKind::Literal(_) => Vec::new(),
        ExprKind::Field { of, .. } => vec![of],
        ExprKind::Unary(_, of) | ExprKind::Try(of) | ExprKind::Cast(of) => vec![of],
        ExprKind::Binary(_, left, right) => vec![left, right],
        ExprKind::And(parts)
        | ExprKind::Or(parts)
        | ExprKind::List(parts)
        | ExprKind::Struct(parts) => parts.iter().collect(),
        ExprKind::If { condition, then, otherwise } => vec![condition, then, otherwise],
        ExprKind::In { of, items } => std::iter::once(&**of).chain(items).collect(),
        ExprKind::Default { of, otherwise } => vec![of, otherwise],
        ExprKind::Call { args, .. } => args.iter().collect(),
        ExprKind::Lambda { body, .. } => vec![body],
    }
}

/// The direct parts of an expression, to be changed.
pub(crate) fn children_mut(expr: &mut Expr) -> Vec<&mut Expr> {
    match &mut expr.kind {
        ExprKind::Column(_) | ExprKind::Local(_) | ExprKind::Literal(_) => Vec::new(),
        ExprKind::Field { of, .. } => vec![of],
        ExprKind::Unary(_, of) | ExprKind::Try(of) | ExprKind::Cast(of) => vec![of],
        ExprKind::Binary(_, left, right) => vec![left, right],
        ExprKind::And(parts)
        | ExprKind::Or(parts)
        | ExprKind::List(parts)
        | ExprKind::Struct(parts) => parts.iter_mut().collect(),
        ExprKind::If { condition, then, otherwise } => vec![condition, then, otherwise],
        ExprKind::In { of, items } => std::iter::once(&mut **of).chain(items).collect(),
        ExprKind::Default { of, otherwise } => vec![of, otherwise],
        ExprKind::Call { args, .. } => args.iter_mut().collect(),
        ExprKind::Lambda { body, .. } => vec![body],
    }
}

/// How many parts an expression has, itself included, and how deep they are nested.
pub(crate) fn measure(expr: &Expr) -> (usize, usize) {
    let mut n_parts = 1;
    let mut depth = 0;
    for child in children(expr) {
        let (parts, below) = measure(child);
        n_parts += parts;
        depth = depth.max(below);
    }
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
    for child in children_mut(expr) {
        shift_above(child, by, inner);
    }
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
        assert_eq!(children(body), [&local(0), &local(3)]);
        assert_eq!(measure(&lambda), (4, 3));
    }
}
