//! Records that were read from a file: those that are rows, as columns, and those that are none.

use std::iter::Peekable;
use std::vec;

use arqon_types::{Column, ColumnBatch};

use crate::batch::{InputBatch, InputRows};
use crate::fault::LineFault;

/// Some records in the order of their file.
#[derive(Debug)]
pub(crate) struct Records {
    /// Those that are rows.
    batch: ColumnBatch,
    /// Where among all records those stand that are none.
    refused: Vec<usize>,
    /// What is wrong with those.
    faults: Vec<LineFault>,
}

impl Records {
    /// So many records as columns; those of `faults`, by their places, are none and leave them.
    pub(crate) fn new(
        columns: Vec<Column>,
        n_records: usize,
        faults: Vec<(usize, LineFault)>,
    ) -> Self {
        let mut batch = ColumnBatch { columns, diffs: vec![1; n_records] };
        let (refused, faults): (Vec<usize>, Vec<LineFault>) = faults.into_iter().unzip();
        if !refused.is_empty() {
            let mut next: Peekable<vec::IntoIter<usize>> = refused.clone().into_iter().peekable();
            let kept: Vec<u32> = (0..n_records)
                .filter(|record_idx| next.next_if_eq(record_idx).is_none())
                .map(|row_idx| u32::try_from(row_idx).expect("a batch is far below 2^32 rows"))
                .collect();
            batch = batch.gather(&kept);
        }
        Self { batch, refused, faults }
    }

    /// How many records.
    pub(crate) fn len(&self) -> usize {
        self.batch.len() + self.refused.len()
    }

    /// Adds a column of defaults before the one that stands in that place; `defaults` has some.
    pub(crate) fn insert(&mut self, place: usize, defaults: &mut Column) {
        let n_rows = self.batch.len();
        while defaults.len() < n_rows {
            defaults.push_default();
        }
        let mut column = defaults.clone();
        column.truncate(n_rows);
        self.batch.columns.insert(place, column);
    }

    /// Cuts all but the first `n_each` records off, so many at a time, the last first. From the end
    /// on, so that each record is moved once, however few are asked for at a time.
    pub(crate) fn cut(&mut self, n_each: usize) -> Vec<Self> {
        let n_each = n_each.max(1);
        let mut parts = Vec::new();
        while n_each < self.len() {
            let start = (self.len() - 1) / n_each * n_each;
            parts.push(self.split_off(start));
        }
        parts
    }

    /// Takes the records from one on out, and keeps those before.
    fn split_off(&mut self, record_idx: usize) -> Self {
        let n_refused = self.refused.partition_point(|at| *at < record_idx);
        let mut refused = self.refused.split_off(n_refused);
        for at in &mut refused {
            *at -= record_idx;
        }
        let batch = self.batch.split_off(record_idx - n_refused);
        Self { batch, refused, faults: self.faults.split_off(n_refused) }
    }
}

impl From<Records> for InputBatch {
    fn from(Records { batch, refused: _, faults }: Records) -> Self {
        Self { rows: InputRows::Columns(batch), faults }
    }
}
