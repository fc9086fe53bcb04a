//! `Y = W X`: a matrix and a keyed set of vectors, both of which change.
//!
//! The delta rule is linearity: `W (x + d) = W x + W d`, and `W d` needs only the columns of `W`
//! where `d` is not zero. A vector that changes for the most part is multiplied anew, which drifts
//! not at all. A change of few coordinates of all vectors is of that rank, and may wait in factored
//! form until it is read. `rr` answers from a basis of what was seen before.
//!
//! Bounds are in the max norm, and of norms of rows: no entry of `W x` exceeds the largest row norm
//! times `|x|` (Cauchy and Schwarz). Rounding is counted after Higham, *Accuracy and Stability of
//! Numerical Algorithms*, 2nd ed., section 3.1: see `arithmetic::gamma`.

mod delta;
mod matrix;
mod vectors;
mod pending;
mod outputs;
mod step;
mod save;

use std::io;
use std::task::Poll;

use crate::arithmetic::{
    ROUNDOFF, ROUNDOFF_SINGLE, compensated_dot, difference, gamma, product_depth, to_float,
};
use crate::basis::Basis;
use crate::churn::Churn;
use crate::emit::Emit;
use crate::kernel::{
    DeltaError, Kernel, Measured, Prediction, Probe, Report, Sample, SpecError, Step,
};
use crate::mode::Mode;
use crate::snapshot::LoadError;
use crate::threads::share_work;
use crate::version::Version;

pub use delta::{EntryChange, Layout, LinearDelta, LinearOutput, LinearSpec, Precision};

use matrix::Matrix;
use pending::{Pending, READ_OPERATIONS};
use step::Running;
use vectors::{RAISE, Vectors};

/// The state of `Y = W X`: `W` `[m, n]`, `X` `[l, n]`, `Y` `[l, m]`.
#[derive(Debug, Clone)]
pub struct LinearTransform {
    spec: LinearSpec,
    matrix: Matrix,
    vectors: Vectors,
    pending: Pending,
    basis: Basis,
    /// The largest bound after the last step of `rr`.
    reduced_error: f64,
    /// The vector that is computed anew next.
    refresh_next: usize,
    running: Option<Running>,
    version: Version,
}

/// Outputs that a thread reads in one piece.
const READ_AT_ONCE: usize = 4;

impl LinearTransform {
    /// How much of the input would change.
    fn look(&self, delta: &LinearDelta) -> Result<(Churn, ()), DeltaError> {
        let is_there = |key| self.vectors.places.contains_key(&key);
        delta.check(&self.spec, &is_there, self.vectors.len())?;
        let (m, n) = (self.spec.n_rows, self.spec.n_columns);
        let mut churn = Churn { n_changed: 0, n_total: 0, delta_max: 0.0 };
        let mut compare = |new: &[f32], old: &[f32]| {
            let found = difference(new, old);
            churn.n_changed += found.n_changed;
            churn.delta_max = churn.delta_max.max(found.most);
        };
        for (row, weights) in delta.rows.iter().zip(delta.weights.chunks(n)) {
            compare(weights, &self.matrix.row(*row));
        }
        let mut n_added = 0;
        for (key, vector) in delta.keys.iter().zip(delta.vectors.chunks(n)) {
            let place = self.vectors.places.get(key);
            n_added += usize::from(place.is_none());
            match place {
                Some(place) => compare(vector, self.vectors.vector(*place)),
                None => compare(vector, &vec![0.0; n]),
            }
        }
        for entry in &delta.entries {
            let place = self.vectors.places.get(&entry.key);
            let old = place.map_or(0.0, |place| self.vectors.vector(*place)[entry.at]);
            compare(&[entry.value], &[old]);
        }
        // Where vectors come and go in the same change, what they were is not looked up.
        let l = self.vectors.len().max(1);
        let is_same = delta.keys.is_empty() && delta.removed.is_empty();
        let rows = delta.coordinates.iter().zip(delta.coordinate_values.chunks(l));
        let n_operations = READ_OPERATIONS * delta.coordinate_values.len();
        let compared = share_work(n_operations, rows, |_, (at, row)| {
            let places = self.vectors.places.values();
            let old: Vec<f32> = if is_same {
                places.map(|place| self.vectors.x[place * n + at]).collect()
            } else {
                vec![0.0; row.len()]
            };
            difference(row, &old)
        });
        for found in compared {
            churn.n_changed += found.n_changed;
            churn.delta_max = churn.delta_max.max(found.most);
        }
        let low_rank = delta.low_rank_left.len();
        churn.n_changed += n * delta.removed.len() + if low_rank == 0 { 0 } else { m * n };
        let has_matrix = low_rank != 0 || !delta.rows.is_empty();
        churn.n_total = n * (self.vectors.len() + n_added) + if has_matrix { m * n } else { 0 };
        Ok((churn, ()))
    }

