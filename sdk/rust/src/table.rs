//! A topic's rows at the client: the deltas of a subscription, added up.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use arqon_proto::{Delta, RowCodec, RowError};
use arqon_types::{Row, Schema};

/// Rows with their multiplicities.
#[derive(Debug, Clone)]
pub struct Table {
    codec: RowCodec,
    rows: BTreeMap<Row, i64>,
    upper: u64,
}

impl Table {
    /// No rows yet, of `schema`.
    pub fn new(schema: Schema) -> Self {
        Self { codec: RowCodec::new(schema), rows: BTreeMap::new(), upper: 0 }
    }

    /// Adds the changes of a delta.
    ///
    /// # Errors
    /// If a row is not of the schema; the changes before it are added.
    pub fn apply(&mut self, delta: &Delta) -> Result<(), RowError> {
        for change in &delta.changes {
            let text = std::str::from_utf8(&change.row)
                .map_err(|_| RowError::new("", "is not UTF-8"))?;
            let row = self.codec.decode(text)?;
            match self.rows.entry(row) {
                Entry::Vacant(place) => {
                    place.insert(change.diff);
                }
                Entry::Occupied(mut place) => {
                    *place.get_mut() += change.diff;
                    if *place.get() == 0 {
                        place.remove();
                    }
                }
            }
        }
        // All parts of an epoch name its upper bound; only the last one reaches it.
        if delta.part.is_none_or(|part| part.part == part.parts) {
            self.reach(delta.upper.unwrap_or(0));
        }
        Ok(())
    }

    /// Takes note that no change before `upper` will follow.
    pub fn reach(&mut self, upper: u64) {
        self.upper = self.upper.max(upper);
    }

    /// First epoch of which changes may still come.
    pub fn upper(&self) -> u64 {
        self.upper
    }

    /// Whether all changes of `epoch` are in.
    pub fn has_seen(&self, epoch: u64) -> bool {
        epoch < self.upper
    }

    /// The rows with their multiplicities, in order.
    pub fn rows(&self) -> &BTreeMap<Row, i64> {
        &self.rows
    }
}
