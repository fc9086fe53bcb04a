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

#[cfg(test)]
mod tests;

use std::io;
use std::ops::Range;
use std::task::Poll;

use crate::churn::Churn;
use crate::emit::Emit;
use crate::kernel::{
    DeltaError, Kernel, Measured, Prediction, Probe, Report, Sample, SpecError, Step,
};
use crate::mode::Mode;
use crate::pages::Pages;
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};
use crate::threads::{awake, n_threads, share, share_work};
use crate::vector::wide;
use crate::version::Version;

pub use grid::{Equation, PdeDelta, PdeKeys, PdeRows, PdeSpec};

use bulk::Part;
use cells::{Stepped, Stepper};
use grid::float;
use layout::{Layout, TILE_CELLS, TILE_WIDTH};
use runs::{largest, most_apart, run_at};
use scheme::{Asked, Moved, Scheme};
use stripes::{Cut, Seams};
use tiles::{Fate, News, Plan, Tiles, UNMOVED};

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

/// How far cells may be off by rounding.
#[derive(Debug, Clone, Copy, Default)]
struct Bound {
    /// The largest value that ever was.
    size: f64,
    off: f64,
    /// How much more they may be off after each step of a wave.
    speed: f64,
}

/// A step under way.
#[derive(Debug)]
struct Running {
    mode: Mode,
    emit: Emit,
    error_max: f64,
    delta: PdeDelta,
    churn: Churn,
    stage: Stage,
    n_steps_left: usize,
    /// What is asked of the tiles.
    asked: Asked,
    /// What the tiles of this step of the scheme did.
    news: Vec<News>,
    spent: u64,
    n_emitted: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Cells are set, from this one on.
    Set(usize),
    /// It is decided which tiles are stepped.
    Decide,
    /// Tiles are stepped, from this place among those to do on.
    Move(usize),
    /// Cells are said, from this tile on.
    Say(usize),
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
        assert!(self.step.is_none(), "the step before has ended");
        assert!(step.mode != Mode::Rr, "a grid has no `rr`");
        let (delta, churn, ()) = step.delta.known(&self.version, |delta| self.look(delta));
        self.version.end();
        self.bound.set(self.spec.equation, delta.x.len());
        self.step = Some(Running {
            mode: step.mode,
            emit: step.emit,
            error_max: step.error_max,
            churn,
            delta,
            stage: Stage::Set(0),
            n_steps_left: self.spec.n_steps,
            asked: Asked::Nothing,
            news: Vec::new(),
            spent: 0,
            n_emitted: 0,
        });
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
        let mut out = SnapshotWriter::new(out, NAME)?;
        let PdeSpec { equation, width, height, dt, dx, coefficient, n_steps } = self.spec;
        out.number("equation", equation as u8)?;
        out.numbers("shape", [width as u64, height as u64, n_steps as u64])?;
        out.numbers("arguments", [dt, dx, coefficient])?;
        out.numbers("now", self.now.iter().copied())?;
        out.numbers("before", self.before.iter().copied())?;
        let tiles = &self.tiles;
        out.numbers("moved", tiles.moved.iter().copied())?;
        out.numbers("along", tiles.along.iter().flatten().copied())?;
        let flags = tiles.moved_before.iter().chain(&tiles.owes).chain(&self.is_dirty);
        out.numbers("flags", flags.map(|flag| u8::from(*flag)))?;
        out.numbers("rest", tiles.rest.iter().copied())?;
        let Bound { size, off, speed } = self.bound;
        out.numbers("bound", [tiles.off, size, off, speed, tiles.spread])?;
        out.number("is_said", u8::from(self.said.is_some()))?;
        out.numbers("said", self.said.iter().flat_map(|said| said.iter().copied()))
    }

    fn load(input: &mut dyn io::Read) -> Result<Self, LoadError> {
        let damaged = |section| LoadError::Damaged { section };
        let mut input = SnapshotReader::new(input, NAME)?;
        let equation = match input.number::<u8>("equation")? {
            0 => Equation::Heat,
            1 => Equation::Wave,
            2 => Equation::Burgers,
            _ => return Err(damaged("equation")),
        };
        let shape: Vec<u64> = input.array("shape", 3)?;
        let side = |at: usize| usize::try_from(shape[at]).map_err(|_| damaged("shape"));
        let (width, height, n_steps) = (side(0)?, side(1)?, side(2)?);
        let arguments: Vec<f64> = input.array("arguments", 3)?;
        let (dt, dx, coefficient) = (arguments[0], arguments[1], arguments[2]);
        let spec = PdeSpec { equation, width, height, dt, dx, coefficient, n_steps };
        spec.check().map_err(|_| damaged("arguments"))?;
        let n_words = Layout::new(&spec).n_words();
        let n_before = if equation == Equation::Wave { n_words } else { 0 };
        // Read before the grid is made: a damaged shape costs no memory.
        let now: Vec<f64> = input.array("now", n_words)?;
        let before: Vec<f64> = input.array("before", n_before)?;
        let mut kernel = Self::compile(&spec).map_err(|_| damaged("arguments"))?;
        let n_tiles = kernel.tiles.len();
        (kernel.now, kernel.before) = (Pages::from(&now[..]), Pages::from(&before[..]));
        kernel.tiles.moved = input.array("moved", n_tiles)?;
        let along: Vec<f64> = input.array("along", 4 * n_tiles)?;
        kernel.tiles.along = along.as_chunks().0.to_vec();
        let flags: Vec<u8> = input.array("flags", 3 * n_tiles)?;
        let flags: Vec<bool> = flags.into_iter().map(|flag| flag != 0).collect();
        kernel.tiles.moved_before = flags[..n_tiles].to_vec();
        kernel.tiles.owes = flags[n_tiles..2 * n_tiles].to_vec();
        kernel.is_dirty = flags[2 * n_tiles..].to_vec();
        kernel.tiles.rest = input.array("rest", n_tiles)?;
        let bound: Vec<f64> = input.array("bound", 5)?;
        (kernel.tiles.off, kernel.tiles.spread) = (bound[0], bound[4]);
        kernel.bound = Bound { size: bound[1], off: bound[2], speed: bound[3] };
        let is_said: u8 = input.number("is_said")?;
        let said: Vec<f64> = input.array("said", if is_said == 0 { 0 } else { n_words })?;
        kernel.said = (is_said != 0).then(|| Pages::from(&said[..]));
        kernel.tiles.find_live();
        Ok(kernel)
    }
}

