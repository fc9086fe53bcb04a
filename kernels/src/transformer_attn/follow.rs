//! Outputs of all queries that follow a change, row by row.
//!
//! A change is a sum of products: of what a row sees of each term, and of what the term brings. The
//! terms are the tokens that go and come, each with its sign, where these are few; then a row sees
//! `a_r = phi(q) phi(k_r)`. Under `rr` they are directions of a basis (see `reduce`).
//! Either way the denominator moves by `D' - D = sum_r a_r u_r`, and the output by
//! `sum_r a_r (v_r - o u_r) / D'`, where `u_r` is 1 of a token.
//!
//! That needs the features of all queries, which are kept in `f32`; what they lack is relative to
//! the movement and not to the output, so it is small. The bound of each row grows from step to
//! step, and a row whose bound is too large, or whose denominator fell too far, is answered from
//! the sums. Only positive features are followed: of others the movement may be small by
//! cancelling.

#![expect(clippy::inline_always, reason = "loops are compiled with their caller's vectors")]

use pulp::{Arch, Simd, WithSimd};

use super::features::as_float;
use super::lanes::{dots, move_row};
use super::moved::{HALF_ULP, LANES, Moved};
use super::reduce::{Known, Reduced};
use super::spec::Shape;
use super::sums::narrow;
use crate::vector::Ahead;

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
    /// The basis, once a step of `rr` has asked for it.
    pub(super) reduced: Option<Reduced>,
}

/// What a row comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followable {
    /// It has followed.
    Yes,
    /// It is to be answered anew.
    No,
    /// The same, since nothing was known of it.
    Unknown,
}

/// One row of [`Followed`].
struct Row<'a> {
    outputs: &'a mut [f32],
    denominator: &'a mut f64,
    slack: &'a mut f64,
    error: &'a mut f64,
    /// The norm of what of the row lies outside of the basis.
    residual: f64,
}

/// Sums over the terms of what a row sees of them.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    /// By how much the denominator moves.
    by: f64,
    /// The same in magnitudes.
    size: f64,
    /// The sum of magnitudes with the sizes of values.
    reach: f64,
    /// The sum of what is seen, in magnitudes.
    seen: f64,
}

impl Followed {
    pub(super) fn resize(&mut self, shape: Shape, n_slots: usize) {
        self.features.resize(n_slots * shape.m, 0.0);
        self.outputs.resize(n_slots * shape.e, 0.0);
        self.denominators.resize(n_slots, 0.0);
        self.slack.resize(n_slots, 0.0);
        self.errors.resize(n_slots, f64::INFINITY);
        if let Some(reduced) = &mut self.reduced {
            reduced.resize(n_slots);
        }
    }

    /// Makes a basis of some of these rows, for sums of which these are the denominators' part.
    pub(super) fn learn(&mut self, shape: Shape, ones: &[f64], slots: &[usize]) {
        let known = Known {
            features: &self.features,
            denominators: &self.denominators,
            errors: &self.errors,
            slots,
        };
        self.reduced = Some(Reduced::of(shape, &known, ones));
    }

    /// The query in this slot is another.
    pub(super) fn forget(&mut self, slot: usize) {
        self.errors[slot] = f64::INFINITY;
        if let Some(reduced) = &mut self.reduced {
            reduced.forget(slot);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        (self.features.len() + self.outputs.len()) * size_of::<f32>()
            + self.errors.len() * 24
            + self.reduced.as_ref().map_or(0, Reduced::bytes)
    }

    /// Moves the rows in these slots; what becomes of each. Cost: O(n (m + e)) for each row, of n
    /// terms, and O(n e) where they are directions.
    pub(super) fn follow(
        &mut self,
        shape: Shape,
        moved: &Moved,
        slots: &[usize],
        error_max: f64,
    ) -> Vec<Followable> {
        if moved.is_reduced() {
            let missing = slots.iter().filter(|slot| self.errors[**slot].is_finite());
            if let Some(reduced) = &mut self.reduced {
                missing.for_each(|slot| {
                    let features = &self.features[slot * shape.m..(slot + 1) * shape.m];
                    reduced.project(*slot, features, self.slack[*slot]);
                });
            }
        }
        Arch::new().dispatch(Follow { followed: self, shape, moved, slots, error_max })
    }
}

/// A type and no closure, for it works with vectors of the width that it is given.
struct Follow<'a> {
    followed: &'a mut Followed,
    shape: Shape,
    moved: &'a Moved,
    slots: &'a [usize],
    error_max: f64,
}

