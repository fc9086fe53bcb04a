//! The linear system of kernel regression, its factor and its solution.
//!
//! `A = C^T C + lambda (W + mu I)` and `b = C^T y`, where a row of `C` says how alike a data point
//! is to each landmark, and `W` how alike these are to each other. `A` is at least `lambda mu`, so
//! landmarks that say the same leave it regular.
//!
//! Nothing is believed of the factor: whether it came of a factorisation or of updates, what counts
//! is the residual of what it solves, computed in twice the precision. With `A` and `b` off by at
//! most `error_a` and `error_b`, the answer `k^T a` to a query is off by at most
//! `|A^-1 k| (|b - A a| + error_a |a| + error_b)`.

use faer::dyn_stack::{MemBuffer, MemStack};
use std::slice::from_mut;

use faer::linalg::cholesky::llt::factor::{
    LltRegularization, cholesky_in_place, cholesky_in_place_scratch,
};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{MatMut, MatRef, Par};

use super::spec::as_float;
use crate::product::{Matrix, add_transposed_product, product};
use crate::vector::{self, ROUNDOFF, gamma, wide};

/// The state of the system over `n` landmarks.
#[derive(Debug, Clone, Default)]
pub(super) struct System {
    pub(super) n: usize,
    /// `lambda mu`: no eigenvalue of `A` is below it.
    pub(super) floor: f64,
    /// `[n, n]`, symmetric.
    pub(super) a: Vec<f64>,
    pub(super) b: Vec<f64>,
    /// What `a` and `b` lack to twice the precision, so that rows that come and go leave nothing.
    pub(super) low_a: Vec<f64>,
    pub(super) low_b: Vec<f64>,
    /// `[n, n]`: `U` with `U^T U = A`, above the diagonal.
    pub(super) factor: Vec<f64>,
    pub(super) solution: Vec<f64>,
    /// Bounds of what was rounded of `A`, in the Frobenius norm, and of `b`, in the Euclidean norm.
    pub(super) rounded_a: f64,
    pub(super) rounded_b: f64,
    /// How far an entry of `C` may be off.
    pub(super) error: f64,
    pub(super) lambda: f64,
    /// The sum of the lengths of rows of `C` that are there, and of the magnitudes of values.
    pub(super) live_rows: f64,
    pub(super) live_values: f64,
    /// The largest sum of magnitudes since the start, and how often it changed.
    pub(super) peak: f64,
    pub(super) n_events: f64,
    /// `|b - A a|` of the solution.
    pub(super) residual: f64,
}

/// Rows of `C` with their values and signs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    /// `[n_rows, n]`.
    pub(super) likeness: &'a [f64],
    /// `[n_rows]`.
    pub(super) values: &'a [f64],
    /// 1 for rows that come, -1 for rows that go.
    pub(super) sign: f64,
}

impl System {
    /// Without data: `lambda (W + mu I)`. `likeness`: `W`, `[n, n]`.
    pub(super) fn start(&mut self, likeness: &[f64], lambda: f64, error: f64) {
        self.n = n_columns(likeness.len());
        self.floor = lambda * RIDGE;
        self.a = likeness.iter().map(|w| lambda * w).collect();
        for at in 0..self.n {
            self.a[at * self.n + at] += lambda * RIDGE;
        }
        self.b = vec![0.0; self.n];
        (self.low_a, self.low_b) = (vec![0.0; self.a.len()], vec![0.0; self.n]);
        (self.rounded_a, self.rounded_b) = (0.0, 0.0);
        (self.error, self.lambda) = (error, lambda);
        (self.live_rows, self.live_values, self.peak, self.n_events) = (0.0, 0.0, 0.0, 0.0);
    }

    /// Adds or takes away data: single rows in twice the precision, many at the rate of products.
    /// Cost: O(`n_rows` n^2).
    pub(super) fn absorb(&mut self, rows: Rows<'_>) {
        let each = rows.likeness.chunks_exact(self.n).zip(rows.values);
        let (mut square, mut size, mut value_size, mut values) = (0.0, 0.0, 0.0, 0.0);
        for (row, value) in each.clone() {
            let row = norm(row);
            square += row * row;
            size += row;
            value_size += row * value.abs();
            values += value.abs();
        }
        if rows.values.len() <= SINGLE_MAX {
            for (row, value) in each {
                for (at, factor) in row.iter().enumerate() {
                    let range = at * self.n..(at + 1) * self.n;
                    let (high, low) = (&mut self.a[range.clone()], &mut self.low_a[range]);
                    add_exactly(high, low, row, rows.sign * factor);
                }
                add_exactly(&mut self.b, &mut self.low_b, row, rows.sign * value);
            }
        } else {
            self.absorb_block(rows);
            let spread = gamma(rows.values.len() + 3);
            self.rounded_a += spread * square;
            self.rounded_b += spread * value_size;
        }
        let tiny = ROUNDOFF * ROUNDOFF * 8.0;
        self.rounded_a += tiny * (square + self.trace());
        self.rounded_b += tiny * (value_size + norm(&self.b));
        self.live_rows += rows.sign * size;
        self.live_values += rows.sign * values;
        self.peak = self.peak.max(self.live_values);
        self.n_events += as_float(rows.values.len());
    }

