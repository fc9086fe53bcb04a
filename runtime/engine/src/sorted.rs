//! The rows of a group in their order, each as often as it is there: few side by side, since most
//! groups have one or two, and many in a tree.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use arqon_types::PackedRow;

use crate::deltas::Delta;

/// Rows from which a tree has them, so that one is put among many without moving them.
const TREE_MIN: usize = 16;

/// Rows in ascending order with their multiplicities, of which none is zero.
#[derive(Debug)]
pub(crate) enum SortedRows {
    Few(SmallVec<[(PackedRow, i64); 1]>),
    Many(BTreeMap<PackedRow, i64>),
}

impl Default for SortedRows {
    fn default() -> Self {
        Self::Few(SmallVec::new())
    }
}

impl SortedRows {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many different ones there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(tree) => tree.len(),
        }
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&PackedRow, i64)> {
        let (few, many) = match self {
            Self::Few(list) => (Some(list), None),
            Self::Many(tree) => (None, Some(tree)),
        };
        let few = few.into_iter().flatten().map(|(row, n)| (row, *n));
        few.chain(many.into_iter().flatten().map(|(row, n)| (row, *n)))
    }

    /// How many there are, each as often as it is there.
    pub(crate) fn n(&self) -> i64 {
        self.iter().map(|(_, n)| n).sum()
    }

    /// Changes their multiplicities. Returns by how many they are more.
    pub(crate) fn change(&mut self, deltas: &[Delta]) -> i64 {
        let mut sum = 0;
        for ((_, row), diff) in deltas {
            sum += diff;
            self.add(row, *diff);
        }
        sum
    }

    fn add(&mut self, row: &PackedRow, diff: i64) {
        if diff == 0 {
            return;
        }
        match self {
            Self::Few(list) => {
                match list.binary_search_by(|(at, _)| at.cmp(row)) {
                    Ok(at) => {
                        list[at].1 += diff;
                        if list[at].1 == 0 {
                            list.remove(at);
                        }
                    }
                    Err(at) => list.insert(at, (row.clone(), diff)),
                }
                if TREE_MIN <= list.len() {
                    *self = Self::Many(list.drain(..).collect());
                }
            }
            Self::Many(tree) => {
                add_to_tree(tree, row, diff);
                if tree.len() < TREE_MIN / 2 {
                    *self = Self::Few(std::mem::take(tree).into_iter().collect());
                }
            }
        }
    }
}

/// Changes a tree of multiplicities, none of which is zero. Returns by how many rows are more.
pub(crate) fn change_tree(rows: &mut BTreeMap<PackedRow, i64>, deltas: &[Delta]) -> i64 {
    let mut sum = 0;
    for ((_, row), diff) in deltas {
        sum += diff;
        add_to_tree(rows, row, *diff);
    }
    sum
}

fn add_to_tree(rows: &mut BTreeMap<PackedRow, i64>, row: &PackedRow, diff: i64) {
    let n = rows.entry(row.clone()).or_insert(0);
    *n += diff;
    if *n == 0 {
        rows.remove(row);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn row(number: u8) -> PackedRow {
        let mut row = PackedRow::new();
        row.push_bytes(&[number; 30]);
        row
    }

    proptest! {
        #[test]
        fn they_are_as_in_a_tree(changes in vec((0..40_u8, -2..3_i64), 0..200)) {
            let mut rows = SortedRows::default();
            let mut tree: BTreeMap<PackedRow, i64> = BTreeMap::new();
            for (number, diff) in changes {
                let sum = rows.change(&[((PackedRow::new(), row(number)), diff)]);
                prop_assert_eq!(sum, diff);
                *tree.entry(row(number)).or_default() += diff;
                tree.retain(|_, n| *n != 0);
                prop_assert!(rows.iter().eq(tree.iter().map(|(row, n)| (row, *n))));
                prop_assert_eq!(rows.len(), tree.len());
                prop_assert_eq!(rows.n(), tree.values().sum::<i64>());
            }
        }
    }
}
