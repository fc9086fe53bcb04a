//! Texts made to hurt: each is read or refused by a named limit, on a small stack, in bounded time.
//!
//! The time bounds are wide, because tests run unoptimised and on busy machines: they catch what
//! is quadratic or endless, not what is slow. `time_of_large_circuits` prints the real figures.

use std::fmt::Write as _;
use std::time::Duration;
use std::time::Instant;

use arqon_grammar::Diagnostic;
use arqon_grammar::Main;
use arqon_grammar::NoFiles;
use arqon_grammar::ParseOptions;
use arqon_grammar::ast;
use arqon_grammar::decode;
use arqon_grammar::expr::ExprKind;
use arqon_grammar::parse_circuit;
use arqon_grammar::parse_expression;
use arqon_grammar::read_circuit;

/// Stack of the thread that reads; the smallest that a worker of ours has.
const STACK_BYTES: usize = 512 * 1024;

/// What takes longer is done again: machines that tests run on may stand still for a minute.
const PATIENCE: Duration = Duration::from_secs(8);

/// Runs `read` on a small stack and gives its result and its time.
fn on_small_stack<T: Send>(read: impl Fn() -> T + Send + Sync) -> (T, Duration) {
    let (result, time) = once_on_small_stack(&read);
    let time = if time < PATIENCE { time } else { time.min(once_on_small_stack(&read).1) };
    (result, time)
}

#[expect(clippy::disallowed_methods, reason = "the test measures real time")]
fn once_on_small_stack<T: Send>(read: impl FnOnce() -> T + Send) -> (T, Duration) {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || {
                let start = Instant::now();
                let result = read();
                (result, start.elapsed())
            })
            .expect("a thread with a small stack starts")
            .join()
            .expect("reading neither panics nor overflows")
    })
}

/// The distinct codes of a text, in order of their places.
fn codes(text: &str) -> Vec<&'static str> {
    let ((_, diagnostics), time) = on_small_stack(|| parse_circuit(text, &ParseOptions::default()));
    assert!(time < Duration::from_secs(20), "{} bytes took {time:?}", text.len());
    assert_spans_fit(text, &diagnostics);
    let mut codes: Vec<&str> = diagnostics.iter().map(|found| found.code.id()).collect();
    codes.dedup();
    codes
}

/// The code of an expression's first fault.
fn expression_code(text: &str) -> Option<&'static str> {
    let ((_, diagnostics), time) = on_small_stack(|| parse_expression(text));
    assert!(time < Duration::from_secs(10), "{} bytes took {time:?}", text.len());
    assert_spans_fit(text, &diagnostics);
    diagnostics.first().map(|found| found.code.id())
}

fn assert_spans_fit(text: &str, diagnostics: &[Diagnostic]) {
    for found in diagnostics {
        let secondary = found.secondary.iter().map(|label| label.span);
        let fix = found.fix.iter().map(|fix| fix.span);
        for span in std::iter::once(found.primary.span).chain(secondary).chain(fix) {
            let range = span.start as usize..span.end as usize;
            assert!(text.get(range).is_some(), "{found:?} lies outside the text");
        }
    }
}

#[test]
fn h01_aliases_are_refused_and_not_expanded() {
    let mut text =
        "arqon: 1\na0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    let found = codes(&text);
    assert!(found.contains(&"E0004"), "{found:?}");
    let (_, diagnostics) = parse_circuit(&text, &ParseOptions::default());
    // Ten anchors and ninety aliases are reported; the keys are unknown as well.
    assert_eq!(diagnostics.iter().filter(|found| found.code.id() == "E0004").count(), 100);
}

#[test]
fn h02_deep_nesting_is_refused() {
    assert_eq!(codes(&"[".repeat(100_000)), ["E0008"]);
    assert_eq!(codes(&"{a: ".repeat(100_000)), ["E0008"]);
    assert_eq!(codes(&format!("{}x", "- ".repeat(50_000))), ["E0008"]);
    let mut text = String::new();
    for depth in 0..2_000 {
        writeln!(text, "{}a:", " ".repeat(depth)).unwrap();
    }
    assert_eq!(codes(&text), ["E0008"]);
    assert_eq!(codes(&"? ".repeat(20_000)), ["E0008"]);
    // The deepest that is allowed is read: 64 with the map around it.
    let nested = format!("params: {{ a: {}1{} }}\n", "[".repeat(62), "]".repeat(62));
    assert!(!codes(&nested).contains(&"E0008"));
    let nested = format!("params: {{ a: {}1{} }}\n", "[".repeat(63), "]".repeat(63));
    assert_eq!(codes(&nested), ["E0008"]);
}

