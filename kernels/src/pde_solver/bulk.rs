//! Cells that are set so many at a time that threads share them: they mostly come row by row, so
//! that those of later bands stand in later places. Whether they do is seen while they are set.

use std::ops::Range;

use super::grid::PdeDelta;
use super::layout::{Layout, TILE_CELLS, TILE_HEIGHT};
use super::runs::{largest, run_at};
use crate::threads::{n_threads, share};
use crate::vector::wide;

/// Where cells begin that one thread sets, and the first band of the grid that they may be in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) place: usize,
    pub(super) band: usize,
}

/// The largest size of what was set, and the tiles that it was set in.
pub(super) type Set = (f64, Vec<usize>);

/// Cells of the grid from a word on, on both levels of time, and what is set there.
struct Piece<'a> {
    start: usize,
    now: &'a mut [f64],
    /// Empty where there is one level.
    before: &'a mut [f64],
    places: Range<usize>,
}

/// Cells that are worth another thread.
const CELLS_MIN: usize = 1 << 14;

/// The places in as many parts as there are threads, each from where another band begins.
pub(super) fn parts(delta: &PdeDelta, places: Range<usize>) -> Vec<Part> {
    let band = |place: usize| usize::try_from(delta.y[place]).map_or(0, |y| y / TILE_HEIGHT);
    let n_parts = n_threads().min(places.len() / CELLS_MIN).max(1);
    let mut parts = vec![Part { place: places.start, band: 0 }];
    for at in 1..n_parts {
        let ideal = places.start + at * places.len() / n_parts;
        let (last, mut later) = (parts[parts.len() - 1], ideal + 1..places.end);
        let is_first = |place: &usize| band(*place) != band(*place - 1);
        let Some(place) = later.find(is_first) else { break };
        if last.band < band(place) && last.place < place {
            parts.push(Part { place, band: band(place) });
        }
    }
    parts
}

/// Sets the cells of these parts, the last of which ends at a place; none if a cell of one lies
/// in the bands of another, and then only some are set. `grid`: both levels of time.
pub(super) fn set(
    layout: Layout,
    grid: (&mut [f64], &mut [f64]),
    (parts, end): (&[Part], usize),
    delta: &PdeDelta,
) -> Option<Vec<Set>> {
    let (mut now, mut before) = grid;
    let ends = parts[1..].iter().map(|part| (part.place, part.band));
    let ends = ends.chain([(end, layout.n_down)]);
    let mut pieces = Vec::with_capacity(parts.len());
    for (part, (place, band)) in parts.iter().zip(ends) {
        let words = |band: usize| band * layout.n_across * TILE_CELLS;
        let n_words = words(band) - words(part.band);
        let now = now.split_off_mut(..n_words).expect("the bands are there");
        let before = before.split_off_mut(..n_words).unwrap_or_default();
        pieces.push(Piece { start: words(part.band), now, before, places: part.place..place });
    }
    let set = share(pieces, |_, piece| {
        wide(
            #[inline(always)]
            || piece.set(layout, delta),
        )
    });
    set.into_iter().collect()
}

impl Piece<'_> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    fn set(self, layout: Layout, delta: &PdeDelta) -> Option<Set> {
        let Self { start, now, before, places } = self;
        let (mut tiles, mut size, mut at) = (Vec::new(), 0.0_f64, places.start);
        let mut is_set = vec![false; now.len() / TILE_CELLS];
        while at < places.end {
            let (word, len) = run_at(delta, at..places.end, layout);
            let u = &delta.u[at..at + len];
            at += len;
            let place = word.checked_sub(start)?;
            now.get_mut(place..place + len)?.copy_from_slice(u);
            if !before.is_empty() {
                before[place..place + len].copy_from_slice(u);
            }
            size = size.max(largest(u));
            if !std::mem::replace(&mut is_set[place / TILE_CELLS], true) {
                tiles.push(word / TILE_CELLS);
            }
        }
        Some((size, tiles))
    }
}