    fn absorb_block(&mut self, rows: Rows<'_>) {
        let n = self.n;
        let likeness = Matrix { rows: rows.values.len(), cols: n, data: rows.likeness };
        let (mut products, mut sums) = (vec![0.0; n * n], vec![0.0; n]);
        add_transposed_product(&mut products, likeness, likeness);
        let values = Matrix { rows: rows.values.len(), cols: 1, data: rows.values };
        add_transposed_product(&mut sums, likeness, values);
        let one = [rows.sign];
        for (product, (high, low)) in products.iter().zip(self.a.iter_mut().zip(&mut self.low_a)) {
            add_exactly(from_mut(high), from_mut(low), &one, *product);
        }
        for (sum, (high, low)) in sums.iter().zip(self.b.iter_mut().zip(&mut self.low_b)) {
            add_exactly(from_mut(high), from_mut(low), &one, *sum);
        }
    }

    /// The bound of `A` in the Frobenius norm.
    pub(super) fn error_a(&self) -> f64 {
        let n = as_float(self.n);
        let live = self.live_rows.max(0.0) * (1.0 + 1e-6) + 1e-6;
        let of_landmarks = self.lambda * n * (self.error + 2.0 * ROUNDOFF);
        of_landmarks + 2.1 * n.sqrt() * self.error * live + self.rounded_a
    }

    /// The bound of `b` in the Euclidean norm.
    pub(super) fn error_b(&self) -> f64 {
        // What the sum of magnitudes may have lost itself.
        let lost = 2.0 * ROUNDOFF * (self.n_events + 1.0) * self.peak;
        let live = self.live_values.max(0.0) + lost;
        1.1 * as_float(self.n).sqrt() * self.error * live + self.rounded_b
    }

    /// Adds `factor` times a row of `C` to this row of `A`.
    pub(super) fn add_to_row(&mut self, at: usize, factor: f64, row: &[f64]) {
        vector::add_scaled(&mut self.a[at * self.n..(at + 1) * self.n], row, factor);
    }

    /// Makes columns of `A` what its rows are.
    pub(super) fn mirror(&mut self, columns: &[usize]) {
        for column in columns {
            for other in 0..self.n {
                self.a[other * self.n + column] = self.a[column * self.n + other];
            }
        }
    }

    /// The sum of the diagonal: at least the Frobenius norm.
    pub(super) fn trace(&self) -> f64 {
        (0..self.n).map(|at| self.a[at * self.n + at].abs()).sum()
    }

    /// Factors `A`. Cost: n^3 / 3. What is not positive by rounding is lifted in the factor alone.
    pub(super) fn refactor(&mut self) {
        let n = self.n;
        let mut lift = 0.0;
        loop {
            self.factor.clone_from(&self.a);
            for at in 0..n {
                self.factor[at * n + at] += lift;
            }
            // The transposed view: its lower triangle is our upper one.
            let view = MatMut::from_column_major_slice_mut(&mut self.factor, n, n);
            let mut memory = MemBuffer::new(cholesky_in_place_scratch::<f64>(
                n,
                Par::Seq,
                faer::Spec::default(),
            ));
            let done = cholesky_in_place(
                view,
                LltRegularization::default(),
                Par::Seq,
                MemStack::new(&mut memory),
                faer::Spec::default(),
            );
            if done.is_ok() || !self.trace().is_finite() {
                return;
            }
            lift = (lift * 16.0).max(self.trace() * ROUNDOFF * as_float(n + 1));
        }
    }

    /// Updates the factor by a row of `C` that comes. Cost: O(n^2).
    ///
    /// Givens rotations (Golub and Van Loan, *Matrix Computations*, section 6.5.4).
    pub(super) fn update(&mut self, row: &mut [f64]) {
        for at in 0..self.n {
            let head = &mut self.factor[at * self.n + at..(at + 1) * self.n];
            let pivot = head[0].hypot(row[at]);
            let (cosine, sine) = (pivot / head[0], row[at] / head[0]);
            head[0] = pivot;
            rotate(&mut head[1..], &mut row[at + 1..], cosine, sine, 1.0);
        }
    }

