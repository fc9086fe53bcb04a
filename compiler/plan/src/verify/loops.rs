//! Loops: which stand around which, and what goes round in them.

use std::collections::{BTreeMap, BTreeSet};

use arqon_types::Schema;

use super::Verifier;
use crate::dataflow::{LoopId, Operator, Variable};

impl Verifier<'_> {
    /// Whether all loops that are named are there, so that regions can be told.
    pub(super) fn loop_ids(&mut self) -> bool {
        let n_loops = self.plan.loops.len();
        for (idx, it) in self.plan.loops.iter().enumerate() {
            self.place = &it.address;
            self.require(it.outer.is_none_or(|outer| outer.index() < idx), || {
                "the loop around stands after it".into()
            });
            self.require(0 < it.rounds, || "a loop without rounds".into());
        }
        for step in &self.plan.steps {
            self.place = &step.address;
            let fits = match &step.operator {
                Operator::Variable(it) | Operator::Next(it) => {
                    self.plan.loops.get(it.of.index()).is_some_and(|of| it.idx < of.n_variables)
                }
                Operator::Leave(of) => of.index() < n_loops,
                Operator::Source(_)
                | Operator::Log(_)
                | Operator::Errors(_)
                | Operator::Map(_)
                | Operator::Union
                | Operator::Route(_)
                | Operator::Arm(_)
                | Operator::Join(_)
                | Operator::Group(_)
                | Operator::Distinct
                | Operator::Top(_)
                | Operator::Over(_)
                | Operator::Latest(_)
                | Operator::Unique { .. }
                | Operator::Kernel(_)
                | Operator::Measured(_)
                | Operator::Window(_)
                | Operator::Late(_)
                | Operator::Session(_)
                | Operator::Final(_)
                | Operator::Within(_)
                | Operator::Retain(_) => true,
            };
            self.require(fits, || "a loop or variable that is not in the plan".into());
        }
        self.violations.is_empty()
    }

    pub(super) fn loops(&mut self) {
        let plan = self.plan;
        let regions = plan.regions();
        let mut starts: BTreeMap<Variable, &Schema> = BTreeMap::new();
        let mut nexts = BTreeSet::new();
        let mut left = BTreeSet::new();
        for (step, region) in plan.steps.iter().zip(&regions) {
            self.place = &step.address;
            let around: Vec<LoopId> = region.iter().flat_map(|it| plan.chain(*it)).collect();
            let mut reach = around.clone();
            match &step.operator {
                Operator::Leave(of) => {
                    let from = regions[step.inputs[0].index()];
                    self.require(from == Some(*of), || "it leaves another loop".into());
                    self.require(left.insert(*of), || "the loop is left twice".into());
                    reach.push(*of);
                }
                Operator::Variable(it) => {
                    let first = starts.insert(*it, &step.schema).is_none();
                    self.require(first, || "the variable starts twice".into());
                    reach.remove(0);
                }
                Operator::Next(it) => {
                    self.require(nexts.insert(*it), || "the variable goes on twice".into());
                    self.require(
                        starts.get(it).is_some_and(|at| at.fields == step.schema.fields),
                        || "the variable has other rows, or stands after it".into(),
                    );
                }
                Operator::Source(_)
                | Operator::Log(_)
                | Operator::Errors(_)
                | Operator::Route(_)
                | Operator::Arm(_)
                | Operator::Over(_)
                | Operator::Latest(_)
                | Operator::Unique { .. }
                | Operator::Kernel(_)
                | Operator::Measured(_)
                | Operator::Window(_)
                | Operator::Late(_)
                | Operator::Session(_)
                | Operator::Final(_)
                | Operator::Within(_)
                | Operator::Retain(_) => {
                    self.require(around.is_empty(), || "it cannot stand in a loop".into());
                }
                Operator::Map(_)
                | Operator::Union
                | Operator::Join(_)
                | Operator::Group(_)
                | Operator::Distinct
                | Operator::Top(_) => {}
            }
            self.require(!around.iter().any(|of| left.contains(of)), || {
                "a step of a loop stands after the loop's end".into()
            });
            for input in &step.inputs {
                let from = regions[input.index()];
                self.require(from.is_none_or(|from| reach.contains(&from)), || {
                    format!("it reads `{}` of another loop", plan.steps[input.index()].address)
                });
            }
        }
        for (idx, it) in plan.loops.iter().enumerate() {
            self.place = &it.address;
            let of = LoopId(u32::try_from(idx).unwrap_or(u32::MAX));
            let all = || (0..it.n_variables).map(|idx| Variable { of, idx });
            self.require(all().all(|it| starts.contains_key(&it) && nexts.contains(&it)), || {
                "a variable has no start or no next".into()
            });
            self.require(left.contains(&of), || "nobody leaves the loop".into());
        }
        for (topic, step) in plan.ends() {
            self.place = topic.as_str();
            self.require(regions[step.index()].is_none(), || {
                "a topic carries a step of a loop".into()
            });
        }
    }
}
