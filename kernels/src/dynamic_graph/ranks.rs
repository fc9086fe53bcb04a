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

use std::hint::select_unpredictable;

use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};
use crate::threads::share;

use super::dirty::Dirty;
use super::edges::{Edges, Flip};
use super::meter::{Meter, SLICE, float};
use super::rounds::{Rounds, slot_work, sweep_work};
use super::rows::PageRank;
use super::starts::Starts;

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

/// What a sweep has come to so far.
#[derive(Debug, Clone, Copy, Default)]
struct Swept {
    /// By how much it moved `z`, in the 1-norm, of each vertex the part that it hands backward.
    moved: f64,
    /// What rounding commits, in units of roundoff.
    drift: f64,
    sum: f64,
}

impl Swept {
    fn add(&mut self, other: &Self) {
        self.moved += other.moved;
        self.drift += other.drift;
        self.sum += other.sum;
    }
}

/// What a part of a round has come to: what its vertices hand on from then on, and the work.
#[derive(Debug)]
struct Part {
    shares: Vec<f64>,
    swept: Swept,
    work: u64,
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

    fn recount(&mut self, from: usize, flips: &[Flip], meter: &mut Meter) -> Stage {
        let to = flips.len().min(from + SLICE);
        for flip in &flips[from..to] {
            self.count_flip(*flip);
        }
        meter.spend(2 * (to - from));
        if to < flips.len() { Stage::Recount(to) } else { Stage::Renew { at: 0, is_counted: true } }
    }

    /// Counts an edge that does not lead to a later round, or no longer.
    fn count_flip(&mut self, flip: Flip) {
        match flip {
            Flip::EdgeCame(edge) if edge.dst < self.rounds.end(edge.src) => {
                self.backward[edge.src as usize] += 1;
            }
            Flip::EdgeWent(edge) if edge.dst < self.rounds.end(edge.src) => {
                self.backward[edge.src as usize] -= 1;
            }
            Flip::EdgeCame(_) | Flip::EdgeWent(_) | Flip::RootCame(_) | Flip::RootWent(_) => {}
        }
    }

    /// Vertices come and go, and hand on what they have over the edges that they have now. What
    /// residual that leaves is not known, and a sweep follows.
    fn renew_shares(&mut self, from: usize, edges: &Edges, meter: &mut Meter) -> usize {
        let mut at = from;
        while at < self.values.len() && !meter.is_out() {
            let slot = slot_at(at);
            let was_there = std::mem::replace(&mut self.is_there[at], edges.is_named(slot));
            self.values[at] = match (was_there, self.is_there[at]) {
                (true, true) => self.values[at],
                (false, true) => 1.0 - self.spec.damping,
                (_, false) => 0.0,
            };
            self.inverses[at] = inverse(edges.out.degree(slot));
            self.shares[at] = self.spec.damping * self.values[at] * self.inverses[at];
            meter.spend(4);
            at += 1;
        }
        at
    }

    fn count(&mut self, from: usize, edges: &Edges, meter: &mut Meter) -> Stage {
        if from == 0 {
            self.rounds = Rounds::of(edges);
            self.backward.fill(0);
        }
        let mut at = from;
        while at < self.values.len() && !meter.is_out() {
            self.rounds.count_into(slot_at(at), edges, &mut self.backward);
            meter.spend(1 + edges.into.degree(slot_at(at)));
            at += 1;
        }
        if at == self.values.len() { Stage::Gather } else { Stage::Count(at) }
    }

    fn come_in(
        &mut self,
        from: usize,
        flips: &[Flip],
        dirty: &mut Dirty,
        meter: &mut Meter,
    ) -> Stage {
        let to = flips.len().min(from + SLICE);
        meter.spend(4 * (to - from));
        for flip in &flips[from..to] {
            match *flip {
                Flip::EdgeCame(edge) => {
                    self.come(edge.src, dirty);
                    self.come(edge.dst, dirty);
                }
                Flip::RootCame(slot) => self.come(slot, dirty),
                Flip::EdgeWent(_) | Flip::RootWent(_) => {}
            }
        }
        if to == flips.len() { Stage::Follow(0) } else { Stage::Come(to) }
    }

