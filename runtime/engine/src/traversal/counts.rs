//! Counts that stand beside each node of a traversal. Most nodes have one or two of either kind,
//! which have room in the node itself.

use std::hash::Hash;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use smallvec::{Array, SmallVec};

use crate::memory::signed;

/// A count of something, without gaps: twelve bytes where it is a number of four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, packed(4))]
struct Counted<T: Copy> {
    of: T,
    n: i64,
}

type List<T> = SmallVec<[Counted<T>; 2]>;

/// What a list takes elsewhere in memory.
pub(super) fn list_bytes<A: Array>(list: &SmallVec<A>) -> usize {
    if list.spilled() { list.capacity() * size_of::<A::Item>() } else { 0 }
}

/// How often a node is derived in each round; in order of the rounds, and none of them is zero.
#[derive(Debug, Clone, Default)]
pub(super) struct Derivations(List<u32>);

/// What a round of a node's derivations comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// The sum over the rounds before.
    pub(super) before: i64,
    /// The same with the round.
    pub(super) now: i64,
    /// The next round in which something is derived, or less than before is.
    pub(super) next: Option<u32>,
    /// Whether nothing becomes less in the rounds behind.
    pub(super) only_grows: bool,
}

impl Derivations {
    /// Whether it is derived in no round.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What it takes elsewhere in memory.
    pub(super) fn bytes(&self) -> i64 {
        signed(list_bytes(&self.0))
    }

    /// Adds to a round.
    pub(super) fn change(&mut self, round: u32, diff: i64) {
        if diff == 0 {
            return;
        }
        let at = self.0.partition_point(|counted| counted.of < round);
        match self.0.get_mut(at) {
            Some(counted) if counted.of == round => {
                counted.n += diff;
                if counted.n == 0 {
                    self.0.remove(at);
                }
            }
            _ => self.0.insert(at, Counted { of: round, n: diff }),
        }
        if self.0.is_empty() {
            self.0 = List::new();
        }
    }

    /// Each round in which the count changes, with the sum up to it.
    pub(super) fn sums(&self) -> impl Iterator<Item = (u32, i64)> + '_ {
        let add = |sum: &mut i64, counted: &Counted<u32>| {
            *sum += counted.n;
            Some((counted.of, *sum))
        };
        self.0.iter().scan(0, add)
    }

    /// The sum of the rounds up to this one.
    pub(super) fn up_to(&self, round: u32) -> i64 {
        self.0.iter().take_while(|counted| counted.of <= round).map(|counted| counted.n).sum()
    }

    /// What this round comes to.
    pub(super) fn view(&self, round: u32) -> View {
        let mut view = View { before: 0, now: 0, next: None, only_grows: true };
        for counted in &self.0 {
            if counted.of < round {
                view.before += counted.n;
            }
            if counted.of <= round {
                view.now += counted.n;
            } else {
                view.next.get_or_insert(counted.of);
                view.only_grows &= counted.n > 0;
            }
        }
        view
    }
}

/// Edges from which a list of them has a table beside it, so that one is found among many.
const TABLE_EDGES_MIN: usize = 24;

/// Which edge of a node it is: the place to which it leads, and what else tells it from others.
pub(super) trait Way: Copy + Eq + Hash {}

impl<T: Copy + Eq + Hash> Way for T {}

/// Where edges lead from a node, and how many of each there are.
#[derive(Debug)]
pub(super) struct Edges<W: Way = u32> {
    list: List<W>,
    /// Where each stands in the list, if the list is long.
    table: Option<Box<HashMap<W, u32, FixedState>>>,
}

impl<W: Way> Default for Edges<W> {
    fn default() -> Self {
        Self { list: List::new(), table: None }
    }
}

impl<W: Way> Edges<W> {
    /// Whether none leads anywhere.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What they take elsewhere in memory.
    pub(super) fn bytes(&self) -> i64 {
        let table = self.table.as_ref().map_or(0, |table| table.allocation_size());
        signed(list_bytes(&self.list) + table)
    }

    /// Where they lead, and how often.
    pub(super) fn iter(&self) -> impl Iterator<Item = (W, i64)> + '_ {
        self.list.iter().map(|counted| (counted.of, counted.n))
    }

    /// Adds to the multiplicity of an edge. Returns by how many those become more that lead from
    /// here.
    pub(super) fn change(&mut self, to: W, diff: i64) -> i32 {
        if diff == 0 {
            return 0;
        }
        let found = match &self.table {
            Some(table) => table.get(&to).map(|at| *at as usize),
            None => self.list.iter().position(|counted| { counted.of } == to),
        };
        let Some(at) = found else {
            self.add(to, diff);
            return 1;
        };
        self.list[at].n += diff;
        if self.list[at].n != 0 {
            return 0;
        }
        self.list.swap_remove(at);
        if let Some(table) = &mut self.table {
            table.remove(&to);
            if let Some(moved) = self.list.get(at) {
                table.insert(moved.of, place(at));
            }
        }
        if self.list.len() < TABLE_EDGES_MIN / 2 {
            self.table = None;
        }
        if self.list.is_empty() {
            self.list = List::new();
        }
        -1
    }

    fn add(&mut self, to: W, n: i64) {
        let at = self.list.len();
        self.list.push(Counted { of: to, n });
        if let Some(table) = &mut self.table {
            table.insert(to, place(at));
        } else if at + 1 == TABLE_EDGES_MIN {
            let places = self.list.iter().enumerate();
            self.table = Some(Box::new(places.map(|(at, edge)| (edge.of, place(at))).collect()));
        }
    }
}

fn place(at: usize) -> u32 {
    u32::try_from(at).expect("a node leads to fewer than 2^32 others")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_take_little_room() {
        assert_eq!((size_of::<Derivations>(), size_of::<Edges>()), (32, 40));
    }

    #[test]
    fn a_round_is_seen_with_what_is_around_it() {
        let mut derived = Derivations::default();
        for (round, diff) in [(7, 1), (2, 3), (4, -2), (9, 5), (9, -5)] {
            derived.change(round, diff);
        }
        assert_eq!(derived.sums().collect::<Vec<_>>(), [(2, 3), (4, 1), (7, 2)]);
        let seen = View { before: 3, now: 1, next: Some(7), only_grows: true };
        assert_eq!(derived.view(4), seen);
        let seen = View { before: 3, now: 3, next: Some(4), only_grows: false };
        assert_eq!(derived.view(3), seen);
        assert_eq!((derived.up_to(1), derived.up_to(6)), (0, 1));
    }

    #[test]
    fn edges_are_found_among_many() {
        let mut edges = Edges::default();
        for to in 0..200 {
            assert_eq!(edges.change(to, 2), 1);
        }
        assert!(edges.table.is_some());
        for to in (0..200).filter(|to| to % 7 != 0) {
            assert_eq!((edges.change(to, -1), edges.change(to, -1)), (0, -1));
        }
        let mut left: Vec<(u32, i64)> = edges.iter().collect();
        left.sort_unstable();
        assert_eq!(left, (0..200).step_by(7).map(|to| (to, 2)).collect::<Vec<_>>());
        for to in (0..200).step_by(7) {
            assert_eq!(edges.change(to, -2), -1);
        }
        assert!(edges.is_empty() && edges.bytes() == 0);
    }
}
