//! Answers to queries, and how far each may be off.
//!
//! Let `A` and `b` be exact, of likenesses `C + D` where those that were computed are `C`, and let
//! `a` be any solution and `x = A^-1 k` for a query with likeness `k`. Then the answer is
//!
//! `k^T A^-1 b = k^T a + x^T (b - A a)`, and
//! `b - A a = r + D^T (y - C a) - (C + D)^T D a + e`,
//!
//! where `r` is the residual of the system as it stands, which is known in twice the precision, and
//! `e` is what sums were rounded by. So an answer is `k^T a + x^T r`, and is off by at most
//! `|D x| |y - C a| + |(C + D) x| |D a|` and terms that are small beside it. Neither of these grows
//! as `|x| |A| |a|` does where landmarks say nearly the same: `|(C + D) x|^2` is at most `x^T A x =
//! k^T x`, and `|y - C a|^2` at most `y^T y - a^T b - a^T r`. Rows of one point have the same
//! errors, so what tells their values apart cancels, and `y` is of their means.
//!
//! What was solved for `x` is not believed: `k - A x` is computed, and what it leaves is divided by
//! `lambda mu`, than which no eigenvalue of `A` is smaller.

use super::double::{Double, TWICE};
use super::landmarks::Values;
use super::spec::as_float;
use super::system::{System, b_minus_dot, norm};
use crate::product::{Matrix, product};
use crate::vector::{self, ROUNDOFF, dot, gamma};

/// What is the same for all queries to one solution.
#[derive(Debug)]
pub(super) struct Certificate<'a> {
    system: &'a System,
    error_a: f64,
    /// At least the largest eigenvalue of `A`.
    trace: f64,
    /// `|y - C a|`, or more.
    misfit: f64,
    /// The lengths of columns of `D`, or more; `[n]`.
    columns: Vec<f64>,
    /// `|D a|`, or more.
    moved: f64,
    /// `|a|` in the 1-norm and in the Euclidean norm.
    total: f64,
    size: f64,
    /// `|r|`, and what it is off by itself.
    residual: f64,
    residual_error: f64,
}

/// A query's likeness to the landmarks, and `A^-1` times it, about.
#[derive(Debug, Clone, Copy)]
struct Query<'a> {
    likeness: &'a [f64],
    solved: &'a [f64],
    /// `A` times that.
    back: &'a [f64],
}

/// What `A^-1 k` is, at most.
#[derive(Debug, Clone, Copy)]
struct Lengths {
    /// The Euclidean norm of it, and of what `solved` is off by.
    size: f64,
    off: f64,
    /// The square root of `k^T A^-1 k`.
    energy: f64,
}

impl<'a> Certificate<'a> {
    /// Cost: O(n).
    pub(super) fn of(system: &'a System, values: Values) -> Self {
        let (n, a) = (system.n, &system.solution);
        let error = system.error;
        let longest = error.absolute * system.n_rows.max(0.0).sqrt();
        // On the diagonal are the squares of the lengths of columns of `C`.
        let length = |at: usize| system.a[at * n + at].abs().sqrt();
        let columns: Vec<f64> = (0..n).map(|at| error.relative * length(at) + longest).collect();
        let (size, residual, trace) = (norm(a), norm(&system.residual), system.trace());
        let moved = vector::magnitude_dot(a, &columns) * (1.0 + 1e-9);
        let lost = TWICE * as_float(n) * (trace * size + norm(&system.b));
        let mut certificate = Self {
            system,
            error_a: system.error_a(),
            trace,
            misfit: 0.0,
            columns,
            moved,
            total: a.iter().map(|a| a.abs()).sum(),
            size,
            residual,
            residual_error: ROUNDOFF * residual + lost,
        };
        certificate.misfit = certificate.misfit_max(values);
        certificate
    }

