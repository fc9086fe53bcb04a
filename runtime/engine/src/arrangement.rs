//! The stateful operators over differential arrangements: one semantics with the hash operators,
//! by other means.
//!
//! There is one reduction, of packed keys and packed values, so that differential's code for it is
//! compiled once; inner joins and sets, of which loops are made, have numbers as well, where rows
//! are such. Arrangements are never read from outside, so they compact as their readers advance.

use std::collections::BTreeMap;
use std::iter::{Once, once};
use std::rc::Rc;
use std::sync::Arc;

use differential_dataflow::trace::implementations::{KeyBatcher, KeyBuilder, KeySpine};
use differential_dataflow::trace::{Cursor, Navigable};
use differential_dataflow::{AsCollection, VecCollection};
use timely::container::{CapacityContainerBuilder, NoopBuilder};
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::{Concat, Inspect};

use arqon_operators::Place;
use arqon_plan::{JoinKind, JoinSide};
use arqon_types::{Column, ColumnBatch, PackedRow, Schema, Type, Value};

use crate::along::{OverShape, Said};
use crate::asof::AsofShape;
use crate::batch::{Batch, Batches, Keyed, KeyedRows, Moment, Rounds, WholeRows};
use crate::group::{GroupShape, is_tick};
use crate::join::{JoinShape, Pairs};
use crate::latest::LatestShape;
use crate::map::Stages;
use crate::memory::row_bytes;
use crate::ordered::{packed, split_order_of};
use crate::packed::Packed;
use crate::recorder::{Fault, Meter, packed_text};
use crate::session::SessionShape;
use crate::source::push_packed;
use crate::stats::Counts;
use crate::top::TopShape;
use crate::unique::{duplicate, part};
use crate::whole;

/// Keys and values at times, with diffs.
type KeyedCollection<'scope, T, K = PackedRow, V = PackedRow> =
    VecCollection<'scope, T, (K, V), i64>;

/// The rows that a key's values come to: each a [`row_of`] or a [`fault_of`].
type Reduction = Box<dyn Fn(&PackedRow, &[(&PackedRow, i64)], &mut Vec<(PackedRow, i64)>)>;

const ROW: u8 = 0;
const FAULT: u8 = 1;
/// Bytes before a left row's key that say how long it is.
const KEY_LENGTH_BYTES: usize = 4;

/// A row of the output.
fn row_of(row: &PackedRow) -> PackedRow {
    let mut tagged = PackedRow::new();
    tagged.push_bytes(&[ROW]);
    tagged.push_bytes(row.as_bytes());
    tagged
}

/// A row of the node's errors.
fn fault_of(fault: &Fault, row: &str) -> PackedRow {
    let mut tagged = PackedRow::new();
    tagged.push_bytes(&[FAULT]);
    for text in [&*fault.code, fault.message.as_str(), row] {
        tagged.push_value(&Value::string(text), &Type::String);
    }
    for number in [fault.place.line, fault.place.column] {
        tagged.push_value(&Value::Int(i64::from(number)), &Type::Int64);
    }
    tagged
}

fn read_fault(bytes: &[u8]) -> (Fault, String) {
    let types = [Type::String, Type::String, Type::String, Type::Int64, Type::Int64];
    let mut packed = PackedRow::new();
    packed.push_bytes(bytes);
    let values = packed.unpack(&types);
    let text = |idx: usize| match &values[idx] {
        Value::String(text) => text.to_string(),
        other => panic!("a fault has texts, not {other:?}"),
    };
    let number = |idx: usize| match &values[idx] {
        Value::Int(number) => u32::try_from(*number).expect("places were packed from u32"),
        other => panic!("a fault has a place, not {other:?}"),
    };
    let place = Place { line: number(3), column: number(4) };
    (Fault { code: text(0).into(), message: text(1), place }, text(2))
}

