//! Rows that stand for themselves, without a key beside them, between columns and arrangements.

use std::collections::BTreeMap;
use std::rc::Rc;

use differential_dataflow::Data;
use timely::container::{CapacityContainerBuilder, NoopBuilder};
use timely::dataflow::Scope;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Inspect;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::operator::Operator;
use timely::progress::operate::FrontierInterest;

use arqon_types::{ColumnBatch, Type};

use crate::batch::{Batch, Batches, Keyed, KeyedRows, Moment, WholeRows};
use crate::keyed::{pack_columns, pack_ints};
use crate::memory::row_bytes;
use crate::packed::Packed;
use crate::recorder::Meter;
use crate::source::push_packed;
use crate::stats::{Count, Counts};

/// From columns of `types` to packed rows.
pub(crate) fn pack<T: Moment, K: Packed>(
    rows: Batches<'_, T>,
    types: Vec<Type>,
) -> WholeRows<'_, T, K> {
    pack_as(rows, types, (|_, _: &[K], _: &[i64]| {}, |row| row))
}

/// The same as keys without values, which are counted for the step that keeps them.
pub(crate) fn pack_keys<T: Moment, K: Packed>(
    rows: Batches<'_, T>,
    types: Vec<Type>,
    meter: Meter,
) -> KeyedRows<'_, T, K, ()> {
    let count = move |epoch, rows: &[K], diffs: &[i64]| {
        let n_bytes: i64 =
            rows.iter().zip(diffs).map(|(row, diff)| row_bytes(row, &()) * diff).sum();
        meter.count(epoch, |counts| {
            counts.input.add_all(diffs);
            counts.bytes += n_bytes;
        });
    };
    pack_as(rows, types, (count, |row| (row, ())))
}

/// The same of rows that are packed.
pub(crate) fn key_whole<T: Moment, K: Packed>(
    rows: WholeRows<'_, T, K>,
    meter: Meter,
) -> KeyedRows<'_, T, K, ()> {
    type Builder<T, K> = CapacityContainerBuilder<Vec<Keyed<T, K, ()>>>;
    rows.unary::<Builder<T, K>, _, _, _>(Pipeline, "Key", move |_, _| {
        move |input, output| {
            input.for_each(|capability, rows| {
                count_rows(&meter, rows, |counts, passed| counts.input.merge(passed));
                weigh_rows(&meter, rows);
                let keys = rows.drain(..).map(|(row, time, diff)| ((row, ()), time, diff));
                output.session(&capability).give_iterator(keys);
            });
        }
    })
}

/// Counts what packed rows take in the step that keeps them.
fn weigh_rows<T: Moment, K: Packed>(meter: &Meter, rows: &[(K, T, i64)]) {
    for rows in rows.chunk_by(|a, b| a.1.epoch() == b.1.epoch()) {
        let n_bytes: i64 = rows.iter().map(|(row, _, diff)| row_bytes(row, &()) * diff).sum();
        meter.count(rows[0].1.epoch(), |counts| counts.bytes += n_bytes);
    }
}

/// Passes the numbers of all inputs on and counts them, in one operator.
pub(crate) fn unite_words<'scope, T: Moment>(
    scope: Scope<'scope, T>,
    inputs: Vec<WholeRows<'scope, T, u64>>,
    meter: Meter,
) -> WholeRows<'scope, T, u64> {
    type Builder<T> = CapacityContainerBuilder<Vec<(u64, T, i64)>>;
    let mut builder = OperatorBuilder::new("Union".to_owned(), scope);
    let mut inputs: Vec<_> =
        inputs.into_iter().map(|rows| builder.new_input(rows, Pipeline)).collect();
    for idx in 0..inputs.len() {
        builder.set_notify_for(idx, FrontierInterest::Never);
    }
    let (output, stream) = builder.new_output::<Vec<(u64, T, i64)>>();
    let mut output = OutputBuilder::<T, Builder<T>>::from(output);
    builder.build(move |capabilities| {
        drop(capabilities);
        move |_| {
            let mut output = output.activate();
            for input in &mut inputs {
                input.for_each(|capability, rows| {
                    count_rows(&meter, rows, Counts::pass);
                    output.session(&capability).give_container(rows);
                });
            }
        }
    });
    stream
}