/// What a snapshot is of.
const NAME: &str = "pde_solver.4";

/// Work to step a cell.
const CELL_WORK: u64 = 12;

/// Tiles that are stepped or said in one piece at least.
const TILES_AT_ONCE: usize = 32;

/// Tiles that are worth another thread: some tens of microseconds.
const STRIPE_TILES_MIN: usize = 32;

/// Cells that are set at a time.
const SLICE: usize = 1 << 14;

/// Cells that are checked at a time.
const BLOCK: usize = 1 << 10;

impl PdeSolver {
    fn go_on(&mut self, work: u64, output: &mut PdeRows) -> Poll<Report> {
        let mut step = self.step.take().expect("a step is under way");
        let limit = step.spent.saturating_add(work.max(1));
        while step.spent < limit {
            match step.stage {
                Stage::Set(at) => {
                    let n_cells = usize::try_from((limit - step.spent) / 8);
                    self.set(at, n_cells.unwrap_or(usize::MAX), &mut step);
                }
                Stage::Decide => self.decide(&mut step),
                Stage::Move(at) => {
                    let n_tiles = (limit - step.spent) / (TILE_CELLS as u64 * CELL_WORK);
                    let n_tiles = usize::try_from(n_tiles).unwrap_or(usize::MAX);
                    self.move_on(at, n_tiles, &mut step);
                }
                Stage::Say(at) => {
                    if self.say(at, &mut step, output) {
                        self.version.end();
                        return Poll::Ready(self.report(&step));
                    }
                }
            }
        }
        self.step = Some(step);
        Poll::Pending
    }

    /// How much would change.
    fn look(&self, delta: &PdeDelta) -> Result<(Churn, ()), DeltaError> {
        let PdeDelta { x, y, u } = delta;
        for (what, found) in [("y", y.len()), ("u", u.len())] {
            if found != x.len() {
                return Err(DeltaError::Shape { what, found, wanted: x.len() });
            }
        }
        let churn = self.churn(delta).ok_or_else(|| self.fault(delta))?;
        Ok((churn, ()))
    }

    /// What is wrong with a change that does not fit.
    fn fault(&self, PdeDelta { x, y, u }: &PdeDelta) -> DeltaError {
        for (what, places, n_keys) in [("x", x, self.spec.width), ("y", y, self.spec.height)] {
            let is_in = |at: &i64| usize::try_from(*at).is_ok_and(|at| at < n_keys);
            if let Some(found) = places.iter().find(|at| !is_in(at)).copied() {
                return DeltaError::Key { what, found, n_keys };
            }
        }
        if !u.iter().all(|u| u.is_finite()) {
            return DeltaError::NotFinite { what: "u" };
        }
        DeltaError::Range { what: "u", wanted: "small enough for `dt`" }
    }

