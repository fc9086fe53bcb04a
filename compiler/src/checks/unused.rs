//! What is declared and leads nowhere (W02xx), and operators without limits (W0501).

use arqon_grammar::Diagnostic;
use arqon_grammar::code::warnings;
use arqon_plan::{
    DeclarationKind, FlowNode, FlowStep, Plan, Topic, TopicOrigin, Verb, Vertex, VertexId,
};

use super::access::{is_of_clients, is_relayed};
use super::paths::name;
use super::span;

pub(super) fn check(plan: &Plan) -> Vec<Diagnostic> {
    let mut found = declarations(plan);
    found.extend(plan.topics().filter_map(|(id, topic)| idle_topic(plan, id, topic)));
    found.extend(unread_nodes(plan));
    found.extend(plan.steps().filter_map(|(id, step)| idle_in_loop(plan, id, step)));
    for (_, endpoint) in plan.endpoints().filter(|(_, it)| it.declared && !it.limited) {
        found.push(
            Diagnostic::new(
                warnings::NO_LIMITS,
                span(endpoint.range),
                format!("operator `{}` has no `limits`", endpoint.name),
            )
            .help("say what it may cost, as in `limits: { parallel: 1, runs: 100/h }`"),
        );
    }
    found
}

fn declarations(plan: &Plan) -> Vec<Diagnostic> {
    let unused = plan.declarations.iter().filter(|declaration| !declaration.used);
    unused
        .map(|declaration| {
            let (code, what) = match declaration.kind {
                DeclarationKind::Schema => (warnings::UNUSED_SCHEMA, "uses schema"),
                DeclarationKind::Function => (warnings::UNUSED_FUNCTION, "calls function"),
                DeclarationKind::Param => (warnings::UNUSED_PARAM, "reads parameter"),
            };
            let message = format!("nothing {what} `{}`", declaration.name);
            Diagnostic::new(code, span(declaration.range), message)
        })
        .collect()
}

fn idle_topic(plan: &Plan, id: VertexId, topic: &Topic) -> Option<Diagnostic> {
    if topic.origin != TopicOrigin::Declared || topic.control || is_relayed(topic) {
        return None;
    }
    let inside = |port| !is_of_clients(port);
    let is_written =
        topic.edge.admits() || topic.shared || plan.inputs(id).any(|it| inside(&it.wire.port));
    let is_read = topic.edge.emits() || plan.outputs(id).any(|it| inside(&it.wire.port));
    let message = match (is_written, is_read) {
        (true, true) => return None,
        (true, false) => format!("nothing reads topic `{}`", topic.name),
        (false, true) => format!("nothing writes topic `{}`", topic.name),
        (false, false) => format!("nothing reads or writes topic `{}`", topic.name),
    };
    Some(Diagnostic::new(warnings::UNUSED_TOPIC, span(topic.ranges.name), message))
}

/// Where the node's name stands: the reading of its inputs, or the end of its loop.
fn named(plan: &Plan, node: &FlowNode<'_>) -> Option<VertexId> {
    let is_named = |id: &VertexId| plan.label(*id) == node.name;
    node.steps.iter().copied().find(is_named).or_else(|| node.steps.first().copied())
}

/// A variable or node of a loop that leads nowhere.
fn idle_in_loop(plan: &Plan, id: VertexId, step: &FlowStep) -> Option<Diagnostic> {
    let name = name(plan, id);
    let own = name.strip_prefix(&*step.node)?.strip_prefix('.')?;
    let is_output = matches!(step.verb, Verb::Arm(_) | Verb::Route(_) | Verb::Late(_));
    if is_output || plan.outputs(id).next().is_some() {
        return None;
    }
    let (_, first) = plan.steps().find(|(_, first)| *first.address == *name)?;
    let message = format!("nobody reads `{own}` of the loop of node `{}`", step.node);
    Some(
        Diagnostic::new(warnings::UNREAD_NODE, span(first.range), message)
            .help("let a variable's `next` read it, or leave it away"),
    )
}

/// Nodes none of whose rows go anywhere. A route some of whose labels are read is meant so.
fn unread_nodes(plan: &Plan) -> Vec<Diagnostic> {
    let leads_on = |id: &VertexId, node: &str| {
        plan.outputs(*id).any(|wire| match plan.vertex(wire.to) {
            Vertex::Step(step) => *step.node != *node,
            Vertex::Topic(topic) => !matches!(
                topic.origin,
                TopicOrigin::Errors { .. } | TopicOrigin::Late { .. } | TopicOrigin::Jobs { .. }
            ),
            Vertex::Client(_) | Vertex::Endpoint(_) => true,
        })
    };
    // A node that ends in a call does its work at the operator.
    let calls = |id: &VertexId| match plan.vertex(*id) {
        Vertex::Step(step) => matches!(step.verb, Verb::Call(_)),
        Vertex::Client(_) | Vertex::Topic(_) | Vertex::Endpoint(_) => false,
    };
    plan.nodes()
        .into_iter()
        .filter(|node| !node.steps.iter().any(|id| leads_on(id, node.name) || calls(id)))
        .filter_map(|node| match plan.vertex(named(plan, &node)?) {
            Vertex::Step(step) => Some(
                Diagnostic::new(
                    warnings::UNREAD_NODE,
                    span(step.range),
                    format!("nobody reads node `{}`, and it writes no topic", node.name),
                )
                .help("let it write a topic with `to:`, or leave it away"),
            ),
            Vertex::Client(_) | Vertex::Topic(_) | Vertex::Endpoint(_) => None,
        })
        .collect()
}
