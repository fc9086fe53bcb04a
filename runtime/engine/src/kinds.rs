//! Values of few kinds: each kind once, and for each value which kind it is.

use arqon_types::StringColumn;

/// Kinds up to which values are worth telling by them.
const KINDS_MAX: usize = 16;

/// The kinds in the order in which they come, and the place of each value among them; none where
/// there are too many.
pub(crate) fn kinds<T: PartialEq>(
    values: impl ExactSizeIterator<Item = T>,
) -> Option<(Vec<T>, Vec<u8>)> {
    let mut kinds: Vec<T> = Vec::new();
    let mut places = Vec::with_capacity(values.len());
    for value in values {
        let place = kinds.iter().position(|kind| *kind == value).unwrap_or(kinds.len());
        if place == KINDS_MAX {
            return None;
        }
        if place == kinds.len() {
            kinds.push(value);
        }
        places.push(u8::try_from(place).ok()?);
    }
    Some((kinds, places))
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
