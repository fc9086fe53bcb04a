//! Diagnostics as one JSON document.

use arqon_server::{DiagnosticEntry, diagnostic_entries};
use serde::Serialize;

use super::Findings;

#[derive(Serialize)]
struct Document<'a> {
    diagnostics: Vec<DiagnosticEntry<'a>>,
}

/// The document with all diagnostics, closed by a line break.
pub(super) fn document(all: &[Findings]) -> String {
    let diagnostics =
        all.iter().flat_map(|it| diagnostic_entries(&it.sources, &it.diagnostics)).collect();
    let mut text = serde_json::to_string_pretty(&Document { diagnostics })
        .expect("texts and numbers are always JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use arqon_grammar::{Diagnostic, Sources, Span, code};

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
