//! A small set of directions with their images under a linear map: what was computed once answers
//! for all inputs near their span.
//!
//! For any coefficients a, `W x = sum a_k (W q_k) + W (x - sum a_k q_k)`; so the error is that of
//! the images, and at most the largest row norm of `W` times the norm of the residual. Neither asks
//! that the directions be orthogonal; that only makes the residual small.
//!
//! The norm of the residual comes from `|x|^2 - 2 a.(Q^T x) + a^T (Q^T Q) a` in `f64`, with all
//! that rounding may take from it added: it costs no second walk over the directions, and is never
//! below the true one. In `f32` the same formula reads too little.

use crate::arithmetic::{
    ROUNDOFF, ROUNDOFF_SINGLE, add_columns, column_depth, compensated_dot, dot_depth, dots, gamma,
    norm_above, square_norm, to_float, widened,
};
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};

/// Directions `[r, n]` and images `[r, m]`.
#[derive(Debug, Clone)]
pub(crate) struct Basis {
    rank_max: usize,
    n: usize,
    m: usize,
    directions: Vec<f32>,
    images: Vec<f32>,
    /// `Q^T Q` `[rank_max, rank_max]`, each entry off by at most `gram_error`.
    gram: Vec<f64>,
    /// How much each direction was of use: its squared coefficients, halved every few steps.
    energies: Vec<f64>,
    /// By how much an entry of an image may be off.
    image_errors: Vec<f64>,
}

/// An input in the basis.
#[derive(Debug, Clone)]
pub(crate) struct Projection {
    /// Coefficients `[r]`.
    pub(crate) coefficients: Vec<f64>,
    /// The norm of what is left, from above.
    pub(crate) residual: f64,
}

/// What is left of the energy of a direction after each projection.
const DECAY: f64 = 0.99;

/// Norms of directions lie in 1 - this..1 + this, since they are rounded to `f32`.
const NORM_SLACK: f64 = 1e-6;

impl Basis {
    /// An empty one of at most `rank_max` directions of length `n`, with images of length `m`.
    pub(crate) fn new(rank_max: usize, n: usize, m: usize) -> Self {
        Self {
            rank_max,
            n,
            m,
            directions: Vec::new(),
            images: Vec::new(),
            gram: vec![0.0; rank_max * rank_max],
            energies: Vec::new(),
            image_errors: Vec::new(),
        }
    }

    /// How many directions there are.
    pub(crate) fn rank(&self) -> usize {
        self.energies.len()
    }

    /// Forgets all directions.
    pub(crate) fn clear(&mut self) {
        self.directions.clear();
        self.images.clear();
        self.energies.clear();
        self.image_errors.clear();
        self.gram.fill(0.0);
    }

    /// The direction `[n]`.
    pub(crate) fn direction(&self, at: usize) -> &[f32] {
        &self.directions[at * self.n..][..self.n]
    }

    /// Puts an entry of an image anew: what row `row` of the map gives for direction `at`, off by
    /// at most `error` before it is rounded to `f32`.
    pub(crate) fn set_image_entry(&mut self, at: usize, row: usize, value: f64, error: f64) {
        let value = single(value);
        self.images[at * self.m + row] = value;
        let error = error + ROUNDOFF_SINGLE * f64::from(value.abs()) * 1.01 + 1e-45;
        self.image_errors[at] = self.image_errors[at].max(error);
    }

    /// `x` in the basis. Cost: O(r n).
    pub(crate) fn project(&mut self, x: &[f32]) -> Projection {
        let rank = self.rank();
        let mut a = vec![0.0; rank];
        // Widened once, and not for each direction.
        dots(&self.directions, &widened(x), &mut a);
        for (energy, a) in self.energies.iter_mut().zip(&a) {
            *energy = DECAY * *energy + a * a;
        }
        let square = square_norm(x);
        let mut left = square;
        let mut span = 0.0;
        for (k, a_k) in a.iter().enumerate() {
            let row = &self.gram[k * self.rank_max..][..rank];
            let inner: f64 = row.iter().zip(&a).map(|(gram, a)| gram * a).sum();
            left += a_k * (inner - 2.0 * a_k);
            span += a_k * a_k;
        }
        // Of |x|^2, of the coefficients, which stand for Q^T x (Cauchy and Schwarz over the r of
        // them), of the Gram matrix, and of the sum just made.
        let r = to_float(rank);
        let dot = gamma(dot_depth(self.n), ROUNDOFF) * (1.0 + NORM_SLACK);
        let sums = gamma(2 * rank + 8, ROUNDOFF);
        let lost = gamma(dot_depth(self.n), ROUNDOFF) * square
            + 2.0 * (r * span * square).sqrt() * dot
            + r * span * (gram_error(self.n) + sums)
            + sums * (square + 3.0 * span);
        let residual = (left.max(0.0) + 1.01 * lost).sqrt() * (1.0 + 4.0 * ROUNDOFF);
        Projection { coefficients: a, residual }
    }

    /// What is left of `x` itself, in `f64`, and its norm from above: tighter than that of
    /// [`Basis::project`], for another walk over the directions. Cost: O(r n).
    pub(crate) fn residual(&self, x: Vec<f64>, coefficients: &[f64]) -> (Vec<f64>, f64) {
        let size = square_norm(&x).sqrt() + coefficients.iter().map(|a| a.abs()).sum::<f64>();
        let mut left = x;
        let terms: Vec<(usize, f64)> = coefficients.iter().map(|a| -a).enumerate().collect();
        add_columns(&mut left, &self.directions, &terms);
        let lost = gamma(column_depth(terms.len()) + 2, ROUNDOFF) * size * (1.0 + NORM_SLACK);
        let norm = square_norm(&left).sqrt() * (1.0 + gamma(self.n + 2, ROUNDOFF)) + 1.01 * lost;
        (left, norm)
    }

