//! A topic's rows as its deltas add up: the relation at the last epoch.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use arqon_types::{DeltaBatch, PackedRow, Row, Type};

/// A multiset of rows, in the order of its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    types: Vec<Type>,
    rows: BTreeMap<PackedRow, i64>,
}

impl Snapshot {
    /// No rows yet, of `types`.
    pub fn new(types: Vec<Type>) -> Self {
        Self { types, rows: BTreeMap::new() }
    }

    /// Adds the changes of `delta`.
    pub fn apply(&mut self, delta: &DeltaBatch) {
        for update in &delta.updates {
            self.add(&update.row, update.diff);
        }
    }

    /// Adds `diff` to the multiplicity of `row`.
    pub fn add(&mut self, row: &Row, diff: i64) {
        match self.rows.entry(PackedRow::pack(row, &self.types)) {
            Entry::Vacant(place) => {
                place.insert(diff);
            }
            Entry::Occupied(mut place) => {
                *place.get_mut() += diff;
                if *place.get() == 0 {
                    place.remove();
                }
            }
        }
    }

    /// The rows with their multiplicities, never 0, in order.
    pub fn rows(&self) -> impl Iterator<Item = (Row, i64)> + '_ {
        self.rows.iter().map(|(packed, count)| (packed.unpack(&self.types), *count))
    }

    /// How many different rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Rows retracted more often than inserted, which a file cannot show.
    pub fn n_negative(&self) -> usize {
        self.rows.values().filter(|count| **count < 0).count()
    }
}
