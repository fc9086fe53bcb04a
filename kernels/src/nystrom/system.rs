//! The linear system of kernel regression, its factor and its solution.
//!
//! `A = C^T C + lambda (W + mu I)` and `b = C^T y`, where a row of `C` says how alike a data point
//! is to each landmark, and `W` how alike these are to each other. `A` is at least `lambda mu`, so
//! landmarks that say the same leave it regular.
//!
//! `A` and `b` are kept in twice the precision, `W` is computed in it, and what is added to them is
//! added without error or nearly: what they are off by comes of the rows of `C`, whose errors are
//! those of a product of matrices and not of any (see [`super::certificate`]).

use faer::dyn_stack::{MemBuffer, MemStack};
use std::slice::from_mut;

use faer::linalg::cholesky::llt::factor::{
    LltRegularization, cholesky_in_place, cholesky_in_place_scratch,
};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{MatMut, MatRef, Par};

use super::double::{Double, TWICE};
use super::landmarks::LikenessError;
use super::spec::as_float;
use crate::product::{Matrix, add_transposed_part};
use crate::threads::share_work;
use crate::vector::{ROUNDOFF, gamma, wide};

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
    /// Bounds of what sums of `A` were rounded by, in the Frobenius norm, and of `b`, in the
    /// Euclidean norm.
    pub(super) rounded_a: f64,
    pub(super) rounded_b: f64,
    /// How far an entry of `C` may be off.
    pub(super) error: LikenessError,
    pub(super) lambda: f64,
    /// The sum of the lengths of rows of `C` that are there, and of the magnitudes of values.
    pub(super) live_rows: f64,
    pub(super) live_values: f64,
    /// How many rows are there.
    pub(super) n_rows: f64,
    /// The largest sum of magnitudes since the start, and how often it changed.
    pub(super) peak: f64,
    pub(super) n_events: f64,
    /// `b - A a` of the solution.
    pub(super) residual: Vec<f64>,
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
    pub(super) fn start(&mut self, likeness: &[Double], lambda: f64, error: LikenessError) {
        *self = Self { n: n_columns(likeness.len()), lambda, error, ..Self::default() };
        self.floor = lambda * RIDGE;
        (self.a, self.low_a) = (vec![0.0; likeness.len()], vec![0.0; likeness.len()]);
        (self.b, self.low_b) = (vec![0.0; self.n], vec![0.0; self.n]);
        for (at, likeness) in likeness.chunks_exact(self.n.max(1)).enumerate() {
            self.start_column(at, likeness);
        }
        (self.solution, self.residual) = (vec![0.0; self.n], vec![0.0; self.n]);
    }

    /// Sets what stands of this landmark to what it is without data. `likeness`: to each other.
    pub(super) fn start_column(&mut self, column: usize, likeness: &[Double]) {
        for (other, likeness) in likeness.iter().enumerate() {
            let mut entry = likeness.scaled(self.lambda);
            if other == column {
                entry = entry.plus(Double::of(self.floor));
            }
            for at in [other * self.n + column, column * self.n + other] {
                (self.a[at], self.low_a[at]) = (entry.high, entry.low);
            }
        }
        (self.b[column], self.low_b[column]) = (0.0, 0.0);
    }

    /// Adds or takes away data: single rows without error, many at the rate of products.
    /// At most 128 rows. Cost: O(`n_rows` n^2).
    pub(super) fn absorb(&mut self, rows: Rows<'_>) {
        let each = rows.likeness.chunks_exact(self.n).zip(rows.values);
        let n_rows = as_float(rows.values.len());
        let (mut square, mut size, mut value_size, mut values) = (0.0, 0.0, 0.0, 0.0);
        for (row, value) in each.clone() {
            let row = norm(row);
            square += row * row;
            size += row;
            value_size += row * value.abs();
            values += value.abs();
        }
        if rows.values.len() <= SINGLE_MAX {
            let n = self.n;
            share_work(8 * rows.values.len() * n * n, self.panels(), |at, (a, low)| {
                for (row, _) in each.clone() {
                    let panel = a.chunks_exact_mut(n).zip(low.chunks_exact_mut(n));
                    for ((a, low), factor) in panel.zip(&row[at * PANEL..]) {
                        add_exactly(a, low, row, rows.sign * factor);
                    }
                }
            });
        } else {
            self.absorb_block(rows, square);
        }
        for (row, value) in each {
            add_exactly(&mut self.b, &mut self.low_b, row, rows.sign * value);
        }
        self.rounded_a += TWICE * (square + n_rows * self.trace());
        self.rounded_b += TWICE * (value_size + n_rows * norm(&self.b));
        self.live_rows += rows.sign * size;
        self.live_values += rows.sign * values;
        self.n_rows += rows.sign * n_rows;
        self.peak = self.peak.max(self.live_values);
        self.n_events += n_rows;
    }

    /// `C^T C` by products of matrices: of the first bits of `C`, which has no error, and of what
    /// they leave, whose error counts for little (Ozaki, Ogita, Oishi and Rump, *Error-free
    /// transformations of matrix multiplication*).
    fn absorb_block(&mut self, rows: Rows<'_>, square: f64) {
        let (n, n_rows) = (self.n, rows.values.len());
        // Multiples of 2^-46 that add up to at most 2^7 have 53 bits.
        assert!(n_rows <= 128, "{n_rows} rows at once");
        let first: Vec<f64> = rows.likeness.iter().map(|c| (c + FIRST_BITS) - FIRST_BITS).collect();
        let rest: Vec<f64> = rows.likeness.iter().zip(&first).map(|(c, first)| c - first).collect();
        let halves: Vec<f64> = first.iter().zip(&rest).map(|(first, c)| first + 0.5 * c).collect();
        let matrix = |data| Matrix { rows: n_rows, cols: n, data };
        let (mut products, mut left) = (vec![0.0; n * n], vec![0.0; n * n]);
        let panels = products.chunks_mut(PANEL * n).zip(left.chunks_mut(PANEL * n));
        share_work(4 * n_rows * n * n, panels, |at, (products, left)| {
            let columns = at * PANEL..n.min((at + 1) * PANEL);
            add_transposed_part(products, (matrix(&first), columns.clone()), matrix(&first));
            add_transposed_part(left, (matrix(&rest), columns), matrix(&halves));
        });
        share_work(32 * n * n, self.panels(), |at, (a, low)| {
            let mut sums = vec![0.0; n];
            let panel = a.chunks_exact_mut(n).zip(low.chunks_exact_mut(n));
            for ((a, low), at) in panel.zip(at * PANEL..) {
                for (other, sum) in sums.iter_mut().enumerate() {
                    *sum = left[at * n + other] + left[other * n + at];
                }
                add_exactly(a, low, &products[at * n..(at + 1) * n], rows.sign);
                add_exactly(a, low, &sums, rows.sign);
            }
        });
        let rest = as_float(n_rows * n).sqrt() / 16_777_216.0;
        self.rounded_a += 2.0 * gamma(n_rows + 4) * rest * square.sqrt();
    }

    /// The bound of `A` in the Frobenius norm.
    pub(super) fn error_a(&self) -> f64 {
        let n = as_float(self.n);
        let live = self.live_rows.max(0.0) * (1.0 + 1e-6) + 1e-6;
        let of_landmarks = self.lambda * n * self.error.doubly;
        of_landmarks + 2.1 * n.sqrt() * self.error.most() * live + self.rounded_a
    }

    /// The bound of `b` in the Euclidean norm.
    pub(super) fn error_b(&self) -> f64 {
        1.1 * as_float(self.n).sqrt() * self.error.most() * self.values_max() + self.rounded_b
    }

    /// At least the sum of the magnitudes of values.
    pub(super) fn values_max(&self) -> f64 {
        // What the sum may have lost itself.
        let lost = 2.0 * ROUNDOFF * (self.n_events + 1.0) * self.peak;
        self.live_values.max(0.0) + lost
    }

    /// Rows of `A` in both parts, some at a time: threads share them, and each is one's.
    fn panels(&mut self) -> impl Iterator<Item = (&mut [f64], &mut [f64])> {
        let n_entries = PANEL * self.n.max(1);
        self.a.chunks_mut(n_entries).zip(self.low_a.chunks_mut(n_entries))
    }

    /// Adds to rows of `A` and entries of `b`, without error, what data rows say of them: each of
    /// these columns of `C` times `rows`, in their order, and times their values.
    pub(super) fn add_to_rows(&mut self, columns: &[usize], rows: Rows<'_>) {
        let n = self.n;
        let wanted = |(at, _): &(usize, _)| columns.binary_search(at).is_ok();
        let entries = self.b.iter_mut().zip(&mut self.low_b);
        let parts = self.a.chunks_exact_mut(n).zip(self.low_a.chunks_exact_mut(n)).zip(entries);
        let parts: Vec<_> = parts.enumerate().filter(wanted).collect();
        let n_operations = 8 * columns.len() * n * rows.values.len();
        share_work(n_operations, parts, |_, (column, ((a, low), (b, low_b)))| {
            for (row, value) in rows.likeness.chunks_exact(n).zip(rows.values) {
                add_exactly(a, low, row, rows.sign * row[column]);
                add_exactly(from_mut(b), from_mut(low_b), &[*value], rows.sign * row[column]);
            }
        });
    }

    /// Makes columns of `A` what its rows are.
    pub(super) fn mirror(&mut self, columns: &[usize]) {
        for column in columns {
            for other in 0..self.n {
                let (to, from) = (other * self.n + column, column * self.n + other);
                (self.a[to], self.low_a[to]) = (self.a[from], self.low_a[from]);
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
        self.residual.clone_from(&self.b);
        let start = norm(&self.residual);
        let mut least = start;
        for _ in 0..REFINEMENTS {
            let mut step = self.residual.clone();
            self.solve_block(&mut step, 1);
            let next: Vec<f64> = self.solution.iter().zip(&step).map(|(a, s)| a + s).collect();
            let residual = self.residual_of(&next);
            let size = norm(&residual);
            if least <= size || !size.is_finite() {
                break;
            }
            (self.solution, self.residual, least) = (next, residual, size);
        }
        least <= start * RESIDUAL_GOOD
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
        let all: Vec<_> = rows.zip(sides).collect();
        let parts = share_work(8 * self.n * self.n, all.chunks(PANEL), |_, part| {
            let left = part.iter().map(|((a, low), b)| b_minus_dot(*b, (a, low), solution));
            left.collect::<Vec<f64>>()
        });
        parts.concat()
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
pub(super) fn b_minus_dot(
    (b, low_b): (&f64, &f64),
    (x, low_x): (&[f64], &[f64]),
    y: &[f64],
) -> f64 {
    let (mut high, mut low) = (*b, *low_b);
    for ((x, low_x), y) in x.iter().zip(low_x).zip(y) {
        let product = Double::product(-x, *y);
        let sum = Double::sum(high, product.high);
        low += sum.low + product.low - low_x * y;
        high = sum.high;
    }
    high + low
}

/// Adds `factor * row` to numbers in two parts, each (Knuth's sum and a product without error).
fn add_exactly(high: &mut [f64], low: &mut [f64], row: &[f64], factor: f64) {
    wide(
        #[inline(always)]
        || {
            for ((high, low), x) in high.iter_mut().zip(low).zip(row) {
                let product = Double::product(factor, *x);
                let sum = Double::sum(*high, product.high);
                let lost = sum.low + (product.low + *low);
                *high = sum.high + lost;
                *low = lost - (*high - sum.high);
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

/// Added and taken away again, it leaves multiples of `2^-23` of numbers up to 1.
const FIRST_BITS: f64 = 805_306_368.0;

/// Rows of `A` that one thread computes at a time; products are cut there whoever computes them.
const PANEL: usize = 64;

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
        let entry = |at: usize| Double { high: entry(at / n, at % n), low: 0.0 };
        let likeness: Vec<Double> = (0..n * n).map(entry).collect();
        let mut system = System::default();
        system.start(&likeness, 0.1, LikenessError::default());
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
