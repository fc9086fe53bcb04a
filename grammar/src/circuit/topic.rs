//! `topics:` and `routes:`.

use super::reader::Item;
use super::reader::Reader;
use crate::ast::Discipline;
use crate::ast::Edge;
use crate::ast::Name;
use crate::ast::Queue;
use crate::ast::QueueFull;
use crate::ast::Retain;
use crate::ast::RouteChain;
use crate::ast::Topic;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::expr::Expr;
use crate::expr::ExprKind;
use crate::expr::Literal;
use crate::expression::Source;
use crate::expression::duration;
use crate::name::NameRule;
use crate::name::is_reserved;
use crate::quantity;
use crate::span::Span;
use crate::span::Spanned;
use crate::yaml::NodeId;

pub(crate) const TOPIC_KEYS: &[&str] = &[
    "schema", "carries", "key", "edge", "time", "late", "queue", "retain", "control", "shared",
    "durable", "check",
];

pub(crate) const QUEUE_KEYS: &[&str] = &["max", "full"];
pub(crate) const DISCIPLINES: &[(&str, Discipline)] =
    &[("events", Discipline::Events), ("full", Discipline::Full), ("delta", Discipline::Delta)];
pub(crate) const EDGES: &[(&str, Edge)] =
    &[("in", Edge::In), ("out", Edge::Out), ("both", Edge::Both)];
pub(crate) const QUEUE_FULL: &[(&str, QueueFull)] = &[
    ("block", QueueFull::Block),
    ("reject", QueueFull::Reject),
    ("drop_oldest", QueueFull::DropOldest),
];

impl<'a> Reader<'a> {
    /// `topics:`.
    pub(crate) fn topics(&mut self, id: NodeId) -> Vec<Topic> {
        let items = self.expect_map(id, "a map of topics").unwrap_or_default();
        items.into_iter().map(|item| self.topic(item)).collect()
    }

    fn topic(&mut self, item: Item<'a>) -> Topic {
        let name = self.declared(item, NameRule::Dotted, "topic");
        if is_reserved(item.key) {
            self.report(
                Diagnostic::new(
                    code::yaml::RESERVED_NAME,
                    item.span,
                    format!("the topic `{}` belongs to the bus", item.key),
                )
                .help("names under `system.` may be read, and are not declared"),
            );
        }
        let Some(fields) = self.fields(item.value, "a topic", item.span, TOPIC_KEYS) else {
            return unknown_topic(name, self.span(item.value));
        };
        let schema = self.require(&fields, "schema");
        let schema = schema.map(|schema| self.type_at(schema.value, schema.span, 1));
        let queue = fields.get("queue").and_then(|queue| self.queue(queue));
        let unchecked = fields
            .value("check")
            .and_then(|value| self.word(value, "a kind of check", &[("none", ())]))
            .map(|none| none.span);
        Topic {
            name,
            schema,
            carries: fields.value("carries").and_then(|value| self.discipline(value)),
            key: fields.value("key").and_then(|value| {
                let span = self.span(value);
                let names = self.names(value, NameRule::Identifier, "field")?;
                Some(Spanned::new(names, span))
            }),
            edge: fields.value("edge").and_then(|value| self.word(value, "an edge", EDGES)),
            time: fields
                .value("time")
                .and_then(|value| self.name(value, NameRule::Identifier, "field")),
            late: fields.value("late").and_then(|value| self.length(value)),
            queue,
            retain: fields.value("retain").and_then(|value| self.retain(value)),
            control: fields.value("control").and_then(|value| self.boolean(value)),
            shared: fields.value("shared").and_then(|value| self.boolean(value)),
            durable: fields.value("durable").and_then(|value| self.boolean(value)),
            unchecked,
            span: fields.span,
        }
    }

    fn retain(&mut self, id: NodeId) -> Option<Spanned<Retain>> {
        let what = "a duration, a size or `none`, as in `30d` or `256MiB`";
        if let Some(length) = self.parameter(id) {
            return Some(Spanned::new(Retain::Time(length.clone()), length.span));
        }
        let found = self.quantity(id, what, retained)?;
        let time = |nanos| Expr::new(ExprKind::Literal(Literal::Duration(nanos)), found.span);
        let retain = match found.node {
            Retained::Nanoseconds(0) | Retained::Bytes(0) => {
                let message = "a `retain` of nothing keeps no row, so nobody would see one";
                let fault = Diagnostic::new(code::yaml::QUANTITY, found.span, message.to_owned());
                self.report(fault.help(
                    "say how long or how many bytes, as in `30d` or `256MiB`; without `retain` \
                     rows stay",
                ));
                return None;
            }
            Retained::Nanoseconds(nanos) => Retain::Time(time(nanos)),
            Retained::Bytes(bytes) => Retain::Bytes(bytes),
            Retained::Nothing => Retain::Nothing,
        };
        Some(Spanned::new(retain, found.span))
    }

    /// `events`, `full` or `delta`.
    pub(crate) fn discipline(&mut self, id: NodeId) -> Option<Spanned<Discipline>> {
        self.word(id, "a discipline", DISCIPLINES)
    }

