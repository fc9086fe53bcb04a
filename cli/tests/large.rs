//! Circuits of ten megabytes, of many shapes: each is answered in under three seconds of one
//! processor, with what is wrong or with the limit that it passes, within bounded memory.
//!
//! `ARQON_CASES` is the size in megabytes; `cargo xtask torture H03` sets it to ten, with the
//! release build, and prints the table, of the largest sections that are read as well. Every push runs a small size and a wide time.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

mod support;

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use arqon_grammar::limits::SECTIONS_BYTES_MAX;
use support::Scene;

/// The promise, for the release build.
const TIME_MAX: Duration = Duration::from_secs(3);
/// Longest time in the development build, beside other work: it catches what is quadratic.
const DEVELOPMENT_TIME_MAX: Duration = Duration::from_secs(60);
/// Address space of one command.
const MEMORY_KIB_MAX: u64 = 3 << 20;
/// Most text that a command may answer with: a thousand faults, and lines that are cut.
const ANSWER_BYTES_MAX: usize = 2 << 20;

/// A shape: its name, what must be said (`ok`, or a code), and what makes so many bytes of it.
type Shape = (&'static str, &'static str, fn(usize) -> Vec<u8>);

const SHAPES: &[Shape] = &[
    ("comments", "ok", |n| repeated(n, &plain(), |_| "# a comment\n".to_owned())),
    ("topics", "ok", many_topics),
    ("schemas", "ok", many_schemas),
    ("nodes of one topic", "ok", many_nodes),
    ("a chain of nodes", "ok", chain),
    ("more nodes than the limit", "E0007", tiny_nodes),
    ("one deep flow", "ok", deep_flow),
    ("joins", "ok", joins),
    ("operators and calls", "ok", calls),
    ("routes", "ok", routes),
    ("roles", "ok", roles),
    ("misspelt grants", "E0601", |n| grants(n, |at| format!("rosw_{at}, "))),
    ("one grant again and again", "E0602", |n| grants(n, |_| "rows, ".to_owned())),
    ("topics on one line", "ok", topics_on_one_line),
    ("misspelt topics on one line", "E0203", misspelt_on_one_line),
    ("rows of a test", "ok", test_rows),
    ("functions", "ok", functions),
    ("parameters", "ok", parameters),
    ("one union", "ok", union),
    ("one list", "E0011", |n| wrapped(n, "stray: [", "1234567,", "1]\n")),
    ("one list past the nodes", "E0007", |n| wrapped(n.max(6 << 20), "stray: [", "1,", "1]\n")),
    ("one string", "ok", |n| wrapped(n, "description: \"", "lorem ipsum ", "\"\n")),
    ("one block of text", "ok", |n| wrapped(n, "description: |\n", "  lorem ipsum\n", "\n")),
    ("a string without end", "E0001", |n| wrapped(n, "description: \"", "lorem ipsum ", "\n")),
    ("one expression", "E0102", |n| expression(n, "id > 1 and ")),
    ("one nested expression", "E0102", |n| expression(n, "(")),
    ("expressions at their limit", "ok", long_expressions),
    ("anchors", "E0004", |n| wrapped(n, "stray:\n", "  - &a [x, *a]\n", "")),
    ("nested lists", "E0008", |n| wrapped(n, "stray: ", "[", "\n")),
    ("nested blocks", "E0008", |n| wrapped(n, "stray:\n  ", "- ", "x\n")),
    ("one name", "E0016", |n| wrapped(n, "namespace: ", "lorem_ipsum", "\n")),
    ("one type", "E0022", |n| wrapped(n, "functions: {}\nschemas:\n  X: { x: ", "list<", "}\n")),
    ("labels", "ok", labels),
    ("fields", "E0022", |n| {
        repeated(n, "arqon: 1\ncircuit: a\nschemas:\n  X:\n", |at| {
            format!("    field_{at}: int64\n")
        })
    }),
    ("one key twice and again", "E0009", |n| {
        repeated(n, &plain(), |_| "description: again\n".to_owned())
    }),
    ("unknown keys", "E0011", |n| repeated(n, &plain(), |at| format!("descripton{at}: x\n"))),
    ("misspelt topics", "E0203", misspelt_topics),
    ("misspelt fields", "E0205", misspelt_fields),
    ("parameters and functions", "ok", parameters_and_functions),
    ("topics twice", "E0009", topics_twice),
    ("imports", "E0030", |n| {
        repeated(n, "arqon: 1\ncircuit: a\nimport:\n", |at| format!("  - lab/part_{at}.yaml\n"))
    }),
    ("no UTF-8", "E0003", |n| vec![0xFE; n]),
    ("zeros", "E0002", |n| vec![0; n]),
    ("blanks", "E0006", |n| vec![b' '; n]),
    ("empty lines", "E0006", |n| vec![b'\n'; n]),
    ("tabs", "E0012", |n| repeated(n, "arqon: 1\n", |_| "\t".to_owned())),
    ("braces", "E0008", |n| vec![b'{'; n]),
    ("quotes", "E0118", |n| vec![b'"'; n]),
];

