//! Tokens of circuit files, and texts in which one of them is deleted, renamed, swapped or
//! duplicated: the slips of people who edit what was right.
//!
//! Comments have no tokens: nobody is told anything about what is said in them.

use std::ops::Range;

use crate::random::Random;

/// What is done to one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It is gone.
    Delete,
    /// A letter of it is missing, doubled or another one; a number is another number.
    Misspell,
    /// Another token of its kind from the same file stands in its place.
    Rename,
    /// It and the next one stand the other way round.
    Swap,
    /// It stands twice.
    Duplicate,
}

/// All changes.
pub const CHANGES: &[Change] =
    &[Change::Delete, Change::Misspell, Change::Rename, Change::Swap, Change::Duplicate];

/// A text with one change.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// The text.
    pub text: String,
    /// What was done.
    pub change: Change,
    /// The lines that the change touches, from 1, the last included.
    pub lines: (u32, u32),
    /// What stood there and what stands there now.
    pub what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Number,
    Sign,
}

/// Signs of two characters that mean something of their own.
const DOUBLE_SIGNS: &[&str] = &["==", "!=", "<=", ">=", "->", "//", "++", "<<"];

/// The places of all tokens, in order; what stands in quotes is words and signs like all else.
pub fn tokens(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut before = '\n';
    while let Some(character) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = if character == '#' && before.is_whitespace() {
            at += rest.find('\n').unwrap_or(rest.len());
            before = ' ';
            continue;
        } else if character.is_whitespace() {
            0
        } else if is_word(character) {
            rest.find(|other| !is_word(other)).unwrap_or(rest.len())
        } else {
            let is_double = DOUBLE_SIGNS.iter().any(|sign| rest.starts_with(sign));
            if is_double { 2 } else { character.len_utf8() }
        };
        if length > 0 {
            found.push(at..at + length);
        }
        before = character;
        at += length.max(character.len_utf8());
    }
    found
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn kind(token: &str) -> Kind {
    if token.starts_with(|first: char| first.is_ascii_digit()) {
        Kind::Number
    } else if token.starts_with(is_word) {
        Kind::Word
    } else {
        Kind::Sign
    }
}

/// The text with `change` at a token of the seed's choice; none where that changes nothing.
pub fn mutant(random: &mut Random, text: &str, change: Change) -> Option<Mutant> {
    let tokens = tokens(text);
    let at = random.below(tokens.len().saturating_sub(1).max(1));
    let (token, next) = (tokens.get(at)?.clone(), tokens.get(at + 1)?.clone());
    let word = &text[token.clone()];
    let (place, new) = match change {
        Change::Delete => (token, String::new()),
        Change::Misspell => (token, misspelt(random, word)?),
        Change::Rename => {
            let others = tokens.iter().map(|token| &text[token.clone()]);
            let alike = others.filter(|other| kind(other) == kind(word) && *other != word);
            let alike: Vec<&str> = alike.collect();
            (token, (!alike.is_empty()).then(|| *random.pick(&alike))?.to_owned())
        }
        Change::Swap => {
            let between = &text[token.end..next.start];
            let swapped = format!("{}{between}{word}", &text[next.clone()]);
            (token.start..next.end, swapped)
        }
        Change::Duplicate => {
            let between = if kind(word) == Kind::Sign { "" } else { " " };
            (token, format!("{word}{between}{word}"))
        }
    };
    let old = &text[place.clone()];
    (old != new).then(|| Mutant {
        what: format!("`{old}` -> `{new}`"),
        lines: (line_of(text, place.start), line_of(text, place.end)),
        text: [&text[..place.start], &new, &text[place.end..]].concat(),
        change,
    })
}

fn line_of(text: &str, offset: usize) -> u32 {
    let n_before = text[..offset].matches('\n').count();
    u32::try_from(n_before + 1).expect("few lines")
}

/// A word with one slip of the finger; a sign has none.
fn misspelt(random: &mut Random, word: &str) -> Option<String> {
    let mut letters: Vec<char> = word.chars().collect();
    let at = random.below(letters.len());
    let stranger = match kind(word) {
        Kind::Sign => return None,
        Kind::Number => *random.pick(&['0', '1', '4', '7', '9']),
        Kind::Word => *random.pick(&['a', 'e', 'n', 'q', 's', 't', 'x', '_']),
    };
    match random.below(4) {
        0 if letters.len() > 1 => drop(letters.remove(at)),
        1 => letters.insert(at, letters[at]),
        2 if at + 1 < letters.len() => letters.swap(at, at + 1),
        _ => letters[at] = stranger,
    }
    Some(letters.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_have_no_tokens_and_signs_keep_together() {
        let text = "a: b//c  # no\nd#e: [1.5, \"f\"] # no";
        let found: Vec<&str> = tokens(text).into_iter().map(|token| &text[token]).collect();
        let wanted = ["a", ":", "b", "//", "c", "d", "#", "e", ":", "[", "1", ".", "5", ",", "\""];
        assert_eq!(found[..15], wanted);
        assert_eq!(found[15..], ["f", "\"", "]"]);
    }

    #[test]
    fn a_mutant_differs_in_one_place() {
        let text = "one: two\nthree: 44\n";
        for (seed, change) in (0..200).zip(CHANGES.iter().cycle()) {
            let Some(mutant) = mutant(&mut Random::new(seed), text, *change) else { continue };
            assert_ne!(mutant.text, text, "{mutant:?}");
            assert!(1 <= mutant.lines.0 && mutant.lines.1 <= 2, "{mutant:?}");
        }
    }
}
