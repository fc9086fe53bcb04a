//! What keyed state is made of: packed rows of any length, and those of eight bytes as a number.
//!
//! An integer, a timestamp and a duration pack to eight bytes. As a number they need no length, no
//! call to be compared or hashed, and a fraction of the room; what is computed is the same.

use std::cmp::Ordering;
use std::fmt::Debug;
use std::hash::Hash;

use smallvec::Array;
use timely::ExchangeData;

use arqon_types::{PackedRow, Type};

/// Bytes that sort as the values packed in them.
pub(crate) trait Packed: Clone + Ord + Hash + Default + Debug + ExchangeData {
    /// Room for as many rows as a key mostly has, with how often each is there.
    type Few: Array<Item = (Self, i64)>;

    /// The row again.
    fn to_row(&self) -> PackedRow;

    /// The same for a row that is known to have the form.
    fn from_row(row: PackedRow) -> Self;

    /// Integers as they are packed, if they have the form.
    fn from_ints(_values: &[i64]) -> Option<Vec<Self>> {
        None
    }

    /// Hands the bytes over.
    fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R;

    /// The order of the bytes, told quickly where they differ early.
    fn compare(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }

    /// How many bytes both begin with, at most `n_max`.
    fn n_shared(&self, other: &Self, n_max: usize) -> usize;

    /// The eight bytes from `start` on as a number that sorts as they do, with zeros behind
    /// shorter ones.
    fn digits(&self, start: usize) -> u64;
}

impl Packed for PackedRow {
    type Few = [(Self, i64); 1];

    fn to_row(&self) -> PackedRow {
        self.clone()
    }

    fn from_row(row: PackedRow) -> Self {
        row
    }

    fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        read(self.as_bytes())
    }

    fn compare(&self, other: &Self) -> Ordering {
        // Most rows differ in their prefixes, which are compared without a call.
        self.prefix().cmp(&other.prefix()).then_with(|| self.cmp(other))
    }

    fn n_shared(&self, other: &Self, n_max: usize) -> usize {
        let pairs = self.as_bytes().iter().zip(other.as_bytes());
        pairs.take(n_max).take_while(|(a, b)| a == b).count()
    }

    fn digits(&self, start: usize) -> u64 {
        let bytes = self.as_bytes().get(start..).unwrap_or_default();
        let whole = bytes.first_chunk().copied();
        u64::from_be_bytes(whole.unwrap_or_else(|| {
            let mut short = [0; WORD_BYTES];
            short[..bytes.len()].copy_from_slice(bytes);
            short
        }))
    }
}

impl Packed for u64 {
    type Few = [(Self, i64); 2];

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
        Some(values.iter().map(|value| word(*value)).collect())
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

/// Bytes of a number.
pub(crate) const WORD_BYTES: usize = 8;

/// Whether rows of these types pack to eight bytes, as columns of integers.
pub(crate) fn is_word(types: &[Type]) -> bool {
    matches!(types, [Type::Int64 | Type::Timestamp | Type::Duration])
}

/// An integer as it is packed.
fn word(value: i64) -> u64 {
    value.cast_unsigned() ^ FLIP
}

/// The integer that a row of eight bytes was packed from.
pub(crate) fn int(row: &impl Packed) -> i64 {
    (row.digits(0) ^ FLIP).cast_signed()
}

/// Negative numbers sort before the others.
const FLIP: u64 = 1 << 63;

#[cfg(test)]
mod tests {
    use arqon_types::Value;
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
            prop_assert_eq!(u64::from_row(row.clone()), word(a));
            prop_assert_eq!(&word(a).to_row(), &row);
            prop_assert_eq!((int(&row), int(&word(a))), (a, a));
            prop_assert_eq!(u64::from_ints(&[a, b]), Some(vec![word(a), word(b)]));
            prop_assert_eq!(word(a).compare(&word(b)), row.compare(&other));
            prop_assert_eq!(word(a).n_shared(&word(b), n_max), row.n_shared(&other, n_max));
            prop_assert_eq!(word(a).digits(start), row.digits(start));
            prop_assert!(word(a).with_bytes(|bytes| bytes == row.as_bytes()));
        }
    }
}
