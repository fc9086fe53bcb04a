//! Who puts rows into a topic: nodes of the flow, and those outside of it.

use arqon_grammar::ast;

use crate::resolve::Resolved;
use crate::typed::{NodeId, TopicId};
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

/// How long the flow sees a row of a topic, by event time, in nanoseconds: the `retain` of a topic
/// with a `time` to which only clients and files bring rows.
pub(crate) fn expiry(resolved: &Resolved<'_>, id: TopicId, is_written: bool) -> Option<i64> {
    let topic = resolved.topic(id);
    let retain = topic.ast()?.retain.as_ref()?;
    let length = match retain.node {
        ast::Retain::Nanoseconds(length) => length,
        ast::Retain::Bytes(_) | ast::Retain::Nothing => return None,
    };
    (topic.time.is_some() && !is_written && 0 < length).then_some(length)
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
