//! One diagnostic is the same wherever it shows: in `check` for people, as JSON and as SARIF, in
//! `compile`, in `run`, and in an editor.

#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

#[path = "support/editor.rs"]
mod editor;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use editor::{Editor, position, slice};
use serde_json::{Value, json};

/// A diagnostic as every surface has it: places as lines and columns in characters, from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Fact {
    place: [u64; 4],
    code: String,
    severity: String,
    /// With help and notes, a line each.
    message: String,
    fix: Option<(String, String, [u64; 4])>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn arqon(arguments: &[&str]) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_arqon"))
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

fn circuits() -> Vec<String> {
    let mut found: Vec<String> = fs::read_dir(root().join("circuits/err"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".yaml"))
        .map(|name| format!("circuits/err/{name}"))
        .collect();
    found.sort();
    found
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().map(|all| all.iter().map(string).collect()).unwrap_or_default()
}

fn from_json(text: &str) -> Vec<Fact> {
    let document: Value = serde_json::from_str(text).unwrap();
    let range = |it: &Value| {
        let place = |end: &str| [number(&it[end]["line"]), number(&it[end]["column"])];
        let ([a, b], [c, d]) = (place("start"), place("end"));
        [a, b, c, d]
    };
    let facts = document["diagnostics"].as_array().unwrap().iter().map(|it| {
        let mut message = string(&it["message"]);
        strings(&it["help"]).iter().for_each(|help| message += &format!("\nhelp: {help}"));
        strings(&it["notes"]).iter().for_each(|note| message += &format!("\nnote: {note}"));
        let fix = it.get("fix").map(|fix| {
            (string(&fix["title"]), string(&fix["replacement"]), range(&fix["range"]))
        });
        Fact {
            place: range(&it["range"]),
            code: string(&it["code"]),
            severity: string(&it["severity"]),
            message,
            fix,
        }
    });
    facts.collect()
}

fn from_sarif(text: &str) -> Vec<Fact> {
    let document: Value = serde_json::from_str(text).unwrap();
    let region = |it: &Value| {
        ["startLine", "startColumn", "endLine", "endColumn"].map(|part| number(&it[part]))
    };
    let facts = document["runs"][0]["results"].as_array().unwrap().iter().map(|it| {
        let fix = it.get("fixes").map(|fixes| {
            let replacement = &fixes[0]["artifactChanges"][0]["replacements"][0];
            (
                string(&fixes[0]["description"]["text"]),
                string(&replacement["insertedContent"]["text"]),
                region(&replacement["deletedRegion"]),
            )
        });
        Fact {
            place: region(&it["locations"][0]["physicalLocation"]["region"]),
            code: string(&it["ruleId"]),
            severity: string(&it["level"]),
            message: string(&it["message"]["text"]),
            fix,
        }
    });
    facts.collect()
}

/// An editor's range in lines and characters from 1.
fn characters(text: &str, range: &Value) -> [u64; 4] {
    let place = |end: &str| {
        let place = &range[end];
        let to = json!({ "start": { "line": place["line"], "character": 0 }, "end": place });
        let before = slice(text, &to);
        [number(&place["line"]) + 1, before.chars().count() as u64 + 1]
    };
    let ([a, b], [c, d]) = (place("start"), place("end"));
    [a, b, c, d]
}

fn from_editor(editor: &mut Editor, uri: &str, text: &str, found: &[Value]) -> Vec<Fact> {
    let whole = json!({ "start": position(text, 0), "end": position(text, text.len()) });
    let actions = editor.result(
        "textDocument/codeAction",
        json!({ "textDocument": { "uri": uri }, "range": whole,
            "context": { "diagnostics": [], "only": ["quickfix"] } }),
    );
    let facts = found.iter().map(|it| {
        let action = actions.as_array().unwrap().iter().find(|action| {
            let of = &action["diagnostics"][0];
            of["range"] == it["range"] && of["message"] == it["message"]
        });
        let fix = action.map(|action| {
            let edit = &action["edit"]["changes"][uri][0];
            (string(&action["title"]), string(&edit["newText"]), characters(text, &edit["range"]))
        });
        Fact {
            place: characters(text, &it["range"]),
            code: string(&it["code"]),
            severity: (if it["severity"] == 1 { "error" } else { "warning" }).to_owned(),
            message: string(&it["message"]),
            fix,
        }
    });
    facts.collect()
}

#[test]
fn all_surfaces_say_the_same() {
    let mut editor = Editor::ready(&root());
    let mut n_compared = 0;
    for file in circuits() {
        let Ok(text) = fs::read_to_string(root().join(&file)) else { continue };
        let flags: Vec<&str> = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# args: "))
            .map(|flags| flags.split_whitespace().collect())
            .unwrap_or_default();
        let run = |command: &[&str], more: &[&str]| {
            let arguments: Vec<&str> =
                command.iter().chain(&flags).chain(more).copied().collect();
            arqon(&arguments)
        };
        let (json, _) = run(&["check", "--format", "json"], &[&file]);
        let (sarif, _) = run(&["check", "--format", "sarif"], &[&file]);
        let (_, human) = run(&["check", "--color", "never"], &[&file]);
        let facts = from_json(&json);
        assert!(!facts.is_empty(), "{file}");
        assert_eq!(from_sarif(&sarif), facts, "{file}: SARIF and JSON");
        for fact in &facts {
            let head = fact.message.lines().next().unwrap();
            let title = format!("{}[{}]: {head}\n", fact.severity, fact.code);
            assert!(human.contains(&title), "{file}: `{title}` is not in:\n{human}");
            for line in fact.message.lines().skip(1) {
                assert!(human.contains(line), "{file}: `{line}` is not in:\n{human}");
            }
            if let Some((title, ..)) = &fact.fix {
                assert!(human.contains(&format!("help: {title}\n")), "{file}: {title}\n{human}");
            }
        }
        let (_, compiled) = run(&["compile", "--color", "never"], &[&file]);
        assert!(compiled.starts_with(&human), "{file}: compile says\n{compiled}\ncheck:\n{human}");
        if facts.iter().any(|fact| fact.severity == "error") {
            let (_, ran) = run(&["run", "--until-idle", "--color", "never"], &[&file]);
            assert_eq!(ran, human, "{file}: run and check");
        }
        // An editor has no flags of its own, and says what is in a file under that file.
        let imports = text.contains("\nimport:");
        if flags.is_empty() && !imports {
            let uri = format!("file://{}", root().join(&file).display());
            let found = editor.open(&uri, &text);
            let mut shown = from_editor(&mut editor, &uri, &text, &found);
            let mut wanted = facts.clone();
            wanted.sort();
            shown.sort();
            assert_eq!(shown, wanted, "{file}: an editor and JSON");
            editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
            n_compared += 1;
        }
    }
    assert!(100 < n_compared, "{n_compared} circuits were compared with an editor");
    assert_eq!(editor.leave(), Some(0));
}
