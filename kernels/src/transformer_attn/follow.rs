//! Outputs of all queries that follow a change, block by block.
//!
//! A change is a sum of products: of what a row sees of each term, and of what the term brings. The
//! terms are the tokens that go and come, each with its sign, where these are few; then a row sees
//! `a_r = phi(q) phi(k_r)`. Of more tokens they are what the change adds to the sums, feature by
//! feature: then what a row sees are its features, and the cost is the same for any number of
//! tokens. Under `rr` they are directions of a basis (see `reduce`).
//! Each way the denominator moves by `D' - D = sum_r a_r u_r`, and the output by
//! `sum_r a_r (v_r - o u_r) / D'`, where `u_r` is 1 of a token.
//!
//! That needs the features of all queries, which are kept in `f32`; what they lack is relative to
//! the movement and not to the output, so it is small. The bound of each row grows from step to
//! step, and a row whose bound is too large, or whose denominator fell too far, is answered from
//! the sums. Only positive features are followed: of others the movement may be small by
//! cancelling.
//!
//! A block of rows is read once, head after head, and its outputs are whole before the next one is
//! begun. No sum runs across two rows, so blocks can be shared out among threads.

#![expect(clippy::inline_always, reason = "loops are compiled with their caller's vectors")]

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::features::as_float;
use super::lanes::{ROWS, Sizes, depth, gather, see, shift};
use super::moved::{HALF_ULP, Moved, Terms};
use super::reduce::{Known, Reduced, ReducedBlock};
use super::spec::Shape;
use super::sums::narrow;
use crate::vector::Ahead;

/// What one head keeps of all queries, by their slots, but for their outputs: these are kept for
/// all heads together, as they are put out.
#[derive(Debug, Clone, Default)]
pub(super) struct Followed {
    /// `[n_blocks, m, ROWS]`.
    pub(super) features: Vec<f32>,
    /// `[n_blocks * ROWS]`, as the others.
    pub(super) denominators: Vec<f64>,
    /// Bounds of the relative errors of the denominators.
    pub(super) slack: Vec<f64>,
    /// Bounds of the errors of the outputs; infinite where there is none.
    pub(super) errors: Vec<f64>,
    /// The basis, once a step of `rr` has asked for it.
    pub(super) reduced: Option<Reduced>,
}

/// What one head keeps of a block of queries, and what these follow.
#[derive(Debug)]
pub(super) struct HeadBlock<'a> {
    moved: &'a Moved,
    /// `[m, ROWS]`.
    features: &'a [f32],
    denominators: &'a mut [f64],
    slack: &'a mut [f64],
    errors: &'a mut [f64],
    reduced: Option<ReducedBlock<'a>>,
}

/// What the rows of a block come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockRows {
    /// Which are to be answered anew.
    pub(super) is_due: [bool; ROWS],
    /// Whether one of these was known before.
    pub(super) is_missed: bool,
    /// Bounds of the outputs of the others.
    pub(super) errors: [f64; ROWS],
    /// By how much an entry of each row moved at most.
    pub(super) by: [f32; ROWS],
}

/// Sums over the terms of what rows see of them.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    /// By how much the denominator moves.
    by: [f64; LANES],
    /// The same in magnitudes.
    size: [f64; LANES],
    /// The sum of magnitudes with the sizes of values.
    reach: [f64; LANES],
    /// The sum of what is seen, in magnitudes.
    seen: [f64; LANES],
}

/// What some rows come to, but for their outputs.
#[derive(Debug, Clone, Copy, Default)]
struct Next {
    totals: Totals,
    inverse: [f64; LANES],
    /// What the sum of the terms is multiplied by.
    scale: [f32; LANES],
    slack: [f64; LANES],
    can_follow: [bool; LANES],
}

