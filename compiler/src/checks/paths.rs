//! Ways through the plan: shortest paths, and how they are written.

use std::collections::VecDeque;

use arqon_plan::{FlowStep, Plan, Verb, Vertex, VertexId, WireRef};

/// The shortest way from `start` to the first vertex that `is_end` names, over the wires that
/// `outputs` lets leave each vertex; `start` itself counts only when a way leads back to it.
pub(super) fn shortest<'p, W: Iterator<Item = WireRef<'p>>>(
    n_vertices: usize,
    start: VertexId,
    is_end: impl Fn(VertexId) -> bool,
    outputs: impl Fn(VertexId) -> W,
) -> Option<Vec<WireRef<'p>>> {
    let mut reached_by: Vec<Option<WireRef<'p>>> = vec![None; n_vertices];
    let mut waiting = VecDeque::from([start]);
    while let Some(at) = waiting.pop_front() {
        for wire in outputs(at) {
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
