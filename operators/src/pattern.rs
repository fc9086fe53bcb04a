//! Patterns: regular expressions and `like`, in time linear in the text.
//!
//! The engine behind regular expressions does not backtrack, so that no pattern takes time that
//! explodes; what one costs for each character of the text is bounded by its own size, with its
//! repetitions written out, and that is bounded here. Compiled patterns are kept, a bounded
//! number of them: a pattern that is a constant is compiled once, and one that is computed from a
//! row costs no more memory than the last few did.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use regex::{Captures, Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

use crate::eval_error::{EvalCode, Failure};

/// A pattern has at most this many bytes.
pub(crate) const PATTERN_BYTES_MAX: usize = 16 * 1024;

/// A regular expression with its repetitions written out has at most this many characters and
/// classes: so much may a character of the text cost at worst.
const POSITIONS_MAX: usize = 2_000;

/// What it compiles to has at most this many bytes.
const PROGRAM_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Compiled patterns that are kept; one more, and all are dropped.
const KEPT_MAX: usize = 64;

/// A text that a function makes has at most this many bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a pattern is none, and which of its bytes are at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PatternFault {
    pub(crate) message: String,
    pub(crate) within: Option<Range<usize>>,
}

thread_local! {
    static KEPT: RefCell<BTreeMap<Box<str>, Result<Regex, String>>> = const {
        RefCell::new(BTreeMap::new())
    };
}

/// What `job` makes of the compiled pattern.
pub(crate) fn with_regex<T>(pattern: &str, job: impl FnOnce(&Regex) -> T) -> Result<T, Failure> {
    KEPT.with_borrow_mut(|kept| {
        if !kept.contains_key(pattern) {
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
            let compiled = compile(pattern).map_err(|fault| fault.message);
            kept.insert(pattern.into(), compiled);
        }
        match &kept[pattern] {
            Ok(regex) => Ok(job(regex)),
            Err(message) => Err(Failure::argument(message.clone())),
        }
    })
}

/// How many groups a pattern has, the whole match left out, or why it is no pattern.
pub(crate) fn count_groups(pattern: &str) -> Result<usize, PatternFault> {
    compile(pattern).map(|regex| regex.captures_len() - 1)
}

/// The bytes of `to` in which it refers to a group that the pattern does not have, as `$1x` does:
/// letters behind the digits belong to the name.
pub(crate) fn unknown_group(pattern: &str, to: &str) -> Option<Range<usize>> {
    let regex = compile(pattern).ok()?;
    let is_known = |name: &str| match name.parse::<usize>() {
        Ok(group) => group < regex.captures_len(),
        Err(_) => regex.capture_names().flatten().any(|known| known == name),
    };
    let mut at = 0;
    while let Some(found) = to[at..].find('$') {
        let start = at + found;
        let rest = &to[start + 1..];
        if rest.starts_with('$') {
            at = start + 2;
            continue;
        }
        let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        let bare = &rest[..rest.find(is_end).unwrap_or(rest.len())];
        let braced = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let name = braced.map_or(bare, |(name, _)| name);
        let len = name.len() + if braced.is_some() { 2 } else { 0 };
        if !name.is_empty() && !is_known(name) {
            return Some(start..start + 1 + len);
        }
        at = start + 1 + len;
    }
    None
}

/// Whether a pattern is a regular expression of a size that is taken.
pub(crate) fn is_regex(pattern: &str) -> bool {
    with_regex(pattern, |_| ()).is_ok()
}

fn compile(pattern: &str) -> Result<Regex, PatternFault> {
    let refused = |message: String| PatternFault { message, within: None };
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(refused(format!("a pattern has at most {PATTERN_BYTES_MAX} bytes")));
    }
    let hir = regex_syntax::parse(pattern).map_err(|error| fault(&error))?;
    if n_positions(&hir) > POSITIONS_MAX {
        return Err(refused(format!(
            "with its repetitions written out, the regular expression has more than \
             {POSITIONS_MAX} characters"
        )));
    }
    RegexBuilder::new(pattern).size_limit(PROGRAM_BYTES_MAX).build().map_err(|_| {
        let limit = PROGRAM_BYTES_MAX / 1024 / 1024;
        refused(format!("the regular expression compiles to more than {limit} MB"))
    })
}

fn fault(error: &regex_syntax::Error) -> PatternFault {
    let (kind, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), Some(*error.span())),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), Some(*error.span())),
        other => (other.to_string(), None),
    };
    let within = span.map(|span| span.start.offset..span.end.offset);
    PatternFault { message: format!("the regular expression cannot be read: {kind}"), within }
}

