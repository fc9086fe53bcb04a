//! Expressions of the syntax tree become typed expressions.
//!
//! `None` stands for a type that is not known after a fault; whoever meets it stays silent.

use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::code::expression;
use arqon_grammar::code::names;
use arqon_grammar::expr as syntax;
use arqon_grammar::suggest::suggest;
use arqon_operators::{Arg, BinaryOp, Expr, ExprKind, UnaryOp};
use arqon_types::{Type, Value, parse_date, parse_timestamp};

use super::fault::Operand;
use super::habit::habit;
use super::scope::{Scope, TypedExpr, Variable};
use super::typer::Typer;
use crate::row_type::RowType;
use crate::walk::shift_locals;

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
                let condition_typed = self.infer(condition, scope, None);
                let then = self.infer(consequence, scope, wanted);
                let otherwise = self.infer(alternative, scope, wanted);
                let (condition_typed, then, otherwise) = (condition_typed?, then?, otherwise?);
                let operands = [
                    Operand::new(condition.span, &condition_typed),
                    Operand::new(consequence.span, &then),
                    Operand::new(alternative.span, &otherwise),
                ];
                let place = self.places.place(ast.span);
                let parts = then.parts.clone().or_else(|| otherwise.parts.clone());
                self.same_parts(then.parts.as_ref(), otherwise.parts.as_ref());
                let (then, otherwise) = match wanted {
                    Some(ty) => (adapted(then.expr, ty), adapted(otherwise.expr, ty)),
                    None => (then.expr, otherwise.expr),
                };
                let made = arqon_operators::if_else(condition_typed.expr, then, otherwise, place);
                let made = self.made(made, ast.span, &operands)?;
                Some(TypedExpr { parts, ..made })
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

    /// A bare name, or nothing after a fault.
    fn name(&mut self, name: &str, span: Span, scope: &Scope<'_>) -> Option<TypedExpr> {
        match self.lookup(name, span, scope) {
            Lookup::Found(typed) => return Some(typed),
            Lookup::Silent => return None,
            Lookup::Missing => {}
        }
        if let Some(param) = self.params.get(name) {
            self.used_params.insert(name.to_owned());
            if let Some(notes) = &mut self.notes {
                notes.name(span, param.span);
            }
            return self.literal(&param.value.clone(), span);
        }
        let candidates =
            self.report.candidates(scope.names().into_iter().chain(self.params.keys().copied()));
        let near = suggest(name, candidates.iter().copied());
        if let Some(fault) = meant_name(name, span, scope) {
            self.report.push(fault);
            return None;
        }
        if near.is_none() && self.places.is_quoted(span) {
            let whole = Span::new(span.start - 1, span.end + 1);
            self.report.push(
                Diagnostic::new(
                    expression::UNQUOTED_TEXT,
                    span,
                    format!("YAML's quotes make no text of `{name}`, and no field has the name"),
                )
                .fix(whole, format!("'\"{name}\"'"), "write a text"),
            );
            return None;
        }
        let is_function = self.functions.contains_key(name)
            || arqon_operators::function_names().any(|known| known == name);
        if near.is_none() && is_function {
            let message = format!("`{name}` is a function, and no field has the name");
            let fault = Diagnostic::new(names::UNKNOWN_FIELD, span, message);
            self.report.push(if name == "all" {
                fault
                    .help("all fields pass where no `select` names some")
                    .help("all rows are one group in `group: []`")
            } else {
                fault.help(format!("call it: `{name}(…)`"))
            });
            return None;
        }
        let message = match scope.function() {
            Some(function) => format!("function `{function}` has no parameter `{name}`"),
            None => format!("unknown field `{name}`"),
        };
        let mut fault = Diagnostic::new(names::UNKNOWN_FIELD, span, message)
            .did_you_mean(near)
            .fix_name(span, name, near, candidates.iter().copied());
        if near.is_none() {
            if scope.function().is_some() {
                fault = fault.help(
                    "a function sees its own parameters and those of the circuit; pass the value",
                );
            } else if !candidates.is_empty() && candidates.len() <= NAMES_SHOWN_MAX {
                fault = fault.help(format!("known here: `{}`", candidates.join("`, `")));
            }
        }
        self.report.push(fault);
        None
    }

    fn lookup(&mut self, name: &str, span: Span, scope: &Scope<'_>) -> Lookup {
        let place = self.places.place(span);
        let column = |row: &RowType, first: usize| {
            let Some(at) = row.position(name) else {
                return if row.open { Lookup::Silent } else { Lookup::Missing };
            };
            let column = &row.columns[at];
            let Some(ty) = &column.ty else { return Lookup::Silent };
            Lookup::Found(TypedExpr {
                expr: Expr { place, ..Expr::column(first + at, ty.clone()) },
                origin: column.origin,
                named: column.named,
                parts: column.parts.clone(),
            })
        };
        match scope {
            Scope::Row(row) => column(row, 0),
            Scope::Match { left, right, alias: Some(alias) } => {
                if alias.node == name {
                    whole_row(right, left.columns.len(), alias.span, place)
                } else {
                    column(left, 0)
                }
            }
            Scope::Match { left, right, alias: None } => {
                let n_left = left.columns.len();
                match (left.position(name), right.position(name)) {
                    (Some(_), Some(_)) => {
                        self.report.push(
                            Diagnostic::new(
                                names::FIELD_CLASH,
                                span,
                                format!("both sides of the join have a field `{name}`"),
                            )
                            .help("give the other side a name, as in `as: c`, and write `c.…`"),
                        );
                        Lookup::Silent
                    }
                    (_, Some(_)) => column(right, n_left),
                    (Some(_), None) => column(left, 0),
                    (None, None) if right.open => Lookup::Silent,
                    (None, None) => column(left, 0),
                }
            }
            Scope::Function { arguments, n_locals, .. } => {
                match arguments.iter().find(|(known, _)| *known == name) {
                    Some((_, Some(argument))) => {
                        let mut argument = argument.clone();
                        shift_locals(&mut argument.expr, self.n_locals - n_locals);
                        match self.bounded(argument.expr) {
                            Some(expr) => {
                                let argument = TypedExpr { expr, named: None, ..argument };
                                Lookup::Found(argument)
                            }
                            None => Lookup::Silent,
                        }
                    }
                    Some((_, None)) => Lookup::Silent,
                    None => Lookup::Missing,
                }
            }
            Scope::Lambda { outer, variables, n_locals } => {
                let Some(at) = variables.iter().position(|known| known.name == name) else {
                    return self.lookup(name, span, outer);
                };
                let Variable { ty, parts, .. } = variables[at].clone();
                let level = n_locals + at;
                let kind = ExprKind::Local(self.n_locals - level - 1);
                let typed = TypedExpr::plain(Expr { kind, ty, place });
                Lookup::Found(TypedExpr { parts, ..typed })
            }
        }
    }

    fn field(
        &mut self,
        base: &syntax::Expr,
        field: &arqon_grammar::Spanned<String>,
        scope: &Scope<'_>,
    ) -> Option<TypedExpr> {
        if let (syntax::ExprKind::Name(name), Scope::Match { left, right, alias: Some(alias) }) =
            (&base.kind, scope)
            && *name == alias.node
        {
            if let Some(notes) = &mut self.notes {
                notes.name(base.span, alias.span);
            }
            return self.right_field(field, left.columns.len(), right);
        }
        if let Some(fault) = self.needless_base(base, field, scope) {
            self.report.push(fault);
            return None;
        }
        let of = self.infer(base, scope, None)?;
        let operand = Operand::new(base.span, &of);
        let place = self.places.place(base.span);
        let part = of
            .parts
            .as_ref()
            .and_then(|parts| parts.position(&field.node).map(|at| parts.columns[at].clone()));
        match arqon_operators::field(of.expr, &field.node, place) {
            Ok(expr) => Some(TypedExpr {
                expr,
                origin: part.as_ref().and_then(|part| part.origin),
                named: part.as_ref().and_then(|part| part.named),
                parts: part.and_then(|part| part.parts),
            }),
            Err(fault) if fault.kind == arqon_operators::FaultKind::UnknownField => {
                let message = format!("`{}` has no field `{}`", self.text(base.span), field.node);
                let candidates: Vec<&str> = fault.candidates.iter().map(String::as_str).collect();
                self.report.unknown(
                    names::UNKNOWN_FIELD,
                    field.span,
                    message,
                    &field.node,
                    candidates,
                );
                None
            }
            Err(fault) => {
                self.type_fault(&fault, base.span, &[operand]);
                None
            }
        }
    }

    /// `orders.amount`, `this.amount` or `params.rate` for `amount` and `rate`, and `customers.id`
    /// for `c.id`: a base that nothing is named by, before a name that is known.
    fn needless_base(
        &self,
        base: &syntax::Expr,
        field: &arqon_grammar::Spanned<String>,
        scope: &Scope<'_>,
    ) -> Option<Diagnostic> {
        let syntax::ExprKind::Name(name) = &base.kind else { return None };
        let is_known = |name: &str| scope.names().contains(&name) || self.params.contains_key(name);
        if scope.is_open() || is_known(name) {
            return None;
        }
        let fault =
            Diagnostic::new(names::UNKNOWN_FIELD, base.span, format!("unknown field `{name}`"));
        if let Some(holder) = scope.holder(&field.node) {
            let title = format!("write `{holder}`");
            return Some(fault.did_you_mean(Some(holder)).fix(base.span, holder, title));
        }
        if !is_known(&field.node) {
            return None;
        }
        let whole = Span::new(base.span.start, field.span.start);
        let title = format!("write `{}`", field.node);
        Some(
            fault
                .help(format!("fields and parameters stand bare: `{}`", field.node))
                .fix(whole, "", title),
        )
    }

    /// `items[n]`
    fn index(
        &mut self,
        [base, index]: [&syntax::Expr; 2],
        span: Span,
        scope: &Scope<'_>,
    ) -> Option<TypedExpr> {
        let of = self.infer(base, scope, None);
        let position = self.infer(index, scope, None);
        let (of, position) = (of?, position?);
        let operands = [Operand::new(base.span, &of), Operand::new(index.span, &position)];
        let place = self.places.place(span);
        let args = [of.expr, position.expr].map(Arg::Value).into();
        let made = self.made(arqon_operators::call("item", args, place), span, &operands)?;
        Some(TypedExpr { parts: of.parts, ..made })
    }

    /// Two values become one: their fields have the same names.
    fn same_parts(&mut self, one: Option<&Arc<RowType>>, other: Option<&Arc<RowType>>) {
        if let (Some(notes), Some(one), Some(other)) = (&mut self.notes, one, other) {
            notes.same_rows(one, other);
        }
    }

    fn right_field(
        &mut self,
        field: &arqon_grammar::Spanned<String>,
        n_left: usize,
        right: &RowType,
    ) -> Option<TypedExpr> {
        match self.lookup(&field.node, field.span, &Scope::Row(right)) {
            Lookup::Found(mut typed) => {
                if let ExprKind::Column(at) = &mut typed.expr.kind {
                    *at += n_left;
                }
                Some(typed)
            }
            Lookup::Silent => None,
            Lookup::Missing => {
                self.report.unknown(
                    names::UNKNOWN_FIELD,
                    field.span,
                    format!("the other side of the join has no field `{}`", field.node),
                    &field.node,
                    right.names(),
                );
                None
            }
        }
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

    fn unary(
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

    fn binary(
        &mut self,
        operator: syntax::BinaryOperator,
        [left, right]: [&syntax::Expr; 2],
        span: Span,
        scope: &Scope<'_>,
    ) -> Option<TypedExpr> {
        let place = self.places.place(span);
        let op = match operator {
            syntax::BinaryOperator::And | syntax::BinaryOperator::Or => {
                return self.chain(operator, [left, right], span, scope);
            }
            syntax::BinaryOperator::In => return self.membership(left, right, span, scope),
            syntax::BinaryOperator::Default => {
                let of = self.infer(left, scope, None);
                let otherwise = self.infer(right, scope, None);
                let (of, mut otherwise) = (of?, otherwise?);
                self.adapt_number(right, &mut otherwise, &of.expr.ty, Scale::Same);
                let operands = [Operand::new(left.span, &of), Operand::new(right.span, &otherwise)];
                let parts = of.parts.clone().or_else(|| otherwise.parts.clone());
                self.same_parts(of.parts.as_ref(), otherwise.parts.as_ref());
                let made = arqon_operators::default(of.expr, otherwise.expr, place);
                let made = self.made(made, span, &operands)?;
                return Some(TypedExpr { parts, ..made });
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
        let left_typed = self.infer(left, scope, None);
        let right_typed = self.infer(right, scope, None);
        let (mut left_typed, mut right_typed) = (left_typed?, right_typed?);
        let operands =
            [Operand::new(left.span, &left_typed), Operand::new(right.span, &right_typed)];
        let scale = if op == BinaryOp::Multiply { Scale::Own } else { Scale::Same };
        self.adapt_number(left, &mut left_typed, &right_typed.expr.ty, scale);
        self.adapt_number(right, &mut right_typed, &left_typed.expr.ty, scale);
        let made = arqon_operators::binary(op, left_typed.expr, right_typed.expr, place);
        self.made(made, span, &operands)
    }

    /// A number written beside a decimal keeps all its digits; as a factor it keeps its own
    /// scale, so that `price * 2` has the scale of `price`.
    fn adapt_number(&self, ast: &syntax::Expr, typed: &mut TypedExpr, other: &Type, scale: Scale) {
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
    fn number_text(&self, ast: &syntax::Expr, typed: &TypedExpr) -> Option<String> {
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
    fn chain(
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

    fn membership(
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

/// What a name was found to be.
enum Lookup {
    Found(TypedExpr),
    /// Something with a fault.
    Silent,
    Missing,
}

/// Which scale a number beside a decimal gets.
#[derive(Clone, Copy)]
enum Scale {
    Same,
    Own,
}

/// The fault of a name that stands for nothing, where it is plain what is meant: a word of another
/// language, or a field of a struct.
fn meant_name(name: &str, span: Span, scope: &Scope<'_>) -> Option<Diagnostic> {
    let fault = Diagnostic::new(names::UNKNOWN_FIELD, span, format!("unknown field `{name}`"));
    let word = match name {
        "True" | "TRUE" => Some("true"),
        "False" | "FALSE" => Some("false"),
        "None" | "NONE" | "nil" | "undefined" => Some("none"),
        "NaN" | "nan" | "NAN" => Some("float64(\"NaN\")"),
        "Infinity" | "inf" => Some("float64(\"Infinity\")"),
        _ => None,
    };
    if let Some(word) = word {
        return Some(fault.help(format!("it is `{word}`")).fix(
            span,
            word,
            format!("write `{word}`"),
        ));
    }
    if let Some(help) = habit(name).filter(|_| name.starts_with("current_")) {
        return Some(fault.help(help));
    }
    let holder = scope.holder(name)?;
    let path = format!("{holder}.{name}");
    let title = format!("write `{path}`");
    Some(fault.did_you_mean(Some(&path)).fix(span, path, title))
}

/// The right row of a join as one struct.
fn whole_row(row: &RowType, first: usize, alias: Span, place: arqon_operators::Place) -> Lookup {
    let Some(fields) = row.fields() else { return Lookup::Silent };
    let columns = fields
        .into_iter()
        .enumerate()
        .map(|(at, field)| (field.name, Expr::column(first + at, field.ty)))
        .collect();
    let expr = arqon_operators::structure(columns, place);
    Lookup::Found(TypedExpr {
        expr,
        origin: None,
        named: Some(alias),
        parts: Some(Arc::new(row.clone())),
    })
}

fn flatten<'t>(
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
fn is_untyped(expr: &syntax::Expr) -> bool {
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
fn is_constant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(_) => true,
        ExprKind::List(items) => items.iter().all(is_constant),
        _ => false,
    }
}

/// Arithmetic on nothing but number literals, computed in decimals: `1 - 0.05`.
fn exact(expr: &Expr, scale: u8) -> Option<Expr> {
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
fn adapted(expr: Expr, ty: &Type) -> Expr {
    if is_constant(&expr) {
        arqon_operators::coerce(expr.clone(), ty).unwrap_or(expr)
    } else {
        expr
    }
}

/// More names than this are not listed in a diagnostic's help.
const NAMES_SHOWN_MAX: usize = 12;
