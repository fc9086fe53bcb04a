//! Which tiles of the grid move, and what it costs to leave one as it is.
//!
//! A tile is stepped if it or a neighbour moved in the last step (of a wave: or the tile in the one
//! before). Otherwise the scheme would compute the same numbers of the same numbers, so leaving the
//! tile as it is changes no bit. Of a neighbour only those cells count that lie along the tile.
//!
//! Heat may also leave a tile whose step would be small. `rest` bounds what a step would change
//! there: after a step, by the largest change in the tile and along it, since the next change is
//! a mean of these; while the tile is left, it grows by half of the largest change along it, since
//! a cell has at most two neighbours in other tiles, each with a weight of at most a quarter. What
//! is left out is never more than the budget: the scheme takes means, so a difference does not grow
//! later, and the largest rests of all steps add up to more than any cell can be off.

use super::grid::float;
use super::layout::Layout;

/// A rest up to this share of the unspent budget is left: small, so that the budget lasts for
/// thousands of steps.
const SPENT_AT_ONCE: f64 = 1.0 / 4096.0;

/// What is known of each tile.
#[derive(Debug, Clone)]
pub(super) struct Tiles {
    layout: Layout,
    /// Whether a tile is stepped once more after it came to rest, since the scheme looks at two
    /// levels of time.
    looks_back: bool,
    /// The largest change in the last step; below 0 if no bit changed.
    pub(super) moved: Vec<f64>,
    /// The same along each of its sides.
    pub(super) along: Vec<[f64; 4]>,
    /// Whether it moved in the step before.
    pub(super) moved_before: Vec<bool>,
    /// Whether it was left although it would move.
    pub(super) owes: Vec<bool>,
    /// At most what a step would change, while it is left; infinite after a cell was set.
    pub(super) rest: Vec<f64>,
    /// Tiles of which any of this is so.
    live: Vec<u32>,
    is_live: Vec<bool>,
    /// How many tiles, with those beside them, a cell that is set moved of late.
    pub(super) spread: f64,
    /// Tiles that were poked in this step.
    n_poked: usize,
    /// At most how far any cell is off by what was left.
    pub(super) off: f64,
    /// What is to be done in this step, in the order of tiles; others stay.
    pub(super) todo: Vec<(u32, Fate)>,
}

/// What is done with a tile in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is stepped.
    Step,
    /// It stays as it is.
    Stay,
}

/// How a step is to be done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Whether all tiles are stepped.
    pub(super) is_pass: bool,
    /// How far cells may be off by what is left.
    pub(super) budget: f64,
    /// What rounding adds to a change.
    pub(super) rounding: f64,
}

/// Where a neighbour lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    West,
    East,
    North,
    South,
}

/// All sides.
const SIDES: [Side; 4] = [Side::West, Side::East, Side::North, Side::South];

impl Side {
    /// Where the tile lies, seen from its neighbour.
    fn opposite(self) -> Self {
        match self {
            Self::West => Self::East,
            Self::East => Self::West,
            Self::North => Self::South,
            Self::South => Self::North,
        }
    }
}

/// What a tile did in a step: its largest change, and that along each of its sides; below 0 where
/// no bit changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct News {
    pub(super) most: f64,
    pub(super) along: [f64; 4],
}

impl News {
    /// The tile was left as it is.
    pub(super) const NONE: Self = Self { most: UNMOVED, along: [UNMOVED; 4] };
}

/// That no bit changed.
pub(super) const UNMOVED: f64 = -1.0;

impl Tiles {
    pub(super) fn new(layout: Layout, looks_back: bool) -> Self {
        let n_tiles = layout.n_tiles();
        Self {
            layout,
            looks_back,
            moved: vec![UNMOVED; n_tiles],
            along: vec![[UNMOVED; 4]; n_tiles],
            moved_before: vec![false; n_tiles],
            owes: vec![false; n_tiles],
            rest: vec![0.0; n_tiles],
            live: Vec::new(),
            is_live: vec![false; n_tiles],
            spread: 1.0 / 64.0,
            n_poked: 0,
            off: 0.0,
            todo: Vec::new(),
        }
    }

    /// How many tiles there are.
    pub(super) fn len(&self) -> usize {
        self.moved.len()
    }

    /// About how many tiles a step steps.
    pub(super) fn n_live(&self) -> usize {
        self.live.len()
    }

    /// A cell was set, and changed by this.
    pub(super) fn poke(&mut self, tile: usize, change: f64) {
        self.moved[tile] = self.moved[tile].max(change);
        self.along[tile] = self.along[tile].map(|most| most.max(change));
        self.moved_before[tile] = true;
        if !self.rest[tile].is_infinite() {
            self.n_poked += 1;
        }
        // No step before bounds what the next one changes.
        self.rest[tile] = f64::INFINITY;
        self.mark_live(tile);
    }

