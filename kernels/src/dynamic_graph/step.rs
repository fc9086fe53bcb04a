//! One step: changes are taken, answers follow, and what is new is said.

use std::task::Poll;

use super::answers::Answers;
use super::bulk::Bulk;
use super::edges::{Edge, Flip, TAKEN_AT_ONCE};
use super::meter::{Meter, SLICE, float, words};
use super::ranks::HELD;
use super::rows::{Algorithm, EdgeColumns, GraphDelta, GraphRows, RootChange, gather};
use super::{DynamicGraph, GraphFound};
use crate::churn::Churn;
use crate::emit::Emit;
use crate::kernel::{DeltaError, Measured, Report, Step};
use crate::mode::Mode;

/// Work to take one change: its slots, its lists, its place in them.
pub(super) const TAKE_WORK: usize = 32;

/// A step under way.
#[derive(Debug)]
pub(super) struct Running {
    mode: Mode,
    emit: Emit,
    churn: Churn,
    edges: EdgeColumns,
    known: Vec<Edge>,
    roots: Vec<RootChange>,
    /// Changes of edges that are taken in bulk, by no flips.
    bulk: Option<Box<Bulk>>,
    flips: Vec<Flip>,
    stage: Stage,
    meter: Meter,
    /// Work before the answers followed.
    taken: u64,
    /// Dirty slots that were not said, under [`Emit::Pull`].
    kept: Vec<u32>,
    /// Vertices that went, some of which may have come back.
    gone: Vec<u32>,
    n_emitted: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// All changes of edges are taken.
    Bulk,
    /// Changes are taken, from this one on.
    Take(usize),
    /// Answers follow.
    Follow,
    /// Answers are said: from this dirty one on, or of all slots from this one on.
    Say(usize),
}

impl DynamicGraph {
    /// How much would change.
    pub(super) fn look(&self, delta: &GraphDelta) -> Result<(Churn, GraphFound), DeltaError> {
        let roots = delta.roots.added_up()?;
        roots.iter().try_for_each(|change| self.edges.check_root(change))?;
        let (mut added_up, mut known, mut bulk) = (None, Vec::new(), None);
        let n_edges = if self.edges.is_bulk(delta.edges.src.len()) {
            let joined = Bulk::new(&self.edges, &delta.edges)?;
            bulk.insert(Box::new(joined)).n_changed
        } else {
            added_up = delta.edges.added_up()?;
            let edges = added_up.as_ref().unwrap_or(&delta.edges);
            known = self.edges.check_edges(edges)?;
            edges.src.len()
        };
        Ok((self.churn(n_edges + roots.len()), GraphFound { roots, added_up, known, bulk }))
    }

    /// Changes of edges in the order in which they are taken one by one.
    fn ordered(&mut self, edges: EdgeColumns, known: Vec<Edge>) -> (EdgeColumns, Vec<Edge>) {
        let Answers::Ranks(ranks) = &mut self.answers else { return (edges, known) };
        if ranks.begin_taking(edges.src.len(), &self.edges) {
            return (edges, known);
        }
        // They follow the edges of a vertex together.
        let order = edges.order();
        let known = if known.is_empty() { known } else { gather(&known, &order) };
        (edges.ordered(&order), known)
    }

    /// Begins a step.
    pub(super) fn start(&mut self, step: Step<Measured<Self>>) {
        assert!(self.step.is_none(), "the step before has ended");
        assert!(step.mode != Mode::Rr, "a graph has no `rr`");
        let (delta, churn, found) = step.delta.known(&self.version, |delta| self.look(delta));
        self.version.end();
        let GraphFound { roots, added_up, known, bulk } = found;
        let is_joined = bulk.is_some();
        let bulk = bulk.filter(|_| step.mode == Mode::Pass);
        let (edges, known, stage) = if bulk.is_some() {
            (EdgeColumns::default(), Vec::new(), Stage::Bulk)
        } else {
            let added_up = if is_joined {
                delta.edges.added_up().expect("the change was measured")
            } else {
                added_up
            };
            let (edges, known) = self.ordered(added_up.unwrap_or(delta.edges), known);
            (edges, known, Stage::Take(0))
        };
        self.step = Some(Running {
            mode: step.mode,
            emit: step.emit,
            churn,
            edges,
            known,
            roots,
            bulk,
            flips: Vec::new(),
            stage,
            meter: Meter::default(),
            taken: 0,
            kept: Vec::new(),
            gone: Vec::new(),
            n_emitted: 0,
        });
    }