    /// The image of a projection: `y` `[m]` becomes it. Gives its error but for the residual.
    /// Cost: O(r m).
    pub(crate) fn image(&self, projection: &Projection, y: &mut [f64]) -> f64 {
        y.fill(0.0);
        let terms: Vec<(usize, f64)> =
            projection.coefficients.iter().copied().enumerate().collect();
        add_columns(y, &self.images, &terms);
        // What rounding takes of the sum is below this part of the images' own rounding to `f32`.
        let parts = projection.coefficients.iter().zip(&self.image_errors);
        let images: f64 = parts.map(|(a, error)| a.abs() * error).sum();
        let depth = gamma(column_depth(terms.len()), ROUNDOFF) / ROUNDOFF_SINGLE;
        images * (1.0 + 4.0 * depth) * (1.0 + 1e-9)
    }

    /// Learns a direction, which is scaled to norm 1, in the place of that of least energy if there
    /// is no room. Gives its place and how much
    /// of it there is in `residual`; the image is to be set with
    /// [`Basis::set_image`]. None if there is nothing to learn.
    pub(crate) fn learn(&mut self, residual: &[f64], energy: f64) -> Option<(usize, f64)> {
        // Directions are `f32`, so what is left of a vector near their span is not orthogonal to
        // them; once more, and it is (Giraud, Langou and Rozloznik, *The loss of orthogonality in
        // the Gram-Schmidt orthogonalization process*).
        let mut t = vec![0.0; self.rank()];
        dots(&self.directions, residual, &mut t);
        let (left, _) = self.residual(residual.to_vec(), &t);
        let norm = square_norm(&left).sqrt();
        // What lies in the span but for rounding has nothing to teach.
        let is_new = 0.5 * square_norm(residual).sqrt() <= norm;
        if self.rank_max == 0 || !norm.is_normal() || !is_new {
            return None;
        }
        let at = if self.rank() < self.rank_max {
            self.directions.resize(self.directions.len() + self.n, 0.0);
            self.images.resize(self.images.len() + self.m, 0.0);
            self.energies.push(0.0);
            self.image_errors.push(0.0);
            self.rank() - 1
        } else {
            let least = self.energies.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
            least.map_or(0, |(at, _)| at)
        };
        for (q, x) in self.directions[at * self.n..][..self.n].iter_mut().zip(&left) {
            *q = single(x / norm);
        }
        // As if it had been of this use all along: else the newest would always be the first to go.
        self.energies[at] = energy / (1.0 - DECAY);
        for other in 0..self.rank() {
            let inner: f64 = compensated_dot(self.direction(at), self.direction(other));
            self.gram[at * self.rank_max + other] = inner;
            self.gram[other * self.rank_max + at] = inner;
        }
        let inner = residual.iter().zip(self.direction(at)).map(|(x, q)| x * f64::from(*q));
        Some((at, inner.sum()))
    }

    /// Puts the image of a direction, off by at most `error` before it is rounded to `f32`.
    pub(crate) fn set_image(&mut self, at: usize, image: &[f64], error: f64) {
        self.image_errors[at] = 0.0;
        for (row, value) in image.iter().enumerate() {
            self.set_image_entry(at, row, *value, error);
        }
    }

    /// Bytes that it takes.
    pub(crate) fn state_bytes(&self) -> usize {
        4 * (self.directions.len() + self.images.len()) + 8 * self.gram.len()
    }

    /// Writes it.
    pub(crate) fn save(&self, out: &mut SnapshotWriter<'_>) -> std::io::Result<()> {
        out.numbers("directions", self.directions.iter().copied())?;
        out.numbers("images", self.images.iter().copied())?;
        out.numbers("gram", self.gram.iter().copied())?;
        out.numbers("energies", self.energies.iter().copied())?;
        out.numbers("image errors", self.image_errors.iter().copied())
    }

    /// Reads it.
    pub(crate) fn load(
        input: &mut SnapshotReader<'_>,
        rank_max: usize,
        n: usize,
        m: usize,
    ) -> Result<Self, LoadError> {
        let directions: Vec<f32> = input.numbers("directions")?;
        let rank = directions.len() / n;
        if rank_max < rank || directions.len() != rank * n {
            return Err(LoadError::Damaged { section: "directions" });
        }
        Ok(Self {
            rank_max,
            n,
            m,
            directions,
            images: input.array("images", rank * m)?,
            gram: input.array("gram", rank_max * rank_max)?,
            energies: input.array("energies", rank)?,
            image_errors: input.array("image errors", rank)?,
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
fn single(number: f64) -> f32 {
    number as f32
}

/// What [`compensated_dot`] of two directions may be off by: `u |sum| + gamma(n)^2 |a| |b|`.
fn gram_error(n: usize) -> f64 {
    let gamma = gamma(n + 1, ROUNDOFF);
    (ROUNDOFF + gamma * gamma) * (1.0 + 4.0 * NORM_SLACK)
}

/// A norm from above of a direction times `scale` subtracted from `residual`: what learning it
/// leaves.
pub(crate) fn remainder_norm(residual: &[f64], direction: &[f32], scale: f64) -> f64 {
    let left: Vec<f64> =
        residual.iter().zip(direction).map(|(x, q)| x - scale * f64::from(*q)).collect();
    let size = square_norm(residual).sqrt() + scale.abs() * norm_above(direction);
    square_norm(&left).sqrt() * (1.0 + gamma(left.len() + 2, ROUNDOFF))
        + 4.0 * ROUNDOFF * size.abs()
}