impl Followed {
    pub(super) fn resize(&mut self, shape: Shape, n_slots: usize) {
        let n_slots = n_slots.next_multiple_of(ROWS);
        self.features.resize(n_slots * shape.m, 0.0);
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

    /// Keeps features of the query in this slot.
    pub(super) fn keep(&mut self, slot: usize, features: &[f64]) {
        let m = features.len();
        let block = &mut self.features[slot / ROWS * m * ROWS..(slot / ROWS + 1) * m * ROWS];
        let lanes = block[slot % ROWS..].iter_mut().step_by(ROWS);
        lanes.zip(features).for_each(|(kept, x)| *kept = narrow(*x));
    }

    /// The query in this slot is another.
    pub(super) fn forget(&mut self, slot: usize) {
        self.errors[slot] = f64::INFINITY;
        if let Some(reduced) = &mut self.reduced {
            reduced.forget(slot);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.features.len() * size_of::<f32>()
            + self.errors.len() * 24
            + self.reduced.as_ref().map_or(0, Reduced::bytes)
    }

    /// What is kept of these blocks, one by one.
    pub(super) fn blocks<'a>(
        &'a mut self,
        (shape, moved): (Shape, &'a Moved),
        blocks: Range<usize>,
    ) -> impl Iterator<Item = HeadBlock<'a>> {
        let rows = blocks.start * ROWS..blocks.end * ROWS;
        let features = &self.features[rows.start * shape.m..rows.end * shape.m];
        let mut reduced = match &mut self.reduced {
            Some(reduced) if moved.is_reduced() => Some(reduced.blocks(blocks)),
            _ => None,
        };
        let denominators = self.denominators[rows.clone()].chunks_exact_mut(ROWS);
        let slack = self.slack[rows.clone()].chunks_exact_mut(ROWS);
        let errors = self.errors[rows].chunks_exact_mut(ROWS);
        let numbers = denominators.zip(slack).zip(errors);
        numbers.zip(features.chunks_exact(ROWS * shape.m)).map(
            move |(((denominators, slack), errors), features)| HeadBlock {
                moved,
                features,
                denominators,
                slack,
                errors,
                reduced: reduced.as_mut().and_then(Iterator::next),
            },
        )
    }
}

/// Moves the outputs, `[ROWS, n_value]`, of a block of rows of which these are there; what becomes
/// of each. Outputs of rows that are due are of no meaning.
/// Cost: O(n (m + e)) for each row and head, of n terms, and O(n e) where they are directions.
pub(super) fn follow(
    shape: Shape,
    heads: Vec<HeadBlock<'_>>,
    (outputs, is_there): (&mut [f32], &[bool; ROWS]),
    error_max: f64,
) -> BlockRows {
    Arch::new().dispatch(Follow { shape, heads, outputs, is_there, error_max })
}

/// A type and no closure, for it works with vectors of the width that it is given.
struct Follow<'a, 'b> {
    shape: Shape,
    heads: Vec<HeadBlock<'b>>,
    outputs: &'a mut [f32],
    is_there: &'a [bool; ROWS],
    error_max: f64,
}

impl WithSimd for Follow<'_, '_> {
    type Output = BlockRows;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> BlockRows {
        let Self { shape, mut heads, outputs, is_there, error_max } = self;
        let mut rows = BlockRows {
            is_due: [false; ROWS],
            is_missed: false,
            errors: [0.0; ROWS],
            by: [0.0; ROWS],
        };
        for (is_due, is_there) in rows.is_due.iter_mut().zip(is_there) {
            *is_due = !is_there;
        }
        let n_most = heads.iter().map(|head| head.moved.weights.len()).max().unwrap_or(0);
        let (mut seen, mut by) = (vec![0.0; n_most * ROWS], vec![0.0; ROWS * shape.e]);
        let n_value = heads.len() * shape.e;
        let ahead = Ahead::new();
        for at in 0..heads.len() {
            let (done, coming) = heads.split_at_mut(at + 1);
            let head = &mut done[at];
            // Outputs are moved when all is seen. Each page of features begins with a wait.
            for row in outputs.chunks_exact(n_value) {
                ahead.fetch(&row[at * shape.e..(at + 1) * shape.e]);
            }
            for page in coming.first().map_or(&[][..], |next| next.features).chunks(PAGE) {
                ahead.fetch(&page[..page.len().min(PAGE_START)]);
            }
            let seen = &mut seen[..head.moved.weights.len() * ROWS];
            head.see(simd, is_there, seen);
            let next = head.prepare((shape, is_there), seen);
            let mut sizes = [Sizes::default(); ROWS];
            let shares = if head.moved.of == Terms::Sums { head.features } else { &*seen };
            gather(simd, (&head.moved.values, shape.e), shares, &mut by);
            let outputs = outputs.chunks_exact_mut(n_value).zip(by.chunks_exact(shape.e));
            for (row, ((output, by), sizes)) in outputs.zip(&mut sizes).enumerate() {
                let Next { totals, inverse, scale, .. } = &next[row / LANES];
                let lane = row % LANES;
                let total = narrow(totals.by[lane] * inverse[lane]);
                let output = &mut output[at * shape.e..(at + 1) * shape.e];
                *sizes = shift(simd, output, by, [scale[lane], total]);
            }
            head.end(shape, (&next, &sizes), error_max, &mut rows);
        }
        rows
    }
}

impl HeadBlock<'_> {
    /// What the rows see of the terms, `[n, ROWS]`.
    #[inline(always)]
    fn see<S: Simd>(&mut self, simd: S, is_there: &[bool; ROWS], seen: &mut [f32]) {
        let Some(reduced) = &mut self.reduced else {
            see(simd, self.features, &self.moved.features, seen);
            return;
        };
        for (lane, is_there) in is_there.iter().enumerate() {
            if *is_there && self.errors[lane].is_finite() {
                reduced.project(lane, self.features, self.slack[lane]);
            }
        }
        seen.copy_from_slice(reduced.coefficients);
    }

