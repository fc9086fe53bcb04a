//! How a step computes its output.

use std::fmt;

/// The three ways to bring an output up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Full application: cost does not depend on the change.
    Pass,
    /// Exact delta: cost is proportional to the changed share.
    Itmd,
    /// Reduced-rank reuse with a certified error: cost is that of a small basis.
    Rr,
}

/// All modes, the plainest first.
pub const MODES: [Mode; 3] = [Mode::Pass, Mode::Itmd, Mode::Rr];

impl Mode {
    /// Its place in [`MODES`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its name in circuits and journals.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Itmd => "itmd",
            Self::Rr => "rr",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
