//! The matrix `W` `[m, n]`, by rows and by columns, with the norms that bounds are made of.

use std::ops::Range;

use crate::arithmetic::{
    Accumulator, add_columns, column_depth, columns_sum, dot_depth, dots, norm_above, to_float,
};
use crate::linear_transform::delta::{Layout, LinearSpec};

/// Entries that are not zero of a row or a column, ascending.
type Sparse = Vec<(u32, f32)>;

/// The matrix.
#[derive(Debug, Clone)]
pub(crate) struct Matrix {
    entries: Entries,
    n_rows: usize,
    n_columns: usize,
    /// Euclidean norm of each row, from above.
    row_norms: Vec<f64>,
    /// The largest of them.
    row_norm_max: f64,
    /// Largest absolute entry of each column, from above.
    column_max: Vec<f64>,
}

#[derive(Debug, Clone)]
enum Entries {
    Dense { by_row: Vec<f32>, by_column: Vec<f32> },
    Sparse { by_row: Vec<Sparse>, by_column: Vec<Sparse>, n_entries: usize },
}

impl Matrix {
    /// Zeros.
    pub(crate) fn new(spec: &LinearSpec) -> Self {
        let (n_rows, n_columns) = (spec.n_rows, spec.n_columns);
        let entries = match spec.layout {
            Layout::Dense => Entries::Dense {
                by_row: vec![0.0; n_rows * n_columns],
                by_column: vec![0.0; n_rows * n_columns],
            },
            Layout::Sparse => Entries::Sparse {
                by_row: vec![Vec::new(); n_rows],
                by_column: vec![Vec::new(); n_columns],
                n_entries: 0,
            },
        };
        Self {
            entries,
            n_rows,
            n_columns,
            row_norms: vec![0.0; n_rows],
            row_norm_max: 0.0,
            column_max: vec![0.0; n_columns],
        }
    }

    /// All entries by rows, if it is dense.
    pub(crate) fn dense(&self) -> Option<&[f32]> {
        match &self.entries {
            Entries::Dense { by_row, .. } => Some(by_row),
            Entries::Sparse { .. } => None,
        }
    }

    /// Entries that a product with one vector goes through.
    pub(crate) fn n_entries(&self) -> usize {
        match &self.entries {
            Entries::Dense { by_row, .. } => by_row.len(),
            Entries::Sparse { n_entries, .. } => *n_entries,
        }
    }

    /// Entries of these columns.
    pub(crate) fn n_entries_of(&self, columns: impl Iterator<Item = usize>) -> usize {
        match &self.entries {
            Entries::Dense { .. } => columns.count() * self.n_rows,
            Entries::Sparse { by_column, .. } => columns.map(|at| by_column[at].len()).sum(),
        }
    }

    /// The largest Euclidean norm of a row, from above: no output is larger than this times the
    /// norm of its vector.
    pub(crate) fn row_norm_max(&self) -> f64 {
        self.row_norm_max
    }

    /// The largest absolute entry of a column, from above.
    pub(crate) fn column_max(&self, column: usize) -> f64 {
        self.column_max[column]
    }

    /// Roundings that a term of [`Matrix::apply`] passes through.
    pub(crate) fn apply_depth(&self) -> usize {
        match &self.entries {
            Entries::Dense { .. } => dot_depth(self.n_columns).max(column_depth(self.n_columns)),
            Entries::Sparse { .. } => self.n_columns + 1,
        }
    }

    /// Roundings that a term of [`Matrix::add_columns`] passes through.
    pub(crate) fn columns_depth(&self, n_columns: usize) -> usize {
        match &self.entries {
            Entries::Dense { .. } => column_depth(n_columns),
            Entries::Sparse { .. } => n_columns + 2,
        }
    }

    /// These rows times `x` `[n]`, in `f64`.
    pub(crate) fn apply(&self, rows: Range<usize>, x: &[f32], out: &mut [f64]) {
        let n = self.n_columns;
        match &self.entries {
            Entries::Dense { by_row, .. } => {
                dots(&by_row[rows.start * n..rows.end * n], x, out);
            }
            Entries::Sparse { by_row, .. } => {
                for (row, out) in by_row[rows].iter().zip(out) {
                    *out =
                        row.iter().map(|(at, w)| f64::from(*w) * f64::from(x[*at as usize])).sum();
                }
            }
        }
    }

    /// The same for many rows and one vector, in another order.
    pub(crate) fn apply_long(&self, rows: Range<usize>, x: &[f32], out: &mut [f64]) {
        match &self.entries {
            Entries::Dense { by_column, .. } => {
                columns_sum(by_column, x, (rows.start, self.n_rows), out);
            }
            Entries::Sparse { .. } => self.apply(rows, x, out),
        }
    }