    fn follow(
        &mut self,
        from: usize,
        (edges, flips): (&Edges, &[Flip]),
        dirty: &mut Dirty,
        meter: &mut Meter,
    ) -> Stage {
        let src = |flip: &Flip| match *flip {
            Flip::EdgeCame(edge) | Flip::EdgeWent(edge) => Some(edge.src),
            Flip::RootCame(_) | Flip::RootWent(_) => None,
        };
        let mut at = from;
        for group in flips[from..].chunk_by(|one, other| src(one) == src(other)) {
            if meter.is_out() {
                return Stage::Follow(at);
            }
            if let Some(slot) = src(&group[0]) {
                self.follow_edges_of(slot, group, edges, dirty);
            }
            meter.spend(16 + 2 * group.len());
            at += group.len();
        }
        Stage::Go(0)
    }

    fn go_out(
        &mut self,
        from: usize,
        (edges, flips): (&Edges, &[Flip]),
        dirty: &mut Dirty,
        meter: &mut Meter,
    ) -> usize {
        let to = flips.len().min(from + SLICE);
        meter.spend(4 * (to - from));
        for flip in &flips[from..to] {
            match *flip {
                Flip::EdgeWent(edge) => {
                    self.go(edge.src, edges, dirty);
                    self.go(edge.dst, edges, dirty);
                }
                Flip::RootWent(slot) => self.go(slot, edges, dirty),
                Flip::EdgeCame(_) | Flip::RootCame(_) => {}
            }
        }
        to
    }

    /// A vertex that was not there has what a walk brings that starts there. What others hand to it
    /// comes with their edges, so it has no residual yet.
    fn come(&mut self, slot: u32, dirty: &mut Dirty) {
        if !std::mem::replace(&mut self.is_there[slot as usize], true) {
            self.set_value(slot, 1.0 - self.spec.damping);
            dirty.mark(slot);
        }
    }

    /// A vertex that nothing names any more hands nothing on, and is none. The residual of the
    /// others is what it was.
    fn go(&mut self, slot: u32, edges: &Edges, dirty: &mut Dirty) {
        if self.is_there[slot as usize] && !edges.is_named(slot) {
            self.is_there[slot as usize] = false;
            self.set_value(slot, 0.0);
            self.shares[slot as usize] = 0.0;
            dirty.mark(slot);
        }
    }

    /// Edges of one vertex that came and went.
    fn follow_edges_of(&mut self, slot: u32, flips: &[Flip], edges: &Edges, dirty: &mut Dirty) {
        let n_came = flips.iter().filter(|flip| matches!(flip, Flip::EdgeCame(_))).count();
        let n_after = edges.out.degree(slot);
        let n_before = n_after + (flips.len() - n_came) - n_came;
        let (at, damping) = (slot as usize, self.spec.damping);
        let value = self.values[at];
        if n_before > 0 && n_after > 0 {
            // The share stays, and the value follows.
            let scaled = value * (float(n_after) / float(n_before));
            self.set_value(slot, scaled);
            self.add_residual((value - scaled).abs());
            self.add_residual(8.0 * ROUNDOFF * (value + scaled));
        } else {
            let n_edges = if n_after > 0 { n_after } else { n_before };
            self.shares[at] = damping * value / float(n_edges);
            self.add_residual(4.0 * ROUNDOFF * value);
        }
        self.add_residual(self.shares[at] * float(flips.len()));
        if n_after == 0 {
            self.shares[at] = 0.0;
        }
        self.inverses[at] = inverse(n_after);
        for flip in flips {
            self.count_flip(*flip);
        }
        dirty.mark(slot);
    }

    fn set_value(&mut self, slot: u32, value: f64) {
        let before = std::mem::replace(&mut self.values[slot as usize], value);
        self.sum += value - before;
        self.sum_drift += 2.0 * ROUNDOFF * (self.sum + value + before);
    }

    fn add_residual(&mut self, more: f64) {
        // Rounded up, so that many small ones are not lost.
        self.residual = (self.residual + more) * (1.0 + 2.0 * ROUNDOFF);
        self.refreshed.moved += more / self.spec.damping * (1.0 + 4.0 * ROUNDOFF);
    }

