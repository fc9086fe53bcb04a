//! `to:`: the rows of a node against the schema of the topic.

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::Spanned;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_operators::Expr;
use arqon_types::{ElementType, Type};

use super::typer::Typer;
use crate::resolve::{Resolved, Topic};
use crate::row_type::RowType;
use crate::typed::{OperatorId, TypedSink};

impl Typer<'_> {
    /// The sinks of a node with these labels, whose rows are `row`.
    pub(super) fn sinks(
        &mut self,
        node: &ast::Node,
        labels: &[ast::Name],
        row: &RowType,
        resolved: &Resolved<'_>,
    ) -> (Vec<TypedSink>, Vec<(OperatorId, Span)>) {
        let mut bypasses = Vec::new();
        let Some(to) = &node.to else { return (Vec::new(), bypasses) };
        let writer = format!("node `{}`", node.name.node);
        match &to.node {
            ast::Sink::Topic(name) => {
                if let Some(operator) = bypassed(name, resolved) {
                    bypasses.push((operator, name.span));
                    return (Vec::new(), bypasses);
                }
                let topic = resolved.written_topic(name, &format!("{writer} writes"), self.report);
                if !labels.is_empty() {
                    let written: Vec<String> =
                        labels.iter().map(|label| format!("{}: …", label.node)).collect();
                    self.report.push(
                        Diagnostic::new(
                            names::ROUTE_PLACE,
                            name.span,
                            format!("{writer} ends in a `route`, so each label goes its own way"),
                        )
                        .help(format!("write `to: {{ {} }}`", written.join(", "))),
                    );
                    return (Vec::new(), bypasses);
                }
                let sink = topic.and_then(|topic| {
                    let fields = self.fit(&writer, row, resolved.topic(topic), name.span)?;
                    Some(TypedSink { topic, label: None, fields: fields.0, span: name.span })
                });
                (sink.into_iter().collect(), bypasses)
            }
            ast::Sink::Labels(entries) => {
                let mut sinks = Vec::new();
                for (label, name) in entries {
                    if let Some(operator) = bypassed(name, resolved) {
                        bypasses.push((operator, name.span));
                        continue;
                    }
                    let topic =
                        resolved.written_topic(name, &format!("{writer} writes"), self.report);
                    let at = labels.iter().position(|known| known.node == label.node);
                    if at.is_none() {
                        self.no_label(node, labels, label);
                    }
                    if let (Some(topic), Some(at)) = (topic, at)
                        && let Some(fields) =
                            self.fit(&writer, row, resolved.topic(topic), name.span)
                    {
                        let label = Some(at);
                        sinks.push(TypedSink { topic, label, fields: fields.0, span: name.span });
                    }
                }
                (sinks, bypasses)
            }
        }
    }

    fn no_label(&mut self, node: &ast::Node, labels: &[ast::Name], label: &ast::Name) {
        // A step that could not be read may have been the `route`, and one in the wrong place has
        // been told of.
        let may_be_route =
            |step: &ast::Step| matches!(step.kind, ast::StepKind::Error | ast::StepKind::Route(_));
        if labels.is_empty() && node.steps.iter().any(may_be_route) {
            return;
        }
        if labels.is_empty() {
            self.report.push(
                Diagnostic::new(
                    names::ROUTE_PLACE,
                    label.span,
                    format!(
                        "node `{}` has no labels, since it does not end in a `route`",
                        node.name.node
                    ),
                )
                .help("name the topic alone, `to: topic`"),
            );
            return;
        }
        self.report.unknown(
            names::UNKNOWN_LABEL,
            label.span,
            format!("the `route` of node `{}` has no label `{}`", node.name.node, label.node),
            label.as_str(),
            labels.iter().map(Spanned::as_str),
        );
    }

    /// What the topic's fields are over `row`; nothing if they do not fit, which is reported.
    pub(super) fn fit(
        &mut self,
        writer: &str,
        row: &RowType,
        topic: &Topic<'_>,
        span: Span,
    ) -> Option<Fields> {
        if row.open || topic.row.open {
            return None;
        }
        let mut problems: Vec<Problem> = Vec::new();
        let mut exprs = Vec::with_capacity(topic.row.columns.len());
        let mut is_silent = false;
        for field in &topic.row.columns {
            let Some(at) = row.position(&field.name) else {
                problems.push(Problem {
                    words: format!("`{}` is missing", field.name),
                    place: field.origin.map(|origin| (origin.span, "is missing".to_owned())),
                    other: None,
                });
                continue;
            };
            let column = &row.columns[at];
            let (Some(found), Some(wanted)) = (&column.ty, &field.ty) else {
                is_silent = true;
                continue;
            };
            let expr = Expr::column(at, found.clone());
            if found == wanted {
                exprs.push(expr);
            } else if !found.is_option() && wanted.is_option() && found == wanted.required() {
                let wide = arqon_operators::coerce(expr, wanted)
                    .expect("a value may stand where an option is wanted");
                exprs.push(wide);
            } else if found.may_be(wanted) || !found.is_option() && found.may_be(wanted.required())
            {
                let places = [column.origin, field.origin].map(|it| it.map(|it| it.span));
                self.meet(found, wanted, span, places);
                let shaped = arqon_operators::coerce(expr, wanted)
                    .expect("a tensor may stand where one of its shape is wanted");
                exprs.push(shaped);
            } else {
                problems.push(Problem {
                    words: format!("`{}` is `{found}`, the topic has `{wanted}`", field.name),
                    place: field.origin.map(|origin| (origin.span, format!("`{wanted}` here"))),
                    other: column.origin.map(|origin| (origin.span, format!("`{found}` here"))),
                });
            }
        }
        for column in &row.columns {
            if topic.row.position(&column.name).is_none() {
                problems.push(Problem {
                    words: format!("`{}` is not in the topic", column.name),
                    place: column
                        .origin
                        .map(|origin| (origin.span, "is not in the topic".to_owned())),
                    other: None,
                });
            }
        }
        if problems.is_empty() {
            self.note_same(row, &topic.row);
            return if is_silent { None } else { Some(Fields(in_order(exprs, row))) };
        }
        let mut fault = Diagnostic::new(
            names::SINK_MISMATCH,
            span,
            format!("the rows of {writer} are not those of topic `{}`", topic.name),
        );
        for problem in &problems {
            for (place, words) in problem.place.iter().chain(&problem.other) {
                fault = fault.secondary(*place, words.clone());
            }
            for (place, _) in problem.place.iter().chain(&problem.other) {
                for (param, words) in self.dimension_params(*place) {
                    fault = fault.secondary(param, words);
                }
            }
        }
        let words: Vec<&str> = problems.iter().map(|problem| problem.words.as_str()).collect();
        fault = fault.note(words.join("; "));
        if let Some(help) = conversion(&topic.row, row) {
            fault = fault.help(help);
        }
        self.report.push(fault);
        None
    }
}

