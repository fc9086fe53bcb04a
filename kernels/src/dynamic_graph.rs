//! Answers about a graph whose edges come and go: what can be reached, shortest paths, components,
//! page ranks.
//!
//! Ids are any whole numbers; inside, vertices have slots. A change is added up for each edge, then
//! taken; what remains are edges that came or went, and each algorithm follows those (`itmd`) or
//! computes all anew (`pass`). There is no `rr`: answers about paths and components are exact, so
//! there is no rank to reduce, and ranks start from the last ones anyway.
//!
//! Whole answers are exact: their `error_max` is 0 in every mode, and both policies that put out
//! what changed put out the rows whose answers are others than were last said. Of ranks,
//! [`Emit::Changed`] puts out those that moved by more than a seventh of the tolerance since they
//! were last said; the rest is for what is held.
//!
//! Work of one call exceeds what it was given by at most one vertex's edges, one cut of a
//! component, or one round of a sweep.

mod rows;
mod vertices;
mod weights;
mod meter;
mod end;
mod blocks;
mod adjacency;
mod lists;
mod edges;
mod bulk;
mod queue;
mod dirty;
mod paths;
mod components;
mod starts;
mod rounds;
mod ranks;
mod said;

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
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};
use crate::version::Version;

pub use rows::{Algorithm, EdgeColumns, GraphDelta, GraphRows, GraphSpec, PageRank, RootColumns};

use bulk::Bulk;
use components::Components;
use dirty::Dirty;
use edges::{Edge, Edges, Flip, TAKEN_AT_ONCE};
use lists::Keep;
use meter::{Meter, SLICE, float, words};
use paths::{Lengths, Paths};
use ranks::{HELD, Ranks};
use rounds::sweep_work;
use rows::{RootChange, gather};
use said::{Answer, Said};

/// A graph, and one algorithm's answers about it.
#[derive(Debug)]
pub struct DynamicGraph {
    spec: GraphSpec,
    edges: Edges,
    answers: Answers,
    said: Said,
    dirty: Dirty,
    /// What a step of `itmd` has cost for each edge that came or went, of late; in work units.
    flip_work: f64,
    step: Option<Running>,
    version: Version,
}

#[derive(Debug)]
enum Answers {
    Paths(Paths),
    Components(Components),
    Ranks(Box<Ranks>),
}

/// What measuring finds of a change.
#[derive(Debug)]
pub struct GraphFound {
    roots: Vec<RootChange>,
    /// Changes of edges added up, where they are not as they stand.
    added_up: Option<EdgeColumns>,
    /// Of changes of edges those that were looked for, as [`Edges::check_edges`] gives them.
    known: Vec<Edge>,
    /// Changes of edges joined with all that are there, where they are about as many.
    bulk: Option<Box<Bulk>>,
}

/// A step under way.
#[derive(Debug)]
struct Running {
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

impl Kernel for DynamicGraph {
    type Spec = GraphSpec;
    type Delta = GraphDelta;
    type Found = GraphFound;
    type Keys = Vec<i64>;
    type Output = GraphRows;

    fn compile(spec: &GraphSpec) -> Result<Self, SpecError> {
        spec.check()?;
        Ok(Self {
            spec: *spec,
            edges: Edges::new(keep(spec.algorithm)),
            answers: Answers::new(spec.algorithm),
            said: Said::default(),
            dirty: Dirty::default(),
            flip_work: FLIP_WORK,
            step: None,
            version: Version::default(),
        })
    }

    fn measure(&self, delta: GraphDelta) -> Result<Measured<Self>, DeltaError> {
        let found = self.look(&delta)?;
        Ok(Measured::new(delta, found, &self.version))
    }

