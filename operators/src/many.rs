//! Many values of which the least and the greatest are asked for, and nothing else.
//!
//! What comes or goes between the two changes neither, so it is only noted, and waits until some
//! dozens of changes are put into order together. A change writes one line of the memory then,
//! where to find the place of its value reads several that are in no cache.

use std::hint::black_box;

use crate::blocks::Blocks;
use crate::ints::{Key, Values};

/// Changes that wait at most.
const WAITING_MAX: usize = 64;

/// Values, each there once at least when all changes that wait have been made. There is one.
#[derive(Debug, Clone)]
pub(crate) struct Many<K: Key> {
    least: K,
    greatest: K,
    /// Those that have come since, between the ends or one of them.
    come: K::Values,
    /// Those that have gone since, between the ends: the ends move outwards as long as changes
    /// wait, so that no change that waits can take one away.
    gone: K::Values,
    settled: Box<Blocks<K>>,
}

impl<K: Key> Many<K> {
    /// These values, if there is one.
    pub(crate) fn new(mut values: impl Iterator<Item = K>) -> Option<Self> {
        let mut settled = Blocks::default();
        let fits = values.all(|key| settled.add(&key, 1));
        let (least, greatest) = settled.least().zip(settled.greatest()).filter(|_| fits)?;
        let (come, gone) = Default::default();
        Some(Self { least, greatest, come, gone, settled: Box::new(settled) })
    }

    /// The least value.
    pub(crate) fn least(&self) -> &K {
        &self.least
    }

    /// The greatest value.
    pub(crate) fn greatest(&self) -> &K {
        &self.greatest
    }

    /// Makes a change; or none, and says so, where a value would be there less than never or more
    /// often than 2^32 times. That may be another one than that of this change.
    pub(crate) fn add(&mut self, key: &K, diff: i64) -> bool {
        let may_wait = match diff {
            1 => true,
            -1 => self.least < *key && *key < self.greatest,
            _ => false,
        };
        let n_waiting = self.come.len() + self.gone.len();
        if (!may_wait || n_waiting == WAITING_MAX) && !self.settle() {
            return false;
        }
        if !may_wait {
            let is_made = self.settled.add(key, diff);
            if let Some(ends) = self.settled.least().zip(self.settled.greatest()) {
                (self.least, self.greatest) = ends;
            }
            return is_made;
        }
        let waiting = if diff > 0 { &mut self.come } else { &mut self.gone };
        waiting.insert(waiting.len(), key);
        if *key < self.least {
            self.least = key.clone();
        } else if *key > self.greatest {
            self.greatest = key.clone();
        }
        true
    }

    /// Whether no value is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.settled.is_empty() && self.come.len() == 0
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
        let mut rest = changes.iter().skip_while(|(key, diff)| self.settled.add(key, *diff));
        let Some(first) = rest.next() else { return true };
        for (key, diff) in std::iter::once(first).chain(rest) {
            let waiting = if *diff > 0 { &mut self.come } else { &mut self.gone };
            waiting.insert(waiting.len(), key);
        }
        false
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
        size_of::<Blocks<K>>() + self.settled.heap_bytes() + waiting
    }

    /// Whether what it says of its memory is what its blocks have.
    #[cfg(test)]
    pub(crate) fn is_weighed(&self) -> bool {
        self.settled.is_weighed()
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
        let mut many = Many::new(0..300_i64).unwrap();
        for key in [299, 0, 298] {
            assert!(many.add(&key, -1));
        }
        assert_eq!((many.least(), many.greatest()), (&1, &297));
        assert!(many.add(&1000, 1) && many.add(&-5, 1) && many.add(&1000, -1));
        assert_eq!((many.least(), many.greatest()), (&-5, &297));
        assert!(many.add(&297, 1) && many.add(&297, -1));
        assert_eq!(many.greatest(), &297);
    }

    #[test]
    fn what_was_never_there_is_told_when_it_is_put_into_order() {
        let mut many = Many::new((0..300_i64).map(|key| 2 * key)).unwrap();
        assert!(many.add(&7, -1), "it may still come");
        assert!(many.add(&7, 1));
        for key in 0..64 {
            assert!(many.add(&(2 * key + 21), 1));
        }
        assert!(many.add(&9, -1));
        let before = held(&many);
        assert!(!many.add(&598, -1), "9 would be there less than never");
        assert_eq!(held(&many), before, "and nothing is lost");
    }
}