/// Aggregation.
pub(crate) fn reduce_groups<T: Moment>(
    rows: KeyedRows<'_, T>,
    shape: GroupShape,
    types: Vec<Type>,
    meter: Meter,
) -> Batches<'_, T> {
    let reduction: Reduction = Box::new(move |key, values, out| {
        let mut state = shape.empty();
        let columns = shape.unpack(values.iter().map(|(value, _)| *value));
        let columns: Vec<&Column> = columns.iter().collect();
        let rows = values.iter().filter(|(value, _)| !is_tick(*value));
        for (row_idx, (_, n)) in rows.enumerate() {
            shape.accumulate(&mut state, &columns, row_idx, *n);
        }
        if shape.exists(&state) {
            let row = match shape.finish(key, &state) {
                Ok(row) => row_of(&row),
                Err(fault) => fault_of(&fault, &shape.key_text(key)),
            };
            out.push((row, 1));
        }
    });
    reduce(rows, "Group", reduction, types, meter)
}

/// Set semantics, of rows in the form `K`.
pub(crate) fn reduce_distinct<T: Moment, K: Packed>(
    rows: KeyedRows<'_, T, K, ()>,
    meter: Meter,
) -> WholeRows<'_, T, K> {
    type Spine<K, T> = KeySpine<K, T, i64>;
    type Builder<K, T> = CapacityContainerBuilder<Vec<(K, T, i64)>>;
    let rows = rows.as_collection();
    let arranged = rows.arrange_named::<_, Spine<K, T>>("Arrange: Distinct", KeyBatcher::new);
    let distinct = arranged.reduce_abelian::<_, KeyBuilder<K, T, i64>, Spine<K, T>, _, _>(
        "Distinct",
        |_, n, out| out.push(((), i64::from(n[0].1 > 0))),
        |rows, key, changes| {
            rows.clear();
            rows.extend(changes.drain(..).map(|((), time, diff)| ((key.clone(), ()), time, diff)));
        },
    );
    distinct.stream.unary::<Builder<K, T>, _, _, _>(Pipeline, "Once", move |_, _| {
        move |input, output| {
            input.for_each(|capability, spans| {
                let mut rows = Vec::new();
                for batch in spans.iter().filter_map(|span| span.inner.as_ref()) {
                    let mut cursor = batch.cursor();
                    while let Some(key) = cursor.get_key(batch) {
                        cursor.map_times(batch, |time, diff| {
                            rows.push((key.clone(), time.clone(), *diff));
                        });
                        cursor.step_key(batch);
                    }
                }
                whole::count_rows(&meter, &rows, Counts::put_out);
                output.session(&capability).give_container(&mut rows);
            });
        }
    })
}

/// The first rows of each group.
pub(crate) fn reduce_top<T: Moment>(
    rows: KeyedRows<'_, T>,
    shape: TopShape,
    types: Vec<Type>,
    meter: Meter,
) -> Batches<'_, T> {
    let reduction: Reduction = Box::new(move |_, values, out| {
        let chosen = shape.choose(values.iter().map(|(row, n)| (*row, *n)));
        out.extend(chosen.iter().map(|(row, n)| (row_of(row), *n)));
    });
    reduce(rows, "Top", reduction, types, meter)
}

/// Each row with values along an order.
pub(crate) fn reduce_over(
    rows: KeyedRows<'_>,
    shape: OverShape,
    types: Vec<Type>,
    meter: Meter,
) -> Batches<'_> {
    let reduction: Reduction = Box::new(move |_, values, out| {
        let copies = shape.copies(values.iter().map(|(row, n)| (*row, *n)));
        let said = shape.say(&copies, 0..copies.len(), copies.first(), &mut shape.no_rows());
        out.extend(said.into_iter().map(|(said, n)| match said {
            Said::Row(row) => (row_of(&row), n),
            Said::Fault(fault, row) => (fault_of(&fault, &row), n),
        }));
    });
    reduce(rows, "Over", reduction, types, meter)
}

