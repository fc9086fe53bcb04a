//! The schemes: one expression for each equation, whatever the mode, so that modes agree in every
//! bit. Nothing is contracted to fused operations, so that machines agree too.
//!
//! Heat: forward in time, centred in space. Wave: leapfrog. Burgers: forward in time, with the flux
//! of B. Engquist and S. Osher (*One-sided difference approximations for nonlinear conservation
//! laws*, 1981), which is monotone: shocks move at their speed, and nothing overshoots.

use super::grid::{Equation, PdeSpec};
use super::layout::{TILE_CELLS, TILE_HEIGHT, TILE_WIDTH};
use crate::vector::Ahead;

/// The numbers of a scheme.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scheme {
    pub(super) equation: Equation,
    /// The weight of a neighbour's difference.
    weight: f64,
    /// Half of `dt / dx`, for fluxes.
    half_ratio: f64,
}

/// A row of a tile in as many pieces as the widest vectors hold.
pub(super) type Row = [[f64; LANES]; N_PIECES];

/// A tile, and what lies around it.
pub(super) struct Tile<'a> {
    pub(super) north: &'a Row,
    pub(super) south: &'a Row,
    pub(super) west: &'a [f64; TILE_HEIGHT],
    pub(super) east: &'a [f64; TILE_HEIGHT],
    /// Its rows within the grid.
    pub(super) height: usize,
    /// The bits that cells of a row may have: those outside of the grid have none.
    pub(super) is_in: &'a [u64; TILE_WIDTH],
    /// The cells of the tile that is stepped next, which are asked for meanwhile; none of the last.
    pub(super) next: &'a [f64],
    /// The cells as they are, where they are not stepped in place.
    pub(super) now: Option<&'a [f64; TILE_CELLS]>,
    /// The cells; before, what is to be overwritten: for waves the level of time before.
    pub(super) out: &'a mut [f64; TILE_CELLS],
    /// Becomes the last column as it was.
    pub(super) last_column: &'a mut [f64; TILE_HEIGHT],
}

/// What became of a tile, in as many lanes as the widest vectors have, so that they are put
/// together once for a tile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lanes {
    bits: [u64; LANES],
    most: [u64; LANES],
}

/// Lanes of the widest vectors.
const LANES: usize = 8;

/// Pieces of a row.
const N_PIECES: usize = TILE_WIDTH / LANES;

/// What is asked of a step beside whether bits changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// No more.
    Nothing,
    /// The largest difference.
    Change,
    /// The largest absolute value.
    Size,
}

/// What became of a tile.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Moved {
    /// Whether a bit changed.
    pub(super) is_moved: bool,
    /// What was asked; 0 if nothing was.
    pub(super) most: f64,
}

/// What became of a tile: of each piece of its rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Noted([Lanes; N_PIECES]);

impl Noted {
    /// What became of all.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    pub(super) fn whole(&self) -> Moved {
        let mut all = self.0[0];
        for piece in &self.0[1..] {
            for lane in 0..LANES {
                all.bits[lane] |= piece.bits[lane];
                all.most[lane] = all.most[lane].max(piece.most[lane]);
            }
        }
        all.moved()
    }

    /// What became of the first column.
    pub(super) fn west(&self) -> Moved {
        self.0[0].lane(0)
    }

    /// What became of the last column.
    pub(super) fn east(&self) -> Moved {
        self.0[N_PIECES - 1].lane(LANES - 1)
    }
}

impl Lanes {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    pub(super) fn moved(&self) -> Moved {
        // Halves at a time, which vectors do at once.
        let [mut bits, mut most] = [self.bits, self.most];
        for half in [4, 2, 1] {
            for lane in 0..half {
                bits[lane] |= bits[lane + half];
                most[lane] = most[lane].max(most[lane + half]);
            }
        }
        Moved { is_moved: bits[0] != 0, most: f64::from_bits(most[0]) }
    }

    fn lane(&self, lane: usize) -> Moved {
        Moved { is_moved: self.bits[lane] != 0, most: f64::from_bits(self.most[lane]) }
    }

    /// These cells moved from the one to the other.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    pub(super) fn note_all(&mut self, before: &[f64], after: &[f64]) {
        let (before, after) = (before.as_chunks::<LANES>().0, after.as_chunks::<LANES>().0);
        for (before, after) in before.iter().zip(after) {
            for lane in 0..LANES {
                self.note::<{ Asked::Change as usize }>(lane, [before[lane], after[lane]]);
            }
        }
    }

    /// One cell moved.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "part of the inner loop")]
    fn note<const ASKED: usize>(&mut self, lane: usize, [before, after]: [f64; 2]) {
        self.bits[lane] |= after.to_bits() ^ before.to_bits();
        if ASKED == Asked::Change as usize {
            self.most[lane] = self.most[lane].max((after - before).to_bits() & MAGNITUDE);
        }
        if ASKED == Asked::Size as usize {
            self.most[lane] = self.most[lane].max(after.to_bits() & MAGNITUDE);
        }
    }
}

