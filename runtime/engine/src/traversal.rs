//! Traversals: loops that walk a graph, as one operator.
//!
//! Differential dataflow keeps what every round of every epoch changed, in arrangements that are
//! read and merged round by round. A loop that only goes along edges needs none of it: here one
//! worker has the whole graph, takes an epoch when all of it has come, and goes through its rounds
//! by itself. That is less work than what several workers would have to tell each other.

mod counts;
mod nodes;
mod graph;
mod candidates;
mod relax;
mod best;
mod queue;
mod ordered;
mod valued;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::Scope;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Concatenate;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::{Capability, InputCapability};

use arqon_plan::{Join, JoinSide, Kept, Loop, Operator, Step, StepId, Traversal};
use arqon_types::{PackedRow, is_word};

use crate::batch::{Keyed, KeyedRows, WholeRows};
use crate::join::{JoinShape, pick};
use crate::keyed::{key_rows, pack_fields};
use crate::looped::{Left, Surroundings, Whole, overrun_key};
use crate::packed::Packed;
use crate::recorder::Meter;
use crate::stats::Count;
use crate::whole;

use graph::Graph;
use valued::render_best;

/// What is read of a graph, and its limits.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// The last round of the variable, at least 1.
    rounds: u32,
    /// The last round whose nodes are the result. A node counts in the round after the one in which
    /// it was derived: of the variable that is one less than its rounds.
    result: u32,
}

/// No round at all.
const NO_ROUND: u32 = u32::MAX;

/// The changes of an epoch.
#[derive(Debug)]
struct Changes<R, E> {
    /// Of where the variable starts.
    starts: Vec<(R, i64)>,
    /// Of rows that are derived in any case.
    seeds: Vec<(R, i64)>,
    /// Of edges.
    edges: Vec<(E, i64)>,
}

impl<R, E> Default for Changes<R, E> {
    fn default() -> Self {
        Self { starts: Vec::new(), seeds: Vec::new(), edges: Vec::new() }
    }
}

/// What an epoch came to.
#[derive(Debug, PartialEq, Eq)]
struct Outcome<R> {
    /// Rows that came to the result, and that left it.
    rows: Vec<(R, i64)>,
    /// What changes after the last round.
    overruns: Vec<(R, i64)>,
    /// Changes of the variable, in all rounds.
    variable: Count,
    /// Those of them that come to the edges.
    led: Count,
    /// Changes of pairs of the variable's rows and edges.
    pairs: Count,
    /// Changes of what comes to the keeper: what is hopped to, and seeds.
    derived: Count,
    /// Changes of rows that are kept, in all rounds.
    reached: Count,
    /// By how much what is held has grown, in bytes.
    bytes: i64,
}

impl<R> Default for Outcome<R> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            overruns: Vec::new(),
            variable: Count::default(),
            led: Count::default(),
            pairs: Count::default(),
            derived: Count::default(),
            reached: Count::default(),
            bytes: 0,
        }
    }
}

impl<R> Outcome<R> {
    /// Counts what was done beside it as well.
    fn count_also(&mut self, other: &Self) {
        self.variable.merge(other.variable);
        self.led.merge(other.led);
        self.pairs.merge(other.pairs);
        self.derived.merge(other.derived);
        self.reached.merge(other.reached);
    }
}

/// Renders a loop that is a traversal.
pub(crate) fn render_traversal<'scope>(
    around: &Surroundings<'scope, '_>,
    it: &Loop,
    traversal: &Traversal,
) -> Left<'scope> {
    let site = Site { around, it, traversal };
    match traversal.kept {
        Kept::Once(side) => render_once(site, side),
        Kept::Best(best) => {
            let types = site.step(traversal.keeper).schema.types();
            if is_word(&types[best.node..=best.node]) {
                render_best::<u64>(site, best)
            } else {
                render_best::<PackedRow>(site, best)
            }
        }
    }
}

/// Numbers, each of which is kept once.
fn render_once<'scope>(site: Site<'scope, '_>, side: JoinSide) -> Left<'scope> {
    let Traversal { start, ref seeds, .. } = *site.traversal;
    let meters = site.meters();
    let inputs = Inputs {
        starts: site.whole::<u64>(start),
        seeds: seeds.iter().map(|id| site.whole(*id)).collect(),
        edges: site.edges::<u64, u64>(site.edge_fields()),
    };
    let walk = OnceWalk { graph: Graph::new(site.limits()), meters };
    let edge = move |(from, to)| match side {
        JoinSide::Right => (from, to),
        // A row that has an edge leads to itself.
        JoinSide::Left => (from, from),
    };
    let (rows, overruns) = site.operate(inputs, (|row| row, edge), walk);
    Left { rows: Whole::Words(rows), are_settled: true, overruns, ends: Vec::new() }
}

/// A graph that is walked.
trait Walked<S, E, R> {
    /// Takes in an epoch.
    fn change(&mut self, epoch: u64, changes: Changes<S, E>) -> Outcome<R>;

