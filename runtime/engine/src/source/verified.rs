//! `delta` topics that are verified: how often each row is there, and whether it may change so.

use arqon_types::{ColumnBatch, PackedRow, Row};

use super::PackedMap;
use super::pack::pack_cells;
use super::shape::Shape;
use super::touched::Touched;
use crate::memory::{signed, table_bytes};
use crate::stats::{Counts, net};

/// Most copies of one row that a `delta` topic holds; the product of two such numbers is an int64.
const COPIES_MAX: i64 = i32::MAX as i64;

/// How often each row is there.
#[derive(Debug, Default)]
pub(crate) struct Verified {
    rows: PackedMap<i64>,
    /// What rows take beside the table.
    heap_bytes: i64,
}

impl Verified {
    /// Takes rows that come.
    pub(crate) fn insert(&mut self, shape: &Shape, batch: &ColumnBatch, counts: &mut Counts) {
        for row_idx in 0..batch.len() {
            let packed = pack_cells(batch, row_idx, 0..shape.types.len(), &shape.types);
            let n_bytes = signed(packed.heap_bytes());
            let n_held = self.rows.entry(packed).or_insert_with(|| {
                self.heap_bytes += n_bytes;
                0
            });
            *n_held += batch.diffs[row_idx];
        }
        counts.held += net(&batch.diffs);
    }

    /// Whether a row may change so; if it may not, the error row says why.
    pub(crate) fn admit(
        &mut self,
        shape: &Shape,
        (row, diff): (&Row, i64),
        touched: &mut Touched,
    ) -> bool {
        let packed = PackedRow::pack(row, &shape.types);
        let n_held = self.rows.get(&packed).copied().unwrap_or(0);
        let n_then = n_held.saturating_add(diff);
        if !(0..=COPIES_MAX).contains(&n_then) {
            let message =
                format!("{diff} of a row that is there {n_held} times; nothing is changed");
            touched.refuse(shape.refusal(&message, &packed), diff);
            return false;
        }
        touched.counts.held += diff;
        let bytes = |n: i64| if n == 0 { 0 } else { signed(packed.heap_bytes()) };
        self.heap_bytes += bytes(n_then) - bytes(n_held);
        if n_then == 0 {
            self.rows.remove(&packed);
        } else {
            self.rows.insert(packed, n_then);
        }
        true
    }

    /// All rows and how often each is there, in any order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&PackedRow, i64)> {
        self.rows.iter().map(|(row, n)| (row, *n))
    }

    /// What it takes of the memory.
    pub(crate) fn n_bytes(&self) -> i64 {
        table_bytes(&self.rows) + self.heap_bytes
    }
}
