//! Diagnostics for programs: what `--format json` prints and the control API answers.

use arqon_grammar::diagnostic::{Label, Severity};
use arqon_grammar::span::Position;
use arqon_grammar::{Diagnostic, Sources, Span};
use serde::Serialize;

/// A diagnostic with its places in words.
#[derive(Debug, Serialize)]
pub struct DiagnosticEntry<'a> {
    code: &'static str,
    severity: &'static str,
    message: &'a str,
    file: &'a str,
    range: Range,
    labels: Vec<EntryLabel<'a>>,
    help: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<EntryFix<'a>>,
}

#[derive(Debug, Serialize)]
struct EntryLabel<'a> {
    message: &'a str,
    /// Where it is not the diagnostic's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    range: Range,
}

#[derive(Debug, Serialize)]
struct EntryFix<'a> {
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    range: Range,
    replacement: &'a str,
}

#[derive(Debug, Serialize)]
struct Range {
    start: Place,
    end: Place,
}

#[derive(Debug, Serialize)]
struct Place {
    line: u32,
    column: u32,
}

/// The diagnostics of a circuit, in their order.
pub fn diagnostic_entries<'a>(
    sources: &'a Sources,
    diagnostics: &'a [Diagnostic],
) -> Vec<DiagnosticEntry<'a>> {
    let lines = sources.lines();
    let range = |span: Span| {
        let place = |Position { line, column }| Place { line, column };
        let (_, start, end) = lines.range(span);
        Range { start: place(start), end: place(end) }
    };
    let file_of = |span: Span| sources.file(span).name.as_str();
    diagnostics
        .iter()
        .map(|diagnostic| {
            let file = file_of(diagnostic.primary.span);
            let other = |span: Span| Some(file_of(span)).filter(|other| *other != file);
            let labels = std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary);
            let labels = labels.filter(|label| !label.message.is_empty());
            DiagnosticEntry {
                code: diagnostic.code.id(),
                severity: match diagnostic.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                },
                message: &diagnostic.message,
                file,
                range: range(diagnostic.primary.span),
                labels: labels
                    .map(|Label { span, message }| EntryLabel {
                        message,
                        file: other(*span),
                        range: range(*span),
                    })
                    .collect(),
                help: &diagnostic.help,
                notes: &diagnostic.notes,
                fix: diagnostic.fix.as_ref().map(|fix| EntryFix {
                    title: &fix.title,
                    file: other(fix.span),
                    range: range(fix.span),
                    replacement: &fix.replacement,
                }),
            }
        })
        .collect()
}