    /// `y` `[m]` plus these columns, each times its factor.
    pub(crate) fn add_columns<A: Accumulator>(&self, y: &mut [A], terms: &[(usize, A)]) {
        match &self.entries {
            Entries::Dense { by_column, .. } => add_columns(y, by_column, terms),
            Entries::Sparse { by_column, .. } => {
                for (column, factor) in terms {
                    for (row, w) in &by_column[*column] {
                        let y = &mut y[*row as usize];
                        *y = *y + A::of_single(*w) * *factor;
                    }
                }
            }
        }
    }

    /// These columns of a dense matrix, one after another.
    pub(crate) fn columns(&self, columns: &[usize]) -> Vec<f32> {
        match &self.entries {
            Entries::Dense { by_column, .. } => {
                let column = |at: &usize| &by_column[at * self.n_rows..][..self.n_rows];
                columns.iter().flat_map(column).copied().collect()
            }
            Entries::Sparse { .. } => Vec::new(),
        }
    }

    /// A row, with its zeros.
    pub(crate) fn row(&self, row: usize) -> Vec<f32> {
        match &self.entries {
            Entries::Dense { by_row, .. } => {
                by_row[row * self.n_columns..][..self.n_columns].to_vec()
            }
            Entries::Sparse { by_row, .. } => {
                let mut whole = vec![0.0; self.n_columns];
                by_row[row].iter().for_each(|(at, w)| whole[*at as usize] = *w);
                whole
            }
        }
    }

    /// The entries of a row of a sparse matrix.
    pub(crate) fn sparse_row(&self, row: usize) -> &[(u32, f32)] {
        match &self.entries {
            Entries::Dense { .. } => &[],
            Entries::Sparse { by_row, .. } => &by_row[row],
        }
    }

    /// Puts a row in the place of another. Cost: O(n) words, apart from each other.
    pub(crate) fn set_row(&mut self, row: usize, weights: &[f32]) {
        match &mut self.entries {
            Entries::Dense { by_row, by_column } => {
                by_row[row * self.n_columns..][..self.n_columns].copy_from_slice(weights);
                for (column, w) in weights.iter().enumerate() {
                    by_column[column * self.n_rows + row] = *w;
                }
            }
            Entries::Sparse { by_row, by_column, n_entries } => {
                let place = u32::try_from(row).expect("sides are below 2^24");
                for (at, _) in &by_row[row] {
                    let column = &mut by_column[*at as usize];
                    if let Ok(found) = column.binary_search_by_key(&place, |(row, _)| *row) {
                        column.remove(found);
                    }
                }
                *n_entries -= by_row[row].len();
                by_row[row] =
                    (0_u32..).zip(weights.iter().copied()).filter(|e| e.1 != 0.0).collect();
                *n_entries += by_row[row].len();
                for (at, w) in &by_row[row] {
                    let column = &mut by_column[*at as usize];
                    let to = column.partition_point(|(row, _)| *row < place);
                    column.insert(to, (place, *w));
                }
            }
        }
        for (most, w) in self.column_max.iter_mut().zip(weights) {
            *most = most.max(f64::from(w.abs()));
        }
        let old = std::mem::replace(&mut self.row_norms[row], norm_above(weights));
        if self.row_norm_max <= old {
            self.row_norm_max = self.row_norms.iter().copied().fold(0.0, f64::max);
        }
        self.row_norm_max = self.row_norm_max.max(self.row_norms[row]);
    }

    /// Bytes that it takes.
    pub(crate) fn state_bytes(&self) -> usize {
        2 * size_of::<(u32, f32)>() * self.n_entries() + 8 * (self.n_rows + self.n_columns)
    }

    /// What [`Matrix::set_row`] grew and cannot shrink again, for a snapshot.
    pub(crate) fn column_maxima(&self) -> &[f64] {
        &self.column_max
    }

    /// Puts back what a snapshot had.
    pub(crate) fn set_column_maxima(&mut self, column_max: Vec<f64>) {
        self.column_max = column_max;
    }

    /// How far a fresh output of a vector of this norm is off, before it is kept.
    pub(crate) fn apply_error(&self, norm: f64) -> f64 {
        use crate::arithmetic::{ROUNDOFF, gamma};
        gamma(self.apply_depth(), ROUNDOFF) * self.row_norm_max * norm
    }

    /// Words that a step moves for a row of weights.
    pub(crate) fn row_work(&self) -> u64 {
        2 * self.n_columns as u64
    }

    /// The mean entries of a column, for predictions.
    pub(crate) fn column_mean(&self) -> f64 {
        to_float(self.n_entries()) / to_float(self.n_columns)
    }
}
