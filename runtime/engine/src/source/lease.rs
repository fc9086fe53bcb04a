//! A topic's table that several dataflows have in common.
//!
//! Dataflows that are fed the same changes of a topic would each hold the same rows. Instead each
//! has a lease of one table: who comes first to an epoch's changes applies them, and leaves what
//! they came to for the others, until all have taken it. So the rows are held once, and each of
//! the dataflows still goes at its own pace, on threads of its own.
//!
//! **Invariant:** since it took its lease, each holder has been fed the same changes of the topic,
//! in the same order, and divided in the same way among as many workers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use arqon_types::TopicName;

use super::part::Part;
use super::{Applied, HeldRow, Source};
use crate::forget::Forgetting;

/// One worker's part of an input topic, which other dataflows may have a lease of as well.
#[derive(Debug)]
pub(crate) struct Lease {
    table: Arc<Mutex<Leased>>,
    holder: u64,
    name: TopicName,
    forgetting: Forgetting,
    /// What the holder has counted of the table's bytes.
    n_bytes: i64,
}

#[derive(Debug)]
struct Leased {
    source: Source,
    /// What changes came to that some holder has not taken.
    steps: VecDeque<Step>,
    /// The number of the first of them, or of the next one.
    first: u64,
    /// The step that each holder takes next.
    holders: BTreeMap<u64, u64>,
    n_holders_ever: u64,
}

/// What an epoch's changes of the topic came to.
#[derive(Debug)]
struct Step {
    /// How many changes they were.
    n_changes: usize,
    applied: Arc<Applied>,
}

impl Leased {
    fn admit(&mut self) -> u64 {
        self.n_holders_ever += 1;
        self.holders.insert(self.n_holders_ever, self.next());
        self.n_holders_ever
    }

    /// The number of the step that nobody has applied yet.
    fn next(&self) -> u64 {
        self.first + self.steps.len() as u64
    }

    /// Lets go of the steps that all have taken.
    fn trim(&mut self) {
        let needed = self.holders.values().min().copied().unwrap_or_else(|| self.next());
        while self.first < needed && self.steps.pop_front().is_some() {
            self.first += 1;
        }
    }
}

impl Lease {
    /// The only lease of a topic.
    pub(crate) fn new(source: Source) -> Self {
        let (name, forgetting) = (source.name().clone(), source.forgetting());
        let holders = BTreeMap::new();
        let mut leased =
            Leased { source, steps: VecDeque::new(), first: 0, holders, n_holders_ever: 0 };
        let holder = leased.admit();
        let table = Arc::new(Mutex::new(leased));
        Self { table, holder, name, forgetting, n_bytes: 0 }
    }

    /// The topic.
    pub(crate) fn name(&self) -> &TopicName {
        &self.name
    }

    /// When rows are forgotten, if they are before they are replaced or deleted.
    pub(crate) fn forgetting(&self) -> Forgetting {
        self.forgetting
    }

    /// Another lease of the same table, whose holder has been fed what this one has, and is at the
    /// end of it. Both have to be: the holders of a table meet when nothing is under way.
    pub(crate) fn another(&self) -> Self {
        let mut leased = self.lock();
        let holder = leased.admit();
        let (name, forgetting) = (self.name.clone(), self.forgetting);
        Self { table: Arc::clone(&self.table), holder, name, forgetting, n_bytes: 0 }
    }

    /// Gives up its own table for one with the same rows.
    pub(crate) fn move_to(&mut self, other: Self) {
        let n_bytes = self.n_bytes;
        *self = other;
        self.n_bytes = n_bytes;
    }

    /// Takes an epoch's changes in log order, as [`Source::apply`] does. Where another holder has
    /// had them before, this costs a copy of what they came to.
    pub(crate) fn apply(&mut self, parts: Vec<Part>, now: i64) -> Applied {
        let n_changes = parts.iter().map(|part| part.changes.len()).sum();
        let mut leased = self.lock();
        let at = leased.holders[&self.holder];
        let applied = if at == leased.next() {
            let applied = leased.source.apply(parts, now);
            if leased.holders.len() == 1 {
                leased.first += 1;
                leased.holders.insert(self.holder, at + 1);
                drop(leased);
                return self.counted(applied);
            }
            let applied = Arc::new(applied);
            leased.steps.push_back(Step { n_changes, applied: Arc::clone(&applied) });
            applied
        } else {
            let ahead = usize::try_from(at - leased.first).expect("few steps are ahead");
            let step = &leased.steps[ahead];
            assert_eq!(step.n_changes, n_changes, "each holder of a table is fed the same");
            Arc::clone(&step.applied)
        };
        leased.holders.insert(self.holder, at + 1);
        leased.trim();
        drop(leased);
        self.counted(Arc::unwrap_or_clone(applied))
    }

    /// With what the table has grown by for this holder: each counts it in full, since each would
    /// have it without the others.
    fn counted(&mut self, mut applied: Applied) -> Applied {
        applied.counts.bytes =
            applied.n_bytes - std::mem::replace(&mut self.n_bytes, applied.n_bytes);
        applied
    }

    /// The rows that the topic holds; none of a topic that holds none.
    pub(crate) fn held(&self) -> Option<Vec<HeldRow>> {
        self.lock().source.held()
    }

    /// # Panics
    /// If another holder has failed in the middle of a change: what is there then is of no use to
    /// anybody. The change would have made this one fail as well.
    fn lock(&self) -> MutexGuard<'_, Leased> {
        let broken = |_| panic!("another circuit failed while it changed topic `{}`", self.name);
        self.table.lock().unwrap_or_else(broken)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut leased = self.table.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        leased.holders.remove(&self.holder);
        leased.trim();
    }
}

#[cfg(test)]
mod tests;
