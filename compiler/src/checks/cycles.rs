//! Cycles: data goes one way, except through a topic with `control: true` (E0304).

use std::collections::BTreeSet;

use arqon_grammar::ast;
use arqon_grammar::code::discipline;
use arqon_grammar::{Diagnostic, Span};
use arqon_plan::{Plan, TopicOrigin, Vertex, VertexId, WireRef};

use super::paths::{drawn, is_immediate, shortest};
use super::span;

/// One diagnostic per cycle; cycles that share a vertex are reported one after another, as the
/// first is mended.
pub(super) fn check(plan: &Plan) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut left: Vec<bool> = vec![true; plan.n_vertices()];
    while found.len() < CYCLES_MAX {
        trim(plan, &mut left);
        // A drawing that begins at a node reads best.
        let mut steps = plan.steps().map(|(id, _)| id);
        let mut others = plan.vertices().map(|(id, _)| id);
        let is_left = |id: &VertexId| left[id.index()];
        let Some(start) = steps.find(is_left).or_else(|| others.find(is_left)) else { break };
        let passes = |wire: &WireRef<'_>| left[wire.to.index()] && is_immediate(plan, wire);
        match shortest(plan, start, |id| id == start, passes) {
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

/// Takes away what lies on no cycle: vertices that nothing left leads to, or that lead to
/// nothing left, again and again.
fn trim(plan: &Plan, left: &mut [bool]) {
    let mut n_in = vec![0_usize; left.len()];
    let mut n_out = vec![0_usize; left.len()];
    for wire in plan.wires().filter(|wire| is_immediate(plan, wire)) {
        if left[wire.from.index()] && left[wire.to.index()] {
            n_out[wire.from.index()] += 1;
            n_in[wire.to.index()] += 1;
        }
    }
    let mut free: Vec<VertexId> = plan
        .vertices()
        .map(|(id, _)| id)
        .filter(|id| left[id.index()] && (n_in[id.index()] == 0 || n_out[id.index()] == 0))
        .collect();
    while let Some(id) = free.pop() {
        if !std::mem::replace(&mut left[id.index()], false) {
            continue;
        }
        for wire in plan.outputs(id).filter(|wire| is_immediate(plan, wire)) {
            let count = &mut n_in[wire.to.index()];
            *count = count.saturating_sub(1);
            if *count == 0 && left[wire.to.index()] {
                free.push(wire.to);
            }
        }
        for wire in plan.inputs(id).filter(|wire| is_immediate(plan, wire)) {
            let count = &mut n_out[wire.from.index()];
            *count = count.saturating_sub(1);
            if *count == 0 && left[wire.from.index()] {
                free.push(wire.from);
            }
        }
    }
}

fn report(plan: &Plan, way: &[WireRef<'_>]) -> Diagnostic {
    // Wires within a node have no name in the file; a way back always crosses nodes.
    let mut written: Vec<&WireRef<'_>> =
        way.iter().filter(|wire| wire.wire.range.start < wire.wire.range.end).collect();
    written.sort_by_key(|wire| wire.wire.range);
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
