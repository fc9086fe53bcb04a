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

use std::ops::{Add, Mul};

use faer::linalg::matmul::matmul;
use faer::reborrow::ReborrowMut;
use faer::{Accum, MatMut, MatRef, Par};
use pulp::{Arch, Simd, WithSimd};

use crate::threads::{n_threads, par, share};

/// The unit roundoff of `f64`, u.
pub(crate) const ROUNDOFF: f64 = f64::EPSILON / 2.0;

/// The unit roundoff of `f32`.
pub(crate) const ROUNDOFF_SINGLE: f64 = f32::EPSILON as f64 / 2.0;

/// What a product of two `f32` loses at most where it underflows.
pub(crate) const UNDERFLOW_SINGLE: f64 = 1.5e-45;

/// Sums that a row's dot product is made of.
const LANES: usize = 16;

/// Entries below which a second thread costs more than it does.
const SHARED_MIN: usize = 1 << 19;

/// Threads that share work on so many entries.
fn n_shares(n_entries: usize) -> usize {
    if SHARED_MIN <= n_entries { n_threads() } else { 1 }
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
    let rest = n_columns % GROUP;
    // A term of a group is added up within it; a single one is not.
    let within = if n_columns < 4 { 0 } else { 5 };
    n_columns / GROUP + rest / 4 + rest % 4 + within + 1
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub(crate) fn to_float(count: usize) -> f64 {
    count as f64
}

/// The largest absolute entry.
pub(crate) fn largest<A: Accumulator>(numbers: &[A]) -> f64 {
    Arch::new().dispatch(Largest(numbers))
}

struct Largest<'a, A>(&'a [A]);

impl<A: Accumulator> WithSimd for Largest<'_, A> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        largest_of(self.0)
    }
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
pub(crate) trait Accumulator:
    Copy + Send + Sync + Default + PartialEq + Add<Output = Self> + Mul<Output = Self>
{
    /// This times another, plus a third, rounded once.
    fn times_plus(self, factor: Self, sum: Self) -> Self;
    fn of(number: f64) -> Self;
    fn of_single(number: f32) -> Self;
    fn wide(self) -> f64;
    /// The larger of this, which is not negative, and the other's size.
    fn larger(self, other: Self) -> Self;
}

impl Accumulator for f64 {
    #[inline(always)]
    fn times_plus(self, factor: Self, sum: Self) -> Self {
        self.mul_add(factor, sum)
    }

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
}

impl Accumulator for f32 {
    #[inline(always)]
    fn times_plus(self, factor: Self, sum: Self) -> Self {
        self.mul_add(factor, sum)
    }

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
}

/// Dot products of `rows` `[k, n]` with `x` `[n]`, in `f64`: `out` `[k]`. Every product of an `f32`
/// with an `f32` is exact; each sum is off by at most `gamma(dot_depth(n)) |row| |x|`.
/// Cost: O(k n), at the speed of the memory.
pub(crate) fn dots<X: Accumulator>(rows: &[f32], x: &[X], out: &mut [f64]) {
    let (n, k) = (x.len(), out.len());
    if n == 0 || k == 0 {
        return out.fill(0.0);
    }
    let n_threads = n_shares(rows.len());
    if n_threads == 1 {
        return Arch::new().dispatch(Dots { rows, x, out });
    }
    let part = k.div_ceil(n_threads);
    rayon::scope(|scope| {
        for (rows, out) in rows.chunks(part * n).zip(out.chunks_mut(part)) {
            scope.spawn(move |_| Arch::new().dispatch(Dots { rows, x, out }));
        }
    });
}

/// [`dots`] on one thread. A type and no closure, since closures are not compiled for the vectors
/// that they are dispatched to.
struct Dots<'a, X> {
    rows: &'a [f32],
    x: &'a [X],
    out: &'a mut [f64],
}

impl<X: Accumulator> WithSimd for Dots<'_, X> {
    type Output = ();

    /// One row after another: several at once lie at equal places of the cache where `n` is a
    /// power of two.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { rows, x, out } = self;
        for (row, out) in rows.chunks_exact(x.len()).zip(out) {
            *out = dot(row, x);
        }
    }
}