    /// Updates the factor by a row of `C` that goes; tells if it broke down, and the factor is then
    /// of no use. Cost: O(n^2).
    pub(super) fn downdate(&mut self, row: &mut [f64]) -> Result<(), Breakdown> {
        for at in 0..self.n {
            let head = &mut self.factor[at * self.n + at..(at + 1) * self.n];
            let left = (1.0 - row[at] / head[0]) * (1.0 + row[at] / head[0]);
            if left < PIVOT_MIN {
                return Err(Breakdown);
            }
            let pivot = head[0] * left.sqrt();
            let (cosine, sine) = (pivot / head[0], row[at] / head[0]);
            head[0] = pivot;
            rotate(&mut head[1..], &mut row[at + 1..], cosine, sine, -1.0);
        }
        Ok(())
    }

    /// Solves, and refines while that helps. Gives whether the factor was good for it.
    pub(super) fn solve(&mut self) -> bool {
        self.solution = vec![0.0; self.n];
        let mut residual = self.b.clone();
        self.residual = norm(&residual);
        let start = self.residual;
        for _ in 0..REFINEMENTS {
            let mut step = residual;
            self.solve_block(&mut step, 1);
            let next: Vec<f64> = self.solution.iter().zip(&step).map(|(a, s)| a + s).collect();
            residual = self.residual_of(&next);
            let size = norm(&residual);
            if self.residual <= size || !size.is_finite() {
                break;
            }
            (self.solution, self.residual) = (next, size);
        }
        self.residual <= start * RESIDUAL_GOOD
    }

    /// `A^-1` times each of these rows by the factor, in their place. `rows`: `[n_rows, n]`.
    pub(super) fn solve_block(&self, rows: &mut [f64], n_rows: usize) {
        let factor = MatRef::from_row_major_slice(&self.factor, self.n, self.n);
        let mut rows = MatMut::from_column_major_slice_mut(rows, self.n, n_rows);
        solve_lower_triangular_in_place(factor.transpose(), rows.as_mut(), Par::Seq);
        solve_upper_triangular_in_place(factor, rows.as_mut(), Par::Seq);
    }

    /// `b - A a` in twice the precision (Ogita, Rump and Oishi, *Accurate Sum and Dot Product*).
    fn residual_of(&self, solution: &[f64]) -> Vec<f64> {
        let width = self.n.max(1);
        let rows = self.a.chunks_exact(width).zip(self.low_a.chunks_exact(width));
        let sides = self.b.iter().zip(&self.low_b);
        rows.zip(sides).map(|((a, low), b)| b_minus_dot(b, (a, low), solution)).collect()
    }

    /// What the answer to a query may be off by, per length of `A^-1 k`.
    pub(super) fn error(&self) -> f64 {
        let size = norm(&self.solution);
        // What twice the precision leaves.
        let tiny = ROUNDOFF * self.residual
            + ROUNDOFF * ROUNDOFF * 8.0 * as_float(self.n) * (self.trace() * size + norm(&self.b));
        self.residual + tiny + self.error_a() * size + self.error_b()
    }

    /// The lengths of `A^-1 k`, or more. `rows`: likeness of queries, `[n_rows, n]`.
    pub(super) fn lengths(&self, rows: &[f64], n_rows: usize) -> Vec<f64> {
        let mut solved = rows.to_vec();
        self.solve_block(&mut solved, n_rows);
        let mut off = vec![0.0; rows.len()];
        let solved_matrix = Matrix { rows: n_rows, cols: self.n, data: &solved };
        product(&mut off, solved_matrix, Matrix { rows: self.n, cols: self.n, data: &self.a });
        let (trace, error_a) = (self.trace(), self.error_a());
        let each = off.chunks_exact(self.n).zip(rows.chunks_exact(self.n));
        each.zip(solved.chunks_exact(self.n))
            .map(|((off, row), solved)| {
                let apart: Vec<f64> = off.iter().zip(row).map(|(off, k)| k - off).collect();
                let size = norm(solved);
                let rounded = gamma(self.n + 2) * (norm(row) + trace * size);
                let rest = norm(&apart) + rounded + error_a * size;
                (size + rest / self.floor) * (1.0 + 1e-9)
            })
            .collect()
    }
}

/// A downdate would leave a matrix that is not positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Breakdown;

fn n_columns(n_entries: usize) -> usize {
    n_entries.isqrt()
}

