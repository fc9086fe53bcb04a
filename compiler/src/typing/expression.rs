//! Expressions of the syntax tree become typed expressions.
//!
//! `None` stands for a type that is not known after a fault; whoever meets it stays silent.

mod lookup;
mod operands;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::code::expression;
use arqon_grammar::code::names;
use arqon_grammar::expr as syntax;
use arqon_operators::Expr;
use arqon_types::{Type, Value, parse_date, parse_timestamp};

use self::operands::{is_constant, is_untyped};
use super::fault::Operand;
use super::scope::{Scope, TypedExpr};
use super::typer::Typer;

impl Typer<'_> {
    /// A whole expression of any type; `wanted` is what a literal may become.
    pub(crate) fn expression(
        &mut self,
        ast: &syntax::Expr,
        scope: &Scope<'_>,
        wanted: Option<&Type>,
    ) -> Option<TypedExpr> {
        self.n_parts = 0;
        let typed = self.infer(ast, scope, wanted)?;
        let Some(wanted) = wanted else {
            if is_untyped(ast) {
                self.report.push(
                    Diagnostic::new(
                        names::UNTYPED,
                        ast.span,
                        format!("nothing says which type `{}` has here", self.text(ast.span)),
                    )
                    .help("use it beside a value of a known type"),
                );
                return None;
            }
            return Some(typed);
        };
        // A literal takes the type that is wanted; what does not fit is said where it arrives.
        if !is_constant(&typed.expr) {
            return Some(typed);
        }
        match arqon_operators::coerce(typed.expr.clone(), wanted) {
            Ok(expr) => Some(TypedExpr { expr, ..typed }),
            Err(_) => Some(typed),
        }
    }

    /// A whole expression that has to be a `bool`; `what` is who wants it: `` `where` ``.
    pub(crate) fn condition(
        &mut self,
        ast: &syntax::Expr,
        scope: &Scope<'_>,
        what: &str,
    ) -> Option<Expr> {
        self.n_parts = 0;
        let typed = self.infer(ast, scope, None)?;
        match arqon_operators::want_bool(&typed.expr, 0, what) {
            Ok(()) => Some(typed.expr),
            Err(fault) => {
                self.type_fault(&fault, ast.span, &[Operand::new(ast.span, &typed)]);
                None
            }
        }
    }

    /// An expression with its type.
    pub(super) fn infer(
        &mut self,
        ast: &syntax::Expr,
        scope: &Scope<'_>,
        wanted: Option<&Type>,
    ) -> Option<TypedExpr> {
        let typed = self.infer_kind(ast, scope, wanted);
        if let (Some(notes), Some(typed)) = (&mut self.notes, &typed) {
            // What a function's parameter stands for is declared somewhere else each time.
            let origin = typed.origin.filter(|_| self.n_bodies == 0);
            notes.expression(ast, &typed.expr.ty, origin, typed.named);
        }
        typed
    }

    fn infer_kind(
        &mut self,
        ast: &syntax::Expr,
        scope: &Scope<'_>,
        wanted: Option<&Type>,
    ) -> Option<TypedExpr> {
        match &ast.kind {
            syntax::ExprKind::Literal(literal) => self.literal(literal, ast.span),
            syntax::ExprKind::Name(name) => self.name(name, ast.span, scope),
            syntax::ExprKind::Field { base, field } => self.field(base, field, scope),
            syntax::ExprKind::Index { base, index } => self.index([base, index], ast.span, scope),
            syntax::ExprKind::Call { function, arguments } => {
                self.call(function, arguments, ast.span, scope)
            }
            syntax::ExprKind::Lambda { .. } => {
                self.report.push(Diagnostic::new(
                    names::WRONG_TYPE,
                    ast.span,
                    "a function is no value; it may only be an argument",
                ));
                None
            }
            syntax::ExprKind::List(items) => self.list(items, ast.span, scope, wanted),
            syntax::ExprKind::Unary { operator, operand } => {
                self.unary(operator, operand, ast.span, scope)
            }
            syntax::ExprKind::Binary { operator, left, right } => {
                self.binary(operator.node, [left, right], ast.span, scope)
            }
            syntax::ExprKind::If { condition, consequence, alternative } => {
                self.if_else([condition, consequence, alternative], ast.span, scope, wanted)
            }
            syntax::ExprKind::Error => None,
        }
    }

    /// What an operator made of its operands, or its fault, reported.
    pub(super) fn made(
        &mut self,
        made: arqon_operators::Typed,
        span: Span,
        operands: &[Operand],
    ) -> Option<TypedExpr> {
        match made {
            Ok(expr) => {
                self.meet_operands(&expr, span, operands);
                Some(TypedExpr::plain(expr))
            }
            Err(fault) => {
                self.type_fault(&fault, span, operands);
                None
            }
        }
    }

    fn literal(&mut self, literal: &syntax::Literal, span: Span) -> Option<TypedExpr> {
        let place = self.places.place(span);
        let constant = |value: Value, ty: Type| Expr { place, ..Expr::literal(value, ty) };
        let expr = match literal {
            syntax::Literal::Integer(value) => {
                return self.made(arqon_operators::number(&value.to_string(), place), span, &[]);
            }
            syntax::Literal::Number(digits) => {
                return self.made(arqon_operators::number(digits, place), span, &[]);
            }
            syntax::Literal::String(text) => constant(Value::string(text), Type::String),
            syntax::Literal::Bool(value) => constant(Value::Bool(*value), Type::Bool),
            // Whatever stands beside it says which option it is.
            syntax::Literal::None => constant(Value::None, Type::Bool.optional()),
            syntax::Literal::Duration(nanos) => constant(Value::Duration(*nanos), Type::Duration),
            syntax::Literal::Date(text) => match parse_date(text) {
                Ok(days) => constant(Value::Date(days), Type::Date),
                Err(error) => return self.no_such_literal("date", text, &error, span),
            },
            syntax::Literal::Time(text) => match parse_timestamp(text) {
                Ok(nanos) => constant(Value::Timestamp(nanos), Type::Timestamp),
                Err(error) => return self.no_such_literal("time", text, &error, span),
            },
        };
        Some(TypedExpr::plain(expr))
    }

    fn no_such_literal(
        &mut self,
        what: &str,
        text: &str,
        error: &arqon_types::TimeError,
        span: Span,
    ) -> Option<TypedExpr> {
        self.report.push(
            Diagnostic::new(expression::LITERAL, span, format!("`{text}` is no {what}"))
                .note(error.to_string()),
        );
        None
    }

    fn list(
        &mut self,
        items: &[syntax::Expr],
        span: Span,
        scope: &Scope<'_>,
        wanted: Option<&Type>,
    ) -> Option<TypedExpr> {
        let item_type = match wanted.map(Type::required) {
            Some(Type::List(inner)) => Some(&**inner),
            _ => None,
        };
        let (exprs, operands) = self.all(items, scope, item_type)?;
        if exprs.is_empty() && item_type.is_none() {
            self.report.push(
                Diagnostic::new(
                    names::UNTYPED,
                    span,
                    "nothing says of which type the items of `[]` are here",
                )
                .help("use it beside a list of a known type"),
            );
            return None;
        }
        let place = self.places.place(span);
        let made = arqon_operators::list(exprs, wanted, place);
        self.made(made, span, &operands)
    }

    /// All of several expressions, or nothing if one has a fault.
    fn all(
        &mut self,
        items: &[syntax::Expr],
        scope: &Scope<'_>,
        wanted: Option<&Type>,
    ) -> Option<(Vec<Expr>, Vec<Operand>)> {
        let typed: Vec<Option<TypedExpr>> =
            items.iter().map(|item| self.infer(item, scope, wanted)).collect();
        let mut exprs = Vec::with_capacity(items.len());
        let mut operands = Vec::with_capacity(items.len());
        for (item, typed) in items.iter().zip(typed) {
            let typed = typed?;
            operands.push(Operand::new(item.span, &typed));
            exprs.push(typed.expr);
        }
        Some((exprs, operands))
    }
}