/// One dot product, in twice [`LANES`] sums: as many as a machine adds to before the first is done.
#[inline(always)]
fn dot<X: Accumulator>(row: &[f32], x: &[X]) -> f64 {
    let mut sums = [0.0_f64; 2 * LANES];
    let (whole, rest) = row.as_chunks::<{ 2 * LANES }>();
    let (x_whole, x_rest) = x.as_chunks::<{ 2 * LANES }>();
    for (a, x) in whole.iter().zip(x_whole) {
        for lane in 0..2 * LANES {
            sums[lane] = f64::from(a[lane]).mul_add(x[lane].wide(), sums[lane]);
        }
    }
    let last: f64 = rest.iter().zip(x_rest).map(|(a, x)| f64::from(*a) * x.wide()).sum();
    let (low, high) = sums.split_at_mut(LANES);
    for (low, high) in low.iter_mut().zip(high) {
        *low += *high;
    }
    low.iter().sum::<f64>() + last
}

/// How two vectors differ: entries that do, the largest difference, and the sum of the squares,
/// which is off by at most `gamma(dot_depth(n) + 2)` of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Difference {
    pub(crate) n_changed: usize,
    pub(crate) most: f64,
    pub(crate) square: f64,
}

/// Compares vectors of one length.
pub(crate) fn difference(new: &[f32], old: &[f32]) -> Difference {
    Arch::new().dispatch(Compare { new, old })
}

struct Compare<'a> {
    new: &'a [f32],
    old: &'a [f32],
}

impl WithSimd for Compare<'_> {
    type Output = Difference;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Difference {
        let mut counts = [0_u32; LANES];
        let mut most = [0.0_f64; LANES];
        let mut squares = [0.0_f64; LANES];
        let (new, new_rest) = self.new.as_chunks::<LANES>();
        let (old, old_rest) = self.old.as_chunks::<LANES>();
        for (new, old) in new.iter().zip(old) {
            for lane in 0..LANES {
                let change = (f64::from(new[lane]) - f64::from(old[lane])).abs();
                counts[lane] += u32::from(new[lane].to_bits() != old[lane].to_bits());
                most[lane] = if change <= most[lane] { most[lane] } else { change };
                squares[lane] += change * change;
            }
        }
        let mut found = Difference { n_changed: 0, most: 0.0, square: squares.iter().sum() };
        for (new, old) in new_rest.iter().zip(old_rest) {
            let change = (f64::from(*new) - f64::from(*old)).abs();
            found.n_changed += usize::from(new.to_bits() != old.to_bits());
            found.most = found.most.max(change);
            found.square += change * change;
        }
        found.n_changed += counts.iter().map(|count| *count as usize).sum::<usize>();
        found.most = most.iter().fold(found.most, |a, b| a.max(*b));
        found
    }
}

/// Columns that are added to `y` in one walk over it.
const GROUP: usize = 8;

/// `y` `[m]` plus the columns `picks` of `columns` (`[_, m]`, a column after the other) times
/// `factors`. Off by at most `gamma(column_depth(c))` times the sum of the absolute terms, `y`
/// included. Cost: O(c m).
pub(crate) fn add_columns<A: Accumulator>(y: &mut [A], columns: &[f32], terms: &[(usize, A)]) {
    let m = y.len();
    let n_threads = n_shares(m * terms.len());
    if n_threads == 1 || m == 0 {
        return Arch::new().dispatch(AddColumns { y, columns, terms, start: 0, m });
    }
    let part = m.div_ceil(n_threads);
    rayon::scope(|scope| {
        for (at, y) in y.chunks_mut(part).enumerate() {
            let start = at * part;
            scope.spawn(move |_| {
                Arch::new().dispatch(AddColumns { y, columns, terms, start, m });
            });
        }
    });
}

/// All columns, each times its factor, in the rows from `start` on: `out` becomes it. What [`dots`]
/// gives, in another order: eight columns at once come faster from memory than one row, and `out`
/// stays in the cache. Off by at most `gamma(column_depth(n)) |row| |x|`.
pub(crate) fn columns_sum(columns: &[f32], x: &[f32], (start, m): (usize, usize), out: &mut [f64]) {
    out.fill(0.0);
    let terms: Vec<(usize, f64)> = x.iter().copied().map(f64::from).enumerate().collect();
    let n_threads = n_shares(out.len() * x.len());
    let part = out.len().div_ceil(n_threads).max(1);
    let terms = terms.as_slice();
    if n_threads == 1 {
        return Arch::new().dispatch(AddColumns { y: out, columns, terms, start, m });
    }
    rayon::scope(|scope| {
        for (at, y) in out.chunks_mut(part).enumerate() {
            let start = start + at * part;
            scope.spawn(move |_| {
                Arch::new().dispatch(AddColumns { y, columns, terms, start, m });
            });
        }
    });
}

