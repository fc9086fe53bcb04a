//! What the expression grammar could not read, in words.

use pest::error::Error;
use pest::error::ErrorVariant;
use pest::error::InputLocation;

use super::Rule;
use super::Source;
use super::habit::Found;
use super::habit::upper_case_word;
use super::token::Token;
use super::token::TokenKind;
use super::token::tokens;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::name::EXPRESSION_WORDS;
use crate::span::Span;

/// The diagnostic for a fault of the grammar.
pub(super) fn describe(source: Source<'_>, rule: Rule, error: &Error<Rule>) -> Diagnostic {
    if let ErrorVariant::CustomError { .. } = &error.variant {
        // The parser's own guard against running out of stack.
        return Diagnostic::new(
            code::expression::TOO_DEEP,
            source.whole(),
            "the expression nests too deeply for the stack at hand",
        );
    }
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    let tokens = tokens(source.own());
    if let Some(fault) = unfinished_choice(source, &tokens) {
        return fault;
    }
    let mut found = tokens.iter().position(|token| at < token.end);
    // Behind a whole operand only an operator can follow.
    let before = tokens[..found.unwrap_or(tokens.len())].last();
    let mut wants_operator = before.is_some_and(|before| ends_operand(source, *before));
    if let Some(index) = found.filter(|_| !wants_operator)
        && ends_operand(source, tokens[index])
    {
        // The operand itself is as it should be: the fault is what follows it.
        wants_operator = true;
        found = (index + 1 < tokens.len()).then_some(index + 1);
    }
    let syntax =
        |span: Span, message: String| Diagnostic::new(code::expression::SYNTAX, span, message);
    let Some(index) = found else {
        let end = source.whole().end;
        return match tokens.last() {
            None => syntax(source.whole(), "expected an expression, found nothing".to_owned()),
            Some(_) if wants_operator => syntax(
                Span::empty(end),
                "the expression ends where `then` or `else` is expected".to_owned(),
            ),
            Some(last) => syntax(
                source.span(last.start, last.end),
                format!("a value is expected behind `{}`", text(source, *last)),
            ),
        };
    };
    let token = tokens[index];
    let span = source.span(token.start, token.end);
    let word = text(source, token);
    let here = Found { source, tokens: &tokens, index };
    if !wants_operator {
        let in_count = word == "*"
            && 2 <= index
            && text(source, tokens[index - 2]).eq_ignore_ascii_case("count");
        let diagnostic = syntax(span, format!("a value is expected, found `{word}`"))
            .help_if(here.operand_help())
            .help_if(in_count.then_some("`count()` counts rows"));
        return match word {
            "*" if in_count => diagnostic.fix(span, "", "write `count()`"),
            "." if here.is_before(TokenKind::Number) => {
                diagnostic.fix(Span::empty(span.start), "0", "write `0.`")
            }
            "." if here.is_before(TokenKind::Word) => {
                diagnostic.fix(span, "", "leave the point out")
            }
            "+" if tokens.len() > index + 1 => diagnostic.fix(span, "", "leave the sign out"),
            _ => diagnostic,
        };
    }
    let before = index.checked_sub(1).map(|before| tokens[before]);
    if let Some(before) = before
        && let Some(written) = upper_case_word(text(source, before))
    {
        let span = source.span(before.start, before.end);
        return syntax(span, format!("`{}` is written `{written}`", text(source, before))).fix(
            span,
            written,
            format!("write `{written}`"),
        );
    }
    let diagnostic = syntax(span, format!("an operator is expected, found `{word}`"));
    if word == "," && before.is_some_and(|before| before.kind == TokenKind::Number) {
        let digits = |token: Token| text(source, token);
        let fraction = tokens.get(index + 1).filter(|next| next.kind == TokenKind::Number);
        return match (before, fraction) {
            (Some(before), Some(fraction)) => diagnostic.help(format!(
                "a number has a decimal point: `{}.{}`; its digits are grouped by `_`: `1_000`",
                digits(before),
                digits(*fraction)
            )),
            _ => diagnostic.help("digits are grouped by `_`: `1_000`"),
        };
    }
    if let Some(written) = upper_case_word(word) {
        return diagnostic.fix(span, written, format!("write `{written}`"));
    }
    let is_method = word == "("
        && 2 <= index
        && tokens[index - 1].kind == TokenKind::Word
        && text(source, tokens[index - 2]) == ".";
    if is_method {
        let name = text(source, tokens[index - 1]);
        return diagnostic.help(format!("functions stand before their arguments: `{name}(x)`"));
    }
    if rule == Rule::order && token.kind == TokenKind::Word {
        let order = match word.to_ascii_lowercase().as_str() {
            "desc" | "descending" => Some("desc"),
            "asc" | "ascending" => Some("asc"),
            _ => None,
        };
        return match order {
            Some(order) => diagnostic.fix(span, order, format!("write `{order}`")),
            None => {
                diagnostic.help("an order is `expression`, `expression asc` or `expression desc`")
            }
        };
    }
    if before.is_some_and(|before| text(source, before).eq_ignore_ascii_case("distinct")) {
        return diagnostic.help("different values are counted by `distinct_count(x)`");
    }
    let diagnostic = diagnostic.help_if(here.operator_help());
    match here.rewritten() {
        Some((span, written)) if written.is_empty() => {
            diagnostic.fix(span, written, format!("leave `{word}` out"))
        }
        Some((span, written)) => {
            let title = format!("write `{written}`");
            diagnostic.fix(span, written, title)
        }
        None => diagnostic,
    }
}