    /// All rows of the result.
    fn rows(&self) -> Vec<R>;
}

/// A walk that keeps each node once.
struct OnceWalk {
    graph: Graph,
    meters: Meters,
}

impl Walked<u64, (u64, u64), u64> for OnceWalk {
    fn change(&mut self, epoch: u64, changes: Changes<u64, (u64, u64)>) -> Outcome<u64> {
        let outcome = self.graph.change(changes);
        self.meters.count(epoch, &outcome);
        outcome
    }

    fn rows(&self) -> Vec<u64> {
        self.graph.rows()
    }
}

/// Whether a walk rests: what still changes after its last round.
#[derive(Debug)]
struct Rest<R>(BTreeMap<R, i64>);

impl<R: Ord + Clone> Rest<R> {
    /// What is said of an epoch: how the rows change while the walk rests, and none of them while
    /// it does not; `all` are those that are there now.
    fn say(
        &mut self,
        rows: Vec<(R, i64)>,
        overruns: &[(R, i64)],
        all: impl FnOnce() -> Vec<R>,
    ) -> Vec<(R, i64)> {
        let rested = self.0.is_empty();
        for (row, diff) in overruns {
            let n = self.0.entry(row.clone()).or_default();
            *n += diff;
            if *n == 0 {
                self.0.remove(row);
            }
        }
        match (rested, self.0.is_empty()) {
            (true, true) => rows,
            (false, false) => Vec::new(),
            (false, true) => all().into_iter().map(|row| (row, 1)).collect(),
            (true, false) => {
                let mut gone: BTreeMap<R, i64> = rows.into_iter().collect();
                for row in all() {
                    *gone.entry(row).or_default() -= 1;
                }
                gone.into_iter().filter(|(_, n)| *n != 0).collect()
            }
        }
    }
}

/// A traversal, and where it stands.
#[derive(Clone, Copy)]
struct Site<'scope, 'a> {
    around: &'a Surroundings<'scope, 'a>,
    it: &'a Loop,
    traversal: &'a Traversal,
}

/// What comes to a traversal.
struct Inputs<'scope, R, K, V> {
    starts: WholeRows<'scope, u64, R>,
    seeds: Vec<WholeRows<'scope, u64, R>>,
    edges: KeyedRows<'scope, u64, K, V>,
}

