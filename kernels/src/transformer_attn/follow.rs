//! Outputs of all queries that follow a change of few tokens, row by row.
//!
//! With `a_r = phi(q) phi(k_r)` for the tokens that go and come, each with its sign, the
//! denominator moves by `sum_r a_r`, and the output by `sum_r a_r (v_r - o) / D'`. That needs the
//! features of all queries, which are kept in `f32`; what they lack is relative to the movement and
//! not to the output, so it is small. The bound of each row grows from step to step, and a row
//! whose bound is too large, or whose denominator fell too far, is answered from the sums. Only
//! positive features are followed: of others the movement may be small by cancelling.

use super::features::{Block, as_float};
use super::spec::Shape;
use super::sums::narrow;
use crate::vector::wide;

/// What one head keeps of all queries, by their slots.
#[derive(Debug, Clone, Default)]
pub(super) struct Followed {
    /// `[n_slots, m]`.
    pub(super) features: Vec<f32>,
    /// `[n_slots, e]`.
    pub(super) outputs: Vec<f32>,
    pub(super) denominators: Vec<f64>,
    /// Bounds of the relative errors of the denominators.
    pub(super) slack: Vec<f64>,
    /// Bounds of the errors of the outputs; infinite where there is none.
    pub(super) errors: Vec<f64>,
}

/// Tokens that go and come, of one head.
#[derive(Debug, Clone, Default)]
pub(super) struct Moved {
    /// `[n, m]`, each relative to its weight.
    pub(super) features: Vec<f32>,
    /// `[n, e]`.
    pub(super) values: Vec<f32>,
    /// The largest feature of each, with its sign.
    pub(super) weights: Vec<f64>,
    /// The largest entry of each value.
    pub(super) sizes: Vec<f64>,
    /// The largest relative error of their features.
    pub(super) error: f64,
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
            self.sizes.push(size);
            self.error = self.error.max(2.0 * block.errors[at]);
        }
    }
}

/// What a row comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followable {
    /// It has followed.
    Yes,
    /// It is to be answered anew.
    No,
}

impl Followed {
    pub(super) fn resize(&mut self, shape: Shape, n_slots: usize) {
        self.features.resize(n_slots * shape.m, 0.0);
        self.outputs.resize(n_slots * shape.e, 0.0);
        self.denominators.resize(n_slots, 0.0);
        self.slack.resize(n_slots, 0.0);
        self.errors.resize(n_slots, f64::INFINITY);
    }

    pub(super) fn bytes(&self) -> usize {
        (self.features.len() + self.outputs.len()) * size_of::<f32>() + self.errors.len() * 24
    }

    /// Moves the row in this slot. `room`: `[n moved]`. Cost: O(n (m + e)).
    pub(super) fn follow(
        &mut self,
        shape: Shape,
        (slot, moved): (usize, &Moved),
        room: &mut Vec<f32>,
        error_max: f64,
    ) -> Followable {
        let n = moved.weights.len();
        let features = &self.features[slot * shape.m..(slot + 1) * shape.m];
        room.clear();
        room.resize(n, 0.0);
        dots(features, &moved.features, room);
        let before = self.denominators[slot];
        // Sums over 16 lanes, and then over these.
        let inexact = moved.error + self.slack[slot];
        let spread = (as_float(shape.m / 16) + 24.0) * HALF_ULP + inexact;
        let (mut by, mut size) = (0.0, 0.0);
        for (product, weight) in room.iter().zip(&moved.weights) {
            let step = f64::from(*product) * weight;
            by += step;
            size += step.abs() + weight.abs() * as_float(shape.m) * TINY;
        }
        let after = before + by;
        let slack = (self.slack[slot] * before + 1.01 * spread * size) / after + 4.0 * f64::EPSILON;
        // A denominator that fell far has lost digits, and one that is not there is none.
        let is_sound = before < 16.0 * after && slack < 1e-2 && self.errors[slot].is_finite();
        if !is_sound {
            return Followable::No;
        }
        let outputs = &mut self.outputs[slot * shape.e..(slot + 1) * shape.e];
        let old = largest(outputs);
        let mut reach = 0.0;
        for ((product, weight), size) in room.iter_mut().zip(&moved.weights).zip(&moved.sizes) {
            let share = f64::from(*product) * weight / after;
            reach += share.abs() * (size + old) + weight.abs() / after * as_float(shape.m) * TINY;
            *product = narrow(share);
        }
        move_row(outputs, &moved.values, room, narrow(by / after));
        let new = largest(outputs);
        let rounding = (as_float(n) + 8.0) * HALF_ULP;
        let kept = self.errors[slot] * (before / after) * (1.0 + 4.0 * slack);
        let error =
            kept + 1.1 * (spread + slack + rounding) * reach + 1.02 * HALF_ULP * new + 1e-44;
        self.denominators[slot] = after;
        self.slack[slot] = slack;
        self.errors[slot] = error;
        let allowed = error_max.min(FRESH_SHARE * HALF_ULP * new);
        if error <= allowed { Followable::Yes } else { Followable::No }
    }
}

