//! What goes along the edges of a graph whose nodes have values.

use smallvec::SmallVec;

use crate::packed::Packed;

use super::nodes::{Nodes, Place};

/// Pairs that are looked at together.
pub(super) const TOGETHER: usize = 8192;

/// A node and a value that it has, in the order of which the least is best.
pub(super) type Valued<K> = (K, u64);

/// An edge from node to node, with what stands beside it.
pub(super) type Edge<K> = (K, K, u64);

/// To which place an edge leads, and what stands beside it, in twelve bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C, packed(4))]
pub(super) struct Way {
    pub(super) to: Place,
    pub(super) beside: u64,
}

/// A change of a value at an edge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    pub(super) from: Place,
    pub(super) way: Way,
    pub(super) value: u64,
    pub(super) n: i64,
}

/// The same, as those who find out where it leads see it.
#[derive(Debug)]
pub(super) struct Lead<'g, K> {
    pub(super) from: &'g K,
    pub(super) value: u64,
    pub(super) to: &'g K,
    pub(super) beside: u64,
    pub(super) n: i64,
}

impl Pair {
    /// How it is seen, with the rows of its nodes.
    pub(super) fn lead<'g, K: Packed, S: Default>(
        &self,
        nodes: &'g Nodes<K, Way, S>,
    ) -> Lead<'g, K> {
        let Self { from, way: Way { to, beside }, value, n } = *self;
        Lead { from: &nodes[from].row, value, to: &nodes[to].row, beside, n }
    }
}

/// What a value becomes along an edge.
pub(super) trait Relax<K> {
    /// Whether it stays what it is, along each.
    fn is_plain(&self) -> bool;

    /// Whether some values go along no edge.
    fn has_sieve(&self) -> bool;

    /// Changes of values, by their place, that go along edges; nothing is counted or said of those
    /// that are only recalled.
    fn sieve<'g>(
        &mut self,
        rows: impl Iterator<Item = (&'g K, u64, i64)>,
        is_recalled: bool,
    ) -> Vec<u32>
    where
        K: 'g;

    /// The pairs, by their place, that lead on, and with which value.
    fn relax<'g>(&mut self, pairs: impl Iterator<Item = Lead<'g, K>>) -> Vec<(u32, u64)>
    where
        K: 'g;

    /// Whether any of them has failed.
    fn has_failed(&self) -> bool;
}

/// Rows of a node, added up: none of them is zero.
pub(super) struct Diffs(pub(super) SmallVec<[(u64, i64); 4]>);

impl Diffs {
    pub(super) fn of<const N: usize>(rows: [(Option<u64>, i64); N]) -> Self {
        let mut diffs = Self(SmallVec::new());
        for (value, n) in rows {
            diffs.add(value, n);
        }
        diffs
    }

    pub(super) fn add(&mut self, value: Option<u64>, n: i64) {
        let Some(value) = value.filter(|_| n != 0) else { return };
        match self.0.iter().position(|(of, _)| *of == value) {
            Some(at) => {
                self.0[at].1 += n;
                if self.0[at].1 == 0 {
                    self.0.remove(at);
                }
            }
            None => self.0.push((value, n)),
        }
    }
}
