//! One diagnostic is the same wherever it shows: in `check` for people, as JSON and as SARIF, in
//! `compile`, in `run`, and in an editor.

#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

#[path = "support/editor.rs"]
mod editor;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use editor::{Editor, position, slice};
use serde_json::{Value, json};

/// Lines and columns in characters, from 1, of both ends.
type Place = [u64; 4];

/// A diagnostic as every surface has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Fact {
    file: String,
    place: Place,
    code: String,
    severity: String,
    /// With help and notes, a line each.
    message: String,
    labels: Vec<(String, String, Place)>,
    fix: Option<(String, String, Place)>,
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
        .filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "yaml"))
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
        for (word, lines) in [("help", &it["help"]), ("note", &it["notes"])] {
            for line in strings(lines) {
                message = format!("{message}\n{word}: {line}");
            }
        }
        let labels = it["labels"].as_array().unwrap().iter().map(|label| {
            let file = label.get("file").unwrap_or(&it["file"]);
            (string(&label["message"]), string(file), range(&label["range"]))
        });
        let fix = it
            .get("fix")
            .map(|fix| (string(&fix["title"]), string(&fix["replacement"]), range(&fix["range"])));
        Fact {
            file: string(&it["file"]),
            place: range(&it["range"]),
            code: string(&it["code"]),
            severity: string(&it["severity"]),
            message,
            labels: labels.collect(),
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
    let file = |it: &Value| string(&it["physicalLocation"]["artifactLocation"]["uri"]);
    let facts = document["runs"][0]["results"].as_array().unwrap().iter().map(|it| {
        let fix = it.get("fixes").map(|fixes| {
            let replacement = &fixes[0]["artifactChanges"][0]["replacements"][0];
            (
                string(&fixes[0]["description"]["text"]),
                string(&replacement["insertedContent"]["text"]),
                region(&replacement["deletedRegion"]),
            )
        });
        let own = Some(&it["locations"][0]).filter(|it| it.get("message").is_some());
        let related = it.get("relatedLocations").and_then(Value::as_array);
        let labels = own.into_iter().chain(related.into_iter().flatten()).map(|label| {
            let message = string(&label["message"]["text"]);
            (message, file(label), region(&label["physicalLocation"]["region"]))
        });
        Fact {
            file: file(&it["locations"][0]),
            place: region(&it["locations"][0]["physicalLocation"]["region"]),
            code: string(&it["ruleId"]),
            severity: string(&it["level"]),
            message: string(&it["message"]["text"]),
            labels: labels.collect(),
            fix,
        }
    });
    facts.collect()
}

/// What people read: severity, code, message, and the place of each diagnostic, in order.
fn from_people(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let heads = lines.windows(2).filter_map(|pair| {
        let place = pair[1].trim_start().strip_prefix("--> ")?;
        Some((pair[0].to_owned(), place.to_owned()))
    });
    heads.collect()
}

/// An editor's range in lines and characters from 1.
fn characters(text: &str, range: &Value) -> Place {
    let place = |end: &str| {
        let place = &range[end];
        let to = json!({ "start": { "line": place["line"], "character": 0 }, "end": place });
        let before = slice(text, &to);
        [number(&place["line"]) + 1, before.chars().count() as u64 + 1]
    };
    let ([a, b], [c, d]) = (place("start"), place("end"));
    [a, b, c, d]
}

/// The file of a URI as the command calls it, and its text.
fn file_of(uri: &Value) -> (String, String) {
    let path = uri.as_str().unwrap().strip_prefix("file://").unwrap();
    let name = Path::new(path).strip_prefix(root()).unwrap().display().to_string();
    (name, fs::read_to_string(path).unwrap())
}