/// A circuit with `n_nodes` nodes, each of three steps.
fn large_circuit(n_nodes: usize) -> String {
    let mut text =
        "arqon: 1\ncircuit: large\nschemas:\n  Row: { id: int64, x: float64 }\ntopics:\n  \
        t0: { schema: Row, edge: in }\nflow:\n"
            .to_owned();
    for node in 0..n_nodes {
        let _ = write!(
            text,
            "  n{node}:\n    from: t0\n    do:\n      - where: x > {node} and id != 3\n      \
             - with: {{ y: x * 2.5 + {node} }}\n      - select: [id, y]\n"
        );
    }
    text
}

#[test]
fn h03_large_files_are_read_or_refused() {
    let mut text = large_circuit(10_000);
    while text.len() < 10_000_000 {
        text.push_str("# a long comment, as generated files have them\n");
    }
    let ((circuit, diagnostics), time) =
        on_small_stack(|| parse_circuit(&text, &ParseOptions::default()));
    assert!(diagnostics.is_empty(), "{:?}", diagnostics.first());
    assert_eq!(circuit.unwrap().flow.len(), 10_000);
    assert!(time < Duration::from_secs(60), "{time:?}");
    assert_eq!(codes(&"#".repeat(16 * 1024 * 1024 + 1)), ["E0007"]);
    assert_eq!(codes(&format!("a: [{}]", "1,".repeat(2_000_001))), ["E0007"]);
    let nodes: Vec<String> = (0..=50_000).map(|idx| format!("  n{idx}: {{ from: t }}")).collect();
    let flow = format!("arqon: 1\ncircuit: large\nflow:\n{}\n", nodes.join("\n"));
    assert_eq!(codes(&flow), ["E0007"]);
}

#[test]
fn h04_words_of_old_yaml_stay_text() {
    let text =
        "arqon: 1\ncircuit: shop\nparams: { a: no, b: 10, c: 1_000, d: .inf, e: 1:30, f: ~ }\n";
    let (circuit, diagnostics) = parse_circuit(text, &ParseOptions::default());
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let values: Vec<String> =
        circuit.unwrap().params.iter().map(|param| param.value.node.to_string()).collect();
    assert_eq!(values, ["\"no\"", "10", "1000", "\".inf\"", "\"1:30\"", "\"~\""]);
    // What YAML 1.1 takes for 8 is neither 8 nor 10.
    let text = "arqon: 01\ncircuit: shop\nparams: { a: 0, b: 010, c: 0.5 }\ntopics:\n  \
                t: { queue: { max: 0100, full: block } }\nflow:\n  n:\n    from: t\n    do:\n      \
                - where: x > 007 and x < 00\n";
    let (_, diagnostics) = parse_circuit(text, &ParseOptions::default());
    let fixes = diagnostics.iter().filter_map(|found| found.fix.as_ref());
    let fixes: Vec<&str> = fixes.map(|fix| fix.replacement.as_str()).collect();
    assert_eq!(fixes, ["1", "10", "100", "7", "0"], "{diagnostics:?}");
    let many: String = (0..5_000).map(|_| "a: 1\n").collect();
    let (_, diagnostics) = parse_circuit(&many, &ParseOptions::default());
    assert_eq!(diagnostics.len(), 1_000);
    assert!(diagnostics.iter().any(|found| {
        found.notes.iter().any(|note| note.ends_with("more diagnostics are not shown"))
    }));
}

#[test]
fn h05_characters_that_mislead_are_refused() {
    let head = "arqon: 1\ncircuit: shop\n";
    for character in ['\0', '\u{1}', '\u{7f}', '\u{85}', '\u{202e}', '\u{2066}'] {
        assert_eq!(codes(&format!("{head}description: a{character}b\n")), ["E0002"]);
    }
    assert_eq!(codes(&format!("{head}description: a\rb\n")), ["E0002"]);
    let (_, diagnostics) = parse_circuit("arqon: 1\n# µ\u{202e}x\n", &ParseOptions::default());
    assert!(diagnostics[0].brief("arqon: 1\n# µ\u{202e}x\n").starts_with("2:4-5 "));
    // Line ends of Windows, and a byte order mark, move no place.
    let text = "\u{feff}arqon: 1\r\ncircuit: shop\r\nflow:\r\n  a:\r\n    from: t\r\n    do:\r\n      \
                - where: |\r\n          µ > 1 &&\r\n          b\r\n";
    let (_, diagnostics) = parse_circuit(text, &ParseOptions::default());
    let found: Vec<String> = diagnostics.iter().map(|found| found.brief(text)).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("8:11-12 error[E0101]: `µ` has no meaning"), "{found:?}");
    assert!(found[1].starts_with("8:17-19 error[E0104]"), "{found:?}");
    assert_eq!(codes(&format!("{head}flow:\n\ta: b\n")), ["E0001"]);
    // Names that look like others.
    assert_eq!(codes(&format!("{head}flow:\n  \u{430}: {{ from: t }}\n")), ["E0016"]);
    assert_eq!(codes(&format!("{head}description: \"\\uD800\"\n")), ["E0001"]);
}

