//! `full` topics: one row for each key, and what upserts and deletions make of them.

use arqon_types::{Change, ColumnBatch, PackedRow};

use super::divider::Reading;
use super::part::Places;
use super::passing::Passing;
use super::shape::Shape;
use super::table::Table;
use super::touched::{Marked, Touched};
use crate::forget::Ages;

/// What a `full` topic holds.
#[derive(Debug)]
pub(crate) struct Full {
    /// The rows.
    pub(crate) table: Table,
    /// When the present rows of keys are let go, where they are then forgotten.
    pub(crate) ages: Option<Ages>,
}

/// Where a change stands: its place in the log, its mark if rows carry marks, and from when on its
/// row's end is counted.
#[derive(Clone, Copy)]
struct Standing {
    place: i64,
    mark: Option<i64>,
    moment: i64,
}

impl Full {
    /// No rows.
    pub(crate) fn new(shape: &Shape) -> Self {
        Self { table: Table::default(), ages: Ages::new(shape.forgetting) }
    }

    /// Takes upserts that come as columns, `now`.
    pub(crate) fn upsert_columns(
        &mut self,
        shape: &Shape,
        mut batch: ColumnBatch,
        (places, marks, now): (&Places, &[i64], i64),
        touched: &mut Touched,
    ) {
        let mut n_new = 0;
        let is_plain = marks.is_empty() && shape.reading == Reading::Rows && self.ages.is_none();
        let passing = Passing::of(&batch, &shape.passing).filter(|_| is_plain);
        if is_plain && touched.is_all_new() {
            let inserted = self.table.insert_new(shape, batch, passing.as_ref());
            let more = inserted.batch;
            n_new = inserted.n_new;
            touched.insert(inserted.rows, n_new);
            let Some(more) = more else { return };
            touched.touch(shape);
            batch = more;
        }
        for row_idx in n_new..batch.len() {
            let key = shape.key_in(&batch, row_idx);
            let passes = passing.as_ref().is_none_or(|passing| passing.has(row_idx));
            if !passes && !self.table.has(shape, &key) && !touched.has(&key) {
                touched.counts.input.add(1);
                touched.counts.filtered.add(1);
                continue;
            }
            let row = passes.then(|| shape.row_in(&batch, row_idx));
            let moment = shape.moment_in(&batch, row_idx, now);
            let (place, mark) = (places.at(row_idx), marks.get(row_idx).copied());
            self.set(shape, (key, row), Standing { place, mark, moment }, touched);
        }
    }

    /// Takes upserts and deletions that come one by one.
    pub(crate) fn upsert_rows(
        &mut self,
        shape: &Shape,
        changes: Vec<Change>,
        (places, marks, now): (&Places, &[i64], i64),
        touched: &mut Touched,
    ) {
        touched.touch(shape);
        for (idx, change) in changes.into_iter().enumerate() {
            let (place, mark) = (places.at(idx), marks.get(idx).copied());
            let mut at = Standing { place, mark, moment: now };
            match change {
                Change::Insert(row) | Change::Upsert(row) => {
                    at.moment = shape.moment_of(&row, now);
                    let entry = (shape.key_of(&row), Some(shape.row_of(&row)));
                    self.set(shape, entry, at, touched);
                }
                Change::Delete(values) => {
                    self.set(shape, (shape.key(&values), None), at, touched);
                }
                Change::Diff { row, diff } => {
                    let row = PackedRow::pack(&row, &shape.types);
                    let message = "a signed change reached a `full` topic";
                    touched.refuse(shape.refusal(message, &row), diff);
                }
            }
        }
    }

    fn set(
        &mut self,
        shape: &Shape,
        (key, row): (PackedRow, Option<PackedRow>),
        at: Standing,
        touched: &mut Touched,
    ) {
        if let Some(ages) = &mut self.ages {
            ages.renew(&key, row.as_ref().map(|_| at.moment));
        }
        touched.counts.input.add(1);
        touched.counts.touched += 1;
        if at.mark.is_some() || shape.reading == Reading::WithLog {
            return self.replace(shape, (&key, row), at, touched);
        }
        let before = self.table.set(shape, &key, row);
        let is_superseding = touched.note(&key, before);
        touched.counts.ignored += u64::from(is_superseding);
    }

    /// As [`Full::set`], with what changes written down at once.
    fn replace(
        &mut self,
        shape: &Shape,
        (key, row): (&PackedRow, Option<PackedRow>),
        Standing { place, mark, .. }: Standing,
        touched: &mut Touched,
    ) {
        let before = self.table.set(shape, key, row.clone());
        let is_same = before == row;
        touched.counts.ignored += u64::from(is_same);
        touched.counts.held += i64::from(row.is_some()) - i64::from(before.is_some());
        let change = |row: Option<PackedRow>, diff| row.map(|row| Marked { row, diff, mark });
        let changes = change(before, -1).into_iter().chain(change(row, 1));
        if shape.reading == Reading::WithLog {
            touched.log.extend(changes.clone().map(|change| (change, place)));
        }
        if !is_same {
            touched.marked.extend(changes);
        }
    }

    /// Forgets the keys whose row the topic lets go now; how many.
    pub(crate) fn forget(&mut self, shape: &Shape, now: i64) -> i64 {
        let Some(ages) = &mut self.ages else { return 0 };
        let mut n_forgotten = 0;
        while let Some(key) = ages.next_over(now) {
            self.table.set(shape, &key, None);
            n_forgotten += 1;
        }
        self.table.shrink();
        n_forgotten
    }

    /// What it takes of the memory.
    pub(crate) fn n_bytes(&self) -> i64 {
        self.table.n_bytes() + self.ages.as_ref().map_or(0, Ages::n_bytes)
    }
}
