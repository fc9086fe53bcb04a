//! Landmarks: which points stand for all, and how alike a point is to each.
//!
//! They are the first `n` distinct points in an order that the seed shuffles, so they depend on the
//! points that are there and on nothing else: not on when they came, and not on their keys. A point
//! that comes or goes moves a landmark with probability `n_landmarks / n_points`.

use std::collections::BTreeMap;

use super::spec::{NystromSpec, Similarity, as_float};
use crate::vector::{self, FUNCTION_ERROR, ROUNDOFF, wide};

/// A point's place in the shuffled order: a hash, then its bits.
type Place = (u64, Vec<u64>);

/// The points that are there, and which of them are landmarks.
#[derive(Debug, Clone)]
pub(super) struct Landmarks {
    spec: NystromSpec,
    /// How many rows have this point.
    points: BTreeMap<Place, u32>,
    /// The landmark of each column; the order is that in which they came.
    columns: Vec<Place>,
    /// `[n_entries, n_columns]`.
    entries: Vec<f64>,
}

impl Landmarks {
    pub(super) fn new(spec: NystromSpec) -> Self {
        Self { spec, points: BTreeMap::new(), columns: Vec::new(), entries: Vec::new() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    fn place(&self, point: &[f64]) -> Place {
        // Both zeros are one point.
        let bits: Vec<u64> = point.iter().map(|x| (x + 0.0).to_bits()).collect();
        let mut hash = self.spec.seed ^ 0x9E37_79B9_7F4A_7C15;
        for word in &bits {
            hash = (hash ^ word).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            hash = (hash ^ (hash >> 29)).wrapping_mul(0x94D0_49BB_1331_11EB);
            hash ^= hash >> 32;
        }
        (hash, bits)
    }

    /// A row with this point comes.
    pub(super) fn count(&mut self, point: &[f64]) {
        *self.points.entry(self.place(point)).or_default() += 1;
    }

    /// A row with this point goes.
    pub(super) fn discount(&mut self, point: &[f64]) {
        let place = self.place(point);
        match self.points.get_mut(&place) {
            Some(n) if 1 < *n => *n -= 1,
            _ => drop(self.points.remove(&place)),
        }
    }

    /// Chooses anew. Gives the columns that changed; none if there are more or fewer columns than
    /// before, and then all have to be computed anew. Cost: O(`n_landmarks`) and what changes.
    pub(super) fn choose(&mut self) -> Option<Vec<usize>> {
        let chosen: Vec<&Place> = self.points.keys().take(self.spec.n_landmarks).collect();
        let n_before = self.columns.len();
        if chosen.len() != n_before {
            self.columns = chosen.into_iter().cloned().collect();
            self.fill_entries();
            return None;
        }
        let stays: Vec<bool> =
            self.columns.iter().map(|place| chosen.binary_search(&place).is_ok()).collect();
        let mut kept: Vec<&Place> = self.columns.iter().collect();
        kept.sort_unstable();
        let came = chosen.iter().filter(|place| kept.binary_search(place).is_err());
        let came: Vec<Place> = came.map(|place| (*place).clone()).collect();
        let free = stays.iter().enumerate().filter(|(_, stays)| !**stays).map(|(at, _)| at);
        let changed: Vec<usize> = free.collect();
        for (column, place) in changed.iter().zip(came) {
            self.columns[*column] = place;
        }
        if !changed.is_empty() {
            self.fill_entries();
        }
        Some(changed)
    }

    fn fill_entries(&mut self) {
        let n = self.columns.len();
        self.entries.clear();
        self.entries.resize(self.spec.n_entries * n, 0.0);
        for (column, (_, bits)) in self.columns.iter().enumerate() {
            for (entry, bits) in bits.iter().enumerate() {
                self.entries[entry * n + column] = f64::from_bits(*bits);
            }
        }
    }

    /// The point of a column.
    pub(super) fn point(&self, column: usize) -> Vec<f64> {
        self.columns[column].1.iter().map(|bits| f64::from_bits(*bits)).collect()
    }

    /// The points of all columns, one after another.
    pub(super) fn all_points(&self) -> Vec<f64> {
        (0..self.len()).flat_map(|column| self.point(column)).collect()
    }

    /// How alike a point is to each landmark, into `out`, `[n_columns]`. Cost: O(entries columns).
    /// Distances are summed over differences, not expanded, so that points far from zero lose
    /// nothing.
    pub(super) fn likeness(&self, point: &[f64], out: &mut [f64]) {
        let n = self.len();
        out.fill(0.0);
        for (entry, x) in point.iter().enumerate() {
            let landmarks = &self.entries[entry * n..(entry + 1) * n];
            add_distances(out, landmarks, *x, self.spec.similarity);
        }
        vector::scale(out, -self.spec.gamma);
        vector::exp(out);
    }

    /// How alike a point is to these columns alone; the bits are those of [`Self::likeness`].
    pub(super) fn likeness_of(&self, columns: &[usize], point: &[f64], out: &mut [f64]) {
        let n = self.len();
        out.fill(0.0);
        for (entry, x) in point.iter().enumerate() {
            let row = &self.entries[entry * n..(entry + 1) * n];
            for (out, column) in out.iter_mut().zip(columns) {
                add_distances(
                    std::slice::from_mut(out),
                    &row[*column..=*column],
                    *x,
                    self.spec.similarity,
                );
            }
        }
        vector::scale(out, -self.spec.gamma);
        vector::exp(out);
    }

    /// How far a likeness may be off, absolutely: with a relative error `s` of its exponent `t`, by
    /// `t s exp(-t)`, and `t exp(-t)` is at most `1 / e`.
    pub(super) fn error(&self) -> f64 {
        (0.5 * as_float(self.spec.n_entries + 6)) * ROUNDOFF + 2.0 * FUNCTION_ERROR
    }

    /// Goes back to these points, of which some are landmarks in this order of columns.
    pub(super) fn restore(&mut self, columns: &[f64]) {
        self.columns =
            columns.chunks_exact(self.spec.n_entries).map(|point| self.place(point)).collect();
        self.fill_entries();
    }

    pub(super) fn bytes(&self) -> usize {
        (self.points.len() + 2 * self.columns.len()) * self.spec.n_entries * size_of::<f64>()
    }
}

fn add_distances(out: &mut [f64], landmarks: &[f64], x: f64, similarity: Similarity) {
    wide(
        #[inline(always)]
        || match similarity {
            Similarity::Gaussian => {
                for (sum, landmark) in out.iter_mut().zip(landmarks) {
                    let apart = x - landmark;
                    *sum = apart.mul_add(apart, *sum);
                }
            }
            Similarity::Laplace => {
                for (sum, landmark) in out.iter_mut().zip(landmarks) {
                    *sum += (x - landmark).abs();
                }
            }
        },
    );
}
