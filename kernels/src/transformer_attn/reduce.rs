//! A basis for the features of all queries, so that a change of any size moves them in a few
//! directions.
//!
//! With `phi ~ B^T a` for a row of features, numerators move by `phi^T dS ~ a^T (B dS)`: the change
//! `dS` of the sums is brought to the basis once, and each row then sees as many terms as there are
//! directions. What is left is at most `|phi - B^T a| |dS_l|` in column `l` (Cauchy and Schwarz);
//! the first factor is computed once for each query, in `f64`, and neither asks that the basis be
//! orthogonal nor that the coefficients be the best: that only makes it small.
//!
//! Features stand by scales, one for each feature, that make columns of `S` about as large as each
//! other; they are powers of two, so nothing is rounded. The basis is made of some rows, each
//! relative to its denominator: that with the most left of it, again and again (Businger and Golub,
//! *Linear least squares solutions by Householder transformations*, section 4).

#![expect(clippy::inline_always, reason = "loops are compiled with their caller's vectors")]

use std::ops::Range;

use super::features::as_float;
use super::lanes::ROWS;
use super::moved::{HALF_ULP, Moved, Terms};
use super::spec::Shape;
use super::sums::{Sums, narrow};
use crate::product::{Matrix, product};
use crate::vector::{self, gamma, wide};

/// The basis, and all queries in it.
#[derive(Debug, Clone)]
pub(super) struct Reduced {
    /// How many directions.
    pub(super) rank: usize,
    /// `[rank, m]`, of length 1 or 0, of scaled features.
    pub(super) basis: Vec<f32>,
    /// `[m]`: what features are multiplied by, powers of two.
    pub(super) scales: Vec<f64>,
    /// `[n_blocks, rank, ROWS]`.
    pub(super) coefficients: Vec<f32>,
    /// What lies outside of the basis: the norm, from above, of scaled features; infinite where the
    /// coefficients are not known.
    pub(super) residuals: Vec<f64>,
    /// Queries that changed since the basis was made.
    pub(super) n_changed: u64,
}

/// A block of queries in the basis.
#[derive(Debug)]
pub(super) struct ReducedBlock<'a> {
    basis: &'a [f32],
    scales: &'a [f64],
    /// `[rank, ROWS]`.
    pub(super) coefficients: &'a mut [f32],
    pub(super) residuals: &'a mut [f64],
}

/// Rows that a basis may be made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// `[n_blocks, m, ROWS]`.
    pub(super) features: &'a [f32],
    pub(super) denominators: &'a [f64],
    /// Finite for rows of which the above is known.
    pub(super) errors: &'a [f64],
    pub(super) slots: &'a [usize],
}

impl Reduced {
    /// Makes a basis of some rows among these, for sums about as large as `ones`, `[m]`.
    /// Cost: O(rank m) for each of [`SAMPLE`] rows.
    pub(super) fn of(shape: Shape, known: &Known<'_>, ones: &[f64]) -> Self {
        let m = shape.m;
        let rank = rank(m);
        let most = vector::largest(ones);
        let scales: Vec<f64> = ones.iter().map(|one| scale(*one, most)).collect();
        let slots = known.slots.iter().copied();
        let slots: Vec<usize> = slots.filter(|slot| known.errors[*slot].is_finite()).collect();
        let n_rows = slots.len().min(SAMPLE);
        let mut rows = Vec::with_capacity(n_rows * m);
        for at in 0..n_rows {
            let slot = slots[at * slots.len() / n_rows];
            let inverse = most / known.denominators[slot];
            let block = &known.features[slot / ROWS * m * ROWS..(slot / ROWS + 1) * m * ROWS];
            let features = block[slot % ROWS..].iter().step_by(ROWS);
            rows.extend(features.zip(&scales).map(|(x, s)| f64::from(*x) * s * inverse));
        }
        let n_slots = known.errors.len();
        Self {
            rank,
            basis: directions(&mut rows, m, rank),
            scales,
            coefficients: vec![0.0; n_slots * rank],
            residuals: vec![f64::INFINITY; n_slots],
            n_changed: 0,
        }
    }

    pub(super) fn resize(&mut self, n_slots: usize) {
        self.coefficients.resize(n_slots * self.rank, 0.0);
        self.residuals.resize(n_slots, f64::INFINITY);
    }

