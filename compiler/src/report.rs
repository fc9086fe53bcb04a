//! Collects diagnostics: each fault once, suggestions within a budget.

use std::collections::BTreeSet;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::code::Code;
use arqon_grammar::code::names;
use arqon_grammar::code::operators;
use arqon_grammar::code::yaml;
use arqon_grammar::diagnostic::limited;
use arqon_grammar::suggest::{is_misspelt, suggest};

/// The diagnostics of one run, in the order in which they were found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    diagnostics: Vec<Diagnostic>,
    seen: BTreeSet<(&'static str, Span, String)>,
    suggestions: Suggestions,
    /// Whether a name is declared twice, so that another one may be missing.
    has_duplicates: bool,
    /// Where the reader of the file has found faults, by place.
    unreadable: Vec<Span>,
    /// Whether the reader has refused the name of a function, or of a parameter of one.
    has_lost_functions: bool,
    /// Whether an import is missing that may declare what seems to be unknown.
    expects_unknown: bool,
    /// Where faults of the command line are shown; nothing there is to be changed.
    pub(crate) options_at: Option<Span>,
}

impl Report {
    /// A report that begins with the faults that the reader of the file has found.
    pub(crate) fn of_reader(faults: Vec<Diagnostic>) -> Self {
        let mut unreadable: Vec<Span> =
            faults.iter().filter(|fault| fault.is_error()).map(|it| it.primary.span).collect();
        unreadable.sort_unstable();
        let has_duplicates = faults.iter().any(|fault| fault.code == yaml::DUPLICATE_KEY);
        let has_lost_functions = faults
            .iter()
            .any(|fault| fault.code == yaml::NAME_SHAPE && fault.message.ends_with("function"));
        let mut report = Self { has_duplicates, unreadable, has_lost_functions, ..Self::default() };
        for fault in faults {
            report.push(fault);
        }
        report
    }

    /// From here on nothing is said about unknown types, functions and operators: an import that
    /// could not be read may declare them.
    pub(crate) fn expect_unknown_names(&mut self) {
        self.expects_unknown = true;
    }

    /// Whether a function of the circuit is unknown because of its name or parameters.
    pub(crate) fn has_lost_functions(&self) -> bool {
        self.has_lost_functions
    }

    /// How many were found so far.
    pub(crate) fn len(&self) -> usize {
        self.diagnostics.len()
    }

    /// Changes those that were found after the first `from`.
    pub(crate) fn revise(&mut self, from: usize, change: impl Fn(&mut Diagnostic)) {
        for mut diagnostic in self.diagnostics.split_off(from.min(self.diagnostics.len())) {
            let key = |it: &Diagnostic| (it.code.id(), it.primary.span, it.message.clone());
            self.seen.remove(&key(&diagnostic));
            change(&mut diagnostic);
            self.push(diagnostic);
        }
    }

    /// Whether the reader has found a fault within `span`, so that a part of it is not known.
    pub(crate) fn is_unreadable(&self, span: Span) -> bool {
        let first = self.unreadable.partition_point(|fault| fault.start < span.start);
        self.unreadable.get(first).is_some_and(|fault| fault.start < span.end)
    }

    /// Whether there is an error within each of `spans`, in one walk over both.
    pub(crate) fn faulty(&self, spans: &[Span]) -> Vec<bool> {
        let mut starts: Vec<u32> = self
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.is_error())
            .map(|diagnostic| diagnostic.primary.span.start)
            .collect();
        starts.sort_unstable();
        spans
            .iter()
            .map(|span| {
                let first = starts.partition_point(|start| *start < span.start);
                starts.get(first).is_some_and(|start| *start < span.end)
            })
            .collect()
    }

    /// Adds a diagnostic, unless the same was said of the same place: a function's body is typed
    /// at each of its uses, and its faults are one.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        let key = (diagnostic.code.id(), diagnostic.primary.span, diagnostic.message.clone());
        if self.seen.insert(key) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Adds a diagnostic about a name that nothing has, with the nearest of `candidates`, and with
    /// the change to it when nothing else can be meant.
    pub(crate) fn unknown<'n>(
        &mut self,
        code: Code,
        span: Span,
        message: String,
        name: &str,
        candidates: impl IntoIterator<Item = &'n str>,
    ) {
        let may_be_imported =
            [names::UNKNOWN_TYPE, names::UNKNOWN_FUNCTION, operators::UNKNOWN_OPERATOR];
        if self.expects_unknown && may_be_imported.contains(&code) {
            return;
        }
        let candidates = self.suggestions.candidates(candidates);
        let near = suggest(name, candidates.iter().copied());
        let declared = [names::UNKNOWN_TYPE, names::UNKNOWN_SOURCE, names::UNKNOWN_TOPIC];
        let is_misspelt = near.is_some_and(|near| is_misspelt(name, near));
        if self.has_duplicates && declared.contains(&code) && !is_misspelt {
            // One of two declarations of one name was meant to be this one.
            return;
        }
        let mut fault = Diagnostic::new(code, span, message).did_you_mean(near);
        if near.is_none() && (1..=LISTED_MAX).contains(&candidates.len()) {
            let listed: Vec<String> = candidates.iter().map(|it| format!("`{it}`")).collect();
            fault = fault.help(format!("known here: {}", listed.join(", ")));
        }
        self.push(if self.options_at == Some(span) {
            fault
        } else {
            fault.fix_name(span, name, near, candidates)
        });
    }

    /// The candidate nearest to `name`, within the budget of the run.
    pub(crate) fn suggestion<'n>(
        &mut self,
        name: &str,
        candidates: impl IntoIterator<Item = &'n str>,
    ) -> Option<&'n str> {
        suggest(name, self.candidates(candidates))
    }

    /// Names to compare an unknown one with, within the budget of the run; then none.
    pub(crate) fn candidates<'n>(
        &mut self,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Vec<&'n str> {
        self.suggestions.candidates(names)
    }

    /// Whether anything refuses the circuit.
    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// How many faults refuse the circuit so far.
    pub(crate) fn n_errors(&self) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count()
    }

    /// All diagnostics, by place, up to the limit of a run.
    pub(crate) fn into_sorted(self) -> Vec<Diagnostic> {
        limited(self.diagnostics)
    }
}

/// A budget of suggestions: a long list of faults must not cost the square of the file's length.
#[derive(Debug, Clone, Default)]
pub(crate) struct Suggestions {
    n_compared: usize,
}

impl Suggestions {
    /// Names to compare an unknown one with; none after [`COMPARED_MAX`] of them.
    pub(crate) fn candidates<'n>(
        &mut self,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Vec<&'n str> {
        if COMPARED_MAX <= self.n_compared {
            return Vec::new();
        }
        let names: Vec<&str> = names.into_iter().collect();
        self.n_compared += names.len();
        names
    }
}

/// Most candidates that are listed when none is near.
const LISTED_MAX: usize = 8;

/// Most names that unknown ones are compared with: some tenths of a second.
const COMPARED_MAX: usize = 200_000;
