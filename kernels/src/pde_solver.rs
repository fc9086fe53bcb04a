//! Heat, waves and Burgers' equation on a grid, by explicit schemes in `f64`.
//!
//! A step sets cells and then moves the grid on by the scheme's steps; the grid stays where it is
//! then, so an empty change is a step in time like any other. `f64`, since cells come and go as
//! such: what is set can be read as it was, and thousands of steps add up. The grid is surrounded
//! by cells that are always 0.
//!
//! `pass` steps every tile, `itmd` those that can change; both by the same expression, so that they
//! agree in every bit. For heat a step's `error_max` is also a budget: `itmd` may leave tiles whose
//! change is small while all that it leaves, with the rounding, stays below it; with an
//! `error_max` of 0, or an infinite one, which names no budget, it leaves nothing. There is no `rr`
//! yet.
//!
//! Bounds, against exact arithmetic with the same set cells, for a step in which no value exceeds
//! `U` (`u = 2^-53`):
//! - heat: a step rounds by at most `16 u U`, and takes means of what was off;
//! - Burgers: a step rounds by at most `32 u U` in each cell, and the scheme is monotone and
//!   conserves, so the sum of all differences does not grow (M. G. Crandall and L. Tartar, *Some
//!   relations between nonexpansive and order preserving mappings*, 1980); the bound is that sum;
//! - waves: a step rounds by at most `48 u U` in each cell, and what a step commits grows in the
//!   2-norm by no more than itself with each later step (its modes are Chebyshev polynomials of the
//!   second kind, which are at most `n + 1`). Setting cells while others are off may start waves of
//!   what they are off by, at most doubling it and moving it on: a sound bound, but after some ten
//!   steps that each set cells it is no longer of use.

mod grid;
mod layout;
mod scheme;
mod stripes;
mod cells;
mod runs;
mod bulk;
mod tiles;
mod bound;
mod measure;
mod step;
mod save;

#[cfg(test)]
mod tests;

use std::io;
use std::task::Poll;

use crate::churn::Churn;
use crate::emit::Emit;
use crate::kernel::{
    DeltaError, Kernel, Measured, Prediction, Probe, Report, Sample, SpecError, Step,
};
use crate::mode::Mode;
use crate::pages::Pages;
use crate::snapshot::LoadError;
use crate::threads::awake;
use crate::version::Version;

pub use grid::{Equation, PdeDelta, PdeKeys, PdeRows, PdeSpec};

use bound::Bound;
use grid::float;
use layout::{Layout, TILE_CELLS};
use scheme::Scheme;
use step::{CELL_WORK, Running, STRIPE_TILES_MIN};
use stripes::Seams;
use tiles::Tiles;

/// A grid that moves on.
#[derive(Debug)]
pub struct PdeSolver {
    spec: PdeSpec,
    scheme: Scheme,
    layout: Layout,
    now: Pages<f64>,
    /// The level of time before, of waves; others are stepped in place.
    before: Pages<f64>,
    seams: Seams,
    tiles: Tiles,
    bound: Bound,
    /// What was last said of each cell; none before anything was.
    said: Option<Pages<f64>>,
    /// Tiles of which something else may have to be said.
    is_dirty: Vec<bool>,
    step: Option<Running>,
    version: Version,
}

impl Kernel for PdeSolver {
    type Spec = PdeSpec;
    type Delta = PdeDelta;
    type Found = ();
    type Keys = PdeKeys;
    type Output = PdeRows;

    fn compile(spec: &PdeSpec) -> Result<Self, SpecError> {
        spec.check()?;
        let layout = Layout::new(spec);
        let is_wave = spec.equation == Equation::Wave;
        let tiles = Tiles::new(layout, is_wave);
        Ok(Self {
            spec: *spec,
            scheme: Scheme::new(spec),
            layout,
            now: Pages::zeros(layout.n_words()),
            before: Pages::zeros(if is_wave { layout.n_words() } else { 0 }),
            seams: Seams::new(layout),
            is_dirty: vec![true; tiles.len()],
            tiles,
            bound: Bound::default(),
            said: None,
            step: None,
            version: Version::default(),
        })
    }

