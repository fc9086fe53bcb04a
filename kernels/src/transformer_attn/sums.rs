//! What attention keeps of tokens: `S = sum_j phi(k_j) v_j^T` and `z = sum_j phi(k_j)`, and how far
//! they may be off.
//!
//! `S` and `z` stand side by side, `[m, e + 1]`. Beside them stand the masses: what was ever added
//! or taken away since they were last computed anew, in magnitude. All rounding is relative to the
//! masses, so the two of them and one factor bound the error of each entry, however much has
//! cancelled in it: `|S_tl - exact| <= factor * mass_v_t`, `|z_t - exact| <= factor * mass_1_t`.

use super::features::{Block, Features, LOST, as_float};
use super::spec::{FeatureMap, Shape};
use crate::product::{Matrix, add_product, add_transposed_product};
use crate::vector::{self, ROUNDOFF, gamma};

/// Sums over some tokens of one head.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    /// `[m, e + 1]`: `S`, and `z` in the last column.
    pub(super) table: Vec<f64>,
    /// `[m]`: `sum |phi_t| max_l |v_l|` over all that was added or taken away.
    pub(super) mass_v: Vec<f64>,
    /// `[m]`: the same of `|phi_t|`.
    pub(super) mass_1: Vec<f64>,
    /// What the masses lack since features end at [`LOST`]: as many values and ones as were added.
    pub(super) lost_v: f64,
    pub(super) lost_1: f64,
    /// The sum of the magnitudes that features are relative to, signed.
    pub(super) live: f64,
    /// The largest relative error of a feature that was added.
    pub(super) feature_error: f64,
    /// The largest relative error of the sums themselves.
    pub(super) rounding: f64,
}

/// Numerators, denominators and their errors of a block of rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Quotients {
    /// `[n_rows, e + 1]`.
    pub(super) sums: Vec<f64>,
    /// For each row the bound of a numerator's error.
    pub(super) error_v: Vec<f64>,
    /// For each row the bound of the denominator's error.
    pub(super) error_1: Vec<f64>,
    /// For each row the sum of magnitudes in the denominator.
    pub(super) mass: Vec<f64>,
}

impl Sums {
    /// Of no tokens.
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            table: vec![0.0; shape.m * shape.width()],
            mass_v: vec![0.0; shape.m],
            mass_1: vec![0.0; shape.m],
            lost_v: 0.0,
            lost_1: 0.0,
            live: 0.0,
            feature_error: 0.0,
            rounding: 0.0,
        }
    }

    /// Of no shape, to stand where none are kept.
    pub(super) fn empty() -> Self {
        Self::new(Shape { d: 0, e: 0, m: 0 })
    }

    /// Forgets all tokens.
    pub(super) fn clear(&mut self) {
        for part in [&mut self.table, &mut self.mass_v, &mut self.mass_1] {
            part.fill(0.0);
        }
        (self.lost_v, self.lost_1, self.live) = (0.0, 0.0, 0.0);
        (self.feature_error, self.rounding) = (0.0, 0.0);
    }

    /// Adds tokens of these features. `values`: `[n_rows, e + 1]`, each with its sign, and the sign
    /// in the last column.
    pub(super) fn absorb(&mut self, shape: Shape, block: &Block, values: &[f64]) {
        let (m, width) = (shape.m, shape.width());
        let features = Matrix { rows: block.n_rows, cols: m, data: &block.features };
        let values_matrix = Matrix { rows: block.n_rows, cols: width, data: values };
        add_transposed_product(&mut self.table, features, values_matrix);
        for at in 0..block.n_rows {
            let value = &values[at * width..at * width + shape.e];
            let most = value.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
            let row = &block.features[at * m..(at + 1) * m];
            self.lost_v += LOST * most;
            self.lost_1 += LOST;
            self.feature_error = self.feature_error.max(block.errors[at]);
            let magnitude = block.magnitudes[at];
            self.live += magnitude * values[at * width + shape.e];
            if 0.0 < magnitude {
                self.mass_v.iter_mut().for_each(|mass| *mass += magnitude * most);
                self.mass_1.iter_mut().for_each(|mass| *mass += magnitude);
            } else {
                vector::add_magnitudes(&mut self.mass_v, row, most);
                vector::add_magnitudes(&mut self.mass_1, row, 1.0);
            }
        }
        self.rounding += gamma(block.n_rows + 2);
    }

    /// Adds all tokens of `other`.
    pub(super) fn add(&mut self, other: &Self) {
        vector::add(&mut self.table, &other.table);
        vector::add(&mut self.mass_v, &other.mass_v);
        vector::add(&mut self.mass_1, &other.mass_1);
        self.lost_v += other.lost_v;
        self.lost_1 += other.lost_1;
        self.live += other.live;
        self.feature_error = self.feature_error.max(other.feature_error);
        self.rounding = self.rounding.max(other.rounding) + 2.0 * ROUNDOFF;
    }

    /// The relative error of the sums against their masses.
    pub(super) fn factor(&self) -> f64 {
        self.feature_error + self.rounding
    }

    /// Whether what has cancelled shows beside the rounding of an output to `f32`, and computing
    /// anew would help.
    pub(super) fn has_drifted(&self, shape: Shape, map: FeatureMap) -> bool {
        let drift = |mass: f64, z: f64| mass * self.factor() > DRIFT_MAX * z && mass > 4.0 * z;
        match map {
            FeatureMap::FavorPlus => {
                let z = self.table.chunks_exact(shape.width()).map(|row| row[shape.e]);
                self.mass_1.iter().zip(z).any(|(mass, z)| drift(*mass, z))
            }
            FeatureMap::Rff => self.mass_1.first().is_some_and(|mass| drift(*mass, self.live)),
        }
    }

    /// By how much a numerator may be off per denominator, at the feature where that is most.
    pub(super) fn level(&self, shape: Shape, map: FeatureMap) -> f64 {
        let level = |mass: f64, z: f64| if mass == 0.0 { 0.0 } else { mass * self.factor() / z };
        match map {
            FeatureMap::FavorPlus => {
                let z = self.table.chunks_exact(shape.width()).map(|row| row[shape.e]);
                let levels = self.mass_v.iter().zip(z).map(|(mass, z)| level(*mass, z));
                levels.fold(0.0, f64::max)
            }
            FeatureMap::Rff => self.mass_v.first().map_or(0.0, |mass| level(*mass, self.live)),
        }
    }

    /// Adds what these rows see of the tokens.
    pub(super) fn see(&self, features: &Features, queries: &Block, quotients: &mut Quotients) {
        let (m, width) = (features.shape.m, features.shape.width());
        let rows = Matrix { rows: queries.n_rows, cols: m, data: &queries.features };
        let sums = Matrix { rows: m, cols: width, data: &self.table };
        add_product(&mut quotients.sums, rows, sums);
        let total = |mass: &[f64]| mass.iter().sum::<f64>();
        let (total_v, total_1) = (total(&self.mass_v), total(&self.mass_1));
        for at in 0..queries.n_rows {
            let row = &queries.features[at * m..(at + 1) * m];
            let magnitude = queries.magnitudes[at];
            let (mass_v, mass_1) = if 0.0 < magnitude {
                (magnitude * total_v, magnitude * total_1)
            } else {
                (vector::magnitude_dot(row, &self.mass_v), vector::magnitude_dot(row, &self.mass_1))
            };
            let factor = self.factor() + queries.errors[at] + gamma(m + 4);
            // Errors multiply: of errors below a hundredth the products are a hundredth more.
            let factor = if factor < 0.01 { 1.01 * factor } else { f64::INFINITY };
            let lost = LOST + as_float(m) * f64::MIN_POSITIVE;
            quotients.error_v[at] += factor * mass_v + as_float(m) * self.lost_v + lost * total_v;
            quotients.error_1[at] += factor * mass_1 + as_float(m) * self.lost_1 + lost * total_1;
            // Positive features do not cancel.
            quotients.mass[at] += magnitude * as_float(m) * self.live.max(0.0);
        }
    }
}

