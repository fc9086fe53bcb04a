//! The terms of a change that queries follow: tokens that go and come, or directions of a basis.

use super::features::{Block, as_float};
use super::spec::Shape;
use super::sums::narrow;

/// What queries follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Terms {
    /// The tokens that go and come.
    #[default]
    Tokens,
    /// The directions of a basis.
    Directions,
}

/// The terms of a change, of one head.
#[derive(Debug, Clone, Default)]
pub(super) struct Moved {
    pub(super) of: Terms,
    /// `[n, m]`: features of tokens, each relative to its weight. None where rows see the
    /// directions of a basis, whose coefficients are kept.
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
        // Sums over 16 lanes, then over these, then of what is left; and a rounding of each factor.
        self.error += as_float(shape.m / 16 + shape.m % 16 + 8) * HALF_ULP;
        let n = self.weights.len();
        for numbers in [&mut self.weights, &mut self.units, &mut self.sizes] {
            numbers.resize(n.next_multiple_of(LANES), 0.0);
        }
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

/// Numbers of terms come in multiples of this.
pub(super) const LANES: usize = 8;

/// Half a unit in the last place of `f32`.
pub(super) const HALF_ULP: f64 = 5.960_464_5e-8;

/// What a product of two features may lose where `f32` ends.
const TINY: f64 = 1e-37;
