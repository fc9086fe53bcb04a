//! What the expression grammar could not read, in words.

use pest::error::Error;
use pest::error::ErrorVariant;
use pest::error::InputLocation;

use super::Rule;
use super::Source;
use super::scan;
use super::scan::Token;
use super::scan::TokenKind;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// The diagnostic for a fault of the grammar.
pub(super) fn describe(source: Source<'_>, rule: Rule, error: &Error<Rule>) -> Diagnostic {
    let expected = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives.as_slice(),
        // The parser's own guard against running out of stack.
        ErrorVariant::CustomError { .. } => {
            return Diagnostic::new(
                code::expression::TOO_DEEP,
                source.whole(),
                "the expression nests too deeply for the stack at hand",
            );
        }
    };
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    let wants_operator = expected.iter().any(|rule| matches!(rule, Rule::add | Rule::equal));
    let tokens = scan::tokens(source.own());
    let found = tokens.iter().position(|token| at <= token.start || at < token.end);
    let syntax =
        |span: Span, message: String| Diagnostic::new(code::expression::SYNTAX, span, message);
    let Some(index) = found else {
        let end = source.whole().end;
        return match tokens.last() {
            None => syntax(source.whole(), "expected an expression, found nothing".to_owned()),
            Some(_) if wants_operator => syntax(
                Span::empty(end),
                format!("the expression ends where {} is expected", missing_word(expected)),
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
    if !wants_operator {
        return syntax(span, format!("a value is expected, found `{word}`"))
            .help_if(operand_help(word));
    }
    let diagnostic = syntax(span, format!("an operator is expected, found `{word}`"));
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
        return diagnostic.help("an order is `expression`, `expression asc` or `expression desc`");
    }
    diagnostic.help_if(operator_help(word))
}

fn text<'a>(source: Source<'a>, token: Token) -> &'a str {
    &source.own()[token.start..token.end]
}

/// What is missing at the end of an expression that is whole so far.
fn missing_word(expected: &[Rule]) -> &'static str {
    if expected.contains(&Rule::EOI) { "an operator" } else { "`then` or `else`" }
}

/// `AND` for `and`.
fn upper_case_word(word: &str) -> Option<&'static str> {
    ["and", "or", "not", "in", "then", "else"]
        .into_iter()
        .find(|written| *written != word && written.eq_ignore_ascii_case(word))
}

/// For what people write between two values.
fn operator_help(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "is" => Some("whether an option holds a value is `is_some(x)`, or `x == none`"),
        "like" => Some("patterns are a function: `like(s, \"%a%\")`"),
        "between" => Some("write `low <= x and x <= high`"),
        "contains" => Some("it is a function: `contains(s, part)`"),
        "matches" => Some("it is a function: `matches(s, pattern)`"),
        "div" => Some("it is a function: `div(a, b)`"),
        "asc" | "desc" => Some("directions stand in the `by` of `top` only"),
        ":" => Some("a choice is `if c then x else y`"),
        "=>" => Some("a lambda is `x -> x + 1`"),
        "->" => Some("a lambda stands as an argument of a call only"),
        _ => None,
    }
}

/// For what people write in front of a value.
fn operand_help(word: &str) -> Option<&'static str> {
    match word {
        "+" => Some("numbers take no `+` sign"),
        "then" | "else" => Some("a choice is `if c then x else y`"),
        ")" | "]" => Some("is a value missing before it, or a comma too many?"),
        "." => Some("numbers begin with a digit: `0.5`"),
        _ => None,
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
