//! Turns spans into the lines and columns that expressions carry into error rows.

use std::cell::Cell;

use arqon_grammar::Sources;
use arqon_grammar::Span;
use arqon_grammar::span::LineIndex;
use arqon_operators::Place;

/// The texts of a circuit with the index of its own lines.
#[derive(Debug)]
pub(crate) struct Places<'t> {
    text: &'t str,
    main: &'t str,
    index: LineIndex,
    called_at: Cell<Span>,
}

impl<'t> Places<'t> {
    /// The places of one text.
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, main: text, index: LineIndex::new(text), called_at: Cell::default() }
    }

    /// The places of a circuit and what it imports.
    pub(crate) fn of(sources: &'t Sources) -> Self {
        Self { text: sources.text(), ..Self::new(sources.main_text()) }
    }

    /// Where `span` begins. A place in an imported function is that of its call: an error row
    /// names places of the circuit alone.
    pub(crate) fn place(&self, span: Span) -> Place {
        let is_main = span.start as usize <= self.main.len();
        let start = if is_main { span.start } else { self.called_at.get().start };
        let position = self.index.position(self.main, start);
        Place { line: position.line, column: position.column }
    }

    /// From here on, bodies of functions are put in for the call at `span`.
    pub(crate) fn call_at(&self, span: Span) {
        self.called_at.set(span);
    }

    /// Whether quotes of YAML stand around `span`.
    pub(crate) fn is_quoted(&self, span: Span) -> bool {
        let [start, end] = [span.start, span.end].map(|at| at as usize);
        ['"', '\'']
            .into_iter()
            .any(|quote| self.text[..start].ends_with(quote) && self.text[end..].starts_with(quote))
    }

    /// The text in `span`, as the user wrote it.
    pub(crate) fn slice(&self, span: Span) -> &'t str {
        span.slice(self.text)
    }
}
