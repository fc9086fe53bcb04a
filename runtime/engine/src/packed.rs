//! What keyed state is made of: packed rows of any length, and those of eight bytes as a number.
//!
//! An integer, a timestamp and a duration pack to eight bytes. As a number they need no length, no
//! call to be compared or hashed, and a fraction of the room; what is computed is the same.

use std::cmp::Ordering;
use std::fmt::Debug;
use std::hash::Hash;

use timely::ExchangeData;

use arqon_types::{PackedRow, from_sortable_int, sortable_int};

/// Bytes that sort as the values packed in them.
pub(crate) trait Packed: Clone + Ord + Hash + Default + Debug + ExchangeData {
    /// The row again.
    fn to_row(&self) -> PackedRow;

    /// The same for a row that is known to have the form.
    fn from_row(row: PackedRow) -> Self;

    /// The same of the row's bytes.
    fn from_bytes(bytes: &[u8]) -> Self {
        let mut row = PackedRow::new();
        row.push_bytes(bytes);
        Self::from_row(row)
    }

    /// Integers as they are packed, if they have the form.
    fn from_ints(_values: &[i64]) -> Option<Vec<Self>> {
        None
    }

    /// Bytes that it has elsewhere in memory.
    fn heap_bytes(&self) -> usize {
        0
    }

    /// Hands the bytes over.
    fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R;

    /// The order of the bytes, told quickly where they differ early.
    fn compare(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }

    /// Whether they are equal, told without a call where they are short.
    fn is_same(&self, other: &Self) -> bool {
        self == other
    }

    /// How many bytes both begin with, at most `n_max`.
    fn n_shared(&self, other: &Self, n_max: usize) -> usize;

    /// The eight bytes from `start` on as a number that sorts as they do, with zeros behind
    /// shorter ones.
    fn digits(&self, start: usize) -> u64;
}

impl Packed for PackedRow {
    fn to_row(&self) -> PackedRow {
        self.clone()
    }

    fn from_row(row: PackedRow) -> Self {
        row
    }

    fn heap_bytes(&self) -> usize {
        Self::heap_bytes(self)
    }

    fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        read(self.as_bytes())
    }

    fn compare(&self, other: &Self) -> Ordering {
        // Most rows differ in their prefixes, which are compared without a call.
        self.prefix().cmp(&other.prefix()).then_with(|| self.cmp(other))
    }

    fn is_same(&self, other: &Self) -> bool {
        is_same(self.as_bytes(), other.as_bytes())
    }

    fn n_shared(&self, other: &Self, n_max: usize) -> usize {
        let pairs = self.as_bytes().iter().zip(other.as_bytes());
        pairs.take(n_max).take_while(|(a, b)| a == b).count()
    }

    fn digits(&self, start: usize) -> u64 {
        self.prefix_behind(start)
    }
}

impl Packed for u64 {
    fn to_row(&self) -> PackedRow {
        let mut row = PackedRow::new();
        row.push_bytes(&self.to_be_bytes());
        row
    }

    fn from_row(row: PackedRow) -> Self {
        debug_assert_eq!(row.len(), WORD_BYTES, "only rows of eight bytes are numbers");
        row.prefix()
    }

    fn from_ints(values: &[i64]) -> Option<Vec<Self>> {
        Some(values.iter().map(|value| sortable_int(*value)).collect())
    }

    fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        read(&self.to_be_bytes())
    }

    fn n_shared(&self, other: &Self, n_max: usize) -> usize {
        n_max.min((self ^ other).leading_zeros() as usize / 8)
    }

    fn digits(&self, start: usize) -> u64 {
        u32::try_from(8 * start).ok().and_then(|shift| self.checked_shl(shift)).unwrap_or(0)
    }
}

/// Nothing, beside rows that stand for themselves.
impl Packed for () {
    fn to_row(&self) -> PackedRow {
        PackedRow::new()
    }

    fn from_row(row: PackedRow) -> Self {
        debug_assert_eq!(row.len(), 0, "only rows without bytes are nothing");
    }

    fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        read(&[])
    }

    fn n_shared(&self, _other: &Self, _n_max: usize) -> usize {
        0
    }

    fn digits(&self, _start: usize) -> u64 {
        0
    }
}

/// Whether bytes are equal: two words say so of all that have between 8 and 16 of them, and mostly
/// that others are not.
#[inline]
pub(crate) fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let ends = |bytes: &[u8]| {
        Some((*bytes.first_chunk::<WORD_BYTES>()?, *bytes.last_chunk::<WORD_BYTES>()?))
    };
    match (ends(a), ends(b)) {
        (Some(a_ends), Some(b_ends)) => a_ends == b_ends && (a.len() <= 2 * WORD_BYTES || a == b),
        _ => a == b,
    }
}

/// Bytes of a number.
pub(crate) const WORD_BYTES: usize = 8;

/// The integer, timestamp or duration that a row begins with.
pub(crate) fn int(row: &impl Packed) -> i64 {
    int_behind(row, 0)
}

/// The one that stands behind the first `start` bytes.
pub(crate) fn int_behind(row: &impl Packed, start: usize) -> i64 {
    from_sortable_int(row.digits(start))
}

#[cfg(test)]
mod tests {
    use arqon_types::{Type, Value};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_is_its_packed_row(a: i64, b: i64, n_max in 0_usize..=8, start in 0_usize..=9) {
            let packed = |value| {
                let mut row = PackedRow::new();
                row.push_value(&Value::Int(value), &Type::Int64);
                row
            };
            let (row, other) = (packed(a), packed(b));
            prop_assert_eq!(u64::from_row(row.clone()), sortable_int(a));
            prop_assert_eq!(&sortable_int(a).to_row(), &row);
            prop_assert_eq!((int(&row), int(&sortable_int(a))), (a, a));
            prop_assert_eq!(u64::from_ints(&[a, b]), Some(vec![sortable_int(a), sortable_int(b)]));
            prop_assert_eq!(sortable_int(a).compare(&sortable_int(b)), row.compare(&other));
            let (word, other_word) = (sortable_int(a), sortable_int(b));
            prop_assert_eq!(word.n_shared(&other_word, n_max), row.n_shared(&other, n_max));
            prop_assert_eq!(sortable_int(a).digits(start), row.digits(start));
            prop_assert!(sortable_int(a).with_bytes(|bytes| bytes == row.as_bytes()));
        }

        #[test]
        fn bytes_are_the_same_as_they_are_equal(
            a in prop::collection::vec(0_u8..2, 0..40), at: usize, cut in 0_usize..40,
        ) {
            let mut b = a.clone();
            prop_assert!(is_same(&a, &b));
            if !b.is_empty() {
                let at = at % b.len();
                b[at] ^= 1;
                prop_assert!(!is_same(&a, &b));
            }
            let cut = cut.min(a.len());
            prop_assert_eq!(is_same(&a, &a[..cut]), cut == a.len());
        }
    }
}
