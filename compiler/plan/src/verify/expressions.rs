//! Expressions: columns, locals and literals have the types that they say, and nothing nests
//! without end.

use arqon_operators::{Expr, ExprKind, UnaryOp};
use arqon_types::Type;

use super::{EXPRESSION_DEPTH_MAX, Verifier};

impl Verifier<'_> {
    pub(super) fn condition(&mut self, expr: &Expr, columns: &[Type]) {
        self.expression(expr, columns);
        self.is_bool(expr);
    }

    pub(super) fn is_bool(&mut self, expr: &Expr) {
        self.require(expr.ty == Type::Bool, || format!("a condition is {}", expr.ty));
    }

    pub(super) fn expression(&mut self, expr: &Expr, columns: &[Type]) {
        self.nested(expr, columns, Scope { n_locals: 0, depth: 0 });
    }

    pub(super) fn nested(&mut self, expr: &Expr, columns: &[Type], scope: Scope) {
        if EXPRESSION_DEPTH_MAX < scope.depth {
            self.require(false, || "an expression nests too deep".into());
            return;
        }
        let inner = Scope { depth: scope.depth + 1, ..scope };
        match &expr.kind {
            ExprKind::Column(column) => match columns.get(*column) {
                Some(ty) => self.require(*ty == expr.ty, || {
                    format!("column {column} is {ty}, read as {}", expr.ty)
                }),
                None => self.require(false, || {
                    format!("column {column} of a row with {} columns", columns.len())
                }),
            },
            ExprKind::Local(local) => self.require(*local < scope.n_locals, || {
                format!("local {local} where {} are in scope", scope.n_locals)
            }),
            ExprKind::Literal(value) => {
                self.require(value.fits(&expr.ty), || format!("a literal that is no {}", expr.ty));
            }
            ExprKind::Field { of, idx } => {
                self.nested(of, columns, inner);
                let n_fields = match of.ty.required() {
                    Type::Struct(fields) => fields.len(),
                    _ => 0,
                };
                self.require(*idx < n_fields, || format!("field {idx} of {}", of.ty));
            }
            ExprKind::Unary(op, operand) => {
                self.nested(operand, columns, inner);
                if *op == UnaryOp::Not {
                    // Lifted: of an option it is an option.
                    let is_truth = *operand.ty.required() == Type::Bool && expr.ty == operand.ty;
                    self.require(is_truth, || format!("`not` of {} is {}", operand.ty, expr.ty));
                }
            }
            ExprKind::Binary(_, left, right) => {
                self.nested(left, columns, inner);
                self.nested(right, columns, inner);
            }
            ExprKind::And(operands) | ExprKind::Or(operands) => {
                for operand in operands {
                    self.nested(operand, columns, inner);
                    self.is_bool(operand);
                }
                self.is_bool(expr);
            }
            ExprKind::If { condition, then, otherwise } => {
                self.nested(condition, columns, inner);
                self.is_bool(condition);
                self.nested(then, columns, inner);
                self.nested(otherwise, columns, inner);
            }
            ExprKind::In { of, items } => {
                self.nested(of, columns, inner);
                for item in items {
                    self.nested(item, columns, inner);
                }
                self.is_bool(expr);
            }
            ExprKind::Default { of, otherwise } => {
                self.nested(of, columns, inner);
                self.nested(otherwise, columns, inner);
            }
            ExprKind::Try(of) | ExprKind::Cast(of) => self.nested(of, columns, inner),
            ExprKind::Call { args: items, .. }
            | ExprKind::List(items)
            | ExprKind::Struct(items) => {
                for item in items {
                    self.nested(item, columns, inner);
                }
            }
            ExprKind::Lambda { n_params, body } => {
                let n_locals = scope.n_locals.saturating_add(*n_params);
                self.nested(body, columns, Scope { n_locals, ..inner });
            }
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Scope {
    n_locals: usize,
    depth: usize,
}
