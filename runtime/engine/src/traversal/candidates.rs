//! Values that a node of a traversal might have, and those that it has from round to round.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::memory::signed;

use super::counts::list_bytes;

/// Derivations from which a tree has them, so that one is put among many without moving them.
const TREE_MIN: usize = 48;

/// Bytes of a derivation in a tree, with its share of the tree's room.
const TREE_BYTES: usize = 40;

/// A value and a round, in the order of the values, whose least is best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(C, packed(4))]
pub(super) struct Rank {
    pub(super) value: u64,
    pub(super) round: u32,
}

/// A value that is derived in a round so often, in twenty bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, packed(4))]
pub(super) struct Derived {
    rank: Rank,
    n: i64,
}

/// How often a node is derived with which value in which round, in order of values and then of
/// rounds; none of them is zero.
#[derive(Debug)]
pub(super) enum Candidates {
    Few(SmallVec<[Derived; 1]>),
    Many(BTreeMap<Rank, i64>),
}

/// What candidates come to up to a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// The least value that is there.
    pub(super) best: Option<u64>,
    /// The next round in which that may become another.
    pub(super) next: Option<u32>,
}

impl Default for Candidates {
    fn default() -> Self {
        Self::Few(SmallVec::new())
    }
}

impl Candidates {
    /// Whether nothing is derived in any round.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Few(list) => list.is_empty(),
            Self::Many(tree) => tree.is_empty(),
        }
    }

    /// What they take elsewhere in memory.
    pub(super) fn bytes(&self) -> i64 {
        signed(match self {
            Self::Few(list) => list_bytes(list),
            Self::Many(tree) => tree.len() * TREE_BYTES,
        })
    }

    /// Adds to a value in a round. Returns how often it is derived then.
    pub(super) fn change(&mut self, rank: Rank, diff: i64) -> i64 {
        if diff == 0 {
            return 0;
        }
        match self {
            Self::Few(list) => {
                let at = list.partition_point(|it| { it.rank } < rank);
                let now = match list.get_mut(at) {
                    Some(it) if { it.rank } == rank => {
                        it.n += diff;
                        let now = it.n;
                        if now == 0 {
                            list.remove(at);
                        }
                        now
                    }
                    _ => {
                        list.insert(at, Derived { rank, n: diff });
                        diff
                    }
                };
                if list.is_empty() {
                    *list = SmallVec::new();
                } else if TREE_MIN <= list.len() {
                    *self = Self::Many(list.iter().map(|it| (it.rank, it.n)).collect());
                }
                now
            }
            Self::Many(tree) => {
                let n = tree.entry(rank).or_insert(0);
                *n += diff;
                let now = *n;
                if now == 0 {
                    tree.remove(&rank);
                }
                if tree.len() < TREE_MIN / 2 {
                    let all = tree.iter();
                    *self =
                        Self::Few(all.map(|(rank, n)| Derived { rank: *rank, n: *n }).collect());
                }
                now
            }
        }
    }

    /// The least value, and the first round in which it is derived.
    pub(super) fn first(&self) -> Option<Rank> {
        match self {
            Self::Few(list) => list.first().map(|it| it.rank),
            Self::Many(tree) => tree.first_key_value().map(|(rank, _)| *rank),
        }
    }

    /// How often a value is derived in a round.
    pub(super) fn n(&self, rank: Rank) -> i64 {
        match self {
            Self::Few(list) => {
                let found = list.binary_search_by_key(&rank, |it| it.rank);
                found.map_or(0, |at| list[at].n)
            }
            Self::Many(tree) => tree.get(&rank).copied().unwrap_or_default(),
        }
    }

    /// All of them, in order, and how often each is derived.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Rank, i64)> + '_ {
        let (few, many) = match self {
            Self::Few(list) => (Some(list), None),
            Self::Many(tree) => (None, Some(tree)),
        };
        let few = few.into_iter().flatten().map(|it| (it.rank, it.n));
        few.chain(many.into_iter().flatten().map(|(rank, n)| (*rank, *n)))
    }

    /// What those up to this round come to. Reads the values up to the best.
    pub(super) fn seen(&self, round: u32) -> Seen {
        match self {
            Self::Few(list) => see(list.iter().map(|it| (it.rank, it.n)), round),
            Self::Many(tree) => see(tree.iter().map(|(rank, n)| (*rank, *n)), round),
        }
    }
}

