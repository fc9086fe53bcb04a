//! Which outputs a step puts out. A speed-up holds for one policy only, so the policy is part of
//! the job.

/// Which output rows a step hands over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Emit {
    /// Those of the inputs that changed; the others stay as they were last said.
    Changed,
    /// None: the state follows, and rows are computed when they are read.
    Pull,
    /// Those whose last said value may be off by more than this, in the max norm; of the others
    /// the difference is part of the error.
    Eps(f64),
    /// Every row that is not exactly what was last said.
    All,
}
