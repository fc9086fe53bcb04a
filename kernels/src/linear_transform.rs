//! `y = A x`, kept up to date while entries of `x` change.
//!
//! The delta rule is linearity: `A (x + d) = A x + A d`, and `A d` needs only the columns of `A`
//! where `d` is not zero. Rounding adds up over steps, so the kernel carries a bound of its drift:
//! with `u = 2^-53`, adding one scaled column to `y` commits at most `2u (|y_i| + |a_ij d_j|)` per
//! entry to first order (Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., section
//! 2.2), and a full application at most `n u sum_j |a_ij x_j| / (1 - n u)` (section 3.1).

use ndarray::{Array1, Array2};

use crate::churn::Churn;
use crate::mode::Mode;

/// Two arrays do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// The vector is not as long as the matrix is wide.
    #[error("the vector has {found} entries, the matrix {wanted} columns")]
    Vector {
        /// Entries of the vector.
        found: usize,
        /// Columns of the matrix.
        wanted: usize,
    },
    /// A change names an entry that is not there.
    #[error("entry {found} changes, but there are only {n_entries}")]
    Entry {
        /// The entry that was named.
        found: usize,
        /// How many there are.
        n_entries: usize,
    },
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Applied {
    /// How the output was computed.
    pub mode: Mode,
    /// How much of the input changed.
    pub churn: Churn,
    /// Bound of the absolute error of every entry of the output, against exact arithmetic.
    pub error_max: f64,
}

/// The state of one dense linear map: `matrix` `[m, n]`, `input` `[n]`, `output` `[m]`.
#[derive(Debug, Clone)]
pub struct LinearTransform {
    matrix: Array2<f64>,
    input: Array1<f64>,
    output: Array1<f64>,
    /// Largest absolute entry of each column, for the drift bound.
    column_max: Vec<f64>,
    error_max: f64,
}

/// The unit roundoff of `f64`.
const ROUNDOFF: f64 = f64::EPSILON / 2.0;

impl LinearTransform {
    /// Applies `matrix` to `input` in full. Cost: O(m n).
    ///
    /// # Errors
    /// [`ShapeError::Vector`] if the two do not fit.
    pub fn new(matrix: Array2<f64>, input: Array1<f64>) -> Result<Self, ShapeError> {
        if matrix.ncols() != input.len() {
            return Err(ShapeError::Vector { found: input.len(), wanted: matrix.ncols() });
        }
        let column_max =
            matrix.columns().into_iter().map(|column| largest(column.iter())).collect();
        let output = Array1::zeros(matrix.nrows());
        let mut kernel = Self { matrix, input, output, column_max, error_max: 0.0 };
        kernel.apply();
        Ok(kernel)
    }

    /// The current output, `[m]`.
    pub fn output(&self) -> &Array1<f64> {
        &self.output
    }

    /// The current input, `[n]`.
    pub fn input(&self) -> &Array1<f64> {
        &self.input
    }

    /// Sets entries of the input and brings the output up to date in the given mode.
    ///
    /// Later changes of one entry win. Cost: `pass` O(m n), `itmd` O(m c) for c changes.
    ///
    /// # Errors
    /// [`ShapeError::Entry`] if a change names no entry; then nothing has changed.
    pub fn step(&mut self, changes: &[(usize, f64)], mode: Mode) -> Result<Applied, ShapeError> {
        let n_entries = self.input.len();
        if let Some((found, _)) = changes.iter().find(|(at, _)| *at >= n_entries) {
            return Err(ShapeError::Entry { found: *found, n_entries });
        }
        let (mut n_changed, mut delta_max) = (0, 0.0_f64);
        for (at, value) in changes {
            let old = self.input[*at];
            if old.to_bits() == value.to_bits() {
                continue;
            }
            n_changed += 1;
            delta_max = delta_max.max((value - old).abs());
            self.input[*at] = *value;
            if mode == Mode::Itmd {
                self.add_column(*at, old, *value);
            }
        }
        if mode == Mode::Pass {
            self.apply();
        }
        let churn = Churn { n_changed, n_total: n_entries, delta_max };
        Ok(Applied { mode, churn, error_max: self.error_max })
    }