impl WithSimd for Follow<'_> {
    type Output = Vec<Followable>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<Followable> {
        let Self { followed, shape, moved, slots, error_max } = self;
        let mut found = vec![Followable::Unknown; slots.len()];
        let n = moved.weights.len();
        let (mut seen, mut residuals) = (vec![0.0; BATCH * n], [0.0; BATCH]);
        let (ahead, mut coming) = (Ahead::new(), slots.chunks(BATCH).skip(1));
        for (slots, found) in slots.chunks(BATCH).zip(found.chunks_mut(BATCH)) {
            for slot in coming.next().unwrap_or_default() {
                if !moved.is_reduced() {
                    ahead.fetch(&followed.features[slot * shape.m..(slot + 1) * shape.m]);
                }
                ahead.fetch(&followed.outputs[slot * shape.e..(slot + 1) * shape.e]);
            }
            for ((slot, seen), residual) in
                slots.iter().zip(seen.chunks_exact_mut(n.max(1))).zip(&mut residuals)
            {
                match &followed.reduced {
                    Some(reduced) if moved.is_reduced() => *residual = reduced.see(*slot, seen),
                    _ => {
                        let features = &followed.features[slot * shape.m..(slot + 1) * shape.m];
                        dots(simd, features, &moved.features, seen);
                    }
                }
            }
            for (at, (slot, found)) in slots.iter().zip(found).enumerate() {
                if !followed.errors[*slot].is_finite() {
                    continue;
                }
                let mut row = Row {
                    outputs: &mut followed.outputs[slot * shape.e..(slot + 1) * shape.e],
                    denominator: &mut followed.denominators[*slot],
                    slack: &mut followed.slack[*slot],
                    error: &mut followed.errors[*slot],
                    residual: residuals[at],
                };
                let seen = &mut seen[at * n..(at + 1) * n];
                *found = follow_row(simd, &mut row, (shape, moved), (seen, error_max));
            }
        }
        found
    }
}

/// Moves one row by what it sees of the terms.
#[inline(always)]
fn follow_row<S: Simd>(
    simd: S,
    row: &mut Row<'_>,
    (shape, moved): (Shape, &Moved),
    (seen, error_max): (&mut [f32], f64),
) -> Followable {
    let totals = totals(moved, seen);
    let before = *row.denominator;
    let inexact = moved.error + *row.slack;
    let tiny = if moved.is_reduced() { 0.0 } else { moved.tiny(shape) };
    let outside =
        |of: usize| 1.01 * (row.residual * moved.beyond[of] + totals.seen * moved.lost[of]);
    let after = before + totals.by;
    let lost = 1.01 * inexact * (totals.size + tiny) + outside(1);
    let slack = (*row.slack * before + lost) / after + 4.0 * f64::EPSILON;
    // A denominator that fell far has lost digits, and one that is not there is none.
    if !(before < 16.0 * after && slack < 1e-2) {
        return Followable::No;
    }
    let inverse = 1.0 / after;
    shares(moved, seen, inverse);
    let total = narrow(totals.by * inverse);
    let [old, new] = move_row(simd, row.outputs, &moved.values, (seen, total));
    let (old, new) = (f64::from(old), f64::from(new));
    let reach = (totals.reach + old * totals.size + tiny) * inverse;
    let rounding = (as_float(seen.len()) + 8.0) * HALF_ULP;
    let kept = *row.error * (before * inverse) * (1.0 + 4.0 * slack);
    let error = kept
        + 1.1 * (inexact + slack + rounding) * reach
        + 1.02 * (outside(0) + old * outside(1)) * inverse
        + 1.02 * HALF_ULP * new
        + 1e-44;
    *row.denominator = after;
    *row.slack = slack;
    *row.error = error;
    let allowed =
        if moved.is_reduced() { error_max } else { error_max.min(FRESH_SHARE * HALF_ULP * new) };
    if error <= allowed { Followable::Yes } else { Followable::No }
}

/// Sums over the terms, in eight lanes.
#[inline(always)]
fn totals(moved: &Moved, seen: &[f32]) -> Totals {
    let mut lanes = [[0.0_f64; LANES]; 4];
    let (seen, weights) = (seen.as_chunks::<LANES>().0, moved.weights.as_chunks::<LANES>().0);
    let (units, sizes) = (moved.units.as_chunks::<LANES>().0, moved.sizes.as_chunks::<LANES>().0);
    for (((seen, weights), units), sizes) in seen.iter().zip(weights).zip(units).zip(sizes) {
        for lane in 0..LANES {
            let step = f64::from(seen[lane]) * weights[lane];
            lanes[0][lane] += step * units[lane];
            lanes[1][lane] += (step * units[lane]).abs();
            lanes[2][lane] += step.abs() * sizes[lane];
            lanes[3][lane] += f64::from(seen[lane].abs());
        }
    }
    let [by, size, reach, seen] = lanes.map(|lanes| lanes.iter().sum());
    Totals { by, size, reach, seen }
}

/// What a row sees becomes its share of the denominator.
#[inline(always)]
fn shares(moved: &Moved, seen: &mut [f32], inverse: f64) {
    let seen = seen.as_chunks_mut::<LANES>().0;
    for (seen, weights) in seen.iter_mut().zip(moved.weights.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            seen[lane] = narrow(f64::from(seen[lane]) * weights[lane] * inverse);
        }
    }
}

/// A row is answered anew when its bound is so many times that of a fresh one.
const FRESH_SHARE: f64 = 4096.0;

/// Rows that are brought from memory at a time.
const BATCH: usize = 16;
