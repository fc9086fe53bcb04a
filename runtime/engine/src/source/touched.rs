//! What an epoch did to the keys of a `full` topic, until it is written down.

use arqon_types::{ColumnBatch, ErrorRow, PackedRow};

use super::PackedMap;
use super::part::{Fed, Places, ReadAs};
use super::push_packed;
use super::shape::Shape;
use super::table::Table;
use crate::memory::signed;
use crate::stats::Counts;

/// The keys that an epoch touched, in order of their first change, with the rows from before.
#[derive(Default)]
pub(crate) struct Touched {
    place: PackedMap<usize>,
    before: Vec<(PackedRow, Option<PackedRow>)>,
    /// Where rows carry marks: every change with its mark, since what a window makes of a change
    /// hangs on its mark, and nothing is netted before.
    pub(crate) marked: Vec<Marked>,
    /// Where the log is read: every change with its place, one that says the same again too.
    pub(crate) log: Vec<(Marked, i64)>,
    /// Rows of keys that were not there before and came once so far; nothing else was touched.
    pub(crate) new: Vec<ColumnBatch>,
    /// What the epoch did.
    pub(crate) counts: Counts,
    /// What was not taken.
    pub(crate) errors: Vec<ErrorRow>,
}

/// A row, how it changes, and the mark of the change.
#[derive(Clone)]
pub(crate) struct Marked {
    /// The row.
    pub(crate) row: PackedRow,
    /// Whether it comes or goes.
    pub(crate) diff: i64,
    /// If rows carry marks.
    pub(crate) mark: Option<i64>,
}

impl Touched {
    /// Whether all that came so far was new.
    pub(crate) fn is_all_new(&self) -> bool {
        self.before.is_empty()
    }

    /// Whether a key had a row when the epoch began, or has had one since.
    pub(crate) fn has(&self, key: &PackedRow) -> bool {
        self.place.contains_key(key)
    }

    /// Notes that a key changes which had this row; whether it had changed before.
    pub(crate) fn note(&mut self, key: &PackedRow, before: Option<PackedRow>) -> bool {
        if self.place.contains_key(key) {
            return true;
        }
        self.place.insert(key.clone(), self.before.len());
        self.before.push((key.clone(), before));
        false
    }

    /// Notes that a change was not taken.
    pub(crate) fn refuse(&mut self, error: ErrorRow, diff: i64) {
        self.counts.errors.add(diff);
        self.errors.push(error);
    }

    /// Takes rows of new keys that stand for so many changes; those left out were read by nobody.
    pub(crate) fn insert(&mut self, rows: ColumnBatch, n_changes: usize) {
        let n_filtered = n_changes - rows.len();
        let counts = &mut self.counts;
        counts.input.changes += n_changes as u64;
        counts.input.net += signed(n_changes);
        counts.filtered.changes += n_filtered as u64;
        counts.filtered.net += signed(n_filtered);
        counts.touched += n_changes as u64;
        self.new.push(rows);
    }

    /// Makes the keys that were new in this epoch touched ones: from now on they may come again.
    pub(crate) fn touch(&mut self, shape: &Shape) {
        for batch in std::mem::take(&mut self.new) {
            for row_idx in 0..batch.len() {
                let key = shape.key_in(&batch, row_idx);
                self.place.insert(key.clone(), self.before.len());
                self.before.push((key, None));
            }
        }
    }

    /// The log of the topic.
    pub(crate) fn logged(&self, shape: &Shape) -> Fed {
        let mut rows = ColumnBatch::empty(&shape.types);
        for (Marked { row, diff, .. }, _) in &self.log {
            push_packed(&mut rows, row, &shape.types, *diff);
        }
        let marks = self.log.iter().filter_map(|(change, _)| change.mark).collect();
        let places = Places::Each(self.log.iter().map(|(_, place)| *place).collect());
        Fed::new(ReadAs::Log, rows, places, marks)
    }

    /// What the touched keys come to, and the counts of the epoch.
    pub(crate) fn settle(mut self, shape: &Shape, table: &Table) -> (Fed, Counts) {
        let mut batch = ColumnBatch::empty(&shape.types);
        let mut marks = Vec::new();
        for Marked { row, diff, mark } in &self.marked {
            push_packed(&mut batch, row, &shape.types, *diff);
            marks.extend(*mark);
        }
        for (key, before) in self.before {
            let now = table.get(shape, &key);
            if before.as_ref() == now.as_deref() {
                self.counts.ignored += 1;
                continue;
            }
            self.counts.held += i64::from(now.is_some()) - i64::from(before.is_some());
            if let Some(before) = &before {
                shape.push_row(&mut batch, (&key, before), -1);
            }
            if let Some(now) = now {
                shape.push_row(&mut batch, (&key, &now), 1);
            }
        }
        (Fed::new(ReadAs::Rows, batch, Places::Each(Vec::new()), marks), self.counts)
    }
}
