//! `CASE WHEN c THEN x ELSE y END`, as a choice is written here.

use super::token::Token;
use super::token::TokenKind;

/// A `case` that can be written as a choice.
#[derive(Debug)]
pub(super) struct Choice {
    /// Where its `end` ends.
    pub(super) end: usize,
    /// The choice.
    pub(super) written: String,
}

/// A word of a `case` outside of brackets, by its token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    When,
    Then,
    Else,
    End,
}

/// Whether the `case` at token `at` goes on with a `when`.
pub(super) fn is_case(text: &str, tokens: &[Token], at: usize) -> bool {
    parts(text, tokens, at).first().is_some_and(|(part, _)| *part == Part::When)
}

/// The choice that the `case` at token `at` is; none if it has no `else` or `end`, or another
/// `case` within.
pub(super) fn choice(text: &str, tokens: &[Token], at: usize) -> Option<Choice> {
    let parts = parts(text, tokens, at);
    let between = |from: usize, to: usize| {
        let inner = tokens.get(from + 1..to)?;
        Some(&text[inner.first()?.start..inner.last()?.end])
    };
    let (_, first) = *parts.first()?;
    let subject = between(at, first);
    let mut written = String::new();
    for (idx, (part, token)) in parts.iter().enumerate() {
        let wanted = match part {
            Part::When => &[Part::Then][..],
            Part::Then => &[Part::When, Part::Else],
            Part::Else => &[Part::End],
            Part::End => break,
        };
        let (next, end) = *parts.get(idx + 1)?;
        if !wanted.contains(&next) {
            return None;
        }
        let value = between(*token, end)?;
        match (part, subject) {
            (Part::When, Some(subject)) => written.extend(["if ", subject, " == ", value]),
            (Part::When, None) => written.extend(["if ", value]),
            (Part::Then, _) => written.extend([" then ", value, " else "]),
            (Part::Else | Part::End, _) => written.push_str(value),
        }
    }
    let last = parts.last().filter(|(part, _)| *part == Part::End)?.1;
    // Beside operators a choice stands in brackets.
    let is_free = |token: Option<&Token>, kind| {
        token.is_none_or(|it| it.kind == kind || it.kind == TokenKind::Comma)
    };
    let before = at.checked_sub(1).map(|before| &tokens[before]);
    if !is_free(before, TokenKind::Open) || !is_free(tokens.get(last + 1), TokenKind::Close) {
        written = format!("({written})");
    }
    Some(Choice { end: tokens[last].end, written })
}

/// The words of the `case` at token `at`, up to its `end`, in their order.
fn parts(text: &str, tokens: &[Token], at: usize) -> Vec<(Part, usize)> {
    let mut found = Vec::new();
    let mut depth = 0;
    for (idx, token) in tokens.iter().enumerate().skip(at + 1) {
        depth += token.kind.nesting();
        if depth < 0 {
            break;
        }
        if depth > 0 || token.kind != TokenKind::Word {
            continue;
        }
        let part = match text[token.start..token.end].to_ascii_lowercase().as_str() {
            "when" => Part::When,
            "then" => Part::Then,
            "else" => Part::Else,
            "end" => Part::End,
            "case" => return Vec::new(),
            _ => continue,
        };
        found.push((part, idx));
        if part == Part::End {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::token::tokens;

    fn check(text: &str, expected: Option<&str>) {
        let tokens = tokens(text);
        let at = tokens
            .iter()
            .position(|token| text[token.start..token.end].eq_ignore_ascii_case("case"))
            .unwrap();
        let choice = choice(text, &tokens, at);
        let written =
            choice.map(|it| text[..tokens[at].start].to_owned() + &it.written + &text[it.end..]);
        assert_eq!(written.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_case_is_a_choice() {
        check("CASE WHEN a > 1 THEN b ELSE c END", Some("if a > 1 then b else c"));
        check(
            "case when a then 1 when b then f(2, 3) else 4 end",
            Some("if a then 1 else if b then f(2, 3) else 4"),
        );
        check(
            "case s when \"x\" then 1 when \"y\" then 2 else 3 end",
            Some("if s == \"x\" then 1 else if s == \"y\" then 2 else 3"),
        );
        check("sum(case when a then 1 else 0 end)", Some("sum(if a then 1 else 0)"));
        check("1 + case when a then 1 else 0 end", Some("1 + (if a then 1 else 0)"));
        check("case when a then 1 else 0 end + 1", Some("(if a then 1 else 0) + 1"));
    }

    #[test]
    fn what_is_not_whole_is_left() {
        check("case when a then 1 end", None);
        check("case when a then 1 else 2", None);
        check("case when a else 2 end", None);
        check("case when a then case when b then 1 else 2 end else 3 end", None);
        check("case", None);
    }
}
