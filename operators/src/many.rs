//! Many values of which the least and the greatest are asked for, and nothing else.
//!
//! What comes or goes between the two changes neither, so it is only noted, and waits until dozens
//! or hundreds of changes are put into order together. A change writes one line of the memory then,
//! where to find the place of its value reads several that are in no cache.

use std::hint::black_box;

use crate::blocks::Blocks;
use crate::ints::{Key, Values};

/// Changes that wait, for each block: what is put into order reads blocks, which are in no cache,
/// and of many changes several are in each. A block has some 45 values, so that changes take less
/// room than what is in order.
const WAITING_PER_BLOCK: usize = 8;
/// However few blocks there are.
const WAITING_MIN: usize = 64;
/// However many: one change has to wait for all of them.
const WAITING_MAX: usize = 512;

/// Values, each there once at least when all changes that wait have been made.
#[derive(Debug, Clone)]
pub(crate) struct Many<K: Key> {
    /// Least and greatest, if there is one.
    ends: Option<(K, K)>,
    /// Those that have come since, between the ends or one of them.
    come: K::Values,
    /// Those that have gone since, between the ends: the ends move outwards as long as changes
    /// wait, so that no change that waits can take one away.
    gone: K::Values,
    settled: Box<Blocks<K>>,
    /// How large `settled` is, so that a change that waits need not ask it.
    size: Size,
}

/// What follows from how many values are in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    /// What they have elsewhere in memory.
    heap_bytes: usize,
    /// How many changes wait at most.
    waiting_max: usize,
}

impl Size {
    fn of<K: Key>(settled: &Blocks<K>) -> Self {
        let waiting_max = WAITING_PER_BLOCK * settled.n_blocks();
        Self {
            heap_bytes: settled.heap_bytes(),
            waiting_max: waiting_max.clamp(WAITING_MIN, WAITING_MAX),
        }
    }
}

impl<K: Key> Many<K> {
    /// These values, none of which is there 2^32 times.
    pub(crate) fn new(mut values: impl Iterator<Item = K>) -> Self {
        let mut settled = Blocks::default();
        let fits = values.all(|key| settled.add(&key, 1));
        assert!(fits, "each value is there a few times");
        let (come, gone) = Default::default();
        Self {
            ends: settled.least().zip(settled.greatest()),
            come,
            gone,
            size: Size::of(&settled),
            settled: Box::new(settled),
        }
    }

    /// Least and greatest value, if one is there.
    pub(crate) fn ends(&self) -> Option<&(K, K)> {
        self.ends.as_ref()
    }

    /// Makes a change; or none, and says so, where a value would be there less than never or more
    /// often than 2^32 times. That may be another one than that of this change.
    pub(crate) fn add(&mut self, key: &K, diff: i64) -> bool {
        let is_between = |(least, greatest): &(K, K)| least < key && key < greatest;
        let may_wait = diff == 1 || diff == -1 && self.ends.as_ref().is_some_and(is_between);
        let n_waiting = self.come.len() + self.gone.len();
        if (!may_wait || n_waiting >= self.size.waiting_max) && !self.settle() {
            return false;
        }
        if !may_wait {
            let is_made = self.settled.add(key, diff);
            self.size = Size::of(&self.settled);
            self.ends = self.settled.least().zip(self.settled.greatest());
            return is_made;
        }
        let waiting = if diff > 0 { &mut self.come } else { &mut self.gone };
        waiting.insert(waiting.len(), key);
        match &mut self.ends {
            None => self.ends = Some((key.clone(), key.clone())),
            Some((least, _)) if key < least => *least = key.clone(),
            Some((_, greatest)) if key > greatest => *greatest = key.clone(),
            Some(_) => {}
        }
        true
    }

    /// Makes the changes that wait; if one cannot be made, it and those behind it wait on.
    fn settle(&mut self) -> bool {
        let come = (0..self.come.len()).map(|at| (self.come.get(at), 1));
        let gone = (0..self.gone.len()).map(|at| (self.gone.get(at), -1));
        let mut changes: Vec<(K, i64)> = come.chain(gone).collect();
        // Of one value those that come are first, so that it is not there less than never between.
        changes.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        self.come.clear();
        self.gone.clear();
        self.settled.read_ahead(&changes.iter().map(|(key, _)| key));
        let mut changes = changes.iter();
        let failed = changes.find(|(key, diff)| !self.settled.add(key, *diff));
        for (key, diff) in failed.into_iter().chain(changes) {
            let waiting = if *diff > 0 { &mut self.come } else { &mut self.gone };
            waiting.insert(waiting.len(), key);
        }
        self.size = Size::of(&self.settled);
        failed.is_none()
    }

    /// What has been added, value by value; those that wait come behind the others.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(K, i64)) {
        self.settled.ascending().for_each(|(key, n)| visit(key, n));
        (0..self.come.len()).for_each(|at| visit(self.come.get(at), 1));
        (0..self.gone.len()).for_each(|at| visit(self.gone.get(at), -1));
    }

    /// Reads where a change will be noted.
    pub(crate) fn look_ahead(&self) {
        for waiting in [&self.come, &self.gone] {
            black_box(waiting.len().checked_sub(1).map(|last| waiting.get(last)));
        }
    }

    /// Bytes that it has elsewhere in memory.
    pub(crate) fn heap_bytes(&self) -> usize {
        let waiting = self.come.heap_bytes() + self.gone.heap_bytes();
        size_of::<Blocks<K>>() + self.size.heap_bytes + waiting
    }

    /// Whether what it says of its memory is what its blocks have.
    #[cfg(test)]
    pub(crate) fn is_weighed(&self) -> bool {
        self.settled.is_weighed() && self.size == Size::of(&self.settled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(many: &Many<i64>) -> Vec<(i64, i64)> {
        let mut held = std::collections::BTreeMap::new();
        many.for_each(|key, n| *held.entry(key).or_insert(0) += n);
        held.into_iter().filter(|(_, n)| *n != 0).collect()
    }

    #[test]
    fn what_waits_moves_no_end_inwards() {
        let mut many = Many::new(0..300_i64);
        for key in [299, 0, 298] {
            assert!(many.add(&key, -1));
        }
        assert_eq!(many.ends(), Some(&(1, 297)));
        assert!(many.add(&1000, 1) && many.add(&-5, 1) && many.add(&1000, -1));
        assert_eq!(many.ends(), Some(&(-5, 297)));
        assert!(many.add(&297, 1) && many.add(&297, -1));
        assert_eq!(many.ends(), Some(&(-5, 297)));
    }

    #[test]
    fn what_was_never_there_is_told_when_it_is_put_into_order() {
        let mut many = Many::new((0..300_i64).map(|key| 2 * key));
        assert!(many.add(&7, -1), "it may still come");
        assert!(many.add(&7, 1));
        for key in (21..).step_by(2).take(many.size.waiting_max) {
            assert!(many.add(&key, 1));
        }
        assert!(many.add(&9, -1));
        let before = held(&many);
        assert!(!many.add(&598, -1), "9 would be there less than never");
        assert_eq!(held(&many), before, "and nothing is lost");
    }
}
