//! The plain truth about ways through a plan: what one wire may join, said anew, and a search for
//! a way by trying every wire. Slow, and without a line of the compiler's.

use std::collections::BTreeSet;

use arqon_plan::{Plan, Port, TopicOrigin, Verb, Vertex, VertexId, WireRef};

/// Whether a wire may stand in a circuit, whoever else writes where it ends.
pub(crate) fn is_lawful(plan: &Plan, wire: &WireRef<'_>) -> bool {
    match (plan.vertex(wire.from), plan.vertex(wire.to)) {
        (Vertex::Client(_), Vertex::Topic(topic)) => {
            topic.edge.admits() || matches!(topic.origin, TopicOrigin::Jobs { .. })
        }
        (Vertex::Topic(topic), Vertex::Client(_)) => {
            topic.edge.emits()
                || matches!(
                    topic.origin,
                    TopicOrigin::Results { .. }
                        | TopicOrigin::Errors { .. }
                        | TopicOrigin::Late { .. }
                )
        }
        (Vertex::Topic(topic), Vertex::Endpoint(endpoint)) => {
            endpoint.declared
                && topic.origin == TopicOrigin::Jobs { operator: endpoint.name.clone() }
        }
        (Vertex::Endpoint(endpoint), Vertex::Topic(topic)) => {
            endpoint.declared
                && topic.origin == TopicOrigin::Results { operator: endpoint.name.clone() }
        }
        (Vertex::Client(_) | Vertex::Endpoint(_), _)
        | (_, Vertex::Client(_) | Vertex::Endpoint(_)) => false,
        (Vertex::Topic(_) | Vertex::Step(_), Vertex::Topic(_) | Vertex::Step(_)) => true,
    }
}

/// Who writes a topic that only one may write, if they are several.
pub(crate) fn quarrel<'p>(plan: &'p Plan, topic: VertexId) -> Vec<WireRef<'p>> {
    let Vertex::Topic(about) = plan.vertex(topic) else { return Vec::new() };
    if about.shared || matches!(about.origin, TopicOrigin::Jobs { .. }) {
        return Vec::new();
    }
    let is_own = |wire: &WireRef<'_>| match &about.origin {
        TopicOrigin::Errors { .. } => wire.wire.port == Port::Errors,
        TopicOrigin::Late { .. } => {
            matches!(plan.vertex(wire.from), Vertex::Step(step) if matches!(step.verb, Verb::Late(_)))
        }
        TopicOrigin::Declared | TopicOrigin::Jobs { .. } | TopicOrigin::Results { .. } => false,
    };
    let wires: Vec<WireRef<'p>> =
        plan.wires().filter(|wire| wire.to == topic && !is_own(wire)).collect();
    let writers: BTreeSet<String> = wires.iter().map(|wire| writer(plan, wire.from)).collect();
    let is_made = matches!(about.origin, TopicOrigin::Errors { .. } | TopicOrigin::Late { .. });
    if writers.len() < 2 && !is_made {
        return Vec::new();
    }
    wires
}

fn writer(plan: &Plan, id: VertexId) -> String {
    match plan.vertex(id) {
        Vertex::Step(step) => format!("node {}", step.node),
        Vertex::Client(_) => "clients".to_owned(),
        Vertex::Topic(_) | Vertex::Endpoint(_) => plan.label(id).to_owned(),
    }
}

/// A way through the plan whose vertices are called `names`, one after the other; the steps of a
/// node share its name. Tries every wire at every vertex.
pub(crate) fn find_way<'p>(plan: &'p Plan, names: &[&str]) -> Vec<Vec<WireRef<'p>>> {
    let mut ways = Vec::new();
    for (start, _) in plan.vertices().filter(|(id, _)| is_called(plan, *id, names[0])) {
        go_on(plan, start, names, &mut Vec::new(), &mut ways);
    }
    ways
}

fn go_on<'p>(
    plan: &'p Plan,
    at: VertexId,
    names: &[&str],
    taken: &mut Vec<WireRef<'p>>,
    ways: &mut Vec<Vec<WireRef<'p>>>,
) {
    if names.len() == 1 && !taken.is_empty() {
        ways.push(taken.clone());
    }
    for wire in plan.wires().filter(|wire| wire.from == at) {
        let is_same = |before: &WireRef<'_>| std::ptr::eq(before.wire, wire.wire);
        if taken.iter().any(is_same) {
            continue;
        }
        taken.push(wire);
        if is_called(plan, wire.to, names[0]) {
            go_on(plan, wire.to, names, taken, ways);
        }
        if names.len() > 1 && is_called(plan, wire.to, names[1]) {
            go_on(plan, wire.to, &names[1..], taken, ways);
        }
        taken.pop();
    }
}

fn is_called(plan: &Plan, id: VertexId, name: &str) -> bool {
    match plan.vertex(id) {
        Vertex::Step(step) => {
            let rest = step.address.strip_prefix(name);
            *step.node == *name || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
        }
        Vertex::Client(client) => client.role.as_deref().unwrap_or("clients") == name,
        Vertex::Topic(topic) => topic.name.as_str() == name,
        Vertex::Endpoint(endpoint) => endpoint.name == name,
    }
}