    /// Denominators after the step; what rows see becomes their shares of these. Rows that cannot
    /// follow have none.
    #[inline(always)]
    fn prepare(
        &self,
        (shape, is_there): (Shape, &[bool; ROWS]),
        seen: &mut [f32],
    ) -> [Next; ROWS / LANES] {
        let moved = self.moved;
        let tiny = if moved.is_reduced() { 0.0 } else { moved.tiny(shape) };
        let mut all = [Next::default(); ROWS / LANES];
        for (part, next) in all.iter_mut().enumerate() {
            let totals = totals(moved, seen, part);
            let Next { inverse, scale, slack, can_follow, .. } = next;
            for lane in 0..LANES {
                let row = part * LANES + lane;
                let (before, after) =
                    (self.denominators[row], self.denominators[row] + totals.by[lane]);
                let inexact = moved.error + self.slack[row];
                let outside = self.outside(1, (row, totals.seen[lane]));
                let lost = 1.01 * inexact * (totals.size[lane] + tiny) + outside;
                slack[lane] = (self.slack[row] * before + lost) / after + 4.0 * f64::EPSILON;
                // A denominator that fell far has lost digits, and one that is not there is none.
                can_follow[lane] = is_there[row]
                    && self.errors[row].is_finite()
                    && before < 16.0 * after
                    && slack[lane] < 1e-2;
                inverse[lane] = if can_follow[lane] { 1.0 / after } else { 0.0 };
            }
            if moved.of == Terms::Sums {
                let weight = moved.weights[0];
                for lane in 0..LANES {
                    scale[lane] = narrow(weight * inverse[lane]);
                }
            } else {
                shares(moved, seen, part, inverse);
                *scale = [1.0; LANES];
            }
            next.totals = totals;
        }
        all
    }

    /// What lies outside of the basis, of the values or of the denominator.
    #[inline(always)]
    fn outside(&self, of: usize, (row, seen): (usize, f64)) -> f64 {
        let Some(reduced) = &self.reduced else { return 0.0 };
        1.01 * (reduced.residuals[row] * self.moved.beyond[of] + seen * self.moved.lost[of])
    }