const HEAD: &str = "arqon: 1\ncircuit: large\nschemas:\n  Row: { id: int64, x: float64 }\n";

fn plain() -> String {
    format!(
        "{HEAD}topics:\n  rows: {{ schema: Row, carries: full, key: id, edge: in }}\n  \
         out: {{ schema: Row, carries: delta, key: id, edge: out }}\n\
         flow:\n  node: {{ from: rows, to: out }}\n\
         access: {{ all: {{ publish: [rows], subscribe: [out] }} }}\n"
    )
}

fn repeated(n_bytes: usize, head: &str, line: impl Fn(usize) -> String) -> Vec<u8> {
    let mut text = head.to_owned();
    let mut at = 0;
    while text.len() < n_bytes {
        text.push_str(&line(at));
        at += 1;
    }
    text.into_bytes()
}

/// The plain circuit, and one value of that many bytes behind it.
fn wrapped(n_bytes: usize, open: &str, piece: &str, close: &str) -> Vec<u8> {
    let head = if open.starts_with("functions") { "arqon: 1\ncircuit: a\n" } else { &plain() };
    format!("{head}{open}{}{close}", piece.repeat(n_bytes / piece.len())).into_bytes()
}

/// A circuit of sections that grow together: entries of each by a number.
fn sections(n_bytes: usize, parts: &[(&str, &dyn Fn(usize) -> String)]) -> Vec<u8> {
    let mut texts: Vec<String> = parts.iter().map(|(head, _)| (*head).to_owned()).collect();
    let (mut n_made, mut at) = (HEAD.len(), 0);
    while n_made < n_bytes {
        for (text, (_, entry)) in texts.iter_mut().zip(parts) {
            let entry = entry(at);
            n_made += entry.len();
            text.push_str(&entry);
        }
        at += 1;
    }
    format!("{HEAD}{}", texts.concat()).into_bytes()
}

const TOPICS: &str = "topics:\n  rows: { schema: Row, carries: full, key: id, edge: in }\n  \
                      out: { schema: Row, carries: delta, key: id, edge: out }\n";
const FLOW: &str = "flow:\n  node: { from: rows, to: out }\n";

fn many_topics(n: usize) -> Vec<u8> {
    let topic = |at| format!("  part_{at}: {{ schema: Row, carries: full, key: id, edge: in }}\n");
    sections(n, &[(TOPICS, &topic), (FLOW, &|_| String::new())])
}

fn many_schemas(n: usize) -> Vec<u8> {
    let schema = |at| format!("  Part{at}: {{ id: int64, name: string, at: timestamp }}\n");
    repeated(n, HEAD, schema)
}

/// A node of about two hundred bytes, so that ten megabytes are about the limit.
fn step_of(from: &str, at: usize) -> String {
    format!(
        "  part_{at}:\n    from: {from}\n    do:\n      - where: x > {at} and id != 3 and x < 1000000.5\n      \
         - with:\n          x: x * 2.5 + {at} - 17.25 / 3.5\n      \
         - where: x > 17.5 or id in [1, 2, 3, 5, 7, 11, 13, 17]\n"
    )
}

fn many_nodes(n: usize) -> Vec<u8> {
    sections(n, &[(TOPICS, &|_| String::new()), (FLOW, &|at| step_of("rows", at))])
}

