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
    "&",
    "!x",
    "|",
    ">",
    "?",
    "<<",
    "and ",
    "in",
    "if",
    "then",
    "\\x",
    "9999999999999999999999999999999999999999",
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

/// Up to `longest` pieces, one behind the other.
pub fn pieces(random: &mut Random, longest: usize) -> String {
    let length = random.below(longest + 1);
    (0..length).map(|_| *random.pick(PIECES)).collect()
}