    /// Puts an output as it is now, with what waits, into `out` `[m]`; its bound.
    fn output(&self, place: usize, out: &mut [f64]) -> f64 {
        self.vectors.put_into(place, out);
        let state = self.vectors.states[place];
        if self.pending.is_empty() {
            return state.error;
        }
        let terms = self.pending.terms(place, self.vectors.len());
        self.matrix.add_columns(out, &terms);
        self.waiting_error(place, &terms)
    }

    /// The bound of an output to which these terms were added in `f64`. What it was before is at
    /// most what it is now and the terms can reach.
    fn waiting_error(&self, place: usize, terms: &[(usize, f64)]) -> f64 {
        let state = self.vectors.states[place];
        let reach = self.added(terms, 0).reach();
        let size = self.matrix.row_norm_max() * state.norm() + state.error + 2.0 * reach;
        let depth = self.matrix.columns_depth(terms.len()) + 1;
        (state.error + gamma(depth, ROUNDOFF) * size) * RAISE
    }

    /// The largest bound of all outputs as they would be read.
    fn error_max(&self) -> f64 {
        let most = self.vectors.error_max();
        if self.pending.is_empty() {
            return most;
        }
        let l = self.vectors.len();
        let reach: f64 = self
            .pending
            .coordinates
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let (old, new) =
                    (&self.pending.old[at * l..][..l], &self.pending.new[at * l..][..l]);
                let change = old.iter().zip(new).fold(0.0_f32, |most, (old, new)| {
                    let change = (new - old).abs();
                    if most < change { change } else { most }
                });
                self.matrix.column_max(*column) * f64::from(change) * (1.0 + 2.0 * ROUNDOFF_SINGLE)
            })
            .sum();
        let size = self.matrix.row_norm_max() * self.vectors.norm_max() + most + 2.0 * reach;
        let depth = self.matrix.columns_depth(self.pending.coordinates.len()) + 1;
        (most + gamma(depth, ROUNDOFF) * size) * RAISE
    }
}

impl Kernel for LinearTransform {
    type Spec = LinearSpec;
    type Delta = LinearDelta;
    type Found = ();
    type Keys = Vec<i64>;
    type Output = LinearOutput;

    /// The matrix is of zeros, and there are no vectors.
    fn compile(spec: &LinearSpec) -> Result<Self, SpecError> {
        spec.check()?;
        Ok(Self {
            spec: *spec,
            matrix: Matrix::new(spec),
            vectors: Vectors::new(spec.n_columns, spec.n_rows, spec.precision),
            pending: Pending::default(),
            basis: Basis::new(spec.rank, spec.n_columns, spec.n_rows),
            reduced_error: 0.0,
            refresh_next: 0,
            running: None,
            version: Version::default(),
        })
    }

    /// Inputs are the entries of the vectors; and those of the matrix, where it changes.
    fn measure(&self, delta: LinearDelta) -> Result<Measured<Self>, DeltaError> {
        let found = self.look(&delta)?;
        Ok(Measured::new(delta, found, &self.version))
    }

