//! `flow:`: nodes, their sources and sinks. The steps are read in `step`.

use super::reader::Item;
use super::reader::Reader;
use crate::ast::Name;
use crate::ast::Node;
use crate::ast::Port;
use crate::ast::Sink;
use crate::ast::Source;
use crate::ast::Step;
use crate::ast::StepKind;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::name::NameRule;
use crate::span::Span;
use crate::span::Spanned;
use crate::yaml::NodeId;

pub(crate) const NODE_KEYS: &[&str] = &["from", "do", "to", "loop", "out"];

/// A node whose rows nothing is known of. It is there, so that its readers find it.
fn unknown_node(name: Name, span: Span) -> Node {
    let step = Step { verb: span, span, kind: StepKind::Error };
    Node { name, from: None, repeated: None, steps: vec![step], to: None, span }
}

impl<'a> Reader<'a> {
    /// `flow:`.
    pub(crate) fn flow(&mut self, id: NodeId) -> Vec<Node> {
        let items = self.expect_map(id, "a map of nodes").unwrap_or_default();
        items.into_iter().map(|item| self.flow_node(item)).collect()
    }

    pub(crate) fn flow_node(&mut self, item: Item<'a>) -> Node {
        let name = self.declared(item, NameRule::Plain, "node");
        let Some(fields) = self.fields(item.value, "a node", item.span, NODE_KEYS) else {
            return unknown_node(name, self.span(item.value));
        };
        let mut from = None;
        let mut repeated = None;
        if let Some(item) = fields.get("loop") {
            let Some(read) = self.node_loop(item, &fields) else {
                return unknown_node(name, fields.span);
            };
            repeated = Some(Box::new(read));
        } else {
            if let Some(out) = fields.get("out") {
                self.report(Diagnostic::new(
                    code::yaml::UNKNOWN_KEY,
                    out.span,
                    "`out` belongs to a `loop` only",
                ));
            }
            from = self.require(&fields, "from").and_then(|from| {
                let span = self.span(from.value);
                Some(Spanned::new(self.source(from)?, span))
            });
        }
        let steps = match fields.get("do") {
            Some(steps) => self.steps(steps),
            None => Vec::new(),
        };
        let to = fields.value("to").and_then(|to| {
            let span = self.inner_span(to);
            Some(Spanned::new(self.sink(to)?, span))
        });
        Node { name, from, repeated, steps, to, span: fields.span }
    }

    /// `from:` in all its forms.
    fn source(&mut self, item: Item<'a>) -> Option<Source> {
        let id = item.value;
        if let Some(ports) = self.map(id) {
            if ports.is_empty() {
                self.empty(item.span, "`from` names no port");
                return None;
            }
            let ports = ports.into_iter().filter_map(|port| {
                let name = self.declared(port, NameRule::Plain, "port");
                let sources = self.references(port.value, port.span)?;
                Some(Port { name, sources })
            });
            return Some(Source::Ports(ports.collect()));
        }
        if self.list(id).is_some() {
            return self.references(id, item.span).map(Source::Union);
        }
        self.reference(id).map(Source::One)
    }

    /// One reference or a list of them.
    pub(crate) fn references(&mut self, id: NodeId, owner: Span) -> Option<Vec<Name>> {
        let Some(items) = self.list(id) else { return Some(vec![self.reference(id)?]) };
        if items.is_empty() {
            self.empty(owner, "a union of nothing");
            return None;
        }
        let mut names: Vec<Name> = Vec::with_capacity(items.len());
        for item in items {
            names.extend(self.reference(*item));
        }
        // One fault hides the whole union: its type would be that of the rest only.
        (names.len() == items.len()).then_some(names)
    }

    /// A topic, a node or `node.label`.
    pub(crate) fn reference(&mut self, id: NodeId) -> Option<Name> {
        if self.is_foreign_reference(id) {
            return None;
        }
        self.name(id, NameRule::Dotted, "topic or node")
    }

    fn sink(&mut self, id: NodeId) -> Option<Sink> {
        let Some(labels) = self.map(id) else {
            return self.name(id, NameRule::Dotted, "topic").map(Sink::Topic);
        };
        let labels = labels.into_iter().filter_map(|item| {
            let label = self.key_name(item, NameRule::Plain, "label")?;
            Some((label, self.name(item.value, NameRule::Dotted, "topic")?))
        });
        Some(Sink::Labels(labels.collect()))
    }

    /// Reports an empty list or map.
    pub(crate) fn empty(&mut self, span: Span, message: &str) {
        self.report(Diagnostic::new(code::yaml::EMPTY, span, message));
    }
}
