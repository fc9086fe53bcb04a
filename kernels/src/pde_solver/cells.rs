//! Cells in the order of tiles: each tile lies in one piece, row by row, so that a tile among
//! others that rest is read from memory as one run. Of tiles at the right and the lower edge some
//! cells lie outside of the grid; they are always 0.

use super::grid::PdeSpec;
use super::scheme::{Asked, Lanes, Piece, Scheme};

/// Cells in a row of a tile.
pub(super) const TILE_WIDTH: usize = 64;

/// Rows of a tile.
pub(super) const TILE_HEIGHT: usize = 32;

/// Cells of a tile.
pub(super) const TILE_CELLS: usize = TILE_WIDTH * TILE_HEIGHT;

/// Where cells lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    width: usize,
    height: usize,
    pub(super) n_across: usize,
    pub(super) n_down: usize,
}

impl Layout {
    pub(super) fn new(spec: &PdeSpec) -> Self {
        let (n_across, n_down) =
            (spec.width.div_ceil(TILE_WIDTH), spec.height.div_ceil(TILE_HEIGHT));
        Self { width: spec.width, height: spec.height, n_across, n_down }
    }

    pub(super) fn n_tiles(self) -> usize {
        self.n_across * self.n_down
    }

    /// Words that hold all cells.
    pub(super) fn n_words(self) -> usize {
        self.n_tiles() * TILE_CELLS
    }

    /// The word of a cell.
    pub(super) fn word(self, [x, y]: [usize; 2]) -> usize {
        let tile = y / TILE_HEIGHT * self.n_across + x / TILE_WIDTH;
        tile * TILE_CELLS + y % TILE_HEIGHT * TILE_WIDTH + x % TILE_WIDTH
    }

    /// The columns of a tile.
    pub(super) fn columns(self, tile: usize) -> std::ops::Range<usize> {
        let start = tile % self.n_across * TILE_WIDTH;
        start..self.width.min(start + TILE_WIDTH)
    }

    /// The rows of a tile.
    pub(super) fn rows(self, tile: usize) -> std::ops::Range<usize> {
        let start = tile / self.n_across * TILE_HEIGHT;
        start..self.height.min(start + TILE_HEIGHT)
    }
}

/// What tiles that were stepped in place were before, where later ones look at it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seams {
    /// Of each column of tiles, the last row of the one that was stepped last.
    last_rows: Vec<f64>,
    /// The last column of the tile that was stepped last.
    last_column: Vec<f64>,
    /// Tiles that were stepped.
    is_stepped: Vec<bool>,
}

impl Seams {
    pub(super) fn new(layout: Layout) -> Self {
        Self {
            last_rows: vec![0.0; layout.n_across * TILE_WIDTH],
            last_column: vec![0.0; TILE_HEIGHT],
            is_stepped: vec![false; layout.n_tiles()],
        }
    }

    /// The tile has ended its step, as have all others.
    pub(super) fn forget(&mut self, tile: usize) {
        self.is_stepped[tile] = false;
    }
}

/// What became of the cells along each side of a tile.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sides {
    pub(super) west: Lanes,
    pub(super) east: Lanes,
    pub(super) north: Lanes,
    pub(super) south: Lanes,
}

impl Sides {
    /// What became of the whole tile may have become of each side.
    pub(super) fn all(tile: Lanes) -> Self {
        Self { west: tile, east: tile, north: tile, south: tile }
    }
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
    /// Steps a tile in place. Tiles come in their order.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    pub(super) fn step_in_place(
        &self,
        tile: usize,
        now: &mut [f64],
        seams: &mut Seams,
    ) -> (Lanes, Sides) {
        let ring = self.ring(tile, now, Some(seams));
        let (width, height) = (self.layout.columns(tile).len(), self.layout.rows(tile).len());
        let cells = &mut now[tile * TILE_CELLS..][..TILE_CELLS];
        let column = tile % self.layout.n_across * TILE_WIDTH;
        seams.last_rows[column..column + TILE_WIDTH]
            .copy_from_slice(&cells[(TILE_HEIGHT - 1) * TILE_WIDTH..]);
        let mut first_column = [0.0; TILE_HEIGHT];
        let columns = seams.last_column.iter_mut().zip(&mut first_column);
        for ((last, first), row) in columns.zip(cells.chunks_exact(TILE_WIDTH)) {
            (*last, *first) = (row[TILE_WIDTH - 1], row[0]);
        }
        seams.is_stepped[tile] = true;
        let (mut lanes, mut sides) = (Lanes::default(), Sides::default());
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
                sides.north = lanes;
            }
            (above, mid, next) = (mid, next, above);
        }
        let last_row = &seams.last_rows[column..column + TILE_WIDTH];
        let last = last_row.iter().zip(&cells[(TILE_HEIGHT - 1) * TILE_WIDTH..]);
        sides.south.note_all(last);
        let rows = cells.chunks_exact(TILE_WIDTH);
        sides.west.note_all(first_column.iter().zip(rows.clone().map(|row| &row[0])));
        let ends = rows.map(|row| &row[TILE_WIDTH - 1]);
        sides.east.note_all(seams.last_column.iter().zip(ends));
        (lanes, sides)
    }

    /// Steps a tile from one level of time into the place of the one before.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    pub(super) fn step_over(&self, tile: usize, now: &[f64], other: &mut [f64]) -> Lanes {
        let ring = self.ring(tile, now, None);
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
                out: &mut other[tile * TILE_CELLS + y * TILE_WIDTH..][..width],
            };
            self.scheme.step(piece, self.asked, &mut lanes);
        }
        lanes
    }

    /// What lies around the tile, as it was before the step.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    fn ring(&self, tile: usize, now: &[f64], seams: Option<&Seams>) -> Ring {
        let Layout { n_across, n_down, .. } = self.layout;
        let (column, band) = (tile % n_across, tile / n_across);
        let mut ring = Ring {
            north: [0.0; TILE_WIDTH],
            south: [0.0; TILE_WIDTH],
            west: [0.0; TILE_HEIGHT],
            east: [0.0; TILE_HEIGHT],
        };
        let cells = |tile: usize| &now[tile * TILE_CELLS..][..TILE_CELLS];
        let stepped = |tile: usize| seams.filter(|seams| seams.is_stepped[tile]);
        if band > 0 {
            ring.north.copy_from_slice(match stepped(tile - n_across) {
                Some(seams) => &seams.last_rows[column * TILE_WIDTH..][..TILE_WIDTH],
                None => &cells(tile - n_across)[(TILE_HEIGHT - 1) * TILE_WIDTH..],
            });
        }
        if band + 1 < n_down {
            ring.south.copy_from_slice(&cells(tile + n_across)[..TILE_WIDTH]);
        }
        if column > 0 {
            if let Some(seams) = stepped(tile - 1) {
                ring.west.copy_from_slice(&seams.last_column);
            } else {
                let rows = cells(tile - 1).chunks_exact(TILE_WIDTH);
                ring.west.iter_mut().zip(rows).for_each(|(west, row)| *west = row[TILE_WIDTH - 1]);
            }
        }
        if column + 1 < n_across {
            let rows = cells(tile + 1).chunks_exact(TILE_WIDTH);
            ring.east.iter_mut().zip(rows).for_each(|(east, row)| *east = row[0]);
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