fn from_editor(editor: &mut Editor, uri: &str, text: &str) -> Vec<Fact> {
    let mut published = vec![(json!(uri), editor.open(uri, text))];
    let whole = json!({ "start": position(text, 0), "end": position(text, text.len()) });
    let actions = editor.result(
        "textDocument/codeAction",
        &json!({ "textDocument": { "uri": uri }, "range": whole,
            "context": { "diagnostics": [], "only": ["quickfix"] } }),
    );
    // What was told before the answer: the diagnostics of the files that it imports.
    for told in editor.told.drain(..) {
        let found = told["params"]["diagnostics"].as_array().unwrap().clone();
        published.push((told["params"]["uri"].clone(), found));
    }
    let mut facts = Vec::new();
    for (of, found) in published {
        let (file, text) = file_of(&of);
        for it in found {
            let action = actions.as_array().unwrap().iter().find(|action| {
                let of = &action["diagnostics"][0];
                of["range"] == it["range"] && of["message"] == it["message"]
            });
            let fix = action.map(|action| {
                let edit = &action["edit"]["changes"][uri][0];
                let place = characters(&text, &edit["range"]);
                (string(&action["title"]), string(&edit["newText"]), place)
            });
            let related = it.get("relatedInformation").and_then(Value::as_array);
            let labels = related.into_iter().flatten().map(|label| {
                let (file, text) = file_of(&label["location"]["uri"]);
                let place = characters(&text, &label["location"]["range"]);
                (string(&label["message"]), file, place)
            });
            facts.push(Fact {
                file: file.clone(),
                place: characters(&text, &it["range"]),
                code: string(&it["code"]),
                severity: (if it["severity"] == 1 { "error" } else { "warning" }).to_owned(),
                message: string(&it["message"]),
                labels: labels.collect(),
                fix,
            });
        }
    }
    facts
}

#[test]
fn all_surfaces_say_the_same() {
    // One server for each way to call it.
    let mut editors: BTreeMap<Vec<String>, Editor> = BTreeMap::new();
    let (mut n_compared, mut n_imports) = (0, 0);
    for file in circuits() {
        // An editor has no text that is not UTF-8.
        let Ok(text) = fs::read_to_string(root().join(&file)) else { continue };
        let flags: Vec<String> = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# args: "))
            .map(|flags| flags.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default();
        let run = |command: &[&str]| {
            let flags = flags.iter().map(String::as_str);
            let arguments: Vec<&str> =
                command.iter().copied().chain(flags).chain([file.as_str()]).collect();
            arqon(&arguments)
        };
        let (json, _) = run(&["check", "--format", "json"]);
        let (sarif, _) = run(&["check", "--format", "sarif"]);
        let (_, human) = run(&["check", "--color", "never"]);
        let facts = from_json(&json);
        assert!(!facts.is_empty(), "{file}");
        assert_eq!(from_sarif(&sarif), facts, "{file}: SARIF and JSON");

        let golden = root().join(&file).with_extension("stderr");
        assert_eq!(human, fs::read_to_string(golden).unwrap(), "{file}: what people read");
        let heads = facts.iter().map(|fact| {
            let head = fact.message.lines().next().unwrap();
            let place = format!("{}:{}:{}", fact.file, fact.place[0], fact.place[1]);
            (format!("{}[{}]: {head}", fact.severity, fact.code), place)
        });
        assert_eq!(from_people(&human), heads.collect::<Vec<_>>(), "{file}: people and JSON");
        for fact in &facts {
            let labels = fact.labels.iter().map(|(label, ..)| label.as_str());
            for line in fact.message.lines().skip(1).chain(labels) {
                assert!(human.contains(line), "{file}: `{line}` is not in:\n{human}");
            }
            if let Some((title, ..)) = &fact.fix {
                assert!(human.contains(&format!("help: {title}\n")), "{file}: {title}\n{human}");
            }
        }

        let (_, compiled) = run(&["compile", "--color", "never"]);
        assert!(compiled.starts_with(&human), "{file}: compile says\n{compiled}\ncheck:\n{human}");
        if facts.iter().any(|fact| fact.severity == "error") {
            let (_, ran) = run(&["run", "--until-idle", "--color", "never"]);
            assert_eq!(ran, human, "{file}: run and check");
        }

        let editor = editors.entry(flags.clone()).or_insert_with(|| {
            let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            Editor::ready_with(&root(), &flags)
        });
        let uri = format!("file://{}", root().join(&file).display());
        let mut shown = from_editor(editor, &uri, &text);
        let mut wanted = facts.clone();
        // A fix of an imported file is offered where that file is open.
        for fact in wanted.iter_mut().filter(|fact| fact.file != file) {
            fact.fix = None;
            n_imports += 1;
        }
        wanted.sort();
        shown.sort();
        assert_eq!(shown, wanted, "{file}: an editor and JSON");
        editor.tell("textDocument/didClose", &json!({ "textDocument": { "uri": uri } }));
        n_compared += 1;
    }
    assert!(100 < n_compared && 0 < n_imports, "{n_compared} circuits, {n_imports} in imports");
    for (_, editor) in editors {
        assert_eq!(editor.leave(), Some(0));
    }
}