fn chain(n: usize) -> Vec<u8> {
    let node = |at: usize| match at.checked_sub(1) {
        None => step_of("rows", at),
        Some(before) => step_of(&format!("part_{before}"), at),
    };
    sections(n, &[(TOPICS, &|_| String::new()), (FLOW, &node)])
}

fn tiny_nodes(n: usize) -> Vec<u8> {
    let node = |at| format!("  n{at}: {{ from: rows }}\n");
    sections(n.max(2 << 20), &[(TOPICS, &|_| String::new()), (FLOW, &node)])
}

fn deep_flow(n: usize) -> Vec<u8> {
    let flow = "flow:\n  node:\n    from: rows\n    to: out\n    do:\n";
    let step = |at| format!("      - where: x > {at} and id != 3 and x < 1000000.5\n");
    sections(n, &[(TOPICS, &|_| String::new()), (flow, &step)])
}

fn joins(n: usize) -> Vec<u8> {
    let node = |at| {
        format!(
            "  part_{at}:\n    from: rows\n    do:\n      - where: x > {at}\n      - join: rows\n        \
             match: {{ id: id }}\n        as: other\n      - group: [id]\n        \
             agg: {{ x: sum(other.x), n: count() }}\n"
        )
    };
    sections(n, &[(TOPICS, &|_| String::new()), (FLOW, &node)])
}

fn calls(n: usize) -> Vec<u8> {
    let operators = "operators:\n";
    let operator = |at| {
        format!(
            "  op_{at}:\n    contract: {{ job: Row, result: Row }}\n    via: {{ far: {{ http: {{ url: \
             \"http://127.0.0.1:7443/{at}\" }} }} }}\n    limits: {{ parallel: 1 }}\n"
        )
    };
    let node = |at| {
        format!(
            "  part_{at}:\n    from: rows\n    do:\n      - call: op_{at}\n        \
             job: {{ id: =id, x: =x }}\n        keep: [id]\n"
        )
    };
    sections(n, &[(TOPICS, &|_| String::new()), (operators, &operator), (FLOW, &node)])
}

fn routes(n: usize) -> Vec<u8> {
    let topic = |at| format!("  part_{at}: {{ schema: Row, carries: delta, edge: out }}\n");
    let route = |at| format!("  - rows -> part_{at} when x > {at}\n");
    sections(n, &[(TOPICS, &topic), (FLOW, &|_| String::new()), ("routes:\n", &route)])
}

fn roles(n: usize) -> Vec<u8> {
    let role = |at| format!("  role_{at}: {{ publish: [rows], subscribe: [out, node.errors] }}\n");
    sections(n, &[(TOPICS, &|_| String::new()), (FLOW, &|_| String::new()), ("access:\n", &role)])
}

fn grants(n: usize, name: impl Fn(usize) -> String) -> Vec<u8> {
    let mut text = format!("{HEAD}{TOPICS}{FLOW}access:\n  all:\n    subscribe: [").into_bytes();
    for at in 0.. {
        text.extend_from_slice(name(at).as_bytes());
        if n <= text.len() {
            break;
        }
    }
    text.extend_from_slice(b"out]\n");
    text
}

fn topics_on_one_line(n: usize) -> Vec<u8> {
    let topic = |at| format!("part_{at}: {{ schema: Row, carries: full, key: id, edge: in }}, ");
    let rows = "topics: { rows: { schema: Row, edge: in }, out: { schema: Row, edge: out }";
    let mut text = String::from_utf8(repeated(n, &format!("{HEAD}{rows}, "), topic)).unwrap();
    text.truncate(text.len() - 2);
    text.push_str(" }\n");
    text.push_str(FLOW);
    text.into_bytes()
}

fn misspelt_on_one_line(n: usize) -> Vec<u8> {
    let node = |at| format!("part_{at}: {{ from: rwos }}, ");
    let head = format!("{HEAD}{TOPICS}flow: {{ node: {{ from: rows, to: out }}, ");
    let mut text = String::from_utf8(repeated(n, &head, node)).unwrap();
    text.truncate(text.len() - 2);
    text.push_str(" }\n");
    text.into_bytes()
}

