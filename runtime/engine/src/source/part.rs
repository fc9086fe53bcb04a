//! What goes into a source, and what comes out of it: rows with their places and marks.

use arqon_types::{Column, ColumnBatch};

use super::changes::Changes;

/// A worker's part of what happened to a topic.
#[derive(Debug)]
pub(crate) struct Part {
    /// In log order.
    pub(crate) changes: Changes,
    /// Where they stand in the log.
    pub(crate) places: Places,
    /// The mark of each change; empty where rows carry no marks.
    pub(crate) marks: Vec<i64>,
}

/// Where changes stand in the log.
#[derive(Debug, Clone)]
pub(crate) enum Places {
    /// One after another, the first of them here.
    From(i64),
    /// Each here.
    Each(Vec<i64>),
}

impl Places {
    /// The place of a change.
    pub(crate) fn at(&self, idx: usize) -> i64 {
        match self {
            Self::From(first) => first + i64::try_from(idx).expect("fewer than 2^63 changes"),
            Self::Each(places) => places[idx],
        }
    }

    /// Adds the place of one more change, wherever it is.
    pub(crate) fn push(&mut self, place: i64) {
        match self {
            Self::Each(places) => places.push(place),
            Self::From(_) => unreachable!("rows that come one by one each have their place"),
        }
    }
}

/// How the rows of a source are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadAs {
    /// As the collection changes, and as a log.
    Both,
    /// Only as the collection changes.
    Rows,
    /// Only as a log.
    Log,
}

/// Rows of a source, as they go into the dataflow.
#[derive(Debug, Clone)]
pub(crate) struct Fed {
    /// The rows; once they leave the source with their marks as last column, if they carry any.
    pub(crate) rows: ColumnBatch,
    /// The place of each row in the log, unless they are read as rows only.
    pub(crate) places: Places,
    /// How they are read.
    pub(crate) read_as: ReadAs,
    /// The marks, as long as they are beside the rows.
    pub(crate) marks: Vec<i64>,
}

impl Fed {
    /// Rows with what goes along with them.
    pub(crate) fn new(read_as: ReadAs, rows: ColumnBatch, places: Places, marks: Vec<i64>) -> Self {
        Self { rows, places, read_as, marks }
    }

    /// Makes the marks a last column of the rows.
    pub(crate) fn add_marks(&mut self) {
        assert_eq!(self.marks.len(), self.rows.len(), "each row has its mark");
        self.rows.columns.push(Column::Int(std::mem::take(&mut self.marks)));
    }

    /// The rows, each with its place as last field.
    pub(crate) fn placed(&self) -> ColumnBatch {
        let mut rows = self.rows.clone();
        let places = (0..rows.len()).map(|idx| self.places.at(idx));
        rows.columns.push(Column::Int(places.collect()));
        rows
    }
}
