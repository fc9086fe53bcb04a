//! Kernel ridge regression over landmarks, kept up to date while data and queries come, change and
//! go.
//!
//! With `C` the likeness of data points to landmarks and `W` that of landmarks to each other, what
//! is said of a query is `k^T (C^T C + lambda (W + mu I))^-1 C^T y`, where `k` is its likeness to
//! the landmarks: the Nystrom approximation of kernel ridge regression (Rudi, Camoriano and
//! Rosasco, *Less is More*, equation 10), with `mu = 2^-20` so that landmarks that say the same do
//! no harm.
//!
//! A data row that comes or goes is one term of `C^T C` and of `C^T y`. A landmark that changes is
//! a column of `C`. There is no reduced basis to reuse: the landmarks are it already.
//!
//! The error bounds are against exact arithmetic of this formula. How far it is from regression
//! over all points is what landmarks cost, and not measured here.

mod spec;
mod double;
mod landmarks;
mod system;
mod certificate;
mod delta;
mod step;
mod save;

use std::io;
use std::task::Poll;

use crate::churn::Churn;
use crate::emit::Emit;
use crate::kernel::{
    DeltaError, Kernel, Measured, Prediction, Probe, Report, Sample, SpecError, Step,
};
use crate::keyed::Table;
use crate::mode::Mode;
use crate::outcome::Outcome;
use crate::said::Said;
use crate::snapshot::LoadError;
use crate::version::Version;
use certificate::Certificate;
use landmarks::Landmarks;
use spec::as_float;
use step::Running;
use system::System;

pub use delta::{DataRows, NystromDelta, NystromRows, PointRows};
pub use spec::{NystromSpec, Similarity};

/// The state of kernel regression.
///
/// Memory: data and queries as they are, the likeness of each data point to each landmark, and two
/// matrices over the landmarks, all in `f64`.
#[derive(Debug, Clone)]
pub struct Nystrom {
    spec: NystromSpec,
    data: Table<f64>,
    queries: Table<f64>,
    landmarks: Landmarks,
    /// `C` by the slots of data, `[n_slots, n_landmarks]`.
    likeness: Vec<f64>,
    system: System,
    /// What the sum of `|y|` is about, to know what computing anew would help.
    value_sum: f64,
    /// The bound of `A` when it was last computed anew.
    fresh_error_a: f64,
    /// Data rows that came or went since then.
    n_events: u64,
    said: Option<Said<f64>>,
    error_max: f64,
    running: Option<Box<Running>>,
    version: Version,
}

/// Answers to a block of queries.
#[derive(Debug, Clone, Default)]
struct RowBlock {
    values: Vec<f64>,
    bounds: Vec<f64>,
    outcomes: Vec<Outcome>,
}

impl Nystrom {
    /// The landmarks, one point after another.
    pub fn landmarks(&self) -> Vec<f64> {
        self.landmarks.all_points()
    }

    /// Work of one data row: its likeness and its term.
    fn data_work(&self) -> u64 {
        let n = self.spec.n_landmarks;
        (n * (4 * self.spec.n_entries + 2 * n + 20)) as u64
    }

    /// Work of one query: its likeness, its value and its bound.
    fn query_work(&self) -> u64 {
        let n = self.spec.n_landmarks;
        (n * (4 * self.spec.n_entries + 4 * n + 20)) as u64
    }

    fn factor_work(&self) -> u64 {
        (self.spec.n_landmarks as u64).pow(3) / 3
    }

    /// Answers to the queries in these slots.
    fn answer(&self, slots: &[usize]) -> RowBlock {
        let n = self.landmarks.len();
        let mut block = RowBlock {
            values: vec![0.0; slots.len()],
            bounds: vec![0.0; slots.len()],
            outcomes: vec![Outcome::Empty; slots.len()],
        };
        if n == 0 {
            return block;
        }
        let mut rows = vec![0.0; slots.len() * n];
        for (slot, row) in slots.iter().zip(rows.chunks_exact_mut(n)) {
            self.landmarks.likeness(self.queries.row(*slot).vectors[0], row);
        }
        let certificate = Certificate::of(&self.system, self.landmarks.values());
        for (at, (value, bound)) in certificate.answers(&rows, slots.len()).into_iter().enumerate()
        {
            let is_there = bound.is_finite() && value.is_finite();
            block.outcomes[at] = if is_there { Outcome::Value } else { Outcome::Lost };
            block.bounds[at] = if is_there { bound } else { 0.0 };
            block.values[at] = if is_there { value } else { 0.0 };
        }
        block
    }
}

impl Kernel for Nystrom {
    type Spec = NystromSpec;
    type Delta = NystromDelta;
    type Found = ();
    type Keys = Vec<i64>;
    type Output = NystromRows;