/// The last row of each key.
pub(crate) fn reduce_latest(
    rows: KeyedRows<'_>,
    shape: LatestShape,
    types: Vec<Type>,
    meter: Meter,
) -> Batches<'_> {
    let reduction: Reduction = Box::new(move |_, values, out| {
        let last = values.iter().rev().find(|(_, n)| *n > 0);
        out.extend(last.map(|(value, _)| (row_of(&shape.row(value)), 1)));
    });
    reduce(rows, "Latest", reduction, types, meter)
}

/// One row per key.
pub(crate) fn reduce_unique<T: Moment>(
    rows: KeyedRows<'_, T>,
    schema: Arc<Schema>,
    meter: Meter,
) -> Batches<'_, T> {
    let types = schema.types();
    let reduction: Reduction = Box::new(move |_, values, out| {
        let (least, others) = part(values.iter().map(|(row, n)| (*row, *n)));
        out.extend(least.iter().map(|row| (row_of(row), 1)));
        let fault = duplicate();
        out.extend(
            others.iter().map(|(row, n)| (fault_of(&fault, &packed_text(&schema, row)), *n)),
        );
    });
    reduce(rows, "Unique", reduction, types, meter)
}

/// Rows with the bounds of their sessions.
pub(crate) fn reduce_sessions<T: Moment>(
    rows: KeyedRows<'_, T>,
    shape: SessionShape,
    types: Vec<Type>,
    meter: Meter,
) -> Batches<'_, T> {
    let reduction: Reduction = Box::new(move |_, values, out| {
        let rows = shape.rows(values.iter().map(|(row, n)| (*row, *n)));
        out.extend(rows.iter().map(|(row, n)| (row_of(row), *n)));
    });
    reduce(rows, "Session", reduction, types, meter)
}

fn reduce<'scope, T: Moment>(
    rows: KeyedRows<'scope, T>,
    name: &'static str,
    reduction: Reduction,
    types: Vec<Type>,
    meter: Meter,
) -> Batches<'scope, T> {
    let rows = weighed(rows, meter.clone());
    let reduced = reduce_named(rows.as_collection(), name, reduction);
    unpack(reduced.inner, types, meter)
}

/// The one place where differential's reduction is compiled.
fn reduce_named<'scope, T: Moment>(
    rows: KeyedCollection<'scope, T>,
    name: &str,
    reduction: Reduction,
) -> KeyedCollection<'scope, T> {
    rows.reduce_named(name, move |key, values: &[(&PackedRow, i64)], out| {
        reduction(key, values, out);
    })
}