/// Characters and classes, repetitions written out. The parser bounds the nesting.
fn n_positions(hir: &Hir) -> usize {
    let sum = |parts: &[Hir]| parts.iter().map(n_positions).fold(0, usize::saturating_add);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(_) => 1,
        HirKind::Capture(capture) => n_positions(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => sum(parts),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min.max(1));
            // What is empty still costs a step each time.
            let once = n_positions(&repetition.sub).max(1);
            once.saturating_mul(usize::try_from(times).unwrap_or(usize::MAX))
        }
    }
}

/// The part of `text` that matches, or that a group of the first match has; none where there is
/// no match, or where the group takes no part in it.
pub(crate) fn extract(text: &str, pattern: &str, group: i64) -> Result<Option<String>, Failure> {
    with_regex(pattern, |regex| {
        let n_groups = regex.captures_len() - 1;
        let group = usize::try_from(group).ok().filter(|group| *group <= n_groups);
        let Some(group) = group else {
            return Err(Failure::argument(format!("the pattern has only {n_groups} groups")));
        };
        let found = if group == 0 {
            regex.find(text)
        } else {
            regex.captures(text).and_then(|captures| captures.get(group))
        };
        Ok(found.map(|found| found.as_str().to_owned()))
    })?
}

/// `text` with every match replaced by `to`, in which `$1` is a group and `$$` a dollar sign.
pub(crate) fn replace_matches(text: &str, pattern: &str, to: &str) -> Result<String, Failure> {
    with_regex(pattern, |regex| {
        let mut replaced = String::new();
        let mut done = 0;
        for captures in regex.captures_iter(text) {
            let whole = whole_match(&captures);
            replaced.push_str(&text[done..whole.start]);
            captures.expand(to, &mut replaced);
            done = whole.end;
            check_length(replaced.len(), "regex_replace")?;
        }
        replaced.push_str(&text[done..]);
        check_length(replaced.len(), "regex_replace")?;
        Ok(replaced)
    })?
}

fn whole_match(captures: &Captures<'_>) -> Range<usize> {
    captures.get(0).expect("group 0 is the match").range()
}

/// `text` with every `from` replaced by `to`.
pub(crate) fn replace(text: &str, from: &str, to: &str) -> Result<String, Failure> {
    if from.is_empty() {
        return Ok(text.to_owned());
    }
    let growth = to.len().saturating_sub(from.len());
    if growth > 0 {
        let n_matches = text.matches(from).count();
        check_length(growth.saturating_mul(n_matches).saturating_add(text.len()), "replace")?;
    }
    Ok(text.replace(from, to))
}

fn check_length(n_bytes: usize, name: &str) -> Result<(), Failure> {
    if n_bytes <= TEXT_BYTES_MAX {
        return Ok(());
    }
    let message = format!("`{name}` makes a text of more than {TEXT_BYTES_MAX} bytes");
    Err(Failure::new(EvalCode::Overflow, message))
}

/// `%` stands for any text, `_` for one character, and `\` takes the next one as it is.
///
/// Cost: O(length of the text times length of the pattern) at worst, and therefore patterns are
/// bounded: see [`is_like_pattern`].
pub(crate) fn like(text: &str, pattern: &str) -> bool {
    let (mut rest, mut wanted) = (text.chars(), pattern.chars());
    // Where to go on if the last `%` has to swallow one character more.
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let before = wanted.clone();
        let matched = match wanted.next() {
            None => rest.as_str().is_empty(),
            Some('%') => {
                retry = Some((rest.clone(), wanted.clone()));
                continue;
            }
            Some('_') => rest.next().is_some(),
            Some('\\') => {
                let literal = wanted.next().unwrap_or('\\');
                rest.next() == Some(literal)
            }
            Some(literal) => rest.next() == Some(literal),
        };
        if matched {
            if before.as_str().is_empty() {
                return true;
            }
            continue;
        }
        let Some((mut text_from, pattern_from)) = retry.take() else { return false };
        if text_from.next().is_none() {
            return false;
        }
        (rest, wanted) = (text_from.clone(), pattern_from.clone());
        retry = Some((text_from, pattern_from));
    }
}

/// Whether `like` takes a pattern of this length.
pub(crate) fn is_like_pattern(pattern: &str) -> bool {
    pattern.len() <= LIKE_BYTES_MAX
}

