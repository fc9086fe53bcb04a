//! The collection of a topic as the bus holds it: the state that snapshots are taken from.

use std::collections::BTreeMap;

use arqon_types::{Epoch, Row, Update};

/// Rows with their multiplicities, in the order of rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Retained {
    rows: BTreeMap<Row, i64>,
    /// The sum of the multiplicities.
    n_rows: i64,
}

impl Retained {
    /// Adds a delta.
    pub(crate) fn add(&mut self, updates: &[Update]) {
        for update in updates {
            self.add_row(&update.row, update.diff);
        }
    }

    fn add_row(&mut self, row: &Row, diff: i64) {
        self.n_rows += diff;
        if let Some(count) = self.rows.get_mut(row) {
            *count += diff;
            if *count == 0 {
                self.rows.remove(row);
            }
        } else if diff != 0 {
            self.rows.insert(row.clone(), diff);
        }
    }

    /// How many rows there are, each as often as it is there.
    pub(crate) fn n_rows(&self) -> u64 {
        u64::try_from(self.n_rows).unwrap_or(0)
    }

    /// All rows as updates at `epoch`.
    pub(crate) fn snapshot(&self, epoch: Epoch) -> Vec<Update> {
        self.rows
            .iter()
            .map(|(row, diff)| Update { row: row.clone(), epoch, diff: *diff })
            .collect()
    }
}
