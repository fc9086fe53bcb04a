//! Values that a comma cuts in `{ }` and `[ ]`: found, reported, and put together again.

use granit_parser::ScalarStyle;

use super::Builder;
use super::Content;
use super::NodeId;
use super::Open;
use super::Scalar;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::type_habit::in_other_brackets;

impl Builder<'_, '_> {
    /// Mends `{ a: sum(x, where=y) }`, which YAML reads as `a: sum(x` and a key `where=y)`.
    ///
    /// A cut is certain when an unquoted value opens a bracket that it does not close, and a
    /// following fragment of the same list or map closes it. The value becomes whole again, so
    /// that the expression is checked like any other.
    pub(super) fn mend_splits(&mut self, open: &mut Open) {
        let step = if open.is_map { 2 } else { 1 };
        if open.is_map {
            self.mend_entries(open);
        }
        let mut at = step - 1;
        while at < open.children.len() {
            if let Some(n_fragments) = self.fragments(&open.children[at..], step) {
                self.join(&open.children[at..=at + n_fragments * step], open.is_map);
                open.children.drain(at + 1..=at + n_fragments * step);
            }
            at += step;
        }
    }

    /// How many further entries belong to the value at the front.
    fn fragments(&self, children: &[NodeId], step: usize) -> Option<usize> {
        let first = *children.first()?;
        let brackets = if is_open_type(self.plain(first)?) { ANGLES } else { ROUND };
        let open_brackets = |text: &str| open_brackets(text, brackets);
        let mut depth = open_brackets(self.plain(first)?);
        if depth <= 0 {
            return None;
        }
        for n_fragments in 1..=FRAGMENTS_MAX {
            // In a map a fragment is a key without a value; in a list it is an item.
            let fragment = *children.get((n_fragments - 1) * step + 1)?;
            if step == 2 {
                let value = *children.get(n_fragments * step)?;
                if !self.document.node(value).span.is_empty() {
                    return None;
                }
            }
            depth += open_brackets(self.plain(fragment)?);
            if depth <= 0 {
                return (depth == 0).then_some(n_fragments);
            }
        }
        None
    }

    /// Keys without a value that are none: the digits behind a decimal comma, and `key:value`
    /// without its blank. They are reported and left out.
    fn mend_entries(&mut self, open: &mut Open) {
        let mut at = 0;
        while at + 1 < open.children.len() {
            let (key, value) = (open.children[at], open.children[at + 1]);
            let before = at.checked_sub(1).map(|before| open.children[before]);
            let is_alone = self.document.node(value).span.is_empty();
            let fault = if is_alone { self.no_entry(key, before) } else { None };
            if let Some(fault) = fault {
                self.diagnostics.push(fault);
                open.children.drain(at..at + 2);
            } else {
                at += 2;
            }
        }
    }

    fn no_entry(&self, key: NodeId, before: Option<NodeId>) -> Option<Diagnostic> {
        let text = self.plain(key)?;
        let span = self.document.node(key).span;
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if is_digits(text) {
            let before = before?;
            let whole = self.plain(before)?;
            if !is_digits(whole.strip_prefix('-').unwrap_or(whole)) {
                return None;
            }
            let number = self.document.node(before).span.to(span);
            let message =
                format!("the comma ends the value here, so that `{text}` is no part of it");
            return Some(
                Diagnostic::new(code::yaml::SYNTAX, span, message)
                    .help("a number has a decimal point")
                    .fix(number, format!("{whole}.{text}"), format!("write `{whole}.{text}`")),
            );
        }
        let (name, value) = text.split_once(':')?;
        let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        if name.is_empty() || !name.chars().all(is_key) || value.starts_with(['/', ':']) {
            return None;
        }
        let at = span.start + u32::try_from(name.len()).ok()?;
        let colon = Span::new(at, at + 1);
        let message = format!("the `:` behind `{name}` has no blank after it");
        Some(
            Diagnostic::new(code::yaml::SYNTAX, colon, message)
                .help(format!("an entry is `{name}: value`, with a blank after the colon"))
                .fix(colon, ": ", "put a blank there"),
        )
    }

    fn plain(&self, id: NodeId) -> Option<&str> {
        match &self.document.node(id).content {
            Content::Scalar(scalar) if scalar.style == ScalarStyle::Plain => Some(&scalar.text),
            Content::Scalar(_)
            | Content::List(_)
            | Content::Map(_)
            | Content::Tagged { .. }
            | Content::Refused => None,
        }
    }