/// From tagged rows to columns and errors.
fn unpack<T: Moment>(rows: KeyedRows<'_, T>, types: Vec<Type>, meter: Meter) -> Batches<'_, T> {
    rows.unary::<NoopBuilder<Batch<T>>, _, _, _>(Pipeline, "Unpack", move |_, _| {
        move |input, output| {
            input.for_each(|capability, rows| {
                let mut batches: BTreeMap<T, ColumnBatch> = BTreeMap::new();
                for ((_, tagged), time, diff) in rows.drain(..) {
                    let (tag, bytes) = tagged.as_bytes().split_at(1);
                    if tag == [FAULT] {
                        let (fault, row) = read_fault(bytes);
                        meter.fault(time.epoch(), &fault, row, diff);
                        continue;
                    }
                    let mut row = PackedRow::new();
                    row.push_bytes(bytes);
                    let batch = batches.entry(time).or_insert_with(|| ColumnBatch::empty(&types));
                    push_packed(batch, &row, &types, diff);
                }
                for (time, batch) in batches {
                    meter.count(time.epoch(), |counts| {
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

/// The values of equal keys, side by side.
fn join_keyed<'scope, T: Moment, K: Packed, V: Packed>(
    left: KeyedCollection<'scope, T, K, V>,
    right: KeyedCollection<'scope, T, K, V>,
) -> KeyedCollection<'scope, T, V, V> {
    left.arrange_by_key().join_core(right.arrange_by_key(), side_by_side)
}

/// The values of a pair, whatever their key.
fn side_by_side<K, V: Packed>(_: &K, left: &V, right: &V) -> Once<(V, V)> {
    once((left.clone(), right.clone()))
}

/// A row together with its key: equal rows under different keys have different matches, and a row
/// need not hold the columns that its key was made of.
fn with_key(key: &PackedRow, row: &PackedRow) -> PackedRow {
    let n_key = u32::try_from(key.len()).expect("keys are below 4 GiB");
    let mut keyed = PackedRow::new();
    keyed.push_bytes(&n_key.to_be_bytes());
    keyed.push_bytes(key.as_bytes());
    keyed.push_bytes(row.as_bytes());
    keyed
}

/// The row of [`with_key`].
fn without_key(keyed: &PackedRow) -> &[u8] {
    let (n_key, rest) = keyed.as_bytes().split_at(KEY_LENGTH_BYTES);
    let n_key = u32::from_be_bytes(n_key.try_into().expect("the length has four bytes"));
    &rest[n_key as usize..]
}

/// Counts what the rows of an arrangement take, as they come and go.
pub(crate) fn weighed<T: Moment, K: Packed, V: Packed>(
    rows: KeyedRows<'_, T, K, V>,
    meter: Meter,
) -> KeyedRows<'_, T, K, V> {
    rows.inspect_core(move |event| {
        let Ok((_, rows)) = event else { return };
        for rows in rows.chunk_by(|a, b| a.1.epoch() == b.1.epoch()) {
            let row = |((key, value), _, diff): &Keyed<T, K, V>| row_bytes(key, value) * diff;
            let n_bytes = rows.iter().map(row).sum::<i64>();
            meter.count(rows[0].1.epoch(), |counts| counts.bytes += n_bytes);
        }
    })
}

/// Rows with their keys, still under their keys.
fn all_with_key<'scope, T: Moment>(
    rows: KeyedRows<'scope, T>,
    meter: &Meter,
) -> KeyedCollection<'scope, T> {
    let rows: KeyedCollection<'_, T> = weighed(rows, meter.clone()).as_collection();
    rows.map(|(key, row)| {
        let keyed = with_key(&key, &row);
        (key, keyed)
    })
}

/// Rows under themselves, and those of them that have a match.
fn matched<'scope, T: Moment>(
    rows: KeyedCollection<'scope, T>,
    matching: KeyedRows<'scope, T>,
) -> [KeyedCollection<'scope, T>; 2] {
    let rows = rows.map(|(_, row)| (row.clone(), row));
    let reduction: Reduction = Box::new(|_, values, out| {
        if values.iter().map(|(_, n)| n).sum::<i64>() > 0 {
            out.push((PackedRow::new(), 1));
        }
    });
    // Each once, whatever it matches.
    let once = reduce_named(matching.as_collection(), "Matched", reduction);
    let with_match = join_keyed(rows.clone(), once).map(|(row, _)| (row.clone(), row));
    [rows, with_match]
}

/// The inner join: it matters only which pairs there are.
pub(crate) fn join_inner<'scope, T: Moment, K: Packed, V: Packed>(
    left: KeyedRows<'scope, T, K, V>,
    right: KeyedRows<'scope, T, K, V>,
    finish: Finish,
) -> Batches<'scope, T> {
    let meter = &finish.meter;
    let [left, right] = [left, right].map(|rows| weighed(rows, meter.clone()).as_collection());
    finish_pairs(join_keyed(left, right).inner, finish)
}

/// The same within a loop, with rows from outside, whose arrangement needs no rounds. What the left
/// rows take was counted before.
pub(crate) fn join_inner_outside<'scope, T: Rounds>(
    left: KeyedRows<'scope, T, u64, u64>,
    right: KeyedRows<'_, u64, u64, u64>,
    finish: Finish,
) -> Batches<'scope, T> {
    let scope = left.scope();
    let right = weighed(right, finish.meter.clone()).as_collection().arrange_by_key();
    let left = left.as_collection().arrange_by_key();
    finish_pairs(left.join_core(right.enter(scope), side_by_side).inner, finish)
}

