//! What a reader hands on: some rows, and the lines that were none.

use arqon_types::{Change, ColumnBatch};

use crate::fault::LineFault;

/// The rows of a batch in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub enum InputRows {
    /// All plain: an event, an upsert or an insert each, by the topic's discipline.
    Columns(ColumnBatch),
    /// Some delete or retract.
    Changes(Vec<Change>),
}

impl InputRows {
    /// How many rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Columns(batch) => batch.len(),
            Self::Changes(changes) => changes.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Some lines of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct InputBatch {
    /// The lines that were rows.
    pub rows: InputRows,
    /// The lines that were none.
    pub faults: Vec<LineFault>,
}

impl InputBatch {
    /// How many records were read, good and bad.
    pub fn n_records(&self) -> usize {
        self.rows.len() + self.faults.len()
    }
}
