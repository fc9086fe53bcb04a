//! Page ranks by sweeps that are done only when the certificate asks for them.
//!
//! The walk's ranks are those of `z = (1 - a) + a P' z` divided by their sum, where a vertex
//! without edges hands nothing on: since starting anew and leaving such a vertex lead to the same
//! places, the lost share only scales. `z` does not know how many vertices there are, so a change
//! is local.
//!
//! Held are `z` and a bound of the residual `r = (1 - a) + a P' z - z` in the 1-norm. Then `|z -
//! z*|_1 <= |r|_1 / (1 - a)` whatever the graph (D. F. Gleich, *`PageRank` beyond the Web*, 2015,
//! section 5), and ranks, with `Z = |z|_1`, are off by at most `2 |r|_1 / ((1 - a) Z)` together.
//! When edges of `u` change, `z_u` is scaled by its degrees, so that each neighbour that stays gets
//! what it got: O(1) for an edge, and `r` grows by what moved. As long as the bound is within the
//! tolerance nothing else is done, which is most of the time when few edges change.
//!
//! When so many change that sweeps are sure to follow, `z` stays, and what all vertices hand on is
//! computed anew: that costs less than to follow each, and begins nearer to the end, since what a
//! vertex has does not hang on how many edges it has.
//!
//! Otherwise vertices are swept in their order, each from values that are new already (Gauss and
//! Seidel), but for those of its own round (see [`super::rounds`]), which threads share. A sweep
//! that moved `z` by `d` leaves a residual only along edges that do not lead to later rounds: of
//! each vertex their share of `a |d_v|`. `pass` is the same with at least one sweep.
//! (Pushing single residuals, largest first, was measured: with a tolerance of 1e-3 and single
//! edges it lost to waiting for a sweep, and everywhere else to the sweeps themselves.)
//!
//! Rounding is added to the bound: `(d + 4) u z_v` for a value that is summed of `d` shares (`u =
//! 2^-53`), and twice that of what a share rounds.

mod sweep;
mod follow;

use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};

use super::dirty::Dirty;
use super::edges::{Edges, Flip};
use super::meter::{Meter, float};
use super::rounds::{Rounds, sweep_work};
use super::rows::PageRank;
use super::starts::Starts;
use sweep::Swept;

/// `z`, and how far it may be off.
#[derive(Debug)]
pub(super) struct Ranks {
    spec: PageRank,
    /// `z`, 0 where no vertex is.
    values: Vec<f64>,
    /// What a vertex hands to each neighbour: `a z / degree`; 0 without edges.
    shares: Vec<f64>,
    is_there: Vec<bool>,
    /// One by how many edges a vertex has; 0 without any.
    inverses: Vec<f64>,
    /// How many edges of a vertex lead to its own round or one before.
    backward: Vec<u32>,
    rounds: Rounds,
    /// Where edges come from.
    starts: Starts,
    /// The sum of `z`, and a bound of what it is off.
    sum: f64,
    sum_drift: f64,
    /// At most the 1-norm of the residual.
    residual: f64,
    stage: Stage,
    /// All shares are renewed in this step, see [`Self::begin_taking`].
    is_renewed: bool,
    swept: Swept,
    /// The same of a sweep that `refresh` does in parts, and where it goes on.
    refreshed: Swept,
    refreshed_to: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No step is under way.
    Rest,
    /// Edges that flipped, from this one on, are counted where they do not lead to later rounds.
    Recount(usize),
    /// What each vertex hands on is computed anew, from this slot on; whether edges are counted.
    Renew { at: usize, is_counted: bool },
    /// Vertices that came with the flips from this one on.
    Come(usize),
    /// What flipped is followed, from this flip on.
    Follow(usize),
    /// Vertices that went with the flips from this one on.
    Go(usize),
    /// Rounds are made anew, and edges counted that do not lead to later ones, from this slot on.
    Count(usize),
    /// What sweeps read is brought up to date.
    Gather,
    /// Vertices are swept, from this slot on.
    Sweep(usize),
}

/// Changes from which on all shares may be renewed: some microseconds to follow.
const RENEWED_MIN: usize = 256;

/// The unit roundoff of `f64`.
const ROUNDOFF: f64 = f64::EPSILON / 2.0;

/// The share of the tolerance that is for what is held; the rest is for what is not said.
pub(super) const HELD: f64 = 0.85;