/// The operator that `name` means where a topic is wanted.
pub(super) fn bypassed(name: &ast::Name, resolved: &Resolved<'_>) -> Option<OperatorId> {
    if resolved.topic_id(name.as_str()).is_some() || resolved.node_id(name.as_str()).is_some() {
        return None;
    }
    resolved.operator_id(name.as_str())
}

/// The topic's fields over a node's row; `None` inside when they are its columns in order.
pub(super) struct Fields(pub(super) Option<Vec<Expr>>);

struct Problem {
    words: String,
    place: Option<(Span, String)>,
    other: Option<(Span, String)>,
}

/// Nothing, if the expressions are the columns as they stand.
fn in_order(exprs: Vec<Expr>, row: &RowType) -> Option<Vec<Expr>> {
    let is_identity = exprs.len() == row.columns.len()
        && exprs.iter().enumerate().all(
            |(at, expr)| matches!(expr.kind, arqon_operators::ExprKind::Column(from) if from == at),
        );
    if is_identity { None } else { Some(exprs) }
}

/// How to go on when the only fault is an option, or a field under another name.
fn conversion(topic: &RowType, row: &RowType) -> Option<String> {
    let missing: Vec<&crate::row_type::Column> =
        topic.columns.iter().filter(|field| row.position(&field.name).is_none()).collect();
    let extra: Vec<&crate::row_type::Column> =
        row.columns.iter().filter(|column| topic.position(&column.name).is_none()).collect();
    if let ([missing], [extra]) = (missing.as_slice(), extra.as_slice())
        && missing.ty == extra.ty
    {
        return Some(format!("name `{}` `{}`", extra.name, missing.name));
    }
    let optional = topic.columns.iter().find_map(|field| {
        let column = &row.columns[row.position(&field.name)?];
        let (found, wanted) = (column.ty.as_ref()?, field.ty.as_ref()?);
        let is_unwanted = found.is_option() && found.required() == wanted;
        is_unwanted.then(|| format!("give the value for `none`: `{} // …`", field.name))
    });
    let shape = topic.columns.iter().find_map(|field| {
        let column = &row.columns[row.position(&field.name)?];
        match (column.ty.as_ref()?.required(), field.ty.as_ref()?.required()) {
            (Type::Tensor(found), Type::Tensor(wanted)) if found.element == wanted.element => {
                Some("give both the same dimensions; `_` takes any")
            }
            (Type::Tensor(_), Type::Tensor(wanted)) => match wanted.element {
                ElementType::F32 => Some("convert the elements: cast(x, \"f32\")"),
                ElementType::F64 => Some("convert the elements: cast(x, \"f64\")"),
                ElementType::I64 => Some("convert the elements: cast(x, \"i64\")"),
                ElementType::U8 => Some("convert the elements: cast(x, \"u8\")"),
                ElementType::Bool => None,
            },
            _ => None,
        }
    });
    let converted = topic.columns.iter().find_map(|field| {
        let column = &row.columns[row.position(&field.name)?];
        let (found, wanted) = (column.ty.as_ref()?, field.ty.as_ref()?);
        let is_fit = found == wanted || !found.is_option() && found == wanted.required();
        let call = arqon_operators::converted(&field.name, found, wanted).filter(|_| !is_fit)?;
        Some(format!("make it of the topic's type: `{call}`"))
    });
    let shape = shape.map(str::to_owned);
    optional.or(shape).or(converted).or_else(|| {
        let names: Vec<&str> = topic.columns.iter().map(|field| &*field.name).collect();
        let is_scalar =
            |column: &crate::row_type::Column| !matches!(column.ty, Some(Type::Struct(_)));
        let known = names.iter().all(|name| row.position(name).is_some());
        (known && row.columns.iter().any(is_scalar))
            .then(|| format!("end with `select: [{}]`", names.join(", ")))
            .filter(|_| !extra.is_empty())
    })
}
