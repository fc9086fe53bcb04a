//! Changes of a topic: consolidated updates in `[lower, upper)`.

use std::sync::Arc;

use crate::column::ColumnBatch;
use crate::epoch::Epoch;
use crate::name::TopicName;
use crate::row::Row;
use crate::ty::Type;

/// A row that changes its multiplicity by `diff` at `epoch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The row.
    pub row: Row,
    /// When.
    pub epoch: Epoch,
    /// By how much; never 0 in a consolidated batch.
    pub diff: i64,
}

/// All changes of one topic with `lower <= epoch < upper`.
///
/// Consolidated: one update per row and epoch, none with diff 0; ordered by epoch, within an
/// epoch retractions before insertions, then by row. A snapshot is the batch with `lower` 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaBatch {
    /// The topic whose collection changes.
    pub topic: TopicName,
    /// First epoch covered.
    pub lower: Epoch,
    /// First epoch not covered.
    pub upper: Epoch,
    /// The changes.
    pub updates: Vec<Update>,
}

/// All changes of one topic in one epoch, as columns, in the order of a [`DeltaBatch`].
#[derive(Debug, Clone)]
pub struct ColumnDelta {
    /// The topic whose collection changes.
    pub topic: TopicName,
    /// When.
    pub epoch: Epoch,
    /// The types of the columns.
    pub types: Arc<[Type]>,
    /// The rows with their diffs, none of them 0.
    pub rows: ColumnBatch,
}

impl ColumnDelta {
    /// How many rows change.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The changes row by row.
    pub fn updates(&self) -> impl Iterator<Item = Update> {
        let update = |(at, diff): (usize, &i64)| Update {
            row: self.rows.row(at, &self.types),
            epoch: self.epoch,
            diff: *diff,
        };
        self.rows.diffs.iter().enumerate().map(update)
    }
}

impl From<ColumnDelta> for DeltaBatch {
    fn from(delta: ColumnDelta) -> Self {
        let updates = delta.updates().collect();
        Self { topic: delta.topic, lower: delta.epoch, upper: delta.epoch.next(), updates }
    }
}

/// Adds up updates of one row and epoch, drops what cancels, and puts them in canonical order.
///
/// Cost: O(n log n) comparisons of rows.
pub fn consolidate(updates: &mut Vec<Update>) {
    updates.sort_by(|a, b| a.epoch.cmp(&b.epoch).then_with(|| a.row.cmp(&b.row)));
    let mut kept = 0;
    let mut at = 0;
    while at < updates.len() {
        let mut diff = updates[at].diff;
        let mut end = at + 1;
        while end < updates.len()
            && updates[end].epoch == updates[at].epoch
            && updates[end].row == updates[at].row
        {
            diff += updates[end].diff;
            end += 1;
        }
        if diff != 0 {
            updates.swap(kept, at);
            updates[kept].diff = diff;
            kept += 1;
        }
        at = end;
    }
    updates.truncate(kept);
    // Stable, so that rows stay in order within each sign.
    updates.sort_by_key(|update| (update.epoch, update.diff > 0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn update(row: i64, epoch: u64, diff: i64) -> Update {
        Update { row: vec![Value::Int(row)].into(), epoch: Epoch(epoch), diff }
    }

    #[test]
    fn consolidation_adds_drops_and_orders() {
        let mut updates = vec![
            update(2, 1, 1),
            update(1, 1, 1),
            update(3, 1, -1),
            update(2, 1, -1),
            update(1, 0, 2),
        ];
        consolidate(&mut updates);
        assert_eq!(updates, vec![update(1, 0, 2), update(3, 1, -1), update(1, 1, 1)]);
    }
}