fn test_rows(n: usize) -> Vec<u8> {
    let tests = "tests:\n  many:\n    - send:\n        rows:\n";
    let row = |at| format!("          - {{ id: {at}, x: {at}.25 }}\n");
    sections(n, &[(TOPICS, &|_| String::new()), (FLOW, &|_| String::new()), (tests, &row)])
}

fn functions(n: usize) -> Vec<u8> {
    let function = |at| format!("  part_{at}(a, b): a * {at} + b * (a - b) + 17.25\n");
    let flow =
        "flow:\n  node:\n    from: rows\n    do:\n      - where: part_0(x, x) > 0.0\n    to: out\n";
    let empty = |_| String::new();
    sections(n, &[("functions:\n", &function), (TOPICS, &empty), (flow, &empty)])
}

fn parameters(n: usize) -> Vec<u8> {
    let parameter = |at| format!("  part_{at}: {at}\n");
    let empty = |_| String::new();
    sections(n, &[("params:\n", &parameter), (TOPICS, &empty), (FLOW, &empty)])
}

fn parameters_and_functions(n: usize) -> Vec<u8> {
    let parameter = |at| format!("  part_{at}: {at}\n");
    let function = |at| format!("  of_{at}(a): a + part_{at}\n");
    let empty = |_| String::new();
    let parts: [(&str, &dyn Fn(usize) -> String); 4] =
        [("params:\n", &parameter), ("functions:\n", &function), (TOPICS, &empty), (FLOW, &empty)];
    sections(n, &parts)
}

fn topics_twice(n: usize) -> Vec<u8> {
    let topic = |at| format!("  part_{at}: {{ schema: Row, edge: in }}\n");
    let mut text = String::from_utf8(sections(n / 2, &[(TOPICS, &topic)])).unwrap();
    let again: String = text[text.find("  part_0").unwrap()..].to_owned();
    text.push_str(&again);
    text.push_str(FLOW);
    text.into_bytes()
}

fn union(n: usize) -> Vec<u8> {
    let topic =
        |at| format!("  a_topic_with_a_rather_long_name_{at}: {{ schema: Row, edge: in }}\n");
    let source = |at| format!("      - a_topic_with_a_rather_long_name_{at}\n");
    let flow = "flow:\n  node: { from: rows, to: out }\n  all:\n    from:\n";
    sections(n, &[(TOPICS, &topic), (flow, &source)])
}

fn labels(n: usize) -> Vec<u8> {
    let head = "arqon: 1\ncircuit: a\nschemas:\n  X: { x: enum<first";
    let mut text = String::from_utf8(repeated(n, head, |at| format!("|label_{at}"))).unwrap();
    text.push_str("> }\n");
    text.into_bytes()
}

fn expression(n: usize, piece: &str) -> Vec<u8> {
    let flow = "flow:\n  node:\n    from: rows\n    do:\n      - where: ";
    format!("{HEAD}{TOPICS}{flow}{}true\n    to: out\n", piece.repeat(n / piece.len())).into_bytes()
}

fn long_expressions(n: usize) -> Vec<u8> {
    let condition = vec!["id > 1 or x < 2.5"; 100].join(" and ");
    let step = |_| format!("      - where: {condition}\n");
    let flow = "flow:\n  node:\n    from: rows\n    to: out\n    do:\n";
    sections(n, &[(TOPICS, &|_| String::new()), (flow, &step)])
}

fn misspelt_topics(n: usize) -> Vec<u8> {
    let topic =
        |at| format!("  measured_{at}: {{ schema: Row, carries: full, key: id, edge: in }}\n");
    let node = |at| format!("  part_{at}: {{ from: mesured_{at} }}\n");
    sections(n, &[(TOPICS, &topic), (FLOW, &node)])
}

fn misspelt_fields(n: usize) -> Vec<u8> {
    let fields: Vec<String> = (0..900).map(|at| format!("    measured_{at}: int64\n")).collect();
    let fields = fields.concat();
    let schemas =
        format!("  Wide:\n{fields}topics:\n  wide: {{ schema: Wide, edge: in }}\nflow:\n");
    let node = |at| {
        format!(
            "  part_{at}:\n    from: wide\n    do:\n      - where: mesured_{} > 1 and \
             {}measured_1 < 1\n",
            at % 900,
            "measured_2 > 1 and ".repeat(10)
        )
    };
    sections(n, &[(&schemas, &node)])
}