    fn compile(spec: &NystromSpec) -> Result<Self, SpecError> {
        spec.check()?;
        Ok(Self {
            spec: *spec,
            data: Table::new([spec.n_entries, 1]),
            queries: Table::new([spec.n_entries, 0]),
            landmarks: Landmarks::new(*spec),
            likeness: Vec::new(),
            system: System::default(),
            value_sum: 0.0,
            fresh_error_a: 0.0,
            n_events: 0,
            said: None,
            error_max: 0.0,
            running: None,
            version: Version::default(),
        })
    }

    fn measure(&self, delta: NystromDelta) -> Result<Measured<Self>, DeltaError> {
        let found = self.look(&delta)?;
        Ok(Measured::new(delta, found, &self.version))
    }

    /// The error ahead is about that of the last step: it hangs on how regular the system will be.
    fn predict(&self, mode: Mode, churn: &Churn, emit: Emit) -> Option<Prediction> {
        let n_queries = match emit {
            Emit::Changed => churn.n_changed.min(self.queries.len()),
            Emit::Pull => 0,
            Emit::Eps(_) | Emit::All => self.queries.len(),
        };
        let n_data = match mode {
            Mode::Pass => self.data.len(),
            Mode::Itmd => 2 * churn.n_changed,
            Mode::Rr => return None,
        };
        let rows = n_data as u64 * self.data_work() + n_queries as u64 * self.query_work();
        Some(Prediction { work: rows + self.factor_work(), error_max: self.error_max })
    }

    fn begin(&mut self, step: Step<Measured<Self>>) {
        self.start(step);
    }

    fn advance(&mut self, work: u64, output: &mut NystromRows) -> Poll<Report> {
        self.go_on(work, output)
    }

    fn read(&mut self, keys: &Vec<i64>, output: &mut NystromRows) -> f64 {
        let keys = self.queries.slots_of(keys);
        let mut error_max = 0.0_f64;
        for keys in keys.chunks(step::BLOCK) {
            let slots: Vec<usize> = keys.iter().map(|(_, slot)| *slot).collect();
            let block = self.answer(&slots);
            output.keys.extend(keys.iter().map(|(key, _)| *key));
            output.outcomes.extend(&block.outcomes);
            output.y.extend(&block.values);
            error_max = block.bounds.iter().fold(error_max, |most, bound| most.max(*bound));
        }
        error_max
    }

    fn keys(&self) -> Vec<i64> {
        self.queries.index.keys().copied().collect()
    }

    /// Computes all anew in a copy, and answers of both. Cost: that of `pass`.
    fn certify(&self, sample: Sample) -> Probe {
        let slots = self.queries.sample(sample);
        let mut fresh = self.clone();
        fresh.rebuild();
        let (mut error, mut error_max) = (0.0_f64, 0.0_f64);
        for slots in slots.chunks(step::BLOCK) {
            let (ours, theirs) = (self.answer(slots), fresh.answer(slots));
            for at in 0..slots.len() {
                error_max = error_max.max(ours.bounds[at]);
                // What was computed anew is off itself.
                let off = (ours.values[at] - theirs.values[at]).abs() - theirs.bounds[at];
                error = error.max(off);
            }
        }
        Probe { n_rows: slots.len(), error, error_max }
    }

    /// The system is one piece: any share is all of it.
    fn refresh(&mut self, share: f64) -> Report {
        assert!(self.running.is_none(), "a step is under way");
        let is_refreshed = 0.0 < share;
        if is_refreshed {
            self.rebuild();
        }
        let n_total = self.data.len() + self.queries.len();
        Report {
            mode: Mode::Pass,
            churn: Churn { n_changed: 0, n_total, delta_max: 0.0 },
            error_max: self.error_max,
            n_emitted: 0,
            work: self.data.len() as u64 * self.data_work() + self.factor_work(),
            reuse: None,
            is_refreshed,
        }
    }

    fn state_bytes(&self) -> usize {
        let n = self.system.n;
        let numbers = self.likeness.len() + 3 * n * n + 3 * n;
        let said = self.said.as_ref().map_or(0, Said::bytes);
        numbers * size_of::<f64>()
            + said
            + self.landmarks.bytes()
            + self.data.bytes()
            + self.queries.bytes()
    }

    fn save(&self, out: &mut dyn io::Write) -> io::Result<()> {
        assert!(self.running.is_none(), "a step is under way");
        self.write(out)
    }

    fn load(input: &mut dyn io::Read) -> Result<Self, LoadError> {
        Self::read_from(input)
    }
}

impl Nystrom {
    /// What `b` would be off by, were it computed anew: about.
    fn fresh_error_b(&self) -> f64 {
        self.value_sum.abs() * as_float(self.system.n).sqrt() * self.landmarks.error().most()
    }
}
