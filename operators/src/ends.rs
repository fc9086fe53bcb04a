//! Multisets of which only the least and the greatest value are asked for.
//!
//! What `min`, `max`, `first` and `last` hold. As long as there are few values they lie side by
//! side in no order, each as often as it is there, with the two ends at hand: a new value is put
//! behind the others without a search, and one that is taken away is found by reading on. A tree
//! of the same size is several reads of the memory deep, each waiting for the one before.

use std::hint::black_box;

use crate::multiset::Multiset;

/// Bytes up to which values lie side by side.
const FEW_BYTES_MAX: usize = 2048;

/// Values with signed multiplicities; those of which there are none or less do not count.
#[derive(Debug, Clone)]
pub(crate) enum Ends<K: Ord> {
    /// None is there less than once.
    Few(Few<K>),
    /// Many values, or some below zero.
    Many(Multiset<K>),
}

/// Values side by side.
#[derive(Debug, Clone)]
pub(crate) struct Few<K> {
    /// Least and greatest, if there is one.
    ends: Option<(K, K)>,
    values: Vec<K>,
}

impl<K> Default for Few<K> {
    fn default() -> Self {
        Self { ends: None, values: Vec::new() }
    }
}

impl<K: Ord> Default for Ends<K> {
    fn default() -> Self {
        Self::Few(Few::default())
    }
}

impl<K: Ord + Clone> Few<K> {
    /// Values up to which they are few.
    const N_MAX: usize = FEW_BYTES_MAX / size_of::<K>();

    /// Whether the change leaves few values, each there once at least; it is made then.
    fn add(&mut self, key: &K, diff: i64) -> bool {
        match usize::try_from(diff) {
            Ok(n) => self.insert(key, n),
            Err(_) => self.remove(key, diff.unsigned_abs()),
        }
    }

    fn insert(&mut self, key: &K, n: usize) -> bool {
        if self.values.len().saturating_add(n) > Self::N_MAX {
            return false;
        }
        if n > 0 {
            match &mut self.ends {
                None => self.ends = Some((key.clone(), key.clone())),
                Some((least, _)) if key < least => *least = key.clone(),
                Some((_, greatest)) if key > greatest => *greatest = key.clone(),
                Some(_) => {}
            }
        }
        self.values.extend(std::iter::repeat_n(key, n).cloned());
        true
    }

    fn remove(&mut self, key: &K, n: u64) -> bool {
        // Mostly a value goes once, and the first place is the only one to look for.
        let places = self.values.iter().enumerate().filter(|(_, value)| *value == key);
        let places: Vec<usize> = match usize::try_from(n) {
            Ok(n) => places.map(|(at, _)| at).take(n).collect(),
            Err(_) => return false,
        };
        if (places.len() as u64) < n {
            return false;
        }
        for at in places.into_iter().rev() {
            self.values.swap_remove(at);
        }
        if self.ends.as_ref().is_some_and(|(least, greatest)| key == least || key == greatest) {
            let least = self.values.iter().min();
            self.ends = least.zip(self.values.iter().max()).map(|(a, b)| (a.clone(), b.clone()));
        }
        if self.values.capacity() > 64 && self.values.len() < self.values.capacity() / 4 {
            self.values.shrink_to(self.values.len() * 2);
        }
        true
    }
}

impl<K: Ord + Clone> Ends<K> {
    pub(crate) fn add(&mut self, key: K, diff: i64) {
        match self {
            Self::Few(few) => {
                if !few.add(&key, diff) {
                    let mut many = Multiset::default();
                    for value in few.values.drain(..) {
                        many.add(value, 1);
                    }
                    many.add(key, diff);
                    *self = Self::Many(many);
                }
            }
            Self::Many(many) => {
                many.add(key, diff);
                if many.is_empty() {
                    *self = Self::default();
                }
            }
        }
    }

    /// Reads what the next [`Ends::add`] will, as far as it is known now.
    pub(crate) fn look_ahead(&self) {
        match self {
            Self::Few(few) => {
                let least = few.ends.as_ref().map(|(least, _)| least);
                black_box((few.values.first() == least, few.values.last() == least));
            }
            Self::Many(many) => {
                black_box(many.ascending().next_back());
            }
        }
    }

    /// Bytes that it has elsewhere in memory.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Few(few) => few.values.capacity() * size_of::<K>(),
            Self::Many(many) => many.heap_bytes(),
        }
    }

    pub(crate) fn least(&self) -> Option<&K> {
        match self {
            Self::Few(few) => few.ends.as_ref().map(|(least, _)| least),
            Self::Many(many) => many.ascending().next().map(|(key, _)| key),
        }
    }

    pub(crate) fn greatest(&self) -> Option<&K> {
        match self {
            Self::Few(few) => few.ends.as_ref().map(|(_, greatest)| greatest),
            Self::Many(many) => many.ascending().next_back().map(|(key, _)| key),
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        match other {
            Self::Few(few) => few.values.iter().for_each(|key| self.add(key.clone(), 1)),
            Self::Many(many) => many.changes().for_each(|(key, n)| self.add(key.clone(), n)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_ends_are_those_of_a_multiset(
            changes in prop::collection::vec((0_i64..12, -3_i64..5, 1_usize..80), 0..60),
        ) {
            let (mut ends, mut merged, mut all) =
                (Ends::default(), Ends::default(), Multiset::default());
            for (key, diff, times) in changes {
                let mut part = Ends::default();
                for _ in 0..times {
                    ends.add(key, diff);
                    part.add(key, diff);
                    all.add(key, diff);
                }
                merged.merge(&part);
                let least = all.ascending().next().map(|(key, _)| key);
                let greatest = all.ascending().next_back().map(|(key, _)| key);
                prop_assert_eq!((ends.least(), ends.greatest()), (least, greatest));
                prop_assert_eq!((merged.least(), merged.greatest()), (least, greatest));
            }
        }
    }

    #[test]
    fn what_comes_and_goes_leaves_nothing() {
        let mut ends = Ends::default();
        for key in 0..1000_i64 {
            ends.add(key, 1);
        }
        assert!(matches!(ends, Ends::Many(_)));
        for key in 0..1000_i64 {
            ends.add(key, -1);
        }
        assert!(matches!(&ends, Ends::Few(few) if few.values.is_empty()));
        assert_eq!(ends.greatest(), None);
    }
}