/// The same of numbers, of which one side's are all that is wanted.
pub(crate) fn join_chosen<'scope, T: Rounds>(
    left: KeyedRows<'scope, T, u64, u64>,
    right: KeyedRows<'_, u64, u64, u64>,
    (side, meter): (JoinSide, Meter),
) -> WholeRows<'scope, T, u64> {
    let scope = left.scope();
    let right = weighed(right, meter).as_collection().arrange_by_key().enter(scope);
    let choose = move |_: &u64, left: &u64, right: &u64| match side {
        JoinSide::Left => once(*left),
        JoinSide::Right => once(*right),
    };
    left.as_collection().arrange_by_key().join_core(right, choose).inner
}

/// What becomes of the pairs of an inner join.
pub(crate) struct Finish {
    /// How they are judged, and what is kept of them.
    pub(crate) shape: JoinShape,
    /// The join's.
    pub(crate) meter: Meter,
    /// The stages that alone read them.
    pub(crate) stages: Option<Stages>,
}

/// Pairs of values in their final form.
fn finish_pairs<T: Moment, V: Packed>(
    pairs: KeyedRows<'_, T, V, V>,
    Finish { shape, meter, stages }: Finish,
) -> Batches<'_, T> {
    pairs.unary::<NoopBuilder<Batch<T>>, _, _, _>(Pipeline, "Pairs", move |_, _| {
        move |input, output| {
            input.for_each(|capability, rows| {
                let mut times: BTreeMap<T, Pairs> = BTreeMap::new();
                for same in rows.chunk_by(|a, b| a.1 == b.1) {
                    let pairs = times.entry(same[0].1.clone()).or_insert_with(|| shape.no_pairs());
                    for ((left, right), _, diff) in same {
                        left.with_bytes(|left| {
                            right.with_bytes(|right| {
                                shape.push(pairs, Some(left), Some(right), *diff);
                            });
                        });
                    }
                }
                for (time, pairs) in times {
                    let epoch = time.epoch();
                    let n_pairs = pairs.len();
                    let selected = shape.judge(&pairs, |fault, row, diff| {
                        meter.fault(epoch, fault, row, diff);
                    });
                    let batch = shape.finish(JoinShape::keep(pairs, selected.as_deref()));
                    meter.count(epoch, |counts| {
                        counts.touched += n_pairs as u64;
                        counts.output.add_all(&batch.diffs);
                    });
                    let mut rows = Rc::new(batch);
                    if let Some(stages) = &stages {
                        rows = stages.run(epoch, rows);
                    }
                    if !rows.is_empty() {
                        let capability = capability.delayed(&time, 0);
                        output
                            .session_with_builder(&capability)
                            .give_container(&mut Batch { time, rows });
                    }
                }
            });
        }
    })
}

/// Joins where matches count: pairs are judged by the residual, and the rows of pairs that pass
/// decide who has a match.
pub(crate) fn join<'scope, T: Moment>(
    left: KeyedRows<'scope, T>,
    right: KeyedRows<'scope, T>,
    shape: &JoinShape,
    meter: &Meter,
) -> Batches<'scope, T> {
    if shape.kind() == JoinKind::Inner {
        let finish = Finish { shape: shape.clone(), meter: meter.clone(), stages: None };
        return join_inner(left, right, finish);
    }
    let (left, right) = (all_with_key(left, meter), all_with_key(right, meter));
    let pairs = join_keyed(left.clone(), right.clone());
    let Judged { joined, left: left_matching, right: right_matching } =
        judge(pairs.inner, Judge::Residual, shape.clone(), meter.clone());
    let alone = |rows: KeyedCollection<'scope, T>, side: JoinSide| {
        let by = Judge::Residual;
        rows_alone(rows.inner, side, (shape.clone(), by), meter.clone())
    };
    match shape.kind() {
        JoinKind::Inner => unreachable!("it was answered above"),
        JoinKind::Semi => {
            let [_, with_match] = matched(left, left_matching);
            alone(with_match, JoinSide::Left)
        }
        JoinKind::Anti | JoinKind::Left => {
            let [rows, with_match] = matched(left, left_matching);
            let alone = alone(rows.concat(with_match.negate()), JoinSide::Left);
            if shape.kind() == JoinKind::Left { joined.concat(alone) } else { alone }
        }
        JoinKind::Full => {
            let [rows, with_match] = matched(left, left_matching);
            let left_alone = alone(rows.concat(with_match.negate()), JoinSide::Left);
            let [rows, with_match] = matched(right, right_matching);
            let right_alone = alone(rows.concat(with_match.negate()), JoinSide::Right);
            joined.concat(left_alone).concat(right_alone)
        }
    }
}