/// Longer patterns of `like` are refused: 1 KB a character of the text is the most it may cost.
pub(crate) const LIKE_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(text: &str, pattern: &str) -> bool {
        with_regex(pattern, |regex| regex.is_match(text)).unwrap()
    }

    #[test]
    fn patterns_match_as_in_sql() {
        let cases = [
            ("special packages", "%special%packages%", true),
            ("special pack", "%special%packages%", false),
            ("aab", "%ab", true),
            ("abab", "%ab", true),
            ("é", "_", true),
            ("", "%", true),
            ("", "_", false),
            ("a%b", "a\\%b", true),
            ("axb", "a\\%b", false),
            ("abc", "a_c", true),
            ("abcd", "abc", false),
            ("abc", "", false),
            ("", "", true),
            ("aaaaaaaaab", "%a%a%a%b", true),
        ];
        for (text, pattern, expected) in cases {
            assert_eq!(like(text, pattern), expected, "{text} like {pattern}");
        }
    }

    #[test]
    fn faults_have_their_place_in_the_pattern() {
        let cases = [
            ("a(b", "unclosed group", Some(1..2)),
            ("ab]*[", "unclosed character class", Some(4..5)),
            ("é*{2,1}", "invalid repetition count range, the start must be <= the end", Some(3..8)),
            (r"(a)\1", "backreferences are not supported", Some(3..5)),
            (
                "(?=a)",
                "look-around, including look-ahead and look-behind, is not supported",
                Some(0..3),
            ),
        ];
        for (pattern, message, within) in cases {
            let fault = count_groups(pattern).unwrap_err();
            let message = format!("the regular expression cannot be read: {message}");
            assert_eq!((fault.message, fault.within), (message, within), "{pattern}");
        }
        assert_eq!(count_groups("(a)(?<b>c)|(?:d)"), Ok(2));
    }

    /// What makes engines with backtracking run for years: here each is answered at once, or
    /// refused by its size. The steps are counted by the texts' lengths, not by a clock.
    #[test]
    fn catastrophic_patterns_are_linear_or_refused() {
        let text = format!("{}!", "a".repeat(100_000));
        for pattern in [
            "(a+)+$",
            "(.*)*x",
            "(a|a)*b$",
            "(a|aa)+$",
            "^(([a-z])+.)+[A-Z]([a-z])+$",
            "(a?){50}a{50}$",
            "((a*)*)*b",
            "(a{1,30}){1,30}$",
        ] {
            assert!(!matches(&text, pattern), "{pattern}");
        }
        let too_large = "with its repetitions written out, the regular expression has more than \
                         2000 characters";
        let words: Vec<String> = (0..2_000).map(|n| format!("word{n}")).collect();
        let alternation = words.join("|");
        for (pattern, message) in [
            ("a{10000}", too_large),
            ("(a{100}){100}", too_large),
            ("((a{30}){30}){30}", too_large),
            ("(a?){10000}", too_large),
            (&alternation[..10_000], too_large),
            (r"(\pL\w){500}", "the regular expression compiles to more than 4 MB"),
            (alternation.as_str(), "a pattern has at most 16384 bytes"),
        ] {
            let refused = count_groups(pattern).map_err(|fault| fault.message);
            assert_eq!(refused, Err(message.to_owned()), "{pattern}");
        }
        let nested = format!("{}a{}", "(".repeat(1_000), ")".repeat(1_000));
        let fault = count_groups(&nested).unwrap_err();
        assert!(fault.message.contains("maximum number of nested"), "{}", fault.message);
    }

    #[test]
    fn what_people_write_is_small_enough() {
        for pattern in [
            r"^[\w.+-]+@[\w-]+\.[\w.]+$",
            r"\b\w{2,64}\b",
            r"(?i)straße|müller",
            r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$",
            r"^(?:[A-Z]{2}\d{2}[A-Z0-9]{1,30})$",
            r"\p{Lu}\p{L}{1,40}",
        ] {
            assert!(count_groups(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn many_computed_patterns_keep_a_bounded_memory() {
        for n in 0..KEPT_MAX * 3 {
            assert!(matches(&format!("x{n}y"), &format!("^x{n}y$")));
            assert!(KEPT.with_borrow(BTreeMap::len) <= KEPT_MAX);
        }
        assert!(with_regex("(", |_| ()).is_err());
    }

    #[test]
    fn replacing_is_bounded() {
        assert_eq!(replace("banana", "an", "-"), Ok("b--a".to_owned()));
        assert_eq!(replace("aa", "", "b"), Ok("aa".to_owned()));
        assert_eq!(replace_matches("a1b22", "[0-9]+", "<$0>"), Ok("a<1>b<22>".to_owned()));
        assert_eq!(replace_matches("ab", "", "-"), Ok("-a-b-".to_owned()));
        let long = "a".repeat(10_000);
        assert!(replace(&long, "a", &long).is_err());
        assert!(replace_matches(&long, "a", &long).is_err());
    }
}