fn pack_as<T: Moment, K: Packed, D: Data>(
    rows: Batches<'_, T>,
    types: Vec<Type>,
    (count, form): (impl Fn(u64, &[K], &[i64]) + 'static, fn(K) -> D),
) -> WholeRows<'_, T, D> {
    type Builder<T, D> = CapacityContainerBuilder<Vec<(D, T, i64)>>;
    rows.unary::<Builder<T, D>, _, _, _>(Pipeline, "Pack", move |_, _| {
        move |input, output| {
            input.for_each(|capability, batch| {
                let Batch { time, rows } = std::mem::take(batch);
                let capability = capability.delayed(&time, 0);
                let packed: Vec<K> = packed(&rows, &types);
                count(time.epoch(), &packed, &rows.diffs);
                let rows = packed.into_iter().zip(&rows.diffs);
                let rows = rows.map(|(row, diff)| (form(row), time.clone(), *diff));
                output.session(&capability).give_iterator(rows);
            });
        }
    })
}

fn packed<K: Packed>(rows: &ColumnBatch, types: &[Type]) -> Vec<K> {
    if let [only] = rows.columns.as_slice()
        && let Some(words) = pack_ints(only, types)
    {
        return words;
    }
    let row = |row_idx| K::from_row(pack_columns(&rows.columns, types, row_idx));
    (0..rows.len()).map(row).collect()
}

/// From packed rows to columns of `types`; `count` is told the epoch and the diffs of each batch.
pub(crate) fn unpack<T: Moment, K: Packed>(
    rows: WholeRows<'_, T, K>,
    types: Vec<Type>,
    count: impl Fn(u64, &[i64]) + 'static,
) -> Batches<'_, T> {
    rows.unary::<NoopBuilder<Batch<T>>, _, _, _>(Pipeline, "Unpack", move |_, _| {
        move |input, output| {
            input.for_each(|capability, rows| {
                let mut batches: BTreeMap<T, ColumnBatch> = BTreeMap::new();
                for same in rows.chunk_by(|a, b| a.1 == b.1) {
                    let time = same[0].1.clone();
                    let batch = batches.entry(time).or_insert_with(|| ColumnBatch::empty(&types));
                    for (row, _, diff) in same {
                        push_packed(batch, row, &types, *diff);
                    }
                }
                for (time, batch) in batches {
                    count(time.epoch(), &batch.diffs);
                    let capability = capability.delayed(&time, 0);
                    output
                        .session_with_builder(&capability)
                        .give_container(&mut Batch { time, rows: Rc::new(batch) });
                }
            });
        }
    })
}

/// What stands beside a number that is the key of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Nothing.
    Nothing,
    /// The same number: the row's only field is asked for.
    Itself,
}

/// Numbers under themselves, counted for the step that keeps them.
pub(crate) fn key_words<T: Moment>(
    rows: WholeRows<'_, T, u64>,
    beside: Beside,
    meter: Meter,
) -> KeyedRows<'_, T, u64, u64> {
    type Builder<T> = CapacityContainerBuilder<Vec<Keyed<T, u64, u64>>>;
    rows.unary::<Builder<T>, _, _, _>(Pipeline, "Key", move |_, _| {
        move |input, output| {
            input.for_each(|capability, rows| {
                count_rows(&meter, rows, |counts, passed| {
                    counts.input.merge(passed);
                    counts.bytes += row_bytes(&0_u64, &0_u64) * passed.net;
                });
                let keyed = rows.drain(..).map(|(key, time, diff)| match beside {
                    Beside::Nothing => ((key, 0), time, diff),
                    Beside::Itself => ((key, key), time, diff),
                });
                output.session(&capability).give_iterator(keyed);
            });
        }
    })
}

/// Counts packed rows where they pass, without an operator of its own.
pub(crate) fn count_rows<T: Moment, D>(
    meter: &Meter,
    rows: &[(D, T, i64)],
    write: impl Fn(&mut Counts, Count),
) {
    for rows in rows.chunk_by(|a, b| a.1.epoch() == b.1.epoch()) {
        let mut passed = Count::default();
        for (_, _, diff) in rows {
            passed.add(*diff);
        }
        meter.count(rows[0].1.epoch(), |counts| write(counts, passed));
    }
}

/// Rows that pass, counted.
pub(crate) fn counted<T: Moment, K: Packed>(
    rows: WholeRows<'_, T, K>,
    count: impl Fn(&[(K, T, i64)]) + 'static,
) -> WholeRows<'_, T, K> {
    rows.inspect_core(move |event| {
        if let Ok((_, rows)) = event {
            count(rows);
        }
    })
}
