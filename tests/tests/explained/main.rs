//! What `arqon explain` shows of a code is true: its wrong example has the fault, where it stands,
//! and its mended one has it no more.
//!
//! An example is a part of a circuit. What is missing around it comes from `surroundings.yaml`: an
//! entry of the example takes the place of the entry of its name there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use arqon_compiler::{Options, compile};
use arqon_grammar::code::{Code, all};

const SURROUNDINGS: &str = include_str!("surroundings.yaml");

/// Faults of several files, of the command line, of what eval computes, or of more text than a page
/// can show. A golden case under `circuits/err`, or a test of the command, has each of them.
const ELSEWHERE: [&str; 12] = [
    "E0003", "E0007", "E0030", "E0032", "E0033", "E0034", "E0035", "E0036", "E0037", "E0102",
    "E0209", "E0242",
];

#[test]
fn every_code_is_explained_by_an_example_that_has_the_fault() {
    let mut wrong = Vec::new();
    for code in all().filter(|code| !ELSEWHERE.contains(&code.id())) {
        let entry = code.entry();
        let faults = found(code, entry.wrong);
        if !faults.iter().any(|it| it == code.id()) {
            wrong.push(format!("{code} is not found in its wrong example, but {faults:?}"));
        }
        let faults = found(code, entry.mended);
        if faults.iter().any(|it| it == code.id()) {
            wrong.push(format!("{code} is found in its mended example"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_no_example_can_show_has_a_case() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent");
    let cases: Vec<String> = fs::read_dir(root.join("circuits/err"))
        .expect("the corpus is there")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    for id in ELSEWHERE.iter().filter(|id| !["E0007", "E0034", "E0242"].contains(id)) {
        let stem = id.to_ascii_lowercase();
        assert!(
            cases.iter().any(|case| case.starts_with(&stem)),
            "circuits/err has no case of {id}"
        );
    }
}

/// The codes that a circuit with an example in it has: those within the lines of the example, and
/// those that its surroundings alone do not have.
fn found(code: Code, example: &str) -> Vec<String> {
    let text = circuit(code, example);
    let compiled = compile(&text, "example.yaml", &Options::default());
    let alone = compile(SURROUNDINGS, "surroundings.yaml", &Options::default()).diagnostics;
    let lines: Vec<&str> = example.lines().map(str::trim).collect();
    let bare = |line: &str| line.trim().trim_start_matches("- ").to_owned();
    let lines: Vec<String> = lines.into_iter().map(bare).collect();
    let is_within = |line: &str| lines.contains(&bare(line));
    let places = compiled.sources.lines();
    let mut found: Vec<String> = Vec::new();
    for fault in &compiled.diagnostics {
        let labels = std::iter::once(&fault.primary).chain(&fault.secondary);
        let is_here = labels.into_iter().any(|label| {
            let (_, start) = places.start(label.span);
            let line = usize::try_from(start.line).expect("a line of a short text");
            text.lines().nth(line - 1).is_some_and(is_within)
        });
        let is_of_surroundings = alone.iter().any(|it| it.code == fault.code);
        if is_here || !is_of_surroundings {
            found.push(fault.code.id().to_owned());
        }
    }
    found
}

/// A whole circuit around an example.
fn circuit(code: Code, example: &str) -> String {
    if example.lines().any(|line| line.starts_with("arqon:")) || code.id() == "E0018" {
        return example.to_owned();
    }
    // Declarations may stand before the steps that they are for.
    let (head, body) = match example.split_once("# …\n") {
        Some((head, body)) => (head, body),
        None => ("", example),
    };
    let first = body.lines().next().unwrap_or("");
    let word = first.trim_start_matches("- ").split(':').next().unwrap_or("");
    let section = match word {
        "send" | "mocks" | "law" => {
            let step = if first.starts_with("- ") { body.to_owned() } else { listed(body) };
            format!("tests:\n  example:\n{}", indented(&step, 4))
        }
        "do" | "from" | "to" => node(code, body),
        "via" | "use" | "retry" => {
            let via =
                if body.contains("via:") { "" } else { "    via: { sim: { builtin: nvm } }\n" };
            format!(
                "operators:\n  example:\n    contract: arqonbus.nvm@1\n{via}{}",
                indented(body, 4)
            )
        }
        _ if first.starts_with("- ") => {
            let is_step = |line: &&str| line.starts_with(['-', ' ']);
            let steps: Vec<&str> = body.lines().take_while(is_step).collect();
            let rest: Vec<&str> = body.lines().skip_while(is_step).collect();
            let lines: Vec<String> = steps.iter().map(|line| format!("  {line}\n")).collect();
            let rest: Vec<String> = rest.iter().map(|line| format!("{line}\n")).collect();
            node(code, &format!("do:\n{}{}", lines.concat(), rest.concat()))
        }
        _ if word.starts_with(char::is_uppercase) => format!("schemas:\n{}", indented(body, 2)),
        _ if word.contains('.') => format!("topics:\n{}", indented(body, 2)),
        _ => body.to_owned(),
    };
    merged(&merged(SURROUNDINGS, head), &section)
}

/// A node of the flow, which reads what its example is about.
fn node(code: Code, body: &str) -> String {
    let from = match code.id() {
        _ if body.contains("from:") => "",
        _ if body.contains("kernel:") => "    from: { q: attn.queries, kv: attn.tokens }\n",
        "E0258" | "E0259" => "    from: roots\n",
        _ => "    from: rows\n",
    };
    let to = if code.id() == "E0219" { "    to: revenue\n" } else { "" };
    format!("flow:\n  example:\n{from}{}{to}", indented(body, 4))
}

fn listed(text: &str) -> String {
    let mut marks = std::iter::once("- ").chain(std::iter::repeat("  "));
    text.lines().flat_map(|line| [marks.next().unwrap_or(""), line, "\n"]).collect()
}

fn indented(text: &str, by: usize) -> String {
    let margin = " ".repeat(by);
    text.lines().flat_map(|line| [margin.as_str(), line, "\n"]).collect()
}

/// A section of a circuit.
struct Section {
    name: String,
    /// What stands behind the colon.
    value: String,
    /// The entries by name, each with its whole text.
    entries: Vec<(String, String)>,
}

/// The sections of a circuit, in their order.
fn sections(text: &str) -> Vec<Section> {
    let mut found: Vec<Section> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let is_top = !line.starts_with([' ', '#', '-']);
        let is_entry = line.starts_with("  ") && !line.starts_with("   ");
        match (is_top, found.last_mut()) {
            (true, _) | (false, None) => {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                let (name, value) = (name.to_owned(), value.to_owned());
                found.push(Section { name, value, entries: Vec::new() });
            }
            (false, Some(Section { entries, .. })) if is_entry || entries.is_empty() => {
                let name = line.trim().split(": ").next().unwrap_or("").trim_end_matches(':');
                entries.push((name.to_owned(), format!("{line}\n")));
            }
            (false, Some(Section { entries, .. })) => {
                if let Some((_, text)) = entries.last_mut() {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
    }
    found
}

/// A circuit with the sections of another text: entries of one name are those of the other.
fn merged(text: &str, other: &str) -> String {
    let mut all = sections(text);
    for section in sections(other) {
        let is_map = |it: &Section| it.value.trim().is_empty();
        match all.iter_mut().find(|known| known.name == section.name) {
            Some(known) if is_map(known) && is_map(&section) => {
                let new: BTreeSet<&str> =
                    section.entries.iter().map(|(name, _)| name.as_str()).collect();
                known.entries.retain(|(name, _)| !new.contains(name.as_str()));
                known.entries.extend(section.entries);
            }
            Some(known) => *known = section,
            None => all.push(section),
        }
    }
    let mut now = String::new();
    for Section { name, value, entries } in &all {
        now.extend([name, ":", value, "\n"]);
        now.extend(entries.iter().map(|(_, text)| text.as_str()));
    }
    now
}
