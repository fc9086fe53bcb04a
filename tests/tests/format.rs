//! The canonical form means what the text meant: over the corpus, and over the same circuits in
//! layouts that no one would choose.

#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use arqon_compiler::{Options, compile};
use arqon_grammar::{LINE_CHARACTERS_MAX, ParseOptions, format_circuit, parse_circuit};
use arqon_plan::{dataflow_text, plan_text};

/// The circuits of the repository, wrong ones too.
fn corpus() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("circuits");
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(folder) = open.pop() {
        let paths: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        for path in paths {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yaml")
                && let Ok(text) = fs::read_to_string(&path)
            {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                found.push((name, text));
            }
        }
    }
    found.sort();
    found
}

/// The syntax tree without its places.
fn tree(text: &str) -> String {
    let (circuit, _) = parse_circuit(text, &ParseOptions::default());
    let drawn = format!("{circuit:?}");
    let mut out = String::with_capacity(drawn.len());
    for part in drawn.split("span: ") {
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.'));
    }
    // Places that stand by themselves: `verb: 12..17`.
    let is_place = |word: &str| {
        let word = word.trim_end_matches([',', '}', ')', ']', ' ']);
        word.split_once("..").is_some_and(|(start, end)| {
            start.rsplit('(').next().is_some_and(|it| it.parse::<u32>().is_ok())
                && end.parse::<u32>().is_ok()
        })
    };
    out.split(' ').filter(|word| !is_place(word)).collect::<Vec<_>>().join(" ")
}

/// What the compiler makes of it: plan, steps, and the diagnostics without their places.
fn meaning(text: &str) -> (String, String, Vec<String>) {
    let compiled = compile(text, "a.yaml", &Options::default());
    let mut said: Vec<String> =
        compiled.diagnostics.iter().map(|it| format!("{}: {}", it.code, it.message)).collect();
    said.sort();
    (
        compiled.plan.map_or_else(String::new, |plan| plan_text(&plan)),
        compiled.dataflow.map_or_else(String::new, |plan| dataflow_text(&plan)),
        said,
    )
}

fn comments(text: &str) -> Vec<String> {
    let mut found: Vec<String> = text
        .split_inclusive('\n')
        .flat_map(|line| line.split("# note ").skip(1))
        .map(|rest| rest.trim().to_owned())
        .collect();
    found.sort();
    found
}

fn check_layout(name: &str, text: &str) {
    let formatted = match format_circuit(text) {
        Ok(formatted) => formatted,
        Err(faults) => panic!("{name}: {}\n{text}", faults[0].brief(text)),
    };
    assert_eq!(format_circuit(&formatted).unwrap(), formatted, "{name}, twice, from:\n{text}");
    assert_eq!(tree(text), tree(&formatted), "{name}, the tree, from:\n{text}\nto:\n{formatted}");
    assert_eq!(comments(text), comments(&formatted), "{name}, the comments");
}

#[test]
fn the_corpus_keeps_its_meaning() {
    let mut n_formatted = 0;
    for (name, text) in corpus() {
        let Ok(formatted) = format_circuit(&text) else {
            let (_, faults) = parse_circuit(&text, &ParseOptions::default());
            assert!(!faults.is_empty(), "{name} is refused without a fault");
            continue;
        };
        check_layout(&name, &text);
        assert_eq!(meaning(&text), meaning(&formatted), "{name}");
        assert!(!formatted.lines().any(|line| line.ends_with(' ')), "{name}: blanks at an end");
        n_formatted += 1;
    }
    assert!(40 < n_formatted, "{n_formatted} circuits were formatted");
}

/// A small generator of choices, the same ones every time.
struct Choices(u64);

impl Choices {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn blanks(&mut self, most: u64) -> String {
        " ".repeat(usize::try_from(self.below(most + 1)).unwrap())
    }
}

