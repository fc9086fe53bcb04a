//! Loops: the steps of a loop stand in a scope of their own, whose times count rounds.
//!
//! A variable is its start in the first round, and then what the round before has made of it.
//! What would change beyond the last round does not go round again: it is the loop's overrun,
//! and the [`gate`](crate::gate) decides what it means. Everything is an arrangement here, since
//! rounds of different epochs are not ordered. Loops with loops in them share one type of time
//! whatever their depth, and the plain ones have a smaller one, so all of it is compiled twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use differential_dataflow::AsCollection;
use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator as _;
use timely::dataflow::operators::vec::Map as _;
use timely::dataflow::operators::{Concat, Concatenate, ConnectLoop, Enter, Feedback, Leave};
use timely::dataflow::{Scope, Stream};
use timely::progress::PathSummary;

use arqon_plan::{DataflowPlan, Join, JoinKind, LoopId, Operator, Step, StepId, Variable};
use arqon_types::{PackedRow, Schema, Type, Value};

use crate::arrangement::{self, reduce_groups, reduce_top, render_distinct};
use crate::asof::{AsofShape, pack_sides};
use crate::batch::{Batch, Batches, KeyedRows, Moment, Nested, Rounds, Single, WholeRows};
use crate::group::GroupShape;
use crate::join::{JoinShape, pick};
use crate::keyed::{KeyShape, PackValue, key_rows, pack_fields};
use crate::map::{count_through, render_map};
use crate::narrow::NarrowPlan;
use crate::packed::{Packed, is_word};
use crate::recorder::Meter;
use crate::stats::Counts;
use crate::top::TopShape;
use crate::whole;

/// What a loop finds around it.
pub(crate) struct Surroundings<'scope, 'a> {
    /// The scope of the epochs.
    pub(crate) scope: Scope<'scope, u64>,
    /// The plan that the loop is a part of.
    pub(crate) narrow: &'a NarrowPlan,
    /// What makes groups without keys exist.
    pub(crate) ticks: KeyedRows<'scope>,
    /// The rows of a step outside.
    pub(crate) rows: &'a dyn Fn(StepId) -> Batches<'scope>,
    /// The meters of a step.
    pub(crate) meters: &'a dyn Fn(usize) -> Vec<Meter>,
}

/// What comes out of an outermost loop.
pub(crate) struct Left<'scope> {
    /// The rows, in the form that their types allow.
    pub(crate) rows: Whole<'scope>,
    /// What still changed when the rounds of a variable were at their end: its [`overrun_key`],
    /// and the row.
    pub(crate) overruns: KeyedRows<'scope>,
    /// Ends within the loop that nothing outside hears of otherwise.
    pub(crate) ends: Vec<Ended<'scope>>,
}

/// Packed rows, as numbers where they are such.
pub(crate) enum Whole<'scope> {
    Words(WholeRows<'scope, u64, u64>),
    Rows(WholeRows<'scope, u64>),
}

/// The end of a step within a loop; nobody reads what it carries.
pub(crate) type Ended<'scope> = Stream<'scope, u64, Vec<()>>;

/// The key of a variable's overrun.
pub(crate) fn overrun_key(variable: Variable) -> PackedRow {
    let place = [variable.of.0, variable.idx].map(|number| Value::Int(i64::from(number)));
    PackedRow::pack(&place.to_vec().into(), &[Type::Int64, Type::Int64])
}

/// The steps of each outermost loop, with those of the loops in it.
pub(crate) fn members(plan: &DataflowPlan) -> BTreeMap<LoopId, Vec<usize>> {
    let mut members: BTreeMap<LoopId, Vec<usize>> = BTreeMap::new();
    for (idx, region) in plan.regions().into_iter().enumerate() {
        if let Some(outermost) = region.and_then(|region| plan.chain(region).last()) {
            members.entry(outermost).or_default().push(idx);
        }
    }
    members
}

/// Renders the outermost loop of these steps, which the step at `leave_idx` leaves.
pub(crate) fn render_loop<'scope>(
    around: &Surroundings<'scope, '_>,
    members: &[usize],
    leave_idx: usize,
) -> Left<'scope> {
    let steps = &around.narrow.plan.steps;
    let is_nested = members.iter().any(|idx| matches!(steps[*idx].operator, Operator::Leave(_)));
    if is_nested {
        render_rounds::<Nested>(around, members, leave_idx)
    } else {
        render_rounds::<Single>(around, members, leave_idx)
    }
}

