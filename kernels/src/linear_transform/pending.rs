//! Coordinates that changed in all vectors and did not reach the outputs yet: `Y` stands for the
//! vectors without them. The factored form of LINVIEW (Nikolic, El Seidy and Koch, *LINVIEW:
//! incremental view maintenance for complex analytical queries*, SIGMOD 2014, section 4): a change
//! of rank c is kept as its two factors, of which one is columns of the matrix anyway.

use crate::linear_transform::vectors::Vectors;

/// The coordinates, with their old and new entries in all vectors.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pending {
    pub(crate) coordinates: Vec<usize>,
    /// What outputs stand for, `[coordinates, vectors]`, by place.
    pub(crate) old: Vec<f32>,
    /// What the vectors are, `[coordinates, vectors]`, by place.
    pub(crate) new: Vec<f32>,
}

/// Coordinates that may wait: where a product of matrices over them runs at full speed.
pub(crate) const PENDING_MAX: usize = 64;

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
    pub(crate) fn set(
        &mut self,
        coordinate: usize,
        vectors: &Vectors,
        entry: impl Fn(usize) -> f32,
    ) {
        let l = vectors.len();
        if let Some(at) = self.coordinates.iter().position(|waiting| *waiting == coordinate) {
            let row = &mut self.new[at * l..][..l];
            row.iter_mut().enumerate().for_each(|(place, value)| *value = entry(place));
            return;
        }
        self.coordinates.push(coordinate);
        self.old.extend((0..l).map(|place| vectors.x[place * vectors.n + coordinate]));
        self.new.extend((0..l).map(entry));
    }

    /// The entries of a coordinate that waits, by place.
    pub(crate) fn row(&self, coordinate: usize, n_vectors: usize) -> Option<&[f32]> {
        let at = self.coordinates.iter().position(|waiting| *waiting == coordinate)?;
        self.new.get(at * n_vectors..(at + 1) * n_vectors)
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