    /// Goes on with it, for about so much work.
    pub(super) fn go_on(&mut self, work: u64, output: &mut GraphRows) -> Poll<Report> {
        let mut step = self.step.take().expect("a step is under way");
        step.meter.limit = step.meter.spent.saturating_add(work.max(1));
        while !step.meter.is_out() {
            let is_done = match step.stage {
                Stage::Bulk => self.take_bulk(&mut step),
                Stage::Take(at) => self.take(at, &mut step),
                Stage::Follow => self.follow(&mut step),
                Stage::Say(at) if step.emit == Emit::Pull && step.bulk.is_none() => {
                    self.let_go(at, &mut step)
                }
                Stage::Say(at) => self.say(at, &mut step, output),
            };
            if is_done {
                self.version.end();
                return Poll::Ready(self.report(&step));
            }
        }
        self.step = Some(step);
        Poll::Pending
    }

    /// Takes changes of edges in bulk.
    fn take_bulk(&mut self, step: &mut Running) -> bool {
        let bulk = step.bulk.as_mut().expect("changes are taken in bulk");
        if bulk.advance(&mut self.edges, &mut step.meter) {
            self.grow();
            step.stage = Stage::Take(0);
        }
        false
    }

    /// Takes some changes.
    fn take(&mut self, from: usize, step: &mut Running) -> bool {
        let (n_edges, n_flips) = (step.edges.src.len(), step.flips.len());
        let n_changes = n_edges + step.roots.len();
        let to = if from < n_edges { n_edges } else { n_changes }.min(from + TAKEN_AT_ONCE);
        if from < n_edges {
            let changes = (&step.edges, &step.known[..]);
            self.edges.change_edges(changes, from..to, &mut step.flips);
        } else {
            let changes = step.roots[from - n_edges..to - n_edges].iter();
            step.flips.extend(changes.filter_map(|change| self.edges.change_root(change)));
        }
        self.grow();
        if let Answers::Ranks(ranks) = &mut self.answers {
            ranks.take_flips(&step.flips[n_flips..]);
        }
        for flip in &step.flips[n_flips..] {
            // What came is told by its answer; what went may have been the last of its vertex.
            // Its own lists are looked at first: they have just been.
            let slots = match *flip {
                Flip::EdgeWent(edge) => [
                    (self.edges.out.degree(edge.src) == 0).then_some(edge.src),
                    (self.edges.into.degree(edge.dst) == 0).then_some(edge.dst),
                ],
                Flip::RootWent(slot) => [Some(slot), None],
                Flip::EdgeCame(_) | Flip::RootCame(_) => [None; 2],
            };
            for slot in slots.into_iter().flatten() {
                if !self.edges.is_named(slot) {
                    self.dirty.mark(slot);
                    step.gone.push(slot);
                }
            }
        }
        step.meter.spend(TAKE_WORK * (to - from));
        step.stage = Stage::Take(to);
        if to == n_changes {
            self.dirty.is_all |= step.mode == Mode::Pass;
            match &mut self.answers {
                Answers::Ranks(ranks) if step.bulk.is_some() => ranks.begin_bulk(),
                answers => answers.begin(step.mode),
            }
            // The forest that a pass left to be built is not the flips' doing.
            step.taken = step.meter.spent;
            if let Answers::Components(components) = &self.answers {
                step.taken += components.n_waiting() as u64;
            }
            step.stage = Stage::Follow;
        }
        false
    }

    fn grow(&mut self) {
        let n_slots = self.edges.vertices.n_slots();
        self.said.grow(n_slots);
        self.dirty.grow(n_slots);
        self.answers.grow(n_slots);
    }

    fn follow(&mut self, step: &mut Running) -> bool {
        let changes = (&step.flips[..], step.mode == Mode::Pass);
        if self.answers.advance(&self.edges, changes, &mut self.dirty, &mut step.meter) {
            if step.mode == Mode::Itmd && !step.flips.is_empty() {
                let work =
                    words(step.meter.spent.saturating_sub(step.taken)) / float(step.flips.len());
                self.flip_work += (work - self.flip_work) / 8.0;
            }
            self.choose_slack(step.emit);
            step.stage = Stage::Say(0);
        }
        false
    }

