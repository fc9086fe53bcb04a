//! How one output follows: by columns that are added, anew, or by the basis.

#![expect(
    clippy::many_single_char_names,
    reason = "arrays and shapes have the letters of the formulas"
)]

use std::ops::Range;

use crate::arithmetic::{ROUNDOFF, add_product, each_output, gamma, largest, widened};
use crate::basis::remainder_norm;
use crate::kernel::Reuse;
use crate::linear_transform::LinearTransform;
use crate::linear_transform::vectors::{Added, Outputs, RAISE};

impl LinearTransform {
    /// Adds the changes of a vector's entries to its output; its work.
    pub(crate) fn add_terms(&mut self, place: usize, terms: &[(usize, f64)]) -> u64 {
        self.vectors.add_columns(place, &self.matrix, terms);
        let added = self.added(terms, self.matrix.columns_depth(terms.len()));
        let output_max = self.vectors.output_max(place);
        self.vectors.added(place, &added, output_max);
        2 * self.matrix.n_entries_of(terms.iter().map(|term| term.0)) as u64
    }

    /// What bounds need to know of terms.
    pub(crate) fn added(&self, terms: &[(usize, f64)], depth: usize) -> Added {
        let (mut sum, mut square) = (0.0, 0.0);
        for (column, change) in terms {
            sum += self.matrix.column_max(*column) * change.abs();
            square += change * change;
        }
        let row_norm = self.matrix.row_norm_max();
        Added { n_columns: terms.len(), sum, square, depth, row_norm }
    }

    /// An output was computed anew, in `f64` and then rounded to what it is kept in.
    pub(crate) fn applied(&mut self, place: usize) {
        let error = self.matrix.apply_error(self.vectors.states[place].norm());
        self.vectors.put(place, error);
    }

    /// Computes an output anew; its work.
    pub(crate) fn apply_whole(&mut self, place: usize) -> u64 {
        let x = self.vectors.vector(place);
        let mut y = vec![0.0; self.spec.n_rows];
        self.matrix.apply_long(0..self.spec.n_rows, x, &mut y);
        self.vectors.put_output(place, 0, &y);
        self.applied(place);
        2 * self.matrix.n_entries() as u64
    }

    /// An output by the basis if that is within `error_max`, else by what is left of the vector,
    /// which the basis learns; and its work.
    pub(crate) fn reduce(&mut self, place: usize, error_max: f64) -> (Reuse, u64) {
        let (m, n) = (self.spec.n_rows, self.spec.n_columns);
        let x = self.vectors.vector(place);
        let row_norm = self.matrix.row_norm_max();
        let mut projection = self.basis.project(x);
        let mut y = vec![0.0; m];
        let image_error = self.basis.image(&projection, &mut y);
        let mut work = 2 * (self.basis.rank() * (m + n)) as u64;
        let put = |kernel: &mut Self, y: &[f64], error: f64| {
            kernel.vectors.put_output(place, 0, y);
            kernel.vectors.put(place, error * RAISE);
            kernel.vectors.states[place].error <= error_max
        };
        if put(self, &y, image_error + row_norm * projection.residual) {
            return (Reuse::Hit, work);
        }
        let (residual, norm) =
            self.basis.residual(widened(self.vectors.vector(place)), &projection.coefficients);
        work += (self.basis.rank() * n) as u64;
        projection.residual = norm.min(projection.residual);
        if put(self, &y, image_error + row_norm * projection.residual) {
            return (Reuse::Hit, work);
        }
        work += 2 * self.matrix.n_entries() as u64;
        if let Some((at, scale)) = self.basis.learn(&residual, norm * norm) {
            let q = self.basis.direction(at);
            let mut image = vec![0.0; m];
            self.matrix.apply_long(0..m, q, &mut image);
            let error = self.matrix.apply_error(1.0 + 1e-6);
            self.basis.set_image(at, &image, error);
            y.iter_mut().zip(&image).for_each(|(y, image)| *y += scale * image);
            let size = row_norm * (self.vectors.states[place].norm() + norm) + image_error;
            let rest = norm - square_root(&residual)
                + remainder_norm(&residual, self.basis.direction(at), scale);
            let total =
                image_error + scale.abs() * error + row_norm * rest + gamma(4, ROUNDOFF) * size;
            if put(self, &y, total) {
                return (Reuse::Miss, work);
            }
        }
        (Reuse::Miss, work + self.apply_whole(place))
    }
}

/// The norm as it is computed; what it may be off by is part of the norm from above.
fn square_root(residual: &[f64]) -> f64 {
    residual.iter().map(|x| x * x).sum::<f64>().sqrt() * (1.0 - 1e-12)
}

/// What waits for these vectors is added to their outputs by columns, output by output; what was
/// added to each, and its largest entry.
pub(crate) fn flush_columns(
    kernel: &mut LinearTransform,
    places: Range<usize>,
) -> Vec<(Added, f64)> {
    let (l, m) = (kernel.vectors.len(), kernel.spec.n_rows);
    let c = kernel.pending.coordinates.len();
    let terms: Vec<(usize, f64)> =
        places.clone().flat_map(|place| kernel.pending.terms(place, l)).collect();
    let depth = kernel.matrix.columns_depth(c);
    let added: Vec<Added> = terms.chunks_exact(c).map(|terms| kernel.added(terms, depth)).collect();
    let (place, matrix) = (places.start * m..places.end * m, &kernel.matrix);
    let largest = match &mut kernel.vectors.y {
        Outputs::Single(y) => {
            let terms: Vec<(usize, f32)> =
                terms.iter().map(|(column, change)| (*column, single(*change))).collect();
            each_output(&mut y[place], m, &|at, y| {
                matrix.add_columns(y, &terms[at * c..][..c]);
                largest(y)
            })
        }
        Outputs::Double(y) => each_output(&mut y[place], m, &|at, y| {
            matrix.add_columns(y, &terms[at * c..][..c]);
            largest(y)
        }),
    };
    added.into_iter().zip(largest).collect()
}

/// The same as a product of matrices.
pub(crate) fn flush_product(
    kernel: &mut LinearTransform,
    places: Range<usize>,
) -> Vec<(Added, f64)> {
    let (l, m) = (kernel.vectors.len(), kernel.spec.n_rows);
    let (matrix, pending) = (&kernel.matrix, &kernel.pending);
    let n_columns = pending.coordinates.len();
    let row_norm = matrix.row_norm_max();
    let none = Added { n_columns, sum: 0.0, square: 0.0, depth: n_columns + 2, row_norm };
    let mut added = vec![none; places.len()];
    let factors = pending.factors(places.clone(), l, |at, column, change| {
        added[at].sum += matrix.column_max(column) * change.abs();
        added[at].square += change * change;
    });
    let columns = matrix.columns(&pending.coordinates);
    let Outputs::Single(y) = &mut kernel.vectors.y else {
        return Vec::new();
    };
    let largest = add_product(&mut y[places.start * m..places.end * m], &factors, &columns, m);
    added.into_iter().zip(largest).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
pub(crate) fn single(number: f64) -> f32 {
    number as f32
}
