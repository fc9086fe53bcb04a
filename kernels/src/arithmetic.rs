//! Loops over arrays that kernels share, and how far rounding may take them.
//!
//! The loops sum in an order that is written down, so they give the same bits on every machine; the
//! widest vectors that the machine has are found at run time. [`product`] is faer's, whose order
//! depends on the vectors of the machine, but not on how rows and columns are cut into blocks.

#![expect(
    clippy::inline_always,
    reason = "loops are compiled for the vectors they are dispatched to"
)]
#![expect(
    clippy::many_single_char_names,
    reason = "arrays and shapes have the letters of the formulas"
)]

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use pulp::Arch;

/// The unit roundoff of `f64`, u.
pub(crate) const ROUNDOFF: f64 = f64::EPSILON / 2.0;

/// The unit roundoff of `f32`.
pub(crate) const ROUNDOFF_SINGLE: f64 = f32::EPSILON as f64 / 2.0;

/// What a product of two `f32` loses at most where it underflows.
pub(crate) const UNDERFLOW_SINGLE: f64 = 1.5e-45;

/// Sums that a row's dot product is made of.
const LANES: usize = 16;

/// Entries below which a second thread costs more than it does.
const SHARED_MIN: usize = 1 << 17;

/// Threads that a kernel may compute on: one when it shares the machine with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// The caller's alone.
    One,
    /// Those of rayon's pool.
    Pool,
}

impl Threads {
    fn count(self, n_entries: usize) -> usize {
        match self {
            Self::Pool if SHARED_MIN <= n_entries => rayon::current_num_threads(),
            Self::One | Self::Pool => 1,
        }
    }
}

/// `n u / (1 - n u)`, rounded up: Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd
/// ed., section 3.1. A sum in any order whose every term passes through at most `n` roundings is
/// off by at most this times the sum of the absolute terms.
pub(crate) fn gamma(n: usize, roundoff: f64) -> f64 {
    let product = to_float(n) * roundoff;
    if product < 0.5 { 1.000_001 * product / (1.0 - product) } else { f64::INFINITY }
}

/// Roundings that a term of [`dots`] passes through, for rows of this length.
pub(crate) fn dot_depth(n: usize) -> usize {
    n / LANES + 2 * LANES + 1
}

/// Roundings that a term of [`add_columns`] passes through, for this many columns.
pub(crate) fn column_depth(n_columns: usize) -> usize {
    n_columns.div_ceil(GROUP) + GROUP + 2
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub(crate) fn to_float(count: usize) -> f64 {
    count as f64
}

/// The largest absolute entry.
pub(crate) fn largest<A: Accumulator>(numbers: &[A]) -> f64 {
    Arch::new().dispatch(|| largest_of(numbers))
}

#[inline(always)]
fn largest_of<A: Accumulator>(numbers: &[A]) -> f64 {
    let mut most = [A::default(); 32];
    let chunks = numbers.chunks_exact(32);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (most, number) in most.iter_mut().zip(chunk) {
            *most = most.larger(*number);
        }
    }
    most.iter().chain(rest).fold(0.0, |most, number| {
        let number = number.wide().abs();
        // Not `max`, which passes over what is no number.
        if number <= most { most } else { number }
    })
}

/// Where outputs are kept: `f32` moves half the bytes, `f64` drifts 2^29 times less.
pub(crate) trait Accumulator: Copy + Send + Sync + Default + PartialEq {
    fn of(number: f64) -> Self;
    fn of_single(number: f32) -> Self;
    fn wide(self) -> f64;
    /// The larger of this, which is not negative, and the other's size.
    fn larger(self, other: Self) -> Self;
    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
}

impl Accumulator for f64 {
    #[inline(always)]
    fn of(number: f64) -> Self {
        number
    }

    #[inline(always)]
    fn of_single(number: f32) -> Self {
        Self::from(number)
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }

    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        if other.abs() <= self { self } else { other.abs() }
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self + other
    }

    #[inline(always)]
    fn times(self, other: Self) -> Self {
        self * other
    }
}

impl Accumulator for f32 {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
    fn of(number: f64) -> Self {
        number as f32
    }

    #[inline(always)]
    fn of_single(number: f32) -> Self {
        number
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        if other.abs() <= self { self } else { other.abs() }
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self + other
    }

    #[inline(always)]
    fn times(self, other: Self) -> Self {
        self * other
    }
}

