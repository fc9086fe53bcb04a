//! Loops: an outermost one with all that is in it, and what is said of those without an end.

use std::collections::BTreeMap;
use std::sync::Arc;

use timely::dataflow::operators::Probe as _;

use arqon_plan::{Loop, LoopId, Operator, Step};

use super::{Backend, Walk};
use crate::batch::Batches;
use crate::gate::{Bounded, WayOut, render_gate};
use crate::looped::{Surroundings, Whole, overrun_key, render_loop};
use crate::recorder::{Fault, Meter};
use crate::traversal::render_traversal;

/// What is said of a loop that does not come to rest.
fn out_of_rounds(it: &Loop) -> Fault {
    let message = format!(
        "the loop has not come to rest after {} rounds, and gives no rows; this one still changes",
        it.rounds
    );
    Fault { code: "rounds".into(), message, place: it.place }
}

impl<'scope> Walk<'scope, '_> {
    /// An outermost loop with all that is in it, by the step that leaves it.
    pub(super) fn looped(&mut self, idx: usize, step: &Step, of: LoopId) -> Batches<'scope> {
        let around = Surroundings {
            scope: self.scope,
            narrow: self.narrow,
            ticks: self.ticks.clone(),
            rows: &|id| self.rows(id),
            meters: &|idx| self.meters(idx),
        };
        let steps = &self.loops[&of];
        let traversal = match self.backend {
            Backend::Hash => self.narrow.traversals.get(&of),
            Backend::Arrangements => None,
        };
        let left = match traversal {
            Some(traversal) => render_traversal(&around, &self.plan.loops[of.index()], traversal),
            None => render_loop(&around, steps, idx),
        };
        for end in left.ends {
            self.loop_ends.push((step.node.clone(), end.probe_with(&self.probe)));
        }
        let meter = self.meters(idx).swap_remove(0);
        let loops = self.bounded(steps, &meter);
        let types = step.schema.types();
        let out = WayOut { loops, are_settled: left.are_settled, types, meter };
        match left.rows {
            Whole::Words(rows) => render_gate(rows, left.overruns, out),
            Whole::Rows(rows) => render_gate(rows, left.overruns, out),
        }
    }

    /// The loops among these steps that may run out of rounds, and what is said then.
    fn bounded(&self, steps: &[usize], meter: &Meter) -> Vec<Bounded> {
        let mut bounded: BTreeMap<LoopId, Bounded> = BTreeMap::new();
        for step in steps.iter().map(|idx| &self.plan.steps[*idx]) {
            let Operator::Variable(variable) = step.operator else { continue };
            let it = &self.plan.loops[variable.of.index()];
            if it.exact {
                continue;
            }
            let bounded = bounded.entry(variable.of).or_insert_with(|| Bounded {
                variables: Vec::new(),
                fault: out_of_rounds(it),
                meter: Meter { address: Arc::from(&*it.address), ..meter.clone() },
            });
            bounded.variables.push((overrun_key(variable), step.schema.clone()));
        }
        bounded.into_values().collect()
    }
}
