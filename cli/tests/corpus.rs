//! The corpus of circuits against its golden files, through the command itself.
//!
//! - `circuits/err/NAME.yaml`: what `arqon check` prints, in `NAME.stderr`.
//! - `circuits/ok/NAME.yaml`: no error; the plan that `compile --emit dataflow` prints, in
//!   `NAME.plan`; and, where the folder `NAME/` has inputs, the deltas of a run.
//!
//! `UPDATE_EXPECT=1` rewrites the golden files; read the difference like code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("cli/ has a parent").to_owned()
}

fn arqon(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_arqon"))
        .args(args)
        .current_dir(root())
        .output()
        .expect("the command starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the command prints UTF-8")
}

#[expect(clippy::disallowed_methods, reason = "golden files are rewritten on demand only")]
fn updating() -> bool {
    std::env::var("UPDATE_EXPECT").is_ok()
}

fn circuits(folder: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root().join("circuits").join(folder))
        .expect("the corpus is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Compares with the golden file, or rewrites it; returns what differs.
fn golden(path: &Path, found: &str) -> Option<String> {
    if updating() {
        fs::write(path, found).expect("the golden file is writable");
        return None;
    }
    let wanted = fs::read_to_string(path).unwrap_or_default();
    (wanted != found)
        .then(|| format!("{}\n--- golden\n{wanted}\n--- found\n{found}", path.display()))
}

#[test]
fn wrong_circuits_are_told_what_is_wrong() {
    let mut faults = Vec::new();
    for name in circuits("err") {
        let file = format!("circuits/err/{name}.yaml");
        let source = fs::read(root().join(&file)).expect("the circuit is readable");
        let mut args = vec!["check", "--color", "never"];
        let first = String::from_utf8_lossy(&source);
        // A circuit that is wrong only under some flags names them in its first line.
        let flags = first.lines().next().and_then(|line| line.strip_prefix("# args: "));
        args.extend(flags.unwrap_or_default().split_whitespace());
        args.push(&file);
        let output = arqon(&args);
        let printed = text(&output.stderr);
        let path = root().join(format!("circuits/err/{name}.stderr"));
        faults.extend(golden(&path, &printed));
        let warning = name.starts_with('w');
        let wanted = if warning { Some(0) } else { Some(1) };
        if output.status.code() != wanted {
            faults.push(format!("{name}: exit code {:?}\n{printed}", output.status.code()));
        }
        if let Some(code) = name.split('_').next().filter(|code| code.len() == 5)
            && !printed.contains(&format!("[{}]", code.to_uppercase()))
        {
            faults.push(format!("{name}: does not report {}\n{printed}", code.to_uppercase()));
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n\n"));
}

/// Codes that no small file can provoke, with the test that does.
const ELSEWHERE: &[(&str, &str)] = &[
    ("E0007", "grammar/tests/hostile.rs"),
    ("E0034", "grammar/tests/imports.rs"),
    ("E0242", "cli/tests/eval.rs"),
];

#[test]
fn every_code_has_a_wrong_circuit() {
    let listed = text(&arqon(&["explain", "--list"]).stdout);
    let codes: BTreeSet<&str> = listed
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| {
            word.len() == 5
                && word.starts_with(['E', 'W'])
                && word[1..].bytes().all(|b| b.is_ascii_digit())
        })
        .collect();
    assert!(codes.len() > 40, "the list has the codes: {listed}");
    let printed: String = circuits("err")
        .iter()
        .map(|name| {
            fs::read_to_string(root().join(format!("circuits/err/{name}.stderr")))
                .unwrap_or_default()
        })
        .collect();
    let missing: Vec<&str> = codes
        .into_iter()
        .filter(|code| !printed.contains(&format!("[{code}]")))
        .filter(|code| !ELSEWHERE.iter().any(|(other, _)| other == code))
        .collect();
    assert!(missing.is_empty(), "codes without a circuit in circuits/err: {missing:?}");
}

#[test]
fn right_circuits_have_their_plans_and_deltas() {
    let mut faults = Vec::new();
    for name in circuits("ok") {
        let file = format!("circuits/ok/{name}.yaml");
        let mut output = arqon(&["compile", "--emit", "dataflow", &file]);
        if !output.status.success() {
            // What does not run here is planned all the same; the golden file tells the two apart.
            output = arqon(&["compile", "--emit", "plan", &file]);
        }
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        let path = root().join(format!("circuits/ok/{name}.plan"));
        faults.extend(golden(&path, &text(&output.stdout)));
        faults.extend(deltas(&name, &file));
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n\n"));
}

fn deltas(name: &str, file: &str) -> Vec<String> {
    let folder = root().join("circuits/ok").join(name);
    let Ok(entries) = fs::read_dir(&folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let mut args: Vec<String> =
        ["run", file, "--until-idle", "--keep-going", "--epoch-rows", "2", "--as", "deltas"]
            .map(str::to_owned)
            .to_vec();
    let mut outputs = Vec::new();
    for entry in &names {
        if let Some(topic) = entry.strip_suffix(".in.ndjson") {
            args.push("--input".to_owned());
            args.push(format!("{topic}={}", folder.join(entry).display()));
        } else if entry == "times.ndjson" {
            // A run adds the epochs that its journal lacks.
            let journal = scratch.path().join(entry);
            fs::copy(folder.join(entry), &journal).expect("the journal is copied");
            args.extend(["--times".to_owned(), journal.display().to_string()]);
        } else if let Some(topic) = entry.strip_suffix(".deltas.ndjson") {
            let path = scratch.path().join(entry);
            args.push("--output".to_owned());
            args.push(format!("{topic}={}", path.display()));
            outputs.push((folder.join(entry), path));
        }
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = arqon(&args);
    assert!(output.status.success(), "{name}: {}", text(&output.stderr));
    outputs
        .iter()
        .filter_map(|(wanted, found)| {
            golden(wanted, &fs::read_to_string(found).expect("the run wrote its output"))
        })
        .collect()
}