    fn predict(&self, mode: Mode, churn: &Churn, emit: Emit) -> Option<Prediction> {
        let l = to_float(self.vectors.len().max(1));
        let m = to_float(self.spec.n_rows);
        let norm = self.matrix.row_norm_max() * self.vectors.norm_max();
        let is_single = self.spec.precision == Precision::Single;
        let fresh = if is_single && 8 <= self.vectors.len() {
            gamma(product_depth(self.spec.n_columns), ROUNDOFF_SINGLE) * norm
        } else {
            let kept = if is_single { ROUNDOFF_SINGLE } else { 0.0 };
            (gamma(self.matrix.apply_depth(), ROUNDOFF) + kept) * norm
        };
        let pass = 2.0 * to_float(self.matrix.n_entries()) * l;
        let emitted = match emit {
            Emit::Pull => 0.0,
            Emit::Changed | Emit::Eps(_) => m,
            Emit::All => m * l,
        };
        let (work, error_max) = match mode {
            Mode::Pass => (pass, fresh),
            Mode::Itmd => {
                let is_matrix = to_float(self.vectors.len()) * to_float(self.spec.n_columns)
                    < to_float(churn.n_total);
                let each = if is_matrix { l } else { self.matrix.column_mean() };
                let added = 2.0 * to_float(churn.n_changed) * each;
                let columns = to_float(churn.n_changed) / l;
                let roundoff = self.vectors.roundoff();
                let drift = (4.0 + columns) * roundoff * norm * 1.01;
                (added.min(pass), self.error_max().max(fresh) + drift)
            }
            Mode::Rr if self.spec.rank == 0 => return None,
            Mode::Rr => {
                let touched =
                    (to_float(churn.n_changed) / to_float(self.spec.n_columns)).clamp(1.0, l);
                let rank = to_float(self.basis.rank());
                let walk = 2.0 * rank * (m + to_float(self.spec.n_columns));
                (touched * walk, self.reduced_error.max(fresh))
            }
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count that is not below 0; beyond 2^64 it saturates"
        )]
        let work = (work + emitted) as u64;
        Some(Prediction { work, error_max })
    }

    fn begin(&mut self, step: Step<Measured<Self>>) {
        assert!(self.running.is_none(), "a step is under way");
        let Step { delta, mode, emit, error_max } = step;
        let (delta, churn, ()) = delta.known(&self.version, |delta| self.look(delta));
        self.version.end();
        self.running = Some(Running::new(self, Step { delta, mode, emit, error_max }, churn));
    }

    fn advance(&mut self, work: u64, output: &mut LinearOutput) -> Poll<Report> {
        let mut running = self.running.take().expect("a step was begun");
        if let Some(report) = running.go_on(self, work, output) {
            self.version.end();
            return Poll::Ready(report);
        }
        self.running = Some(running);
        Poll::Pending
    }

    /// Keys that are not there are skipped. Threads share what waits for those that are.
    fn read(&mut self, keys: &Vec<i64>, output: &mut LinearOutput) -> f64 {
        let (m, start) = (self.spec.n_rows, output.values.len());
        let places = keys.iter().filter_map(|key| Some((*key, *self.vectors.places.get(key)?)));
        let (found, places): (Vec<i64>, Vec<usize>) = places.unzip();
        output.keys.extend(found);
        output.values.resize(start + places.len() * m, 0.0);
        let rows = places.chunks(READ_AT_ONCE);
        let rows = rows.zip(output.values[start..].chunks_mut(READ_AT_ONCE * m));
        let n_operations = 2 * places.len() * m * self.pending.coordinates.len();
        let errors = share_work(n_operations, rows, |_, (places, values)| {
            let rows = places.iter().zip(values.chunks_exact_mut(m));
            rows.fold(0.0, |most: f64, (place, out)| most.max(self.output(*place, out)))
        });
        errors.into_iter().fold(0.0, f64::max)
    }

    fn keys(&self) -> Vec<i64> {
        self.vectors.places.keys().copied().collect()
    }

    fn certify(&self, sample: Sample) -> Probe {
        let (l, m) = (self.vectors.len(), self.spec.n_rows);
        let mut probe = Probe { n_rows: l.min(sample.n_rows), error: 0.0, error_max: 0.0 };
        let start = usize::try_from(sample.seed % (l.max(1) as u64)).unwrap_or(0);
        for place in (0..probe.n_rows).map(|at| (start + at) % l) {
            let mut y = vec![0.0; m];
            probe.error_max = probe.error_max.max(self.output(place, &mut y));
            let x = self.vectors.vector(place);
            for (row, y) in y.iter().enumerate() {
                let exact = compensated_dot(&self.matrix.row(row), x);
                probe.error = probe.error.max((y - exact).abs());
            }
        }
        probe
    }

    /// Outputs are computed anew, vector by vector.
    fn refresh(&mut self, share: f64) -> Report {
        let l = self.vectors.len();
        let step = Step {
            delta: LinearDelta::default(),
            mode: Mode::Itmd,
            emit: Emit::Pull,
            error_max: f64::INFINITY,
        };
        let churn = Churn { n_changed: 0, n_total: l * self.spec.n_columns, delta_max: 0.0 };
        let mut work = 0;
        if !self.pending.is_empty() {
            work += step::flush_all(self);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count"
        )]
        let n_now = ((to_float(l) * share).ceil() as usize).min(l);
        for at in 0..n_now {
            let place = (self.refresh_next + at) % l;
            work += self.apply_whole(place);
        }
        self.refresh_next = if l == 0 { 0 } else { (self.refresh_next + n_now) % l };
        Report {
            mode: step.mode,
            churn,
            error_max: self.error_max(),
            n_emitted: 0,
            work,
            reuse: None,
            is_refreshed: true,
        }
    }

    fn state_bytes(&self) -> usize {
        let pending = size_of_val(self.pending.old.as_slice()) * 2;
        self.matrix.state_bytes() + self.vectors.state_bytes() + self.basis.state_bytes() + pending
    }

    fn save(&self, out: &mut dyn io::Write) -> io::Result<()> {
        assert!(self.running.is_none(), "a step is under way");
        save::save(self, out)
    }

    fn load(input: &mut dyn io::Read) -> Result<Self, LoadError> {
        save::load(input)
    }
}
