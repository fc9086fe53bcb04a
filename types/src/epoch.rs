//! The logical time of the bus: one `u64` per drained batch of input, minted from 1.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A closed batch of input and everything that follows from it.
///
/// Epoch 0 is "before anything": a delta batch with `lower` 0 is a snapshot.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// Before any input.
    pub const ZERO: Self = Self(0);

    /// The epoch after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