    fn misfit_max(&self, values: Values) -> f64 {
        let system = self.system;
        let of_landmarks = system.lambda * as_float(system.n) * system.error.doubly;
        // By how much the identity for the square is off.
        let rounded = self.size * (self.residual + self.residual_error + 2.0 * system.rounded_b)
            + self.size * self.size * (system.rounded_a + of_landmarks);
        let sides = (system.b.as_slice(), system.low_b.as_slice());
        let left = b_minus_dot((&values.square.high, &values.square.low), sides, &system.solution);
        let lost =
            TWICE * as_float(system.n) * (values.square.high.abs() + self.size * norm(&system.b));
        let square = left.max(0.0) + 2.0 * ROUNDOFF * left.abs() + values.rounded + rounded + lost;
        if square.is_finite() {
            return (square.sqrt() + values.lost) * (1.0 + 1e-9);
        }
        // The squares of values are beyond `f64`; `|y|^2 + 2 |a| |r|` is as much as it can be.
        let small = 2.0 * self.size * self.residual + rounded;
        (system.values_max() + small.max(0.0).sqrt()) * (1.0 + 1e-9)
    }

    /// The answers to queries, each with what it may be off by. `rows`: likeness of queries,
    /// `[n_rows, n]`. Cost: O(`n_rows` n^2).
    pub(super) fn answers(&self, rows: &[f64], n_rows: usize) -> Vec<(f64, f64)> {
        let n = self.system.n;
        let (mut solved, mut back) = (rows.to_vec(), vec![0.0; rows.len()]);
        self.system.solve_block(&mut solved, n_rows);
        let matrix = Matrix { rows: n, cols: n, data: &self.system.a };
        product(&mut back, Matrix { rows: n_rows, cols: n, data: &solved }, matrix);
        let each = rows.chunks_exact(n).zip(solved.chunks_exact(n)).zip(back.chunks_exact(n));
        each.map(|((likeness, solved), back)| self.answer(Query { likeness, solved, back }))
            .collect()
    }

    fn answer(&self, query: Query<'_>) -> (f64, f64) {
        let system = self.system;
        let value =
            dot_doubly(query.likeness, &system.solution) + dot(query.solved, &system.residual);
        let (n, error) = (as_float(system.n), system.error);
        let lengths = self.lengths(query);
        let mixed = vector::magnitude_dot(&system.solution, query.likeness);
        // `D x` and `D a`, what the query's own likeness is off by, and what sums were rounded by.
        let off_columns = norm(&self.columns) * lengths.off;
        let moved = vector::magnitude_dot(query.solved, &self.columns) + off_columns;
        let of_data = moved * self.misfit + lengths.energy * self.moved;
        let of_query = error.relative * mixed + error.absolute * self.total;
        let of_landmarks = system.lambda * n * error.doubly * self.size;
        let of_sums = lengths.size
            * (of_landmarks
                + system.rounded_a * self.size
                + system.rounded_b
                + self.residual_error);
        // The residual counts by what `x` is off alone.
        let of_solution =
            lengths.off * self.residual + gamma(system.n + 2) * norm(query.solved) * self.residual;
        let rounded = 2.0 * ROUNDOFF * value.abs() + TWICE * n * mixed;
        let bound = of_data + of_query + of_sums + of_solution + rounded;
        (value, bound * (1.0 + 1e-9))
    }

    fn lengths(&self, query: Query<'_>) -> Lengths {
        let system = self.system;
        let apart: Vec<f64> = query.back.iter().zip(query.likeness).map(|(b, k)| k - b).collect();
        let size = norm(query.solved);
        let rounded = gamma(system.n + 3) * (norm(query.likeness) + self.trace * size);
        let own = system.error.most() * as_float(system.n).sqrt();
        // At most `|k - A x|` with all exact but `x`.
        let rest = norm(&apart) + rounded + own + self.error_a * size;
        let sum = dot(query.likeness, query.solved);
        let lost = (gamma(system.n + 2) * norm(query.likeness) + own + rest) * size;
        Lengths {
            size: size + rest / system.floor,
            off: rest / system.floor,
            energy: (sum.max(0.0) + lost).sqrt() + rest / system.floor.sqrt(),
        }
    }
}

/// The sum of products, rounded once but for a term in the square of the roundoff.
fn dot_doubly(x: &[f64], y: &[f64]) -> f64 {
    let (mut high, mut low) = (0.0_f64, 0.0_f64);
    for (x, y) in x.iter().zip(y) {
        let product = Double::product(*x, *y);
        let sum = Double::sum(high, product.high);
        low += sum.low + product.low;
        high = sum.high;
    }
    high + low
}