/// The part of the columns, which are `m` long, that begins at `start`.
struct AddColumns<'a, A> {
    y: &'a mut [A],
    columns: &'a [f32],
    terms: &'a [(usize, A)],
    start: usize,
    m: usize,
}

impl<A: Accumulator> WithSimd for AddColumns<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { y, columns, terms, start, m } = self;
        add_columns_at(y, columns, terms, (start, m));
    }
}

#[inline(always)]
fn add_columns_at<A: Accumulator>(
    y: &mut [A],
    columns: &[f32],
    terms: &[(usize, A)],
    (start, m): (usize, usize),
) {
    let len = y.len();
    let place = Place { columns, start, m, len };
    let mut groups = terms.chunks_exact(GROUP);
    for g in &mut groups {
        let c: [&[f32]; GROUP] = std::array::from_fn(|at| place.column(g[at].0));
        let f: [A; GROUP] = std::array::from_fn(|at| g[at].1);
        for (i, y) in y.iter_mut().enumerate() {
            let low = times_plus(c[1][i], f[1], times(c[0][i], f[0]));
            let low = times_plus(c[3][i], f[3], times_plus(c[2][i], f[2], low));
            let high = times_plus(c[5][i], f[5], times(c[4][i], f[4]));
            let high = times_plus(c[7][i], f[7], times_plus(c[6][i], f[6], high));
            *y = *y + (low + high);
        }
    }
    let mut rest = groups.remainder().chunks_exact(4);
    for g in &mut rest {
        let c: [&[f32]; 4] = std::array::from_fn(|at| place.column(g[at].0));
        for (i, y) in y.iter_mut().enumerate() {
            let low = times_plus(c[1][i], g[1].1, times(c[0][i], g[0].1));
            *y = *y + times_plus(c[3][i], g[3].1, times_plus(c[2][i], g[2].1, low));
        }
    }
    for term in rest.remainder() {
        for (y, a) in y.iter_mut().zip(place.column(term.0)) {
            *y = times_plus(*a, term.1, *y);
        }
    }
}

/// Where the parts of columns lie.
struct Place<'a> {
    columns: &'a [f32],
    start: usize,
    m: usize,
    len: usize,
}

impl<'a> Place<'a> {
    #[inline(always)]
    fn column(&self, at: usize) -> &'a [f32] {
        &self.columns[at * self.m + self.start..][..self.len]
    }
}

#[inline(always)]
fn times<A: Accumulator>(number: f32, factor: A) -> A {
    A::of_single(number) * factor
}

#[inline(always)]
fn times_plus<A: Accumulator>(number: f32, factor: A, sum: A) -> A {
    A::of_single(number).times_plus(factor, sum)
}

