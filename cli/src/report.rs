//! Diagnostics of a run, for people and for machines: all of them, ordered by place.

mod human;
mod json;
mod sarif;

use arqon_grammar::diagnostic::sort;
use arqon_grammar::{Diagnostic, Sources};

use crate::console::{Console, OutputFormat, Style, Verbosity};
use crate::exit::{Exit, Failure};

/// A circuit with what was found in it.
#[derive(Debug, Clone)]
pub(crate) struct Findings {
    /// The texts: the circuit's own, then those it imports.
    pub(crate) sources: Sources,
    /// Ordered by place.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Findings {
    /// Orders the diagnostics by place.
    pub(crate) fn new(sources: Sources, mut diagnostics: Vec<Diagnostic>) -> Self {
        sort(&mut diagnostics);
        Self { sources, diagnostics }
    }

    /// What the user called the circuit.
    pub(crate) fn file(&self) -> &str {
        &self.sources.main().name
    }

    /// Whether the circuit is refused.
    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// How many of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// Refusals.
    pub(crate) n_errors: usize,
    /// The rest.
    pub(crate) n_warnings: usize,
}

impl Tally {
    /// Counts the diagnostics of all circuits.
    pub(crate) fn of(all: &[Findings]) -> Self {
        let mut tally = Self::default();
        for diagnostic in all.iter().flat_map(|findings| &findings.diagnostics) {
            if diagnostic.is_error() {
                tally.n_errors += 1;
            } else {
                tally.n_warnings += 1;
            }
        }
        tally
    }

    /// How a command with these diagnostics ends.
    pub(crate) fn exit(self) -> Exit {
        if self.n_errors == 0 { Exit::Success } else { Exit::Errors }
    }

    /// `2 errors, 1 warning`.
    pub(crate) fn text(self) -> String {
        match (self.n_errors, self.n_warnings) {
            (0, 0) => "no errors".to_owned(),
            (0, warnings) => count(warnings, "warning"),
            (errors, 0) => count(errors, "error"),
            (errors, warnings) => {
                format!("{}, {}", count(errors, "error"), count(warnings, "warning"))
            }
        }
    }
}

/// `1 row`, `2 rows`, `2 fixes`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    let ending = if noun.ends_with('x') { "es" } else { "s" };
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}{ending}") }
}

/// Writes the diagnostics of commands whose result they are: to stdout as a document, or to
/// stderr for people.
///
/// # Errors
/// A [`Failure`] if stdout cannot be written.
pub(crate) fn print_as_result(console: Console, all: &[Findings]) -> Result<(), Failure> {
    match console.format {
        OutputFormat::Human => {
            print_for_people(console, all);
            Ok(())
        }
        OutputFormat::Json => console.out(&json::document(all)),
        OutputFormat::Sarif => console.out(&sarif::document(all)),
    }
}

/// Writes the diagnostics of one circuit, for commands whose result is something else: to stderr,
/// but where errors stand in the way of a result that was to be a document, in its place.
///
/// # Errors
/// A [`Failure`] if stdout cannot be written.
pub(crate) fn print_beside(console: Console, findings: &Findings) -> Result<(), Failure> {
    let all = std::slice::from_ref(findings);
    if findings.has_errors() {
        return print_as_result(console, all);
    }
    print_for_people(console, all);
    Ok(())
}

/// Writes the diagnostics to stderr, for commands whose result is something else; with `-q` only
/// the errors.
pub(crate) fn print_for_people(console: Console, all: &[Findings]) {
    let colored = console.err_has_color();
    let is_quiet = console.verbosity == Verbosity::Quiet;
    for findings in all {
        console.err(&if is_quiet {
            human::render_errors(findings, colored)
        } else {
            human::render(findings, colored)
        });
    }
    let tally = Tally::of(all);
    if tally.n_errors > 0 || (tally.n_warnings > 0 && !is_quiet) {
        let style = if tally.n_errors > 0 { Style::Red } else { Style::Yellow };
        console.err(&format!("{}\n", console.paint_err(style, &tally.text())));
    }
}
