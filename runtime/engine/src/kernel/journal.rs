//! Decisions of kernels, epoch by epoch: those of an earlier run are taken again, those that are
//! made now can be written down before anyone sees what they led to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arqon_kernels::Decision;

/// How a kernel followed its inputs in an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The epoch.
    pub epoch: u64,
    /// The kernel's address, as in `answers[0]`.
    pub kernel: Arc<str>,
    /// What was decided.
    pub decision: Decision,
}

/// The decisions of the kernels of a dataflow. Clones are of the same journal.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    known: BTreeMap<(u64, Arc<str>), Decision>,
    /// The last epoch that is known.
    last: Option<u64>,
    made: Mutex<Made>,
}

#[derive(Debug, Default)]
struct Made {
    decided: Vec<Decided>,
    stray: Option<(u64, Arc<str>)>,
}

impl PartialEq for Journal {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for Journal {}

impl Journal {
    /// A journal that has these decisions already, one at most of a kernel and epoch.
    pub fn of(known: impl IntoIterator<Item = Decided>) -> Self {
        let known: BTreeMap<_, _> =
            known.into_iter().map(|it| ((it.epoch, it.kernel), it.decision)).collect();
        let last = known.keys().next_back().map(|(epoch, _)| *epoch);
        Self { shared: Arc::new(Shared { known, last, made: Mutex::default() }) }
    }

    /// What was decided since the last call and not known before, in the order of epochs.
    pub fn drain(&self) -> Vec<Decided> {
        let mut made = self.shared.made.lock().unwrap_or_else(PoisonError::into_inner);
        let mut decided = std::mem::take(&mut made.decided);
        decided.sort_by(|a, b| (a.epoch, &a.kernel).cmp(&(b.epoch, &b.kernel)));
        decided
    }

    /// The first kernel that had to decide in an epoch which the journal has, without itself in it:
    /// the journal is of other inputs, or of another circuit.
    pub fn stray(&self) -> Option<(u64, Arc<str>)> {
        self.shared.made.lock().unwrap_or_else(PoisonError::into_inner).stray.clone()
    }

    /// What is known of a kernel and epoch.
    pub(super) fn known(&self, epoch: u64, kernel: &Arc<str>) -> Option<Decision> {
        self.shared.known.get(&(epoch, Arc::clone(kernel))).copied()
    }

    /// Takes a decision that was not known.
    pub(super) fn add(&self, decided: Decided) {
        let mut made = self.shared.made.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shared.last.is_some_and(|last| decided.epoch <= last) {
            made.stray.get_or_insert_with(|| (decided.epoch, Arc::clone(&decided.kernel)));
        }
        made.decided.push(decided);
    }
}
