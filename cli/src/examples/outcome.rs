//! How an example ended, and what to show of it.

use std::time::Duration;

/// One example of one circuit.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// The circuit file.
    pub(super) file: String,
    /// What the example shows, in its author's words.
    pub(super) name: String,
    /// How long it took on all worker counts together.
    pub(super) took: Duration,
    /// Why it failed; empty if it passed.
    pub(super) faults: Vec<Fault>,
}

impl Outcome {
    /// Whether all was as expected.
    pub(super) fn passed(&self) -> bool {
        self.faults.is_empty()
    }
}

/// What was not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// `file:line:column` of the step.
    pub(super) place: String,
    /// One line.
    pub(super) message: String,
    /// More lines, if there is more to see.
    pub(super) detail: String,
}
