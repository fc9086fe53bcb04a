//! Values of few kinds: each kind once, and for each value which kind it is.

use arqon_types::StringColumn;

/// Kinds up to which values are worth telling by them.
const KINDS_MAX: usize = 16;

/// Places of a table by words.
const SLOTS: usize = 1 << 8;
/// A place that no kind has.
const NOBODY: u8 = u8::MAX;

/// A value that is told from others by a word first.
pub(crate) trait Kind: PartialEq {
    /// Equal values have the same.
    fn word(&self) -> u64;
}

/// The kinds in the order in which they come, and the place of each value among them; none where
/// there are too many.
pub(crate) fn kinds<T: Kind>(
    values: impl ExactSizeIterator<Item = T>,
) -> Option<(Vec<T>, Vec<u8>)> {
    let mut kinds: Vec<T> = Vec::new();
    // Where the kind is that had a word last: values come in no order, and to go through the kinds
    // for each would take a wrong turn nearly each time.
    let mut table = [NOBODY; SLOTS];
    let mut places = Vec::with_capacity(values.len());
    for value in values {
        let mixed = value.word().wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let guess = &mut table[usize::from(mixed.to_be_bytes()[0])];
        if kinds.get(usize::from(*guess)).is_none_or(|kind| *kind != value) {
            let place = kinds.iter().position(|kind| *kind == value).unwrap_or(kinds.len());
            if place == KINDS_MAX {
                return None;
            }
            if place == kinds.len() {
                kinds.push(value);
            }
            *guess = u8::try_from(place).ok()?;
        }
        places.push(*guess);
    }
    Some((kinds, places))
}

impl Kind for i64 {
    #[inline]
    fn word(&self) -> u64 {
        self.cast_unsigned()
    }
}

impl Kind for i128 {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "equal numbers have equal low words")]
    fn word(&self) -> u64 {
        self.cast_unsigned() as u64
    }
}

impl Kind for bool {
    #[inline]
    fn word(&self) -> u64 {
        u64::from(*self)
    }
}

impl<T: Kind> Kind for &T {
    #[inline]
    fn word(&self) -> u64 {
        T::word(self)
    }
}

/// A value that may be absent.
impl<T: Kind> Kind for (&bool, T) {
    #[inline]
    fn word(&self) -> u64 {
        self.1.word() ^ u64::from(*self.0).rotate_right(1)
    }
}

impl Kind for Text<'_> {
    #[inline]
    fn word(&self) -> u64 {
        self.word
    }
}

/// The texts of a column, to be told apart.
pub(crate) fn texts(column: &StringColumn) -> impl ExactSizeIterator<Item = Text<'_>> {
    (0..column.len()).map(|row_idx| Text::new(column.bytes(row_idx)))
}

/// A text that is compared by one word, and as a whole only where it is longer than that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'t> {
    /// The first bytes, and how many there are up to [`WORD_BYTES`] and one more.
    word: u64,
    bytes: &'t [u8],
}

/// Bytes of a text that a word has room for.
const WORD_BYTES: usize = 7;

impl<'t> Text<'t> {
    fn new(bytes: &'t [u8]) -> Self {
        let (first, n_known) = match bytes.get(..WORD_BYTES) {
            Some(first) => (first, bytes.len().min(WORD_BYTES + 1)),
            None => (bytes, bytes.len()),
        };
        let word = first.iter().fold(n_known as u64, |word, byte| word << 8 | u64::from(*byte));
        Self { word, bytes }
    }

    /// The text.
    pub(crate) fn bytes(self) -> &'t [u8] {
        self.bytes
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.word == other.word && (self.bytes.len() <= WORD_BYTES || self.bytes == other.bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn kinds_are_told_in_the_order_in_which_they_come(
            values in prop::collection::vec((any::<bool>(), -9_i64..9), 0..60),
        ) {
            let mut expected: Vec<(bool, i64)> = Vec::new();
            for value in &values {
                if !expected.contains(value) {
                    expected.push(*value);
                }
            }
            let found = kinds(values.iter().map(|(is_there, number)| (is_there, *number)));
            match found {
                None => prop_assert!(expected.len() > KINDS_MAX),
                Some((kinds, places)) => {
                    let kinds = kinds.iter().map(|(is_there, number)| (**is_there, *number));
                    let kinds: Vec<(bool, i64)> = kinds.collect();
                    let again: Vec<_> = places.iter().map(|at| kinds[usize::from(*at)]).collect();
                    prop_assert_eq!(again, values);
                    prop_assert_eq!(kinds, expected);
                }
            }
        }

        #[test]
        fn texts_are_equal_where_their_bytes_are(
            texts in prop::collection::vec("[ab\0]{0,3}(bbbbbb)?[ab]?", 0..40),
        ) {
            for a in &texts {
                for b in &texts {
                    let same = Text::new(a.as_bytes()) == Text::new(b.as_bytes());
                    prop_assert_eq!(same, a == b, "{:?} {:?}", a, b);
                }
            }
        }
    }
}