#[expect(clippy::disallowed_methods, reason = "the long run chooses the size from outside")]
fn megabytes() -> Option<usize> {
    std::env::var("ARQON_CASES").ok()?.parse().ok()
}

/// One answer of `arqon check`.
struct Answer {
    code: i32,
    stderr: String,
    /// Of the processor, so that other work on the machine has no say.
    time: Duration,
    peak_mib: u64,
}

/// Checks `large.yaml`; the shell says what it took of the processor, and the kernel what it had
/// of memory at most.
fn check(scene: &Scene) -> Answer {
    let script = format!(
        "ulimit -v {MEMORY_KIB_MAX}; \"$@\" & child=$!; peak=0; \
         while [ -e /proc/$child/exe ]; do while read -r key kib _; do \
         [ \"$key\" = VmHWM: ] && peak=$kib; done < /proc/$child/status; sleep 0.05; done \
         2>/dev/null; wait $child; code=$?; echo \"peak $peak\" >&2; times >&2; exit $code"
    );
    let output = Command::new("bash")
        .args(["-c", &script, "bounded", env!("CARGO_BIN_EXE_arqon"), "check", "large.yaml"])
        .args(["--allow", "unbounded"])
        .current_dir(scene.path("."))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let (said, figures) = stderr.rsplit_once("peak ").expect("the script says what it took");
    let (kib, times) = figures.split_once('\n').expect("more lines");
    let times = times.lines().last().expect("of the shell, and of its children");
    let seconds = times.split_whitespace().map(|time| {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').expect("0m1.234s");
        60.0 * minutes.parse::<f64>().expect("minutes") + seconds.parse::<f64>().expect("seconds")
    });
    Answer {
        code: output.status.code().unwrap_or(-1),
        time: Duration::from_secs_f64(seconds.sum()),
        peak_mib: kib.parse::<u64>().expect("KiB") / 1024,
        stderr: said.to_owned(),
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the long run shows its figures")]
fn ten_megabytes_of_any_shape_are_answered_in_time() {
    let long = megabytes();
    // The long run also asks for the largest circuits that are not refused for their size.
    let sizes = match long {
        Some(megabytes) => vec![megabytes << 20, SECTIONS_BYTES_MAX - (1 << 12)],
        None => vec![1 << 17],
    };
    let time_max = if cfg!(debug_assertions) { DEVELOPMENT_TIME_MAX } else { TIME_MAX };
    println!("| shape | KiB | answer | s | peak MiB |\n| --- | --- | --- | --- | --- |");
    let mut faults = String::new();
    let scene = Scene::new();
    let shapes = SHAPES.iter().flat_map(|shape| sizes.iter().map(move |size| (shape, *size)));
    for ((name, wanted, make), n_bytes) in shapes {
        let bytes = make(n_bytes);
        std::fs::write(scene.path("large.yaml"), &bytes).unwrap();
        let answer = check(&scene);
        let kilobytes = bytes.len() >> 10;
        let code = answer.stderr.split("error[").nth(1).and_then(|rest| rest.get(..5));
        let said = code.unwrap_or(if answer.code == 0 { "ok" } else { "nothing" });
        let seconds = answer.time.as_secs_f64();
        println!("| {name} | {kilobytes} | {said} | {seconds:.2} | {} |", answer.peak_mib);
        let head: String = answer.stderr.chars().take(300).collect();
        let mut fault = |what: &str| {
            let _ = writeln!(faults, "{name}: {what}: {head}");
        };
        if said != *wanted && !(long.is_some() && said == "E0007") {
            fault(&format!("answers `{said}`, not `{wanted}`"));
        }
        if answer.code != i32::from(said != "ok") {
            fault(&format!("ends with {}", answer.code));
        }
        if time_max < answer.time {
            fault(&format!("takes {seconds:.2} s"));
        }
        if ANSWER_BYTES_MAX < answer.stderr.len() {
            fault(&format!("answers with {} bytes", answer.stderr.len()));
        }
    }
    assert!(faults.is_empty(), "{faults}");
}
