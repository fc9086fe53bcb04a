//! The present row of each key: in a run where keys came in ascending order, else in a hash table.
//!
//! **Invariant:** a key has its row in one of the two, never in both.

use std::borrow::Cow;

use hashbrown::hash_map::Entry;

use arqon_types::{ColumnBatch, PackedRow};

use super::PackedMap;
use super::ascending::n_ascending;
use super::passing::{Passing, first_rows};
use super::run::Run;
use super::shape::Shape;
use crate::memory::{signed, table_bytes};

/// The present row of each key.
#[derive(Debug, Default)]
pub(crate) struct Table {
    run: Run,
    apart: PackedMap<PackedRow>,
    /// No key in `apart` is greater.
    apart_last: Option<PackedRow>,
    /// What keys and rows take beside the table.
    heap_bytes: i64,
}

/// What became of a batch.
pub(crate) struct Inserted {
    /// The rows that were inserted.
    pub(crate) rows: ColumnBatch,
    /// How many of the first rows were inserted or passed over.
    pub(crate) n_new: usize,
    /// The batch, if there are more.
    pub(crate) batch: Option<ColumnBatch>,
}

/// Rows of a longer batch with which it must at least begin in ascending order to come into a run:
/// rows that are in no order ascend by chance, here and there.
const ASCENDING_ROWS_MIN: usize = 64;

impl Table {
    /// Whether a key has a row.
    pub(crate) fn has(&self, shape: &Shape, key: &PackedRow) -> bool {
        self.apart.contains_key(key) || self.run.has(shape, key)
    }

    /// The row of a key.
    pub(crate) fn get(&self, shape: &Shape, key: &PackedRow) -> Option<Cow<'_, PackedRow>> {
        let apart = self.apart.get(key).map(Cow::Borrowed);
        apart.or_else(|| self.run.get(shape, key).map(Cow::Owned))
    }

    /// Sets the row of a key, or removes it; returns the one before.
    pub(crate) fn set(
        &mut self,
        shape: &Shape,
        key: &PackedRow,
        row: Option<PackedRow>,
    ) -> Option<PackedRow> {
        let before = match row {
            Some(row) => self.put_apart(key.clone(), row),
            None => self.apart.remove(key),
        };
        self.heap_bytes -= entry_bytes(key, before.as_ref());
        if self.apart.is_empty() {
            self.apart_last = None;
        }
        if before.is_some() {
            return before;
        }
        let (before, left) = self.run.take(shape, key)?;
        for (key, row) in left.iter().flat_map(|block| block.rows(shape)) {
            self.put_apart(key, row);
        }
        Some(before)
    }

    fn put_apart(&mut self, key: PackedRow, row: PackedRow) -> Option<PackedRow> {
        self.heap_bytes += entry_bytes(&key, Some(&row));
        self.note_apart(&key);
        self.apart.insert(key, row)
    }

    fn note_apart(&mut self, key: &PackedRow) {
        if self.apart_last.as_ref().is_none_or(|last| last < key) {
            self.apart_last = Some(key.clone());
        }
    }

    /// Inserts rows up to the first whose key is there already. Those that nobody lets through are
    /// passed over.
    pub(crate) fn insert_new(
        &mut self,
        shape: &Shape,
        batch: ColumnBatch,
        passing: Option<&Passing>,
    ) -> Inserted {
        let n_rows = batch.len();
        let n_ahead = self.n_ahead(shape, &batch);
        let first = |n_rows| match passing {
            Some(passing) => batch.gather(&passing.up_to(n_rows)),
            None => batch.gather(&first_rows(n_rows)),
        };
        if n_ahead == n_rows {
            let rows = if passing.is_some() { first(n_rows) } else { batch };
            self.run.append(shape, &rows);
            return Inserted { rows, n_new: n_rows, batch: None };
        }
        if n_ahead > 0 {
            self.run.append(shape, &first(n_ahead));
        }
        let n_new = self.insert_apart(shape, &batch, (n_ahead, passing));
        if n_new == n_rows && passing.is_none() {
            return Inserted { rows: batch, n_new, batch: None };
        }
        Inserted { rows: first(n_new), n_new, batch: (n_new < n_rows).then_some(batch) }
    }

    /// How many of the first rows go into the run: those with ascending keys that are greater than
    /// all there, and are not apart.
    fn n_ahead(&self, shape: &Shape, batch: &ColumnBatch) -> usize {
        let n_ascending = n_ascending(batch, (&shape.topic.key, &shape.types));
        if n_ascending < batch.len().min(ASCENDING_ROWS_MIN) {
            return 0;
        }
        let Some(first) = (!batch.is_empty()).then(|| shape.key_in(batch, 0)) else { return 0 };
        if self.run.last().is_some_and(|last| first <= *last) {
            return 0;
        }
        if self.apart_last.as_ref().is_none_or(|last| *last < first) {
            return n_ascending;
        }
        let is_apart = |row_idx| self.apart.contains_key(&shape.key_in(batch, row_idx));
        (0..n_ascending).find(|row_idx| is_apart(*row_idx)).unwrap_or(n_ascending)
    }

    /// Inserts rows from a place on, up to the first whose key is there already, and says where
    /// that is.
    fn insert_apart(
        &mut self,
        shape: &Shape,
        batch: &ColumnBatch,
        (start, passing): (usize, Option<&Passing>),
    ) -> usize {
        for row_idx in start..batch.len() {
            let key = shape.key_in(batch, row_idx);
            if self.run.has(shape, &key) {
                return row_idx;
            }
            if passing.is_some_and(|passing| !passing.has(row_idx)) {
                if self.apart.contains_key(&key) {
                    return row_idx;
                }
                continue;
            }
            self.note_apart(&key);
            let Entry::Vacant(place) = self.apart.entry(key) else { return row_idx };
            let row = shape.row_in(batch, row_idx);
            self.heap_bytes += entry_bytes(place.key(), Some(&row));
            place.insert(row);
        }
        batch.len()
    }

    /// All keys with their rows, in any order.
    pub(crate) fn rows<'t>(
        &'t self,
        shape: &Shape,
    ) -> impl Iterator<Item = (Cow<'t, PackedRow>, Cow<'t, PackedRow>)> {
        let apart = self.apart.iter().map(|(key, row)| (Cow::Borrowed(key), Cow::Borrowed(row)));
        apart.chain(self.run.rows(shape).map(|(key, row)| (Cow::Owned(key), Cow::Owned(row))))
    }

    /// Gives back room that many rows have left.
    pub(crate) fn shrink(&mut self) {
        if self.apart.len() < self.apart.capacity() / 8 {
            self.apart.shrink_to(2 * self.apart.len());
        }
    }

    /// What it takes of the memory.
    pub(crate) fn n_bytes(&self) -> i64 {
        signed(self.run.n_bytes()) + table_bytes(&self.apart) + self.heap_bytes
    }
}

/// What a row takes beside the table, with its key.
fn entry_bytes(key: &PackedRow, row: Option<&PackedRow>) -> i64 {
    row.map_or(0, |row| signed(key.heap_bytes() + row.heap_bytes()))
}

#[cfg(test)]
mod tests;
