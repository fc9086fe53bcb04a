//! Coordinates that changed in all vectors and did not reach the outputs yet: `Y` stands for the
//! vectors as they were before. The vectors have them at once, since whoever looks up what an entry
//! was has its line of memory at hand. The factored form of LINVIEW (Nikolic, El Seidy and Koch,
//! *LINVIEW: incremental view maintenance for complex analytical queries*, SIGMOD 2014, section 4):
//! a change of rank c is kept as its two factors, of which one is columns of the matrix anyway.

use std::ops::Range;

use crate::linear_transform::outputs::single;
use crate::linear_transform::vectors::Vectors;
use crate::threads::{n_threads, share_work};

/// The coordinates, with their old and new entries in all vectors.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pending {
    pub(crate) coordinates: Vec<usize>,
    /// What outputs stand for, `[coordinates, vectors]`, by place.
    pub(crate) old: Vec<f32>,
    /// What the vectors are, `[coordinates, vectors]`, by place: they have it too, but far apart.
    pub(crate) new: Vec<f32>,
}

/// Coordinates that may wait: where a product of matrices over them runs at full speed.
pub(crate) const PENDING_MAX: usize = 64;

/// What it takes to read an entry of each vector, in operations.
pub(crate) const READ_OPERATIONS: usize = 64;

/// Vectors of which the changes are turned around at a time.
const BLOCK: usize = 64;

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.coordinates.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.coordinates.clear();
        self.old.clear();
        self.new.clear();
    }

    /// A coordinate's entries become these, by place. Cost: O(vectors), apart from each other
    /// where the coordinate does not wait yet.
    pub(crate) fn set(&mut self, coordinate: usize, vectors: &mut Vectors, entries: &[f32]) {
        let l = vectors.len();
        let waiting = self.coordinates.iter().position(|waiting| *waiting == coordinate);
        if let Some(at) = waiting {
            self.new[at * l..][..l].copy_from_slice(entries);
        } else {
            self.coordinates.push(coordinate);
            self.new.extend_from_slice(entries);
            self.old.resize(self.old.len() + l, 0.0);
        }
        let at = self.coordinates.len() - 1;
        // What waits already stays what it was.
        let old = if waiting.is_some() { &mut [] } else { &mut self.old[at * l..] };
        let part = l.div_ceil(n_threads()).max(1);
        let parts = vectors.x.chunks_mut(part * vectors.n).zip(vectors.states.chunks_mut(part));
        let olds = old.chunks_mut(part).map(Some).chain(std::iter::repeat_with(|| None));
        let parts = parts.zip(entries.chunks(part).zip(olds));
        share_work(READ_OPERATIONS * l, parts, |_, ((x, states), (entries, old))| {
            let column = x[coordinate..].iter_mut().step_by(vectors.n);
            let mut olds = old.into_iter().flatten();
            for ((entry, new), state) in column.zip(entries).zip(states) {
                if let Some(old) = olds.next() {
                    *old = *entry;
                }
                state.replace(*entry, *new);
                *entry = *new;
            }
        });
    }

    /// What waits for some vectors, in `f32`: `[places, coordinates]`; and it is told which of the
    /// places, counted from the first, each change is of, with its coordinate. In blocks of places
    /// that the nearest cache holds.
    pub(crate) fn factors(
        &self,
        places: Range<usize>,
        n_vectors: usize,
        mut tell: impl FnMut(usize, usize, f64),
    ) -> Vec<f32> {
        let c = self.coordinates.len();
        let mut factors = vec![0.0; places.len() * c];
        for (block, factors) in factors.chunks_mut(BLOCK * c).enumerate() {
            let first = block * BLOCK;
            for (waiting, coordinate) in self.coordinates.iter().enumerate() {
                let index = waiting * n_vectors + places.start + first;
                let (old, new) = (&self.old[index..], &self.new[index..]);
                let rows = factors.chunks_exact_mut(c).zip(old.iter().zip(new));
                for (at, (row, (old, new))) in rows.enumerate() {
                    let change = f64::from(*new) - f64::from(*old);
                    row[waiting] = single(change);
                    tell(first + at, *coordinate, change);
                }
            }
        }
        factors
    }

    /// What waits for one vector: coordinates and changes.
    pub(crate) fn terms(&self, place: usize, n_vectors: usize) -> Vec<(usize, f64)> {
        let change = |at: usize| {
            let index = at * n_vectors + place;
            f64::from(self.new[index]) - f64::from(self.old[index])
        };
        let all = self.coordinates.iter().enumerate();
        all.map(|(at, column)| (*column, change(at))).collect()
    }
}