impl Ranks {
    pub(super) fn new(spec: PageRank) -> Self {
        Self {
            spec,
            values: Vec::new(),
            shares: Vec::new(),
            is_there: Vec::new(),
            inverses: Vec::new(),
            backward: Vec::new(),
            rounds: Rounds::default(),
            starts: Starts::default(),
            sum: 0.0,
            sum_drift: 0.0,
            residual: 0.0,
            stage: Stage::Rest,
            is_renewed: false,
            swept: Swept::default(),
            refreshed: Swept::default(),
            refreshed_to: 0,
        }
    }

    /// The rank of a vertex that is there.
    pub(super) fn answer(&self, slot: u32) -> Option<f64> {
        let at = slot as usize;
        self.is_there[at].then(|| self.values[at] / self.sum)
    }

    /// How far any rank may be off, and all of them together.
    pub(super) fn error_max(&self) -> f64 {
        let off = 2.0 * self.residual / (1.0 - self.spec.damping) + self.sum_drift;
        // The last ones are the rounding of this bound and of the division.
        if self.sum > 0.0 { off / self.sum * (1.0 + 1e-9) + 4.0 * ROUNDOFF } else { 0.0 }
    }

    /// How far the ranks of these slots are from what was said of them, in turn; infinitely where
    /// no vertex is.
    pub(super) fn differences<'s>(
        &'s self,
        slots: std::ops::Range<usize>,
        said: &'s [f64],
    ) -> impl Iterator<Item = f64> + 's {
        let inverse = 1.0 / self.sum;
        slots.map(move |at| {
            let off = (self.values[at] * inverse - said[at]).abs();
            if self.is_there[at] { off } else { f64::INFINITY }
        })
    }

    /// `Z`, in whose measure residuals are.
    pub(super) fn sum(&self) -> f64 {
        self.sum
    }

    /// The residual with which work ends.
    fn goal(&self) -> f64 {
        HELD * self.spec.tolerance * (1.0 - self.spec.damping) * self.sum / 2.0 * (1.0 - 1e-6)
    }

    pub(super) fn grow(&mut self, n_slots: usize) {
        if self.values.len() < n_slots {
            self.values.resize(n_slots, 0.0);
            self.shares.resize(n_slots, 0.0);
            self.is_there.resize(n_slots, false);
            self.inverses.resize(n_slots, 0.0);
            self.backward.resize(n_slots, 0);
            self.starts.grow(n_slots);
        }
    }

    /// The edges did not come by flips.
    pub(super) fn count_edges(&mut self, edges: &Edges) {
        self.rounds = Rounds::of(edges);
        self.backward = self.rounds.backward(edges);
        self.inverses = inverses(edges);
        self.starts.forget();
    }

    /// So many changes will be taken. True where they are so many that it costs less to renew what
    /// all vertices hand on than to follow each edge, and sweeps are foreseen, which hang on no
    /// residual: then changes may come in any order.
    pub(super) fn begin_taking(&mut self, n_changes: usize, edges: &Edges) -> bool {
        let n_min = RENEWED_MIN.max(edges.vertices.n_slots() / 16);
        self.is_renewed = n_changes >= n_min && self.predict(edges, n_changes) > 0;
        if self.is_renewed && 16 * n_changes >= edges.len() {
            self.starts.forget();
        }
        self.is_renewed
    }

    /// Edges came and went in the rows that sweeps read.
    pub(super) fn take_flips(&mut self, flips: &[Flip]) {
        self.starts.take(flips);
    }

    /// `z` follows what flipped, and is swept as often as that asks for; in a pass once at least.
    pub(super) fn begin(&mut self) {
        let is_renewed = std::mem::take(&mut self.is_renewed);
        self.stage = if is_renewed { Stage::Recount(0) } else { Stage::Come(0) };
    }

    /// The same where edges changed in bulk.
    pub(super) fn begin_bulk(&mut self) {
        self.starts.forget();
        self.stage = Stage::Renew { at: 0, is_counted: false };
    }

    /// Goes on; true when the certificate is within its part of the tolerance.
    pub(super) fn advance(
        &mut self,
        edges: &Edges,
        (flips, is_pass): (&[Flip], bool),
        dirty: &mut Dirty,
        meter: &mut Meter,
    ) -> bool {
        while !meter.is_out() {
            self.stage = match self.stage {
                Stage::Rest => return true,
                Stage::Recount(at) => self.recount(at, flips, meter),
                Stage::Renew { at, is_counted } => {
                    let to = self.renew_shares(at, edges, meter);
                    if to < self.values.len() {
                        Stage::Renew { at: to, is_counted }
                    } else if is_counted && !self.rounds.are_stale(edges) {
                        Stage::Gather
                    } else {
                        Stage::Count(0)
                    }
                }
                Stage::Come(at) => self.come_in(at, flips, dirty, meter),
                Stage::Follow(at) => self.follow(at, (edges, flips), dirty, meter),
                Stage::Go(at) => {
                    let to = self.go_out(at, (edges, flips), dirty, meter);
                    if to < flips.len() {
                        Stage::Go(to)
                    } else if !is_pass && self.residual <= self.goal() {
                        Stage::Rest
                    } else if self.rounds.are_stale(edges) {
                        Stage::Count(0)
                    } else {
                        Stage::Gather
                    }
                }
                Stage::Count(at) => self.count(at, edges, meter),
                Stage::Gather => {
                    let is_done = self.starts.follow(edges, meter);
                    if is_done { Stage::Sweep(0) } else { Stage::Gather }
                }
                Stage::Sweep(at) => self.sweep(at, dirty, meter),
            };
        }
        self.stage == Stage::Rest
    }

    fn sweep_or_rest(&self) -> Stage {
        if self.residual <= self.goal() { Stage::Rest } else { Stage::Gather }
    }

    /// What the sweeps after a change of so many edges would cost; 0 if nothing is to be done.
    pub(super) fn predict(&self, edges: &Edges, n_changed: usize) -> u64 {
        let mean = self.sum / float(edges.len() + 1);
        let residual = self.residual + 2.0 * mean * float(n_changed);
        let goal = self.goal();
        if residual <= goal {
            return 0;
        }
        // A sweep takes about two halvings off; the count is far below 2^53.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
        let n_sweeps = ((residual / goal).log2() / 2.0).clamp(1.0, 1e3).ceil() as u64;
        sweep_work(edges) * n_sweeps
    }

    /// Bytes that it takes.
    pub(super) fn state_bytes(&self) -> usize {
        self.values.capacity() * 37 + self.starts.state_bytes() + self.rounds.state_bytes()
    }

    pub(super) fn save(&self, out: &mut SnapshotWriter<'_>) -> std::io::Result<()> {
        out.numbers("values", self.values.iter().copied())?;
        out.numbers("shares", self.shares.iter().copied())?;
        out.numbers("is_there", self.is_there.iter().map(|is_there| u8::from(*is_there)))?;
        let Swept { moved, drift, .. } = self.refreshed;
        out.numbers("sums", [self.sum, self.sum_drift, self.residual, moved, drift])?;
        out.number("refreshed", self.refreshed_to as u64)?;
        self.rounds.save(out)?;
        self.starts.save(out)
    }

    pub(super) fn load(
        spec: PageRank,
        input: &mut SnapshotReader<'_>,
        edges: &Edges,
    ) -> Result<Self, LoadError> {
        let n_slots = edges.vertices.n_slots();
        let values: Vec<f64> = input.array("values", n_slots)?;
        let shares: Vec<f64> = input.array("shares", n_slots)?;
        let is_there: Vec<u8> = input.array("is_there", n_slots)?;
        let sums: Vec<f64> = input.array("sums", 5)?;
        let to: u64 = input.number("refreshed")?;
        let to = usize::try_from(to).ok().filter(|to| *to < n_slots.max(1));
        let rounds = Rounds::load(input, n_slots)?;
        let starts = Starts::load(input, edges)?;
        Ok(Self {
            starts,
            values,
            shares,
            inverses: inverses(edges),
            backward: rounds.backward(edges),
            rounds,
            is_there: is_there.into_iter().map(|is_there| is_there != 0).collect(),
            sum: sums[0],
            sum_drift: sums[1],
            residual: sums[2],
            refreshed: Swept { moved: sums[3], drift: sums[4], sum: 0.0 },
            refreshed_to: to.ok_or(LoadError::Damaged { section: "refreshed" })?,
            ..Self::new(spec)
        })
    }
}

fn inverse(n_edges: usize) -> f64 {
    if n_edges > 0 { 1.0 / float(n_edges) } else { 0.0 }
}

fn inverses(edges: &Edges) -> Vec<f64> {
    let slots = 0..slot_at(edges.vertices.n_slots());
    slots.map(|slot| inverse(edges.out.degree(slot))).collect()
}

fn slot_at(at: usize) -> u32 {
    u32::try_from(at).expect("slots have 32 bits")
}