/// Dot products of `rows` `[k, n]` with `x` `[n]`, in `f64`: `out` `[k]`. Every product of an `f32`
/// with an `f32` in `x` is exact; each is off by at most `gamma(dot_depth(n)) |row| |x|`.
/// Cost: O(k n), at the speed of the memory.
pub(crate) fn dots(rows: &[f32], x: &[f64], out: &mut [f64], threads: Threads) {
    let (n, k) = (x.len(), out.len());
    if n == 0 || k == 0 {
        return out.fill(0.0);
    }
    let n_threads = threads.count(rows.len());
    if n_threads == 1 {
        return Arch::new().dispatch(|| dots_of(rows, x, out));
    }
    // A multiple of the rows that are taken together.
    let part = k.div_ceil(n_threads).next_multiple_of(4);
    rayon::scope(|scope| {
        for (rows, out) in rows.chunks(part * n).zip(out.chunks_mut(part)) {
            scope.spawn(move |_| Arch::new().dispatch(|| dots_of(rows, x, out)));
        }
    });
}

#[inline(always)]
fn dots_of(rows: &[f32], x: &[f64], out: &mut [f64]) {
    let n = x.len();
    for (rows, out) in rows.chunks(4 * n).zip(out.chunks_mut(4)) {
        if let [first, second, third, fourth] = out {
            let (a, rest) = rows.split_at(n);
            let (b, rest) = rest.split_at(n);
            let (c, d) = rest.split_at(n);
            [*first, *second, *third, *fourth] = four_dots([a, b, c, d], x);
        } else {
            for (row, out) in rows.chunks(n).zip(out) {
                *out = four_dots([row, &[], &[], &[]], x)[0];
            }
        }
    }
}

/// Up to four rows at once, so that `x` is read once for them; rows that are empty are skipped.
#[inline(always)]
fn four_dots(rows: [&[f32]; 4], x: &[f64]) -> [f64; 4] {
    let whole = x.len() - x.len() % LANES;
    let mut sums = [[0.0_f64; LANES]; 4];
    if rows[1].is_empty() {
        let [sum, _, _, _] = &mut sums;
        for (x, a) in x.chunks_exact(LANES).zip(rows[0].chunks_exact(LANES)) {
            for lane in 0..LANES {
                sum[lane] += f64::from(a[lane]) * x[lane];
            }
        }
    } else {
        let chunks = rows.map(|row| row.chunks_exact(LANES));
        let [a, b, c, d] = chunks;
        for ((((x, a), b), c), d) in x.chunks_exact(LANES).zip(a).zip(b).zip(c).zip(d) {
            for lane in 0..LANES {
                sums[0][lane] += f64::from(a[lane]) * x[lane];
                sums[1][lane] += f64::from(b[lane]) * x[lane];
                sums[2][lane] += f64::from(c[lane]) * x[lane];
                sums[3][lane] += f64::from(d[lane]) * x[lane];
            }
        }
    }
    let mut totals = [0.0; 4];
    for ((total, sums), row) in totals.iter_mut().zip(sums).zip(rows) {
        *total = sums.iter().sum();
        if !row.is_empty() {
            for (a, x) in row[whole..].iter().zip(&x[whole..]) {
                *total += f64::from(*a) * x;
            }
        }
    }
    totals
}

/// Columns that are added to `y` in one walk over it.
const GROUP: usize = 8;

/// `y` `[m]` plus the columns `picks` of `columns` (`[_, m]`, a column after the other) times
/// `factors`. Off by at most `gamma(column_depth(c))` times the sum of the absolute terms, `y`
/// included. Cost: O(c m).
pub(crate) fn add_columns<A: Accumulator>(
    y: &mut [A],
    columns: &[f32],
    terms: &[(usize, A)],
    threads: Threads,
) {
    let m = y.len();
    let n_threads = threads.count(m * terms.len());
    if n_threads == 1 || m == 0 {
        return Arch::new().dispatch(|| add_columns_at(y, columns, terms, (0, m)));
    }
    let part = m.div_ceil(n_threads);
    rayon::scope(|scope| {
        for (at, y) in y.chunks_mut(part).enumerate() {
            let place = (at * part, m);
            scope.spawn(move |_| {
                Arch::new().dispatch(|| add_columns_at(y, columns, terms, place));
            });
        }
    });
}