/// An `if` that has no `then` or no `else`, where words are all that is wrong.
fn unfinished_choice(source: Source<'_>, tokens: &[Token]) -> Option<Diagnostic> {
    let mut open: Vec<(Token, bool)> = Vec::new();
    let mut is_first = true;
    for token in tokens {
        match text(source, *token) {
            // Behind a value it is no choice of ours.
            "if" if !is_first => return None,
            "if" => open.push((*token, false)),
            "then" => open.last_mut()?.1 = true,
            "else" => drop(open.pop()?),
            // Two values beside each other are the first fault.
            word if !is_first && begins_operand(word, token.kind) => return None,
            _ => {}
        }
        is_first = !ends_operand(source, *token);
    }
    let (token, has_then) = *open.last()?;
    let missing = if has_then { "else" } else { "then" };
    let message = format!("this `if` has no `{missing}`");
    let span = source.span(token.start, token.end);
    let fault = Diagnostic::new(code::expression::SYNTAX, span, message);
    Some(fault.help("a choice always has a value: `if c then x else y`"))
}

fn text(source: Source<'_>, token: Token) -> &str {
    &source.own()[token.start..token.end]
}

fn begins_operand(word: &str, kind: TokenKind) -> bool {
    match kind {
        TokenKind::Word => !EXPRESSION_WORDS.contains(&word),
        TokenKind::Number | TokenKind::Text | TokenKind::OpenText | TokenKind::SingleQuoted => true,
        TokenKind::Open
        | TokenKind::Close
        | TokenKind::Comma
        | TokenKind::Symbol
        | TokenKind::Unknown => false,
    }
}

/// Whether a token can be the last of an operand.
fn ends_operand(source: Source<'_>, token: Token) -> bool {
    match token.kind {
        TokenKind::Number | TokenKind::Text | TokenKind::Close => true,
        TokenKind::Word => {
            let word = text(source, token);
            matches!(word, "true" | "false" | "none") || !EXPRESSION_WORDS.contains(&word)
        }
        TokenKind::OpenText
        | TokenKind::SingleQuoted
        | TokenKind::Open
        | TokenKind::Comma
        | TokenKind::Symbol
        | TokenKind::Unknown => false,
    }
}

impl Diagnostic {
    fn help_if(self, help: Option<&str>) -> Self {
        match help {
            Some(help) => self.help(help),
            None => self,
        }
    }
}