    fn add_column(&mut self, at: usize, old: f64, new: f64) {
        let delta = new - old;
        self.output.scaled_add(delta, &self.matrix.column(at));
        // The difference, the product and the sum each round once.
        let product = self.column_max[at] * delta.abs();
        self.error_max += 2.0 * ROUNDOFF * (largest(self.output.iter()) + 2.0 * product);
    }

    fn apply(&mut self) {
        self.output = self.matrix.dot(&self.input);
        let sum: f64 = self.column_max.iter().zip(&self.input).map(|(max, x)| max * x.abs()).sum();
        let n_roundoff = ROUNDOFF * f64::from(u32::try_from(self.input.len()).unwrap_or(u32::MAX));
        // Twice, because the sum above is itself rounded.
        self.error_max = 2.0 * n_roundoff / (1.0 - n_roundoff) * sum;
    }
}

fn largest<'a>(numbers: impl Iterator<Item = &'a f64>) -> f64 {
    numbers.fold(0.0, |most, number| most.max(number.abs()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, in integers: entries are small multiples of 2^-8, so nothing rounds.
    fn exact(matrix: &[Vec<i64>], input: &[i64]) -> Vec<i64> {
        matrix.iter().map(|row| row.iter().zip(input).map(|(a, x)| a * x).sum()).collect()
    }

    fn scaled(number: i64) -> f64 {
        f64::from(i32::try_from(number).unwrap()) / 256.0
    }

    proptest! {
        #[test]
        fn itmd_pass_and_definition_agree(
            matrix in prop::collection::vec(prop::collection::vec(-1000_i64..1000, 5), 1..7),
            start in prop::collection::vec(-1000_i64..1000, 5),
            steps in prop::collection::vec(
                prop::collection::vec((0_usize..5, -1000_i64..1000), 0..4), 0..20),
        ) {
            let array = Array2::from_shape_fn((matrix.len(), 5), |(i, j)| scaled(matrix[i][j]));
            let input: Array1<f64> = start.iter().map(|x| scaled(*x)).collect();
            let mut itmd = LinearTransform::new(array.clone(), input.clone()).unwrap();
            let mut pass = LinearTransform::new(array, input).unwrap();
            let mut current = start;
            for changes in steps {
                for (at, value) in &changes {
                    current[*at] = *value;
                }
                let changes: Vec<(usize, f64)> =
                    changes.into_iter().map(|(at, value)| (at, scaled(value))).collect();
                let step = itmd.step(&changes, Mode::Itmd).unwrap();
                pass.step(&changes, Mode::Pass).unwrap();
                prop_assert!(step.churn.share() <= 1.0);
                for (at, wanted) in exact(&matrix, &current).into_iter().enumerate() {
                    let wanted = scaled(wanted) / 256.0;
                    prop_assert!((itmd.output()[at] - wanted).abs() <= step.error_max);
                    prop_assert!((pass.output()[at] - wanted).abs() <= step.error_max.max(1e-12));
                }
            }
        }
    }

    #[test]
    fn the_bound_holds_over_a_long_walk_that_rounds() {
        let entry = |n: usize| 1.0 / f64::from(u32::try_from(n).unwrap() + 1);
        let matrix = Array2::from_shape_fn((3, 3), |(i, j)| entry(i + j));
        let mut kernel = LinearTransform::new(matrix.clone(), Array1::zeros(3)).unwrap();
        let mut x = 0.1;
        for n in 0..10_000 {
            x = (x * 997.0_f64).fract() + 1e-3;
            let step = kernel.step(&[(n % 3, x)], Mode::Itmd).unwrap();
            let full = matrix.dot(kernel.input());
            for (kept, fresh) in kernel.output().iter().zip(&full) {
                assert!((kept - fresh).abs() <= step.error_max + 1e-15, "step {n}");
            }
        }
    }

    #[test]
    fn faults_change_nothing() {
        assert_eq!(
            LinearTransform::new(Array2::zeros((2, 3)), Array1::zeros(2)).unwrap_err(),
            ShapeError::Vector { found: 2, wanted: 3 }
        );
        let mut kernel = LinearTransform::new(Array2::eye(2), Array1::ones(2)).unwrap();
        let fault = kernel.step(&[(0, 5.0), (2, 1.0)], Mode::Itmd).unwrap_err();
        assert_eq!(fault, ShapeError::Entry { found: 2, n_entries: 2 });
        assert_eq!(kernel.input(), &Array1::<f64>::ones(2));
    }
}
