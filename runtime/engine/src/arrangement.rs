//! The stateful operators over differential arrangements: one semantics with the hash operators,
//! by other means.
//!
//! All arrangements are of packed keys and packed values, and there is one reduction and one join,
//! so that differential's code is compiled once. Arrangements are never read from outside, so
//! they compact as their readers advance.

use std::collections::BTreeMap;
use std::rc::Rc;

use differential_dataflow::{AsCollection, VecCollection};
use timely::container::{CapacityContainerBuilder, NoopBuilder};
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::operator::Operator;

use arqon_operators::Place;
use arqon_plan::JoinKind;
use arqon_types::{Column, ColumnBatch, PackedRow, Schema, Type, Value};

use crate::batch::{Batch, Batches, Keyed, KeyedRows, Moment};
use crate::group::{GroupShape, is_tick};
use crate::join::JoinShape;
use crate::latest::LatestShape;
use crate::recorder::{Fault, Meter, packed_text};
use crate::session::SessionShape;
use crate::source::push_packed;
use crate::top::TopShape;
use crate::unique::{duplicate, part};

/// Keys and values at times, with diffs.
type KeyedCollection<'scope, T> = VecCollection<'scope, T, (PackedRow, PackedRow), i64>;

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
        let rows = values.iter().filter(|(value, _)| !is_tick(value));
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

/// Set semantics.
pub(crate) fn reduce_distinct<T: Moment>(
    rows: KeyedRows<'_, T>,
    types: Vec<Type>,
    meter: Meter,
) -> Batches<'_, T> {
    let reduction: Reduction = Box::new(|key, values, out| {
        if values.iter().map(|(_, n)| n).sum::<i64>() > 0 {
            out.push((row_of(key), 1));
        }
    });
    reduce(rows, "Distinct", reduction, types, meter)
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
    schema: Schema,
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

/// The one place where differential's join is compiled: the values of equal keys, side by side.
fn join_keyed<'scope, T: Moment>(
    left: KeyedCollection<'scope, T>,
    right: KeyedCollection<'scope, T>,
) -> KeyedCollection<'scope, T> {
    left.arrange_by_key()
        .join_core(right.arrange_by_key(), |_, left, right| Some((left.clone(), right.clone())))
}

/// A left row together with its key: equal rows under different keys have different matches, and
/// a row need not hold the columns that its key was made of.
fn with_key(key: &PackedRow, row: &PackedRow) -> PackedRow {
    let n_key = u32::try_from(key.len()).expect("keys are below 4 GiB");
    let mut left = PackedRow::new();
    left.push_bytes(&n_key.to_be_bytes());
    left.push_bytes(key.as_bytes());
    left.push_bytes(row.as_bytes());
    left
}

/// The row of [`with_key`].
fn without_key(left: &PackedRow) -> PackedRow {
    let (n_key, rest) = left.as_bytes().split_at(KEY_LENGTH_BYTES);
    let n_key = u32::from_be_bytes(n_key.try_into().expect("the length has four bytes"));
    let mut row = PackedRow::new();
    row.push_bytes(&rest[n_key as usize..]);
    row
}

