//! Multisets of which only the least and the greatest value are asked for.
//!
//! What `min`, `max`, `first` and `last` hold. As long as there are few values they lie side by
//! side in no order, each as often as it is there, with the two ends at hand: a new value is put
//! behind the others without a search, and one that is taken away is found by reading on. Many are
//! in order, but for the last changes.

use std::hint::black_box;

use crate::glance::Glance;
use crate::ints::{Key, Values};
use crate::many::Many;
use crate::multiset::Multiset;

/// Values up to which they lie side by side, if they are numbers; fewer if they are larger.
const FEW_NUMBERS_MAX: usize = 256;

/// Values with signed multiplicities; those of which there are none or less do not count.
#[derive(Debug, Clone)]
pub(crate) enum Ends<K: Key> {
    /// None is there less than once.
    Few(Few<K>),
    /// None is there less than once, as far as is known: the last changes wait.
    Many(Many<K>),
    /// Some are below zero, or were.
    Any(Box<Multiset<K>>),
}

/// Values side by side.
#[derive(Debug, Clone)]
pub(crate) struct Few<K: Key> {
    /// Least and greatest, if there is one.
    ends: Option<(K, K)>,
    values: K::Values,
}

impl<K: Key> Default for Few<K> {
    fn default() -> Self {
        Self { ends: None, values: K::Values::default() }
    }
}

impl<K: Key> Default for Ends<K> {
    fn default() -> Self {
        Self::Few(Few::default())
    }
}

impl<K: Key> Few<K> {
    /// Values up to which they are few.
    const N_MAX: usize = FEW_NUMBERS_MAX * size_of::<i64>() / size_of::<K>();

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
        for _ in 0..n {
            self.values.insert(self.values.len(), key);
        }
        true
    }

    fn remove(&mut self, key: &K, n: u64) -> bool {
        // Mostly a value goes once, and the first place is the only one to look for.
        let Some(first) = self.values.find(key) else { return false };
        let n_there = || {
            let behind = (first..self.values.len()).filter(|at| self.values.get(*at) == *key);
            behind.count() as u64
        };
        if n > 1 && n_there() < n {
            return false;
        }
        self.values.swap_remove(first);
        for _ in 1..n {
            let at = self.values.find(key).expect("it is there often enough");
            self.values.swap_remove(at);
        }
        if self.ends.as_ref().is_some_and(|(least, greatest)| key == least || key == greatest) {
            let values = || (0..self.values.len()).map(|at| self.values.get(at));
            self.ends = values().min().zip(values().max());
        }
        if self.values.capacity() > 64 && self.values.len() < self.values.capacity() / 4 {
            self.values.shrink_to(self.values.len() * 2);
        }
        true
    }

    fn values(&self) -> impl Iterator<Item = K> {
        (0..self.values.len()).map(|at| self.values.get(at))
    }
}

impl<K: Key> Ends<K> {
    pub(crate) fn add(&mut self, key: K, diff: i64) {
        let is_done = match self {
            Self::Few(few) => few.add(&key, diff),
            Self::Many(many) => many.add(&key, diff),
            Self::Any(values) => {
                values.add(key.clone(), diff);
                true
            }
        };
        if !is_done {
            *self = self.grown(diff);
            self.add(key, diff);
        }
        let is_empty = match self {
            Self::Few(_) => false,
            Self::Many(many) => many.ends().is_none(),
            Self::Any(values) => values.is_empty(),
        };
        if is_empty {
            *self = Self::default();
        }
    }

    /// The same values where there is room for a change that had none.
    fn grown(&self, diff: i64) -> Self {
        if let (Self::Few(few), 1..=MANY_COPIES_MAX) = (self, diff) {
            return Self::Many(Many::new(few.values()));
        }
        let mut values = Multiset::default();
        self.for_each(|key, n| values.add(key, n));
        Self::Any(Box::new(values))
    }