/// The products of a row with each of the others.
fn dots(row: &[f32], others: &[f32], out: &mut [f32]) {
    wide(
        #[inline(always)]
        || {
            for (out, other) in out.iter_mut().zip(others.chunks_exact(row.len())) {
                let mut lanes = [0.0_f32; 16];
                // Arrays of a known length are one vector each.
                let ((a, a_rest), (b, b_rest)) = (row.as_chunks::<16>(), other.as_chunks::<16>());
                let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
                for (a, b) in a.iter().zip(b) {
                    for at in 0..16 {
                        lanes[at] = a[at].mul_add(b[at], lanes[at]);
                    }
                }
                *out = lanes.iter().sum::<f32>() + rest;
            }
        },
    );
}

/// `o += sum_r share_r v_r - total o`.
fn move_row(outputs: &mut [f32], values: &[f32], shares: &[f32], total: f32) {
    wide(
        #[inline(always)]
        || {
            let e = outputs.len();
            let (blocks, tail) = outputs.as_chunks_mut::<16>();
            let n_blocks = blocks.len();
            for (at, outputs) in blocks.iter_mut().enumerate() {
                let mut by = [0.0_f32; 16];
                for lane in 0..16 {
                    by[lane] = -total * outputs[lane];
                }
                for (row, share) in values.chunks_exact(e).zip(shares) {
                    let Some(row) = row[16 * at..].first_chunk::<16>() else { continue };
                    for lane in 0..16 {
                        by[lane] = share.mul_add(row[lane], by[lane]);
                    }
                }
                for lane in 0..16 {
                    outputs[lane] += by[lane];
                }
            }
            for (at, outputs) in tail.chunks_mut(16).enumerate().map(|(at, o)| (at + n_blocks, o)) {
                let mut by = [0.0_f32; 16];
                for (by, out) in by.iter_mut().zip(&*outputs) {
                    *by = -total * out;
                }
                for (row, share) in values.chunks_exact(e).zip(shares) {
                    for (by, value) in by.iter_mut().zip(&row[16 * at..]) {
                        *by = share.mul_add(*value, *by);
                    }
                }
                for (out, by) in outputs.iter_mut().zip(by) {
                    *out += by;
                }
            }
        },
    );
}

fn largest(numbers: &[f32]) -> f64 {
    f64::from(numbers.iter().fold(0.0_f32, |most, x| if x.abs() > most { x.abs() } else { most }))
}

/// Half a unit in the last place of `f32`.
const HALF_ULP: f64 = 5.960_464_5e-8;

/// A row is answered anew when its bound is so many times that of a fresh one.
const FRESH_SHARE: f64 = 64.0;

/// What a product of two features may lose where `f32` ends.
const TINY: f64 = 1e-37;