    fn predict(&self, mode: Mode, churn: &Churn, _emit: Emit) -> Option<Prediction> {
        let n_slots = self.edges.vertices.n_slots();
        let taking = match mode {
            // Measuring has done the rest.
            Mode::Pass if self.edges.is_bulk(churn.n_changed) => {
                churn.n_changed + 2 * self.edges.len() + 5 * n_slots
            }
            Mode::Pass | Mode::Itmd | Mode::Rr => TAKE_WORK * churn.n_changed,
        } as u64;
        let follow = match (mode, &self.answers) {
            (Mode::Rr, _) => return None,
            (Mode::Pass, Answers::Ranks(ranks)) => {
                let sweeps = ranks.predict(&self.edges, churn.n_changed);
                sweeps.max(sweep_work(&self.edges))
            }
            (Mode::Pass, Answers::Paths(_) | Answers::Components(_)) => {
                (8 * n_slots + 3 * self.edges.len()) as u64
            }
            (Mode::Itmd, Answers::Ranks(ranks)) => ranks.predict(&self.edges, churn.n_changed),
            (Mode::Itmd, Answers::Components(components)) => {
                components.n_waiting() as u64 + scaled(self.flip_work, churn.n_changed)
            }
            (Mode::Itmd, Answers::Paths(_)) => scaled(self.flip_work, churn.n_changed),
        };
        let error_max = match self.spec.algorithm {
            Algorithm::PageRank(spec) => spec.tolerance,
            Algorithm::Reachability | Algorithm::ShortestPaths | Algorithm::Components => 0.0,
        };
        Some(Prediction { work: taking + follow, error_max })
    }

