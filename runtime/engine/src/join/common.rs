//! Rows of a side that several joins look up, held once.
//!
//! The joins come to the side's changes in the same order, but not at the same moment: who comes
//! first to one applies it. Then more is there than the others know of, so that whoever looks up a
//! key takes out what it has not come to, and puts it back: of the last changes that some reader
//! has not come to a copy is kept. Joins of one worker take turns and are rarely an epoch apart;
//! those whose state other circuits have in common may be further.
//!
//! **Invariant:** all readers come to the same changes, in the same order, and leave what they look
//! up as it is once they have come to all of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::sides::{Rows, SidesTable};
use crate::deltas::{Delta, delta_bytes};
use crate::memory::signed;
use crate::packed::Packed;

/// The rows, and how far its readers are.
#[derive(Debug)]
pub(crate) struct Common<K, V> {
    /// Where left rows are.
    rows: SidesTable<K, V>,
    /// How many changes were applied.
    n_applied: u64,
    /// The last of them, which some reader has not come to; each in the order of keys.
    recent: VecDeque<Vec<Delta<K, V>>>,
    /// What they take.
    recent_bytes: usize,
    /// How many changes each reader has come to.
    readers: BTreeMap<u64, u64>,
    n_readers_ever: u64,
}

/// Rows that several joins look up; none while one of them has them at hand.
type Shared<K, V> = Arc<Mutex<Option<Box<Common<K, V>>>>>;

/// One join's way to rows that others look up as well.
#[derive(Debug)]
pub(crate) struct Reader<K, V> {
    common: Shared<K, V>,
    /// Its place in the plan: who needs several takes them in this order.
    arrangement: usize,
    id: u64,
    /// While an epoch is worked on.
    at_hand: Option<Box<Common<K, V>>>,
    /// How many changes it has come to.
    n_seen: u64,
    /// That, and the change of the epoch that is worked on, if it has one.
    n_then: u64,
    /// Whether it applies the change.
    is_first: bool,
    /// What it counts of the memory that the rows take.
    n_bytes: i64,
}

impl<K: Packed, V: Packed> Common<K, V> {
    /// The number of the first change of which a copy is kept.
    fn n_settled(&self) -> u64 {
        self.n_applied - self.recent.len() as u64
    }

    /// Lets go of changes that all have come to.
    fn trim(&mut self) {
        let least = self.readers.values().min().copied().unwrap_or(self.n_applied);
        while self.n_settled() < least
            && let Some(gone) = self.recent.pop_front()
        {
            self.recent_bytes -= bytes_of(&gone);
        }
    }
}

fn bytes_of<K: Packed, V: Packed>(deltas: &[Delta<K, V>]) -> usize {
    deltas.iter().map(delta_bytes).sum()
}

/// Adds the rows of changes, or takes them out with the sign -1.
fn add<K, V: Packed>(rows: &mut Rows<V>, deltas: &[Delta<K, V>], sign: i64) {
    for ((_, row), diff) in deltas {
        rows.add(row, sign * diff);
    }
}

/// Those of a key.
fn of_key<'d, K: Packed, V>(deltas: &'d [Delta<K, V>], key: &K) -> &'d [Delta<K, V>] {
    let start = deltas.partition_point(|delta| delta.0.0 < *key);
    let n = deltas[start..].iter().take_while(|delta| delta.0.0 == *key).count();
    &deltas[start..start + n]
}

impl<K: Packed, V: Packed> Reader<K, V> {
    /// The first reader of an arrangement.
    pub(crate) fn first(arrangement: usize) -> Self {
        let common = Common {
            rows: SidesTable::default(),
            n_applied: 0,
            recent: VecDeque::new(),
            recent_bytes: 0,
            readers: BTreeMap::new(),
            n_readers_ever: 0,
        };
        Self::of(Arc::new(Mutex::new(Some(Box::new(common)))), arrangement)
    }

    /// Another one, while nothing has come.
    pub(crate) fn another(&self) -> Self {
        Self::of(Arc::clone(&self.common), self.arrangement)
    }

