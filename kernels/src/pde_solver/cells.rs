//! Steps tiles, which only look at what lies around them.

use super::layout::{Layout, TILE_CELLS, TILE_HEIGHT, TILE_WIDTH};
use super::scheme::{Asked, Lanes, Moved, Piece, Scheme};
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
    north: [f64; TILE_WIDTH],
    south: [f64; TILE_WIDTH],
    west: [f64; TILE_HEIGHT],
    east: [f64; TILE_HEIGHT],
}

/// A row with one cell more on both sides.
type Row = [f64; TILE_WIDTH + 2];

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
                for tile in tiles {
                    moved.push(self.step_in_place(*tile, stripe));
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
                for tile in tiles {
                    let cells = &mut other[(tile - start) * TILE_CELLS..][..TILE_CELLS];
                    let whole = self.step_over(*tile, now, cells).moved();
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
    fn step_in_place(&self, tile: usize, stripe: &mut Stripe<'_>) -> Stepped {
        let ring = self.ring(tile, stripe.around());
        let (width, height) = (self.layout.columns(tile).len(), self.layout.rows(tile).len());
        let at = tile - stripe.piece.start;
        let cells = &mut stripe.piece.cells[at * TILE_CELLS..][..TILE_CELLS];
        let last = &mut stripe.last;
        let column = tile % self.layout.n_across * TILE_WIDTH;
        last.rows[column..column + TILE_WIDTH]
            .copy_from_slice(&cells[(TILE_HEIGHT - 1) * TILE_WIDTH..]);
        let mut first_column = [0.0; TILE_HEIGHT];
        let columns = last.column.iter_mut().zip(&mut first_column);
        for ((east, west), row) in columns.zip(cells.chunks_exact(TILE_WIDTH)) {
            (*east, *west) = (row[TILE_WIDTH - 1], row[0]);
        }
        stripe.is_stepped[at] = true;
        let (mut lanes, mut north) = (Lanes::default(), Lanes::default());
        // Rows as they were: the one above, the one that is stepped, and the next, which is copied
        // before it is needed, since what was just written is slow to read askew.
        let mut rows = [[0.0; TILE_WIDTH + 2]; 3];
        let [mut above, mut mid, mut next] = rows.each_mut();
        above[1..=TILE_WIDTH].copy_from_slice(&ring.north);
        ring.fill(mid, 0, cells);
        for y in 0..height {
            let (stepped, rest) = cells.split_at_mut((y + 1) * TILE_WIDTH);
            let below = if y + 1 < TILE_HEIGHT { &rest[..TILE_WIDTH] } else { &ring.south };
            if y + 1 < height {
                ring.fill(next, y + 1, below);
            }
            let piece = Piece {
                north: &above[1..=width],
                mid: &mid[..width + 2],
                south: &below[..width],
                out: &mut stepped[y * TILE_WIDTH..][..width],
            };
            self.scheme.step(piece, self.asked, &mut lanes);
            if y == 0 {
                north = lanes;
            }
            (above, mid, next) = (mid, next, above);
        }
        let last_row = &last.rows[column..column + TILE_WIDTH];
        let (mut west, mut east, mut south) = Default::default();
        let rows_south = last_row.iter().zip(&cells[(TILE_HEIGHT - 1) * TILE_WIDTH..]);
        Lanes::note_all(&mut south, rows_south);
        let rows = cells.chunks_exact(TILE_WIDTH);
        Lanes::note_all(&mut west, first_column.iter().zip(rows.clone().map(|row| &row[0])));
        let ends = rows.map(|row| &row[TILE_WIDTH - 1]);
        Lanes::note_all(&mut east, last.column.iter().zip(ends));
        let along = [west, east, north, south].map(|side| side.moved());
        Stepped { whole: lanes.moved(), along }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    fn step_over(&self, tile: usize, now: &[f64], out: &mut [f64]) -> Lanes {
        let ring = self.ring(tile, Around::whole(now));
        let (width, height) = (self.layout.columns(tile).len(), self.layout.rows(tile).len());
        let cells = &now[tile * TILE_CELLS..][..TILE_CELLS];
        let (mut lanes, mut mid) = (Lanes::default(), [0.0; TILE_WIDTH + 2]);
        for y in 0..height {
            ring.fill(&mut mid, y, &cells[y * TILE_WIDTH..]);
            let row = |y: usize| &cells[y * TILE_WIDTH..][..width];
            let piece = Piece {
                north: if y > 0 { row(y - 1) } else { &ring.north[..width] },
                mid: &mid[..width + 2],
                south: if y + 1 < TILE_HEIGHT { row(y + 1) } else { &ring.south[..width] },
                out: &mut out[y * TILE_WIDTH..][..width],
            };
            self.scheme.step(piece, self.asked, &mut lanes);
        }
        lanes
    }

    /// What lies around the tile, as it was before the step.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    fn ring(&self, tile: usize, around: Around<'_>) -> Ring {
        let Layout { n_across, n_down, .. } = self.layout;
        let (column, band) = (tile % n_across, tile / n_across);
        let mut ring = Ring {
            north: [0.0; TILE_WIDTH],
            south: [0.0; TILE_WIDTH],
            west: [0.0; TILE_HEIGHT],
            east: [0.0; TILE_HEIGHT],
        };
        if band > 0 {
            ring.north.copy_from_slice(around.north(tile, n_across));
        }
        if band + 1 < n_down {
            ring.south.copy_from_slice(around.south(tile, n_across));
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

impl Ring {
    /// A row of the tile, with which `cells` begin, and a cell on both sides.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    fn fill(&self, row: &mut Row, y: usize, cells: &[f64]) {
        row[0] = self.west[y];
        row[1..=TILE_WIDTH].copy_from_slice(&cells[..TILE_WIDTH]);
        row[TILE_WIDTH + 1] = self.east[y];
    }
}
