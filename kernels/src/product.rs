//! Products of dense matrices, rows after one another, on one thread.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// A matrix `[rows, cols]`, one row after another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) data: &'a [f64],
}

impl<'a> Matrix<'a> {
    fn view(self) -> MatRef<'a, f64> {
        MatRef::from_row_major_slice(self.data, self.rows, self.cols)
    }
}

/// `a b` into `out`.
pub(crate) fn product(out: &mut [f64], a: Matrix<'_>, b: Matrix<'_>) {
    let out = MatMut::from_row_major_slice_mut(out, a.rows, b.cols);
    matmul(out, Accum::Replace, a.view(), b.view(), 1.0, Par::Seq);
}

/// Adds `a b` to `out`.
pub(crate) fn add_product(out: &mut [f64], a: Matrix<'_>, b: Matrix<'_>) {
    let out = MatMut::from_row_major_slice_mut(out, a.rows, b.cols);
    matmul(out, Accum::Add, a.view(), b.view(), 1.0, Par::Seq);
}

/// Adds `a^T b` to `out`.
pub(crate) fn add_transposed_product(out: &mut [f64], a: Matrix<'_>, b: Matrix<'_>) {
    add_transposed_part(out, (a, 0..a.cols), b);
}

/// Adds `a^T b` to `out`, of some columns of `a` alone: `out` is `[n_columns, b.cols]`.
pub(crate) fn add_transposed_part(
    out: &mut [f64],
    (a, columns): (Matrix<'_>, Range<usize>),
    b: Matrix<'_>,
) {
    let out = MatMut::from_row_major_slice_mut(out, columns.len(), b.cols);
    let part = a.view().subcols(columns.start, columns.len());
    matmul(out, Accum::Add, part.transpose(), b.view(), 1.0, Par::Seq);
}

/// `a b^T` into `out`.
pub(crate) fn product_transposed(out: &mut [f64], a: Matrix<'_>, b: Matrix<'_>) {
    let out = MatMut::from_row_major_slice_mut(out, a.rows, b.rows);
    matmul(out, Accum::Replace, a.view(), b.view().transpose(), 1.0, Par::Seq);
}
