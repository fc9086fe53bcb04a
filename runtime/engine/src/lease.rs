//! State that several dataflows have in common.
//!
//! Dataflows that are fed the same would each hold the same. Instead each has a lease of one state:
//! who comes first to an epoch's changes applies them, and leaves what they came to for the others,
//! until all have taken it. So the state is there once, and each of the dataflows still goes at its
//! own pace, on threads of its own.
//!
//! **Invariant:** since it took its lease, each holder has had the same changes, in the same order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One dataflow's share in a state `S`, whose changes come to `A`.
#[derive(Debug)]
pub(crate) struct Lease<S, A> {
    common: Arc<Mutex<Common<S, A>>>,
    holder: u64,
}

#[derive(Debug)]
struct Common<S, A> {
    state: S,
    /// What changes came to that some holder has not taken.
    steps: VecDeque<Taken<A>>,
    /// The number of the first of them, or of the next one.
    first: u64,
    /// The step that each holder takes next.
    holders: BTreeMap<u64, u64>,
    n_holders_ever: u64,
}

/// What changes came to.
#[derive(Debug)]
struct Taken<A> {
    /// What the changes were, in a number.
    sum: i64,
    outcome: Arc<A>,
}

impl<S, A> Common<S, A> {
    /// Another holder, who has taken the steps before this one.
    fn admit(&mut self, at: u64) -> u64 {
        self.n_holders_ever += 1;
        self.holders.insert(self.n_holders_ever, at);
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

impl<S, A> Lease<S, A> {
    /// The only lease of a state.
    pub(crate) fn new(state: S) -> Self {
        let (steps, holders) = (VecDeque::new(), BTreeMap::new());
        let mut common = Common { state, steps, first: 0, holders, n_holders_ever: 0 };
        let holder = common.admit(0);
        Self { common: Arc::new(Mutex::new(common)), holder }
    }

    /// Another lease of the same state, whose holder has had what this one has had.
    pub(crate) fn another(&self) -> Self {
        let mut common = self.lock();
        let at = common.holders[&self.holder];
        let holder = common.admit(at);
        drop(common);
        Self { common: Arc::clone(&self.common), holder }
    }

    /// Reads the state, which others may have brought further.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&S) -> T) -> T {
        read(&self.lock().state)
    }

    /// # Panics
    /// If another holder has failed in the middle of a change: what is there then is of no use to
    /// anybody. The same change would have made this one fail as well.
    fn lock(&self) -> MutexGuard<'_, Common<S, A>> {
        let broken = |_| panic!("another circuit failed while it changed what both have");
        self.common.lock().unwrap_or_else(broken)
    }
}

impl<S, A: Clone> Lease<S, A> {
    /// Applies changes, whose `sum` tells them from others, unless another holder has had them
    /// before: then what they came to is taken, or copied if more want it.
    ///
    /// # Panics
    /// If they are not what the other holder had.
    pub(crate) fn apply(&self, sum: i64, apply: impl FnOnce(&mut S) -> A) -> A {
        let mut common = self.lock();
        let at = common.holders[&self.holder];
        let outcome = if at == common.next() {
            let outcome = apply(&mut common.state);
            if common.holders.len() == 1 {
                common.first += 1;
                common.holders.insert(self.holder, at + 1);
                return outcome;
            }
            let outcome = Arc::new(outcome);
            common.steps.push_back(Taken { sum, outcome: Arc::clone(&outcome) });
            outcome
        } else {
            let ahead = usize::try_from(at - common.first).expect("few steps are ahead");
            let step = &common.steps[ahead];
            assert_eq!(step.sum, sum, "all holders of a state have the same changes");
            Arc::clone(&step.outcome)
        };
        common.holders.insert(self.holder, at + 1);
        common.trim();
        drop(common);
        Arc::unwrap_or_clone(outcome)
    }

    /// Whether nothing waits for a holder.
    #[cfg(test)]
    pub(crate) fn is_settled(&self) -> bool {
        self.lock().steps.is_empty()
    }
}

impl<S, A> Drop for Lease<S, A> {
    fn drop(&mut self) {
        let mut common = self.common.lock().unwrap_or_else(PoisonError::into_inner);
        common.holders.remove(&self.holder);
        common.trim();
    }
}