/// The part of the columns, which are `m` long, that begins at `start`.
#[inline(always)]
fn add_columns_at<A: Accumulator>(
    y: &mut [A],
    columns: &[f32],
    terms: &[(usize, A)],
    (start, m): (usize, usize),
) {
    let len = y.len();
    let column = |term: &(usize, A)| &columns[term.0 * m + start..][..len];
    let mut groups = terms.chunks_exact(GROUP);
    for g in &mut groups {
        let c: [&[f32]; GROUP] = std::array::from_fn(|at| column(&g[at]));
        let f: [A; GROUP] = std::array::from_fn(|at| g[at].1);
        for (i, y) in y.iter_mut().enumerate() {
            let low = times(c[0][i], f[0]).plus(times(c[1][i], f[1]));
            let low = low.plus(times(c[2][i], f[2]).plus(times(c[3][i], f[3])));
            let high = times(c[4][i], f[4]).plus(times(c[5][i], f[5]));
            let high = high.plus(times(c[6][i], f[6]).plus(times(c[7][i], f[7])));
            *y = y.plus(low.plus(high));
        }
    }
    let mut rest = groups.remainder().chunks_exact(4);
    for g in &mut rest {
        let c: [&[f32]; 4] = std::array::from_fn(|at| column(&g[at]));
        for (i, y) in y.iter_mut().enumerate() {
            let low = times(c[0][i], g[0].1).plus(times(c[1][i], g[1].1));
            *y = y.plus(low.plus(times(c[2][i], g[2].1).plus(times(c[3][i], g[3].1))));
        }
    }
    for term in rest.remainder() {
        for (y, a) in y.iter_mut().zip(column(term)) {
            *y = y.plus(times(*a, term.1));
        }
    }
}

#[inline(always)]
fn times<A: Accumulator>(number: f32, factor: A) -> A {
    A::of_single(number).times(factor)
}

/// A block of a product of matrices: `out` `[l, m]` is `x` `[l, n]` times `w` `[m, n]` transposed.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    /// All of `x`, rows of `n`.
    pub(crate) x: &'a [f32],
    /// All of `w`, rows of `n`.
    pub(crate) w: &'a [f32],
    /// All of the output, rows of `m`.
    pub(crate) out: &'a mut [f32],
    /// Length of the rows of `x` and `w`.
    pub(crate) n: usize,
    /// First row of `x` of the block, and how many.
    pub(crate) left: (usize, usize),
    /// First row of `w` of the block, and how many.
    pub(crate) right: (usize, usize),
}

/// Computes the block, in `f32`. Every entry is off by at most `gamma(n + 2, ROUNDOFF_SINGLE)
/// |x_row| |w_row|` and `n` underflows. Cost: 2 l m n operations.
pub(crate) fn product(block: &mut Block<'_>, threads: Threads) {
    let n = block.n;
    let (l, m) = (block.x.len() / n.max(1), block.w.len() / n.max(1));
    let x = MatRef::from_row_major_slice(block.x, l, n).subrows(block.left.0, block.left.1);
    let w = MatRef::from_row_major_slice(block.w, m, n).subrows(block.right.0, block.right.1);
    let out = MatMut::from_row_major_slice_mut(block.out, l, m).submatrix_mut(
        block.left.0,
        block.right.0,
        block.left.1,
        block.right.1,
    );
    let par = match threads {
        Threads::One => Par::Seq,
        Threads::Pool => Par::rayon(0),
    };
    matmul(out, Accum::Replace, x, w.transpose(), 1.0, par);
}

/// Adds a product of small inner length: `out` `[l, m]` plus `factors` `[l, c]` times `columns`
/// `[c, m]`, in `f32`. Every entry is off by at most `gamma(c + 2, ROUNDOFF_SINGLE)` times the sum
/// of the absolute terms, and `c` underflows. Cost: 2 c l m operations.
pub(crate) fn add_product(
    out: &mut [f32],
    factors: &[f32],
    columns: &[f32],
    (l, m): (usize, usize),
    threads: Threads,
) {
    let c = columns.len() / m.max(1);
    let par = match threads {
        Threads::One => Par::Seq,
        Threads::Pool => Par::rayon(0),
    };
    matmul(
        MatMut::from_row_major_slice_mut(out, l, m),
        Accum::Add,
        MatRef::from_row_major_slice(factors, l, c),
        MatRef::from_row_major_slice(columns, c, m),
        1.0,
        par,
    );
}

/// A dot product whose sum is carried in two numbers (Ogita, Rump and Oishi, *Accurate sum and dot
/// product*): the products are exact, since both factors are `f32`. Off by at most
/// `u |sum| + gamma(n)^2 |a| |b|`.
pub(crate) fn compensated_dot(a: &[f32], b: &[f32]) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for (a, b) in a.iter().zip(b) {
        let term = f64::from(*a) * f64::from(*b);
        let next = sum + term;
        let back = next - sum;
        lost += (sum - (next - back)) + (term - back);
        sum = next;
    }
    sum + lost
}

/// The square of the Euclidean norm, in `f64`.
pub(crate) fn square_norm(numbers: &[f32]) -> f64 {
    numbers.iter().map(|number| f64::from(*number) * f64::from(*number)).sum()
}

/// The Euclidean norm, from above.
pub(crate) fn norm_above(numbers: &[f32]) -> f64 {
    (square_norm(numbers) * (1.0 + gamma(numbers.len() + 1, ROUNDOFF))).sqrt()
        * (1.0 + 4.0 * ROUNDOFF)
}

/// The numbers in double precision.
pub(crate) fn widened(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().copied().map(f64::from).collect()
}