    fn for_each(&self, mut visit: impl FnMut(K, i64)) {
        match self {
            Self::Few(few) => few.values().for_each(|key| visit(key, 1)),
            Self::Many(many) => many.for_each(visit),
            Self::Any(values) => values.changes().for_each(|(key, n)| visit(key.clone(), n)),
        }
    }

    /// Reads what the next [`Ends::add`] will, one step further than the last glance.
    pub(crate) fn look_ahead(&self, glance: Glance) {
        match (self, glance) {
            (_, Glance::Slots) => {}
            (_, Glance::Values) => {
                black_box(matches!(self, Self::Few(_)));
            }
            (Self::Few(few), Glance::Ends) => few.values.touch(),
            (Self::Any(values), Glance::Ends) => {
                black_box(values.ascending().next_back());
            }
            (Self::Many(many), Glance::Ends) => many.look_ahead(),
        }
    }

    /// Bytes that it has elsewhere in memory.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Few(few) => few.values.heap_bytes(),
            Self::Many(many) => many.heap_bytes(),
            Self::Any(values) => size_of::<Multiset<K>>() + values.heap_bytes(),
        }
    }

    pub(crate) fn least(&self) -> Option<K> {
        match self {
            Self::Few(few) => few.ends.as_ref().map(|(least, _)| least.clone()),
            Self::Many(many) => many.ends().map(|(least, _)| least.clone()),
            Self::Any(values) => values.ascending().next().map(|(key, _)| key.clone()),
        }
    }

    pub(crate) fn greatest(&self) -> Option<K> {
        match self {
            Self::Few(few) => few.ends.as_ref().map(|(_, greatest)| greatest.clone()),
            Self::Many(many) => many.ends().map(|(_, greatest)| greatest.clone()),
            Self::Any(values) => values.ascending().next_back().map(|(key, _)| key.clone()),
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.for_each(|key, n| self.add(key, n));
    }
}

/// Copies up to which a value that comes leads to blocks.
const MANY_COPIES_MAX: i64 = u32::MAX as i64;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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
                let least = all.ascending().next().map(|(key, _)| *key);
                let greatest = all.ascending().next_back().map(|(key, _)| *key);
                prop_assert_eq!((ends.least(), ends.greatest()), (least, greatest));
                prop_assert_eq!((merged.least(), merged.greatest()), (least, greatest));
            }
        }

        /// Many values that are there, some of them often, come and go.
        #[test]
        fn many_values_have_their_ends(
            shift in prop::sample::select(vec![0_u32, 20, 40]),
            changes in prop::collection::vec(
                (-700_i64..700, 1_i64..4, 1_i64..300, any::<bool>()), 1..40,
            ),
        ) {
            let (mut ends, mut all) = (Ends::default(), BTreeMap::<i64, i64>::new());
            for (first, n, n_values, comes) in changes {
                for key in (first..first + n_values).map(|key| key << shift) {
                    let held = all.entry(key).or_insert(0);
                    let diff = if comes { n } else { -n.min(*held) };
                    ends.add(key, diff);
                    *held += diff;
                    if *held == 0 {
                        all.remove(&key);
                    }
                    let of_all = (all.keys().next().copied(), all.keys().next_back().copied());
                    prop_assert_eq!((ends.least(), ends.greatest()), of_all);
                    if let Ends::Many(many) = &ends {
                        prop_assert!(many.is_weighed(), "{many:?}");
                    }
                }
            }
            prop_assert!(!matches!(ends, Ends::Any(_)), "nothing was below zero");
            let mut held = BTreeMap::new();
            ends.for_each(|key, n| *held.entry(key).or_insert(0) += n);
            // Of what has gone both changes may wait.
            held.retain(|_, n| *n != 0);
            prop_assert_eq!(held, all);
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
        assert!(matches!(&ends, Ends::Few(few) if few.values.len() == 0));
        assert_eq!(ends.greatest(), None);
    }
}
