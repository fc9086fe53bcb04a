//! Consolidation of columns: equal rows are added up, what cancels is dropped, and the rest stands
//! in canonical order: retractions before insertions, then by row.

use std::cmp::Ordering;

use crate::column::{BytesColumn, Column, ColumnBatch};
use crate::float::Float;
use crate::packed::{prefix_of, sortable_int};

/// Puts the rows of `batches`, all of the same types, into one consolidated batch.
///
/// The order of rows is that of their values. Cost: one look at each row if they stand in order
/// already, and otherwise O(n log n) comparisons, most of them of the first eight bytes.
pub fn consolidate_columns(batches: Vec<ColumnBatch>) -> ColumnBatch {
    let mut batches = batches.into_iter().filter(|batch| !batch.is_empty());
    let Some(mut rows) = batches.next() else { return ColumnBatch::default() };
    batches.for_each(|batch| rows.append(&batch));
    if is_canonical(&rows) {
        return rows;
    }
    let mut kept: Vec<(u32, i64)> = Vec::with_capacity(rows.len());
    for at in in_order(&rows) {
        let diff = rows.diffs[at as usize];
        match kept.last_mut() {
            Some((last, sum)) if compare(&rows, *last, at).is_eq() => *sum += diff,
            _ => kept.push((at, diff)),
        }
    }
    kept.retain(|(_, diff)| *diff != 0);
    // Stable, so that rows stay in order within each sign.
    kept.sort_by_key(|(_, diff)| *diff > 0);
    let selection: Vec<u32> = kept.iter().map(|(at, _)| *at).collect();
    let columns = rows.columns.iter().map(|column| column.gather(&selection)).collect();
    ColumnBatch { columns, diffs: kept.into_iter().map(|(_, diff)| diff).collect() }
}

/// Whether the rows all come, or all go, each once and in order.
fn is_canonical(rows: &ColumnBatch) -> bool {
    let is_one_sided =
        rows.diffs.iter().all(|diff| *diff > 0) || rows.diffs.iter().all(|diff| *diff < 0);
    let ascends = |of: &Column| match of {
        Column::Int(values) => values.is_sorted_by(|a, b| a < b),
        _ => false,
    };
    let mut pairs = (1..rows.len()).map(|at| (position(at - 1), position(at)));
    is_one_sided
        && (rows.columns.first().is_some_and(ascends)
            || pairs.all(|(a, b)| compare(rows, a, b).is_lt()))
}

fn position(at: usize) -> u32 {
    u32::try_from(at).expect("a batch has fewer than 2^32 rows")
}

/// The rows by their values.
fn in_order(rows: &ColumnBatch) -> Vec<u32> {
    let prefixes = rows.columns.first().map_or_else(Vec::new, prefixes);
    let mut order: Vec<(u64, u32)> =
        prefixes.into_iter().enumerate().map(|(at, prefix)| (prefix, position(at))).collect();
    if order.is_empty() {
        // Rows without fields are all equal.
        order = (0..rows.len()).map(|at| (0, position(at))).collect();
    }
    // Each worker gives its rows in order, and this sort merges what is in order in parts.
    order.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| compare(rows, a.1, b.1)));
    order.into_iter().map(|(_, at)| at).collect()
}

fn compare(rows: &ColumnBatch, a: u32, b: u32) -> Ordering {
    let orders = rows.columns.iter().map(|column| column.compare(a as usize, b as usize));
    first_difference(orders)
}

/// Numbers of which the lesser one belongs to the lesser value; equal ones say nothing.
fn prefixes(column: &Column) -> Vec<u64> {
    match column {
        Column::Bool(values) => values.iter().map(|value| u64::from(*value)).collect(),
        Column::Int(values) => values.iter().map(|value| sortable_int(*value)).collect(),
        Column::Float(values) => values.iter().map(|x| Float::new(*x).to_sortable()).collect(),
        Column::Decimal(values) => {
            let clamped = |units: &i128| (*units).clamp(i64::MIN.into(), i64::MAX.into());
            let narrow = |units| i64::try_from(clamped(units)).expect("it was clamped");
            values.iter().map(|units| sortable_int(narrow(units))).collect()
        }
        Column::Uuid(values) => {
            let high = |bits: &u128| u64::try_from(*bits >> 64).expect("64 bits are left");
            values.iter().map(high).collect()
        }
        Column::String(values) => bytes_prefixes(values.as_bytes()),
        Column::Bytes(values) => bytes_prefixes(values),
        Column::Option { present, values } => {
            let some = |(present, prefix): (&bool, u64)| {
                if *present { 1 << 63 | prefix >> 1 } else { 0 }
            };
            present.iter().zip(prefixes(values)).map(some).collect()
        }
        Column::Struct { len, fields } => fields.first().map_or_else(|| vec![0; *len], prefixes),
        Column::Tensor(_) | Column::List { .. } => vec![0; column.len()],
    }
}

