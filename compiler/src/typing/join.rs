//! `join`: keys of one type on both sides, and how the right row appears.

use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Spanned;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_operators::{BinaryOp, Expr, ExprKind, TypeFault, common_type};
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
        let alias = join.alias.as_ref();
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
            ast::JoinKind::Full => plan::JoinKind::Full,
            ast::JoinKind::Semi => plan::JoinKind::Semi,
            ast::JoinKind::Anti => plan::JoinKind::Anti,
        };
        let asof = match &join.asof {
            None => None,
            Some(asof) => {
                let typed = self.asof(asof, &join.kind, left, right);
                complete &= typed.is_some();
                typed
            }
        };
        let (output, row) = match &join.alias {
            _ if !kind.pairs_up() => (plan::JoinOutput::LeftOnly, Some(Arc::clone(left))),
            Some(alias) => {
                let row = self.nested_row(alias, kind, left, right, join);
                (plan::JoinOutput::Nested, row)
            }
            None => (plan::JoinOutput::Flat, self.flat_row(kind, left, right, join)),
        };
        let verb = match (input, &row) {
            (Some(input), Some(_)) if complete && left.fields().is_some() => Verb::Join {
                input,
                input_span: join.source.span,
                join: Box::new(plan::Join {
                    kind,
                    left_key,
                    right_key,
                    residual,
                    asof: asof.map(Box::new),
                    output,
                }),
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

    /// `asof`: the times of both sides as options of one type.
    fn asof(
        &mut self,
        asof: &ast::Asof,
        kind: &Spanned<ast::JoinKind>,
        left: &RowType,
        right: &RowType,
    ) -> Option<plan::Asof> {
        if !matches!(kind.node, ast::JoinKind::Inner | ast::JoinKind::Left) {
            self.report.push(
                Diagnostic::new(
                    names::ASOF,
                    asof.span,
                    "`asof` gives each left row the latest right row, so it belongs to `inner` \
                     and `left` joins",
                )
                .secondary(kind.span, "this is the kind of the join")
                .help("write `kind: left`, or leave `asof` out"),
            );
            return None;
        }
        let time = self.expression(&asof.time, &Scope::Row(left), None);
        let of = self.expression(&asof.of, &Scope::Row(right), None);
        let (time, of) = (time?, of?);
        let operands = [Operand::new(asof.time.span, &time), Operand::new(asof.of.span, &of)];
        for (at, typed) in [&time, &of].into_iter().enumerate() {
            if !is_moment(typed.expr.ty.required()) {
                let fault = TypeFault::mismatch(&typed.expr, at, "`asof`", "a time or a number");
                self.type_fault(&fault, operands[at].span, &operands);
                return None;
            }
        }
        let Some(common) = common_type(time.expr.ty.required(), of.expr.ty.required()) else {
            let wanted = time.expr.ty.required().to_string();
            let fault = TypeFault::mismatch(&of.expr, 1, "`of`", &wanted);
            self.type_fault(&fault, asof.of.span, &operands);
            return None;
        };
        if let Some(within) = &asof.within
            && !matches!(common, Type::Timestamp | Type::Date)
        {
            self.report.push(
                Diagnostic::new(
                    names::ASOF,
                    within.span,
                    format!("`within` is a time, and `{}` is {common}", self.text(asof.time.span)),
                )
                .help("leave `within` out, or bound the numbers with `where`"),
            );
            return None;
        }
        let common = common.optional();
        let lifted = |typed: TypedExpr| {
            arqon_operators::coerce(typed.expr, &common).expect("the common type takes both sides")
        };
        let within = match &asof.within {
            Some(within) => Some(self.nanoseconds(within, "`within`")?),
            None => None,
        };
        Some(plan::Asof { left: lifted(time), right: lifted(of), within })
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
        let [misses_left, misses_right] = kind.may_miss();
        let ty = right.fields().map(Type::Struct);
        let ty = if misses_right { ty.map(Type::optional) } else { ty };
        let mut columns = side(left, misses_left);
        let origin = Origin { span: join.source.span, kind: OriginKind::Joined };
        columns.push(Column {
            name: Arc::from(alias.as_str()),
            ty,
            origin: Some(origin),
            named: Some(alias.span),
            parts: Some(Arc::clone(right)),
        });
        Some(Arc::new(RowType::new(columns, left.open)))
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
        let [misses_left, misses_right] = kind.may_miss();
        let mut columns = side(left, misses_left);
        columns.extend(side(right, misses_right));
        Some(Arc::new(RowType::new(columns, left.open || right.open)))
    }
}

/// The columns of a side, as options where the side may be missing.
fn side(row: &RowType, may_miss: bool) -> Vec<Column> {
    let column = |column: &Column| {
        let mut column = column.clone();
        if may_miss {
            column.ty = column.ty.map(Type::optional);
        }
        column
    };
    row.columns.iter().map(column).collect()
}

/// A literal takes the type of the other side.
fn beside(typed: &TypedExpr, other: &Type) -> Expr {
    if !matches!(typed.expr.kind, ExprKind::Literal(_)) {
        return typed.expr.clone();
    }
    arqon_operators::coerce(typed.expr.clone(), other.required())
        .unwrap_or_else(|_| typed.expr.clone())
}

/// Whether rows can be before and after one another by values of this type.
fn is_moment(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Timestamp
            | Type::Date
            | Type::Duration
            | Type::Int64
            | Type::Float64
            | Type::Decimal(_)
    )
}

/// A key of type `common`, or an option of it. A number that is beyond a common decimal equals none
/// of the other side's, as `==` says: it is `none`, and matches nothing.
fn keyed(expr: Expr, common: &Type) -> Expr {
    let wanted = if expr.ty.is_option() { common.clone().optional() } else { common.clone() };
    let may_be_beyond = matches!(common, Type::Decimal(_))
        && expr.ty.required() != common
        && matches!(expr.kind, ExprKind::Column(_) | ExprKind::Field { .. });
    let key = arqon_operators::coerce(expr, &wanted).expect("the common type takes both sides");
    if !may_be_beyond {
        return key;
    }
    let (ty, place) = (key.ty.clone().optional(), key.place);
    Expr { kind: ExprKind::Try(Box::new(key)), ty, place }
}