#[test]
fn h05_characters_that_do_not_show_are_shown() {
    let head = "arqon: 1\ncircuit: shop\nflow:\n";
    // What looks like a blank, or like nothing, where lines are indented.
    for character in ['\u{a0}', '\u{200b}', '\u{3000}', '\u{2028}', '\u{feff}'] {
        assert_eq!(codes(&format!("{head} {character}a: {{ from: t }}\n")), ["E0002"]);
        let text = format!("{head}  a{character}b: {{ from: t }}\n");
        let (_, diagnostics) = parse_circuit(&text, &ParseOptions::default());
        let shown = format!("`a{}b` cannot name a node", character.escape_unicode());
        assert_eq!(diagnostics[0].message, shown);
        let text = format!("x >{character} 1");
        let (_, diagnostics) = parse_expression(&text);
        let shown = format!("`{}` is no plain space", character.escape_unicode());
        assert!(diagnostics[0].message == shown && diagnostics[0].fix.is_some(), "{diagnostics:?}");
        // In a text they are data.
        assert_eq!(expression_code(&format!("x == \"{character}\"")), None);
    }
    for character in ['\u{fffe}', '\u{ffff}'] {
        assert_eq!(codes(&format!("{head}  a: {{ from: \"{character}\" }}\n")), ["E0002"]);
    }
    // A message is one line of bounded length, whatever it quotes.
    let text = format!("{head}  ? |\n    a\n    {}\n  : {{ from: t }}\n", "b".repeat(50_000));
    let (_, diagnostics) = parse_circuit(&text, &ParseOptions::default());
    let message = &diagnostics[0].message;
    assert!(message.len() < 1_000 && !message.contains('\n'), "{message}");
    for escape in ["\\q", "\\uD800", "\\UFFFFFFFF", "\\x9"] {
        let text = format!("arqon: 1\ncircuit: \"a{escape} b\"\n");
        let (_, diagnostics) = parse_circuit(&text, &ParseOptions::default());
        let place = diagnostics[0].primary.span.slice(&text);
        assert_eq!((diagnostics[0].code.id(), place), ("E0001", escape));
    }
}

#[test]
fn h05_files_that_are_not_utf8_are_refused() {
    let first = |bytes: &[u8]| {
        let (text, diagnostics) = decode(bytes);
        assert_spans_fit(&text, &diagnostics);
        diagnostics.first().map(|found| found.message.clone())
    };
    let utf16: Vec<u8> = "arqon: 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(first(&utf16).as_deref(), Some("the file is in UTF-16, little-endian"));
    let utf16: Vec<u8> = "\u{feff}arqon".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(first(&utf16).as_deref(), Some("the file is in UTF-16, big-endian"));
    assert_eq!(first(b"a: \xff\n").as_deref(), Some("the byte 0xff is not part of UTF-8 text"));
    assert_eq!(
        first(b"a: \xed\xa0\x80").as_deref(),
        Some("the byte 0xed is not part of UTF-8 text")
    );
    assert_eq!(first("a: µ".as_bytes()), None);
}

#[test]
fn h06_expression_bombs_are_refused_or_read() {
    for n_levels in [200, 10_000, 30_000] {
        let nested = format!("{}x{}", "(".repeat(n_levels), ")".repeat(n_levels));
        assert_eq!(expression_code(&nested), Some("E0103"));
        assert_eq!(expression_code(&"[".repeat(n_levels)), Some("E0103"));
        assert_eq!(expression_code(&"f(".repeat(n_levels)), Some("E0103"));
        assert_eq!(expression_code(&format!("{}x", "-".repeat(n_levels))), Some("E0103"));
        assert_eq!(
            expression_code(&format!("x{}", "//x".repeat(n_levels / 2))),
            Some("E0103").filter(|_| 256 < n_levels)
        );
        assert_eq!(expression_code(&format!("x{}", ".x".repeat(n_levels))), Some("E0103"));
        assert_eq!(
            expression_code(&format!("x{}", "[0]".repeat(n_levels / 2))),
            Some("E0103").filter(|_| 256 < n_levels)
        );
    }
    assert_eq!(expression_code(&format!("{}x", "if x then x else ".repeat(3_000))), Some("E0103"));
    assert_eq!(expression_code(&format!("f({}1)", "x -> ".repeat(10_000))), Some("E0103"));
    assert_eq!(expression_code(&format!("{}x", "x and ".repeat(10_000))), None);
    assert_eq!(expression_code(&format!("\"{}\"", "a".repeat(1_000_000))), Some("E0102"));
    assert_eq!(expression_code(&format!("\"{}\"", "a".repeat(60_000))), None);
    assert_eq!(expression_code(&"9".repeat(60_000)), Some("E0115"));
    assert_eq!(expression_code(&format!("[{}x]", "x, ".repeat(20_000))), None);
    // A chain of comparisons is one fault.
    let (_, diagnostics) = parse_expression(&vec!["x"; 100].join(" < "));
    let found: Vec<&str> = diagnostics.iter().map(|found| found.code.id()).collect();
    assert_eq!(found, ["E0114"]);
}

