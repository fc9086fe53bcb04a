//! One step: cells are set, the grid moves on, and cells are said.

use std::ops::Range;
use std::task::Poll;

use super::PdeSolver;
use super::bound::ROUNDOFF;
use super::bulk::{self, Part};
use super::cells::{Stepped, Stepper};
use super::grid::{Equation, PdeDelta, PdeRows};
use super::layout::{TILE_CELLS, TILE_WIDTH};
use super::measure::SLICE;
use super::runs::{largest, most_apart, run_at};
use super::scheme::{Asked, Moved};
use super::stripes::Cut;
use super::tiles::{Fate, News, Plan, UNMOVED};
use crate::churn::Churn;
use crate::emit::Emit;
use crate::kernel::{Measured, Report, Step};
use crate::mode::Mode;
use crate::pages::Pages;
use crate::threads::{n_threads, share};
use crate::vector::wide;

/// Work to step a cell.
pub(super) const CELL_WORK: u64 = 12;

/// Tiles that are stepped or said in one piece at least.
const TILES_AT_ONCE: usize = 32;

/// Tiles that are worth another thread: some tens of microseconds.
pub(super) const STRIPE_TILES_MIN: usize = 32;

/// A step under way.
#[derive(Debug)]
pub(super) struct Running {
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

impl PdeSolver {
    /// Begins a step.
    pub(super) fn start(&mut self, step: Step<Measured<Self>>) {
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

    /// Goes on with it, for about so much work.
    pub(super) fn go_on(&mut self, work: u64, output: &mut PdeRows) -> Poll<Report> {
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
