//! Collects diagnostics: each fault once, suggestions within a budget.

use std::collections::BTreeSet;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::code::Code;
use arqon_grammar::suggest::suggest;

/// The diagnostics of one run, in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    diagnostics: Vec<Diagnostic>,
    seen: BTreeSet<(&'static str, Span, String)>,
    n_suggestions: usize,
}

impl Report {
    /// Adds a diagnostic, unless the same was said of the same place: a function's body is typed
    /// at each of its uses, and its faults are one.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        let key =
            (diagnostic.code.id(), diagnostic.primary.span, diagnostic.message.clone());
        if self.seen.insert(key) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Adds a diagnostic about a name that nothing has, with the nearest of `candidates`.
    pub(crate) fn unknown<'n>(
        &mut self,
        code: Code,
        span: Span,
        message: String,
        name: &str,
        candidates: impl IntoIterator<Item = &'n str>,
    ) {
        let near = self.suggestion(name, candidates);
        self.push(Diagnostic::new(code, span, message).did_you_mean(near));
    }

    /// The candidate nearest to `name`; none after [`SUGGESTIONS_MAX`] of them, since a long list
    /// of faults must not cost the square of the file's length.
    pub(crate) fn suggestion<'n>(
        &mut self,
        name: &str,
        candidates: impl IntoIterator<Item = &'n str>,
    ) -> Option<&'n str> {
        self.n_suggestions += 1;
        if SUGGESTIONS_MAX < self.n_suggestions { None } else { suggest(name, candidates) }
    }

    /// How many there are so far.
    pub(crate) fn n_diagnostics(&self) -> usize {
        self.diagnostics.len()
    }

    /// Whether anything refuses the circuit.
    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// All diagnostics, by place.
    pub(crate) fn into_sorted(self) -> Vec<Diagnostic> {
        let mut diagnostics = self.diagnostics;
        diagnostics.sort_by_key(|diagnostic| (diagnostic.primary.span, diagnostic.code.id()));
        diagnostics
    }

    /// All diagnostics, as they were found.
    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }
}

/// Most names for which the nearest candidate is looked up.
const SUGGESTIONS_MAX: usize = 200;
