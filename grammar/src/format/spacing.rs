//! The white space of an expression: single blanks around operators, none inside brackets, and
//! never another token.

use crate::expression::Token;
use crate::expression::TokenKind;
use crate::expression::tokens;
use crate::name::EXPRESSION_WORDS;

/// `text` with its tokens as they are and canonical white space between them. Line breaks stay.
pub(super) fn spaced(text: &str) -> String {
    let tokens = tokens(text);
    let is_odd = |token: &Token| {
        matches!(token.kind, TokenKind::Unknown | TokenKind::OpenText | TokenKind::SingleQuoted)
    };
    if tokens.is_empty() || tokens.iter().any(is_odd) {
        return text.trim().to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for (at, token) in tokens.iter().enumerate() {
        if let Some(before) = at.checked_sub(1).map(|before| tokens[before]) {
            let gap = &text[before.end..token.start];
            if gap.contains('\n') {
                out.push('\n');
            } else if has_blank(text, &tokens, at) {
                out.push(' ');
            }
        }
        out.push_str(&text[token.start..token.end]);
    }
    out
}

/// Whether a blank stands before the token at `at`, which is not the first one.
fn has_blank(text: &str, tokens: &[Token], at: usize) -> bool {
    let written = |token: Token| &text[token.start..token.end];
    let (before, token) = (tokens[at - 1], tokens[at]);
    match (before.kind, token.kind) {
        (TokenKind::Open, _) | (_, TokenKind::Comma | TokenKind::Close) => return false,
        (TokenKind::Comma, _) => return true,
        _ => {}
    }
    if [written(before), written(token)].iter().any(|word| matches!(*word, "." | "=")) {
        return false;
    }
    if token.kind == TokenKind::Open {
        // A call or an index belongs to what stands before it.
        return !ends_operand(text, before);
    }
    // A sign belongs to what stands behind it.
    let is_sign = written(before) == "-"
        && at.checked_sub(2).is_none_or(|earlier| !ends_operand(text, tokens[earlier]));
    !is_sign
}

fn ends_operand(text: &str, token: Token) -> bool {
    match token.kind {
        TokenKind::Number | TokenKind::Text | TokenKind::Close => true,
        TokenKind::Word => {
            let word = &text[token.start..token.end];
            let is_value = matches!(word, "true" | "false" | "none");
            is_value || (word != "when" && !EXPRESSION_WORDS.contains(&word))
        }
        TokenKind::OpenText
        | TokenKind::SingleQuoted
        | TokenKind::Open
        | TokenKind::Comma
        | TokenKind::Symbol
        | TokenKind::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_stay_and_blanks_are_canonical() {
        for (text, expected) in [
            ("a+b", "a + b"),
            ("  a   and  not b ", "a and not b"),
            ("a- -b", "a - -b"),
            ("-a*(b -c)", "-a * (b - c)"),
            ("f ( x ,y )", "f(x, y)"),
            ("sum( x , where = c>1 )", "sum(x, where=c > 1)"),
            ("any(xs,x->x<1)", "any(xs, x -> x < 1)"),
            ("x in[1,2]", "x in [1, 2]"),
            ("xs [ 0 ]", "xs[0]"),
            ("c . name//\"a  b\"", "c.name // \"a  b\""),
            ("if a then -1 else 5m", "if a then -1 else 5m"),
            ("not(a)", "not (a)"),
            ("amount   desc", "amount desc"),
            ("a.b->c.d when(x<-1)", "a.b -> c.d when (x < -1)"),
            ("=levels", "=levels"),
            ("= a+1", "=a + 1"),
            ("a ==1\n   and b", "a == 1\nand b"),
            ("a @ b", "a @ b"),
            ("[-1,2]", "[-1, 2]"),
            ("d\"2026-01-01\"<day", "d\"2026-01-01\" < day"),
        ] {
            assert_eq!(spaced(text), expected);
            assert_eq!(spaced(expected), expected, "a second time");
        }
    }
}
