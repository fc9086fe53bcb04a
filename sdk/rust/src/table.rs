//! A topic folded from its deliveries: each row with its exact multiplicity.

use std::collections::BTreeMap;

use arqon_types::Epoch;

use crate::client::Subscription;
use crate::delivery::{Delivery, is_last};
use crate::error::SessionError;

/// The rows of one topic, by their text.
///
/// The bus writes equal rows alike, so that text is identity. A table that began with `now` holds
/// the difference since then, and may count below 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    rows: BTreeMap<String, i64>,
    /// The row of each key, as far as upserts came.
    keyed: BTreeMap<String, String>,
    upper: Epoch,
    last: Option<Bounds>,
}

/// The bounds of the last frame, and how much of them has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    lower: Epoch,
    upper: Epoch,
    part: u32,
    parts: u32,
}

/// Why a delivery does not fit a table.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// Changes between two frames are missing, or come twice.
    #[error("changes from epoch {expected} were due, and {found} came")]
    Bounds {
        /// Where the next frame had to begin.
        expected: Epoch,
        /// Where it began.
        found: Epoch,
    },
    /// A part of an epoch is missing, or comes twice.
    #[error("part {expected} of an epoch was due, and {found} came")]
    Part {
        /// The part that was due.
        expected: u32,
        /// The part that came.
        found: u32,
    },
    /// A multiplicity past 64 bits.
    #[error("a row counts more often than 64 bits can say")]
    Overflow,
    /// Events have no state, and gaps cannot be folded.
    #[error("events make no table")]
    Events,
    /// The subscription ended before the epoch was complete.
    #[error("the subscription ended before epoch {0} was complete")]
    Over(Epoch),
    /// The subscription failed.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl Table {
    /// Folds one delivery. The deliveries of one subscription to one topic belong together.
    ///
    /// # Errors
    /// [`FoldError`] if something is missing; the table is then no longer the topic's.
    pub fn apply(&mut self, delivery: &Delivery) -> Result<(), FoldError> {
        match delivery {
            Delivery::Progress { upper } => {
                self.upper = self.upper.max(*upper);
                Ok(())
            }
            Delivery::Delta { lower, upper, part, changes, .. } => {
                let (number, parts) = part.map_or((1, 1), |part| (part.part, part.parts));
                self.enter(Bounds { lower: *lower, upper: *upper, part: number, parts })?;
                for change in changes {
                    self.add(&change.row, change.diff)?;
                }
                self.leave(*upper, is_last(*part));
                Ok(())
            }
            Delivery::Upserts { lower, upper, part, upserts, .. } => {
                let (number, parts) = part.map_or((1, 1), |part| (part.part, part.parts));
                self.enter(Bounds { lower: *lower, upper: *upper, part: number, parts })?;
                for upsert in upserts {
                    let before = match &upsert.row {
                        Some(row) => self.keyed.insert(upsert.key.clone(), row.clone()),
                        None => self.keyed.remove(&upsert.key),
                    };
                    if let Some(before) = before {
                        self.add(&before, -1)?;
                    }
                    if let Some(row) = &upsert.row {
                        self.add(row, 1)?;
                    }
                }
                self.leave(*upper, is_last(*part));
                Ok(())
            }
            Delivery::Snapshot { epoch, part, rows, .. } => {
                let upper = epoch.next();
                let (number, parts) = part.map_or((1, 1), |part| (part.part, part.parts));
                self.enter(Bounds { lower: Epoch::ZERO, upper, part: number, parts })?;
                for counted in rows {
                    let count = i64::try_from(counted.count).map_err(|_| FoldError::Overflow)?;
                    self.add(&counted.row, count)?;
                }
                self.leave(upper, is_last(*part));
                Ok(())
            }
            Delivery::Event { .. } | Delivery::Gap { .. } => Err(FoldError::Events),
        }
    }

    /// Folds deliveries until every change of `epoch` and before is in.
    ///
    /// Cancel-safe: what was folded stays folded, nothing is lost.
    ///
    /// # Errors
    /// [`FoldError`] if the subscription fails or ends before, or if something is missing.
    pub async fn until(
        &mut self,
        subscription: &mut Subscription,
        epoch: Epoch,
    ) -> Result<(), FoldError> {
        while self.upper <= epoch {
            let delivery = subscription.next().await.ok_or(FoldError::Over(epoch))??;
            self.apply(&delivery)?;
        }
        Ok(())
    }

    /// The rows, each with its multiplicity, ordered by their text.
    pub fn rows(&self) -> impl Iterator<Item = (&str, i64)> {
        self.rows.iter().map(|(row, count)| (row.as_str(), *count))
    }

    /// How often the row is there.
    pub fn count(&self, row: &str) -> i64 {
        self.rows.get(row).copied().unwrap_or(0)
    }

    /// How many different rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The first epoch that may still change.
    pub fn upper(&self) -> Epoch {
        self.upper
    }

    fn enter(&mut self, bounds: Bounds) -> Result<(), FoldError> {
        let Bounds { lower, upper, part, .. } = bounds;
        let (expected, expected_part) = match self.last {
            Some(last) if last.part < last.parts => {
                if (last.lower, last.upper, last.parts) != (lower, upper, bounds.parts) {
                    return Err(FoldError::Bounds { expected: last.lower, found: lower });
                }
                (lower, last.part + 1)
            }
            Some(last) => (last.upper, 1),
            None => (lower, 1),
        };
        if lower != expected {
            return Err(FoldError::Bounds { expected, found: lower });
        }
        if part != expected_part {
            return Err(FoldError::Part { expected: expected_part, found: part });
        }
        self.last = Some(bounds);
        Ok(())
    }

    /// Only the last part makes an epoch complete.
    fn leave(&mut self, upper: Epoch, is_last: bool) {
        if is_last {
            self.upper = self.upper.max(upper);
        }
    }

    fn add(&mut self, row: &str, diff: i64) -> Result<(), FoldError> {
        if let Some(count) = self.rows.get_mut(row) {
            *count = count.checked_add(diff).ok_or(FoldError::Overflow)?;
            if *count == 0 {
                self.rows.remove(row);
            }
        } else if diff != 0 {
            self.rows.insert(row.to_owned(), diff);
        }
        Ok(())
    }
}
