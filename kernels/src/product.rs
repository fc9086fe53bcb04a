//! Products of dense matrices, rows after one another, on one thread.

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
    let out = MatMut::from_row_major_slice_mut(out, a.cols, b.cols);
    matmul(out, Accum::Add, a.view().transpose(), b.view(), 1.0, Par::Seq);
}

/// `a b^T` into `out`.
pub(crate) fn product_transposed(out: &mut [f64], a: Matrix<'_>, b: Matrix<'_>) {
    let out = MatMut::from_row_major_slice_mut(out, a.rows, b.rows);
    matmul(out, Accum::Replace, a.view(), b.view().transpose(), 1.0, Par::Seq);
}
