//! The terms of a change that queries follow: tokens that go and come, or directions of a basis.

use super::features::{Block, as_float};
use super::lanes::{GROUP, depth, grouped};
use super::spec::Shape;
use super::sums::{Sums, narrow};

/// What queries follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Terms {
    /// The tokens that go and come.
    #[default]
    Tokens,
    /// What these add to the sums, where there are more.
    Sums,
    /// The directions of a basis.
    Directions,
}

/// The terms of a change, of one head.
#[derive(Debug, Clone, Default)]
pub(super) struct Moved {
    pub(super) of: Terms,
    /// Features of tokens, each relative to its weight: `[n, m]`, and in groups when the list has
    /// ended. None where rows see the directions of a basis, whose coefficients are kept.
    pub(super) features: Vec<f32>,
    /// `[n, e]`.
    pub(super) values: Vec<f32>,
    /// What a row sees of each term is times this: for tokens the largest feature, with its sign.
    pub(super) weights: Vec<f64>,
    /// What each term brings to the denominator.
    pub(super) units: Vec<f64>,
    /// The largest entry of each value.
    pub(super) sizes: Vec<f64>,
    /// The largest relative error of what a row sees, but for its own features.
    pub(super) error: f64,
    /// What lies outside of a basis, in the norm of its directions: of the value where that is
    /// most, and of the denominator.
    pub(super) beyond: [f64; 2],
    /// By how much the same of a direction may be off.
    pub(super) lost: [f64; 2],
}

impl Moved {
    /// Takes tokens of these features in. `values`: `[n, e + 1]`, each with its sign.
    pub(super) fn extend(&mut self, shape: Shape, block: &Block, values: &[f64]) {
        for (at, row) in values.chunks_exact(shape.width()).enumerate() {
            let features = &block.features[at * shape.m..(at + 1) * shape.m];
            let (sign, weight) = (row[shape.e], features.iter().fold(0.0_f64, |a, b| a.max(*b)));
            let size = row[..shape.e].iter().fold(0.0_f64, |most, v| most.max(v.abs()));
            self.features.extend(features.iter().map(|x| narrow(x / weight)));
            self.values.extend(row[..shape.e].iter().map(|v| narrow(sign * v)));
            self.weights.push(sign * weight);
            self.units.push(1.0);
            self.sizes.push(size);
            self.error = self.error.max(2.0 * block.errors[at]);
        }
    }

    /// Ends the list: terms of no weight make it as long as loops want it.
    pub(super) fn seal(&mut self, shape: Shape) {
        self.error += seen_error(shape);
        let n = self.weights.len().next_multiple_of(GROUP);
        self.features = grouped(&self.features, shape.m);
        self.values.resize(n * shape.e, 0.0);
        for numbers in [&mut self.weights, &mut self.units, &mut self.sizes] {
            numbers.resize(n, 0.0);
        }
    }

    /// The change of the sums as terms, one of each feature. Beside them rows see three columns: of
    /// the denominator, and of the magnitudes of both, in which errors of the sums themselves count
    /// as roundings of `f32`. All are relative to one weight.
    pub(super) fn of_sums(shape: Shape, change: &Sums) -> Self {
        let (m, e, width) = (shape.m, shape.e, shape.width());
        let weight = change.table.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let weight = if weight.is_normal() { weight } else { 1.0 };
        let off = 1.01 * change.factor() / HALF_ULP;
        let mut columns = vec![0.0; GROUP * m];
        let mut values = Vec::with_capacity(m * e);
        for (t, row) in change.table.chunks_exact(width).enumerate() {
            let most = row[..e].iter().fold(0.0_f64, |most, x| most.max(x.abs()));
            values.extend(row[..e].iter().map(|x| narrow(x / weight)));
            columns[t] = narrow(row[e] / weight);
            columns[m + t] = narrow((row[e].abs() + off * change.mass_1[t]) / weight);
            columns[2 * m + t] = narrow((most + off * change.mass_v[t]) / weight);
        }
        Self {
            of: Terms::Sums,
            features: grouped(&columns, m),
            values,
            weights: vec![weight, 0.0, 0.0, 0.0],
            units: vec![1.0; GROUP],
            sizes: vec![as_float(m), 0.0, 0.0, 0.0],
            error: seen_error(shape),
            ..Self::default()
        }
    }

    /// At least what shares of 1 of all terms would bring together.
    pub(super) fn reach(&self) -> f64 {
        self.sizes.iter().sum()
    }

    /// Whether rows see directions of a basis.
    pub(super) fn is_reduced(&self) -> bool {
        self.of == Terms::Directions
    }

    /// What products of features may lose where `f32` ends, over all terms.
    pub(super) fn tiny(&self, shape: Shape) -> f64 {
        let weights: f64 = self.weights.iter().map(|weight| weight.abs()).sum();
        weights * as_float(shape.m) * TINY
    }
}

/// What rounding takes from what a row sees of a term: that of each factor, and of the sum.
fn seen_error(shape: Shape) -> f64 {
    as_float(depth(shape.m) + 3) * HALF_ULP
}

/// Half a unit in the last place of `f32`.
pub(super) const HALF_ULP: f64 = 5.960_464_5e-8;

/// What a product of two features may lose where `f32` ends.
const TINY: f64 = 1e-37;
