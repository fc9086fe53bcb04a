//! The vectors `X` with their outputs `Y`, vector by vector, and what is known of each output.

use std::collections::BTreeMap;

use crate::arithmetic::{
    Accumulator, ROUNDOFF, ROUNDOFF_SINGLE, UNDERFLOW_SINGLE, difference, dot_depth, gamma,
    largest, product_depth, square_norm, to_float,
};
use crate::linear_transform::delta::Precision;
use crate::linear_transform::matrix::Matrix;

/// The vectors, in the order in which they came; one that goes is replaced by the last.
#[derive(Debug, Clone)]
pub(crate) struct Vectors {
    pub(crate) n: usize,
    pub(crate) m: usize,
    pub(crate) keys: Vec<i64>,
    pub(crate) places: BTreeMap<i64, usize>,
    /// `[l, n]`.
    pub(crate) x: Vec<f32>,
    pub(crate) y: Outputs,
    pub(crate) states: Vec<State>,
}

/// Outputs `[l, m]`.
#[derive(Debug, Clone)]
pub(crate) enum Outputs {
    Single(Vec<f32>),
    Double(Vec<f64>),
}

/// What is known of one vector and its output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct State {
    /// The square of the vector's norm.
    pub(crate) square: f64,
    /// By how much it may be off.
    pub(crate) square_error: f64,
    /// By how much the output may be off.
    pub(crate) error: f64,
    /// By how much it was at most when it was last said.
    pub(crate) said_error: f64,
    /// How far the true output has moved since, at most.
    pub(crate) moved: f64,
}

/// What a number that stands for a sum of bounds is raised by, for its own rounding.
pub(crate) const RAISE: f64 = 1.0 + 1e-9;

impl State {
    /// Of a vector of zeros that was never said.
    const NEW: Self =
        Self { square: 0.0, square_error: 0.0, error: 0.0, said_error: 0.0, moved: f64::INFINITY };

    /// The vector's norm, from above.
    pub(crate) fn norm(&self) -> f64 {
        (self.square.max(0.0) + self.square_error).sqrt() * RAISE
    }

    /// By how much what was last said may be off now.
    pub(crate) fn said_now(&self) -> f64 {
        if self.moved == 0.0 { self.said_error } else { (self.said_error + self.moved) * RAISE }
    }

    /// An entry of the vector changes.
    pub(crate) fn replace(&mut self, old: f32, new: f32) {
        let (old, new) = (f64::from(old) * f64::from(old), f64::from(new) * f64::from(new));
        self.square += new - old;
        self.square_error += 2.0 * ROUNDOFF * (self.square.abs() + new + old) * RAISE;
    }
}

