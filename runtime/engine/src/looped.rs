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
use timely::dataflow::Scope;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator as _;
use timely::dataflow::operators::{Concat, Concatenate, Enter, Leave};

use arqon_plan::{
    DataflowPlan, Join, JoinKind, LoopId, Map, Operator, Step, StepId, Variable, chosen_side,
};
use arqon_types::{PackedRow, Schema, Type, Value, is_word};

use crate::arrangement::{self, Finish, reduce_distinct, reduce_groups, reduce_top, weighed};
use crate::asof::{AsofShape, pack_sides};
use crate::batch::{Batch, Batches, KeyedRows, Nested, Rounds, Single, WholeRows};
use crate::form::{Ended, Form, Rows};
use crate::group::GroupShape;
use crate::join::{JoinShape, pick};
use crate::keyed::{KeyShape, PackValue, key_rows, pack_fields};
use crate::map::{Stages, render_map, unite};
use crate::narrow::NarrowPlan;
use crate::packed::Packed;
use crate::recorder::Meter;
use crate::stats::{Count, Counts};
use crate::top::TopShape;
use crate::variable::{TakenBack, Turns, open};
use crate::whole::{self, Beside, count_rows, counted, key_words, unite_words};

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
    /// Whether each of them comes once in an epoch, and none while the loop does not rest.
    pub(crate) are_settled: bool,
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
        let last = plan.steps[leave_idx].inputs[0];
        for idx in members.iter().copied() {
            let step = &plan.steps[idx];
            let id = StepId::at(idx);
            let rows = walk.done.remove(&id).unwrap_or_else(|| walk.step(idx, step));
            // The rounds of a variable that does not lead out may come to their end later.
            let is_variable = matches!(step.operator, Operator::Variable(_));
            if !read.contains(&id) || is_variable && id != last {
                ends.push(rows.end().leave(outer));
            }
            walk.done.insert(id, rows);
        }
        let rows = if is_word(&plan.steps[last.index()].schema.types()) {
            Whole::Words(walk.whole(last).as_collection().leave(outer).inner)
        } else {
            Whole::Rows(walk.whole(last).as_collection().leave(outer).inner)
        };
        let overruns = match walk.overruns.len() {
            1 => walk.overruns.swap_remove(0),
            _ => inner.concatenate(walk.overruns),
        };
        let overruns = overruns.as_collection().leave(outer).inner;
        Left { rows, are_settled: false, overruns, ends }
    })
}

/// A variable that has not been told yet what it becomes: tells it, and gives its overrun.
type Open<'inner, T> = Box<dyn FnOnce(&mut Walk<'inner, '_, '_, T>, StepId, Meter) + 'inner>;

/// The walk over the steps of a loop.
struct Walk<'inner, 'scope, 'a, T: Rounds> {
    scope: Scope<'inner, T>,
    /// The steps of the loop.
    members: &'a [usize],
    around: &'a Surroundings<'scope, 'a>,
    /// Steps of the loop, and steps outside that have been brought in.
    done: BTreeMap<StepId, Rows<'inner, T>>,
    open: BTreeMap<Variable, Open<'inner, T>>,
    overruns: Vec<KeyedRows<'inner, T>>,
}

impl<'inner, 'scope, 'a, T: Rounds> Walk<'inner, 'scope, 'a, T> {
    fn meter(&self, idx: usize) -> Meter {
        (self.around.meters)(idx).swap_remove(0)
    }

    fn schema(&self, id: StepId) -> Arc<Schema> {
        self.around.narrow.plan.steps[id.index()].schema.clone()
    }