/// Joins of all kinds: pairs are judged by the residual, and the left rows of pairs that pass
/// decide who has a match.
pub(crate) fn join<'scope, T: Moment>(
    left: KeyedRows<'scope, T>,
    right: KeyedRows<'scope, T>,
    shape: &JoinShape,
    meter: &Meter,
) -> Batches<'scope, T> {
    let left: KeyedCollection<'scope, T> = left.as_collection();
    let left = left.map(|(key, row)| {
        let left = with_key(&key, &row);
        (key, left)
    });
    let pairs = join_keyed(left.clone(), right.as_collection());
    let (joined, matching) = judge(pairs.inner, shape.clone(), meter.clone());
    if shape.kind() == JoinKind::Inner {
        return joined;
    }
    // Left rows under themselves as key, and those among them that have a match, each once.
    let left_rows = left.map(|(_, row)| (row.clone(), row));
    let reduction: Reduction = Box::new(|_, values, out| {
        if values.iter().map(|(_, n)| n).sum::<i64>() > 0 {
            out.push((PackedRow::new(), 1));
        }
    });
    let matched = reduce_named(matching.as_collection(), "Matched", reduction);
    let with_match = join_keyed(left_rows.clone(), matched).map(|(row, _)| (row.clone(), row));
    match shape.kind() {
        JoinKind::Inner => joined,
        JoinKind::Semi => left_alone(with_match.inner, shape.clone(), meter.clone()),
        JoinKind::Anti | JoinKind::Left => {
            let without = left_rows.concat(with_match.negate());
            let alone = left_alone(without.inner, shape.clone(), meter.clone());
            if shape.kind() == JoinKind::Left { joined.concat(alone) } else { alone }
        }
    }
}

/// Finished pairs that pass the residual, and the left rows of these pairs.
fn judge<T: Moment>(
    pairs: KeyedRows<'_, T>,
    shape: JoinShape,
    meter: Meter,
) -> (Batches<'_, T>, KeyedRows<'_, T>) {
    let mut builder = OperatorBuilder::new("Judge".to_owned(), pairs.scope());
    let mut input = builder.new_input(pairs, Pipeline);
    let (joined, joined_stream) = builder.new_output::<Batch<T>>();
    let (matching, matching_stream) = builder.new_output::<Vec<Keyed<T>>>();
    let mut joined = OutputBuilder::<T, NoopBuilder<Batch<T>>>::from(joined);
    let mut matching = OutputBuilder::<T, CapacityContainerBuilder<Vec<Keyed<T>>>>::from(matching);
    builder.build(move |capabilities| {
        drop(capabilities);
        move |_| {
            input.for_each(|capability, rows| {
                let mut times: BTreeMap<T, (Vec<PackedRow>, _)> = BTreeMap::new();
                for ((left, right), time, diff) in rows.drain(..) {
                    let (lefts, pairs) =
                        times.entry(time).or_insert_with(|| (Vec::new(), shape.no_pairs()));
                    shape.push(pairs, &without_key(&left), Some(&right), diff);
                    lefts.push(left);
                }
                for (time, (lefts, pairs)) in times {
                    meter.count(time.epoch(), |counts| counts.touched += lefts.len() as u64);
                    let selected = shape.judge(&pairs, |fault, row, diff| {
                        meter.fault(time.epoch(), fault, row, diff);
                    });
                    if shape.kind() != JoinKind::Inner {
                        let capability = capability.delayed(&time, 1);
                        let all = 0..lefts.len();
                        let passing: Vec<usize> = match &selected {
                            None => all.collect(),
                            Some(selected) => selected.iter().map(|at| *at as usize).collect(),
                        };
                        matching.activate().session(&capability).give_iterator(
                            passing.into_iter().map(|at| {
                                (
                                    (lefts[at].clone(), PackedRow::new()),
                                    time.clone(),
                                    pairs.diffs()[at],
                                )
                            }),
                        );
                    }
                    let batch = shape.finish(JoinShape::keep(pairs, selected.as_deref()));
                    if shape.emits_pairs() && !batch.is_empty() {
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
    (joined_stream, matching_stream)
}

/// Left rows without a right side, in the form of the output.
fn left_alone<T: Moment>(rows: KeyedRows<'_, T>, shape: JoinShape, meter: Meter) -> Batches<'_, T> {
    rows.unary::<NoopBuilder<Batch<T>>, _, _, _>(Pipeline, "LeftAlone", move |_, _| {
        move |input, output| {
            input.for_each(|capability, rows| {
                let mut times = BTreeMap::new();
                for ((row, _), time, diff) in rows.drain(..) {
                    let pairs = times.entry(time).or_insert_with(|| shape.no_pairs());
                    shape.push(pairs, &without_key(&row), None, diff);
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