#[test]
fn h06_the_deepest_expression_allowed_is_walked_on_a_small_stack() {
    let nested = format!("{}x{}", "(".repeat(127), ")".repeat(127));
    let ((expr, diagnostics), _) = on_small_stack(|| parse_expression(&nested));
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    assert!(matches!(expr.kind, ExprKind::Name(_)));
    let nested = format!("{}x{}", "f([".repeat(60), "])".repeat(60));
    let (text, _) = on_small_stack(|| {
        let (expr, diagnostics) = parse_expression(&nested);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        expr.to_string()
    });
    assert_eq!(text, nested);
}

#[test]
fn h08_imports_stay_in_their_root() {
    // More of it, with files, stands in tests/imports.rs and in the command's tests.
    let paths = "../../../etc/passwd, ../a.yaml, /etc/a.yaml, x/../../a.yaml, \"a.yaml\\0\"";
    let text = format!("arqon: 1\ncircuit: shop\nimport: [{paths}]\n");
    let reading =
        read_circuit(Main::alone("a.yaml", &text), &mut NoFiles, &ParseOptions::default());
    let found: Vec<&str> = reading.diagnostics.iter().map(|found| found.code.id()).collect();
    assert_eq!(found, ["E0031", "E0032", "E0031", "E0032", "E0031"]);
    // Files beyond the limit are not looked for, and that is said once.
    let paths: Vec<String> = (0..5_000).map(|file| format!("f{file}.yaml")).collect();
    let text = format!("arqon: 1\ncircuit: shop\nimport: [{}]\n", paths.join(", "));
    let reading =
        read_circuit(Main::alone("a.yaml", &text), &mut NoFiles, &ParseOptions::default());
    let count = |code| reading.diagnostics.iter().filter(|found| found.code.id() == code).count();
    assert_eq!((count("E0030"), count("E0034"), reading.diagnostics.len()), (256, 1, 257));
}

#[test]
fn h09_types_have_limits() {
    let head = "arqon: 1\ncircuit: shop\nschemas:\n";
    let nested = format!("{}int64{}", "list<".repeat(20_000), ">".repeat(20_000));
    assert_eq!(codes(&format!("{head}  A: {{ a: {nested} }}\n")), ["E0022"]);
    let structs = format!("{}int64{}", "{ a: ".repeat(40), " }".repeat(40));
    assert_eq!(codes(&format!("{head}  A: {structs}\n")), ["E0022"]);
    let mut fields = String::new();
    for field in 0..1_001 {
        writeln!(fields, "    f{field}: int64").unwrap();
    }
    assert_eq!(codes(&format!("{head}  A:\n{fields}")), ["E0022"]);
    let tensor =
        |n_dims: usize| format!("{head}  A: {{ a: tensor<{}f32> }}\n", "9x".repeat(n_dims));
    assert!(codes(&tensor(32)).is_empty());
    assert_eq!(codes(&tensor(33)), ["E0022"]);
    assert_eq!(codes(&tensor(50_000)), ["E0022"]);
    let variants: Vec<String> = (0..3_000).map(|variant| format!("v{variant}")).collect();
    assert!(codes(&format!("{head}  A: {{ a: enum<{}> }}\n", variants.join("|"))).is_empty());
}

#[test]
fn time_of_large_circuits() {
    let text = large_circuit(10_000);
    let ((circuit, diagnostics), time) =
        on_small_stack(|| parse_circuit(&text, &ParseOptions::default()));
    assert!(diagnostics.is_empty());
    let flow: Vec<ast::Node> = circuit.unwrap().flow;
    assert_eq!(flow.len(), 10_000);
    assert!(time < Duration::from_secs(20), "{time:?}");
    let line = format!("10000 nodes of three steps, {} bytes: {time:?}\n", text.len());
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
}