    /// Whether so many cells are set that what they were is not looked at: then `delta_max` is what
    /// they are and no value exceeded before, together.
    fn is_bulk(&self, n_changed: usize) -> bool {
        8 * n_changed >= self.spec.n_cells()
    }

    /// How much would change; none if something does not fit. Threads share the cells.
    fn churn(&self, delta: &PdeDelta) -> Option<Churn> {
        let n_changed = delta.u.len();
        let is_bulk = self.is_bulk(n_changed);
        let starts = (0..n_changed).step_by(SLICE);
        let parts = share_work(4 * n_changed, starts, |_, from| {
            self.most_changed(delta, from..n_changed.min(from + SLICE))
        });
        let delta_max = parts.into_iter().try_fold(0.0, |most: f64, part| Some(most.max(part?)))?;
        let before = if is_bulk { self.bound.size } else { 0.0 };
        let delta_max = before + delta_max;
        Some(Churn { n_changed, n_total: self.spec.n_cells(), delta_max })
    }

    /// The largest change of some cells, or where so many change that it does not matter their
    /// largest size; none if something does not fit. In blocks that the nearest cache holds, each
    /// checked and then compared. What is below 0 is far beyond any side as well, and no
    /// comparison holds for what is no number.
    fn most_changed(&self, delta: &PdeDelta, cells: Range<usize>) -> Option<f64> {
        let PdeDelta { x, y, u } = delta;
        let is_bulk = self.is_bulk(u.len());
        let (width, height, value_max) =
            (self.spec.width as u64, self.spec.height as u64, self.spec.value_max());
        wide(
            #[inline(always)]
            || {
                let mut most = 0.0_f64;
                for from in cells.clone().step_by(BLOCK) {
                    let to = cells.end.min(from + BLOCK);
                    let cells = x[from..to].iter().zip(&y[from..to]).zip(&u[from..to]);
                    let is_fine = cells.fold(true, |is_fine, ((x, y), u)| {
                        let is_in = (x.cast_unsigned() < width) & (y.cast_unsigned() < height);
                        is_fine & is_in & (u.abs() <= value_max)
                    });
                    if !is_fine {
                        return None;
                    }
                    if is_bulk {
                        most = most.max(largest(&u[from..to]));
                        continue;
                    }
                    let mut at = from;
                    while at < to {
                        let (word, len) = run_at(delta, at..to, self.layout);
                        let now = &self.now[word..word + len];
                        most = most.max(most_apart(now, &u[at..at + len]));
                        at += len;
                    }
                }
                Some(most)
            },
        )
    }

    fn error_max(&self) -> f64 {
        self.bound.off + self.tiles.off
    }

