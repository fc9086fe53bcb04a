//! Input topics: what producers said becomes a collection, in log order.
//!
//! A source is no operator of the dataflow: the worker applies an epoch's changes to the topic's
//! state and feeds the rows that result. Changes of one key always reach the same worker, in the
//! order in which they were fed.

mod changes;
mod part;
mod pack;
mod ascending;
mod homes;
mod divider;
mod passing;
mod shape;
mod compact;
mod run;
mod table;
mod touched;
mod full;
mod verified;
mod leased;

use std::borrow::Cow;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;

use arqon_plan::TopicPlan;
use arqon_types::{Change, ColumnBatch, Discipline, ErrorRow, PackedRow, TopicName, Type};

pub use self::changes::Changes;
pub(crate) use self::divider::{Divider, Reading};
use self::full::Full;
pub(crate) use self::leased::Leased;
pub(crate) use self::part::{Fed, Part, Places, ReadAs};
use self::shape::Shape;
use self::touched::Touched;
use self::verified::Verified;
use crate::evaluate::Formula;
use crate::forget::Forgetting;
use crate::memory::signed;
use crate::narrow::Keep;
use crate::packed::Packed;
use crate::stats::Counts;

/// A map from packed rows that is never iterated, so that its order cannot leak.
pub(crate) type PackedMap<V, K = PackedRow> = hashbrown::HashMap<K, V, FixedState>;

/// The same number for equal bytes within a process.
pub(crate) fn hash_packed(packed: &impl Hash) -> u64 {
    FixedState::default().hash_one(packed)
}

/// Appends a packed row of `types`.
pub(crate) fn push_packed(batch: &mut ColumnBatch, row: &impl Packed, types: &[Type], diff: i64) {
    row.with_bytes(|mut bytes| {
        for (column, ty) in batch.columns.iter_mut().zip(types) {
            column.push_packed(&mut bytes, ty);
        }
    });
    batch.diffs.push(diff);
}

/// One worker's part of an input topic.
#[derive(Debug)]
pub(crate) struct Source {
    shape: Shape,
    state: State,
}

/// What an epoch's changes came to.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    /// The rows that change.
    pub(crate) batches: Vec<Fed>,
    /// What it did; how many bytes the state grew by is not among it.
    pub(crate) counts: Counts,
    /// What was not taken, each once: a refusal is a fact, whatever the sign of what was refused.
    pub(crate) errors: Vec<ErrorRow>,
    /// What the state takes of the memory now.
    pub(crate) n_bytes: i64,
}

#[derive(Debug)]
enum State {
    /// Rows pass: `events`, and `delta` with `check: none`.
    Open,
    /// `full`: the present row of each key.
    Full(Full),
    /// `delta`: how often each row is there.
    Verified(Verified),
}

/// A row that a topic holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HeldRow {
    /// The row.
    pub(crate) row: PackedRow,
    /// How often it is there.
    pub(crate) n: i64,
    /// When it came, where the topic counts from there.
    pub(crate) came: Option<i64>,
}

impl Source {
    /// The empty topic.
    pub(crate) fn new(
        topic: TopicPlan,
        reader: (Reading, Keep, Vec<Vec<Formula>>),
        forgetting: Forgetting,
    ) -> Self {
        let shape = Shape::new(topic, reader, forgetting);
        let state = match shape.topic.discipline {
            Discipline::Events => State::Open,
            Discipline::Full => State::Full(Full::new(&shape)),
            Discipline::Delta if shape.topic.verified => State::Verified(Verified::default()),
            Discipline::Delta => State::Open,
        };
        Self { shape, state }
    }

    /// The topic.
    pub(crate) fn name(&self) -> &TopicName {
        &self.shape.topic.name
    }

    /// When rows are forgotten, if they are before they are replaced or deleted.
    pub(crate) fn forgetting(&self) -> Forgetting {
        self.shape.forgetting
    }

