//! The present row of each key.

use std::borrow::Cow;

use hashbrown::hash_map::Entry;

use arqon_types::{ColumnBatch, PackedRow};

use super::PackedMap;
use super::passing::Passing;
use super::shape::Shape;
use crate::memory::{signed, table_bytes};

/// The present row of each key.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: PackedMap<PackedRow>,
    /// What keys and rows take beside the table.
    heap_bytes: i64,
}

impl Table {
    /// Whether a key has a row.
    pub(crate) fn has(&self, key: &PackedRow) -> bool {
        self.rows.contains_key(key)
    }

    /// The row of a key.
    pub(crate) fn get(&self, key: &PackedRow) -> Option<Cow<'_, PackedRow>> {
        self.rows.get(key).map(Cow::Borrowed)
    }

    /// Sets the row of a key, or removes it; returns the one before.
    pub(crate) fn set(&mut self, key: &PackedRow, row: Option<PackedRow>) -> Option<PackedRow> {
        self.heap_bytes += entry_bytes(key, row.as_ref());
        let before = match row {
            Some(row) => self.rows.insert(key.clone(), row),
            None => self.rows.remove(key),
        };
        self.heap_bytes -= entry_bytes(key, before.as_ref());
        before
    }

    /// Inserts rows up to the first whose key is there already; says how many rows that are. Those
    /// that nobody lets through are passed over.
    pub(crate) fn insert_new(
        &mut self,
        shape: &Shape,
        batch: &ColumnBatch,
        passing: Option<&Passing>,
    ) -> usize {
        for row_idx in 0..batch.len() {
            let key = shape.key_in(batch, row_idx);
            if passing.is_some_and(|passing| !passing.has(row_idx)) {
                if self.has(&key) {
                    return row_idx;
                }
                continue;
            }
            let Entry::Vacant(place) = self.rows.entry(key) else { return row_idx };
            let row = shape.row_in(batch, row_idx);
            self.heap_bytes += entry_bytes(place.key(), Some(&row));
            place.insert(row);
        }
        batch.len()
    }

    /// All keys with their rows, in any order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (Cow<'_, PackedRow>, Cow<'_, PackedRow>)> {
        self.rows.iter().map(|(key, row)| (Cow::Borrowed(key), Cow::Borrowed(row)))
    }

    /// Gives back room that many rows have left.
    pub(crate) fn shrink(&mut self) {
        if self.rows.len() < self.rows.capacity() / 8 {
            self.rows.shrink_to(2 * self.rows.len());
        }
    }

    /// What it takes of the memory.
    pub(crate) fn n_bytes(&self) -> i64 {
        table_bytes(&self.rows) + self.heap_bytes
    }
}

/// What a row takes beside the table, with its key.
fn entry_bytes(key: &PackedRow, row: Option<&PackedRow>) -> i64 {
    row.map_or(0, |row| signed(key.heap_bytes() + row.heap_bytes()))
}
