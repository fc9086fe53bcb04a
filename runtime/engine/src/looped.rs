//! Loops: the steps of a loop stand in a scope of their own, whose times count rounds.
//!
//! A variable is its start in the first round, and then what the round before has made of it.
//! What would change beyond the last round does not go round again: it is the loop's overrun,
//! and the [`gate`](crate::gate) decides what it means. Everything is an arrangement here, since
//! rounds of different epochs are not ordered. Loops with loops in them share one type of time
//! whatever their depth, and the plain ones have a smaller one, so all of it is compiled twice.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use differential_dataflow::AsCollection;
use timely::container::{CapacityContainerBuilder, NoopBuilder};
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::feedback::Handle;
use timely::dataflow::operators::generic::operator::Operator as _;
use timely::dataflow::operators::vec::Map as _;
use timely::dataflow::operators::{Concat, Concatenate, ConnectLoop, Enter, Feedback, Leave};
use timely::dataflow::{Scope, Stream};
use timely::progress::PathSummary;

use arqon_plan::{DataflowPlan, Join, LoopId, Operator, Step, StepId, Variable};
use arqon_types::{ColumnBatch, PackedRow, Schema, Type, Value};

use crate::arrangement::{self, reduce_distinct, reduce_groups, reduce_top};
use crate::asof::{AsofShape, pack_sides};
use crate::batch::{Batch, Batches, Keyed, KeyedRows, Moment, Nested, Rounds, Single};
use crate::group::GroupShape;
use crate::join::{JoinShape, pick};
use crate::keyed::{KeyShape, PackValue, key_rows, pack_columns, pack_nothing};
use crate::map::{count_through, render_map};
use crate::narrow::NarrowPlan;
use crate::recorder::Meter;
use crate::source::push_packed;
use crate::top::TopShape;

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
    /// The rows, each as a key without value.
    pub(crate) rows: KeyedRows<'scope>,
    /// What still changed when the rounds of a variable were at their end: its [`overrun_key`],
    /// and the row.
    pub(crate) overruns: KeyedRows<'scope>,
    /// Ends within the loop that nothing outside hears of otherwise.
    pub(crate) ends: Vec<Ended<'scope>>,
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
        let rows = walk.whole(plan.steps[leave_idx].inputs[0]);
        let overruns = inner.concatenate(walk.overruns);
        Left {
            rows: rows.as_collection().leave(outer).inner,
            overruns: overruns.as_collection().leave(outer).inner,
            ends,
        }
    })
}

/// A variable that has not been told yet what it becomes.
struct Open<'inner, T: Rounds> {
    handle: Handle<'inner, T, Vec<Keyed<T>>>,
    start: KeyedRows<'inner, T>,
}