    /// The query in this slot is another.
    pub(super) fn forget(&mut self, slot: usize) {
        self.residuals[slot] = f64::INFINITY;
        self.n_changed += 1;
    }

    pub(super) fn bytes(&self) -> usize {
        (self.basis.len() + self.coefficients.len()) * size_of::<f32>()
            + (self.scales.len() + self.residuals.len()) * size_of::<f64>()
    }

    /// These blocks, one by one.
    pub(super) fn blocks(
        &mut self,
        blocks: Range<usize>,
    ) -> impl Iterator<Item = ReducedBlock<'_>> {
        let rows = blocks.start * ROWS..blocks.end * ROWS;
        let coefficients = &mut self.coefficients[rows.start * self.rank..rows.end * self.rank];
        let residuals = self.residuals[rows].chunks_exact_mut(ROWS);
        let (basis, scales) = (&self.basis, &self.scales);
        coefficients.chunks_exact_mut(self.rank * ROWS).zip(residuals).map(
            move |(coefficients, residuals)| ReducedBlock {
                basis,
                scales,
                coefficients,
                residuals,
            },
        )
    }

    /// The change of the sums as terms that rows see by their coefficients. Cost: O(rank m e).
    pub(super) fn moved(&self, shape: Shape, change: &Sums) -> Moved {
        let (m, e, width) = (shape.m, shape.e, shape.width());
        // Each row of the sums against its scale.
        let mut table = change.table.clone();
        for (row, scale) in table.chunks_exact_mut(width).zip(&self.scales) {
            for x in row {
                *x /= scale;
            }
        }
        let mut squares = vec![0.0_f64; width];
        for row in table.chunks_exact(width) {
            squares.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * x);
        }
        let norm = |square: f64| square.sqrt() * (1.0 + 2.0 * gamma(m + 2));
        let norms = [norm(vector::largest(&squares[..e])), norm(squares[e])];
        let of_masses = |masses: &[f64]| {
            let terms = masses.iter().zip(&self.scales);
            norm(terms.map(|(mass, scale)| (mass / scale) * (mass / scale)).sum())
        };
        let off = [&change.mass_v, &change.mass_1].map(|masses| {
            let lost = 1.01 * change.factor() * of_masses(masses);
            if lost.is_finite() { lost } else { f64::INFINITY }
        });
        let basis: Vec<f64> = self.basis.iter().copied().map(f64::from).collect();
        let mut terms = vec![0.0; self.rank * width];
        let directions = Matrix { rows: self.rank, cols: m, data: &basis };
        product(&mut terms, directions, Matrix { rows: m, cols: width, data: &table });
        let mut moved = Moved { of: Terms::Directions, ..Moved::default() };
        for term in terms.chunks_exact(width) {
            let weight = term.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
            let weight = if weight.is_normal() { weight } else { 1.0 };
            let size = term[..e].iter().fold(0.0_f64, |most, x| most.max(x.abs()));
            moved.values.extend(term[..e].iter().map(|x| narrow(x / weight)));
            moved.weights.push(weight);
            moved.units.push(term[e] / weight);
            moved.sizes.push(size / weight);
        }
        moved.error = 3.0 * HALF_ULP;
        for at in 0..2 {
            moved.beyond[at] = norms[at] + off[at];
            moved.lost[at] = LENGTH_MAX * (off[at] + gamma(m + 2) * norms[at]) + 1e-300;
        }
        moved
    }
}

impl ReducedBlock<'_> {
    /// Brings a row to the basis if it is not known there. `features`: `[m, ROWS]` as kept, each
    /// off by at most its rounding and a relative `error`. Cost: O(rank m).
    pub(super) fn project(&mut self, lane: usize, features: &[f32], error: f64) {
        if self.residuals[lane].is_finite() {
            return;
        }
        let m = features.len() / ROWS;
        let coefficients = self.coefficients[lane..].iter_mut().step_by(ROWS);
        let n = coefficients.len();
        let (basis, scales) = (self.basis, self.scales);
        let residual = wide(
            #[inline(always)]
            || {
                let features = features[lane..].iter().step_by(ROWS);
                let mut left: Vec<f64> =
                    features.zip(scales).map(|(x, s)| f64::from(*x) * s).collect();
                let size = length(&left);
                let mut sum = 0.0;
                for (coefficient, direction) in coefficients.zip(basis.chunks_exact(m)) {
                    *coefficient = narrow(inner(&left, direction));
                    add_scaled(&mut left, direction, -f64::from(*coefficient));
                    sum += f64::from(coefficient.abs());
                }
                // Rounding of the features, and that of what was just taken away.
                let kept = (HALF_ULP + error) * size + as_float(m) * f64::from(f32::MIN_POSITIVE);
                let taken = gamma(n + 2) * (size + sum * LENGTH_MAX);
                1.01 * (kept + taken) + length(&left) * (1.0 + 2.0 * gamma(m + 2))
            },
        );
        self.residuals[lane] = residual;
    }
}

