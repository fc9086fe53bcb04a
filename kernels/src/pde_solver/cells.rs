//! Steps tiles, which only look at what lies around them.

use super::layout::{Layout, TILE_CELLS, TILE_HEIGHT, TILE_WIDTH};
use super::scheme::{Asked, Lanes, Moved, Row, Scheme, Tile, row};
use super::stripes::{Around, Stripe};
use crate::vector::wide;

/// What became of a tile and of the cells along each of its sides: west, east, north, south.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stepped {
    pub(super) whole: Moved,
    pub(super) along: [Moved; 4],
}

/// What lies around a tile, in words that the tile does not have.
struct Ring {
    north: Row,
    south: Row,
    west: [f64; TILE_HEIGHT],
    east: [f64; TILE_HEIGHT],
}

/// Steps tiles; for the vectors that it is compiled for where it is dispatched.
pub(super) struct Stepper<'a> {
    pub(super) layout: Layout,
    pub(super) scheme: &'a Scheme,
    pub(super) asked: Asked,
}

impl Stepper<'_> {
    /// Steps the tiles of a stripe in place, in their order.
    pub(super) fn step_stripe(&self, stripe: &mut Stripe<'_>) -> Vec<Stepped> {
        let tiles = stripe.piece.tiles;
        let mut moved = Vec::with_capacity(tiles.len());
        wide(
            #[inline(always)]
            || {
                // A loop, since a closure that an iterator calls is not compiled for the vectors.
                for (at, tile) in tiles.iter().enumerate() {
                    let next = tiles.get(at + 1).copied();
                    moved.push(self.step_in_place((*tile, next), stripe));
                }
            },
        );
        moved
    }

    /// Steps tiles from one level of time into the places of the one before; `other` has its cells
    /// from the tile `start` on.
    pub(super) fn step_tiles_over(
        &self,
        tiles: &[usize],
        now: &[f64],
        (start, other): (usize, &mut [f64]),
    ) -> Vec<Stepped> {
        let mut moved = Vec::with_capacity(tiles.len());
        wide(
            #[inline(always)]
            || {
                for (at, tile) in tiles.iter().enumerate() {
                    let next = tiles.get(at + 1).copied();
                    let cells = other[(tile - start) * TILE_CELLS..].first_chunk_mut();
                    let cells = cells.expect("the tile is in the piece");
                    let whole = self.step_over((*tile, next), now, cells);
                    // What looks at two levels of time is not told by sides: what became of the
                    // whole tile may have become of each.
                    moved.push(Stepped { whole, along: [whole; 4] });
                }
            },
        );
        moved
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    fn step_in_place(
        &self,
        (tile, next): (usize, Option<usize>),
        stripe: &mut Stripe<'_>,
    ) -> Stepped {
        let ring = self.ring(tile, stripe.around());
        let at = tile - stripe.piece.start;
        let cells = stripe.piece.cells[at * TILE_CELLS..].split_first_chunk_mut();
        let (cells, after): (&mut [f64; TILE_CELLS], _) = cells.expect("the tile is in the piece");
        let next = next.and_then(|next| after.get((next - tile - 1) * TILE_CELLS..));
        let last = &mut stripe.last;
        let column = tile % self.layout.n_across * TILE_WIDTH;
        let last_row = &mut last.rows[column..column + TILE_WIDTH];
        last_row.copy_from_slice(&cells[(TILE_HEIGHT - 1) * TILE_WIDTH..]);
        let first_row = row(cells);
        stripe.is_stepped[at] = true;
        let noted = self.scheme.step(
            Tile {
                north: &ring.north,
                south: &ring.south,
                west: &ring.west,
                east: &ring.east,
                height: self.layout.rows(tile).len(),
                is_in: self.is_in(tile),
                next: next.unwrap_or_default(),
                now: None,
                out: cells,
                last_column: &mut last.column,
            },
            self.asked,
        );
        let (mut north, mut south) = (Lanes::default(), Lanes::default());
        north.note_all(first_row.as_flattened(), cells);
        south.note_all(last_row, &cells[(TILE_HEIGHT - 1) * TILE_WIDTH..]);
        let along = [noted.west(), noted.east(), north.moved(), south.moved()];
        Stepped { whole: noted.whole(), along }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    fn step_over(
        &self,
        (tile, next): (usize, Option<usize>),
        now: &[f64],
        out: &mut [f64; TILE_CELLS],
    ) -> Moved {
        let ring = self.ring(tile, Around::whole(now));
        let cells = now[tile * TILE_CELLS..].first_chunk();
        let step = Tile {
            north: &ring.north,
            south: &ring.south,
            west: &ring.west,
            east: &ring.east,
            height: self.layout.rows(tile).len(),
            is_in: self.is_in(tile),
            next: next.and_then(|next| now.get(next * TILE_CELLS..)).unwrap_or_default(),
            now: Some(cells.expect("the tile is in the grid")),
            out,
            last_column: &mut [0.0; TILE_HEIGHT],
        };
        self.scheme.step(step, self.asked).whole()
    }

    /// The bits that cells of the tile's rows may have: those outside of the grid have none.
    fn is_in(&self, tile: usize) -> &'static [u64; TILE_WIDTH] {
        let n_out = TILE_WIDTH - self.layout.columns(tile).len();
        IS_IN[n_out..].first_chunk().expect("as many follow")
    }

    /// What lies around the tile, as it was before the step.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    fn ring(&self, tile: usize, around: Around<'_>) -> Ring {
        let Layout { n_across, n_down, .. } = self.layout;
        let (column, band) = (tile % n_across, tile / n_across);
        let mut ring = Ring {
            north: Row::default(),
            south: Row::default(),
            west: [0.0; TILE_HEIGHT],
            east: [0.0; TILE_HEIGHT],
        };
        if band > 0 {
            ring.north = row(around.north(tile, n_across));
        }
        if band + 1 < n_down {
            ring.south = row(around.south(tile, n_across));
        }
        if column > 0 {
            around.west(tile, &mut ring.west);
        }
        if column + 1 < n_across {
            around.east(tile, &mut ring.east);
        }
        ring
    }
}

/// As many words of ones as a row has cells, and as many zeros.
static IS_IN: [u64; 2 * TILE_WIDTH] = {
    let mut bits = [0; 2 * TILE_WIDTH];
    let mut at = 0;
    while at < TILE_WIDTH {
        bits[at] = u64::MAX;
        at += 1;
    }
    bits
};