    /// Sweeps vertices in their order.
    fn sweep(&mut self, from: usize, dirty: &mut Dirty, meter: &mut Meter) -> Stage {
        dirty.is_all = true;
        if from == 0 {
            self.swept = Swept::default();
        }
        let mut at = from;
        while at < self.values.len() && !meter.is_out() {
            at = match self.rounds.parts(at).last().copied() {
                Some(end) => {
                    meter.spent += self.sweep_round(at);
                    end as usize
                }
                None => self.sweep_singly(at, meter),
            };
        }
        if at < self.values.len() {
            return Stage::Sweep(at);
        }
        let swept = self.swept;
        self.residual = self.left_by(&swept);
        (self.sum, self.sum_drift) = (swept.sum, ROUNDOFF * float(self.values.len()) * swept.sum);
        // What `refresh` had begun is done.
        (self.refreshed, self.refreshed_to) = (Swept::default(), 0);
        // More sweeps do not help against rounding; the report says what is left.
        let is_rounding = self.spec.damping * swept.moved <= ROUNDOFF * swept.drift;
        if is_rounding { Stage::Rest } else { self.sweep_or_rest() }
    }

    /// Sweeps the round that begins at a slot, of which threads share the parts; gives the work.
    fn sweep_round(&mut self, from: usize) -> u64 {
        let Self { rounds, values, shares, inverses, backward, is_there, starts, .. } = self;
        let (damping, ends) = (self.spec.damping, rounds.parts(from));
        let (mut at, mut rest) = (from, &mut values[from..]);
        let mut parts = Vec::with_capacity(ends.len());
        for end in ends {
            let n_here = *end as usize - at;
            parts.push((at, rest.split_off_mut(..n_here).expect("parts are of slots")));
            at = *end as usize;
        }
        let before = &shares[..];
        let swept = share(parts, |_, (from, values)| {
            let (mut swept, mut work) = (Swept::default(), 0);
            let slots = from..from + values.len();
            let mut after = before[slots.clone()].to_vec();
            let known = inverses[slots.clone()].iter().zip(&backward[slots.clone()]);
            let slots = values.iter_mut().zip(known.zip(&is_there[slots])).zip(&mut after);
            for (at, ((value, ((inverse, backward), is_there)), share)) in (from..).zip(slots) {
                let mut here = 1;
                if *is_there {
                    let (starts, inverse, backward) = (starts.row(at), *inverse, *backward);
                    let vertex = Vertex { starts, value: *value, inverse, backward };
                    *value = renewed((vertex, damping), before, &mut swept);
                    *share = damping * *value * inverse;
                    here = vertex.work();
                }
                work += here;
            }
            Part { shares: after, swept, work }
        });
        let (mut at, mut work) = (from, 0);
        for part in swept {
            shares[at..at + part.shares.len()].copy_from_slice(&part.shares);
            at += part.shares.len();
            work += part.work;
            self.swept.add(&part.swept);
        }
        work
    }

    /// Sweeps vertices one by one, as many as there is work for; gives up to which.
    fn sweep_singly(&mut self, from: usize, meter: &mut Meter) -> usize {
        let (mut at, mut swept) = (from, self.swept);
        let mut spent = *meter;
        let n = self.values.len();
        let shares = self.shares.as_mut_slice();
        let slots = self.values[at..].iter_mut().zip(&self.inverses[at..n]);
        let slots = slots.zip(&self.backward[at..n]).zip(&self.is_there[at..n]);
        for (((value, inverse), backward), is_there) in slots {
            if spent.is_out() {
                break;
            }
            let mut work = 1;
            if *is_there {
                let (starts, inverse, backward) = (self.starts.row(at), *inverse, *backward);
                let vertex = Vertex { starts, value: *value, inverse, backward };
                *value = renewed((vertex, self.spec.damping), shares, &mut swept);
                shares[at] = self.spec.damping * *value * inverse;
                work = vertex.work();
            }
            spent.spent += work;
            at += 1;
        }
        *meter = spent;
        self.swept = swept;
        at
    }

