//! Traversals: loops that walk a graph, as one operator.
//!
//! Differential dataflow keeps what every round of every epoch changed, in arrangements that are
//! read and merged round by round. A loop that only goes along edges needs none of it: here one
//! worker has the whole graph, takes an epoch when all of it has come, and goes through its rounds
//! by itself. That is less work than what several workers would have to tell each other.

mod counts;
mod graph;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Concatenate;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::{Capability, InputCapability};

use arqon_plan::{JoinSide, Loop, Operator, StepId, Traversal};

use crate::batch::{Keyed, KeyedRows, WholeRows};
use crate::join::{JoinShape, pick};
use crate::keyed::{key_rows, pack_fields};
use crate::looped::{Left, Surroundings, Whole, overrun_key};
use crate::packed::Packed;
use crate::recorder::Meter;
use crate::stats::Count;
use crate::whole;

use graph::{Changes, Graph, Limits, Outcome};

type RowsBuilder = CapacityContainerBuilder<Vec<(u64, u64, i64)>>;
type OverrunsBuilder = CapacityContainerBuilder<Vec<Keyed>>;

/// Renders a loop that is a traversal.
pub(crate) fn render_traversal<'scope>(
    around: &Surroundings<'scope, '_>,
    it: &Loop,
    traversal: &Traversal,
) -> Left<'scope> {
    let plan = &around.narrow.plan;
    let Operator::Variable(variable) = plan.steps[traversal.variable.index()].operator else {
        panic!("`{}` has no variable", it.address);
    };
    let scope = around.scope;
    let owner = u64::from(variable.of.0);
    let whole = |id: StepId| {
        let types = plan.steps[id.index()].schema.types();
        whole::pack::<u64, u64>((around.rows)(id), types)
    };
    let meters = Meters::of(around, traversal);
    let mut builder = OperatorBuilder::new("Traversal".to_owned(), scope);
    let to_owner = move |_: &(u64, u64, i64)| owner;
    let mut starts = builder.new_input(whole(traversal.start), Exchange::new(to_owner));
    let seeds: Vec<WholeRows<'_, u64, u64>> = traversal.seeds.iter().copied().map(whole).collect();
    let mut seeds = builder.new_input(scope.concatenate(seeds), Exchange::new(to_owner));
    let edges = edges(around, traversal, meters.join.clone());
    let mut edges = builder.new_input(edges, Exchange::new(move |_: &Keyed<u64, u64, u64>| owner));
    let (rows, row_stream) = builder.new_output::<Vec<(u64, u64, i64)>>();
    let mut rows = OutputBuilder::<u64, RowsBuilder>::from(rows);
    let (overruns, overrun_stream) = builder.new_output::<Vec<Keyed>>();
    let mut overruns = OutputBuilder::<u64, OverrunsBuilder>::from(overruns);
    let rounds = u32::try_from(it.rounds).unwrap_or(u32::MAX - 1).max(1);
    let result = if traversal.leaves_variable { rounds - 1 } else { rounds };
    let side = traversal.hop.side;
    let overrun = (!it.exact).then(|| overrun_key(variable));
    builder.build(move |capabilities| {
        drop(capabilities);
        let mut graph = Graph::new(Limits { rounds, result });
        let mut waiting: BTreeMap<u64, Waiting> = BTreeMap::new();
        move |frontiers| {
            starts.for_each(|capability, starts| {
                for (row, epoch, diff) in starts.drain(..) {
                    at(&mut waiting, epoch, &capability).changes.starts.push((row, diff));
                }
            });
            seeds.for_each(|capability, seeds| {
                for (row, epoch, diff) in seeds.drain(..) {
                    at(&mut waiting, epoch, &capability).changes.seeds.push((row, diff));
                }
            });
            edges.for_each(|capability, edges| {
                for same in edges.chunk_by(|a, b| a.1 == b.1) {
                    let changes = &mut at(&mut waiting, same[0].1, &capability).changes;
                    changes.edges.extend(same.iter().map(|((from, to), _, diff)| match side {
                        JoinSide::Right => ((*from, *to), *diff),
                        // A row that has an edge leads to itself.
                        JoinSide::Left => ((*from, *from), *diff),
                    }));
                }
            });
            while let Some(entry) = waiting.first_entry() {
                if frontiers.iter().any(|frontier| frontier.less_equal(entry.key())) {
                    break;
                }
                let (epoch, Waiting { capabilities, changes }) = entry.remove_entry();
                let outcome = meters.counted(epoch, changes, |changes| graph.change(changes));
                let changed = outcome.rows.into_iter().map(|(row, diff)| (row, epoch, diff));
                rows.activate().session(&capabilities[0]).give_iterator(changed);
                if let (Some(key), false) = (&overrun, outcome.overruns.is_empty()) {
                    let over = outcome.overruns.into_iter();
                    let over = over.map(|(row, diff)| ((key.clone(), row.to_row()), epoch, diff));
                    overruns.activate().session(&capabilities[1]).give_iterator(over);
                }
            }
        }
    });
    Left { rows: Whole::Words(row_stream), overruns: overrun_stream, ends: Vec::new() }
}