    /// How far ranks may be off what was said from now on.
    fn choose_slack(&mut self, emit: Emit) {
        let Algorithm::PageRank(spec) = self.spec.algorithm else { return };
        let slack = match emit {
            Emit::Changed => spec.tolerance * (1.0 - HELD),
            Emit::Eps(eps) => eps,
            Emit::All => 0.0,
            Emit::Pull => return,
        };
        let Answers::Ranks(ranks) = &self.answers else { return };
        self.dirty.is_all |= slack < self.said.slack || self.said.is_scaled(ranks.sum());
        if self.dirty.is_all {
            self.said.sum = ranks.sum();
        }
        self.said.slack = slack;
    }

    /// Lets go of some vertices that went and of which nothing was said. Where nothing is put out
    /// that is all that is to be done: what is new stays so until it is said.
    fn let_go(&mut self, from: usize, step: &mut Running) -> bool {
        let to = step.gone.len().min(from + SLICE);
        for slot in &step.gone[from..to] {
            // It stays among the dirty ones, so that whoever comes in its place is one of them.
            let is_over = self.edges.vertices.is_held(*slot)
                && !self.edges.is_named(*slot)
                && !self.said.is_said(*slot);
            if is_over {
                self.edges.vertices.let_go(*slot);
            }
        }
        step.meter.spend(4 * (to - from));
        step.stage = Stage::Say(to);
        if self.dirty.is_all {
            // They are among all.
            self.dirty.slots.clear();
        }
        to == step.gone.len()
    }

    /// Says some of what is new, and lets go of vertices that are gone.
    fn say(&mut self, from: usize, step: &mut Running, output: &mut GraphRows) -> bool {
        let is_all = self.dirty.is_all;
        let n_slots = self.edges.vertices.n_slots();
        let n_dirty = if is_all { n_slots } else { self.dirty.slots.len() };
        let to = n_dirty.min(from + SLICE);
        // Most ranks are near what was said: they are found first, in one run over the arrays.
        let mut near = Vec::new();
        if let Answers::Ranks(ranks) = &self.answers
            && is_all
            && step.emit != Emit::Pull
        {
            // Half a roundoff off the quotient that is said, so not quite all of the slack.
            let slack = self.said.rank_slack() * (1.0 - 1e-9);
            let differences = ranks.differences(from..to, self.said.ranks());
            near.extend(differences.map(|off| 0.0 < slack && off <= slack));
        }
        for at in from..to {
            let slot = if is_all {
                u32::try_from(at).expect("slots have 32 bits")
            } else {
                self.dirty.slots[at]
            };
            if near.get(at - from) == Some(&true) {
                self.dirty.unmark(slot);
                continue;
            }
            if !self.edges.vertices.is_held(slot) {
                self.dirty.unmark(slot);
                continue;
            }
            let id = self.edges.vertices.id(slot);
            let is_kept =
                step.emit == Emit::Pull && (self.edges.is_named(slot) || self.said.is_said(slot));
            if is_kept {
                if !is_all {
                    step.kept.push(slot);
                }
                continue;
            }
            let answer = self.answers.of(slot, self.spec.algorithm);
            step.n_emitted += self.said.say((slot, id), answer, output);
            self.dirty.unmark(slot);
            if !self.edges.is_named(slot) {
                self.edges.vertices.let_go(slot);
            }
        }
        step.meter.spend(4 * (to - from));
        step.stage = Stage::Say(to);
        if to < n_dirty {
            return false;
        }
        if step.emit == Emit::Pull {
            // All stays all, until it is said.
            self.dirty.slots = std::mem::take(&mut step.kept);
        } else {
            self.dirty.slots.clear();
            self.dirty.is_all = false;
        }
        true
    }

    fn report(&self, step: &Running) -> Report {
        let unsaid = if step.emit == Emit::Pull { 0.0 } else { self.said.slack };
        Report {
            mode: step.mode,
            churn: step.churn,
            error_max: self.answers.error_max() + unsaid,
            n_emitted: step.n_emitted,
            work: step.meter.spent,
            reuse: None,
            is_refreshed: false,
        }
    }
}
