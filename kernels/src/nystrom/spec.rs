//! What kernel regression is compiled of.

use crate::kernel::SpecError;

/// Shapes and arguments of kernel regression over landmarks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NystromSpec {
    /// Entries of a point.
    pub n_entries: usize,
    /// Landmarks at most; fewer while there are fewer distinct points.
    pub n_landmarks: usize,
    /// What makes two points alike.
    pub similarity: Similarity,
    /// How fast likeness falls with distance, above 0.
    pub gamma: f64,
    /// The ridge, above 0.
    pub lambda: f64,
    /// What landmarks are chosen by.
    pub seed: u64,
}

/// What makes two points alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Similarity {
    /// `exp(-gamma |x - l|^2)`, in the Euclidean norm.
    Gaussian,
    /// `exp(-gamma |x - l|_1)`, in the sum of magnitudes.
    Laplace,
}

impl NystromSpec {
    /// Whether a kernel can be compiled of it. Cost: O(1).
    ///
    /// # Errors
    /// [`SpecError`] with the first that is not.
    pub fn check(&self) -> Result<(), SpecError> {
        let counts = [
            ("entries of a point", self.n_entries, ENTRIES_MAX, "between 1 and 65536"),
            ("landmarks", self.n_landmarks, LANDMARKS_MAX, "between 1 and 700"),
        ];
        for (name, count, most, wanted) in counts {
            if count == 0 || most < count {
                return Err(SpecError::Argument { name, found: as_float(count), wanted });
            }
        }
        for (name, found) in [("gamma", self.gamma), ("lambda", self.lambda)] {
            if !(1e-100..1e100).contains(&found) {
                return Err(SpecError::Argument { name, found, wanted: "above 0, and no extreme" });
            }
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn as_float(count: usize) -> f64 {
    count as f64
}

const ENTRIES_MAX: usize = 1 << 16;

/// With more, one factorisation would be longer than a grain of work.
const LANDMARKS_MAX: usize = 700;