    /// Notes what became of the rows: their denominators and bounds, and which are due.
    #[inline(always)]
    fn end(
        &mut self,
        shape: Shape,
        (next, sizes): (&[Next; ROWS / LANES], &[Sizes; ROWS]),
        error_max: f64,
        rows: &mut BlockRows,
    ) {
        let moved = self.moved;
        let tiny = if moved.is_reduced() { 0.0 } else { moved.tiny(shape) };
        let n_terms = moved.values.len() / shape.e;
        // Of share, value and scale, of the sum, and of what is taken from the output.
        let rounding = as_float(depth(n_terms) + 5) * HALF_ULP;
        // Of sums each term is what a row has itself.
        let seen_error = if moved.of == Terms::Sums { 0.0 } else { moved.error };
        let floor = 1e-44 * (1.0 + moved.reach());
        for (row, sizes) in sizes.iter().enumerate() {
            let (Next { totals, inverse, slack, can_follow, .. }, lane) =
                (&next[row / LANES], row % LANES);
            if !can_follow[lane] {
                rows.is_missed |= !rows.is_due[row] && self.errors[row].is_finite();
                rows.is_due[row] = true;
                continue;
            }
            let (old, new) = (f64::from(sizes.before), f64::from(sizes.after));
            let (inverse, slack) = (inverse[lane], slack[lane]);
            let inexact = seen_error + self.slack[row];
            let reach = (totals.reach[lane] + old * totals.size[lane] + tiny) * inverse;
            let before = self.denominators[row];
            let kept = self.errors[row] * (before * inverse) * (1.0 + 4.0 * slack);
            let seen = totals.seen[lane];
            let outside = self.outside(0, (row, seen)) + old * self.outside(1, (row, seen));
            let error = kept
                + 1.1 * (inexact + slack + rounding) * reach
                + 1.02 * outside * inverse
                + 1.02 * HALF_ULP * new
                + floor;
            self.denominators[row] = before + totals.by[lane];
            self.slack[row] = slack;
            self.errors[row] = error;
            let allowed = match moved.of {
                Terms::Directions => error_max,
                Terms::Tokens => error_max.min(FRESH_SHARE * HALF_ULP * new),
                Terms::Sums => error_max.min(FRESH_SHARE_SUMS * HALF_ULP * new),
            };
            // What is no number is no bound either.
            let is_due = error.is_nan() || allowed < error;
            rows.is_missed |= is_due;
            rows.is_due[row] |= is_due;
            rows.errors[row] = rows.errors[row].max(error);
            rows.by[row] = rows.by[row].max(sizes.by);
        }
    }
}

/// Sums over the terms, for some lanes.
#[inline(always)]
fn totals(moved: &Moved, seen: &[f32], part: usize) -> Totals {
    let mut totals = Totals::default();
    if moved.of == Terms::Sums {
        let weight = moved.weights[0];
        let column = |at: usize| &seen[at * ROWS + part * LANES..at * ROWS + (part + 1) * LANES];
        let (by, size, reach) = (column(0), column(1), column(2));
        for lane in 0..LANES {
            totals.by[lane] = f64::from(by[lane]) * weight;
            totals.size[lane] = f64::from(size[lane]) * weight;
            totals.reach[lane] = f64::from(reach[lane]) * weight;
        }
        return totals;
    }
    let seen = seen.as_chunks::<LANES>().0.iter().skip(part).step_by(ROWS / LANES);
    let terms = moved.weights.iter().zip(&moved.units).zip(&moved.sizes);
    for (seen, ((weight, unit), size)) in seen.zip(terms) {
        for (lane, seen) in seen.iter().enumerate() {
            let step = f64::from(*seen) * weight;
            totals.by[lane] += step * unit;
            totals.size[lane] += (step * unit).abs();
            totals.reach[lane] += step.abs() * size;
            totals.seen[lane] += f64::from(seen.abs());
        }
    }
    totals
}

/// What rows see becomes their share of the denominator.
#[inline(always)]
fn shares(moved: &Moved, seen: &mut [f32], part: usize, inverse: &[f64; LANES]) {
    let seen = seen.as_chunks_mut::<LANES>().0.iter_mut().skip(part).step_by(ROWS / LANES);
    for (seen, weight) in seen.zip(&moved.weights) {
        for lane in 0..LANES {
            seen[lane] = narrow(f64::from(seen[lane]) * weight * inverse[lane]);
        }
    }
}

/// Numbers of a page of memory, and so many of them are asked for ahead that those behind them come
/// by themselves.
const PAGE: usize = 1024;
const PAGE_START: usize = 64;

/// Rows whose numbers in `f64` are computed side by side.
const LANES: usize = 8;

/// A row is answered anew when its bound is so many times that of a fresh one.
const FRESH_SHARE: f64 = 4096.0;

/// The same where many tokens change: a bound grows as the number of steps, and the error as its
/// root, so fewer of these steps leave more between them.
const FRESH_SHARE_SUMS: f64 = 1024.0;