fn render_rounds<'scope, T: Rounds>(
    around: &Surroundings<'scope, '_>,
    members: &[usize],
    leave_idx: usize,
) -> Left<'scope> {
    let plan = &around.narrow.plan;
    let outer = around.scope;
    let read: BTreeSet<StepId> = members
        .iter()
        .chain([&leave_idx])
        .flat_map(|idx| plan.steps[*idx].inputs.iter().copied())
        .collect();
    outer.scoped::<T, _, _>("Loop", |inner| {
        let mut walk = Walk {
            scope: inner,
            members,
            around,
            done: BTreeMap::new(),
            open: BTreeMap::new(),
            overruns: Vec::new(),
        };
        let mut ends = Vec::new();
        for idx in members.iter().copied() {
            let step = &plan.steps[idx];
            let id = StepId::at(idx);
            let rows = walk.step(idx, step);
            // The rounds of a variable that does not lead out may come to their end later.
            if !read.contains(&id) || matches!(step.operator, Operator::Variable(_)) {
                ends.push(end(rows.clone()).leave(outer));
            }
            walk.done.insert(id, rows);
        }
        let last = plan.steps[leave_idx].inputs[0];
        let rows = if is_word(&plan.steps[last.index()].schema.types()) {
            Whole::Words(walk.whole(last).as_collection().leave(outer).inner)
        } else {
            Whole::Rows(walk.whole(last).as_collection().leave(outer).inner)
        };
        let overruns = inner.concatenate(walk.overruns);
        Left { rows, overruns: overruns.as_collection().leave(outer).inner, ends }
    })
}

/// A variable that has not been told yet what it becomes: tells it, and gives its overrun.
type Open<'inner, T> = Box<dyn FnOnce(Next<'inner, T>) -> Option<KeyedRows<'inner, T>> + 'inner>;

/// What a variable becomes.
struct Next<'inner, T: Rounds> {
    rows: Batches<'inner, T>,
    /// Whether equal rows of a time have been added up.
    is_reduced: bool,
}

/// The walk over the steps of a loop.
struct Walk<'inner, 'scope, 'a, T: Rounds> {
    scope: Scope<'inner, T>,
    /// The steps of the loop.
    members: &'a [usize],
    around: &'a Surroundings<'scope, 'a>,
    /// Steps of the loop, and steps outside that have been brought in.
    done: BTreeMap<StepId, Batches<'inner, T>>,
    open: BTreeMap<Variable, Open<'inner, T>>,
    overruns: Vec<KeyedRows<'inner, T>>,
}

impl<'inner, T: Rounds> Walk<'inner, '_, '_, T> {
    fn meter(&self, idx: usize) -> Meter {
        (self.around.meters)(idx).swap_remove(0)
    }

    fn schema(&self, id: StepId) -> Arc<Schema> {
        self.around.narrow.plan.steps[id.index()].schema.clone()
    }