    /// What is known of a step's rows; those from outside are brought in.
    fn known(&mut self, id: StepId) -> &mut Rows<'inner, T> {
        let (around, scope) = (self.around, self.scope);
        self.done.entry(id).or_insert_with(|| Rows::columns(enter((around.rows)(id), scope)))
    }

    fn rows(&mut self, id: StepId) -> Batches<'inner, T> {
        let types = self.schema(id).types();
        let known = self.known(id);
        let unpacked = match known.clone() {
            Rows { columns: Some(rows), .. } => rows,
            Rows { words: Some(rows), .. } => whole::unpack(rows, types, |_, _| {}),
            Rows { packed: Some(rows), .. } => whole::unpack(rows, types, |_, _| {}),
            Rows { columns: None, words: None, packed: None } => unreachable!("rows have a form"),
        };
        known.columns.insert(unpacked).clone()
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
    fn whole<K: Form>(&mut self, id: StepId) -> WholeRows<'inner, T, K> {
        if let Some(rows) = K::of(self.known(id)) {
            return rows.clone();
        }
        let packed = whole::pack(self.rows(id), self.schema(id).types());
        K::of(self.known(id)).insert(packed).clone()
    }

    fn step(&mut self, idx: usize, step: &Step) -> Rows<'inner, T> {
        let types = step.schema.types();
        Rows::columns(match &step.operator {
            Operator::Map(map) => {
                let stages =
                    Stages::new(map, self.schema(step.inputs[0]), (self.around.meters)(idx));
                render_map(self.rows(step.inputs[0]), stages)
            }
            Operator::Union if is_word(&types) && self.has_words(&step.inputs) => {
                let streams = step.inputs.iter().map(|id| self.whole(*id)).collect();
                return Rows::whole(unite_words(self.scope, streams, self.meter(idx)));
            }
            Operator::Union => {
                let streams = step.inputs.iter().map(|id| self.rows(*id)).collect();
                unite(self.scope, streams, self.meter(idx))
            }
            Operator::Join(join) => return self.join(idx, step, join),
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
            Operator::Distinct if is_word(&types) => return self.distinct::<u64>(idx, step),
            Operator::Distinct => return self.distinct::<PackedRow>(idx, step),
            Operator::Top(top) => {
                let meter = self.meter(idx);
                let shape = TopShape::new(top, self.schema(step.inputs[0]).types());
                let key = KeyShape::plain(&top.per);
                let rows = self.key(step.inputs[0], key, shape.pack_value(), &meter);
                reduce_top(rows, shape, types, meter)
            }
            Operator::Variable(variable) if is_word(&types) => {
                return self.variable::<u64>(step, *variable, self.meter(idx));
            }
            Operator::Variable(variable) => {
                return self.variable::<PackedRow>(step, *variable, self.meter(idx));
            }
            Operator::Next(variable) => {
                let become_next =
                    self.open.remove(variable).expect("a variable stands before what it becomes");
                let meter = self.meter(idx);
                become_next(self, step.inputs[0], meter);
                return self.known(step.inputs[0]).clone();
            }
            Operator::Leave(of) => {
                let rows = self.whole::<PackedRow>(step.inputs[0]);
                let rows = T::leave(rows, self.level(*of));
                let meter = self.meter(idx);
                whole::unpack(rows, types, move |epoch, diffs| {
                    let mut passed = Count::default();
                    passed.add_all(diffs);
                    meter.count(epoch, |counts| counts.pass(passed));
                })
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
        })
    }

    /// Whether some of these steps give numbers without being asked to.
    fn has_words(&self, ids: &[StepId]) -> bool {
        ids.iter().any(|id| self.done.get(id).is_some_and(|rows| rows.words.is_some()))
    }

    fn distinct<K: Form>(&mut self, idx: usize, step: &Step) -> Rows<'inner, T> {
        let (input, meter) = (step.inputs[0], self.meter(idx));
        let keys = match K::of(self.known(input)).clone() {
            Some(rows) => whole::key_whole(rows, meter.clone()),
            None => whole::pack_keys(self.rows(input), step.schema.types(), meter.clone()),
        };
        Rows::whole(reduce_distinct::<T, K>(keys, meter))
    }

    fn join(&mut self, idx: usize, step: &Step, join: &Join) -> Rows<'inner, T> {
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
            let n_left = left_fields.len();
            let work = WordJoin { inputs: &step.inputs, keys: [left_key, right_key], sides };
            let reader = self.only_reader(id);
            let outside = !self.members.contains(&step.inputs[1].index());
            let chosen = reader.and_then(|(_, map)| chosen_side(join, n_left, map));
            let rows = match (chosen, reader) {
                (Some(side), Some((reader, _))) if outside => {
                    let (left, right) = self.word_sides(work, &meter);
                    let words = arrangement::join_chosen(left, right, (side, meter.clone()));
                    let stages = (self.around.meters)(reader.index());
                    Rows::whole(counted(words, move |rows| {
                        count_rows(&meter, rows, Counts::put_out);
                        for meter in &stages {
                            count_rows(meter, rows, Counts::pass);
                        }
                    }))
                }
                _ => {
                    let stages = reader.map(|(reader, map)| {
                        Stages::new(map, self.schema(id), (self.around.meters)(reader.index()))
                    });
                    let finish = Finish { shape, meter, stages };
                    Rows::columns(self.join_words(work, finish))
                }
            };
            if let Some((reader, _)) = reader {
                self.done.insert(reader, rows.clone());
            }
            return rows;
        }
        let [left_value, right_value] = pack_sides(join, sides);
        let left = self.key(step.inputs[0], left_key, left_value, &meter);
        let right = self.key(step.inputs[1], right_key, right_value, &meter);
        Rows::columns(match join.asof.as_deref().map(AsofShape::new) {
            Some(asof) => arrangement::join_asof(left, right, (&shape, asof), &meter),
            None => arrangement::join(left, right, &shape, &meter),
        })
    }

    /// The inner join of rows whose keys are numbers, and whose values are such or nothing.
    fn join_words(&mut self, work: WordJoin<'_>, finish: Finish) -> Batches<'inner, T> {
        if !self.members.contains(&work.inputs[1].index()) {
            let (left, right) = self.word_sides(work, &finish.meter);
            return arrangement::join_inner_outside(left, right, finish);
        }
        let WordJoin { inputs, keys: [left_key, right_key], sides } = work;
        let [left_value, right_value] =
            sides.map(|(fields, types)| pack_fields::<u64>(fields, types));
        let left = self.key::<u64, u64>(inputs[0], left_key, left_value, &finish.meter);
        let right = self.key(inputs[1], right_key, right_value, &finish.meter);
        arrangement::join_inner(left, right, finish)
    }

    /// Both sides of such a join, whose right one is outside; what the left rows take is counted.
    fn word_sides(
        &mut self,
        WordJoin { inputs, keys: [left_key, right_key], sides: [left, right] }: WordJoin<'_>,
        meter: &Meter,
    ) -> (KeyedRows<'inner, T, u64, u64>, KeyedRows<'scope, u64, u64, u64>) {
        let left = match self.known(inputs[0]).words.clone() {
            Some(words) if left_key.is_field(0) => {
                let beside = if left.0.is_empty() { Beside::Nothing } else { Beside::Itself };
                key_words(words, beside, meter.clone())
            }
            _ => {
                let value = pack_fields::<u64>(left.0, left.1);
                weighed(self.key(inputs[0], left_key, value, meter), meter.clone())
            }
        };
        let (rows, schema) = ((self.around.rows)(inputs[1]), self.schema(inputs[1]));
        let value = pack_fields::<u64>(right.0, right.1);
        (left, key_rows(rows, schema, right_key, value, meter.clone()))
    }

    /// How many loops there are around, this one included.
    fn level(&self, id: LoopId) -> usize {
        self.around.narrow.plan.chain(id).count()
    }

    /// The map that alone reads a step, and is rendered with the step then.
    fn only_reader(&self, id: StepId) -> Option<(StepId, &'a Map)> {
        let steps = &self.around.narrow.plan.steps;
        let mut readers = steps.iter().enumerate().filter(|(_, step)| step.inputs.contains(&id));
        let (idx, reader) = readers.next().filter(|_| readers.next().is_none())?;
        match &reader.operator {
            Operator::Map(map) => Some((StepId::at(idx), map)),
            _ => None,
        }
    }

    /// What changes from round to round goes back to the variable: differential dataflow's
    /// `Variable`, with an end to the rounds.
    fn variable<K: Form>(
        &mut self,
        step: &Step,
        variable: Variable,
        meter: Meter,
    ) -> Rows<'inner, T> {
        let start = self.whole::<K>(step.inputs[0]);
        let plan = &self.around.narrow.plan;
        let of = &plan.loops[variable.of.index()];
        let is_reduced = is_reduced(plan, variable);
        let turns = Turns {
            level: self.level(variable.of),
            n_rounds: of.rounds,
            overrun: (!of.exact).then(|| overrun_key(variable)),
            taken_back: if is_reduced { TakenBack::ByVariable } else { TakenBack::ByNext },
        };
        let (rows, way_back) = open(start.clone(), turns, meter);
        if is_reduced {
            self.open.insert(
                variable,
                Box::new(move |walk, next, meter| {
                    let changes = walk.whole::<K>(next);
                    walk.overruns.extend(way_back.close(changes, Some(meter)));
                }),
            );
            return Rows::whole(rows);
        }
        self.open.insert(
            variable,
            Box::new(move |walk, next, meter| {
                // Added up, so that a row of the start cancels in the next round.
                let count = move |rows: &[_]| count_rows(&meter, rows, Counts::pass);
                let changes = counted(walk.whole::<K>(next), count).as_collection();
                let changes = changes.concat(start.as_collection().negate()).consolidate();
                walk.overruns.extend(way_back.close(changes.inner, None));
            }),
        );
        Rows::whole(rows)
    }
}

/// A join of numbers: its inputs, their keys, and the fields that are kept of each side.
struct WordJoin<'a> {
    inputs: &'a [StepId],
    keys: [KeyShape; 2],
    sides: [(Vec<usize>, Vec<Type>); 2],
}

/// Whether equal rows of a time have been added up in what a variable becomes.
fn is_reduced(plan: &DataflowPlan, variable: Variable) -> bool {
    let becomes = |step: &&Step| matches!(step.operator, Operator::Next(of) if of == variable);
    let next = plan.steps.iter().find(becomes).expect("a variable becomes something");
    matches!(
        plan.steps[next.inputs[0].index()].operator,
        Operator::Distinct | Operator::Group(_) | Operator::Top(_)
    )
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
