//! Counts work, and says when it is enough for one call.

/// Work that was done, and up to where it may go on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Meter {
    pub(super) spent: u64,
    pub(super) limit: u64,
}

impl Meter {
    /// So many words were moved.
    pub(super) fn spend(&mut self, words: usize) {
        self.spent += words as u64;
    }

    /// Whether the call should end.
    pub(super) fn is_out(&self) -> bool {
        self.spent >= self.limit
    }
}

/// A count as a float; counts are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(super) fn float(count: usize) -> f64 {
    count as f64
}

/// Work as a float; it is rounded beyond 2^53.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(super) fn words(work: u64) -> f64 {
    work as f64
}

/// Words of a long list that are done at a time.
pub(super) const SLICE: usize = 1 << 14;