/// The asof join: of the pairs that the times admit and that pass the residual, each left row
/// keeps the one with the last right row.
pub(crate) fn join_asof<'scope, T: Moment>(
    left: KeyedRows<'scope, T>,
    right: KeyedRows<'scope, T>,
    (shape, asof): (&JoinShape, AsofShape),
    meter: &Meter,
) -> Batches<'scope, T> {
    let left = all_with_key(left, meter);
    let pairs = join_keyed(left.clone(), all_with_key(right, meter));
    let Judged { left: admitted, .. } =
        judge(pairs.inner, Judge::Asof(asof), shape.clone(), meter.clone());
    let reduction: Reduction = Box::new(|_, values, out| {
        let last = values.iter().rev().find(|(_, n)| *n > 0);
        out.extend(last.map(|(right, _)| ((*right).clone(), 1)));
    });
    let latest = reduce_named(admitted.as_collection(), "Latest", reduction);
    let rows = left.map(|(_, row)| (row.clone(), row));
    let pairs = join_keyed(rows.clone(), latest);
    let with_match = pairs.clone().map(|(left, _)| (left.clone(), left));
    let joined = judge(pairs.inner, Judge::Chosen, shape.without_residual(), meter.clone()).joined;
    if shape.kind() == JoinKind::Inner {
        return joined;
    }
    let without = rows.concat(with_match.negate());
    let all = (shape.clone(), Judge::Chosen);
    joined.concat(rows_alone(without.inner, JoinSide::Left, all, meter.clone()))
}

/// What decides whether a pair counts.
#[derive(Debug, Clone)]
enum Judge {
    /// The residual; the values are rows.
    Residual,
    /// The times, then the residual; the values are rows in the order of their times.
    Asof(AsofShape),
    /// All pairs count; the values are likewise ordered.
    Chosen,
}

impl Judge {
    fn admits(&self, left: &PackedRow, right: &PackedRow) -> bool {
        match self {
            Self::Residual | Self::Chosen => true,
            Self::Asof(asof) => {
                asof.admits(&packed(without_key(left)), &packed(without_key(right)))
            }
        }
    }

    /// The row of a value.
    fn row<'a>(&self, keyed: &'a PackedRow) -> &'a [u8] {
        match self {
            Self::Residual => without_key(keyed),
            Self::Asof(_) | Self::Chosen => split_order_of(without_key(keyed)).1,
        }
    }
}

/// Finished pairs that count, and the rows of these pairs: left rows (with the right row beside
/// them for an asof join), right rows for a full join.
struct Judged<'scope, T: Moment> {
    joined: Batches<'scope, T>,
    left: KeyedRows<'scope, T>,
    right: KeyedRows<'scope, T>,
}