    /// So many cells were set.
    pub(super) fn learn_spread(&mut self, n_cells: usize) {
        let n_poked = std::mem::take(&mut self.n_poked);
        if n_cells > 0 {
            // Those beside them are as many again, and more where they are few.
            let spread = (2.0 * float(n_poked) + 4.0) / float(n_cells);
            self.spread += (spread - self.spread) / 4.0;
        }
    }

    /// The list of live tiles is that of what is known of them.
    pub(super) fn find_live(&mut self) {
        self.live.clear();
        self.is_live.fill(false);
        for tile in 0..self.len() {
            if self.moved[tile] >= 0.0 || self.moved_before[tile] || self.owes[tile] {
                self.mark_live(tile);
            }
        }
    }

    fn mark_live(&mut self, tile: usize) {
        if !std::mem::replace(&mut self.is_live[tile], true) {
            self.live.push(u32::try_from(tile).expect("tiles have 32 bits"));
        }
    }

    /// The tiles beside, above and below, and where they lie.
    fn beside(&self, tile: usize) -> impl Iterator<Item = (Side, usize)> + use<> {
        let Layout { n_across, n_down, .. } = self.layout;
        let (x, y) = (tile % n_across, tile / n_across);
        SIDES.into_iter().filter_map(move |side| {
            let other = match side {
                Side::West => (x > 0).then(|| tile - 1),
                Side::East => (x + 1 < n_across).then(|| tile + 1),
                Side::North => (y > 0).then(|| tile - n_across),
                Side::South => (y + 1 < n_down).then(|| tile + n_across),
            };
            Some((side, other?))
        })
    }

    /// Decides what is done with each tile.
    pub(super) fn decide(&mut self, plan: Plan) {
        let mut is_asked = vec![plan.is_pass; self.len()];
        for tile in &self.live {
            let tile = *tile as usize;
            is_asked[tile] = true;
            for (side, other) in self.beside(tile) {
                is_asked[other] |= self.along[tile][side as usize] >= 0.0;
            }
        }
        let allowed = (SPENT_AT_ONCE * (plan.budget - self.off)).max(0.0);
        let mut left = 0.0_f64;
        self.todo.clear();
        for tile in (0..is_asked.len()).filter(|tile| is_asked[*tile]) {
            let rest = self.rest_of(tile, plan.rounding);
            let fate = if plan.is_pass || plan.budget <= 0.0 || rest > allowed {
                Fate::Step
            } else {
                Fate::Stay
            };
            if fate != Fate::Step {
                left = left.max(rest);
            }
            self.todo.push((u32::try_from(tile).expect("tiles have 32 bits"), fate));
        }
        self.off += left;
    }

    /// At most what a step would change in the tile.
    fn rest_of(&self, tile: usize, rounding: f64) -> f64 {
        let (mut most, mut is_set) = (0.0_f64, self.rest[tile].is_infinite());
        for (side, other) in self.beside(tile) {
            most = most.max(self.along[other][side.opposite() as usize]);
            is_set |= self.rest[other].is_infinite();
        }
        if is_set {
            return f64::INFINITY;
        }
        let rest =
            if self.owes[tile] { self.rest[tile] + most / 2.0 } else { self.moved[tile].max(most) };
        rest * (1.0 + 1e-9) + rounding
    }

    /// A step has ended; what the tiles did stands in `news`, in the order of what was to be done.
    pub(super) fn end_step(&mut self, news: &[News], rounding: f64) {
        let todo = std::mem::take(&mut self.todo);
        // Rests are those before the step, so all are computed before any is changed.
        let rests: Vec<f64> = todo
            .iter()
            .map(|(tile, fate)| match fate {
                Fate::Step => 0.0,
                Fate::Stay => self.rest_of(*tile as usize, rounding),
            })
            .collect();
        for tile in std::mem::take(&mut self.live) {
            self.is_live[tile as usize] = false;
        }
        for (((tile, fate), rest), news) in todo.iter().zip(rests).zip(news) {
            let tile = *tile as usize;
            self.moved_before[tile] = self.looks_back && self.moved[tile] >= 0.0;
            (self.moved[tile], self.along[tile]) = (news.most, news.along);
            self.owes[tile] = *fate != Fate::Step;
            self.rest[tile] = rest;
            if news.most >= 0.0 || self.moved_before[tile] || self.owes[tile] {
                self.mark_live(tile);
            }
        }
        self.todo = todo;
    }
}
