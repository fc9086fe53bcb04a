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

impl Builder<'_, '_> {
    /// Mends `{ a: sum(x, where=y) }`, which YAML reads as `a: sum(x` and a key `where=y)`.
    ///
    /// A cut is certain when an unquoted value opens a bracket that it does not close, and a
    /// following fragment of the same list or map closes it. The value becomes whole again, so
    /// that the expression is checked like any other.
    pub(super) fn mend_splits(&mut self, open: &mut Open) {
        let step = if open.is_map { 2 } else { 1 };
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
}

/// A text in YAML's single quotes.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Round brackets opened and not closed in a text, those within double quotes aside.
fn open_brackets(text: &str) -> i32 {
    let mut depth = 0;
    let mut in_quotes = false;
    for byte in text.bytes() {
        match byte {
            b'"' => in_quotes = !in_quotes,
            b'(' if !in_quotes => depth += 1,
            b')' if !in_quotes => depth -= 1,
            _ => {}
        }
    }
    depth
}

/// Most commas put back into one value; a longer search would be quadratic.
const FRAGMENTS_MAX: usize = 64;
