//! Turns spans into the lines and columns that expressions carry into error rows.

use arqon_grammar::Span;
use arqon_grammar::span::LineIndex;
use arqon_operators::Place;

/// The text of a circuit with the index of its lines.
#[derive(Debug)]
pub(crate) struct Places<'t> {
    text: &'t str,
    index: LineIndex,
}

impl<'t> Places<'t> {
    /// The places of `text`.
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, index: LineIndex::new(text) }
    }

    /// Where `span` begins.
    pub(crate) fn place(&self, span: Span) -> Place {
        let position = self.index.position(self.text, span.start);
        Place { line: position.line, column: position.column }
    }

    /// The text in `span`, as the user wrote it.
    pub(crate) fn slice(&self, span: Span) -> &'t str {
        span.slice(self.text)
    }
}