    fn of(shared: Shared<K, V>, arrangement: usize) -> Self {
        let mut guard = lock(&shared);
        let common = guard.as_mut().expect("no reader is at work");
        common.n_readers_ever += 1;
        let id = common.n_readers_ever;
        common.readers.insert(id, 0);
        drop(guard);
        Self {
            common: shared,
            arrangement,
            id,
            at_hand: None,
            n_seen: 0,
            n_then: 0,
            is_first: false,
            n_bytes: 0,
        }
    }

    /// The rows, for the time of an epoch: [`Self::take`] and [`Self::put_back`] are between.
    pub(crate) fn common(&self) -> Shared<K, V> {
        Arc::clone(&self.common)
    }

    /// Whose turn comes first where a join needs both.
    pub(crate) fn arrangement(&self) -> usize {
        self.arrangement
    }

    /// Takes the rows at hand.
    pub(crate) fn take(&mut self, guard: &mut Option<Box<Common<K, V>>>) {
        self.at_hand = guard.take();
    }

    /// Leaves them to others again, at the end of an epoch.
    pub(crate) fn put_back(&mut self, guard: &mut Option<Box<Common<K, V>>>) {
        let mut common = self.at_hand.take().expect("they were taken");
        self.n_seen = self.n_then;
        common.readers.insert(self.id, self.n_seen);
        common.trim();
        // One of the readers counts all: the last one, which mostly comes last to a change, when no
        // copy is kept.
        let is_counted_here = common.readers.keys().next_back() == Some(&self.id);
        self.n_bytes =
            if is_counted_here { common.rows.n_bytes() + signed(common.recent_bytes) } else { 0 };
        *guard = Some(common);
    }

    fn at_hand(&mut self) -> &mut Common<K, V> {
        self.at_hand.as_mut().expect("the rows are at hand while an epoch is worked on")
    }

    /// At the beginning of an epoch: the side's changes in it.
    pub(crate) fn begin(&mut self, deltas: &[Delta<K, V>]) {
        let (n_seen, n_changes) = (self.n_seen, u64::from(!deltas.is_empty()));
        let common = self.at_hand();
        let is_first = n_changes == 1 && common.n_applied == n_seen;
        if is_first {
            common.n_applied += 1;
            // Whoever is left alone has come to all.
            if common.readers.len() > 1 {
                common.recent_bytes += bytes_of(deltas);
                common.recent.push_back(deltas.to_vec());
            }
        }
        (self.n_then, self.is_first) = (n_seen + n_changes, is_first);
    }

    /// Hands the rows of a key over as they were before the epoch, to be changed by the epoch's
    /// `deltas` of the key.
    pub(crate) fn update(
        &mut self,
        key: &K,
        deltas: &[Delta<K, V>],
        change: impl FnOnce(&mut Rows<V>),
    ) {
        let (n_then, is_first) = (self.n_then, self.is_first);
        let Common { rows, n_applied, recent, .. } = self.at_hand();
        let n_ahead = usize::try_from(*n_applied - n_then).expect("few changes are kept");
        let ahead = recent.iter().rev().take(n_ahead);
        rows.update(key, |sides| {
            let rows = &mut sides.left;
            for later in ahead.clone() {
                add(rows, of_key(later, key), -1);
            }
            if !is_first {
                add(rows, deltas, -1);
            }
            change(rows);
            for later in ahead {
                add(rows, of_key(later, key), 1);
            }
        });
    }

    /// Reads what the change of a key will, and changes nothing.
    pub(crate) fn look_ahead(&self, key: &K) {
        if let Some(common) = &self.at_hand {
            common.rows.look_ahead(key);
        }
    }

    /// What the rows took of the memory at the end of the last epoch; one of the readers counts
    /// them.
    pub(crate) fn n_bytes(&self) -> i64 {
        self.n_bytes
    }
}

/// # Panics
/// If a join has failed while it had the rows at hand.
pub(crate) fn lock<K, V>(
    common: &Mutex<Option<Box<Common<K, V>>>>,
) -> MutexGuard<'_, Option<Box<Common<K, V>>>> {
    common.lock().unwrap_or_else(|_| panic!("another join failed while it changed what both hold"))
}

impl<K, V> Drop for Reader<K, V> {
    fn drop(&mut self) {
        let mut guard = self.common.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(common) = guard.as_mut() {
            common.readers.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests;