fn see(derived: impl Iterator<Item = (Rank, i64)>, round: u32) -> Seen {
    let mut next: Option<u32> = None;
    let (mut value, mut sum) = (0, 0);
    for (Rank { value: of, round: at }, n) in derived {
        if of != value {
            if sum > 0 {
                break;
            }
            (value, sum) = (of, 0);
        }
        if at <= round {
            sum += n;
        } else {
            next = Some(next.map_or(at, |next| next.min(at)));
        }
    }
    Seen { best: (sum > 0).then_some(value), next }
}

/// A value from a round on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, packed(4))]
struct Turn {
    value: u64,
    round: u32,
    is_there: bool,
}

/// Which value a node has in which round: none at first, and each until the next one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Turns(SmallVec<[Turn; 1]>);

impl Turn {
    fn value(self) -> Option<u64> {
        self.is_there.then_some(self.value)
    }
}

impl Turns {
    /// Whether there is no value in any round.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they take elsewhere in memory.
    pub(super) fn bytes(&self) -> i64 {
        signed(list_bytes(&self.0))
    }

    /// The value in a round.
    pub(super) fn at(&self, round: u32) -> Option<u64> {
        self.0[..self.n_up_to(round)].last().and_then(|turn| turn.value())
    }

    /// The first round behind this one that has another value.
    pub(super) fn next(&self, round: u32) -> Option<u32> {
        self.0.get(self.n_up_to(round)).map(|turn| turn.round)
    }

    fn n_up_to(&self, round: u32) -> usize {
        self.0.partition_point(|turn| turn.round <= round)
    }

    /// Each round that has another value than the one before: it, the value before, and its own.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, [Option<u64>; 2])> + '_ {
        let step = |last: &mut Option<u64>, turn: &Turn| {
            let before = std::mem::replace(last, turn.value());
            Some((turn.round, [before, *last]))
        };
        self.0.iter().scan(None, step)
    }

    /// Has this value from a round on that is behind all others.
    pub(super) fn go_on(&mut self, round: u32, value: Option<u64>) {
        if self.0.last().and_then(|turn| turn.value()) == value {
            return;
        }
        self.0.push(Turn { value: value.unwrap_or_default(), round, is_there: value.is_some() });
    }

    /// Has the values of others in rounds from the first to the last.
    pub(super) fn go_on_as(&mut self, others: &Self, first: u32, last: u32) {
        let start = others.0.partition_point(|turn| turn.round < first);
        for turn in others.0[start..].iter().take_while(|turn| turn.round <= last) {
            self.go_on(turn.round, turn.value());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_the_least_that_is_there() {
        let mut candidates = Candidates::default();
        for (value, round, n) in [(7, 1, 1), (5, 3, 2), (5, 6, -2), (9, 0, 1), (4, 2, -1)] {
            candidates.change(Rank { value, round }, n);
        }
        let seen = |round| {
            let Seen { best, next } = candidates.seen(round);
            (best, next)
        };
        assert_eq!(seen(0), (Some(9), Some(1)));
        assert_eq!(seen(1), (Some(7), Some(2)));
        assert_eq!(seen(2), (Some(7), Some(3)));
        assert_eq!(seen(4), (Some(5), Some(6)));
        assert_eq!(seen(6), (Some(7), None));
    }

    #[test]
    fn many_candidates_are_as_few() {
        let mut candidates = Candidates::default();
        for value in 0..200 {
            candidates.change(Rank { value, round: 2 }, 1);
        }
        assert!(matches!(candidates, Candidates::Many(_)));
        for value in 0..190 {
            candidates.change(Rank { value, round: 2 }, -1);
        }
        assert!(matches!(candidates, Candidates::Few(_)));
        assert_eq!(candidates.seen(2), Seen { best: Some(190), next: None });
        for value in 190..200 {
            candidates.change(Rank { value, round: 2 }, -1);
        }
        assert!(candidates.is_empty() && candidates.bytes() == 0);
    }

    #[test]
    fn a_value_lasts_until_the_next() {
        let mut turns = Turns::default();
        for (round, value) in [(0, None), (1, Some(8)), (2, Some(8)), (4, None), (6, Some(3))] {
            turns.go_on(round, value);
        }
        let all: Vec<_> = turns.all().collect();
        assert_eq!(all, [(1, [None, Some(8)]), (4, [Some(8), None]), (6, [None, Some(3)])]);
        assert_eq!([0, 3, 5, 9].map(|round| turns.at(round)), [None, Some(8), None, Some(3)]);
        assert_eq!([0, 1, 6].map(|round| turns.next(round)), [Some(1), Some(4), None]);
        let mut others = Turns::default();
        others.go_on_as(&turns, 2, 6);
        assert_eq!(others.all().collect::<Vec<_>>(), [(6, [None, Some(3)])]);
    }
}