impl Vectors {
    pub(crate) fn new(n: usize, m: usize, precision: Precision) -> Self {
        let y = match precision {
            Precision::Single => Outputs::Single(Vec::new()),
            Precision::Double => Outputs::Double(Vec::new()),
        };
        let (keys, places, x, states) = (Vec::new(), BTreeMap::new(), Vec::new(), Vec::new());
        Self { n, m, keys, places, x, y, states }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn vector(&self, at: usize) -> &[f32] {
        &self.x[at * self.n..][..self.n]
    }

    /// The place of the vector of this key; a new one is of zeros.
    pub(crate) fn place(&mut self, key: i64) -> usize {
        let next = self.keys.len();
        let at = *self.places.entry(key).or_insert(next);
        if at == next {
            self.keys.push(key);
            self.x.resize((next + 1) * self.n, 0.0);
            self.states.push(State::NEW);
            match &mut self.y {
                Outputs::Single(y) => y.resize((next + 1) * self.m, 0.0),
                Outputs::Double(y) => y.resize((next + 1) * self.m, 0.0),
            }
        }
        at
    }

    pub(crate) fn remove(&mut self, key: i64) {
        let at = self.places.remove(&key).expect("the change was checked");
        let last = self.keys.len() - 1;
        if at < last {
            self.places.insert(self.keys[last], at);
        }
        self.keys.swap_remove(at);
        self.states.swap_remove(at);
        swap_remove(&mut self.x, at, self.n);
        match &mut self.y {
            Outputs::Single(y) => swap_remove(y, at, self.m),
            Outputs::Double(y) => swap_remove(y, at, self.m),
        }
    }

    /// Puts an output as it is kept into `out` `[m]`.
    pub(crate) fn put_into(&self, at: usize, out: &mut [f64]) {
        match &self.y {
            Outputs::Single(y) => {
                let y = &y[at * self.m..][..self.m];
                out.iter_mut().zip(y).for_each(|(out, y)| *out = f64::from(*y));
            }
            Outputs::Double(y) => out.copy_from_slice(&y[at * self.m..][..self.m]),
        }
    }

    /// Appends an output as it is kept.
    pub(crate) fn append_output(&self, at: usize, out: &mut Vec<f64>) {
        match &self.y {
            Outputs::Single(y) => {
                out.extend(y[at * self.m..][..self.m].iter().copied().map(f64::from));
            }
            Outputs::Double(y) => out.extend_from_slice(&y[at * self.m..][..self.m]),
        }
    }

    /// Puts part of an output, from entry `start`.
    pub(crate) fn put_output(&mut self, at: usize, start: usize, values: &[f64]) {
        let from = at * self.m + start;
        match &mut self.y {
            Outputs::Single(y) => {
                for (y, value) in y[from..from + values.len()].iter_mut().zip(values) {
                    *y = f32::of(*value);
                }
            }
            Outputs::Double(y) => y[from..from + values.len()].copy_from_slice(values),
        }
    }

    /// The vector becomes this one; the output stays. Gives the change of its norm, from above.
    pub(crate) fn set_vector(&mut self, at: usize, vector: &[f32]) -> f64 {
        let old = &mut self.x[at * self.n..][..self.n];
        let difference = difference(vector, old);
        old.copy_from_slice(vector);
        let state = &mut self.states[at];
        state.square = square_norm(vector);
        state.square_error = gamma(dot_depth(self.n), ROUNDOFF) * state.square;
        difference.square.sqrt() * (1.0 + gamma(dot_depth(self.n) + 4, ROUNDOFF))
    }

    /// Adds these columns of the matrix, each times its factor, to an output. The factors are the
    /// changes of the entries.
    pub(crate) fn add_columns(&mut self, at: usize, matrix: &Matrix, terms: &[(usize, f64)]) {
        let place = at * self.m..(at + 1) * self.m;
        match &mut self.y {
            Outputs::Single(y) => {
                let terms: Vec<(usize, f32)> =
                    terms.iter().map(|(column, factor)| (*column, f32::of(*factor))).collect();
                matrix.add_columns(&mut y[place], &terms);
            }
            Outputs::Double(y) => matrix.add_columns(&mut y[place], terms),
        }
    }

    /// What adding columns does to the bounds. All partial sums lie within the output's largest
    /// entry and what the terms can reach.
    pub(crate) fn added(&mut self, at: usize, added: &Added, output_max: f64) {
        let roundoff = self.roundoff();
        let underflow = self.underflow(added.n_columns) * (1.0 + added.row_norm);
        let size = output_max + 2.0 * added.reach() * RAISE;
        let state = &mut self.states[at];
        let lost = gamma(added.depth + 1, roundoff) * size + underflow;
        state.error = overflow(roundoff, size, (state.error + lost) * RAISE);
        state.moved = (state.moved + added.reach()) * RAISE;
    }

    /// The output was computed anew in `f64` with this error, and then rounded.
    pub(crate) fn put(&mut self, at: usize, error: f64) {
        let roundoff = self.roundoff();
        let size = if self.is_single() { self.output_max(at) } else { 0.0 };
        let kept = roundoff * size * 1.01;
        let error = error + kept + self.underflow(1);
        self.states[at].error = overflow(roundoff, size, error * RAISE);
    }

    /// The output was computed anew by a product of matrices in `f32`.
    pub(crate) fn multiplied(&mut self, at: usize, matrix: &Matrix) {
        let underflow = self.underflow(self.n);
        let state = &mut self.states[at];
        let size = matrix.row_norm_max() * state.norm();
        let error = gamma(product_depth(self.n), ROUNDOFF_SINGLE) * size + underflow;
        state.error = overflow(ROUNDOFF_SINGLE, size, error * RAISE);
    }

    /// The largest entry of an output.
    pub(crate) fn output_max(&self, at: usize) -> f64 {
        match &self.y {
            Outputs::Single(y) => largest(&y[at * self.m..][..self.m]),
            Outputs::Double(y) => largest(&y[at * self.m..][..self.m]),
        }
    }

    /// The largest bound of all outputs.
    pub(crate) fn error_max(&self) -> f64 {
        self.states.iter().fold(0.0, |most, state| most.max(state.error))
    }

    /// The largest norm of all vectors.
    pub(crate) fn norm_max(&self) -> f64 {
        self.states.iter().fold(0.0, |most, state| most.max(state.norm()))
    }

    /// What outputs are rounded by.
    pub(crate) fn roundoff(&self) -> f64 {
        match self.y {
            Outputs::Single(_) => ROUNDOFF_SINGLE,
            Outputs::Double(_) => ROUNDOFF,
        }
    }

    pub(crate) fn is_single(&self) -> bool {
        matches!(self.y, Outputs::Single(_))
    }

    fn underflow(&self, n_terms: usize) -> f64 {
        match self.y {
            Outputs::Single(_) => to_float(n_terms + 1) * UNDERFLOW_SINGLE,
            Outputs::Double(_) => 0.0,
        }
    }

    pub(crate) fn state_bytes(&self) -> usize {
        let y = match &self.y {
            Outputs::Single(y) => size_of_val(y.as_slice()),
            Outputs::Double(y) => size_of_val(y.as_slice()),
        };
        y + size_of_val(self.x.as_slice())
            + size_of::<State>() * self.states.len()
            + 32 * self.len()
    }
}

/// Columns that were added to an output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Added {
    pub(crate) n_columns: usize,
    /// Sum of the largest entries of the columns times the factors.
    pub(crate) sum: f64,
    /// Sum of the squares of the factors.
    pub(crate) square: f64,
    /// Roundings that a term passes through.
    pub(crate) depth: usize,
    /// The largest norm of a row.
    pub(crate) row_norm: f64,
}

impl Added {
    /// What the terms of one entry come to at most, in absolute value (Cauchy and Schwarz).
    pub(crate) fn reach(&self) -> f64 {
        self.sum.min(self.row_norm * self.square.sqrt() * RAISE)
    }
}

/// The bound, or none where an `f32` may have overflowed on the way.
fn overflow(roundoff: f64, size: f64, error: f64) -> f64 {
    let is_near = ROUNDOFF < roundoff && f64::from(f32::MAX) / 4.0 < size;
    if is_near || error.is_nan() { f64::INFINITY } else { error }
}

fn swap_remove<T: Copy>(rows: &mut Vec<T>, at: usize, len: usize) {
    let last = rows.len() - len;
    rows.copy_within(last.., at * len);
    rows.truncate(last);
}
