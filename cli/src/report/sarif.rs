//! Diagnostics as SARIF 2.1.0, for code hosts and editors.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use arqon_editor::message;
use arqon_grammar::code::Code;
use arqon_grammar::diagnostic::{Fix, Label};
use arqon_grammar::sources::Lines;
use arqon_grammar::{Diagnostic, Span};
use serde_json::{Value, json};

use super::Findings;

/// The document with all diagnostics, closed by a line break.
pub(super) fn document(all: &[Findings]) -> String {
    let mut codes: BTreeMap<&str, Code> = BTreeMap::new();
    for diagnostic in all.iter().flat_map(|findings| &findings.diagnostics) {
        codes.insert(diagnostic.code.id(), diagnostic.code);
    }
    let places: BTreeMap<&str, usize> =
        codes.keys().enumerate().map(|(place, id)| (*id, place)).collect();
    let rules: Vec<Value> = codes.values().map(|code| rule(*code)).collect();
    let results: Vec<Value> = all.iter().flat_map(|findings| results(findings, &places)).collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "arqon",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    let mut text =
        serde_json::to_string_pretty(&document).expect("texts and numbers are always JSON");
    text.push('\n');
    text
}

fn rule(code: Code) -> Value {
    let entry = code.entry();
    let example =
        format!("{}\n\nwrong:\n{}\n\nmended:\n{}", entry.explanation, entry.wrong, entry.mended);
    json!({
        "id": entry.id,
        "shortDescription": { "text": entry.title },
        "fullDescription": { "text": entry.explanation },
        "help": { "text": example },
        "defaultConfiguration": { "level": level(code) },
    })
}

fn level(code: Code) -> &'static str {
    if code.is_warning() { "warning" } else { "error" }
}

fn results(findings: &Findings, places: &BTreeMap<&str, usize>) -> Vec<Value> {
    let lines = findings.sources.lines();
    findings.diagnostics.iter().map(|diagnostic| result(diagnostic, &lines, places)).collect()
}

fn result(diagnostic: &Diagnostic, lines: &Lines<'_>, places: &BTreeMap<&str, usize>) -> Value {
    let region = |span: Span| {
        let (_, start, end) = lines.range(span);
        json!({
            "startLine": start.line, "startColumn": start.column,
            "endLine": end.line, "endColumn": end.column,
        })
    };
    let artifact = |span: Span| json!({ "uri": uri(lines.range(span).0) });
    let location = |label: &Label| {
        json!({
            "message": { "text": label.message },
            "physicalLocation": {
                "artifactLocation": artifact(label.span), "region": region(label.span),
            },
        })
    };
    let id = diagnostic.code.id();
    let mut result = json!({
        "ruleId": id,
        "ruleIndex": places[id],
        "level": level(diagnostic.code),
        "message": { "text": message(diagnostic) },
        "locations": [{ "physicalLocation": {
            "artifactLocation": artifact(diagnostic.primary.span),
            "region": region(diagnostic.primary.span),
        }}],
    });
    if !diagnostic.primary.message.is_empty() {
        result["locations"][0] = location(&diagnostic.primary);
    }
    if !diagnostic.secondary.is_empty() {
        result["relatedLocations"] = diagnostic.secondary.iter().map(location).collect();
    }
    if let Some(Fix { span, replacement, title }) = &diagnostic.fix {
        result["fixes"] = json!([{
            "description": { "text": title },
            "artifactChanges": [{
                "artifactLocation": artifact(*span),
                "replacements": [{
                    "deletedRegion": region(*span),
                    "insertedContent": { "text": replacement },
                }],
            }],
        }]);
    }
    result
}

/// A relative path as a URI: slashes forward, and only what a URI may hold as it is.
fn uri(file: &str) -> String {
    let mut uri = String::new();
    for byte in file.replace('\\', "/").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            write!(uri, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use arqon_grammar::{Sources, code};

    use super::*;

    #[test]
    fn a_result_points_to_its_rule_and_place() {
        let source = Sources::new("my circuits/a.yaml", "arqon: 1\nµ: x\n");
        let diagnostic = Diagnostic::new(code::yaml::SYNTAX, Span::new(13, 14), "`x` is odd")
            .secondary(Span::new(0, 5), "the version")
            .fix(Span::new(13, 14), "y", "use `y`");
        let document: Value =
            serde_json::from_str(&document(&[Findings::new(source, vec![diagnostic])])).unwrap();
        assert_eq!(document["version"], "2.1.0");
        let run = &document["runs"][0];
        let result = &run["results"][0];
        assert_eq!(run["tool"]["driver"]["rules"][0]["id"], "E0001");
        assert_eq!((&result["ruleId"], &result["level"]), (&json!("E0001"), &json!("error")));
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "my%20circuits/a.yaml");
        assert_eq!(
            place["region"],
            json!({ "startLine": 2, "startColumn": 4, "endLine": 2, "endColumn": 5 })
        );
        assert_eq!(result["relatedLocations"][0]["message"]["text"], "the version");
        assert_eq!(
            result["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"],
            "y"
        );
    }
}