    /// Sets so many cells as there is work for.
    fn set(&mut self, from: usize, n_most: usize, step: &mut Running) {
        let n_cells = step.delta.u.len();
        let is_bulk = self.is_bulk(n_cells);
        let to = n_cells.min(from.saturating_add(if is_bulk { n_most.max(SLICE) } else { SLICE }));
        if is_bulk {
            self.set_bulk(from..to, &step.delta);
        } else {
            wide(
                #[inline(always)]
                || self.set_cells(from..to, &step.delta),
            );
        }
        step.spent += 8 * (to - from) as u64;
        step.stage = Stage::Set(to);
        if to == n_cells {
            self.tiles.learn_spread(to);
            step.stage = Stage::Decide;
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the vectors where it is dispatched")]
    fn set_cells(&mut self, places: Range<usize>, delta: &PdeDelta) {
        let is_wave = self.spec.equation == Equation::Wave;
        let (mut last, mut most, mut at) = (None, 0.0_f64, places.start);
        let to = places.end;
        while at < to {
            let (word, len) = run_at(delta, at..to, self.layout);
            let (now, u) = (&mut self.now[word..word + len], &delta.u[at..at + len]);
            at += len;
            let is_same = now.iter().zip(u).all(|(now, u)| now.to_bits() == u.to_bits());
            if is_wave {
                self.before[word..word + len].copy_from_slice(u);
            } else if is_same {
                continue;
            }
            let change = most_apart(now, u);
            now.copy_from_slice(u);
            self.bound.size = self.bound.size.max(largest(u));
            // Cells of one tile mostly come one after another.
            let tile = word / TILE_CELLS;
            if last != Some(tile) {
                self.poke(last, most);
                (last, most) = (Some(tile), 0.0);
            }
            most = most.max(change);
        }
        self.poke(last, most);
    }

    /// The same where so many are set that it does not matter which of them change. Threads share
    /// cells that come band by band.
    fn set_bulk(&mut self, places: Range<usize>, delta: &PdeDelta) {
        let parts = bulk::parts(delta, places.clone());
        let whole = [Part { place: places.start, band: 0 }];
        let now = (&mut self.now[..], &mut self.before[..]);
        let set = bulk::set(self.layout, now, (&parts, places.end), delta).unwrap_or_else(|| {
            // They came otherwise; what was set is set again.
            let now = (&mut self.now[..], &mut self.before[..]);
            let set = bulk::set(self.layout, now, (&whole, places.end), delta);
            set.expect("all cells are in the grid")
        });
        for (size, tiles) in set {
            self.bound.size = self.bound.size.max(size);
            for tile in tiles {
                // It is stepped next, whatever it was.
                self.poke(Some(tile), 0.0);
            }
        }
    }

    /// Cells of the tile changed by at most this.
    fn poke(&mut self, tile: Option<usize>, most: f64) {
        if let Some(tile) = tile {
            self.tiles.poke(tile, most);
            self.is_dirty[tile] = true;
        }
    }

    /// What rounding adds to the change of a cell of heat.
    fn rounding(&self) -> f64 {
        32.0 * ROUNDOFF * self.bound.size
    }

    fn decide(&mut self, step: &mut Running) {
        if step.n_steps_left == 0 {
            step.stage = Stage::Say(0);
            return;
        }
        step.n_steps_left -= 1;
        let mut after = self.bound;
        after.step(&self.spec);
        let budget = match self.spec.equation {
            // Half of what rounding leaves. Who names no bound has not said that any error will do:
            // a budget without end would leave every tile as it is.
            Equation::Heat if step.error_max.is_finite() => {
                ((step.error_max - after.off) / 2.0).max(0.0)
            }
            Equation::Heat | Equation::Wave | Equation::Burgers => 0.0,
        };
        let is_pass = step.mode == Mode::Pass;
        step.asked = match self.spec.equation {
            // Whether changes are small matters only where they may be left.
            Equation::Heat if budget > 0.0 && !is_pass => Asked::Change,
            Equation::Heat | Equation::Burgers => Asked::Nothing,
            Equation::Wave => Asked::Size,
        };
        self.tiles.decide(Plan { is_pass, budget, rounding: self.rounding() });
        step.news.clear();
        step.spent += 4 * self.tiles.len() as u64;
        step.stage = Stage::Move(0);
    }

    /// Steps so many tiles as there is work for, or ends the scheme's step.
    fn move_on(&mut self, from: usize, n_most: usize, step: &mut Running) {
        let to = self.tiles.todo.len().min(from + n_most.max(TILES_AT_ONCE));
        if from == to {
            self.tiles.todo.iter().for_each(|(tile, _)| self.seams.forget(*tile as usize));
            self.tiles.end_step(&step.news, self.rounding());
            if self.spec.equation == Equation::Wave {
                std::mem::swap(&mut self.now, &mut self.before);
            }
            self.bound.step(&self.spec);
            step.stage = Stage::Decide;
            return;
        }
        let mut moved = self.step_tiles(from..to, step.asked).into_iter();
        step.spent += ((to - from) * TILE_CELLS) as u64 * CELL_WORK;
        for (tile, fate) in &self.tiles.todo[from..to] {
            if *fate == Fate::Stay {
                step.news.push(News::NONE);
                continue;
            }
            let Stepped { whole, along } =
                moved.next().expect("each stepped tile says what it did");
            if step.asked == Asked::Size {
                self.bound.size = self.bound.size.max(whole.most);
            }
            self.is_dirty[*tile as usize] |= whole.is_moved;
            // No cell moves further than from the largest value to its opposite.
            let change = |Moved { is_moved, most }: Moved| match step.asked {
                _ if !is_moved => UNMOVED,
                Asked::Change => most,
                Asked::Nothing | Asked::Size => 2.0 * self.bound.size,
            };
            step.news.push(News { most: change(whole), along: along.map(change) });
        }
        step.stage = Stage::Move(to);
    }

    /// Steps those of these tiles that do not stay, in stripes that threads share; tells what each
    /// of them did, in their order.
    fn step_tiles(&mut self, places: Range<usize>, asked: Asked) -> Vec<Stepped> {
        let (layout, scheme) = (self.layout, &self.scheme);
        let stepper = Stepper { layout, scheme, asked };
        let todo = self.tiles.todo[places].iter().filter(|(_, fate)| *fate == Fate::Step);
        let tiles: Vec<usize> = todo.map(|(tile, _)| *tile as usize).collect();
        let n_most = n_threads().min(tiles.len() / STRIPE_TILES_MIN);
        let cut = Cut { layout, tiles: &tiles, n_most };
        let moved = match scheme.equation {
            Equation::Wave => {
                let now = &self.now;
                share(cut.pieces(&mut self.before), |_, piece| {
                    stepper.step_tiles_over(piece.tiles, now, (piece.start, piece.cells))
                })
            }
            Equation::Heat | Equation::Burgers => {
                let stripes = self.seams.stripes(&mut self.now, cut);
                let ended = share(stripes, |_, mut stripe| {
                    let moved = stepper.step_stripe(&mut stripe);
                    (moved, stripe.last)
                });
                let (moved, ended): (Vec<_>, Vec<_>) = ended.into_iter().unzip();
                self.seams.join(cut, ended);
                moved
            }
        };
        moved.into_iter().flatten().collect()
    }

    /// Says some cells; true when all are.
    fn say(&mut self, from: usize, step: &mut Running, output: &mut PdeRows) -> bool {
        let eps = match step.emit {
            Emit::Pull => return true,
            Emit::Eps(eps) => eps,
            Emit::Changed | Emit::All => 0.0,
        };
        let n_words = self.now.len();
        let said = self.said.get_or_insert_with(|| {
            let mut said = Pages::default();
            said.resize(n_words, f64::NAN);
            said
        });
        let (grid, said) = (&self.now[..], &mut said[..]);
        let mut tile = from;
        let mut n_said = 0;
        while tile < self.is_dirty.len() && n_said < TILES_AT_ONCE {
            if self.is_dirty[tile] {
                n_said += 1;
                let mut is_exact = true;
                let (rows, columns) = (self.layout.rows(tile), self.layout.columns(tile));
                for (row, y) in rows.enumerate() {
                    let start = tile * TILE_CELLS + row * TILE_WIDTH;
                    for (at, x) in columns.clone().enumerate() {
                        let (now, said) = (grid[start + at], &mut said[start + at]);
                        let is_near = now.to_bits() == said.to_bits() || (now - *said).abs() <= eps;
                        if is_near {
                            is_exact &= now.to_bits() == said.to_bits();
                        } else {
                            *said = now;
                            output.push([x, y], now);
                            step.n_emitted += 1;
                        }
                    }
                }
                self.is_dirty[tile] = !is_exact;
            }
            tile += 1;
        }
        step.spent += 1 + (n_said * TILE_CELLS * 4) as u64;
        step.stage = Stage::Say(tile);
        tile == self.is_dirty.len()
    }

    fn report(&self, step: &Running) -> Report {
        let unsaid = if let Emit::Eps(eps) = step.emit { eps } else { 0.0 };
        Report {
            mode: step.mode,
            churn: step.churn,
            error_max: self.error_max() + unsaid,
            n_emitted: step.n_emitted,
            work: step.spent,
            reuse: None,
            is_refreshed: false,
        }
    }
}

impl Bound {
    /// So many cells are set.
    fn set(&mut self, equation: Equation, n_cells: usize) {
        if equation == Equation::Wave && n_cells > 0 {
            self.speed += 2.0 * self.off;
            self.off += self.off;
        }
    }

    /// The scheme does a step.
    fn step(&mut self, spec: &PdeSpec) {
        // The last one is for numbers too small to be rounded relatively.
        let once = ROUNDOFF * self.size + f64::MIN_POSITIVE;
        match spec.equation {
            Equation::Heat => self.off += 16.0 * once,
            Equation::Burgers => self.off += 32.0 * once * float(spec.n_cells()),
            Equation::Wave => {
                self.speed += 48.0 * once * float(spec.n_cells()).sqrt();
                self.off += self.speed;
            }
        }
    }
}

/// A count of what is not negative, rounded up.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn whole(count: f64) -> usize {
    count.ceil() as usize
}

/// The unit roundoff of `f64`.
const ROUNDOFF: f64 = f64::EPSILON / 2.0;
