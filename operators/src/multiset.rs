//! Ordered multisets with signed multiplicities: what `list`, `quantile` and the like hold.
//!
//! Values that fit an `i64` in order (all scalars but decimals, uuids, strings and bytes) are kept
//! as such; the rest as packed rows. Multiplicities may be below zero for a while, when a
//! retraction is added up before its insertion; such values do not count.

use std::collections::BTreeMap;

use arqon_types::{Float, PackedRow, Row, Type, Value};

const FLIP: u64 = 1 << 63;

/// Values by their order, with how often each is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Multiset<K: Ord> {
    counts: BTreeMap<K, i64>,
    n_distinct: usize,
}

impl<K: Ord> Default for Multiset<K> {
    fn default() -> Self {
        Self { counts: BTreeMap::new(), n_distinct: 0 }
    }
}

impl<K: Ord> Multiset<K> {
    pub(crate) fn add(&mut self, key: K, diff: i64) {
        use std::collections::btree_map::Entry;
        match self.counts.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(diff);
                self.n_distinct += usize::from(diff > 0);
            }
            Entry::Occupied(mut entry) => {
                let before = *entry.get();
                let after = before.wrapping_add(diff);
                self.n_distinct -= usize::from(before > 0);
                self.n_distinct += usize::from(after > 0);
                if after == 0 {
                    entry.remove();
                } else {
                    *entry.get_mut() = after;
                }
            }
        }
    }

    /// Bytes that it has elsewhere in memory: nodes of a tree are two thirds full.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.counts.len() * (size_of::<K>() + size_of::<i64>()) * 3 / 2
    }

    /// Whether nothing is there, below zero neither.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many different values there are.
    pub(crate) fn n_distinct(&self) -> usize {
        self.n_distinct
    }

    /// The values from the least, each with how often it is there.
    pub(crate) fn ascending(&self) -> impl DoubleEndedIterator<Item = (&K, i64)> {
        self.counts.iter().filter(|(_, count)| **count > 0).map(|(key, count)| (key, *count))
    }

    /// All values with how often each is there, below zero too.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&K, i64)> {
        self.counts.iter().map(|(key, count)| (key, *count))
    }

    pub(crate) fn merge(&mut self, other: &Self)
    where
        K: Clone,
    {
        for (key, count) in other.changes() {
            self.add(key.clone(), count);
        }
    }
}

/// Whether the order of `ty` is the order of the keys that [`int_key`] gives.
pub(crate) fn has_int_key(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Bool
            | Type::Int64
            | Type::Float32
            | Type::Float64
            | Type::Timestamp
            | Type::Date
            | Type::Duration
            | Type::Enum(_)
    )
}

/// A float's place in the order as an integer.
pub(crate) fn float_key(x: f64) -> i64 {
    (Float::new(x).to_sortable() ^ FLIP).cast_signed()
}

/// The integer that stands for a present value of a type with integer keys.
pub(crate) fn int_key(value: &Value) -> i64 {
    match value {
        Value::Bool(x) => i64::from(*x),
        Value::Int(x) | Value::Timestamp(x) | Value::Duration(x) => *x,
        Value::Date(days) => i64::from(*days),
        Value::Enum(idx) => i64::from(*idx),
        Value::Float(x) => float_key(x.get()),
        other => unreachable!("{other:?} has no integer key"),
    }
}

/// The value again.
pub(crate) fn from_int_key(key: i64, ty: &Type) -> Value {
    match ty {
        Type::Bool => Value::Bool(key != 0),
        Type::Int64 => Value::Int(key),
        Type::Timestamp => Value::Timestamp(key),
        Type::Duration => Value::Duration(key),
        Type::Date => Value::Date(i32::try_from(key).expect("dates were kept as i32")),
        Type::Enum(_) => Value::Enum(u32::try_from(key).expect("labels were kept as u32")),
        Type::Float32 | Type::Float64 => {
            Value::Float(Float::from_sortable(key.cast_unsigned() ^ FLIP))
        }
        other => unreachable!("{other} has no integer key"),
    }
}

/// The last value of a packed key.
pub(crate) fn last_of_packed(key: &PackedRow, types: &[Type]) -> Value {
    let row: Row = key.unpack(types);
    row.last().cloned().expect("a key has a value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_below_zero_do_not_count() {
        let mut set = Multiset::default();
        set.add(3, 2);
        set.add(1, -1);
        assert_eq!((set.ascending().next(), set.n_distinct()), (Some((&3, 2)), 1));
        set.add(1, 2);
        assert_eq!((set.ascending().next(), set.n_distinct()), (Some((&1, 1)), 2));
        set.add(1, -1);
        set.add(3, -2);
        assert_eq!(set, Multiset::default());
    }

    #[test]
    fn keys_keep_the_order_of_floats() {
        let in_order = [f64::NEG_INFINITY, -1.5, 0.0, 2.0, f64::INFINITY, f64::NAN];
        for pair in in_order.windows(2) {
            assert!(float_key(pair[0]) < float_key(pair[1]), "{pair:?}");
            let again = from_int_key(float_key(pair[1]), &Type::Float64);
            assert_eq!(again, Value::float(pair[1]));
        }
    }
}