    fn queue(&mut self, item: Item<'a>) -> Option<Queue> {
        let fields = self.fields(item.value, "a queue", item.span, QUEUE_KEYS)?;
        Some(Queue {
            max: fields.value("max").and_then(|value| self.whole(value)),
            full: fields
                .value("full")
                .and_then(|value| self.word(value, "a way to handle a full queue", QUEUE_FULL)),
        })
    }

    /// `routes:`, a list of chains.
    pub(crate) fn routes(&mut self, id: NodeId) -> Vec<RouteChain> {
        let items = match self.list(id) {
            Some(items) => items,
            None if self.scalar(id).is_some() && !self.is_empty(id) => &[id],
            None => {
                self.wrong_shape(id, "a list of routes, each `from -> to`");
                return Vec::new();
            }
        };
        items.iter().filter_map(|item| self.route(*item)).collect()
    }

    fn route(&mut self, id: NodeId) -> Option<RouteChain> {
        self.expect_text(id, "a route, as in `input.audio -> lab.audio`")?;
        self.with_source(id, |source, reader| reader.route_chain(source, id)).flatten()
    }

    fn route_chain(&mut self, source: Source<'_>, id: NodeId) -> Option<RouteChain> {
        let text = source.text;
        let when = text.match_indices("when").map(|(at, _)| at).find(|at| {
            let before = text[..*at].ends_with(char::is_whitespace);
            before && text[at + 4..].starts_with(char::is_whitespace)
        });
        let condition = when.map(|at| {
            let source = Source { start: at + 4, ..source };
            self.parse(source)
        });
        let chain = &text[..when.unwrap_or(text.len())];
        let mut stops = Vec::new();
        let mut start = 0;
        for part in chain.split("->") {
            let lead = part.len() - part.trim_start().len();
            let name = part.trim();
            let span = source.offsets.span(start + lead, start + lead + name.len());
            let leads_on = part.ends_with('-') && chain[start + part.len()..].starts_with("->");
            start += part.len() + 2;
            if name.is_empty() || name.contains(['=', ' ', '>', '<', '-']) {
                self.report(route_fault(span, name, leads_on));
                return None;
            }
            stops.push(self.check_name(NameRule::Dotted, "topic or node", name, span)?);
        }
        let span = source.offsets.span(0, text.trim_end().len());
        if stops.len() < 2 {
            self.report(
                Diagnostic::new(
                    code::yaml::ROUTE_SYNTAX,
                    span,
                    "a route leads from one to another",
                )
                .help("write `from -> to`"),
            );
            return None;
        }
        debug_assert!(self.scalar(id).is_some(), "a route is read from a text");
        Some(RouteChain { stops, condition, span })
    }
}

/// `leads_on` says that an arrow begins where the name ends.
fn route_fault(span: Span, name: &str, leads_on: bool) -> Diagnostic {
    if let Some(fault) = route_habit(span, name, leads_on) {
        return fault;
    }
    let message = if name.is_empty() {
        "the name of a topic or node is missing here".to_owned()
    } else {
        format!("`{name}` is not the name of a topic or node")
    };
    Diagnostic::new(code::yaml::ROUTE_SYNTAX, span, message)
        .help("a route is `from -> to`, with any number of arrows, and may end in `when condition`")
}

/// Words and arrows of other languages in a route, with what they are here.
fn route_habit(span: Span, name: &str, leads_on: bool) -> Option<Diagnostic> {
    let fault = |at: usize, length: usize, message: String, meant: &str| {
        let start = span.start + u32::try_from(at).unwrap_or(u32::MAX);
        let place = Span::new(start, start + u32::try_from(length).unwrap_or(0));
        Diagnostic::new(code::yaml::ROUTE_SYNTAX, place, message)
            .help("a route is `from -> to`, with any number of arrows, and may end in `when condition`")
            .fix(place, meant, format!("write `{meant}`"))
    };
    for (word, meant) in [("if", "when"), ("where", "when"), ("to", "->")] {
        if let Some(at) = name.find(&format!(" {word} ")) {
            let message = format!("`{word}` in a route is written `{meant}`");
            return Some(fault(at + 1, word.len(), message, meant));
        }
    }
    for arrow in ["=>", "~>"] {
        if let Some(at) = name.find(arrow) {
            return Some(fault(at, arrow.len(), format!("`{arrow}` is written `->`"), "->"));
        }
    }
    // The first dashes of a long arrow; its end has parted the names.
    let dashes = name.len() - name.trim_end_matches('-').len();
    let at = name.len() - dashes;
    leads_on.then(|| fault(at, dashes + 2, format!("`{}->` is written `->`", &name[at..]), "->"))
}

/// A topic of which only the name is known. It is there, so that its readers find it.
fn unknown_topic(name: Name, span: Span) -> Topic {
    Topic {
        name,
        schema: None,
        carries: None,
        key: None,
        edge: None,
        time: None,
        late: None,
        queue: None,
        retain: None,
        control: None,
        shared: None,
        durable: None,
        unchecked: None,
        span,
    }
}

/// What `retain:` has written out.
enum Retained {
    Nanoseconds(i64),
    Bytes(u64),
    Nothing,
}

/// `10m`, `256MiB`, `none`.
fn retained(text: &str) -> Option<Retained> {
    if text == "none" {
        return Some(Retained::Nothing);
    }
    let bytes = || quantity::bytes(text).map(Retained::Bytes);
    duration(text).map(Retained::Nanoseconds).or_else(bytes)
}
