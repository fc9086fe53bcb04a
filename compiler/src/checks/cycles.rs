//! Cycles: data goes one way, except through a topic with `control: true` (E0304).

use std::collections::{BTreeMap, BTreeSet};

use arqon_grammar::ast;
use arqon_grammar::code::discipline;
use arqon_grammar::{Diagnostic, Span};
use arqon_plan::{FlowStep, Plan, Port, TopicOrigin, Verb, Vertex, VertexId, WireRef};

use super::paths::{drawn, name, shortest};
use super::span;

/// One diagnostic per cycle; cycles that share a vertex are reported one after another, as the
/// first is mended.
pub(super) fn check(plan: &Plan) -> Vec<Diagnostic> {
    let wires = Wires::new(plan);
    let mut found = Vec::new();
    let mut left: Vec<bool> = vec![true; plan.n_vertices()];
    while found.len() < CYCLES_MAX {
        wires.trim(&mut left);
        // A drawing that begins at a node reads best.
        let mut steps = plan.steps().map(|(id, _)| id);
        let mut others = plan.vertices().map(|(id, _)| id);
        let is_left = |id: &VertexId| left[id.index()];
        let Some(start) = steps.find(is_left).or_else(|| others.find(is_left)) else { break };
        let outputs = |at: VertexId| {
            wires.outputs[at.index()].iter().copied().filter(move |it| is_left(&it.to))
        };
        match shortest(plan.n_vertices(), start, |id| id == start, outputs) {
            Some(way) => {
                for wire in &way {
                    left[wire.to.index()] = false;
                }
                found.push(report(plan, &way));
            }
            // Between two cycles, on neither.
            None => left[start.index()] = false,
        }
    }
    found
}

/// The wires over which rows pass within their epoch, by the vertex at each of their ends.
struct Wires<'p> {
    outputs: Vec<Vec<WireRef<'p>>>,
    inputs: Vec<Vec<WireRef<'p>>>,
}

impl<'p> Wires<'p> {
    fn new(plan: &'p Plan) -> Self {
        let ends: BTreeMap<usize, VertexId> = plan
            .steps()
            .filter_map(|(id, step)| match step.verb {
                Verb::Leave { of } => Some((of, id)),
                _ => None,
            })
            .collect();
        let n_vertices = plan.n_vertices();
        let mut wires =
            Self { outputs: vec![Vec::new(); n_vertices], inputs: vec![Vec::new(); n_vertices] };
        for wire in plan.wires().filter(|wire| is_immediate(plan, wire)) {
            // The rounds of a loop come to their end within the epoch: what a variable is in the
            // next round goes on to the end of the loop, and back by no other way.
            let to = match (&wire.wire.port, plan.vertex(wire.to)) {
                (Port::Next, Vertex::Step(FlowStep { verb: Verb::Variable(variable), .. })) => {
                    ends.get(&variable.of).copied().unwrap_or(wire.to)
                }
                _ => wire.to,
            };
            wires.add(WireRef { to, ..wire });
        }
        wires.close_loops(plan);
        wires.close_late(plan);
        wires
    }

    fn add(&mut self, wire: WireRef<'p>) {
        self.outputs[wire.from.index()].push(wire);
        self.inputs[wire.to.index()].push(wire);
    }

    /// What came too late for a node is there when the node is: a node is computed as a whole.
    fn close_late(&mut self, plan: &'p Plan) {
        let mut late: BTreeMap<&str, Vec<VertexId>> = BTreeMap::new();
        for (id, step) in plan.steps() {
            if matches!(step.verb, Verb::Late(_)) {
                late.entry(&step.node).or_default().push(id);
            }
        }
        if late.is_empty() {
            return;
        }
        for (id, step) in plan.steps() {
            let Some(late) = late.get(&*step.node) else { continue };
            let is_own = |wire: WireRef<'_>| match plan.vertex(wire.to) {
                Vertex::Step(next) => next.node == step.node,
                _ => false,
            };
            if late.contains(&id) || plan.outputs(id).any(is_own) {
                continue;
            }
            for to in late {
                if let Some(last) = plan.inputs(*to).last() {
                    self.add(WireRef { from: id, to: *to, wire: last.wire });
                }
            }
        }
    }

    /// What nobody reads within a loop belongs to it all the same: a loop is computed as a whole.
    fn close_loops(&mut self, plan: &'p Plan) {
        let ends: BTreeMap<&str, VertexId> = plan
            .steps()
            .filter(|(_, step)| {
                matches!(step.verb, Verb::Leave { .. }) && step.address == step.node
            })
            .map(|(id, step)| (&*step.node, id))
            .collect();
        for (id, step) in plan.steps() {
            let rest = step.address.strip_prefix(&*step.node);
            let is_local = rest.is_some_and(|rest| rest.starts_with('.'))
                && !matches!(step.verb, Verb::Late(_) | Verb::Arm(_));
            let is_step = |wire: WireRef<'_>| matches!(plan.vertex(wire.to), Vertex::Step(_));
            if !is_local || plan.outputs(id).any(is_step) {
                continue;
            }
            if let (Some(end), Some(last)) = (ends.get(&*step.node), plan.inputs(id).last()) {
                self.add(WireRef { from: id, to: *end, wire: last.wire });
            }
        }
    }

    /// Takes away what lies on no cycle: vertices that nothing left leads to, or that lead to
    /// nothing left, again and again.
    fn trim(&self, left: &mut [bool]) {
        let count = |wires: &[WireRef<'_>], left: &[bool]| {
            let is_left = |wire: &&WireRef<'_>| left[wire.from.index()] && left[wire.to.index()];
            wires.iter().filter(is_left).count()
        };
        let mut n_out: Vec<usize> = self.outputs.iter().map(|wires| count(wires, left)).collect();
        let mut n_in: Vec<usize> = self.inputs.iter().map(|wires| count(wires, left)).collect();
        let mut free: Vec<usize> =
            (0..left.len()).filter(|id| left[*id] && (n_in[*id] == 0 || n_out[*id] == 0)).collect();
        while let Some(id) = free.pop() {
            if !std::mem::replace(&mut left[id], false) {
                continue;
            }
            for to in self.outputs[id].iter().map(|wire| wire.to.index()) {
                n_in[to] = n_in[to].saturating_sub(1);
                if n_in[to] == 0 && left[to] {
                    free.push(to);
                }
            }
            for from in self.inputs[id].iter().map(|wire| wire.from.index()) {
                n_out[from] = n_out[from].saturating_sub(1);
                if n_out[from] == 0 && left[from] {
                    free.push(from);
                }
            }
        }
    }
}