    fn measure(&self, delta: PdeDelta) -> Result<Measured<Self>, DeltaError> {
        let found = self.look(&delta)?;
        Ok(Measured::new(delta, found, &self.version))
    }

    fn predict(&self, mode: Mode, churn: &Churn, _emit: Emit) -> Option<Prediction> {
        let n_tiles = match mode {
            Mode::Pass => self.tiles.len(),
            // Those that move and as many beside them, and those with cells that are set, which
            // lie together as they did of late.
            Mode::Itmd => {
                let n_set = float(churn.n_changed) * self.tiles.spread;
                (2 * self.tiles.n_live() + whole(n_set)).min(self.tiles.len())
            }
            Mode::Rr => return None,
        };
        let n_cells = n_tiles * TILE_CELLS;
        let mut bound = self.bound;
        let before = if self.is_bulk(churn.n_changed) { bound.size } else { 0.0 };
        bound.size = bound.size.max(churn.delta_max - before);
        bound.set(self.spec.equation, churn.n_changed);
        (0..self.spec.n_steps).for_each(|_| bound.step(&self.spec));
        let work = (self.spec.n_steps * n_cells) as u64 * CELL_WORK + 4 * churn.n_changed as u64;
        Some(Prediction { work, error_max: bound.off + self.tiles.off })
    }

    fn begin(&mut self, step: Step<Measured<Self>>) {
        self.start(step);
    }

    fn advance(&mut self, work: u64, output: &mut PdeRows) -> Poll<Report> {
        let is_shared = 2 * STRIPE_TILES_MIN <= self.tiles.n_live();
        if is_shared { awake(|| self.go_on(work, output)) } else { self.go_on(work, output) }
    }

    fn read(&mut self, keys: &PdeKeys, output: &mut PdeRows) -> f64 {
        for (x, y) in keys.x.iter().zip(&keys.y) {
            let place = |at: &i64, n: usize| usize::try_from(*at).ok().filter(|at| *at < n);
            let cell = place(x, self.spec.width).zip(place(y, self.spec.height));
            if let Some((x, y)) = cell {
                output.push([x, y], self.now[self.layout.word([x, y])]);
            }
        }
        self.error_max()
    }

    fn keys(&self) -> PdeKeys {
        let mut all = PdeRows::default();
        for y in 0..self.spec.height {
            (0..self.spec.width).for_each(|x| all.push([x, y], 0.0));
        }
        PdeKeys { x: all.x, y: all.y }
    }

    /// None: a grid that has moved on cannot be computed anew of the cells that it has now.
    fn certify(&self, _sample: Sample) -> Probe {
        Probe { n_rows: 0, error: 0.0, error_max: self.error_max() }
    }

    /// Nothing is: what came before is not kept.
    fn refresh(&mut self, _share: f64) -> Report {
        Report {
            mode: Mode::Pass,
            churn: Churn { n_changed: 0, n_total: self.spec.n_cells(), delta_max: 0.0 },
            error_max: self.error_max(),
            n_emitted: 0,
            work: 0,
            reuse: None,
            is_refreshed: false,
        }
    }

    fn state_bytes(&self) -> usize {
        let said = self.said.as_ref().map_or(0, Pages::state_bytes);
        self.now.state_bytes() + self.before.state_bytes() + said + 64 * self.tiles.len()
    }

    fn save(&self, out: &mut dyn io::Write) -> io::Result<()> {
        assert!(self.step.is_none(), "no step is under way");
        self.write(out)
    }

    fn load(input: &mut dyn io::Read) -> Result<Self, LoadError> {
        Self::read_from(input)
    }
}

impl PdeSolver {
    fn error_max(&self) -> f64 {
        self.bound.off + self.tiles.off
    }
}

/// A count of what is not negative, rounded up.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn whole(count: f64) -> usize {
    count.ceil() as usize
}
