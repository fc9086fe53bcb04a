//! What attention is compiled of.

use crate::kernel::{SpecError, WORK_GRAIN};

/// Shapes and features of attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionSpec {
    /// Heads; each takes an equal part of every vector.
    pub n_heads: usize,
    /// Entries of a query and of a key, over all heads.
    pub n_key: usize,
    /// Entries of a value and of an output, over all heads.
    pub n_value: usize,
    /// Random features of each head.
    pub n_features: usize,
    /// Which.
    pub feature_map: FeatureMap,
    /// What a query sees.
    pub causality: Causality,
    /// What the features are drawn by.
    pub seed: u64,
}

/// Random features that stand for the softmax kernel `exp(q k / sqrt d)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureMap {
    /// Positive features, `exp(w x - |x|^2 / 2)` (Choromanski et al., *Rethinking Attention with
    /// Performers*, lemma 1), over orthogonal `w`. Denominators are positive.
    FavorPlus,
    /// Fourier features, cosines and sines of `w x` (Rahimi and Recht). Denominators may come out
    /// near zero or below, and then a row is [`Outcome::Lost`](super::Outcome::Lost).
    Rff,
}

/// What a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Causality {
    /// All tokens.
    Plain,
    /// Those at its place and before.
    Causal,
}

/// The shape of one head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Entries of a key.
    pub(super) d: usize,
    /// Entries of a value.
    pub(super) e: usize,
    /// Features.
    pub(super) m: usize,
}

impl AttentionSpec {
    /// The shape of one head.
    pub(super) fn head(&self) -> Shape {
        Shape { d: self.n_key / self.n_heads, e: self.n_value / self.n_heads, m: self.n_features }
    }

    /// Work of one row or token over all heads.
    pub(super) fn row_work(&self) -> u64 {
        self.head().row_work() * self.n_heads as u64
    }

    /// Rows or tokens that are computed at a time, so that a part ends within the grain.
    pub(super) fn block(&self) -> usize {
        let rows = WORK_GRAIN / self.row_work().max(1);
        usize::try_from(rows).unwrap_or(BLOCK_MAX).clamp(1, BLOCK_MAX)
    }

    /// Tokens of a run of neighbours, so that one can be computed anew within the grain.
    pub(super) fn run(&self) -> usize {
        let rows = WORK_GRAIN / self.row_work().max(1);
        usize::try_from(rows).unwrap_or(RUN_MAX).clamp(1, RUN_MAX)
    }

    /// Whether a kernel can be compiled of it. Cost: O(1).
    ///
    /// # Errors
    /// [`SpecError`] with the first that is not.
    pub fn check(&self) -> Result<(), SpecError> {
        let counts = [
            ("heads", self.n_heads, MOST),
            ("entries of a key", self.n_key, MOST),
            ("entries of a value", self.n_value, MOST),
            ("features", self.n_features, MOST),
        ];
        for (name, count, most) in counts {
            if count == 0 || count > most {
                return Err(fault(name, count, "between 1 and 65536"));
            }
        }
        for (name, count) in
            [("entries of a key", self.n_key), ("entries of a value", self.n_value)]
        {
            if !count.is_multiple_of(self.n_heads) {
                return Err(fault(name, count, "a multiple of the heads"));
            }
        }
        if self.feature_map == FeatureMap::Rff && !self.n_features.is_multiple_of(2) {
            return Err(fault("features", self.n_features, "even, since each frequency gives two"));
        }
        if WORK_GRAIN < self.row_work() {
            return Err(fault("features", self.n_features, "fewer, for vectors as long as these"));
        }
        Ok(())
    }
}

impl Shape {
    /// Columns of the sums: those of a value, and one for the denominator.
    pub(super) fn width(self) -> usize {
        self.e + 1
    }

    /// Work of one row or token: its features, and their products with the sums.
    pub(super) fn row_work(self) -> u64 {
        let flops = 2 * self.m * (self.d + self.e + 12);
        flops as u64
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn fault(name: &'static str, count: usize, wanted: &'static str) -> SpecError {
    SpecError::Argument { name, found: count as f64, wanted }
}

/// More than this of anything is a mistake.
const MOST: usize = 1 << 16;

/// Longer runs take less memory, and more work for the tokens that a query sees of its own run.
const RUN_MAX: usize = 128;

/// Larger blocks are no faster.
const BLOCK_MAX: usize = 64;
