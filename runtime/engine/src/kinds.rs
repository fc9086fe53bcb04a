//! Values of few kinds: each kind once, and for each value which kind it is.

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
