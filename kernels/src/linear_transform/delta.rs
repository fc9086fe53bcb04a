//! What a linear transform is made of, what may change, and what it puts out.

use crate::kernel::{DeltaError, SpecError};

/// How the matrix is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// All entries, by rows and by columns.
    Dense,
    /// Entries that are not zero, by rows and by columns.
    Sparse,
}

/// In what outputs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// `f32`, for many vectors: products of matrices run at full speed, and half the bytes move.
    Single,
    /// `f64`: what drifts in a million steps is far below what `f32` rounds.
    Double,
}

/// `Y = W X`: the shape of `W`, and how it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinearSpec {
    /// Rows of the matrix: the length of an output.
    pub n_rows: usize,
    /// Columns of the matrix: the length of a vector.
    pub n_columns: usize,
    /// How the matrix is kept.
    pub layout: Layout,
    /// In what outputs are kept.
    pub precision: Precision,
    /// Vectors in the basis of `rr`; 0 for none.
    pub rank: usize,
}

/// Rows or columns at most.
const SIDE_MAX: usize = 1 << 24;

/// Entries of a dense matrix at most: 16 GiB for both of its orders.
const ENTRIES_MAX: usize = 1 << 31;

/// Vectors in the basis at most; beyond, a full application is cheaper at any size that fits.
const RANK_MAX: usize = 1 << 12;

impl LinearSpec {
    /// Whether a kernel can be compiled of it. Cost: O(1).
    ///
    /// # Errors
    /// [`SpecError`] with the first that is not.
    #[expect(clippy::cast_precision_loss, reason = "only told")]
    pub fn check(&self) -> Result<(), SpecError> {
        let argument = |name, found: usize, wanted| {
            Err(SpecError::Argument { name, found: found as f64, wanted })
        };
        for (name, side) in [("rows", self.n_rows), ("columns", self.n_columns)] {
            if !(1..=SIDE_MAX).contains(&side) {
                return argument(name, side, "1 to 2^24");
            }
        }
        let n_entries = self.n_rows * self.n_columns;
        if self.layout == Layout::Dense && ENTRIES_MAX < n_entries {
            return argument("rows times columns", n_entries, "at most 2^31 in a dense matrix");
        }
        if RANK_MAX < self.rank {
            return argument("rank", self.rank, "at most 4096");
        }
        Ok(())
    }
}

/// A changed entry of one vector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EntryChange {
    /// The vector's key.
    pub key: i64,
    /// The entry.
    pub at: usize,
    /// Its new value.
    pub value: f32,
}

/// A change of matrix and vectors, in columns. Parts are taken in the order of the fields; within
/// one, the last of a key wins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinearDelta {
    /// Rows of the matrix that change.
    pub rows: Vec<usize>,
    /// Their new entries `[rows, n]`; zeros for a row that is gone.
    pub weights: Vec<f32>,
    /// Left factors `[r, m]` of a change `U V^T` of the matrix, whose entries are then rounded to
    /// `f32`.
    pub low_rank_left: Vec<f32>,
    /// Right factors `[r, n]`.
    pub low_rank_right: Vec<f32>,
    /// Vectors that are gone.
    pub removed: Vec<i64>,
    /// Vectors that come or change as a whole.
    pub keys: Vec<i64>,
    /// Their entries `[keys, n]`.
    pub vectors: Vec<f32>,
    /// Coordinates that change in all vectors that there are by now.
    pub coordinates: Vec<usize>,
    /// Their entries `[coordinates, vectors]`, vectors by ascending key.
    pub coordinate_values: Vec<f32>,
    /// Single entries of vectors.
    pub entries: Vec<EntryChange>,
}

/// Output rows: keys, and `[keys, m]` values as they are kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinearOutput {
    /// Keys of the vectors.
    pub keys: Vec<i64>,
    /// Their outputs, one after another.
    pub values: Vec<f64>,
}

impl LinearDelta {
    /// Vectors of rank 1 in the change of the matrix.
    pub(crate) fn low_rank(&self, spec: &LinearSpec) -> usize {
        self.low_rank_left.len() / spec.n_rows
    }

    /// Whether the shapes fit, keys are in range and numbers finite.
    ///
    /// # Errors
    /// [`DeltaError`] if not.
    pub(crate) fn check(
        &self,
        spec: &LinearSpec,
        is_there: &dyn Fn(i64) -> bool,
        n_vectors: usize,
    ) -> Result<(), DeltaError> {
        let (m, n) = (spec.n_rows, spec.n_columns);
        let shape = |what, found: usize, wanted: usize| {
            if found == wanted { Ok(()) } else { Err(DeltaError::Shape { what, found, wanted }) }
        };
        shape("the array of rows", self.weights.len(), self.rows.len().saturating_mul(n))?;
        shape("the array of left factors", self.low_rank_left.len(), self.low_rank(spec) * m)?;
        shape("the array of right factors", self.low_rank_right.len(), self.low_rank(spec) * n)?;
        shape("the array of vectors", self.vectors.len(), self.keys.len().saturating_mul(n))?;
        let key = |what, found: usize, n_keys: usize| {
            let error = || DeltaError::Key { what, found: found.try_into().unwrap_or(-1), n_keys };
            if found < n_keys { Ok(()) } else { Err(error()) }
        };
        self.rows.iter().try_for_each(|row| key("row", *row, m))?;
        self.coordinates.iter().try_for_each(|at| key("coordinate", *at, n))?;
        self.entries.iter().try_for_each(|entry| key("entry", entry.at, n))?;
        let mut removed = self.removed.clone();
        removed.sort_unstable();
        for (at, found) in removed.iter().copied().enumerate() {
            if !is_there(found) || removed[..at].last() == Some(&found) {
                return Err(DeltaError::NotThere { what: "vector", found });
            }
        }
        let mut added: Vec<i64> = self.keys.clone();
        added.sort_unstable();
        added.dedup();
        let is_left = |key| is_there(key) && removed.binary_search(&key).is_err();
        let n_added = added.iter().filter(|key| !is_left(**key)).count();
        let n_left = n_vectors - removed.len() + n_added;
        let wanted = self.coordinates.len().saturating_mul(n_left);
        shape("the array of coordinates", self.coordinate_values.len(), wanted)?;
        for entry in &self.entries {
            if !is_left(entry.key) && added.binary_search(&entry.key).is_err() {
                return Err(DeltaError::NotThere { what: "vector", found: entry.key });
            }
        }
        let arrays = [
            ("the array of rows", &self.weights),
            ("the array of left factors", &self.low_rank_left),
            ("the array of right factors", &self.low_rank_right),
            ("the array of vectors", &self.vectors),
            ("the array of coordinates", &self.coordinate_values),
        ];
        for (what, array) in arrays {
            if !array.iter().all(|number| number.is_finite()) {
                return Err(DeltaError::NotFinite { what });
            }
        }
        if self.entries.iter().all(|entry| entry.value.is_finite()) {
            Ok(())
        } else {
            Err(DeltaError::NotFinite { what: "the array of entries" })
        }
    }
}