/// Does something with each output of `y`, which are `m` long, and gives what it gives. The outputs
/// are shared out among the threads, each to one.
pub(crate) fn each_output<A: Accumulator>(
    y: &mut [A],
    m: usize,
    run: &(dyn Fn(usize, &mut [A]) -> f64 + Sync),
) -> Vec<f64> {
    let mut found = vec![0.0; y.len() / m];
    let n_threads = n_shares(y.len());
    let part = found.len().div_ceil(n_threads).max(1);
    let each = |first: usize, y: &mut [A], found: &mut [f64]| {
        for (at, (y, found)) in y.chunks_exact_mut(m).zip(found).enumerate() {
            *found = run(first + at, y);
        }
    };
    if n_threads == 1 {
        each(0, y, &mut found);
        return found;
    }
    rayon::scope(|scope| {
        let parts = y.chunks_mut(part * m).zip(found.chunks_mut(part));
        for (at, (y, found)) in parts.enumerate() {
            let each = &each;
            scope.spawn(move |_| each(at * part, y, found));
        }
    });
    found
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

/// Roundings that a term of [`product`] passes through, for rows of this length.
pub(crate) fn product_depth(n: usize) -> usize {
    n.min(product_part(n)) + n.div_ceil(product_part(n)) + 2
}

/// Terms that are summed before they are added to what was summed: the longer, the fewer walks over
/// the output, and the looser the bound.
fn product_part(n: usize) -> usize {
    if n <= 128 { 32 } else { 512 }
}

/// Computes the block, in `f32`. Every entry is off by at most `gamma(product_depth(n),
/// ROUNDOFF_SINGLE) |x_row| |w_row|` and `n` underflows. Cost: 2 l m n operations.
pub(crate) fn product(block: &mut Block<'_>) {
    let n = block.n;
    let (l, m) = (block.x.len() / n.max(1), block.w.len() / n.max(1));
    let x = MatRef::from_row_major_slice(block.x, l, n).subrows(block.left.0, block.left.1);
    let w = MatRef::from_row_major_slice(block.w, m, n).subrows(block.right.0, block.right.1);
    let mut out = MatMut::from_row_major_slice_mut(block.out, l, m).submatrix_mut(
        block.left.0,
        block.right.0,
        block.left.1,
        block.right.1,
    );
    let mut start = 0;
    while start < n {
        let len = product_part(n).min(n - start);
        let accum = if start == 0 { Accum::Replace } else { Accum::Add };
        let (x, w) = (x.subcols(start, len), w.subcols(start, len));
        matmul(out.rb_mut(), accum, x, w.transpose(), 1.0, par());
        start += len;
    }
}

/// Adds a product of small inner length: `out` `[l, m]` plus `factors` `[l, c]` times `columns`
/// `[c, m]`, in `f32`; the largest entry of each row of `out`. Every entry is off by at most
/// `gamma(c + 2, ROUNDOFF_SINGLE)` times the sum of the absolute terms, and `c` underflows. Blocks
/// of rows are shared among the threads, which takes half the time of one product that is.
/// Cost: 2 c l m operations.
pub(crate) fn add_product(out: &mut [f32], factors: &[f32], columns: &[f32], m: usize) -> Vec<f64> {
    let c = columns.len() / m.max(1);
    let (mut blocks, mut rest) = (Vec::new(), (out, factors));
    while !rest.0.is_empty() {
        let l = rest.1.len() / c;
        // A last block of a single row would be a product of another kind, with other bits.
        let n_rows = if l < 2 * BLOCK_ROWS { l } else { BLOCK_ROWS };
        let (out, factors) = (rest.0.split_at_mut(n_rows * m), rest.1.split_at(n_rows * c));
        blocks.push((n_rows, out.0, factors.0));
        rest = (out.1, factors.1);
    }
    let columns = MatRef::from_row_major_slice(columns, c, m);
    let most = share(blocks, |_, (n_rows, out, factors)| {
        let factors = MatRef::from_row_major_slice(factors, n_rows, c);
        let sums = MatMut::from_row_major_slice_mut(out, n_rows, m);
        matmul(sums, Accum::Add, factors, columns, 1.0, Par::Seq);
        out.chunks_exact(m).map(largest).collect::<Vec<f64>>()
    });
    most.into_iter().flatten().collect()
}

/// Rows of a product that are computed at a time: what is written to stays in the shared cache.
const BLOCK_ROWS: usize = 128;

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

/// The square of the Euclidean norm, in `f64`; off by at most `gamma(dot_depth(n))` of itself.
pub(crate) fn square_norm<X: Accumulator>(numbers: &[X]) -> f64 {
    Arch::new().dispatch(Square(numbers))
}

struct Square<'a, X>(&'a [X]);

impl<X: Accumulator> WithSimd for Square<'_, X> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let mut sums = [0.0_f64; LANES];
        let (whole, rest) = self.0.as_chunks::<LANES>();
        for chunk in whole {
            for lane in 0..LANES {
                let number = chunk[lane].wide();
                sums[lane] += number * number;
            }
        }
        let last: f64 = rest.iter().map(|number| number.wide() * number.wide()).sum();
        sums.iter().sum::<f64>() + last
    }
}

/// The Euclidean norm, from above.
pub(crate) fn norm_above(numbers: &[f32]) -> f64 {
    (square_norm(numbers) * (1.0 + gamma(dot_depth(numbers.len()), ROUNDOFF))).sqrt()
        * (1.0 + 4.0 * ROUNDOFF)
}

/// The numbers in double precision.
pub(crate) fn widened(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().copied().map(f64::from).collect()
}
