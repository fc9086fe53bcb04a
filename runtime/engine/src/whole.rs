//! Rows that stand for themselves, without a key beside them, between columns and arrangements.

use std::collections::BTreeMap;
use std::rc::Rc;

use timely::container::{CapacityContainerBuilder, NoopBuilder};
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use arqon_types::{ColumnBatch, Type};

use crate::batch::{Batch, Batches, Moment, WholeRows};
use crate::keyed::{pack_columns, pack_ints};
use crate::memory::row_bytes;
use crate::packed::Packed;
use crate::recorder::Meter;
use crate::source::push_packed;
use crate::stats::Counts;

/// From columns of `types` to packed rows, which are counted for the step that keeps them, if any.
pub(crate) fn pack<T: Moment, K: Packed>(
    rows: Batches<'_, T>,
    types: Vec<Type>,
    meter: Option<Meter>,
) -> WholeRows<'_, T, K> {
    type Builder<T, K> = CapacityContainerBuilder<Vec<(K, T, i64)>>;
    rows.unary::<Builder<T, K>, _, _, _>(Pipeline, "Pack", move |_, _| {
        move |input, output| {
            input.for_each(|capability, batch| {
                let Batch { time, rows } = std::mem::take(batch);
                let capability = capability.delayed(&time, 0);
                let packed: Vec<K> = packed(&rows, &types);
                if let Some(meter) = &meter {
                    let kept = packed.iter().zip(&rows.diffs);
                    let n_bytes: i64 = kept.map(|(row, diff)| row_bytes(row, &()) * diff).sum();
                    meter.count(time.epoch(), |counts| {
                        counts.input.add_all(&rows.diffs);
                        counts.bytes += n_bytes;
                    });
                }
                let rows = packed.into_iter().zip(&rows.diffs);
                let rows = rows.map(|(row, diff)| (row, time.clone(), *diff));
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

/// From packed rows to columns of `types`; `count` counts the diffs of each batch.
pub(crate) fn unpack<T: Moment, K: Packed>(
    rows: WholeRows<'_, T, K>,
    types: Vec<Type>,
    meter: Meter,
    count: fn(&mut Counts, &[i64]),
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
                    meter.count(time.epoch(), |counts| {
                        counts.touched += batch.len() as u64;
                        count(counts, &batch.diffs);
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