impl Quotients {
    /// Of rows that see nothing yet.
    pub(super) fn start(&mut self, shape: Shape, n_rows: usize) {
        self.sums.clear();
        self.sums.resize(n_rows * shape.width(), 0.0);
        for part in [&mut self.error_v, &mut self.error_1, &mut self.mass] {
            part.clear();
            part.resize(n_rows, 0.0);
        }
    }

    /// The outputs of a row, rounded to `f32`, and the bound of their error; nothing if the
    /// denominator cannot be told from zero. Cost: O(e).
    ///
    /// With `o = N / D` of computed `N` and `D` the exact output is off by
    /// `(dN - o dD) / (D + dD)`, where `dN` and `dD` are their errors.
    pub(super) fn output(&self, shape: Shape, at: usize, out: &mut [f32]) -> Option<f64> {
        let row = &self.sums[at * shape.width()..(at + 1) * shape.width()];
        let denominator = row[shape.e];
        let (error_v, error_1) = (self.error_v[at], self.error_1[at]);
        let is_there = error_1 + DENOMINATOR_MIN * self.mass[at] < denominator;
        let mut most = 0.0_f64;
        for (out, numerator) in out.iter_mut().zip(row) {
            let value = numerator / denominator;
            most = most.max(value.abs());
            *out = narrow(value);
        }
        if !is_there || f64::from(f32::MAX) <= most {
            out.fill(0.0);
            return None;
        }
        let error = (error_v + most * error_1) / (denominator - error_1);
        let rounded = most * HALF_ULP + f64::from(f32::MIN_POSITIVE) * HALF_ULP;
        let bound = (error + rounded) * (1.0 + 1e-9);
        // Beyond `f32` nothing is known, and overflow is no bound.
        if bound < f64::from(f32::MAX) {
            Some(bound)
        } else {
            out.fill(0.0);
            None
        }
    }
}

/// Rounds to nearest.
#[expect(clippy::cast_possible_truncation, reason = "rounding is meant, and is in the bound")]
pub(super) fn narrow(value: f64) -> f32 {
    value as f32
}

/// Half a unit in the last place of `f32`, relative; a little more, for the division in `f64`.
const HALF_ULP: f64 = 5.960_464_6e-8;

/// A denominator below this share of its terms' magnitudes has cancelled: of positive features
/// none has.
pub(super) const DENOMINATOR_MIN: f64 = 1.0 / 1_048_576.0;

/// A sixty-fourth of half a unit in the last place of `f32`.
const DRIFT_MAX: f64 = 1.0 / 1_073_741_824.0;
