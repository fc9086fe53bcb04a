//! Topics: schema, discipline, key and event time; those that come with an operator, too.

use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_grammar::code::yaml;
use arqon_plan::Retain;
use arqon_types::{Discipline, Edge, Schema, TopicName, Type};

use super::constants::{Params, nanoseconds};
use super::schemas::{Schemas, topic_row};
use crate::report::Report;
use crate::row_type::RowType;
use crate::typed::OperatorId;

/// A topic whose names are all known.
#[derive(Debug)]
pub(crate) struct Topic<'a> {
    /// Its name.
    pub(crate) name: TopicName,
    /// Where it is named first.
    pub(crate) span: Span,
    /// The name of its schema.
    pub(crate) schema_name: String,
    /// What a row is.
    pub(crate) row: Arc<RowType>,
    /// What a message is.
    pub(crate) discipline: Discipline,
    /// Positions of the key's fields.
    pub(crate) key: Vec<usize>,
    /// Position of the event-time field.
    pub(crate) time: Option<usize>,
    /// How many nanoseconds its rows may come late.
    pub(crate) late: i64,
    /// What it keeps of its rows; all, where it does not say.
    pub(crate) retain: Option<Retain>,
    /// Who may touch it from outside.
    pub(crate) edge: Edge,
    /// Where it comes from.
    pub(crate) origin: TopicOrigin<'a>,
}

/// What `retain` says, with the parameter put in that it may name.
fn retained(retain: &ast::Retain, params: &Params<'_>, report: &mut Report) -> Option<Retain> {
    match retain {
        ast::Retain::Nothing => Some(Retain::Nothing),
        ast::Retain::Bytes(bytes) => Some(Retain::Bytes(*bytes)),
        ast::Retain::Time(length) => {
            let nanos = nanoseconds(length, ("`retain`", "a size, `none`, "), params, report)?;
            if nanos == 0 {
                let message = "a `retain` of nothing keeps no row, so nobody would see one";
                let fault = Diagnostic::new(yaml::QUANTITY, length.span, message);
                report.push(fault.help("say how long, as in `30d`; without `retain` rows stay"));
                return None;
            }
            Some(Retain::Nanoseconds(nanos))
        }
    }
}

/// Where a topic comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TopicOrigin<'a> {
    /// `topics:`.
    Declared(&'a ast::Topic),
    /// An operator's jobs.
    Jobs(OperatorId),
    /// An operator's results.
    Results(OperatorId),
}

impl Topic<'_> {
    /// Its rows, if all of their fields are known.
    pub(crate) fn schema(&self) -> Option<Schema> {
        let schema = Schema::new(self.schema_name.clone(), self.row.fields()?);
        Some(schema.with_units(self.row.units.clone()))
    }

    /// As written, unless it comes with an operator.
    pub(crate) fn ast(&self) -> Option<&ast::Topic> {
        match self.origin {
            TopicOrigin::Declared(ast) => Some(ast),
            TopicOrigin::Jobs(_) | TopicOrigin::Results(_) => None,
        }
    }
}

/// A topic as declared; none if its name is no topic's name, which the reader has reported.
pub(crate) fn declared_topic<'a>(
    topic: &'a ast::Topic,
    schemas: &Schemas<'_>,
    params: &Params<'_>,
    report: &mut Report,
) -> Option<Topic<'a>> {
    // A name against the rule has been reported; those who meant the right one find the topic.
    let mended = || topic.name.node.to_ascii_lowercase().replace(['-', ' '], "_");
    let parsed = TopicName::parse(topic.name.as_str());
    let name = parsed.or_else(|_| TopicName::parse(&mended())).ok()?;
    let (schema_name, row) = topic_row(topic, schemas, report);
    let mut key = Vec::new();
    for field in topic.key.iter().flat_map(|key| &key.node) {
        let Some(position) = topic_field(topic, &row, field, "key", report) else { continue };
        if key.contains(&position) {
            let message = format!("`{}` stands twice in one key", field.node);
            let fault = Diagnostic::new(yaml::DUPLICATE_KEY, field.span, message);
            report.push(fault.help("leave the second one out"));
        } else {
            key.push(position);
        }
    }
    let time = topic.time.as_ref().and_then(|field| {
        let position = topic_field(topic, &row, field, "time", report)?;
        let column = &row.columns[position];
        if let Some(ty) = column.ty.as_ref().filter(|ty| **ty != Type::Timestamp) {
            let mut fault = Diagnostic::new(
                names::WRONG_TYPE,
                field.span,
                format!("`time` of topic `{}` wants a timestamp, found `{ty}`", topic.name.node),
            );
            if let Some(origin) = column.origin {
                fault = fault.secondary(origin.span, format!("`{}` is declared here", field.node));
            }
            report.push(fault);
            return None;
        }
        Some(position)
    });
    Some(Topic {
        name,
        span: topic.name.span,
        schema_name,
        row,
        discipline: topic.carries.as_ref().map_or(Discipline::Events, |it| discipline(it.node)),
        key,
        time,
        late: topic
            .late
            .as_ref()
            .and_then(|late| nanoseconds(late, ("`late`", ""), params, report))
            .unwrap_or(0),
        retain: topic.retain.as_ref().and_then(|retain| retained(&retain.node, params, report)),
        edge: topic.edge.as_ref().map_or(Edge::None, |edge| match edge.node {
            ast::Edge::In => Edge::In,
            ast::Edge::Out => Edge::Out,
            ast::Edge::Both => Edge::Both,
        }),
        origin: TopicOrigin::Declared(topic),
    })
}

/// The syntax tree's discipline in the words of the types.
pub(crate) fn discipline(written: ast::Discipline) -> Discipline {
    match written {
        ast::Discipline::Events => Discipline::Events,
        ast::Discipline::Full => Discipline::Full,
        ast::Discipline::Delta => Discipline::Delta,
    }
}

fn topic_field(
    topic: &ast::Topic,
    row: &RowType,
    field: &ast::Name,
    what: &str,
    report: &mut Report,
) -> Option<usize> {
    let position = row.position(field.as_str());
    if position.is_none() && !row.open {
        report.unknown(
            names::UNKNOWN_FIELD,
            field.span,
            format!("`{what}` of topic `{}` names unknown field `{}`", topic.name.node, field.node),
            field.as_str(),
            row.names(),
        );
    }
    position
}