fn judge<T: Moment>(
    pairs: KeyedRows<'_, T>,
    by: Judge,
    shape: JoinShape,
    meter: Meter,
) -> Judged<'_, T> {
    let mut builder = OperatorBuilder::new("Judge".to_owned(), pairs.scope());
    let mut input = builder.new_input(pairs, Pipeline);
    let (joined, joined_stream) = builder.new_output::<Batch<T>>();
    let (left, left_stream) = builder.new_output::<Vec<Keyed<T>>>();
    let (right, right_stream) = builder.new_output::<Vec<Keyed<T>>>();
    let mut joined = OutputBuilder::<T, NoopBuilder<Batch<T>>>::from(joined);
    let mut sides =
        [left, right].map(OutputBuilder::<T, CapacityContainerBuilder<Vec<Keyed<T>>>>::from);
    let is_asof = matches!(by, Judge::Asof(_));
    let wanted = match (shape.kind(), &by) {
        (_, Judge::Asof(_)) => [true, false],
        (_, Judge::Chosen) | (JoinKind::Inner, _) => [false, false],
        (JoinKind::Left | JoinKind::Semi | JoinKind::Anti, _) => [true, false],
        (JoinKind::Full, _) => [true, true],
    };
    builder.build(move |capabilities| {
        drop(capabilities);
        move |_| {
            input.for_each(|capability, rows| {
                let mut times: BTreeMap<T, (Vec<[PackedRow; 2]>, _)> = BTreeMap::new();
                for ((left, right), time, diff) in rows.drain(..) {
                    if !by.admits(&left, &right) {
                        continue;
                    }
                    let (keyed, pairs) =
                        times.entry(time).or_insert_with(|| (Vec::new(), shape.no_pairs()));
                    shape.push(pairs, Some(by.row(&left)), Some(by.row(&right)), diff);
                    if wanted.contains(&true) {
                        keyed.push([left, right]);
                    }
                }
                for (time, (keyed, pairs)) in times {
                    let n_pairs = pairs.diffs().len();
                    meter.count(time.epoch(), |counts| counts.touched += n_pairs as u64);
                    let selected = shape.judge(&pairs, |fault, row, diff| {
                        meter.fault(time.epoch(), fault, row, diff);
                    });
                    let all = || (0..n_pairs).collect();
                    let passing: Vec<usize> = selected.as_ref().map_or_else(all, |selected| {
                        selected.iter().map(|at| *at as usize).collect()
                    });
                    for (side, output) in sides.iter_mut().enumerate().filter(|it| wanted[it.0]) {
                        let capability = capability.delayed(&time, side + 1);
                        let beside = |at: usize| {
                            if is_asof { keyed[at][1].clone() } else { PackedRow::new() }
                        };
                        output.activate().session(&capability).give_iterator(passing.iter().map(
                            |at| {
                                let row = (keyed[*at][side].clone(), beside(*at));
                                (row, time.clone(), pairs.diffs()[*at])
                            },
                        ));
                    }
                    if is_asof || !shape.kind().pairs_up() {
                        continue;
                    }
                    let batch = shape.finish(JoinShape::keep(pairs, selected.as_deref()));
                    if !batch.is_empty() {
                        meter.count(time.epoch(), |counts| counts.output.add_all(&batch.diffs));
                        let capability = capability.delayed(&time, 0);
                        joined
                            .activate()
                            .session_with_builder(&capability)
                            .give_container(&mut Batch { time, rows: Rc::new(batch) });
                    }
                }
            });
        }
    });
    Judged { joined: joined_stream, left: left_stream, right: right_stream }
}

/// Rows of a side without the other one, in the form of the output.
fn rows_alone<T: Moment>(
    rows: KeyedRows<'_, T>,
    side: JoinSide,
    (shape, by): (JoinShape, Judge),
    meter: Meter,
) -> Batches<'_, T> {
    rows.unary::<NoopBuilder<Batch<T>>, _, _, _>(Pipeline, "Alone", move |_, _| {
        move |input, output| {
            input.for_each(|capability, rows| {
                let mut times = BTreeMap::new();
                for ((row, _), time, diff) in rows.drain(..) {
                    let pairs = times.entry(time).or_insert_with(|| shape.no_pairs());
                    let row = Some(by.row(&row));
                    let [left, right] = match side {
                        JoinSide::Left => [row, None],
                        JoinSide::Right => [None, row],
                    };
                    shape.push(pairs, left, right, diff);
                }
                for (time, pairs) in times {
                    let batch = shape.finish(pairs);
                    meter.count(time.epoch(), |counts| {
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
