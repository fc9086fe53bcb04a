//! Operators between values: chains of one rank, comparisons, numbers that take the type of what
//! stands beside them.

use arqon_grammar::Span;
use arqon_grammar::expr as syntax;
use arqon_operators::{BinaryOp, Expr, ExprKind, UnaryOp};
use arqon_types::{Type, Value};

use crate::typing::fault::Operand;
use crate::typing::scope::{Scope, TypedExpr};
use crate::typing::typer::Typer;

impl Typer<'_> {
    pub(super) fn unary(
        &mut self,
        operator: &arqon_grammar::Spanned<syntax::UnaryOperator>,
        operand: &syntax::Expr,
        span: Span,
        scope: &Scope<'_>,
    ) -> Option<TypedExpr> {
        let op = match operator.node {
            syntax::UnaryOperator::Not => UnaryOp::Not,
            syntax::UnaryOperator::Negate => UnaryOp::Negate,
        };
        // The least integer has no positive counterpart, so its sign belongs to the literal.
        if let (UnaryOp::Negate, syntax::ExprKind::Literal(syntax::Literal::Integer(value))) =
            (op, &operand.kind)
        {
            return self.literal(&syntax::Literal::Integer(value.saturating_neg()), span);
        }
        let typed = self.infer(operand, scope, None)?;
        let operands = [Operand::new(operand.span, &typed)];
        let place = self.places.place(span);
        let made = arqon_operators::unary(op, typed.expr, place);
        self.made(made, span, &operands)
    }

    pub(super) fn if_else(
        &mut self,
        [condition, consequence, alternative]: [&syntax::Expr; 3],
        span: Span,
        scope: &Scope<'_>,
        wanted: Option<&Type>,
    ) -> Option<TypedExpr> {
        let condition_typed = self.infer(condition, scope, None);
        let branches = self.pair([consequence, alternative], scope, wanted);
        let typed = (condition_typed?, branches?);
        self.made_if_else([condition, consequence, alternative], typed, span, wanted)
    }

    fn made_if_else(
        &mut self,
        [condition, consequence, alternative]: [&syntax::Expr; 3],
        (condition_typed, (then, otherwise)): (TypedExpr, (TypedExpr, TypedExpr)),
        span: Span,
        wanted: Option<&Type>,
    ) -> Option<TypedExpr> {
        let operands = [
            Operand::new(condition.span, &condition_typed),
            Operand::new(consequence.span, &then),
            Operand::new(alternative.span, &otherwise),
        ];
        let place = self.places.place(span);
        let parts = then.parts.clone().or_else(|| otherwise.parts.clone());
        self.same_parts(then.parts.as_ref(), otherwise.parts.as_ref());
        let (then, otherwise) = match wanted {
            Some(ty) => (adapted(then.expr, ty), adapted(otherwise.expr, ty)),
            None => (then.expr, otherwise.expr),
        };
        let made = arqon_operators::if_else(condition_typed.expr, then, otherwise, place);
        let made = self.made(made, span, &operands)?;
        Some(TypedExpr { parts, ..made })
    }

    /// What is made of operands stands in functions of their own, so that the stack has no room of
    /// it at each level of an expression.
    pub(super) fn binary(
        &mut self,
        operator: syntax::BinaryOperator,
        [left, right]: [&syntax::Expr; 2],
        span: Span,
        scope: &Scope<'_>,
    ) -> Option<TypedExpr> {
        let op = match operator {
            syntax::BinaryOperator::And | syntax::BinaryOperator::Or => {
                return self.chain(operator, [left, right], span, scope);
            }
            syntax::BinaryOperator::In => return self.membership(left, right, span, scope),
            syntax::BinaryOperator::Default => {
                let typed = self.pair([left, right], scope, None)?;
                return self.made_default([left, right], typed, span);
            }
            syntax::BinaryOperator::Equal => BinaryOp::Equal,
            syntax::BinaryOperator::NotEqual => BinaryOp::NotEqual,
            syntax::BinaryOperator::Less => BinaryOp::Less,
            syntax::BinaryOperator::LessOrEqual => BinaryOp::LessEqual,
            syntax::BinaryOperator::Greater => BinaryOp::Greater,
            syntax::BinaryOperator::GreaterOrEqual => BinaryOp::GreaterEqual,
            syntax::BinaryOperator::Add => BinaryOp::Add,
            syntax::BinaryOperator::Subtract => BinaryOp::Subtract,
            syntax::BinaryOperator::Concatenate => BinaryOp::Concat,
            syntax::BinaryOperator::Multiply => BinaryOp::Multiply,
            syntax::BinaryOperator::Divide => BinaryOp::Divide,
            syntax::BinaryOperator::Remainder => BinaryOp::Remainder,
        };
        let typed = self.pair([left, right], scope, None)?;
        self.made_binary(op, [left, right], typed, span)
    }

    fn made_default(
        &mut self,
        [left, right]: [&syntax::Expr; 2],
        (of, mut otherwise): (TypedExpr, TypedExpr),
        span: Span,
    ) -> Option<TypedExpr> {
        self.adapt_number(right, &mut otherwise, &of.expr.ty, Scale::Same);
        let operands = [Operand::new(left.span, &of), Operand::new(right.span, &otherwise)];
        let parts = of.parts.clone().or_else(|| otherwise.parts.clone());
        self.same_parts(of.parts.as_ref(), otherwise.parts.as_ref());
        let place = self.places.place(span);
        let made = arqon_operators::default(of.expr, otherwise.expr, place);
        let made = self.made(made, span, &operands)?;
        Some(TypedExpr { parts, ..made })
    }

    fn made_binary(
        &mut self,
        op: BinaryOp,
        [left, right]: [&syntax::Expr; 2],
        (mut left_typed, mut right_typed): (TypedExpr, TypedExpr),
        span: Span,
    ) -> Option<TypedExpr> {
        let operands =
            [Operand::new(left.span, &left_typed), Operand::new(right.span, &right_typed)];
        let scale = if op == BinaryOp::Multiply { Scale::Own } else { Scale::Same };
        self.adapt_number(left, &mut left_typed, &right_typed.expr.ty, scale);
        self.adapt_number(right, &mut right_typed, &left_typed.expr.ty, scale);
        let place = self.places.place(span);
        let made = arqon_operators::binary(op, left_typed.expr, right_typed.expr, place);
        self.made(made, span, &operands)
    }

    /// Two expressions of one type. Of its items `[]` says nothing; what stands beside it does.
    fn pair(
        &mut self,
        [left, right]: [&syntax::Expr; 2],
        scope: &Scope<'_>,
        wanted: Option<&Type>,
    ) -> Option<(TypedExpr, TypedExpr)> {
        let beside = |typed: &TypedExpr| wanted.unwrap_or(&typed.expr.ty).clone();
        if is_empty_list(left) {
            let right = self.infer(right, scope, wanted)?;
            return Some((self.infer(left, scope, Some(&beside(&right)))?, right));
        }
        let left_typed = self.infer(left, scope, wanted);
        if is_empty_list(right) {
            let left = left_typed?;
            let right = self.infer(right, scope, Some(&beside(&left)))?;
            return Some((left, right));
        }
        let right_typed = self.infer(right, scope, wanted);
        Some((left_typed?, right_typed?))
    }

    /// A number written beside a decimal keeps all its digits; as a factor it keeps its own
    /// scale, so that `price * 2` has the scale of `price`.
    pub(super) fn adapt_number(
        &self,
        ast: &syntax::Expr,
        typed: &mut TypedExpr,
        other: &Type,
        scale: Scale,
    ) {
        let Type::Decimal(other_scale) = other.required() else { return };
        let Some(text) = self.number_text(ast, typed) else {
            if matches!(typed.expr.ty, Type::Int64 | Type::Float64)
                && !is_constant(&typed.expr)
                && let Some(expr) = exact(&typed.expr, *other_scale)
            {
                typed.expr = expr;
            }
            return;
        };
        let wanted = match scale {
            Scale::Same => Type::Decimal(*other_scale),
            Scale::Own => Type::Decimal(0),
        };
        if let Ok(expr) = arqon_operators::adapt_number(&text, &wanted, typed.expr.place) {
            typed.expr = expr;
        }
    }

    /// The digits of a number that is written here, or in the parameter that is named here.
    pub(super) fn number_text(&self, ast: &syntax::Expr, typed: &TypedExpr) -> Option<String> {
        let number = |literal: &syntax::Literal| match literal {
            syntax::Literal::Integer(value) => Some(value.to_string()),
            syntax::Literal::Number(digits) => Some(digits.clone()),
            _ => None,
        };
        if !matches!(typed.expr.kind, ExprKind::Literal(Value::Int(_) | Value::Float(_))) {
            return None;
        }
        match &ast.kind {
            syntax::ExprKind::Literal(literal) => number(literal),
            syntax::ExprKind::Name(name) => {
                self.params.get(name.as_str()).and_then(|param| number(&param.value))
            }
            syntax::ExprKind::Unary { operator, operand }
                if operator.node == syntax::UnaryOperator::Negate =>
            {
                match &operand.kind {
                    syntax::ExprKind::Literal(literal) => {
                        number(literal).map(|digits| format!("-{digits}"))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// `a and b and c`: one list, however the tree is balanced.
    pub(super) fn chain(
        &mut self,
        operator: syntax::BinaryOperator,
        sides: [&syntax::Expr; 2],
        span: Span,
        scope: &Scope<'_>,
    ) -> Option<TypedExpr> {
        let mut parts = Vec::new();
        for side in sides {
            flatten(operator, side, &mut parts);
        }
        let what = match operator {
            syntax::BinaryOperator::And => "`and`",
            _ => "`or`",
        };
        let mut conditions = Vec::with_capacity(parts.len());
        let mut complete = true;
        for part in parts {
            let Some(typed) = self.infer(part, scope, None) else {
                complete = false;
                continue;
            };
            match arqon_operators::want_bool(&typed.expr, 0, what) {
                Ok(()) => conditions.push(typed.expr),
                Err(fault) => {
                    self.type_fault(&fault, part.span, &[Operand::new(part.span, &typed)]);
                    complete = false;
                }
            }
        }
        if !complete {
            return None;
        }
        let place = self.places.place(span);
        let made = if operator == syntax::BinaryOperator::And {
            arqon_operators::and(conditions, place)
        } else {
            arqon_operators::or(conditions, place)
        };
        self.made(made, span, &[])
    }

    pub(super) fn membership(
        &mut self,
        of: &syntax::Expr,
        list: &syntax::Expr,
        span: Span,
        scope: &Scope<'_>,
    ) -> Option<TypedExpr> {
        let place = self.places.place(span);
        let of_typed = self.infer(of, scope, None);
        let syntax::ExprKind::List(items) = &list.kind else {
            let list_typed = self.infer(list, scope, None);
            let (of_typed, list_typed) = (of_typed?, list_typed?);
            let operands = [Operand::new(of.span, &of_typed), Operand::new(list.span, &list_typed)];
            let made = arqon_operators::in_expression(of_typed.expr, list_typed.expr, place);
            return self.made(made, span, &operands);
        };
        let item_types = self.all(items, scope, None);
        let of_typed = of_typed?;
        let (mut exprs, item_operands) = item_types?;
        for (item, expr) in items.iter().zip(&mut exprs) {
            let mut typed = TypedExpr::plain(expr.clone());
            self.adapt_number(item, &mut typed, &of_typed.expr.ty, Scale::Same);
            *expr = typed.expr;
        }
        let mut operands = vec![Operand::new(of.span, &of_typed)];
        operands.extend(item_operands);
        let made = arqon_operators::in_list(of_typed.expr, exprs, place);
        self.made(made, span, &operands)
    }
}

/// Which scale a number beside a decimal gets.
#[derive(Clone, Copy)]
pub(super) enum Scale {
    Same,
    Own,
}

pub(super) fn flatten<'t>(
    operator: syntax::BinaryOperator,
    expr: &'t syntax::Expr,
    parts: &mut Vec<&'t syntax::Expr>,
) {
    match &expr.kind {
        syntax::ExprKind::Binary { operator: found, left, right } if found.node == operator => {
            flatten(operator, left, parts);
            flatten(operator, right, parts);
        }
        _ => parts.push(expr),
    }
}

/// Whether the expression is `none` on every way, so that nothing says its type.
pub(super) fn is_untyped(expr: &syntax::Expr) -> bool {
    match &expr.kind {
        syntax::ExprKind::Literal(literal) => *literal == syntax::Literal::None,
        syntax::ExprKind::If { consequence, alternative, .. } => {
            is_untyped(consequence) && is_untyped(alternative)
        }
        syntax::ExprKind::List(items) => !items.is_empty() && items.iter().all(is_untyped),
        _ => false,
    }
}

/// Whether an expression is made of literals only, so that it may still take another type.
pub(super) fn is_constant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(_) => true,
        ExprKind::List(items) => items.iter().all(is_constant),
        _ => false,
    }
}

/// Arithmetic on nothing but number literals, computed in decimals: `1 - 0.05`.
pub(super) fn exact(expr: &Expr, scale: u8) -> Option<Expr> {
    match &expr.kind {
        ExprKind::Literal(Value::Int(_) | Value::Float(_)) => {
            let text = match &expr.kind {
                ExprKind::Literal(Value::Int(number)) => number.to_string(),
                ExprKind::Literal(Value::Float(number)) => format!("{:?}", number.get()),
                _ => return None,
            };
            arqon_operators::adapt_number(&text, &Type::Decimal(scale), expr.place).ok()
        }
        ExprKind::Unary(op, operand) => {
            arqon_operators::unary(*op, exact(operand, scale)?, expr.place).ok()
        }
        ExprKind::Binary(op, left, right) => match op {
            BinaryOp::Add | BinaryOp::Subtract => {
                let (left, right) = (exact(left, scale)?, exact(right, scale)?);
                arqon_operators::binary(*op, left, right, expr.place).ok()
            }
            BinaryOp::Multiply => {
                let (left, right) = (exact(left, 0)?, exact(right, 0)?);
                arqon_operators::binary(*op, left, right, expr.place).ok()
            }
            BinaryOp::Divide
            | BinaryOp::Remainder
            | BinaryOp::Concat
            | BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Less
            | BinaryOp::LessEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterEqual => None,
        },
        _ => None,
    }
}

/// A literal as `ty`, if it fits; anything else as it is.
pub(super) fn adapted(expr: Expr, ty: &Type) -> Expr {
    if is_constant(&expr) {
        arqon_operators::coerce(expr.clone(), ty).unwrap_or(expr)
    } else {
        expr
    }
}

fn is_empty_list(ast: &syntax::Expr) -> bool {
    matches!(&ast.kind, syntax::ExprKind::List(items) if items.is_empty())
}
