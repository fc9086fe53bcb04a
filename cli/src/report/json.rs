//! Diagnostics as one JSON document.

use arqon_grammar::Span;
use arqon_grammar::diagnostic::{Label, Severity};
use arqon_grammar::span::Position;
use serde::Serialize;

use super::Findings;

#[derive(Serialize)]
struct Document<'a> {
    diagnostics: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
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

#[derive(Serialize)]
struct EntryLabel<'a> {
    message: &'a str,
    /// Where it is not the diagnostic's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    range: Range,
}

#[derive(Serialize)]
struct EntryFix<'a> {
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    range: Range,
    replacement: &'a str,
}

#[derive(Serialize)]
struct Range {
    start: Place,
    end: Place,
}

#[derive(Serialize)]
struct Place {
    line: u32,
    column: u32,
}

/// The document with all diagnostics, closed by a line break.
pub(super) fn document(all: &[Findings]) -> String {
    let diagnostics = all.iter().flat_map(entries).collect();
    let mut text = serde_json::to_string_pretty(&Document { diagnostics })
        .expect("texts and numbers are always JSON");
    text.push('\n');
    text
}

fn entries(findings: &Findings) -> Vec<Entry<'_>> {
    let lines = findings.sources.lines();
    let range = |span: Span| {
        let place = |Position { line, column }| Place { line, column };
        let (_, start, end) = lines.range(span);
        Range { start: place(start), end: place(end) }
    };
    let file_of = |span: Span| findings.sources.file(span).name.as_str();
    findings
        .diagnostics
        .iter()
        .map(|diagnostic| {
            let file = file_of(diagnostic.primary.span);
            let other = |span: Span| Some(file_of(span)).filter(|other| *other != file);
            let labels = std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary);
            let labels = labels.filter(|label| !label.message.is_empty());
            Entry {
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

#[cfg(test)]
mod tests {
    use arqon_grammar::{Diagnostic, Sources, code};

    use super::*;

    #[test]
    fn the_document_has_the_documented_fields() {
        let text = "arqon: 1\nµ: x\n";
        let diagnostic = Diagnostic::new(code::yaml::SYNTAX, Span::new(13, 14), "`x` is odd")
            .secondary(Span::new(0, 5), "the version")
            .help("write another")
            .fix(Span::new(13, 14), "y", "use `y`");
        let source = Sources::new("a.yaml", text);
        let document: serde_json::Value =
            serde_json::from_str(&document(&[Findings::new(source, vec![diagnostic])])).unwrap();
        let place = |line, column| serde_json::json!({ "line": line, "column": column });
        let x = serde_json::json!({ "start": place(2, 4), "end": place(2, 5) });
        let version = serde_json::json!({ "start": place(1, 1), "end": place(1, 6) });
        assert_eq!(
            document,
            serde_json::json!({ "diagnostics": [{
                "code": "E0001", "severity": "error", "message": "`x` is odd", "file": "a.yaml",
                "range": x,
                "labels": [{ "message": "the version", "range": version }],
                "help": ["write another"],
                "fix": { "title": "use `y`", "range": x, "replacement": "y" },
            }]})
        );
    }
}