    /// Takes an epoch's changes in log order. By the time of epochs, or by the topic's mark, it is
    /// `now`.
    pub(crate) fn apply(&mut self, parts: Vec<Part>, now: i64) -> Applied {
        let mut batches = Vec::new();
        let mut touched = Touched::default();
        // Rows that come one by one share a batch, however many messages brought them.
        let nothing = ColumnBatch::empty(&self.shape.types);
        let mut single = Fed::new(ReadAs::Both, nothing, Places::Each(Vec::new()), Vec::new());
        for Part { changes, places, marks } in parts {
            match (changes, &mut self.state) {
                (Changes::Errors(errors), _) => self.pass_errors(errors, &mut touched),
                (Changes::Columns(batch), State::Full(full)) => {
                    full.upsert_columns(&self.shape, batch, (&places, &marks, now), &mut touched);
                }
                (Changes::Columns(batch), State::Open | State::Verified(_)) => {
                    self.insert_columns(&batch, &mut touched.counts);
                    batches.push(Fed::new(ReadAs::Both, batch, places, marks));
                }
                (Changes::Rows(rows), State::Full(full)) => {
                    let came = (&places, marks.as_slice(), now);
                    full.upsert_rows(&self.shape, rows, came, &mut touched);
                }
                (Changes::Rows(rows), State::Open | State::Verified(_)) => {
                    self.apply_rows(rows, (&places, &marks), &mut touched, &mut single);
                }
            }
        }
        batches.push(single);
        let errors = std::mem::take(&mut touched.errors);
        let mut counts = match &self.state {
            State::Full(full) => {
                batches.push(touched.logged(&self.shape));
                for rows in std::mem::take(&mut touched.new) {
                    touched.counts.held += signed(rows.len());
                    let places = Places::Each(Vec::new());
                    batches.push(Fed::new(ReadAs::Rows, rows, places, Vec::new()));
                }
                let (settled, counts) = touched.settle(&self.shape, &full.table);
                batches.push(settled);
                counts
            }
            State::Open | State::Verified(_) => touched.counts,
        };
        batches.retain(|batch| !batch.rows.is_empty());
        if self.shape.topic.lateness.is_some() {
            batches.iter_mut().for_each(Fed::add_marks);
        }
        for batch in batches.iter().filter(|batch| batch.read_as != ReadAs::Log) {
            counts.output.add_all(&batch.rows.diffs);
        }
        if let State::Full(full) = &mut self.state {
            let n_forgotten = full.forget(&self.shape, now);
            counts.held -= n_forgotten;
            counts.released += n_forgotten;
        }
        Applied { batches, counts, errors, n_bytes: self.n_bytes() }
    }

    /// The rows that the topic holds; none of a topic that holds none.
    pub(crate) fn held(&self) -> Option<Vec<HeldRow>> {
        let is_by_arrival = matches!(self.shape.forgetting, Forgetting::Arrival(_));
        match &self.state {
            State::Open => None,
            State::Full(Full { table, ages }) => {
                let ages = ages.as_ref().filter(|_| is_by_arrival);
                let held = |(key, row): (Cow<'_, PackedRow>, Cow<'_, PackedRow>)| {
                    let came = ages.and_then(|ages| ages.moment(&key));
                    HeldRow { row: row.into_owned(), n: 1, came }
                };
                Some(table.rows(&self.shape).map(held).collect())
            }
            State::Verified(verified) => {
                let held =
                    |(row, n): (&PackedRow, i64)| HeldRow { row: row.clone(), n, came: None };
                Some(verified.rows().map(held).collect())
            }
        }
    }

    fn n_bytes(&self) -> i64 {
        match &self.state {
            State::Open => 0,
            State::Full(full) => full.n_bytes(),
            State::Verified(verified) => verified.n_bytes(),
        }
    }

    fn pass_errors(&self, errors: Vec<ErrorRow>, touched: &mut Touched) {
        for mut error in errors {
            // Whatever the reader called it, it is an error of this topic.
            error.node = self.shape.topic.name.to_string();
            touched.counts.input.add(1);
            touched.refuse(error, 1);
        }
    }

    fn insert_columns(&mut self, batch: &ColumnBatch, counts: &mut Counts) {
        counts.input.add_all(&batch.diffs);
        counts.touched += batch.len() as u64;
        if let State::Verified(verified) = &mut self.state {
            verified.insert(&self.shape, batch, counts);
        }
    }

    /// Rows of an `events` or `delta` topic, one by one.
    fn apply_rows(
        &mut self,
        changes: Vec<Change>,
        (places, marks): (&Places, &[i64]),
        touched: &mut Touched,
        fed: &mut Fed,
    ) {
        let discipline = self.shape.topic.discipline;
        for (idx, change) in changes.into_iter().enumerate() {
            let (row, diff) = match (change, discipline) {
                (Change::Insert(row), _) => (row, 1),
                (Change::Diff { row, diff }, Discipline::Delta) => (row, diff),
                (Change::Upsert(row) | Change::Delete(row) | Change::Diff { row, .. }, _) => {
                    let message = format!("a `{discipline}` topic takes no such change");
                    touched.counts.input.add(1);
                    let error = self.shape.error("malformed", &message, format!("{row:?}"));
                    touched.refuse(error, 1);
                    continue;
                }
            };
            touched.counts.input.add(diff);
            touched.counts.touched += 1;
            let is_admitted = match &mut self.state {
                State::Verified(verified) => verified.admit(&self.shape, (&row, diff), touched),
                State::Open | State::Full(_) => true,
            };
            if is_admitted {
                fed.rows.push(&row, diff);
                fed.places.push(places.at(idx));
                fed.marks.extend(marks.get(idx));
            }
        }
    }
}
