//! Which worker has the rows of a key of a `full` topic: mostly that of the key's hash.
//!
//! Files mostly have their rows in the order of their keys. Then a batch goes to a worker whole,
//! and its home is noted once for all its keys: nothing is hashed and nothing is copied apart.
//!
//! **Invariant:** a range begins above all keys that came before it, so no key has another home
//! first, and none is in two.

use arqon_types::PackedRow;

/// Ranges that are noted at most; a topic with more is divided by hash from then on. What they take
/// is below 8 MiB.
const RANGES_MAX: usize = 1 << 16;

/// The homes of the keys of a topic that are not those of their hashes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Homes {
    /// No key that came so far is greater.
    greatest: Option<PackedRow>,
    /// In ascending order.
    ranges: Vec<Range>,
}

#[derive(Debug, Clone)]
struct Range {
    first: PackedRow,
    last: PackedRow,
    worker: usize,
}

impl Homes {
    /// Whether keys from `first` on may have a home of their own.
    pub(crate) fn takes(&self, first: &PackedRow) -> bool {
        self.ranges.len() < RANGES_MAX
            && self.greatest.as_ref().is_none_or(|greatest| greatest < first)
    }

    /// Gives all keys of a range, which [`Homes::takes`], to a worker.
    pub(crate) fn settle(&mut self, first: PackedRow, last: PackedRow, worker: usize) {
        let before = self.greatest.replace(last.clone());
        match self.ranges.last_mut() {
            // No key between the two has come, so none has its home by hash.
            Some(range) if range.worker == worker && before.as_ref() == Some(&range.last) => {
                range.last = last;
            }
            _ => self.ranges.push(Range { first, last, worker }),
        }
    }

    /// The worker of a key that comes; none if its hash says which.
    pub(crate) fn of(&mut self, key: &PackedRow) -> Option<usize> {
        if self.greatest.as_ref().is_none_or(|greatest| greatest < key) {
            self.greatest = Some(key.clone());
            return None;
        }
        let at = self.ranges.partition_point(|range| range.first <= *key).checked_sub(1)?;
        let range = &self.ranges[at];
        (*key <= range.last).then_some(range.worker)
    }
}
