//! Random features of queries and keys of one head, and how far rounding takes them off.
//!
//! The features are those of the drawn frequencies `w` and the factor `1 / (2 sqrt d)` as they
//! stand in `f64`: what attention gives is exact for them but for rounding. With `y = d^(-1/4) x`
//! and the scale kept in `w`:
//!
//! - FAVOR+, keys: `exp(w y - |y|^2 / 2 - reference)`; queries: `exp(w y - max_t w_t y)`, since a
//!   factor of a query cancels.
//! - RFF, keys: `exp(|y|^2 / 2 - reference)` times cosines and sines; queries: those alone.
//!
//! The reference is one number per head that stays as it is while keys come and go; were it the
//! largest exponent, as in the paper, one key would change the features of all.

use super::spec::{FeatureMap, Shape};
use crate::prepared::Prepared;
use crate::product::{Matrix, product};
use crate::random::Draw;
use crate::vector::{self, FUNCTION_ERROR, ROUNDOFF, TINY, gamma};

/// The features of one head.
#[derive(Debug, Clone)]
pub(super) struct Features {
    pub(super) map: FeatureMap,
    pub(super) shape: Shape,
    /// `[d, n_frequencies]`: a column for each.
    pub(super) frequencies: Prepared,
    /// The longest frequency, not rounded down.
    length_max: f64,
}

/// Features of a block of rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    pub(super) n_rows: usize,
    /// `[n_rows, m]`.
    pub(super) features: Vec<f64>,
    /// For each row the largest magnitude that a feature of it can have, where rounding is
    /// relative to that; 0 where it is relative to each feature.
    pub(super) magnitudes: Vec<f64>,
    /// For each row the error of a feature, relative to the above.
    pub(super) errors: Vec<f64>,
}

impl Features {
    /// Draws the frequencies of this head.
    pub(super) fn draw(map: FeatureMap, shape: Shape, mut draw: Draw) -> Self {
        let n = n_frequencies(map, shape);
        let vectors = draw.orthogonal(n, shape.d);
        let scale = as_float(shape.d).powf(-0.25);
        let mut frequencies = vec![0.0; shape.d * n];
        for at in 0..n {
            for entry in 0..shape.d {
                frequencies[entry * n + at] = scale * vectors[at * shape.d + entry];
            }
        }
        Self::of(map, shape, frequencies)
    }

    /// Of frequencies that were drawn before, `[d, n_frequencies]`.
    pub(super) fn of(map: FeatureMap, shape: Shape, frequencies: Vec<f64>) -> Self {
        let n = n_frequencies(map, shape);
        let mut squares = vec![0.0_f64; n];
        for row in frequencies.chunks_exact(n) {
            squares.iter_mut().zip(row).for_each(|(sum, w)| *sum += w * w);
        }
        let longest = squares.iter().fold(0.0_f64, |most, square| most.max(*square));
        let length_max = longest.sqrt() * (1.0 + 2.0 * gamma(shape.d + 2));
        Self { map, shape, frequencies: Prepared::new(frequencies), length_max }
    }

    /// `1 / (2 sqrt d)`.
    fn half(&self) -> f64 {
        0.5 / as_float(self.shape.d).sqrt()
    }

    /// At least the largest exponent of a feature of this key, and near it.
    pub(super) fn scale(&self, key: &[f32]) -> f64 {
        let square = square(key);
        match self.map {
            FeatureMap::FavorPlus => self.length_max * square.sqrt() - self.half() * square,
            FeatureMap::Rff => self.half() * square,
        }
    }

