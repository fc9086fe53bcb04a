//! How a step computes its output.

use std::fmt;

/// `pass` applies the transform in full, `itmd` adds the exact delta of what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Full application: cost does not depend on the change.
    Pass,
    /// Exact delta: cost is proportional to the changed share.
    Itmd,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Itmd => "itmd",
        })
    }
}