    fn begin(&mut self, step: Step<Measured<Self>>) {
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

    fn advance(&mut self, work: u64, output: &mut GraphRows) -> Poll<Report> {
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

    fn read(&mut self, keys: &Vec<i64>, output: &mut GraphRows) -> f64 {
        for id in keys {
            let slot = self.edges.vertices.slot(*id);
            match slot.and_then(|slot| self.answers.of(slot, self.spec.algorithm)) {
                Some(answer) => answer.put(*id, output),
                None => output.gone.push(*id),
            }
        }
        self.answers.error_max()
    }

    fn keys(&self) -> Vec<i64> {
        let slots = self.slots().filter(|slot| self.edges.vertices.is_held(*slot));
        let answered = slots.filter(|slot| self.answers.of(*slot, self.spec.algorithm).is_some());
        answered.map(|slot| self.edges.vertices.id(slot)).collect()
    }

    fn certify(&self, sample: Sample) -> Probe {
        let slots: Vec<u32> =
            self.slots().filter(|slot| self.edges.vertices.is_held(*slot)).collect();
        let error_max = self.answers.error_max();
        let n_rows = sample.n_rows.min(slots.len());
        if n_rows == 0 {
            return Probe { n_rows, error: 0.0, error_max };
        }
        let fresh = self.anew();
        let error_max = error_max + fresh.error_max();
        let (mut error, mut at) = (0.0_f64, start_of(sample.seed, slots.len()));
        for _ in 0..n_rows {
            let slot = slots[at];
            let of = |answers: &Answers| answers.of(slot, self.spec.algorithm);
            error = error.max(difference(of(&self.answers), of(&fresh)));
            at = (at + slots.len() / n_rows) % slots.len();
        }
        Probe { n_rows, error, error_max }
    }

    fn refresh(&mut self, share: f64) -> Report {
        let mut meter = Meter { spent: 0, limit: u64::MAX };
        // A share of the slots, which have 32 bits.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
        let n_slots =
            (share.clamp(0.0, 1.0) * float(self.edges.vertices.n_slots())).ceil() as usize;
        let is_refreshed = match &mut self.answers {
            Answers::Ranks(ranks) => ranks.refresh(n_slots, &self.edges, &mut meter),
            // Whole numbers do not drift.
            Answers::Paths(_) | Answers::Components(_) => false,
        };
        Report {
            mode: Mode::Pass,
            churn: self.churn(0),
            error_max: self.answers.error_max() + self.said.slack,
            n_emitted: 0,
            work: meter.spent,
            reuse: None,
            is_refreshed,
        }
    }

    fn state_bytes(&self) -> usize {
        let answers = match &self.answers {
            Answers::Paths(paths) => paths.state_bytes(),
            Answers::Components(components) => components.state_bytes(),
            Answers::Ranks(ranks) => ranks.state_bytes(),
        };
        self.edges.state_bytes() + answers + self.said.state_bytes()
    }

    fn save(&self, out: &mut dyn io::Write) -> io::Result<()> {
        assert!(self.step.is_none(), "no step is under way");
        let mut out = SnapshotWriter::new(out, NAME)?;
        let (algorithm, spec) = match self.spec.algorithm {
            Algorithm::Reachability => (0_u8, PageRank { damping: 0.0, tolerance: 0.0 }),
            Algorithm::ShortestPaths => (1, PageRank { damping: 0.0, tolerance: 0.0 }),
            Algorithm::Components => (2, PageRank { damping: 0.0, tolerance: 0.0 }),
            Algorithm::PageRank(spec) => (3, spec),
        };
        out.number("algorithm", algorithm)?;
        out.numbers("arguments", [spec.damping, spec.tolerance, self.flip_work])?;
        self.edges.save(&mut out)?;
        match &self.answers {
            Answers::Paths(paths) => paths.save(&mut out)?,
            Answers::Components(components) => components.save(&mut out)?,
            Answers::Ranks(ranks) => ranks.save(&mut out)?,
        }
        self.said.save(&mut out)?;
        out.number("is_all_dirty", u8::from(self.dirty.is_all))?;
        out.numbers("dirty", self.dirty.slots.iter().copied())
    }

    fn load(input: &mut dyn io::Read) -> Result<Self, LoadError> {
        let mut input = SnapshotReader::new(input, NAME)?;
        let number: u8 = input.number("algorithm")?;
        let arguments: Vec<f64> = input.array("arguments", 3)?;
        let algorithm = match number {
            0 => Algorithm::Reachability,
            1 => Algorithm::ShortestPaths,
            2 => Algorithm::Components,
            3 => Algorithm::PageRank(PageRank { damping: arguments[0], tolerance: arguments[1] }),
            _ => return Err(LoadError::Damaged { section: "algorithm" }),
        };
        let spec = GraphSpec { algorithm };
        spec.check().map_err(|_| LoadError::Damaged { section: "arguments" })?;
        let edges = Edges::load(keep(algorithm), &mut input)?;
        let n_slots = edges.vertices.n_slots();
        let answers = match algorithm {
            Algorithm::Reachability => {
                Answers::Paths(Paths::load(Lengths::Hops, &mut input, n_slots)?)
            }
            Algorithm::ShortestPaths => {
                Answers::Paths(Paths::load(Lengths::Weights, &mut input, n_slots)?)
            }
            Algorithm::Components => Answers::Components(Components::load(&mut input, n_slots)?),
            Algorithm::PageRank(spec) => {
                Answers::Ranks(Box::new(Ranks::load(spec, &mut input, &edges)?))
            }
        };
        let said = Said::load(&mut input, n_slots)?;
        let is_all: u8 = input.number("is_all_dirty")?;
        let slots: Vec<u32> = input.numbers("dirty")?;
        let mut dirty = Dirty::default();
        dirty.grow(n_slots);
        if slots.iter().any(|slot| *slot as usize >= n_slots) {
            return Err(LoadError::Damaged { section: "dirty" });
        }
        for slot in slots {
            dirty.mark(slot);
        }
        dirty.is_all = is_all != 0;
        Ok(Self {
            spec,
            edges,
            answers,
            said,
            dirty,
            flip_work: arguments[2],
            step: None,
            version: Version::default(),
        })
    }
}

/// What a snapshot is of.
const NAME: &str = "dynamic_graph.5";

/// Work to take one change: its slots, its lists, its place in them.
const TAKE_WORK: usize = 32;

/// Work of `itmd` for an edge before there is experience.
const FLIP_WORK: f64 = 64.0;

impl DynamicGraph {
    /// How much would change.
    fn look(&self, delta: &GraphDelta) -> Result<(Churn, GraphFound), DeltaError> {
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

    fn slots(&self) -> impl Iterator<Item = u32> + use<> {
        0..u32::try_from(self.edges.vertices.n_slots()).expect("slots have 32 bits")
    }

    fn churn(&self, n_changed: usize) -> Churn {
        let n_total = (self.edges.len() + self.edges.n_roots()).max(n_changed);
        Churn { n_changed, n_total, delta_max: 0.0 }
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
        let (edges, flips, dirty) = (&self.edges, &step.flips[..], &mut self.dirty);
        let is_done = match &mut self.answers {
            Answers::Paths(paths) => paths.advance(edges, flips, dirty, &mut step.meter),
            Answers::Components(components) => {
                components.advance(edges, flips, dirty, &mut step.meter)
            }
            Answers::Ranks(ranks) => {
                let is_pass = step.mode == Mode::Pass;
                ranks.advance(edges, (flips, is_pass), dirty, &mut step.meter)
            }
        };
        if is_done {
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

    /// The answers computed from the edges alone; ranks to the least tolerance.
    fn anew(&self) -> Answers {
        let mut algorithm = self.spec.algorithm;
        if let Algorithm::PageRank(spec) = &mut algorithm {
            spec.tolerance = 1e-10;
        }
        let mut answers = Answers::new(algorithm);
        answers.grow(self.edges.vertices.n_slots());
        if let Answers::Ranks(ranks) = &mut answers {
            ranks.count_edges(&self.edges);
        }
        let mut dirty = Dirty::default();
        dirty.is_all = true;
        dirty.grow(self.edges.vertices.n_slots());
        let mut meter = Meter { spent: 0, limit: u64::MAX };
        let named = self.slots().filter(|slot| self.edges.is_named(*slot));
        let flips: Vec<Flip> = named.map(Flip::RootCame).collect();
        answers.begin(Mode::Pass);
        let is_done = match &mut answers {
            Answers::Paths(paths) => paths.advance(&self.edges, &[], &mut dirty, &mut meter),
            Answers::Components(components) => {
                components.advance(&self.edges, &[], &mut dirty, &mut meter)
            }
            Answers::Ranks(ranks) => {
                // What a vertex hands on is first known when it has been swept, so the first sweep
                // does not know what it leaves behind.
                ranks.advance(&self.edges, (&flips, true), &mut dirty, &mut meter);
                ranks.begin();
                ranks.advance(&self.edges, (&[], true), &mut dirty, &mut meter)
            }
        };
        assert!(is_done, "there is no limit to the work");
        answers
    }
}

/// Sums over what hands ranks on need no list of whom it is handed to.
fn keep(algorithm: Algorithm) -> Keep {
    match algorithm {
        Algorithm::PageRank(_) => Keep::Degrees,
        Algorithm::Reachability | Algorithm::ShortestPaths | Algorithm::Components => Keep::Ends,
    }
}

impl Answers {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Reachability => Self::Paths(Paths::new(Lengths::Hops)),
            Algorithm::ShortestPaths => Self::Paths(Paths::new(Lengths::Weights)),
            Algorithm::Components => Self::Components(Components::default()),
            Algorithm::PageRank(spec) => Self::Ranks(Box::new(Ranks::new(spec))),
        }
    }

    fn grow(&mut self, n_slots: usize) {
        match self {
            Self::Paths(paths) => paths.grow(n_slots),
            Self::Components(components) => components.grow(n_slots),
            Self::Ranks(ranks) => ranks.grow(n_slots),
        }
    }

    fn begin(&mut self, mode: Mode) {
        match (self, mode) {
            (Self::Paths(paths), Mode::Pass) => paths.begin_pass(),
            (Self::Paths(paths), _) => paths.begin_itmd(),
            (Self::Components(components), Mode::Pass) => components.begin_pass(),
            (Self::Components(components), _) => components.begin_itmd(),
            (Self::Ranks(ranks), _) => ranks.begin(),
        }
    }

    fn of(&self, slot: u32, algorithm: Algorithm) -> Option<Answer> {
        match self {
            Self::Paths(paths) if algorithm == Algorithm::Reachability => {
                paths.answer(slot).map(|_| Answer::Reached)
            }
            Self::Paths(paths) => paths.answer(slot).map(Answer::Number),
            Self::Components(components) => components.answer(slot).map(Answer::Number),
            Self::Ranks(ranks) => ranks.answer(slot).map(Answer::Rank),
        }
    }

    fn error_max(&self) -> f64 {
        match self {
            Self::Ranks(ranks) => ranks.error_max(),
            Self::Paths(_) | Self::Components(_) => 0.0,
        }
    }
}

/// How far two answers are apart; infinitely if only one is there.
fn difference(one: Option<Answer>, other: Option<Answer>) -> f64 {
    match (one, other) {
        (Some(Answer::Number(one)), Some(Answer::Number(other))) => words(one.abs_diff(other)),
        (Some(Answer::Rank(one)), Some(Answer::Rank(other))) => (one - other).abs(),
        (one, other) if one == other => 0.0,
        _ => f64::INFINITY,
    }
}

fn scaled(work: f64, n_changed: usize) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let work = (work * float(n_changed)) as u64;
    work
}

/// Where a sample starts among so many slots.
fn start_of(seed: u64, n_slots: usize) -> usize {
    usize::try_from(seed % n_slots as u64).expect("less than a count of slots")
}