/// The same circuit in another layout, as far as it still is the same circuit.
fn disorder(text: &str, choices: &mut Choices) -> String {
    let scale = choices.below(3) + 1;
    let mut n_notes = 0;
    let mut out = String::new();
    for line in text.lines() {
        let body = line.trim_start();
        let indent = (line.len() - body.len()) as u64 * scale;
        let indent = " ".repeat(usize::try_from(indent).unwrap());
        while choices.one_in(9) {
            out.push('\n');
        }
        if choices.one_in(12) {
            n_notes += 1;
            writeln!(out, "{}# note {n_notes}", choices.blanks(12)).unwrap();
        }
        out.push_str(&indent);
        // What stands behind a dash is indented like the lines below it.
        let body = match body.strip_prefix("- ") {
            Some(item) => format!("-{}{item}", " ".repeat(usize::try_from(2 * scale - 1).unwrap())),
            None => body.to_owned(),
        };
        out.push_str(&loosened(&body, &indent, choices, &mut n_notes));
        if !body.is_empty() && choices.one_in(8) {
            n_notes += 1;
            write!(out, " {}# note {n_notes}", choices.blanks(30)).unwrap();
        }
        out.push('\n');
    }
    out
}

/// One line with other blanks: behind colons and commas, around operators, in braces.
fn loosened(line: &str, indent: &str, choices: &mut Choices, n_notes: &mut u64) -> String {
    let mut out = String::new();
    let mut depth = 0;
    let (mut in_double, mut in_single) = (false, false);
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' if !in_single => in_double = !in_double,
            '\'' if !in_double => in_single = !in_single,
            '#' if !in_double && !in_single => {
                out.push(c);
                out.extend(rest);
                return out;
            }
            _ => {}
        }
        out.push(c);
        if in_double || in_single {
            continue;
        }
        match c {
            '{' | '[' => {
                depth += 1;
                out.push_str(&choices.blanks(2));
            }
            '}' | ']' => depth -= 1,
            ',' if depth > 0 && choices.one_in(4) => {
                if choices.one_in(3) {
                    *n_notes += 1;
                    write!(out, " # note {n_notes}").unwrap();
                }
                write!(out, "\n{indent}      {}", choices.blanks(9)).unwrap();
            }
            ' ' if rest.peek().is_some_and(|next| *next != '#') => {
                // Elsewhere blanks may be part of a text.
                let before = out.trim_end().chars().next_back();
                let next = rest.peek().copied();
                let is_free = |c: Option<char>| c.is_some_and(|c| ":,=<>+*/".contains(c));
                if is_free(before) || is_free(next) {
                    out.push_str(&choices.blanks(3));
                }
            }
            _ => {}
        }
    }
    out
}

#[test]
fn no_layout_changes_the_meaning() {
    let mut choices = Choices(0x9E37_79B9_7F4A_7C15);
    let (mut n_checked, mut n_tried) = (0, 0);
    for (name, text) in corpus() {
        if format_circuit(&text).is_err() || 20_000 < text.len() {
            continue;
        }
        let wanted = tree(&text);
        for _ in 0..12 {
            n_tried += 1;
            let other = disorder(&text, &mut choices);
            // Some disorder is another circuit, or none.
            if tree(&other) != wanted || format_circuit(&other).is_err() {
                continue;
            }
            check_layout(&name, &other);
            n_checked += 1;
            if n_checked % 8 == 0 {
                let formatted = format_circuit(&other).unwrap();
                assert_eq!(meaning(&formatted), meaning(&other), "{name}");
            }
        }
    }
    assert!(n_tried / 2 < n_checked, "{n_checked} of {n_tried} layouts were the same circuit");
}

#[test]
fn lines_are_as_short_as_their_words_allow() {
    let names: Vec<String> = (0..60).map(|at| format!("a_rather_long_topic_{at}")).collect();
    let text = format!(
        "arqon: 1\ncircuit: a\naccess: {{ r: {{ publish: [{}], subscribe: [{}] }} }}\n",
        names.join(", "),
        names[..3].join(", ")
    );
    let formatted = format_circuit(&text).unwrap();
    let longest = formatted.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(LINE_CHARACTERS_MAX), "{formatted}");
    check_layout("long", &text);
}
