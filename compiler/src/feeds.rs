//! Who puts rows into a topic: nodes of the flow, and those outside of it.

use arqon_plan::{History, Retain, RetentionRule};
use arqon_types::Discipline;

use crate::resolve::{Resolved, Topic};
use crate::typed::{Input, NodeId, TopicId, TypedNode};
use crate::typing::Flow;

/// Whether clients, other circuits or an operator put rows into the topic, or nobody here does.
pub(crate) fn is_fed_from_outside(resolved: &Resolved<'_>, id: TopicId, n_writers: usize) -> bool {
    let topic = resolved.topic(id);
    let is_shared =
        topic.ast().is_some_and(|ast| ast.shared.as_ref().is_some_and(|shared| shared.node));
    n_writers == 0 || topic.edge.admits() || is_shared
}

/// Whether the topic is a control input: what the flow writes to it comes in an epoch later.
pub(crate) fn is_control(resolved: &Resolved<'_>, id: TopicId) -> bool {
    let control = resolved.topic(id).ast().and_then(|ast| ast.control.as_ref());
    control.is_some_and(|control| control.node)
}

/// Whether rows come in by the topic: from outside, or back from the flow.
pub(crate) fn comes_in(resolved: &Resolved<'_>, id: TopicId, n_writers: usize) -> bool {
    is_control(resolved, id) || is_fed_from_outside(resolved, id, n_writers)
}

/// How a topic lets go of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// So many nanoseconds after their time, by the marks with which they come in.
    Marked(i64),
    /// By what all rows of the topic are.
    Ruled(RetentionRule),
}

/// What the `retain` of a topic says.
pub(crate) fn expiry(resolved: &Resolved<'_>, id: TopicId, n_writers: usize) -> Option<Expiry> {
    let is_judged = n_writers == 0 || is_control(resolved, id);
    match retained(resolved.topic(id)) {
        History::All | History::Nothing => None,
        History::Ruled(RetentionRule::Time { length, .. }) if is_judged => {
            Some(Expiry::Marked(length))
        }
        History::Ruled(rule) => Some(Expiry::Ruled(rule)),
    }
}

/// The `retain` of a topic; all, where there is none.
fn retained(topic: &Topic<'_>) -> History {
    let late = topic.late;
    match (topic.retain, topic.time) {
        (None, _) => History::All,
        (Some(Retain::Nothing), _) => History::Nothing,
        (Some(Retain::Bytes(bytes)), _) => History::Ruled(RetentionRule::Bytes(bytes)),
        (Some(Retain::Nanoseconds(length)), None) => History::Ruled(RetentionRule::Arrival(length)),
        (Some(Retain::Nanoseconds(length)), Some(field)) => {
            History::Ruled(RetentionRule::Time { field, length, late })
        }
    }
}

/// Which of a topic's events are there for subscribers who come later. Of collections, what is
/// retained is what there is.
pub(crate) fn history(resolved: &Resolved<'_>, id: TopicId) -> History {
    let topic = resolved.topic(id);
    match topic.discipline {
        Discipline::Events => retained(topic),
        Discipline::Full | Discipline::Delta => History::All,
    }
}

/// The topics of whose rows somebody sees that they go: the flow, or who subscribes to a
/// collection. What events say is said, so for their subscribers nothing goes.
pub(crate) fn watched(resolved: &Resolved<'_>, flow: &Flow) -> Vec<bool> {
    let emits = |topic: &Topic<'_>| topic.discipline != Discipline::Events && topic.edge.emits();
    let mut watched: Vec<bool> = resolved.topics.iter().map(emits).collect();
    for (input, _) in flow.nodes.iter().flat_map(TypedNode::reads) {
        if let Input::Topic(id) = input {
            watched[id.0] = true;
        }
    }
    watched
}

/// Who writes each topic: the node, and which of its sinks.
pub(crate) type Writers = Vec<Vec<(NodeId, usize)>>;

/// Who writes which topic.
pub(crate) fn writers(resolved: &Resolved<'_>, flow: &Flow) -> Writers {
    let mut writers = vec![Vec::new(); resolved.topics.len()];
    for (node_idx, node) in flow.nodes.iter().enumerate() {
        for (sink_idx, sink) in node.sinks.iter().enumerate() {
            writers[sink.topic.0].push((NodeId(node_idx), sink_idx));
        }
    }
    writers
}