impl Scheme {
    pub(super) fn new(spec: &PdeSpec) -> Self {
        let half_ratio = spec.dt / spec.dx / 2.0;
        Self { equation: spec.equation, weight: spec.weight(), half_ratio }
    }

    /// Moves a tile on, and notes what was asked.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    pub(super) fn step(&self, tile: Tile<'_>, asked: Asked) -> Noted {
        match asked {
            Asked::Nothing => self.step_asked::<{ Asked::Nothing as usize }>(tile),
            Asked::Change => self.step_asked::<{ Asked::Change as usize }>(tile),
            Asked::Size => self.step_asked::<{ Asked::Size as usize }>(tile),
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    fn step_asked<const ASKED: usize>(&self, tile: Tile<'_>) -> Noted {
        let (weight, ratio) = (self.weight, self.half_ratio);
        match self.equation {
            Equation::Heat => over::<ASKED>(tile, |cell| cell.mid + weight * cell.bend()),
            Equation::Wave => {
                over::<ASKED>(tile, |cell| (2.0 * cell.mid - cell.before) + weight * cell.bend())
            }
            Equation::Burgers => over::<ASKED>(tile, |cell| {
                let (right, left) = (positive(cell.mid), negative(cell.mid));
                let along = (right + negative(cell.east)) - (positive(cell.west) + left);
                let across = (right + negative(cell.south)) - (positive(cell.north) + left);
                (cell.mid - ratio * (along + across)) + weight * cell.bend()
            }),
        }
    }
}

/// `max(u, 0)^2`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "part of the inner loop")]
fn positive(u: f64) -> f64 {
    let u = if u > 0.0 { u } else { 0.0 };
    u * u
}

/// `min(u, 0)^2`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "part of the inner loop")]
fn negative(u: f64) -> f64 {
    let u = if u < 0.0 { u } else { 0.0 };
    u * u
}

/// A cell and its neighbours.
#[derive(Clone, Copy)]
struct Cell {
    mid: f64,
    west: f64,
    east: f64,
    north: f64,
    south: f64,
    before: f64,
}

impl Cell {
    /// The sum of its neighbours' differences.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "part of the inner loop")]
    fn bend(self) -> f64 {
        ((self.west + self.east) + (self.north + self.south)) - 4.0 * self.mid
    }
}

/// Row by row; what is noted stays in registers meanwhile, and so do the rows as they were: the
/// one above, the one that is stepped, and the next.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
fn over<const ASKED: usize>(tile: Tile<'_>, next: impl Fn(Cell) -> f64) -> Noted {
    let Tile { north, south, west, east, height, is_in, next: coming, now, out, last_column } =
        tile;
    let ahead = Ahead::new();
    let mut noted = Noted::default();
    let is_in = is_in.as_chunks::<LANES>().0;
    let (mut above, mut mid) = (*north, row(now.unwrap_or(out)));
    for y in 0..height {
        let below = if y + 1 == TILE_HEIGHT {
            *south
        } else {
            row(&now.unwrap_or(out)[(y + 1) * TILE_WIDTH..])
        };
        ahead.fetch(coming.get(y * TILE_WIDTH..(y + 1) * TILE_WIDTH).unwrap_or_default());
        last_column[y] = mid[N_PIECES - 1][LANES - 1];
        let row_out = out[y * TILE_WIDTH..][..TILE_WIDTH].as_chunks_mut::<LANES>().0;
        let mut last_west = west[y];
        for at in 0..N_PIECES {
            let here = mid[at];
            let last = if at + 1 < N_PIECES { mid[at + 1][0] } else { east[y] };
            let left = [last_west, here[0], here[1], here[2], here[3], here[4], here[5], here[6]];
            let right = [here[1], here[2], here[3], here[4], here[5], here[6], here[7], last];
            last_west = here[LANES - 1];
            let mut u = [0.0; LANES];
            for lane in 0..LANES {
                let cell = next(Cell {
                    mid: here[lane],
                    west: left[lane],
                    east: right[lane],
                    north: above[at][lane],
                    south: below[at][lane],
                    before: row_out[at][lane],
                });
                u[lane] = f64::from_bits(cell.to_bits() & is_in[at][lane]);
            }
            row_out[at] = u;
            for lane in 0..LANES {
                noted.0[at].note::<ASKED>(lane, [here[lane], u[lane]]);
            }
        }
        (above, mid) = (mid, below);
    }
    noted
}

/// A row of a tile, with which the cells begin.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
pub(super) fn row(cells: &[f64]) -> Row {
    let mut row = Row::default();
    row.as_flattened_mut().copy_from_slice(&cells[..TILE_WIDTH]);
    row
}

/// All bits of a float but its sign: of two numbers, the one of larger size has the larger ones.
const MAGNITUDE: u64 = u64::MAX >> 1;
