//! The collection of a topic as the bus holds it: the state that snapshots are taken from.

use std::collections::BTreeMap;

use arqon_types::{Change, Epoch, Row, Update, Value};

/// Rows with their multiplicities, in the order of rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retained {
    rows: BTreeMap<Row, i64>,
}

impl Retained {
    /// Adds a delta.
    pub fn add(&mut self, updates: &[Update]) {
        for update in updates {
            self.add_row(&update.row, update.diff);
        }
    }

    fn add_row(&mut self, row: &Row, diff: i64) {
        if let Some(count) = self.rows.get_mut(row) {
            *count += diff;
            if *count == 0 {
                self.rows.remove(row);
            }
        } else if diff != 0 {
            self.rows.insert(row.clone(), diff);
        }
    }

    /// All rows as updates at `epoch`.
    pub fn snapshot(&self, epoch: Epoch) -> Vec<Update> {
        self.rows
            .iter()
            .map(|(row, diff)| Update { row: row.clone(), epoch, diff: *diff })
            .collect()
    }

    /// How often the row is there.
    pub fn count(&self, row: &Row) -> i64 {
        self.rows.get(row).copied().unwrap_or(0)
    }
}

/// Turns the messages of an input topic into the changes of its collection.
///
/// The engine does the same for the circuit; the bus needs it only where clients may also
/// subscribe to the input.
#[derive(Debug, Clone, Default)]
pub struct Deriver {
    by_key: BTreeMap<Vec<Value>, Row>,
    held: BTreeMap<Row, i64>,
}

impl Deriver {
    /// The updates that one message causes, judged after all messages before it.
    ///
    /// A retraction of a row that is not there changes nothing.
    pub fn derive(&mut self, change: &Change, key: &[usize], epoch: Epoch) -> Vec<Update> {
        let update = |row: Row, diff| Update { row, epoch, diff };
        match change {
            Change::Insert(row) => vec![update(row.clone(), 1)],
            Change::Upsert(row) => {
                let of_key = key.iter().map(|place| row[*place].clone()).collect();
                let old = self.by_key.insert(of_key, row.clone());
                let old = old.map(|old| update(old, -1));
                old.into_iter().chain([update(row.clone(), 1)]).collect()
            }
            Change::Delete(of_key) => {
                let old = self.by_key.remove(of_key.as_ref());
                old.map(|old| update(old, -1)).into_iter().collect()
            }
            Change::Diff { row, diff } => {
                let held = self.held.entry(row.clone()).or_default();
                let after = held.saturating_add(*diff);
                if after < 0 {
                    if *held == 0 {
                        self.held.remove(row);
                    }
                    return Vec::new();
                }
                *held = after;
                if after == 0 {
                    self.held.remove(row);
                }
                vec![update(row.clone(), *diff)]
            }
        }
    }
}
