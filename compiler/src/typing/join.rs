//! `join`: keys of one type on both sides, and how the right row appears.

use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_operators::{BinaryOp, Expr, ExprKind, common_type};
use arqon_plan as plan;
use arqon_types::Type;

use super::fault::Operand;
use super::scope::{Scope, TypedExpr};
use super::step::Made;
use super::typer::Typer;
use crate::row_type::{Column, Origin, OriginKind, RowType};
use crate::typed::{Input, Verb};

impl Typer<'_> {
    /// `join` with the rows of `input`; without an input its name was unknown.
    pub(super) fn join_step(
        &mut self,
        join: &ast::Join,
        input: Option<Input>,
        left: &Arc<RowType>,
        right: &Arc<RowType>,
    ) -> Made {
        let mut complete = input.is_some() && join.pairs.is_some();
        let mut left_key = Vec::new();
        let mut right_key = Vec::new();
        for pair in join.pairs.iter().flat_map(|pairs| &pairs.node) {
            match self.match_pair(pair, left, right) {
                Some((left_side, right_side)) => {
                    left_key.push(left_side);
                    right_key.push(right_side);
                }
                None => complete = false,
            }
        }
        let alias = join.alias.as_ref().map(|alias| alias.node.as_str());
        let residual = match &join.condition {
            None => None,
            Some(condition) => {
                let scope = Scope::Match { left, right, alias };
                let typed = self.condition(condition, &scope, "`where`");
                complete &= typed.is_some();
                typed
            }
        };
        let kind = match join.kind.node {
            ast::JoinKind::Inner => plan::JoinKind::Inner,
            ast::JoinKind::Left => plan::JoinKind::Left,
            ast::JoinKind::Semi => plan::JoinKind::Semi,
            ast::JoinKind::Anti => plan::JoinKind::Anti,
        };
        let (output, row) = match (kind, &join.alias) {
            (plan::JoinKind::Semi | plan::JoinKind::Anti, _) => {
                (plan::JoinOutput::LeftOnly, Some(Arc::clone(left)))
            }
            (plan::JoinKind::Inner | plan::JoinKind::Left, Some(alias)) => {
                let row = self.nested_row(alias, kind, left, right, join);
                (plan::JoinOutput::Nested, row)
            }
            (plan::JoinKind::Inner | plan::JoinKind::Left, None) => {
                (plan::JoinOutput::Flat, self.flat_row(kind, left, right, join))
            }
        };
        let verb = match (input, &row) {
            (Some(input), Some(_)) if complete && left.fields().is_some() => Verb::Join {
                input,
                input_span: join.source.span,
                join: plan::Join { kind, left_key, right_key, residual, output },
            },
            _ => Verb::Unknown,
        };
        // After a clash nothing is known of the row: which field is meant is the question.
        (verb, row.unwrap_or_else(RowType::unknown))
    }

    fn match_pair(
        &mut self,
        pair: &ast::MatchPair,
        left: &RowType,
        right: &RowType,
    ) -> Option<(Expr, Expr)> {
        let left_typed = self.expression(&pair.left, &Scope::Row(left), None);
        let right_typed = self.expression(&pair.right, &Scope::Row(right), None);
        let (left_typed, right_typed) = (left_typed?, right_typed?);
        let operands = [
            Operand::new(pair.left.span, &left_typed),
            Operand::new(pair.right.span, &right_typed),
        ];
        let left_expr = beside(&left_typed, &right_typed.expr.ty);
        let right_expr = beside(&right_typed, &left_typed.expr.ty);
        let Some(common) = common_type(left_expr.ty.required(), right_expr.ty.required()) else {
            let place = self.places.place(pair.left.span);
            let compared = arqon_operators::binary(BinaryOp::Equal, left_expr, right_expr, place);
            if let Err(mut fault) = compared {
                fault.message = fault.message.replace("`==` wants", "`match` wants");
                self.type_fault(&fault, pair.left.span, &operands);
            }
            return None;
        };
        let places = [&left_typed, &right_typed].map(|typed| typed.origin.map(|it| it.span));
        self.meet(&left_expr.ty, &right_expr.ty, pair.left.span, places);
        Some((keyed(left_expr, &common), keyed(right_expr, &common)))
    }

    fn nested_row(
        &mut self,
        alias: &ast::Name,
        kind: plan::JoinKind,
        left: &RowType,
        right: &Arc<RowType>,
        join: &ast::Join,
    ) -> Option<Arc<RowType>> {
        if let Some(at) = left.position(alias.as_str()) {
            let mut fault = Diagnostic::new(
                names::FIELD_CLASH,
                alias.span,
                format!("the row has a field `{}` already", alias.node),
            );
            if let Some(origin) = left.columns[at].origin {
                fault = fault.secondary(origin.span, "this one");
            }
            self.report.push(fault.help("give the other side another name"));
            return None;
        }
        let ty = right.fields().map(Type::Struct).map(|ty| match kind {
            plan::JoinKind::Left => ty.optional(),
            plan::JoinKind::Inner | plan::JoinKind::Semi | plan::JoinKind::Anti => ty,
        });
        let mut columns = left.columns.clone();
        let origin = Origin { span: join.source.span, kind: OriginKind::Joined };
        columns.push(Column {
            name: Arc::from(alias.as_str()),
            ty,
            origin: Some(origin),
            parts: Some(Arc::clone(right)),
        });
        Some(Arc::new(RowType { columns, open: left.open }))
    }

    fn flat_row(
        &mut self,
        kind: plan::JoinKind,
        left: &RowType,
        right: &RowType,
        join: &ast::Join,
    ) -> Option<Arc<RowType>> {
        let clashing: Vec<&Column> =
            right.columns.iter().filter(|column| left.position(&column.name).is_some()).collect();
        if let Some(first) = clashing.first() {
            let fields: Vec<String> =
                clashing.iter().map(|column| format!("`{}`", column.name)).collect();
            let mut fault = Diagnostic::new(
                names::FIELD_CLASH,
                join.source.span,
                format!(
                    "both sides of the join have {} {}",
                    if fields.len() == 1 { "a field" } else { "fields" },
                    fields.join(", ")
                ),
            );
            let at = left.position(&first.name).expect("it was found to clash");
            for (origin, side) in [(left.columns[at].origin, "left"), (first.origin, "right")] {
                if let Some(origin) = origin {
                    fault = fault.secondary(origin.span, format!("the {side} side's"));
                }
            }
            self.report
                .push(fault.help("give the other side a name, as in `as: c`, and write `c.…`"));
            return None;
        }
        let mut columns = left.columns.clone();
        columns.extend(right.columns.iter().map(|column| {
            let mut column = column.clone();
            if kind == plan::JoinKind::Left {
                column.ty = column.ty.map(Type::optional);
            }
            column
        }));
        Some(Arc::new(RowType { columns, open: left.open || right.open }))
    }
}

/// A literal takes the type of the other side.
fn beside(typed: &TypedExpr, other: &Type) -> Expr {
    if !matches!(typed.expr.kind, ExprKind::Literal(_)) {
        return typed.expr.clone();
    }
    arqon_operators::coerce(typed.expr.clone(), other.required())
        .unwrap_or_else(|_| typed.expr.clone())
}

/// A key of type `common`, or an option of it.
fn keyed(expr: Expr, common: &Type) -> Expr {
    let wanted = if expr.ty.is_option() { common.clone().optional() } else { common.clone() };
    arqon_operators::coerce(expr, &wanted).expect("the common type takes both sides")
}
