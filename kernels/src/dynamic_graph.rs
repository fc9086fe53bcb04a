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
mod answers;
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
use crate::snapshot::LoadError;
use crate::version::Version;

pub use rows::{Algorithm, EdgeColumns, GraphDelta, GraphRows, GraphSpec, PageRank, RootColumns};

use answers::{Answers, difference, keep};
use bulk::Bulk;
use dirty::Dirty;
use edges::{Edge, Edges, Flip};
use meter::{Meter, float};
use rounds::sweep_work;
use rows::RootChange;
use said::Said;
use step::{Running, TAKE_WORK};

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
        self.start(step);
    }

    fn advance(&mut self, work: u64, output: &mut GraphRows) -> Poll<Report> {
        self.go_on(work, output)
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
        self.edges.state_bytes() + self.answers.state_bytes() + self.said.state_bytes()
    }

    fn save(&self, out: &mut dyn io::Write) -> io::Result<()> {
        assert!(self.step.is_none(), "no step is under way");
        self.write(out)
    }

    fn load(input: &mut dyn io::Read) -> Result<Self, LoadError> {
        Self::read_from(input)
    }
}

/// Work of `itmd` for an edge before there is experience.
const FLIP_WORK: f64 = 64.0;

impl DynamicGraph {
    fn slots(&self) -> impl Iterator<Item = u32> + use<> {
        0..u32::try_from(self.edges.vertices.n_slots()).expect("slots have 32 bits")
    }

    fn churn(&self, n_changed: usize) -> Churn {
        let n_total = (self.edges.len() + self.edges.n_roots()).max(n_changed);
        Churn { n_changed, n_total, delta_max: 0.0 }
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
        let mut advance = |answers: &mut Answers, flips: &[Flip]| {
            answers.advance(&self.edges, (flips, true), &mut dirty, &mut meter)
        };
        // What a vertex hands on is first known when it has been swept, so the first sweep does not
        // know what it leaves behind.
        let is_done = match &answers {
            Answers::Ranks(_) => {
                advance(&mut answers, &flips);
                answers.begin(Mode::Pass);
                advance(&mut answers, &[])
            }
            Answers::Paths(_) | Answers::Components(_) => advance(&mut answers, &[]),
        };
        assert!(is_done, "there is no limit to the work");
        answers
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
