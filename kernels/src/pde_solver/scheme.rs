//! The schemes: one expression for each equation, whatever the mode, so that modes agree in every
//! bit. Nothing is contracted to fused operations, so that machines agree too.
//!
//! Heat: forward in time, centred in space. Wave: leapfrog. Burgers: forward in time, with the flux
//! of B. Engquist and S. Osher (*One-sided difference approximations for nonlinear conservation
//! laws*, 1981), which is monotone: shocks move at their speed, and nothing overshoots.

use super::grid::{Equation, PdeSpec};

/// The numbers of a scheme.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scheme {
    pub(super) equation: Equation,
    /// The weight of a neighbour's difference.
    weight: f64,
    /// Half of `dt / dx`, for fluxes.
    half_ratio: f64,
}

/// A piece of a row, and its neighbours; all as long as `out`, but `mid` is longer by one on both
/// sides.
pub(super) struct Piece<'a> {
    pub(super) north: &'a [f64],
    pub(super) mid: &'a [f64],
    pub(super) south: &'a [f64],
    /// Before, what is to be overwritten: for waves the level of time before.
    pub(super) out: &'a mut [f64],
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

impl Lanes {
    pub(super) fn moved(&self) -> Moved {
        let is_moved = self.bits.iter().any(|bits| *bits != 0);
        let most = self.most.iter().copied().max().unwrap_or(0);
        Moved { is_moved, most: f64::from_bits(most) }
    }

    /// These cells moved from the one to the other.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    pub(super) fn note_all<'a>(&mut self, cells: impl Iterator<Item = (&'a f64, &'a f64)>) {
        for (at, (before, after)) in cells.enumerate() {
            self.note::<{ Asked::Change as usize }>(at % LANES, [*before, *after]);
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

    /// Moves a piece on, and notes what was asked.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    pub(super) fn step(&self, piece: Piece<'_>, asked: Asked, lanes: &mut Lanes) {
        match asked {
            Asked::Nothing => self.step_asked::<{ Asked::Nothing as usize }>(piece, lanes),
            Asked::Change => self.step_asked::<{ Asked::Change as usize }>(piece, lanes),
            Asked::Size => self.step_asked::<{ Asked::Size as usize }>(piece, lanes),
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    fn step_asked<const ASKED: usize>(&self, piece: Piece<'_>, lanes: &mut Lanes) {
        let (weight, ratio) = (self.weight, self.half_ratio);
        match self.equation {
            Equation::Heat => {
                over::<ASKED>(piece, lanes, |cell| cell.mid + weight * cell.bend());
            }
            Equation::Wave => over::<ASKED>(piece, lanes, |cell| {
                (2.0 * cell.mid - cell.before) + weight * cell.bend()
            }),
            Equation::Burgers => over::<ASKED>(piece, lanes, |cell| {
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

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
fn over<const ASKED: usize>(piece: Piece<'_>, lanes: &mut Lanes, next: impl Fn(Cell) -> f64) {
    let Piece { north, mid, south, out } = piece;
    let n = out.len();
    let mut held = *lanes;
    let (north, north_rest) = north[..n].as_chunks::<LANES>();
    let (south, south_rest) = south[..n].as_chunks::<LANES>();
    let (west, west_rest) = mid[..n].as_chunks::<LANES>();
    let (east, east_rest) = mid[2..n + 2].as_chunks::<LANES>();
    let (mid, mid_rest) = mid[1..=n].as_chunks::<LANES>();
    let (out, out_rest) = out.as_chunks_mut::<LANES>();
    let around = north.iter().zip(south).zip(west.iter().zip(east));
    for ((out, mid), ((north, south), (west, east))) in out.iter_mut().zip(mid).zip(around) {
        let mut u = [0.0; LANES];
        for lane in 0..LANES {
            u[lane] = next(Cell {
                mid: mid[lane],
                west: west[lane],
                east: east[lane],
                north: north[lane],
                south: south[lane],
                before: out[lane],
            });
        }
        *out = u;
        for lane in 0..LANES {
            held.note::<ASKED>(lane, [mid[lane], u[lane]]);
        }
    }
    for at in 0..out_rest.len() {
        let u = next(Cell {
            mid: mid_rest[at],
            west: west_rest[at],
            east: east_rest[at],
            north: north_rest[at],
            south: south_rest[at],
            before: out_rest[at],
        });
        out_rest[at] = u;
        held.note::<ASKED>(at, [mid_rest[at], u]);
    }
    *lanes = held;
}

/// All bits of a float but its sign: of two numbers, the one of larger size has the larger ones.
const MAGNITUDE: u64 = u64::MAX >> 1;