/// Whether rows pass over the wire within their epoch: results of an operator come later, and a
/// control topic speaks an epoch later.
fn is_immediate(plan: &Plan, wire: &WireRef<'_>) -> bool {
    let delayed = match plan.vertex(wire.from) {
        Vertex::Topic(topic) => topic.control,
        Vertex::Client(_) => true,
        Vertex::Step(_) | Vertex::Endpoint(_) => false,
    };
    !delayed && !matches!(wire.wire.port, Port::Jobs | Port::Results)
}

fn report(plan: &Plan, way: &[WireRef<'_>]) -> Diagnostic {
    // A way back always crosses nodes; what stands between the steps of one is not what closes it.
    let crosses = |wire: &&WireRef<'_>| name(plan, wire.from) != name(plan, wire.to);
    let mut written: Vec<&WireRef<'_>> = way
        .iter()
        .filter(|wire| wire.wire.range.start < wire.wire.range.end)
        .filter(crosses)
        .collect();
    written.sort_by_key(|wire| wire.wire.range);
    // A loop reads what stands outside once for each of its variables.
    written.dedup_by_key(|wire| wire.wire.range);
    let place = written.last().map(|wire| wire.wire.range).unwrap_or_default();
    let mut diagnostic = Diagnostic::new(
        discipline::CYCLE,
        span(place),
        format!("cycle without delay: {}", drawn(plan, way)),
    )
    .label("closes the cycle");
    for wire in written.iter().rev().skip(1).rev().take(3) {
        diagnostic = diagnostic.secondary(span(wire.wire.range), "on the cycle");
    }
    let topics: Vec<&str> = way
        .iter()
        .filter(|wire| match plan.vertex(wire.to) {
            Vertex::Topic(topic) => topic.origin == TopicOrigin::Declared,
            Vertex::Client(_) | Vertex::Step(_) | Vertex::Endpoint(_) => false,
        })
        .map(|wire| plan.label(wire.to))
        .collect();
    let late = way.iter().find(|wire| {
        matches!(plan.vertex(wire.from), Vertex::Step(FlowStep { verb: Verb::Late(_), .. }))
    });
    if late.is_some() {
        diagnostic = diagnostic.help(
            "give the `window` a node of its own: what is too late for it is there before the \
             steps after it",
        );
    }
    match topics.first() {
        Some(topic) => diagnostic.help(format!(
            "what goes back needs an epoch of delay: declare `{topic}` with `control: true` if \
             it steers what comes later"
        )),
        None => with_ways_out(diagnostic),
    }
}

/// Cycles of nodes that read each other, each the next one, by their place in the file.
pub(crate) fn node_cycles(circuit: &ast::Circuit, cycles: &[Vec<usize>]) -> Vec<Diagnostic> {
    let mut told: BTreeSet<usize> = BTreeSet::new();
    let mut found = Vec::new();
    for cycle in cycles {
        if cycle.iter().any(|id| told.contains(id)) {
            continue;
        }
        told.extend(cycle);
        // Rows go the other way than the reading; the drawing begins with the first in the file.
        let mut way: Vec<usize> = cycle.iter().rev().copied().collect();
        let first = (0..way.len()).min_by_key(|at| way[*at]).unwrap_or_default();
        way.rotate_left(first);
        let name = |id: &usize| &circuit.flow[*id].name;
        let names: Vec<&str> =
            way.iter().chain(way.first()).map(|id| name(id).node.as_str()).collect();
        let mut spans: Vec<Span> = way.iter().map(|id| name(id).span).collect();
        spans.sort_by_key(|span| span.start);
        let last = spans.pop().unwrap_or_default();
        let message = format!("cycle without delay: {}", names.join(" -> "));
        let mut fault = Diagnostic::new(discipline::CYCLE, last, message).label("closes the cycle");
        for span in spans.into_iter().take(3) {
            fault = fault.secondary(span, "on the cycle");
        }
        found.push(with_ways_out(fault));
    }
    found
}

/// What may be meant by a cycle of nodes.
fn with_ways_out(fault: Diagnostic) -> Diagnostic {
    fault
        .help("let the rows go back through a topic with `control: true`, an epoch later")
        .help("or write a `loop`, whose variables bring them to the next round")
}

/// Most cycles that are reported at once.
const CYCLES_MAX: usize = 20;