    fn join(&mut self, children: &[NodeId], is_map: bool) {
        let (Some(first), Some(last)) = (children.first(), children.last()) else { return };
        let span = self.document.node(*first).span.to(self.document.node(*last).span);
        let whole = span.slice(self.text).trim_end();
        let span = Span::new(span.start, span.start + u32::try_from(whole.len()).unwrap_or(0));
        let brackets = if is_map { "{ }" } else { "[ ]" };
        if is_open_type(self.plain(*first).unwrap_or_default()) {
            let (help, meant) = meant_type(whole);
            self.refuse_type(*first, span, (help, meant), brackets);
            return;
        }
        if let Some(meant) = round_type(whole) {
            let help = format!("write `{meant}`");
            self.refuse_type(*first, span, (&help, Some(meant)), brackets);
            return;
        }
        self.diagnostics.push(
            Diagnostic::new(
                code::expression::SPLIT,
                span,
                format!("inside `{brackets}` the comma cuts `{whole}` into pieces"),
            )
            .help("put the expression in single quotes, or write one entry a line")
            .fix(span, quote(whole), "quote the expression"),
        );
        let node = &mut self.document.nodes[first.0 as usize];
        node.span = span;
        node.content = Content::Scalar(Scalar { text: whole.into(), style: ScalarStyle::Plain });
    }

    /// Reports a type that commas cut, with what is meant, and leaves nothing of it to be read.
    fn refuse_type(
        &mut self,
        id: NodeId,
        span: Span,
        (help, meant): (&str, Option<String>),
        brackets: &str,
    ) {
        let whole = span.slice(self.text);
        let message = format!("inside `{brackets}` the comma cuts `{whole}` into pieces");
        let fault = Diagnostic::new(code::yaml::TYPE_SYNTAX, span, message).help(help);
        self.diagnostics.push(match meant {
            Some(meant) => fault.fix(span, meant, "write it without a comma"),
            None => fault,
        });
        let node = &mut self.document.nodes[id.0 as usize];
        node.span = span;
        node.content = Content::Refused;
    }
}

/// Brackets of calls, and those of types.
const ROUND: (u8, u8) = (b'(', b')');
const ANGLES: (u8, u8) = (b'<', b'>');

/// Whether a value begins like a type whose argument goes on behind a comma: `map<string`.
fn is_open_type(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let rest = text.trim_start_matches(is_word);
    rest.len() < text.len() && rest.starts_with('<') && 0 < open_brackets(text, ANGLES)
}

/// What a type with commas means: keys of maps are always strings, the dimensions of a tensor are
/// joined by `x`, and a decimal says only how many digits follow its point.
fn meant_type(whole: &str) -> (&'static str, Option<String>) {
    let joined: String = whole.chars().filter(|c| !c.is_whitespace()).collect();
    let argument = |word: &str| joined.strip_prefix(word).and_then(|rest| rest.strip_suffix('>'));
    if joined.starts_with("tensor<") {
        let meant = joined.replace(',', "x");
        return ("the dimensions of a tensor are joined by `x`", Some(meant));
    }
    if let Some(argument) = argument("decimal<") {
        let meant = in_other_brackets("decimal", argument);
        return ("a decimal says the digits after the point: `decimal<2>`", meant);
    }
    if joined.starts_with("enum<") {
        return ("the variants of an enum are separated by `|`", Some(joined.replace(',', "|")));
    }
    match joined.split_once("map<string,") {
        Some((before, after)) => {
            ("the keys of a map are strings: it is `map<T>`", Some(format!("{before}map<{after}")))
        }
        None if joined.contains("map<") => ("the keys of a map are strings: it is `map<T>`", None),
        None => ("a type has one argument in `<` `>`", None),
    }
}

/// `decimal(10, 2)` and `enum(a, b)`, which are no calls of ours.
fn round_type(whole: &str) -> Option<String> {
    let (word, rest) = whole.split_once('(')?;
    let argument = rest.strip_suffix(')')?;
    let is_type = ["decimal", "numeric", "enum"].iter().any(|it| it.eq_ignore_ascii_case(word));
    if is_type { in_other_brackets(word, argument) } else { None }
}

/// A text in YAML's single quotes.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Brackets opened and not closed in a text, those within double quotes aside.
fn open_brackets(text: &str, (open, close): (u8, u8)) -> i32 {
    let mut depth = 0;
    let mut in_quotes = false;
    for byte in text.bytes() {
        match byte {
            b'"' => in_quotes = !in_quotes,
            it if it == open && !in_quotes => depth += 1,
            it if it == close && !in_quotes => depth -= 1,
            _ => {}
        }
    }
    depth
}

/// Most commas put back into one value; a longer search would be quadratic.
const FRAGMENTS_MAX: usize = 64;
