//! Did you mean: the candidate nearest to a name that was not found.

/// The candidate nearest to `name`, or none when no candidate is near enough.
///
/// Near enough: at most a third of the longer name's letters differ (and at least one may), where
/// two swapped neighbours count once; else one is the beginning of the other; else equal but for
/// case; else the same parts in another order (`id_user` for `user_id`); else the last part of one
/// candidate only (`orders` for `shop.orders`). Ties go to the first candidate.
pub fn suggest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    let mut ending: Option<&str> = None;
    let mut n_ending = 0;
    for candidate in candidates {
        if candidate == name || candidate.is_empty() {
            continue;
        }
        if candidate.rsplit_once('.').is_some_and(|(_, last)| last == name) {
            ending = Some(candidate);
            n_ending += 1;
        }
        let Some(distance) = nearness(name, candidate) else { continue };
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate).or(ending.filter(|_| n_ending == 1))
}

/// Whether so few letters differ that one name is the other, misspelt.
pub fn is_misspelt(name: &str, candidate: &str) -> bool {
    nearness(name, candidate).is_some_and(|distance| distance <= 2)
}

/// Whether `near`, the candidate nearest to `name`, is certainly what was meant, so that a machine
/// may write it: it differs in case or in a letter or two of many, never in digits, and no other
/// candidate is as near.
pub fn is_certain<'a>(
    name: &str,
    near: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> bool {
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).collect::<Vec<u8>>();
    let Some(distance) = nearness(name, near) else { return false };
    let longest = name.len().max(near.len());
    let is_small = match distance {
        0 => true,
        1 => CERTAIN_BYTES_MIN <= longest,
        2 => 2 * CERTAIN_BYTES_MIN <= longest,
        _ => false,
    };
    let is_alone = candidates
        .into_iter()
        .filter(|other| *other != near)
        .all(|other| nearness(name, other).is_none_or(|other| distance < other));
    is_small && is_alone && (distance == 0 || digits(name) == digits(near))
}

fn nearness(name: &str, candidate: &str) -> Option<usize> {
    if name.eq_ignore_ascii_case(candidate) {
        return Some(0);
    }
    let limit = name.len().max(candidate.len()).div_ceil(3).min(NAME_DISTANCE_MAX);
    if name.len().abs_diff(candidate.len()) <= limit
        && name.len().max(candidate.len()) <= NAME_BYTES_MAX
    {
        let distance = edit_distance(name, candidate);
        if distance <= limit && distance < name.len() {
            return Some(distance);
        }
    }
    if is_beginning(name, candidate) || is_beginning(candidate, name) {
        return Some(NAME_DISTANCE_MAX);
    }
    (parts(name).len() > 1 && parts(name) == parts(candidate)).then_some(NAME_DISTANCE_MAX)
}

/// Whether a word of some length begins the other: `late` in `lateness`.
fn is_beginning(one: &str, other: &str) -> bool {
    BEGINNING_BYTES_MIN <= one.len() && other.starts_with(one) && !other.contains(['.', '_'])
}

/// Shortest word that is taken for the beginning of another.
const BEGINNING_BYTES_MIN: usize = 4;

/// The words of a name, in order of the alphabet.
fn parts(name: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = name.split(['_', '.']).collect();
    parts.sort_unstable();
    parts
}

/// Restricted Damerau-Levenshtein distance in bytes: insert, delete, replace, swap neighbours.
fn edit_distance(left: &str, right: &str) -> usize {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, a) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in right.iter().enumerate() {
            let replace = above[column] + usize::from(a != b);
            let mut least = replace.min(above[column + 1] + 1).min(current[column] + 1);
            if 0 < row && 0 < column && *a == right[column - 1] && left[row - 1] == *b {
                least = least.min(before[column - 1] + 1);
            }
            current.push(least);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[right.len()]
}

/// More differing letters than this are another name.
const NAME_DISTANCE_MAX: usize = 4;

/// Shorter names differ too much by one letter; by two letters, names of twice the length.
const CERTAIN_BYTES_MIN: usize = 4;

/// Longer texts are not compared letter by letter.
const NAME_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found() {
        let names = ["nvm.results", "nvm.jobs", "audio.labels", "user_id"];
        let near = |name| suggest(name, names);
        assert_eq!(near("nvm.result"), Some("nvm.results"));
        assert_eq!(near("nvm.jbos"), Some("nvm.jobs"));
        assert_eq!(near("AUDIO.LABELS"), Some("audio.labels"));
        assert_eq!(near("id_user"), Some("user_id"));
        assert_eq!(near("weather"), None);
        assert_eq!(near("x"), None);
        assert_eq!(near("jobs"), Some("nvm.jobs"));
        assert!(is_misspelt("ordres", "orders") && !is_misspelt("shop.items", "shop.notes"));
    }

    #[test]
    fn only_what_is_certain_is_written_by_machine() {
        let certain = |name, candidates: &[&str]| {
            let near = suggest(name, candidates.iter().copied()).unwrap();
            is_certain(name, near, candidates.iter().copied())
        };
        assert!(certain("amuont", &["amount", "status"]));
        assert!(certain("Amount", &["amount", "status"]));
        assert!(certain("shop.ordrers", &["shop.orders", "shop.order_lines"]));
        assert!(!certain("price3", &["price1"]), "another number is another name");
        assert!(!certain("amoun", &["amount", "amound"]), "two are as near");
        assert!(!certain("at", &["a", "bat"]), "short names are near to everything");
        assert!(!certain("id_user", &["user_id"]), "another order of parts");
    }
}