impl<'scope, 'a> Site<'scope, 'a> {
    fn step(&self, id: StepId) -> &'a Step {
        &self.around.narrow.plan.steps[id.index()]
    }

    fn join(&self) -> (&'a Step, &'a Join) {
        let step = self.step(self.traversal.join);
        let Operator::Join(join) = &step.operator else { panic!("`{}` is no join", step.address) };
        (step, join)
    }

    /// A step's rows, packed whole.
    fn whole<R: Packed>(&self, id: StepId) -> WholeRows<'scope, u64, R> {
        whole::pack::<u64, R>((self.around.rows)(id), self.step(id).schema.types())
    }

    /// The columns that are kept of an edge.
    fn edge_fields(&self) -> &'a [usize] {
        &self.around.narrow.joins[&self.traversal.join][1]
    }

    /// Edges: the node from which each leads, and these columns.
    fn edges<K: Packed, V: Packed>(&self, fields: &[usize]) -> KeyedRows<'scope, u64, K, V> {
        let (step, join) = self.join();
        let schema = &self.step(step.inputs[1]).schema;
        let (_, key) = JoinShape::keys(join);
        let value = pack_fields::<V>(fields.to_vec(), pick(schema, fields).types());
        let rows = (self.around.rows)(step.inputs[1]);
        key_rows(rows, schema.clone(), key, value, self.meters().join)
    }

    fn limits(&self) -> Limits {
        let rounds = u32::try_from(self.it.rounds).unwrap_or(u32::MAX - 2).max(1);
        let result = if self.traversal.leaves_variable { rounds - 1 } else { rounds };
        Limits { rounds, result }
    }

    fn meters(&self) -> Meters {
        let Traversal { variable, join, map, union, keeper, next, .. } = *self.traversal;
        let all = |id: StepId| (self.around.meters)(id.index());
        let one = |id: StepId| all(id).swap_remove(0);
        Meters {
            variable: one(variable),
            join: one(join),
            map: all(map),
            union: union.map(one),
            keeper: one(keeper),
            next: one(next),
        }
    }

    /// The operator: one worker is given all, and has an epoch's changes made once all of them
    /// have come. Rows and edges wait in the form that `read` gives them.
    fn operate<R: Packed, K: Packed, V: Packed, S: 'static, E: 'static>(
        &self,
        inputs: Inputs<'scope, R, K, V>,
        read: (impl Fn(R) -> S + 'static, impl Fn((K, V)) -> E + 'static),
        mut walk: impl Walked<S, E, R> + 'static,
    ) -> (WholeRows<'scope, u64, R>, KeyedRows<'scope, u64>) {
        let scope: Scope<'scope, u64> = self.around.scope;
        let variable = self.step(self.traversal.variable);
        let Operator::Variable(variable) = variable.operator else {
            panic!("`{}` has no variable", self.it.address);
        };
        let owner = u64::from(variable.of.0);
        let overrun = (!self.it.exact).then(|| overrun_key(variable));
        let mut builder = OperatorBuilder::new("Traversal".to_owned(), scope);
        let to_owner = move |_: &(R, u64, i64)| owner;
        let mut starts = builder.new_input(inputs.starts, Exchange::new(to_owner));
        let seeds = scope.concatenate(inputs.seeds);
        let mut seeds = builder.new_input(seeds, Exchange::new(to_owner));
        let edge_to_owner = Exchange::new(move |_: &Keyed<u64, K, V>| owner);
        let mut edges = builder.new_input(inputs.edges, edge_to_owner);
        let (rows, row_stream) = builder.new_output::<Vec<(R, u64, i64)>>();
        let mut rows =
            OutputBuilder::<u64, CapacityContainerBuilder<Vec<(R, u64, i64)>>>::from(rows);
        let (overruns, overrun_stream) = builder.new_output::<Vec<Keyed>>();
        let mut overruns =
            OutputBuilder::<u64, CapacityContainerBuilder<Vec<Keyed>>>::from(overruns);
        builder.build(move |capabilities| {
            drop(capabilities);
            let mut waiting: BTreeMap<u64, Waiting<S, E>> = BTreeMap::new();
            let (row_of, edge_of) = read;
            let mut rest = Rest(BTreeMap::new());
            move |frontiers| {
                starts.for_each(|capability, starts| {
                    for (row, epoch, diff) in starts.drain(..) {
                        at(&mut waiting, epoch, &capability)
                            .changes
                            .starts
                            .push((row_of(row), diff));
                    }
                });
                seeds.for_each(|capability, seeds| {
                    for (row, epoch, diff) in seeds.drain(..) {
                        at(&mut waiting, epoch, &capability)
                            .changes
                            .seeds
                            .push((row_of(row), diff));
                    }
                });
                edges.for_each(|capability, edges| {
                    for (edge, epoch, diff) in edges.drain(..) {
                        at(&mut waiting, epoch, &capability)
                            .changes
                            .edges
                            .push((edge_of(edge), diff));
                    }
                });
                while let Some(entry) = waiting.first_entry() {
                    if frontiers.iter().any(|frontier| frontier.less_equal(entry.key())) {
                        break;
                    }
                    let (epoch, Waiting { capabilities, changes }) = entry.remove_entry();
                    let Outcome { rows: changed, overruns: over, .. } = walk.change(epoch, changes);
                    let changed = match &overrun {
                        // The rows of the last round are the result in any case.
                        None => changed,
                        Some(_) => rest.say(changed, &over, || walk.rows()),
                    };
                    let changed = changed.into_iter().map(|(row, diff)| (row, epoch, diff));
                    rows.activate().session(&capabilities[0]).give_iterator(changed);
                    if let (Some(key), false) = (&overrun, over.is_empty()) {
                        let over = over.into_iter();
                        let over =
                            over.map(|(row, diff)| ((key.clone(), row.to_row()), epoch, diff));
                        overruns.activate().session(&capabilities[1]).give_iterator(over);
                    }
                }
            }
        });
        (row_stream, overrun_stream)
    }
}

/// Changes of an epoch that has not come whole.
struct Waiting<R, E> {
    /// For rows, and for overruns.
    capabilities: [Capability<u64>; 2],
    changes: Changes<R, E>,
}

fn at<'w, R, E>(
    waiting: &'w mut BTreeMap<u64, Waiting<R, E>>,
    epoch: u64,
    capability: &InputCapability<u64>,
) -> &'w mut Waiting<R, E> {
    waiting.entry(epoch).or_insert_with(|| Waiting {
        capabilities: [0, 1].map(|output| capability.delayed(&epoch, output)),
        changes: Changes::default(),
    })
}

/// What is counted of the steps that a traversal is made of.
struct Meters {
    variable: Meter,
    join: Meter,
    /// None where the map counts for itself.
    map: Vec<Meter>,
    union: Option<Meter>,
    keeper: Meter,
    next: Meter,
}

impl Meters {
    /// Counts what each step had to do with an epoch.
    fn count<R>(&self, epoch: u64, outcome: &Outcome<R>) {
        let Outcome { variable, led, pairs, derived, reached, bytes, .. } = *outcome;
        let pass = |meter: &Meter, rows: Count| {
            meter.count(epoch, |counts| counts.pass(rows));
        };
        pass(&self.variable, variable);
        self.join.count(epoch, |counts| {
            counts.input.merge(led);
            counts.put_out(pairs);
            counts.bytes += bytes;
        });
        for meter in &self.map {
            pass(meter, pairs);
        }
        if let Some(union) = &self.union {
            pass(union, derived);
        }
        self.keeper.count(epoch, |counts| {
            counts.input.merge(derived);
            counts.put_out(reached);
        });
        pass(&self.next, reached);
    }
}