/// The walk over the steps of a loop.
struct Walk<'inner, 'scope, 'a, T: Rounds> {
    scope: Scope<'inner, T>,
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

    fn key(
        &mut self,
        input: StepId,
        key: KeyShape,
        value: PackValue,
        meter: &Meter,
    ) -> KeyedRows<'inner, T> {
        key_rows(self.rows(input), self.schema(input), key, value, meter.clone())
    }

    /// Each row as a key without value.
    fn whole(&mut self, input: StepId) -> KeyedRows<'inner, T> {
        pack(self.rows(input), self.schema(input).types())
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
                let meter = self.meter(idx);
                let fields: Vec<usize> = (0..types.len()).collect();
                let key = KeyShape::fields(&fields, &types);
                let rows = self.key(step.inputs[0], key, pack_nothing(), &meter);
                reduce_distinct(rows, types, meter)
            }
            Operator::Top(top) => {
                let meter = self.meter(idx);
                let shape = TopShape::new(top, self.schema(step.inputs[0]).types());
                let key = KeyShape::plain(&top.per);
                let rows = self.key(step.inputs[0], key, shape.pack_value(), &meter);
                reduce_top(rows, shape, types, meter)
            }
            Operator::Variable(variable) => self.variable(idx, step, *variable),
            Operator::Next(variable) => self.next(idx, step, *variable),
            Operator::Leave(of) => {
                let rows = T::leave(self.whole(step.inputs[0]), self.level(*of));
                unpack(rows, types, self.meter(idx))
            }
            Operator::Source(_)
            | Operator::Log(_)
            | Operator::Errors(_)
            | Operator::Route(_)
            | Operator::Arm(_)
            | Operator::Over(_)
            | Operator::Latest(_)
            | Operator::Unique { .. }
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

    fn variable(&mut self, idx: usize, step: &Step, variable: Variable) -> Batches<'inner, T> {
        let start = self.whole(step.inputs[0]);
        let (handle, again) = self.scope.feedback(T::one_more(self.level(variable.of)));
        let rows = start.clone().concat(again);
        self.open.insert(variable, Open { handle, start });
        unpack(rows, step.schema.types(), self.meter(idx))
    }

    /// Sends what changes from round to round back to the variable: differential dataflow's
    /// `Variable`, with an end to the rounds.
    fn next(&mut self, idx: usize, step: &Step, variable: Variable) -> Batches<'inner, T> {
        let Open { handle, start } =
            self.open.remove(&variable).expect("a variable stands before what it becomes");
        let next = count_through(self.rows(step.inputs[0]), self.meter(idx));
        let result = pack(next.clone(), step.schema.types());
        let minus = start.map(|(row, time, diff)| (row, time, -diff));
        let changes = result.concat(minus);
        // What is reduced is consolidated, and a row of the start cancels in the next round.
        let is_reduced = matches!(
            self.around.narrow.plan.steps[step.inputs[0].index()].operator,
            Operator::Distinct | Operator::Group(_) | Operator::Top(_)
        );
        let changes = if is_reduced {
            changes
        } else {
            changes
                .as_collection()
                .arrange_by_key()
                .as_collection(|key, value| (key.clone(), value.clone()))
                .inner
        };
        let of = &self.around.narrow.plan.loops[variable.of.index()];
        let (rounds, level) = (of.rounds, self.level(variable.of));
        let round = move |time: &T| time.round(level);
        let summary = T::one_more(level);
        changes
            .clone()
            .flat_map(move |(row, time, diff)| {
                let later = summary.results_in(&time).filter(|later| round(later) <= rounds)?;
                Some((row, later, diff))
            })
            .connect_loop(handle);
        if !of.exact {
            let key = overrun_key(variable);
            self.overruns.push(changes.flat_map(move |((row, _), time, diff)| {
                (rounds <= round(&time)).then(|| ((key.clone(), row), time, diff))
            }));
        }
        next
    }
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

/// From columns to keys without values.
fn pack<T: Moment>(rows: Batches<'_, T>, types: Vec<Type>) -> KeyedRows<'_, T> {
    type Builder<T> = CapacityContainerBuilder<Vec<Keyed<T>>>;
    rows.unary::<Builder<T>, _, _, _>(Pipeline, "Pack", move |_, _| {
        move |input, output| {
            input.for_each(|capability, batch| {
                let Batch { time, rows } = std::mem::take(batch);
                let capability = capability.delayed(&time, 0);
                let packed = rows.diffs.iter().enumerate().map(|(row_idx, diff)| {
                    let row = pack_columns(&rows.columns, &types, row_idx);
                    ((row, PackedRow::new()), time.clone(), *diff)
                });
                output.session(&capability).give_iterator(packed);
            });
        }
    })
}

/// From keys without values to columns.
fn unpack<T: Moment>(rows: KeyedRows<'_, T>, types: Vec<Type>, meter: Meter) -> Batches<'_, T> {
    rows.unary::<NoopBuilder<Batch<T>>, _, _, _>(Pipeline, "Round", move |_, _| {
        move |input, output| {
            input.for_each(|capability, rows| {
                let mut batches: BTreeMap<T, ColumnBatch> = BTreeMap::new();
                for ((row, _), time, diff) in rows.drain(..) {
                    let batch = batches.entry(time).or_insert_with(|| ColumnBatch::empty(&types));
                    push_packed(batch, &row, &types, diff);
                }
                for (time, batch) in batches {
                    meter.count(time.epoch(), |counts| {
                        counts.input.add_all(&batch.diffs);
                        counts.output.add_all(&batch.diffs);
                        counts.touched += batch.len() as u64;
                    });
                    let capability = capability.delayed(&time, 0);
                    output
                        .session_with_builder(&capability)
                        .give_container(&mut Batch { time, rows: Rc::new(batch) });
                }
            });
        }
    })
}