/// Directions of these rows, `[n, m]`, which are used up; `[rank, m]`, zeros where there are none
/// left.
fn directions(rows: &mut [f64], m: usize, rank: usize) -> Vec<f32> {
    let mut basis = vec![0.0_f32; rank * m];
    wide(
        #[inline(always)]
        || {
            let mut lengths: Vec<f64> = rows.chunks_exact(m).map(length).collect();
            let least = 1e-7 * vector::largest(&lengths);
            for at in 0..rank {
                let most = lengths.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
                let Some((pivot, most)) = most.filter(|(_, most)| least < **most) else { break };
                let (known, rest) = basis.split_at_mut(at * m);
                let direction = &mut rest[..m];
                let mut row: Vec<f64> =
                    rows[pivot * m..(pivot + 1) * m].iter().map(|x| x / most).collect();
                // Once more, since little may be left of it.
                for other in known.chunks_exact(m) {
                    let by = inner(&row, other);
                    add_scaled(&mut row, other, -by);
                }
                let size = length(&row);
                direction.iter_mut().zip(&row).for_each(|(q, x)| *q = narrow(x / size));
                for (row, length_left) in rows.chunks_exact_mut(m).zip(&mut lengths) {
                    let by = inner(row, direction);
                    add_scaled(row, direction, -by);
                    *length_left = length(row);
                }
            }
        },
    );
    basis
}

/// Work of making a basis.
pub(super) fn learn_work(shape: Shape) -> u64 {
    (4 * SAMPLE * rank(shape.m) * shape.m) as u64
}

/// How many directions for so many features.
pub(super) fn rank(m: usize) -> usize {
    (m / 4).next_multiple_of(LANES).clamp(LANES, RANK_MAX)
}

/// A power of two near this share of the most.
fn scale(one: f64, most: f64) -> f64 {
    let share = (one / most).clamp(SCALE_MIN, 1.0);
    // Without its digits: the power of two below.
    if share.is_nan() { 1.0 } else { f64::from_bits(share.to_bits() & f64::INFINITY.to_bits()) }
}

#[inline(always)]
fn inner(row: &[f64], direction: &[f32]) -> f64 {
    let mut lanes = [0.0_f64; LANES];
    let ((a, a_rest), (b, b_rest)) = (row.as_chunks::<LANES>(), direction.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for at in 0..LANES {
            lanes[at] = a[at].mul_add(f64::from(b[at]), lanes[at]);
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * f64::from(*b)).sum();
    lanes.iter().sum::<f64>() + rest
}

#[inline(always)]
fn add_scaled(row: &mut [f64], direction: &[f32], factor: f64) {
    for (x, q) in row.iter_mut().zip(direction) {
        *x = factor.mul_add(f64::from(*q), *x);
    }
}

#[inline(always)]
fn length(row: &[f64]) -> f64 {
    let mut lanes = [0.0_f64; LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    for row in whole {
        for at in 0..LANES {
            lanes[at] = row[at].mul_add(row[at], lanes[at]);
        }
    }
    (lanes.iter().sum::<f64>() + rest.iter().map(|x| x * x).sum::<f64>()).sqrt()
}

/// No direction is longer, since its entries are rounded.
const LENGTH_MAX: f64 = 1.0 + 1e-6;

/// Rows that a basis is made of at most.
const SAMPLE: usize = 512;

/// Directions at most.
const RANK_MAX: usize = 64;

/// Features of less than this share of the largest sum are scaled no further.
const SCALE_MIN: f64 = 1.0 / 1_099_511_627_776.0;

/// Lanes of sums, and what numbers of directions are multiples of.
const LANES: usize = 8;
