//! Churn p: the changed share of an input in one step.

/// How many of how many inputs changed, and by how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Churn {
    /// Inputs that changed.
    pub n_changed: usize,
    /// All inputs.
    pub n_total: usize,
    /// The change in the max norm, at most, in the unit of the input; 0 for inputs that are no
    /// numbers.
    pub delta_max: f64,
}

impl Churn {
    /// The share p in 0..=1; 0 of an empty input.
    #[expect(clippy::cast_precision_loss, reason = "a share of counts far below 2^53")]
    pub fn share(self) -> f64 {
        if self.n_total == 0 { 0.0 } else { self.n_changed as f64 / self.n_total as f64 }
    }
}