    /// At most the residual that a whole sweep left. What it added up itself is rounded, too.
    fn left_by(&self, swept: &Swept) -> f64 {
        let n_roundoff = 4.0 * ROUNDOFF * float(self.values.len() + 4);
        (self.spec.damping * swept.moved + ROUNDOFF * swept.drift) * (1.0 + n_roundoff)
    }

    /// Computes one value anew; gives the work.
    fn renew(&mut self, at: usize, swept: &mut Swept) -> u64 {
        if !self.is_there[at] {
            return 1;
        }
        let (inverse, backward) = (self.inverses[at], self.backward[at]);
        let (starts, value) = (self.starts.row(at), self.values[at]);
        let vertex = Vertex { starts, value, inverse, backward };
        let (damping, work) = (self.spec.damping, vertex.work());
        self.values[at] = renewed((vertex, damping), &self.shares, swept);
        self.shares[at] = damping * self.values[at] * inverse;
        work
    }

    /// Computes the values of about so many slots anew, round-robin; true when all were.
    pub(super) fn refresh(&mut self, n_slots: usize, edges: &Edges, meter: &mut Meter) -> bool {
        self.starts.follow(edges, &mut Meter { spent: 0, limit: u64::MAX });
        for _ in 0..n_slots.min(self.values.len()) {
            let at = self.refreshed_to;
            let mut one = Swept::default();
            let before = self.values[at];
            meter.spent += self.renew(at, &mut one);
            self.sum += self.values[at] - before;
            self.sum_drift += 4.0 * ROUNDOFF * self.sum;
            // A value that is computed anew takes its residual off and hands less on.
            self.residual = (self.residual + ROUNDOFF * one.drift) * (1.0 + 2.0 * ROUNDOFF);
            self.refreshed.moved += one.moved;
            self.refreshed.drift += one.drift;
            self.refreshed_to += 1;
            if self.refreshed_to == self.values.len() {
                let left = self.left_by(&self.refreshed);
                self.residual = self.residual.min(left);
                (self.refreshed, self.refreshed_to) = (Swept::default(), 0);
                return true;
            }
        }
        false
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

/// What is held of a vertex, and known of its edges.
#[derive(Debug, Clone, Copy)]
struct Vertex<'a> {
    starts: &'a [u32],
    value: f64,
    inverse: f64,
    backward: u32,
}

impl Vertex<'_> {
    fn work(self) -> u64 {
        slot_work(self.starts.len())
    }
}

/// The value anew, of what others hand on.
#[inline(always)]
#[expect(clippy::inline_always, reason = "in a sweep arrays are looked up once, not for each")]
fn renewed((vertex, damping): (Vertex<'_>, f64), shares: &[f64], swept: &mut Swept) -> f64 {
    let value = 1.0 - damping + handed(shares, vertex.starts);
    let moved = (value - vertex.value).abs();
    swept.sum += value;
    // The sum, the share that it hands on, and the difference that was taken.
    swept.drift += float(vertex.starts.len() + 8) * value;
    swept.moved += moved * (vertex.inverse * f64::from(vertex.backward));
    value
}

/// What the starts of edges hand on.
#[inline(always)]
#[expect(clippy::inline_always, reason = "see above")]
fn handed(shares: &[f64], starts: &[u32]) -> f64 {
    let share = |start: &u32| shares.get(*start as usize).copied().unwrap_or(0.0);
    // Four sums at a time, since an addition waits for the one before. Those that are left over
    // come first, and without a loop, of which it would not be foretold when it ends.
    let mut sums = [0.0; 4];
    let n_over = starts.len() % 4;
    if let Some(last) = starts.len().checked_sub(1) {
        for (at, sum) in sums.iter_mut().enumerate().take(3) {
            *sum = select_unpredictable(at < n_over, share(&starts[at.min(last)]), 0.0);
        }
    }
    let (fours, _) = starts[n_over..].as_chunks::<4>();
    for four in fours {
        for (sum, start) in sums.iter_mut().zip(four) {
            *sum += share(start);
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
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