    /// Features of keys under this reference. `keys`: `[n_rows, d]`.
    pub(super) fn keys(&self, keys: &[f64], reference: f64, block: &mut Block) {
        self.project(keys, block);
        let m = self.shape.m;
        for (at, key) in keys.chunks_exact(self.shape.d).enumerate() {
            let square: f64 = key.iter().map(|x| x * x).sum();
            let exponent = self.half() * square;
            let length = self.length_max * square.sqrt();
            let spread = gamma(self.shape.d + 4);
            let row = &mut block.features[at * m..(at + 1) * m];
            match self.map {
                FeatureMap::FavorPlus => {
                    vector::shift(row, exponent + reference);
                    let size = length + exponent + reference.abs();
                    block.errors[at] =
                        relative(spread * (length + exponent) + 4.0 * ROUNDOFF * size);
                }
                FeatureMap::Rff => {
                    let mut weight = [exponent - reference];
                    vector::exp(&mut weight);
                    let size = exponent + reference.abs();
                    let of_weight = relative(spread * exponent + 4.0 * ROUNDOFF * size);
                    block.errors[at] = of_weight + spread * length + 2.0 * FUNCTION_ERROR;
                    block.magnitudes[at] = weight[0];
                }
            }
        }
        match self.map {
            FeatureMap::FavorPlus => vector::exp(&mut block.features),
            FeatureMap::Rff => {
                for (row, weight) in block.features.chunks_exact_mut(m).zip(&block.magnitudes) {
                    turn(row);
                    vector::scale(row, *weight);
                }
            }
        }
    }

    /// Features of queries. `queries`: `[n_rows, d]`.
    pub(super) fn queries(&self, queries: &[f64], block: &mut Block) {
        self.project(queries, block);
        let m = self.shape.m;
        for (at, query) in queries.chunks_exact(self.shape.d).enumerate() {
            let square: f64 = query.iter().map(|x| x * x).sum();
            let length = self.length_max * square.sqrt();
            let error = gamma(self.shape.d + 4) * length;
            let row = &mut block.features[at * m..(at + 1) * m];
            match self.map {
                FeatureMap::FavorPlus => {
                    let most = vector::largest(row);
                    vector::shift(row, most);
                    block.errors[at] = relative(error + 4.0 * ROUNDOFF * length);
                }
                FeatureMap::Rff => {
                    turn(row);
                    block.errors[at] = error + 2.0 * FUNCTION_ERROR;
                    block.magnitudes[at] = 1.0;
                }
            }
        }
        if self.map == FeatureMap::FavorPlus {
            vector::exp(&mut block.features);
        }
    }

    /// `w y` of each row and frequency; sizes the block.
    fn project(&self, rows: &[f64], block: &mut Block) {
        let (d, m, n) = (self.shape.d, self.shape.m, n_frequencies(self.map, self.shape));
        let n_rows = rows.len() / d;
        block.n_rows = n_rows;
        block.features.resize(n_rows * m, 0.0);
        block.magnitudes.clear();
        block.magnitudes.resize(n_rows, 0.0);
        block.errors.clear();
        block.errors.resize(n_rows, 0.0);
        let rows = Matrix { rows: n_rows, cols: d, data: rows };
        let frequencies = Matrix { rows: d, cols: n, data: &self.frequencies };
        product(&mut block.features[..n_rows * n], rows, frequencies);
        if n < m {
            // From the last row on, so that nothing is overwritten that is still to be moved.
            for at in (0..n_rows).rev() {
                block.features.copy_within(at * n..(at + 1) * n, at * m);
            }
        }
    }
}

/// Angles in the first half of the row become sines there, and cosines in the second.
fn turn(row: &mut [f64]) {
    let (angles, cos) = row.split_at_mut(row.len() / 2);
    vector::sin_cos(angles, cos);
}

fn n_frequencies(map: FeatureMap, shape: Shape) -> usize {
    match map {
        FeatureMap::FavorPlus => shape.m,
        FeatureMap::Rff => shape.m / 2,
    }
}

/// The relative error of `exp` of what is off by this much; without bound if that is large.
fn relative(exponent_error: f64) -> f64 {
    if exponent_error < 0.1 { 1.1 * exponent_error + 2.0 * FUNCTION_ERROR } else { f64::INFINITY }
}

fn square(row: &[f32]) -> f64 {
    vector::wide(
        #[inline(always)]
        || {
            let mut lanes = [0.0_f64; 8];
            let (whole, rest) = row.as_chunks::<8>();
            for row in whole {
                for at in 0..8 {
                    lanes[at] += f64::from(row[at]) * f64::from(row[at]);
                }
            }
            let rest: f64 = rest.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
            lanes.iter().sum::<f64>() + rest
        },
    )
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn as_float(count: usize) -> f64 {
    count as f64
}

/// What one feature of a key, or of a query, may lose beyond its relative error.
pub(super) const LOST: f64 = TINY;
