//! A topic's table as one of the dataflows that have it in common.
//!
//! **Invariant:** since it took its lease, each holder has been fed the same changes of the topic,
//! in the same order, and divided in the same way among as many workers.

use arqon_types::TopicName;

use super::part::Part;
use super::{Applied, HeldRow, Source};
use crate::forget::Forgetting;
use crate::lease::Lease;
use crate::memory::signed;

/// One worker's part of an input topic, which other dataflows may have a lease of as well.
#[derive(Debug)]
pub(crate) struct Leased {
    lease: Lease<Source, Applied>,
    name: TopicName,
    forgetting: Forgetting,
    /// What the holder has counted of the table's bytes.
    n_bytes: i64,
}

impl Leased {
    /// Of which there is no other lease.
    pub(crate) fn new(source: Source) -> Self {
        let (name, forgetting) = (source.name().clone(), source.forgetting());
        Self { lease: Lease::new(source), name, forgetting, n_bytes: 0 }
    }

    /// The topic.
    pub(crate) fn name(&self) -> &TopicName {
        &self.name
    }

    /// When rows are forgotten, if they are before they are replaced or deleted.
    pub(crate) fn forgetting(&self) -> Forgetting {
        self.forgetting
    }

    /// For another dataflow, which has been fed what this one has.
    pub(crate) fn another(&self) -> Self {
        let (name, forgetting) = (self.name.clone(), self.forgetting);
        Self { lease: self.lease.another(), name, forgetting, n_bytes: 0 }
    }

    /// Gives up its own table for one with the same rows.
    pub(crate) fn move_to(&mut self, other: Self) {
        self.lease = other.lease;
    }

    /// Takes an epoch's changes in log order, as [`Source::apply`] does. Where another holder has
    /// had them before, this costs a copy of what they came to.
    pub(crate) fn apply(&mut self, parts: Vec<Part>, now: i64) -> Applied {
        let n_changes = parts.iter().map(|part| part.changes.len()).sum();
        let mut applied = self.lease.apply(signed(n_changes), |source| source.apply(parts, now));
        // Each counts it in full, since each would have it without the others.
        let counted = std::mem::replace(&mut self.n_bytes, applied.n_bytes);
        applied.counts.bytes = applied.n_bytes - counted;
        applied
    }

    /// The rows that the topic holds; none of a topic that holds none.
    pub(crate) fn held(&self) -> Option<Vec<HeldRow>> {
        self.lease.read(Source::held)
    }
}

#[cfg(test)]
mod tests;
