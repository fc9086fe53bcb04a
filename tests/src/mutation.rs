//! Seeded changes of bytes and texts: what typing, copying and damage do to a file.

use crate::random::Random;

/// Pieces that mean something to YAML, to expressions or to editors.
const PIECES: &[&str] = &[
    "",
    " ",
    "\n",
    "\r\n",
    "\t",
    ":",
    ": ",
    ",",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "'",
    "\"",
    "#",
    " #",
    "&a",
    "*a",
    "!",
    "!!int",
    "|\n",
    ">-\n",
    "- ",
    "? ",
    "%",
    "@",
    "`",
    "<<: ",
    "==",
    "=",
    "!=",
    "<",
    "<=",
    "&&",
    "||",
    "->",
    "=>",
    "//",
    "+",
    "-",
    "*",
    "/",
    "++",
    ".",
    "..",
    "not ",
    " and ",
    " or ",
    " in ",
    "if ",
    " then ",
    " else ",
    "null",
    "none",
    "true",
    "5m",
    "1.5h",
    "1e",
    "1e400",
    "0",
    "-1",
    "9223372036854775807",
    "9223372036854775808",
    "0.1",
    "99999999999999999999999999999999",
    "d\"2026-01-01\"",
    "t\"2026-01-01T00:00:00Z\"",
    "\\",
    "\\u",
    "${",
    "${A}",
    "µ",
    "\u{feff}",
    "\u{202e}",
    "\0",
    "---\n",
    "...\n",
    "e\u{301}",
    "\u{1F980}",
    "x -> x",
    "sum(",
    "count()",
    "min(",
    "try(",
    "decimal(",
    "int64(",
    "string(",
    "substr(",
    "list[",
    "m[\"a\"]",
    "schema: ",
    "carries: ",
    "edge: in",
    "from: ",
    "do:\n      - where: ",
    "to: ",
    "window: { tumble: 1m }",
    "group: []",
    "agg: ",
    "loop:\n",
    "merge: distinct",
    "route: ",
    "join: ",
    "match: {}",
    "top: 1",
    "by: ",
    "option<",
    "list<",
    "map<",
    "tensor<",
    "enum<",
    "decimal<2>",
    "int64",
    "arqon: 1\n",
];

/// `bytes` after one to four changes, some of them with parts of `other`.
pub fn mutated(random: &mut Random, bytes: &[u8], other: &[u8]) -> Vec<u8> {
    let mut made = bytes.to_vec();
    for _ in 0..=random.below(4) {
        change(random, &mut made, other);
    }
    made
}

fn change(random: &mut Random, made: &mut Vec<u8>, other: &[u8]) {
    let (start, end) = range(random, made.len(), 16);
    match random.below(10) {
        0 if start < end => made[start] ^= 1 << random.below(8),
        1 if start < end => made[start] = u8::try_from(random.below(256)).expect("a byte"),
        2 => drop(made.drain(start..end)),
        3 => {
            let copy = made[start..end].to_vec();
            let at = random.below(made.len() + 1);
            made.splice(at..at, copy);
        }
        4 => {
            let (from, to) = range(random, other.len(), 64);
            made.splice(start..end, other[from..to].iter().copied());
        }
        5 => swap_lines(random, made),
        6 => made.truncate(start.max(made.len() / 2)),
        _ => drop(made.splice(start..end.min(start + 2), random.pick(PIECES).bytes())),
    }
}

/// A part of `length` things with at most `longest` of them.
fn range(random: &mut Random, length: usize, longest: usize) -> (usize, usize) {
    let start = random.below(length + 1);
    (start, (start + random.below(longest)).min(length))
}

fn swap_lines(random: &mut Random, made: &mut Vec<u8>) {
    let mut lines: Vec<Vec<u8>> = made.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let (one, other) = (random.below(lines.len()), random.below(lines.len()));
    lines.swap(one, other);
    *made = lines.join(&b'\n');
}

/// A text in which one token is away, another or exchanged, and where that is.
#[derive(Debug, Clone)]
pub struct TokenMutant {
    /// The text.
    pub text: String,
    /// The line of the change, from 1.
    pub line: usize,
    /// What was done.
    pub about: String,
}

/// Deletes, renames, doubles or exchanges one token of `text`.
pub fn token_mutant(random: &mut Random, text: &str) -> TokenMutant {
    let tokens = tokens(text);
    let at = random.below(tokens.len());
    let (start, end) = tokens[at];
    let token = &text[start..end];
    let (stop, instead) = match random.below(4) {
        0 => (end, String::new()),
        1 => (end, misspelt(random, token)),
        2 => (end, format!("{token} {token}")),
        _ => {
            let next = tokens.get(at + 1).copied().unwrap_or((start, end));
            let (from, to) = next;
            let between = if end <= from { &text[end..from] } else { "" };
            (to, format!("{}{between}{token}", &text[from..to]))
        }
    };
    let line = 1 + text[..start].matches('\n').count();
    let about = format!("line {line}: `{}` became `{instead}`", &text[start..stop]);
    TokenMutant { text: format!("{}{instead}{}", &text[..start], &text[stop..]), line, about }
}

/// A word with a letter too many, too few, another, or two exchanged; other tokens by their like.
fn misspelt(random: &mut Random, token: &str) -> String {
    let mut letters: Vec<char> = token.chars().collect();
    if !letters[0].is_alphanumeric() {
        return (*random.pick(&[":", ",", "{", "}", "[", "]", "-", "==", "<", "+", "(", ")", "'"]))
            .to_owned();
    }
    let at = random.below(letters.len());
    match random.below(4) {
        0 => letters.insert(at, 'q'),
        1 if 1 < letters.len() => drop(letters.remove(at)),
        2 if at + 1 < letters.len() => letters.swap(at, at + 1),
        _ => letters[at] = 'z',
    }
    letters.into_iter().collect()
}

/// Words, numbers and single signs, outside of comments.
fn tokens(text: &str) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    let (mut is_comment, mut before) = (false, '\n');
    for (at, character) in text.char_indices() {
        let is_word = character.is_alphanumeric() || character == '_';
        is_comment = character != '\n' && (is_comment || (character == '#' && before != '"'));
        if !is_comment && !character.is_whitespace() {
            let end = at + character.len_utf8();
            let was_word = before.is_alphanumeric() || before == '_';
            match found.last_mut() {
                Some(last) if is_word && was_word && last.1 == at => last.1 = end,
                _ => found.push((at, end)),
            }
        }
        before = character;
    }
    found
}
