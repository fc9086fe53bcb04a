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
    let tokens = scan::tokens(source.own());
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
    if !wants_operator {
        let is_power =
            word == "*" && index.checked_sub(1).is_some_and(|at| text(source, tokens[at]) == "*");
        let in_count = word == "*" && 2 <= index && text(source, tokens[index - 2]) == "count";
        let diagnostic = syntax(span, format!("a value is expected, found `{word}`"))
            .help_if(operand_help(word))
            .help_if(is_power.then_some("a power is `pow(x, y)`"))
            .help_if(in_count.then_some("`count()` counts rows"));
        if in_count {
            return diagnostic.fix(span, "", "write `count()`");
        }
        let is_before_number = tokens
            .get(index + 1)
            .is_some_and(|next| next.kind == TokenKind::Number && next.start == token.end);
        return match word {
            "." if is_before_number => diagnostic.fix(Span::empty(span.start), "0", "write `0.`"),
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
    let diagnostic = diagnostic.help_if(operator_help(word));
    match rewritten(source, &tokens, index) {
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

/// What people write between two values, as it is written here: `x is none`, `s like "a%"`. Only
/// where both values are single words, so that nothing else can belong to them.
fn rewritten(source: Source<'_>, tokens: &[Token], index: usize) -> Option<(Span, String)> {
    let written = |token: &Token| text(source, *token);
    let word = written(&tokens[index]).to_ascii_lowercase();
    let next = tokens.get(index + 1)?;
    if word == "is" {
        let (last, operator) = match written(next) {
            "not" => (tokens.get(index + 2)?, "!="),
            _ => (next, "=="),
        };
        let is_none = written(last) == "none";
        let span = source.span(tokens[index].start, last.end);
        return is_none.then(|| (span, format!("{operator} none")));
    }
    if !matches!(word.as_str(), "like" | "contains" | "matches" | "div") {
        return None;
    }
    // The path before: names with dots between them.
    let is_part = |token: &&Token| token.kind == TokenKind::Word || written(token) == ".";
    let n_parts = tokens[..index].iter().rev().take_while(is_part).count();
    let path = &tokens[index - n_parts..index];
    let is_path = path.iter().enumerate().all(|(at, token)| {
        let is_name = token.kind == TokenKind::Word && !EXPRESSION_WORDS.contains(&written(token));
        is_name == at.is_multiple_of(2)
    });
    let begins = match tokens[..index - n_parts].last() {
        None => true,
        Some(before) => before.kind == TokenKind::Open || before.kind == TokenKind::Comma,
    };
    let ends = tokens.get(index + 2).is_none_or(|after| {
        matches!(written(after), "and" | "or")
            || matches!(after.kind, TokenKind::Close | TokenKind::Comma)
    });
    let is_value = matches!(next.kind, TokenKind::Text | TokenKind::Number)
        || (next.kind == TokenKind::Word && !EXPRESSION_WORDS.contains(&written(next)));
    if n_parts == 0 || !is_path || !begins || !ends || !is_value {
        return None;
    }
    let first = path.first()?;
    let left = &source.own()[first.start..path.last()?.end];
    let span = source.span(first.start, next.end);
    Some((span, format!("{word}({left}, {})", written(next))))
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
        "if" | "then" | "else" | "when" => Some("a choice is `if c then x else y`"),
        "as" => Some("a name is a key, `{ name: expression }`; a cast is a function, `float64(x)`"),
        "::" => Some("a cast is a function: `float64(x)`"),
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
        "*" => {
            Some("no sign stands for all fields: they are there unless `select` leaves them out")
        }
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