/// The eight bytes behind what all have in common.
fn bytes_prefixes(values: &BytesColumn) -> Vec<u64> {
    let first = if values.is_empty() { &[] } else { values.get(0) };
    let mut common = first.len();
    for at in 1..values.len() {
        let value = values.get(at);
        if !value.starts_with(&first[..common]) {
            common = value.iter().zip(first).take_while(|(a, b)| a == b).count();
        }
    }
    let prefix = |at| prefix_of(&values.get(at)[common..]);
    (0..values.len()).map(prefix).collect()
}

impl Column {
    /// The order of two values of the column: that of [`Value`](crate::Value)s.
    pub fn compare(&self, a: usize, b: usize) -> Ordering {
        match self {
            Self::Bool(values) => values[a].cmp(&values[b]),
            Self::Int(values) => values[a].cmp(&values[b]),
            Self::Float(values) => Float::new(values[a]).cmp(&Float::new(values[b])),
            Self::Decimal(values) => values[a].cmp(&values[b]),
            Self::Uuid(values) => values[a].cmp(&values[b]),
            Self::String(values) => values.bytes(a).cmp(values.bytes(b)),
            Self::Bytes(values) => values.get(a).cmp(values.get(b)),
            Self::Tensor(values) => values[a].cmp(&values[b]),
            Self::Option { present, values } => match (present[a], present[b]) {
                (true, true) => values.compare(a, b),
                (a, b) => a.cmp(&b),
            },
            Self::List { ends, items } => {
                let range = |at: usize| {
                    let start = if at == 0 { 0 } else { ends[at - 1] };
                    start as usize..ends[at] as usize
                };
                let (a, b) = (range(a), range(b));
                let orders = a.clone().zip(b.clone()).map(|(a, b)| items.compare(a, b));
                first_difference(orders).then(a.len().cmp(&b.len()))
            }
            Self::Struct { fields, .. } => {
                let orders = fields.iter().map(|field| field.compare(a, b));
                first_difference(orders)
            }
        }
    }
}

fn first_difference(mut orders: impl Iterator<Item = Ordering>) -> Ordering {
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::delta::{ColumnDelta, DeltaBatch, consolidate};
    use crate::packed::tests::{all_types, value_of};
    use crate::{Epoch, Row, TopicName, Type, Update};

    /// Rows of a few types, with diffs, in a few batches; many of them are equal.
    fn batches() -> impl Strategy<Value = (Vec<Type>, Vec<Vec<(Row, i64)>>)> {
        proptest::sample::subsequence(all_types(), 0..4).prop_flat_map(|types| {
            let values: Vec<_> = types.iter().map(value_of).collect();
            let rows = proptest::collection::vec(values.prop_map(Row::from), 1..6);
            let picked = proptest::collection::vec(
                proptest::collection::vec((any::<proptest::sample::Index>(), -2_i64..3), 0..12),
                0..4,
            );
            (rows, picked).prop_map(move |(rows, picked)| {
                let row =
                    |(at, diff): (proptest::sample::Index, i64)| (at.get(&rows).clone(), diff);
                let batch = |batch: Vec<_>| -> Vec<(Row, i64)> {
                    batch.into_iter().map(row).filter(|(_, diff)| *diff != 0).collect()
                };
                (types.clone(), picked.into_iter().map(batch).collect())
            })
        })
    }

    proptest! {
        #[test]
        fn columns_consolidate_as_rows_do((types, batches) in batches()) {
            let epoch = Epoch(3);
            let rows = batches.iter().flatten().cloned();
            let mut updates: Vec<Update> =
                rows.map(|(row, diff)| Update { row, epoch, diff }).collect();
            consolidate(&mut updates);
            let columns = batches.iter().map(|rows| {
                let mut batch = ColumnBatch::empty(&types);
                for (row, diff) in rows {
                    batch.push(row, *diff);
                }
                batch
            });
            let rows = consolidate_columns(columns.collect());
            let topic = TopicName::parse("a").unwrap();
            let delta = ColumnDelta { topic, epoch, types: types.clone().into(), rows };
            prop_assert_eq!(DeltaBatch::from(delta).updates, updates.clone());
            // What stands in order already is left as it is.
            let mut batch = ColumnBatch::empty(&types);
            for update in &updates {
                batch.push(&update.row, update.diff);
            }
            let again = consolidate_columns(vec![batch]);
            let rows: Vec<Row> = (0..again.len()).map(|at| again.row(at, &types)).collect();
            prop_assert!(rows.iter().eq(updates.iter().map(|update| &update.row)));
        }
    }
}