    fn rows(&mut self, id: StepId) -> Batches<'inner, T> {
        let (around, scope) = (self.around, self.scope);
        self.done.entry(id).or_insert_with(|| enter((around.rows)(id), scope)).clone()
    }

    fn key<K: Packed, V: Packed>(
        &mut self,
        input: StepId,
        key: KeyShape,
        value: PackValue<V>,
        meter: &Meter,
    ) -> KeyedRows<'inner, T, K, V> {
        key_rows(self.rows(input), self.schema(input), key, value, meter.clone())
    }

    /// The rows, packed.
    fn whole<K: Packed>(&mut self, input: StepId) -> WholeRows<'inner, T, K> {
        whole::pack(self.rows(input), self.schema(input).types(), None)
    }

    fn step(&mut self, idx: usize, step: &Step) -> Batches<'inner, T> {
        let types = step.schema.types();
        match &step.operator {
            Operator::Map(map) => {
                let meters = (self.around.meters)(idx);
                render_map(self.rows(step.inputs[0]), self.schema(step.inputs[0]), map, meters)
            }
            Operator::Union => {
                let streams: Vec<_> = step.inputs.iter().map(|id| self.rows(*id)).collect();
                count_through(self.scope.concatenate(streams), self.meter(idx))
            }
            Operator::Join(join) => self.join(idx, step, join),
            Operator::Group(group) => {
                let meter = self.meter(idx);
                let shape = GroupShape::new(group, &step.schema);
                let key = KeyShape::plain(&group.keys);
                let mut rows = self.key(step.inputs[0], key, shape.pack_value(), &meter);
                if shape.is_keyless() {
                    let ticks = self.around.ticks.clone().as_collection().enter(self.scope);
                    rows = rows.concat(ticks.inner);
                }
                reduce_groups(rows, shape, types, meter)
            }
            Operator::Distinct => {
                let rows = self.rows(step.inputs[0]);
                if is_word(&types) {
                    render_distinct::<T, u64>(rows, types, self.meter(idx))
                } else {
                    render_distinct::<T, PackedRow>(rows, types, self.meter(idx))
                }
            }
            Operator::Top(top) => {
                let meter = self.meter(idx);
                let shape = TopShape::new(top, self.schema(step.inputs[0]).types());
                let key = KeyShape::plain(&top.per);
                let rows = self.key(step.inputs[0], key, shape.pack_value(), &meter);
                reduce_top(rows, shape, types, meter)
            }
            Operator::Variable(variable) if is_word(&types) => {
                self.variable::<u64>(idx, step, *variable)
            }
            Operator::Variable(variable) => self.variable::<PackedRow>(idx, step, *variable),
            Operator::Next(variable) => self.next(idx, step, *variable),
            Operator::Leave(of) => {
                let rows = self.whole::<PackedRow>(step.inputs[0]);
                let rows = T::leave(rows, self.level(*of));
                whole::unpack(rows, types, self.meter(idx), count_both)
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
                panic!("`{}` cannot stand in a loop", step.address)
            }
        }
    }

    fn join(&mut self, idx: usize, step: &Step, join: &Join) -> Batches<'inner, T> {
        let meter = self.meter(idx);
        let id = StepId::at(idx);
        let [left_fields, right_fields] = &self.around.narrow.joins[&id];
        let left = pick(&self.schema(step.inputs[0]), left_fields);
        let right = pick(&self.schema(step.inputs[1]), right_fields);
        let shape = JoinShape::new(join, &left, &right);
        let (left_key, right_key) = JoinShape::keys(join);
        let sides = [(left_fields.clone(), left.types()), (right_fields.clone(), right.types())];
        let is_plain = join.asof.is_none() && shape.kind() == JoinKind::Inner;
        let fits = |types: &[Type]| types.is_empty() || is_word(types);
        if is_plain
            && left_key.is_word()
            && right_key.is_word()
            && sides.iter().all(|(_, types)| fits(types))
        {
            let [left_value, right_value] =
                sides.map(|(fields, types)| pack_fields::<u64>(fields, types));
            let left = self.key::<u64, u64>(step.inputs[0], left_key, left_value, &meter);
            let outside = step.inputs[1];
            if !self.members.contains(&outside.index()) {
                let (rows, schema) = ((self.around.rows)(outside), self.schema(outside));
                let right = key_rows(rows, schema, right_key, right_value, meter.clone());
                return arrangement::join_inner_outside(left, right, shape, meter);
            }
            let right = self.key(step.inputs[1], right_key, right_value, &meter);
            return arrangement::join_inner(left, right, shape, meter);
        }
        let [left_value, right_value] = pack_sides(join, sides);
        let left = self.key(step.inputs[0], left_key, left_value, &meter);
        let right = self.key(step.inputs[1], right_key, right_value, &meter);
        match join.asof.as_deref().map(AsofShape::new) {
            Some(asof) => arrangement::join_asof(left, right, (&shape, asof), &meter),
            None => arrangement::join(left, right, &shape, &meter),
        }
    }

    /// How many loops there are around, this one included.
    fn level(&self, id: LoopId) -> usize {
        self.around.narrow.plan.chain(id).count()
    }

    /// What changes from round to round goes back to the variable: differential dataflow's
    /// `Variable`, with an end to the rounds.
    fn variable<K: Packed>(
        &mut self,
        idx: usize,
        step: &Step,
        variable: Variable,
    ) -> Batches<'inner, T> {
        let types = step.schema.types();
        let start = self.whole::<K>(step.inputs[0]);
        let level = self.level(variable.of);
        let (handle, again) = self.scope.feedback::<Vec<(K, T, i64)>>(T::one_more(level));
        let rows = start.clone().concat(again);
        let of = &self.around.narrow.plan.loops[variable.of.index()];
        let (n_rounds, is_exact) = (of.rounds, of.exact);
        let row_types = types.clone();
        self.open.insert(
            variable,
            Box::new(move |next| {
                let result = whole::pack(next.rows, row_types, None);
                let minus = start.map(|(row, time, diff)| (row, time, -diff));
                let changes = result.concat(minus);
                // Then a row of the start cancels in the next round.
                let changes = if next.is_reduced {
                    changes
                } else {
                    changes.as_collection().consolidate().inner
                };
                let summary = T::one_more(level);
                changes
                    .clone()
                    .flat_map(move |(row, time, diff)| {
                        let later = summary.results_in(&time);
                        let later = later.filter(|later| later.round(level) <= n_rounds)?;
                        Some((row, later, diff))
                    })
                    .connect_loop(handle);
                (!is_exact).then(|| {
                    let key = overrun_key(variable);
                    changes.flat_map(move |(row, time, diff)| {
                        let is_over = n_rounds <= time.round(level);
                        is_over.then(|| ((key.clone(), row.to_row()), time, diff))
                    })
                })
            }),
        );
        whole::unpack(rows, types, self.meter(idx), count_both)
    }

    /// Tells a variable what it becomes.
    fn next(&mut self, idx: usize, step: &Step, variable: Variable) -> Batches<'inner, T> {
        let become_next =
            self.open.remove(&variable).expect("a variable stands before what it becomes");
        let rows = count_through(self.rows(step.inputs[0]), self.meter(idx));
        let is_reduced = matches!(
            self.around.narrow.plan.steps[step.inputs[0].index()].operator,
            Operator::Distinct | Operator::Group(_) | Operator::Top(_)
        );
        self.overruns.extend(become_next(Next { rows: rows.clone(), is_reduced }));
        rows
    }
}

/// Rows that go through.
fn count_both(counts: &mut Counts, diffs: &[i64]) {
    counts.input.add_all(diffs);
    counts.output.add_all(diffs);
}

/// Brings rows into a loop, where they are the same in every round.
fn enter<'inner, T: Rounds>(rows: Batches<'_>, scope: Scope<'inner, T>) -> Batches<'inner, T> {
    rows.enter(scope).unary::<NoopBuilder<Batch<T>>, _, _, _>(Pipeline, "Enter", |_, _| {
        |input, output| {
            input.for_each(|capability, batch| {
                let Batch { time, rows } = std::mem::take(batch);
                let time = T::entered(time);
                let capability = capability.delayed(&time, 0);
                output.session_with_builder(&capability).give_container(&mut Batch { time, rows });
            });
        }
    })
}

/// The end of a stream, without its rows.
fn end<T: Moment>(rows: Batches<'_, T>) -> Stream<'_, T, Vec<()>> {
    rows.unary::<NoopBuilder<Vec<()>>, _, _, _>(Pipeline, "End", |_, _| {
        |input, _output| input.for_each(|_, _| {})
    })
}
