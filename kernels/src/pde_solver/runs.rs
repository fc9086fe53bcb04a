//! Cells of a change that lie side by side, so that they are compared and set many at a time.

use std::ops::Range;

use super::grid::PdeDelta;
use super::layout::{Layout, TILE_WIDTH};

/// The word of the first of these cells, and how many cells lie side by side from there on, within
/// one row of a tile. The cells are within the grid.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
#[expect(clippy::needless_bitwise_bool, reason = "a branch at every cell is no vector")]
pub(super) fn run_at(delta: &PdeDelta, places: Range<usize>, layout: Layout) -> (usize, usize) {
    let (xs, ys) = (&delta.x[places.clone()], &delta.y[places]);
    let cell = [xs[0], ys[0]].map(|at| usize::try_from(at).expect("the change was measured"));
    let word = layout.word(cell);
    let is_next = |at: usize, x: i64| (x == xs[at - 1] + 1) & (ys[at] == ys[at - 1]);
    if xs.len() == 1 || !is_next(1, xs[1]) {
        return (word, 1);
    }
    let len_max = xs.len().min(TILE_WIDTH - cell[0] % TILE_WIDTH);
    // Mostly all of them do: that is found without a branch.
    let is_whole = (1..len_max).fold(true, |is_whole, at| is_whole & is_next(at, xs[at]));
    let len = if is_whole {
        len_max
    } else {
        (1..len_max).find(|at| !is_next(*at, xs[*at])).unwrap_or(len_max)
    };
    (word, len)
}

/// The largest size of numbers that are finite.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
pub(super) fn largest(numbers: &[f64]) -> f64 {
    let mut most = [0_u64; 8];
    let (eights, rest) = numbers.as_chunks::<8>();
    let size = |one: &f64| one.to_bits() & (u64::MAX >> 1);
    for eight in eights {
        for (most, one) in most.iter_mut().zip(eight) {
            *most = (*most).max(size(one));
        }
    }
    for (most, one) in most.iter_mut().zip(rest) {
        *most = (*most).max(size(one));
    }
    f64::from_bits(most.into_iter().max().unwrap_or(0))
}

/// The largest difference between numbers that are finite.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
pub(super) fn most_apart(some: &[f64], others: &[f64]) -> f64 {
    let mut most = [0_u64; 8];
    let apart = |one: &f64, other: &f64| (one - other).to_bits() & (u64::MAX >> 1);
    let (some, some_rest) = some.as_chunks::<8>();
    let (others, others_rest) = others.as_chunks::<8>();
    for (some, others) in some.iter().zip(others) {
        for (most, (one, other)) in most.iter_mut().zip(some.iter().zip(others)) {
            *most = (*most).max(apart(one, other));
        }
    }
    for (most, (one, other)) in most.iter_mut().zip(some_rest.iter().zip(others_rest)) {
        *most = (*most).max(apart(one, other));
    }
    f64::from_bits(most.into_iter().max().unwrap_or(0))
}
