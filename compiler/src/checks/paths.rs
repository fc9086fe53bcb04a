//! Ways through the plan: shortest paths, and how they are written.

use std::collections::VecDeque;

use arqon_plan::{FlowStep, Plan, Port, Verb, Vertex, VertexId, WireRef};

/// The shortest way from `start` to the first vertex that `is_end` names, over wires that
/// `passes` lets through; `start` itself counts only when a way leads back to it.
pub(super) fn shortest<'p>(
    plan: &'p Plan,
    start: VertexId,
    is_end: impl Fn(VertexId) -> bool,
    passes: impl Fn(&WireRef<'p>) -> bool,
) -> Option<Vec<WireRef<'p>>> {
    let mut reached_by: Vec<Option<WireRef<'p>>> = vec![None; plan.n_vertices()];
    let mut waiting = VecDeque::from([start]);
    while let Some(at) = waiting.pop_front() {
        for wire in plan.outputs(at).filter(&passes) {
            if reached_by[wire.to.index()].is_some() {
                continue;
            }
            reached_by[wire.to.index()] = Some(wire);
            if is_end(wire.to) {
                return Some(way_back(&reached_by, start, wire));
            }
            if wire.to != start {
                waiting.push_back(wire.to);
            }
        }
    }
    None
}

fn way_back<'p>(
    reached_by: &[Option<WireRef<'p>>],
    start: VertexId,
    last: WireRef<'p>,
) -> Vec<WireRef<'p>> {
    let mut way = vec![last];
    let mut at = last.from;
    while at != start {
        let wire = reached_by[at.index()].expect("a vertex on the way was reached by a wire");
        way.push(wire);
        at = wire.from;
    }
    way.reverse();
    way
}

/// Whether rows pass over the wire within their epoch: results of an operator come later, and a
/// control topic speaks an epoch later.
pub(super) fn is_immediate(plan: &Plan, wire: &WireRef<'_>) -> bool {
    let delayed = match plan.vertex(wire.from) {
        Vertex::Topic(topic) => topic.control,
        Vertex::Client(_) => true,
        Vertex::Step(_) | Vertex::Endpoint(_) => false,
    };
    // The rounds of a loop come to their end within the epoch, and go back by one way only.
    !delayed && !matches!(wire.wire.port, Port::Jobs | Port::Results | Port::Next)
}

/// A way as people read it: `a -> t -> b`, nodes by name and without their steps.
pub(super) fn drawn(plan: &Plan, way: &[WireRef<'_>]) -> String {
    let mut names: Vec<&str> = Vec::new();
    let ends = way.first().map(|wire| wire.from).into_iter();
    for id in ends.chain(way.iter().map(|wire| wire.to)) {
        let name = name(plan, id);
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    names.join(" -> ")
}

/// A vertex by the name that stands in the file: of a step, its node, also one within a loop.
pub(super) fn name(plan: &Plan, id: VertexId) -> &str {
    match plan.vertex(id) {
        Vertex::Step(FlowStep { verb: Verb::Arm(_), node, .. }) => node,
        Vertex::Step(step) => {
            let rest = step.address.strip_prefix(&*step.node).unwrap_or("");
            let length =
                if rest.starts_with('.') { rest.find('[').unwrap_or(rest.len()) } else { 0 };
            step.address.get(..step.node.len() + length).unwrap_or(&step.node)
        }
        Vertex::Client(_) | Vertex::Topic(_) | Vertex::Endpoint(_) => plan.label(id),
    }
}