/// `head = (head + sign sine row) / cosine; row = cosine row - sine head`.
fn rotate(head: &mut [f64], row: &mut [f64], cosine: f64, sine: f64, sign: f64) {
    wide(
        #[inline(always)]
        || {
            let (inverse, sine_signed) = (1.0 / cosine, sign * sine);
            for (head, row) in head.iter_mut().zip(row) {
                *head = sine_signed.mul_add(*row, *head) * inverse;
                *row = cosine * *row - sine * *head;
            }
        },
    );
}

/// `b - sum_i x_i y_i`, rounded once but for a term in the square of the roundoff; `b` and `x` in
/// two parts each.
fn b_minus_dot((b, low_b): (&f64, &f64), (x, low_x): (&[f64], &[f64]), y: &[f64]) -> f64 {
    let (mut high, mut low) = (*b, *low_b);
    for ((x, low_x), y) in x.iter().zip(low_x).zip(y) {
        let product = -x * y;
        let rest = (-x).mul_add(*y, -product);
        let sum = high + product;
        let part = sum - high;
        low += ((high - (sum - part)) + (product - part)) + rest - low_x * y;
        high = sum;
    }
    high + low
}

/// Adds `factor * row` to numbers in two parts, each (Knuth's sum and a product without error).
fn add_exactly(high: &mut [f64], low: &mut [f64], row: &[f64], factor: f64) {
    wide(
        #[inline(always)]
        || {
            for ((high, low), x) in high.iter_mut().zip(low).zip(row) {
                let product = factor * x;
                let rest = factor.mul_add(*x, -product);
                let sum = *high + product;
                let part = sum - *high;
                let lost = (*high - (sum - part)) + (product - part) + (rest + *low);
                *high = sum + lost;
                *low = lost - (*high - sum);
            }
        },
    );
}

/// The Euclidean norm, not rounded down by more than its error here.
pub(super) fn norm(numbers: &[f64]) -> f64 {
    numbers.iter().map(|x| x * x).sum::<f64>().sqrt() * (1.0 + 1e-12)
}

/// `mu`.
pub(super) const RIDGE: f64 = 1.0 / 1_048_576.0;

/// Rows that are added one by one at most.
const SINGLE_MAX: usize = 8;

/// Steps of refinement at most.
const REFINEMENTS: usize = 6;

/// A factor that leaves more of the residual than this is no longer one.
const RESIDUAL_GOOD: f64 = 1e-9;

/// A pivot whose square falls below this share has lost half its digits.
const PIVOT_MIN: f64 = 1e-8;

#[cfg(test)]
mod tests {
    use super::*;

    /// A system of `n` landmarks and some rows.
    fn system(n: usize) -> (System, Vec<Vec<f64>>) {
        let entry = |i: usize, j: usize| 1.0 / as_float(1 + i.abs_diff(j));
        let likeness: Vec<f64> = (0..n * n).map(|at| entry(at / n, at % n)).collect();
        let mut system = System::default();
        system.start(&likeness, 0.1, 0.0);
        let rows = (0..3 * n).map(|i| (0..n).map(|j| (as_float(i * j)).sin()).collect()).collect();
        (system, rows)
    }

    fn absorb(system: &mut System, row: &[f64], sign: f64) {
        system.absorb(Rows { likeness: row, values: &[1.0], sign });
    }

    #[test]
    fn updates_and_downdates_follow_the_matrix() {
        let (mut system, rows) = system(20);
        system.refactor();
        for row in &rows {
            absorb(&mut system, row, 1.0);
            system.update(&mut row.clone());
        }
        for row in &rows[5..] {
            absorb(&mut system, row, -1.0);
            system.downdate(&mut row.clone()).unwrap();
        }
        assert!(system.solve(), "the factor is good");
        let updated = system.solution.clone();
        system.refactor();
        system.solve();
        for (updated, fresh) in updated.iter().zip(&system.solution) {
            assert!((updated - fresh).abs() < 1e-9, "{updated} and {fresh}");
        }
    }

    #[test]
    fn a_downdate_that_leaves_nothing_breaks_down() {
        let (mut system, _) = system(4);
        system.refactor();
        let mut row = vec![0.0; 4];
        row[2] = 1e6;
        system.update(&mut row.clone());
        assert_eq!(system.downdate(&mut row), Err(Breakdown));
    }

    #[test]
    fn residuals_have_twice_the_precision() {
        let (x, y) = ([1e16, 1.0, -1e16], [1.0, 1e-3, 1.0]);
        let left = b_minus_dot((&1e-3, &0.0), (&x, &[0.0; 3]), &y);
        assert_eq!(left.to_bits(), 0.0_f64.to_bits());
    }
}
