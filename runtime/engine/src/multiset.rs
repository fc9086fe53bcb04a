//! Rows with multiplicities: few of them in place, many in a tree.

use std::collections::BTreeMap;
use std::fmt;

use smallvec::SmallVec;

use crate::packed::Packed;

/// Rows up to which a linear search is the fastest.
const FEW_ROWS_MAX: usize = 16;

/// A multiset of packed rows; negative multiplicities are kept.
pub(crate) enum Multiset<V: Packed> {
    /// In no particular order.
    Few(SmallVec<V::Few>),
    /// By row.
    Many(BTreeMap<V, i64>),
}

impl<V: Packed> fmt::Debug for Multiset<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        self.for_each(|row, n| {
            map.entry(row, &n);
        });
        map.finish()
    }
}

impl<V: Packed> Default for Multiset<V> {
    fn default() -> Self {
        Self::Few(SmallVec::new())
    }
}

impl<V: Packed> Multiset<V> {
    /// Whether no row is there.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Few(rows) => rows.is_empty(),
            Self::Many(rows) => rows.is_empty(),
        }
    }

    /// How many different rows.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few(rows) => rows.len(),
            Self::Many(rows) => rows.len(),
        }
    }

    /// How often `row` is there.
    pub(crate) fn multiplicity(&self, row: &V) -> i64 {
        match self {
            Self::Few(rows) => rows.iter().find(|held| held.0 == *row).map_or(0, |held| held.1),
            Self::Many(rows) => rows.get(row).copied().unwrap_or(0),
        }
    }

    /// Changes the multiplicity of `row`.
    pub(crate) fn add(&mut self, row: &V, diff: i64) {
        match self {
            Self::Few(rows) => {
                if let Some(at) = rows.iter().position(|held| held.0 == *row) {
                    rows[at].1 += diff;
                    if rows[at].1 == 0 {
                        rows.swap_remove(at);
                    }
                } else if rows.len() < FEW_ROWS_MAX {
                    rows.push((row.clone(), diff));
                } else {
                    let mut many: BTreeMap<V, i64> = rows.drain(..).collect();
                    many.insert(row.clone(), diff);
                    *self = Self::Many(many);
                }
            }
            Self::Many(rows) => {
                let multiplicity = rows.entry(row.clone()).or_insert(0);
                *multiplicity += diff;
                if *multiplicity == 0 {
                    rows.remove(row);
                }
            }
        }
    }

    /// Calls `visit` for each row; what is made of it may not depend on the order.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&V, i64)) {
        match self {
            Self::Few(rows) => rows.iter().for_each(|(row, n)| visit(row, *n)),
            Self::Many(rows) => rows.iter().for_each(|(row, n)| visit(row, *n)),
        }
    }
}
