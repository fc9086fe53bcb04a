//! What a source knows of its topic: how rows and keys are packed, and what is said of errors.

use arqon_plan::{ARRIVAL, TopicPlan};
use arqon_types::{Column, ColumnBatch, Discipline, ErrorRow, Field, PackedRow, Row, Type, Value};

use super::divider::Reading;
use super::pack::{pack_cells, pack_fields};
use super::push_packed;
use crate::evaluate::Formula;
use crate::forget::Forgetting;
use crate::narrow::Keep;
use crate::recorder::packed_text;

/// What a source knows of its topic.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The topic; its schema has what rows bring along.
    pub(crate) topic: TopicPlan,
    /// What steps want.
    pub(crate) reading: Reading,
    /// What each reader asks of a row; a row that none of them lets through is not held. Empty if
    /// any row is read.
    pub(crate) passing: Vec<Vec<Formula>>,
    /// The fields that the row of a key is packed of: all, or those that the key has not where the
    /// rows are read as the collection changes and by no one else.
    pub(crate) packed: Vec<usize>,
    /// Of all fields.
    pub(crate) types: Vec<Type>,
    /// When rows go that nobody takes back.
    pub(crate) forgetting: Forgetting,
}

impl Shape {
    /// Of a topic that is read so.
    pub(crate) fn new(
        mut topic: TopicPlan,
        (reading, keep, passing): (Reading, Keep, Vec<Vec<Formula>>),
        forgetting: Forgetting,
    ) -> Self {
        if topic.arrival {
            topic.schema.fields.push(Field::new(ARRIVAL, Type::Timestamp));
        }
        let types = topic.schema.types();
        let is_split = keep == Keep::Read
            && reading == Reading::Rows
            && topic.lateness.is_none()
            && forgetting == Forgetting::Never;
        let in_key = |at: &usize| is_split && topic.key.contains(at);
        let packed = (0..types.len()).filter(|at| !in_key(at)).collect();
        Self { topic, reading, passing, packed, types, forgetting }
    }

    /// The key of a row of a batch.
    pub(crate) fn key_in(&self, batch: &ColumnBatch, row_idx: usize) -> PackedRow {
        pack_cells(batch, row_idx, self.topic.key.iter().copied(), &self.types)
    }

    /// What is held beside the key.
    pub(crate) fn row_in(&self, batch: &ColumnBatch, row_idx: usize) -> PackedRow {
        pack_cells(batch, row_idx, self.packed.iter().copied(), &self.types)
    }

    /// The key of a row.
    pub(crate) fn key_of(&self, row: &Row) -> PackedRow {
        pack_fields(row, &self.topic.key, &self.types)
    }

    /// What is held beside the key.
    pub(crate) fn row_of(&self, row: &Row) -> PackedRow {
        pack_fields(row, &self.packed, &self.types)
    }

    /// A key that comes alone.
    pub(crate) fn key(&self, values: &Row) -> PackedRow {
        let mut key = PackedRow::new();
        for (value, at) in values.iter().zip(&self.topic.key) {
            key.push_value(value, &self.types[*at]);
        }
        key
    }

    /// From when on the end of a row is counted, which came `now`.
    pub(crate) fn moment_in(&self, batch: &ColumnBatch, row_idx: usize, now: i64) -> i64 {
        match self.forgetting {
            Forgetting::Never | Forgetting::Arrival(_) => now,
            Forgetting::Marked { field, .. } => match &batch.columns[field] {
                Column::Int(times) => times[row_idx],
                other => panic!("an event time is a timestamp, not {other:?}"),
            },
        }
    }

    /// The same of a row.
    pub(crate) fn moment_of(&self, row: &Row, now: i64) -> i64 {
        match self.forgetting {
            Forgetting::Never | Forgetting::Arrival(_) => now,
            Forgetting::Marked { field, .. } => match row[field] {
                Value::Timestamp(time) => time,
                ref other => panic!("an event time is a timestamp, not {other:?}"),
            },
        }
    }

    /// Appends the row of a key.
    pub(crate) fn push_row(
        &self,
        batch: &mut ColumnBatch,
        (key, row): (&PackedRow, &PackedRow),
        diff: i64,
    ) {
        if self.packed.len() == self.types.len() {
            return push_packed(batch, row, &self.types, diff);
        }
        let (mut key, mut row) = (key.as_bytes(), row.as_bytes());
        for at in &self.topic.key {
            batch.columns[*at].push_packed(&mut key, &self.types[*at]);
        }
        for at in &self.packed {
            batch.columns[*at].push_packed(&mut row, &self.types[*at]);
        }
        batch.diffs.push(diff);
    }

    /// What is said of a change that is not taken.
    pub(crate) fn refusal(&self, message: &str, row: &PackedRow) -> ErrorRow {
        let code = match self.topic.discipline {
            Discipline::Delta => "unknown_row",
            Discipline::Events | Discipline::Full => "malformed",
        };
        self.error(code, message, packed_text(&self.topic.schema, row))
    }

    /// An error row of the topic.
    pub(crate) fn error(&self, code: &str, message: &str, row: String) -> ErrorRow {
        let name = self.topic.name.as_str();
        ErrorRow {
            node: name.to_owned(),
            step: name.to_owned(),
            code: code.to_owned(),
            message: message.to_owned(),
            place: String::new(),
            row,
        }
    }
}
