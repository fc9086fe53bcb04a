//! What producers said to a topic, and the same with fewer or more columns.

use arqon_types::{Change, Column, ColumnBatch, ErrorRow, Row, Value};

/// What happened to an input topic in one epoch.
#[derive(Debug, Clone, PartialEq)]
pub enum Changes {
    /// One by one, in log order.
    Rows(Vec<Change>),
    /// Inserts or upserts, each with diff 1, in log order.
    Columns(ColumnBatch),
    /// What could not be read: goes to the topic's errors.
    Errors(Vec<ErrorRow>),
}

impl Changes {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Rows(changes) => changes.len(),
            Self::Columns(batch) => batch.len(),
            Self::Errors(errors) => errors.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the changes from `idx` on out, and keeps those before.
    pub(crate) fn split_off(&mut self, idx: usize) -> Self {
        match self {
            Self::Rows(changes) => Self::Rows(changes.split_off(idx)),
            Self::Columns(batch) => Self::Columns(batch.split_off(idx)),
            Self::Errors(errors) => Self::Errors(errors.split_off(idx)),
        }
    }

    /// The same without columns that are not kept; keys stay as they are.
    pub(crate) fn narrowed(self, kept: &[usize]) -> Self {
        let narrow = |row: &Row| -> Row { kept.iter().map(|at| row[*at].clone()).collect() };
        match self {
            Self::Rows(changes) => Self::Rows(
                changes
                    .into_iter()
                    .map(|change| match change {
                        Change::Insert(row) => Change::Insert(narrow(&row)),
                        Change::Upsert(row) => Change::Upsert(narrow(&row)),
                        Change::Diff { row, diff } => Change::Diff { row: narrow(&row), diff },
                        Change::Delete(key) => Change::Delete(key),
                    })
                    .collect(),
            ),
            Self::Columns(ColumnBatch { columns, diffs }) => {
                // Kept columns are in order, so each is met in turn.
                let mut kept = kept.iter().peekable();
                let columns = (0..).zip(columns).filter(|(at, _)| kept.next_if_eq(&at).is_some());
                Self::Columns(ColumnBatch { columns: columns.map(|it| it.1).collect(), diffs })
            }
            Self::Errors(errors) => Self::Errors(errors),
        }
    }

    /// The same, each row with the time of its epoch as a last field.
    pub(crate) fn arriving(self, time: i64) -> Self {
        let with_time =
            |row: Row| -> Row { row.iter().cloned().chain([Value::Timestamp(time)]).collect() };
        match self {
            Self::Rows(changes) => Self::Rows(
                changes
                    .into_iter()
                    .map(|change| match change {
                        Change::Insert(row) => Change::Insert(with_time(row)),
                        Change::Upsert(row) => Change::Upsert(with_time(row)),
                        Change::Diff { row, diff } => Change::Diff { row: with_time(row), diff },
                        Change::Delete(key) => Change::Delete(key),
                    })
                    .collect(),
            ),
            Self::Columns(mut batch) => {
                batch.columns.push(Column::Int(vec![time; batch.len()]));
                Self::Columns(batch)
            }
            Self::Errors(errors) => Self::Errors(errors),
        }
    }
}
