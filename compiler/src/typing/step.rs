//! Steps: what each does to the type of the rows.

use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_grammar::expr as syntax;
use arqon_operators::{Expr, ExprKind, TypeFault};
use arqon_plan as plan;
use arqon_types::{Type, Value};

use super::fault::Operand;
use super::scope::Scope;
use super::typer::Typer;
use crate::resolve::nanoseconds;
use crate::row_type::{Column, Origin, OriginKind, RowType};
use crate::typed::{ProjectVerb, Verb};

/// What a step makes: what it does, and the rows that come out.
pub(crate) type Made = (Verb, Arc<RowType>);

impl Typer<'_> {
    /// `where`
    pub(super) fn where_step(&mut self, condition: &syntax::Expr, row: &Arc<RowType>) -> Made {
        let verb = self
            .condition(condition, &Scope::Row(row), "`where`")
            .map_or(Verb::Unknown, |it| Verb::Where(it.into()));
        (verb, Arc::clone(row))
    }

    /// `select`; `target` is the row of the topic that the result will go to.
    pub(super) fn select_step(
        &mut self,
        fields: &[ast::NamedExpr],
        row: &Arc<RowType>,
        target: Option<&RowType>,
    ) -> Made {
        let (result, exprs) = self.fields(fields, row, target);
        let verb =
            exprs.map_or(Verb::Unknown, |exprs| Verb::Project(ProjectVerb::Select, exprs.into()));
        (verb, Arc::new(result))
    }

    /// The row that named expressions make, and the expressions if none has a fault. A path with
    /// a fault that was to give its name leaves the row open: the name is what is wrong.
    pub(super) fn fields(
        &mut self,
        fields: &[ast::NamedExpr],
        row: &RowType,
        target: Option<&RowType>,
    ) -> (RowType, Option<Vec<Expr>>) {
        let mut columns: Vec<Column> = Vec::with_capacity(fields.len());
        let mut open = false;
        let mut exprs = Some(Vec::with_capacity(fields.len()));
        for (at, field) in fields.iter().enumerate() {
            let (column, expr) = self.named(field, &Scope::Row(row), target);
            exprs = exprs.zip(expr).map(|(mut exprs, expr)| {
                exprs.push(expr);
                exprs
            });
            if let Some(first) = fields[..at].iter().find(|it| it.name.node == field.name.node) {
                self.report_twice(&field.name, first.name.span);
                exprs = None;
            } else if column.ty.is_none() && is_named_by_path(field) {
                open = true;
            } else {
                columns.push(column);
            }
        }
        (RowType::new(columns, open), exprs)
    }

    fn report_twice(&mut self, name: &ast::Name, first: Span) {
        self.report.push(
            Diagnostic::new(
                names::FIELD_CLASH,
                name.span,
                format!("the row would have two fields `{}`", name.node),
            )
            .secondary(first, "the first one")
            .help(format!("give this one another name, as in `{{ other: {} }}`", name.node)),
        );
    }

    /// The column that one named expression makes.
    fn named(
        &mut self,
        field: &ast::NamedExpr,
        scope: &Scope<'_>,
        target: Option<&RowType>,
    ) -> (Column, Option<Expr>) {
        let wanted = target
            .and_then(|target| target.position(field.name.as_str()).map(|at| &target.columns[at]))
            .and_then(|column| column.ty.clone());
        let typed = self.expression(&field.value, scope, wanted.as_ref());
        let computed = Origin { span: field.value.span, kind: OriginKind::Computed };
        match typed {
            Some(typed) => {
                let column = Column {
                    name: Arc::from(field.name.as_str()),
                    ty: Some(typed.expr.ty.clone()),
                    origin: typed.origin.or(Some(computed)),
                    named: Some(field.name.span),
                    parts: typed.parts,
                };
                (column, Some(typed.expr))
            }
            None => (Column::named(&field.name, None, Some(computed)), None),
        }
    }

    /// `with`: all new fields are computed from the old row.
    pub(super) fn with_step(
        &mut self,
        fields: &[ast::NamedExpr],
        row: &Arc<RowType>,
        target: Option<&RowType>,
    ) -> Made {
        let (new_fields, new_exprs) = self.fields(fields, row, target);
        let mut columns = row.columns.clone();
        let mut exprs = pass_through(row);
        let mut new_exprs = new_exprs.map(Vec::into_iter);
        for column in new_fields.columns {
            let expr = new_exprs.as_mut().and_then(Iterator::next);
            if let Some(at) = row.position(&column.name) {
                columns[at] = column;
                if let (Some(exprs), Some(expr)) = (&mut exprs, expr) {
                    exprs[at] = expr;
                }
            } else {
                columns.push(column);
                if let (Some(exprs), Some(expr)) = (&mut exprs, expr) {
                    exprs.push(expr);
                }
            }
        }
        let verb = match (exprs, new_exprs) {
            (Some(exprs), Some(_)) => Verb::Project(ProjectVerb::With, exprs.into()),
            _ => Verb::Unknown,
        };
        (verb, Arc::new(RowType::new(columns, row.open)))
    }

    /// `unnest`: the element stands in the place of the field of its name, or last.
    pub(super) fn unnest_step(&mut self, field: &ast::NamedExpr, row: &Arc<RowType>) -> Made {
        let typed = self.expression(&field.value, &Scope::Row(row), None);
        let element = typed.as_ref().and_then(|typed| match typed.expr.ty.required() {
            Type::List(element) => Some((**element).clone()),
            _ => None,
        });
        if let (Some(typed), None) = (&typed, &element) {
            let operand = Operand::new(field.value.span, typed);
            let fault = TypeFault::mismatch(&typed.expr, 0, "`unnest`", "a list");
            self.type_fault(&fault, field.value.span, &[operand]);
        }
        let origin = Origin { span: field.value.span, kind: OriginKind::Computed };
        let column = Column {
            parts: typed.as_ref().and_then(|typed| typed.parts.clone()),
            ..Column::named(&field.name, element.clone(), Some(origin))
        };
        let mut columns = row.columns.clone();
        let at = row.position(field.name.as_str()).unwrap_or(columns.len());
        if at == columns.len() {
            columns.push(column);
        } else {
            columns[at] = column;
        }
        let verb = match (typed, element) {
            (Some(typed), Some(_)) if !row.open => {
                Verb::Unnest(plan::Unnest { list: typed.expr, field: at })
            }
            _ => Verb::Unknown,
        };
        (verb, Arc::new(RowType::new(columns, row.open)))
    }

    /// `drop`
    pub(super) fn drop_step(&mut self, dropped: &[ast::Name], row: &Arc<RowType>) -> Made {
        for name in dropped {
            self.note_field(name, row);
            if row.position(name.as_str()).is_none() && !row.open {
                self.report.unknown(
                    names::UNKNOWN_FIELD,
                    name.span,
                    format!("unknown field `{}`", name.node),
                    name.as_str(),
                    row.names(),
                );
            }
        }
        let stays = |column: &Column| !dropped.iter().any(|name| *name.node == *column.name);
        let columns: Vec<Column> = row.columns.iter().filter(|it| stays(it)).cloned().collect();
        let exprs = pass_through(row).map(|exprs| {
            exprs
                .into_iter()
                .zip(&row.columns)
                .filter(|(_, column)| stays(column))
                .map(|(expr, _)| expr)
                .collect()
        });
        let verb = exprs.map_or(Verb::Unknown, |exprs: Vec<Expr>| {
            Verb::Project(ProjectVerb::Drop, exprs.into())
        });
        (verb, Arc::new(RowType::new(columns, row.open)))
    }

    /// `group`
    pub(super) fn group_step(&mut self, group: &ast::Group, row: &Arc<RowType>) -> Made {
        let (RowType { mut columns, open, .. }, keys) = self.fields(&group.keys, row, None);
        let mut aggregates = Some(Vec::with_capacity(group.aggregates.len()));
        for field in &group.aggregates {
            let aggregate = self.aggregate(&field.value, &Scope::Row(row), group.keys.is_empty());
            if let Some(first) = group.keys.iter().find(|key| key.name.node == field.name.node) {
                self.report_twice(&field.name, first.name.span);
                aggregates = None;
                continue;
            }
            let origin = Origin { span: field.value.span, kind: OriginKind::Computed };
            let ty = aggregate.as_ref().map(|aggregate| aggregate.ty.clone());
            let parts = row.parts_of(ty.as_ref());
            columns.push(Column { parts, ..Column::named(&field.name, ty, Some(origin)) });
            aggregates = aggregates.zip(aggregate).map(|(mut aggregates, aggregate)| {
                aggregates.push(aggregate);
                aggregates
            });
        }
        let result = Arc::new(RowType::new(columns, open));
        let having = match &group.condition {
            None => Some(None),
            Some(condition) => self.condition(condition, &Scope::Row(&result), "`where`").map(Some),
        };
        let verb = match (keys, aggregates, having) {
            (Some(keys), Some(aggregates), Some(having)) => Verb::Group {
                group: plan::Group { keys, aggregates },
                having: having.map(Arc::new),
            },
            _ => Verb::Unknown,
        };
        (verb, result)
    }

    /// `distinct`
    pub(super) fn distinct_step(
        &mut self,
        fields: Option<&[ast::NamedExpr]>,
        row: &Arc<RowType>,
    ) -> Made {
        let Some(fields) = fields else {
            return (Verb::Distinct { fields: None }, Arc::clone(row));
        };
        let (result, exprs) = self.fields(fields, row, None);
        let verb =
            exprs.map_or(Verb::Unknown, |exprs| Verb::Distinct { fields: Some(exprs.into()) });
        (verb, Arc::new(result))
    }

    /// `top`
    pub(super) fn top_step(&mut self, top: &ast::Top, row: &Arc<RowType>) -> Made {
        let scope = Scope::Row(row);
        let n = self.whole_number(&top.count, "`top`");
        let offset = match &top.offset {
            Some(offset) => self.whole_number(offset, "`offset`"),
            None => Some(0),
        };
        let by = self.order(&top.by, &scope);
        let per = self.expressions(&top.per, &scope);
        let mut complete = true;
        let ties = match top.ties.as_ref().map(|ties| ties.node) {
            None | Some(ast::Ties::Cut) => plan::Ties::Cut,
            Some(ast::Ties::All) => plan::Ties::All,
        };
        let mut result = Arc::clone(row);
        if let Some(rank) = &top.rank {
            match self.added(rank, Some(Type::Int64), rank.span, &result) {
                Some(row) => result = row,
                None => complete = false,
            }
        }
        let verb = match (n, offset, by, per) {
            (Some(n), Some(offset), Some(by), Some(per)) if complete => {
                Verb::Top(plan::Top { n, offset, per, by, ties, rank: top.rank.is_some() })
            }
            _ => Verb::Unknown,
        };
        (verb, result)
    }

    /// The keys of an order; nothing if there is none or one has a fault.
    pub(super) fn order(
        &mut self,
        by: &[ast::OrderBy],
        scope: &Scope<'_>,
    ) -> Option<Vec<plan::SortKey>> {
        let mut keys = Some(Vec::with_capacity(by.len()));
        for key in by {
            let order = match key.direction {
                ast::Direction::Ascending => plan::Order::Ascending,
                ast::Direction::Descending => plan::Order::Descending,
            };
            let typed = self.expression(&key.value, scope, None);
            keys = keys.zip(typed).map(|(mut keys, typed)| {
                keys.push(plan::SortKey { expr: typed.expr, order });
                keys
            });
        }
        keys.filter(|keys| !keys.is_empty())
    }

    /// All of these expressions; nothing if one has a fault.
    pub(super) fn expressions(
        &mut self,
        asts: &[syntax::Expr],
        scope: &Scope<'_>,
    ) -> Option<Vec<Expr>> {
        let typed: Vec<Option<Expr>> = asts
            .iter()
            .map(|ast| self.expression(ast, scope, None).map(|typed| typed.expr))
            .collect();
        typed.into_iter().collect()
    }

    /// The row with one more field; nothing if it has one of the name, which is reported.
    pub(super) fn added(
        &mut self,
        name: &ast::Name,
        ty: Option<Type>,
        computed: Span,
        row: &Arc<RowType>,
    ) -> Option<Arc<RowType>> {
        if let Some(at) = row.position(name.as_str()) {
            let mut fault = Diagnostic::new(
                names::FIELD_CLASH,
                name.span,
                format!("the row has a field `{}` already", name.node),
            );
            if let Some(origin) = row.columns[at].origin {
                fault = fault.secondary(origin.span, "this one");
            }
            self.report.push(fault.help("give the new field another name"));
            return None;
        }
        let mut columns = row.columns.clone();
        let origin = Origin { span: computed, kind: OriginKind::Computed };
        let parts = row.parts_of(ty.as_ref());
        columns.push(Column { parts, ..Column::named(name, ty, Some(origin)) });
        Some(Arc::new(RowType::new(columns, row.open)))
    }

    /// A whole number that is known when the circuit is compiled.
    pub(super) fn whole_number(&mut self, ast: &syntax::Expr, what: &str) -> Option<u64> {
        let nothing = RowType::default();
        if !matches!(ast.kind, syntax::ExprKind::Literal(_) | syntax::ExprKind::Name(_)) {
            if !ast.is_error() {
                self.not_constant(ast.span, what);
            }
            return None;
        }
        if let syntax::ExprKind::Name(name) = &ast.kind
            && !self.params.contains_key(name.as_str())
        {
            self.not_constant(ast.span, what);
            return None;
        }
        let typed = self.expression(ast, &Scope::Row(&nothing), None)?;
        let number = match typed.expr.kind {
            ExprKind::Literal(Value::Int(number)) => u64::try_from(number).ok(),
            _ => None,
        };
        if number.is_none() {
            self.not_constant(ast.span, what);
        }
        number
    }

    /// The nanoseconds of a length of time that is written, or that a parameter has.
    pub(super) fn nanoseconds(&mut self, length: &syntax::Expr, what: &str) -> Option<i64> {
        if let syntax::ExprKind::Name(name) = &length.kind
            && let Some(param) = self.params.get(name.as_str())
        {
            self.used_params.insert(name.clone());
            if let Some(notes) = &mut self.notes {
                notes.name(length.span, param.span);
            }
        }
        nanoseconds(length, (what, ""), self.params, self.report)
    }

    fn not_constant(&mut self, span: Span, what: &str) {
        self.report.push(
            Diagnostic::new(
                names::CONSTANT,
                span,
                format!("{what} wants a whole number from 0 on, found `{}`", self.text(span)),
            )
            .help("write the number, or the name of a parameter of the circuit"),
        );
    }

    /// Whether a branch holds a word that is `else` elsewhere, or nearly; it is reported then.
    fn is_misspelt_else(&mut self, condition: &syntax::Expr, row: &RowType) -> bool {
        let syntax::ExprKind::Name(name) = &condition.kind else { return false };
        let is_known = row.position(name).is_some() || self.params.contains_key(name.as_str());
        let words = ["els", "esle", "elese", "otherwise", "default", "rest", "others"];
        if is_known || !words.contains(&name.as_str()) {
            return false;
        }
        let message =
            format!("no field is called `{name}`, and the label of all other rows is `else`");
        self.report.push(
            Diagnostic::new(names::UNKNOWN_FIELD, condition.span, message)
                .help("write `else`")
                .fix(condition.span, "else", "write `else`"),
        );
        true
    }

    /// `route`
    pub(super) fn route_step(&mut self, branches: &[ast::Branch], row: &Arc<RowType>) -> Made {
        let mut conditions = Vec::with_capacity(branches.len());
        let mut complete = true;
        let mut rest: Option<Span> = None;
        for branch in branches {
            match &branch.condition {
                ast::BranchCondition::When(condition) => {
                    if self.is_misspelt_else(condition, row) {
                        rest = Some(condition.span);
                        complete = false;
                        continue;
                    }
                    if let Some(rest) = rest {
                        self.report.push(
                            Diagnostic::new(
                                names::ROUTE_PLACE,
                                branch.label.span,
                                format!("the label `{}` stands after `else`", branch.label.node),
                            )
                            .secondary(rest, "takes all rows that are left")
                            .help("move `else` to the end"),
                        );
                        complete = false;
                    }
                    match self.condition(condition, &Scope::Row(row), "`route`") {
                        Some(condition) => conditions.push(condition),
                        None => complete = false,
                    }
                }
                ast::BranchCondition::Else(span) => {
                    if rest.is_some() {
                        self.report.push(Diagnostic::new(
                            names::ROUTE_PLACE,
                            *span,
                            "a second `else`",
                        ));
                        complete = false;
                    }
                    rest = Some(*span);
                }
            }
        }
        let verb = if complete {
            Verb::Route(plan::Route { conditions, has_rest: rest.is_some() })
        } else {
            Verb::Unknown
        };
        (verb, Arc::clone(row))
    }
}

/// Whether the name is the last part of the value, a bare path.
fn is_named_by_path(field: &ast::NamedExpr) -> bool {
    let (name, value) = (field.name.span, field.value.span);
    value.start <= name.start && name.end <= value.end
}

/// All columns as they are; nothing if one has no type.
pub(super) fn pass_through(row: &RowType) -> Option<Vec<Expr>> {
    if row.open {
        return None;
    }
    row.columns
        .iter()
        .enumerate()
        .map(|(at, column)| column.ty.clone().map(|ty| Expr::column(at, ty)))
        .collect()
}