/// The edges: nodes from which they lead, and nodes to which.
fn edges<'scope>(
    around: &Surroundings<'scope, '_>,
    traversal: &Traversal,
    meter: Meter,
) -> KeyedRows<'scope, u64, u64, u64> {
    let plan = &around.narrow.plan;
    let hop = traversal.hop;
    let step = &plan.steps[hop.join.index()];
    let Operator::Join(join) = &step.operator else { panic!("`{}` is no join", step.address) };
    let schema = &plan.steps[step.inputs[1].index()].schema;
    let (_, key) = JoinShape::keys(join);
    let kept = &around.narrow.joins[&hop.join][1];
    let to = pack_fields::<u64>(kept.clone(), pick(schema, kept).types());
    let rows = (around.rows)(step.inputs[1]);
    key_rows(rows, schema.clone(), key, to, meter)
}

/// Changes of an epoch that has not come whole.
struct Waiting {
    /// For rows, and for overruns.
    capabilities: [Capability<u64>; 2],
    changes: Changes,
}

fn at<'w>(
    waiting: &'w mut BTreeMap<u64, Waiting>,
    epoch: u64,
    capability: &InputCapability<u64>,
) -> &'w mut Waiting {
    waiting.entry(epoch).or_insert_with(|| Waiting {
        capabilities: [0, 1].map(|output| capability.delayed(&epoch, output)),
        changes: Changes::default(),
    })
}

/// What is counted of the steps that a traversal is made of.
struct Meters {
    variable: Meter,
    join: Meter,
    map: Vec<Meter>,
    union: Option<Meter>,
    distinct: Meter,
    next: Meter,
}

impl Meters {
    fn of(around: &Surroundings<'_, '_>, traversal: &Traversal) -> Self {
        let all = |id: StepId| (around.meters)(id.index());
        let one = |id: StepId| all(id).swap_remove(0);
        Self {
            variable: one(traversal.variable),
            join: one(traversal.hop.join),
            map: all(traversal.hop.map),
            union: traversal.union.map(one),
            distinct: one(traversal.distinct),
            next: one(traversal.next),
        }
    }

    /// Has the changes of an epoch made, and counts what each step had to do with them.
    fn counted(
        &self,
        epoch: u64,
        changes: Changes,
        make: impl FnOnce(Changes) -> Outcome,
    ) -> Outcome {
        let mut derived = Count::default();
        for (_, diff) in &changes.seeds {
            derived.add(*diff);
        }
        let outcome = make(changes);
        let Outcome { variable, pairs, reached, bytes, .. } = outcome;
        derived.merge(pairs);
        let pass = |meter: &Meter, rows: Count| {
            meter.count(epoch, |counts| counts.pass(rows));
        };
        pass(&self.variable, variable);
        self.join.count(epoch, |counts| {
            counts.input.merge(variable);
            counts.put_out(pairs);
            counts.bytes += bytes;
        });
        for meter in &self.map {
            pass(meter, pairs);
        }
        if let Some(union) = &self.union {
            pass(union, derived);
        }
        self.distinct.count(epoch, |counts| {
            counts.input.merge(derived);
            counts.put_out(reached);
        });
        pass(&self.next, reached);
        outcome
    }
}
