//! Hostile circuits, artifacts and inputs, through the built command.
//!
//! Whatever a file holds, the command ends by itself within its bounds, says what is wrong and
//! where, and ends with a code of its list; it neither panics nor is killed.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

mod support;

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use support::{Ran, Scene};

/// Longest time of one command in the development build, on a machine with other work.
const SECONDS_MAX: &str = "60";
/// Address space of one command.
const MEMORY_KIB_MAX: u64 = 1 << 20;
/// Stack of the main thread; the development build's frames are twice those of the release build.
const STACK_KIB_MAX: u64 = 1 << 10;

/// Runs the command with little stack, bounded memory and bounded time.
fn bounded(scene: &Scene, arguments: &[&str]) -> Ran {
    let script =
        format!("ulimit -s {STACK_KIB_MAX} -v {MEMORY_KIB_MAX}; exec timeout {SECONDS_MAX} \"$@\"");
    let output = Command::new("bash")
        .args(["-c", &script, "bounded", env!("CARGO_BIN_EXE_arqon")])
        .args(arguments)
        .current_dir(scene.path("."))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let code = output.status.code();
    let code = code.unwrap_or_else(|| panic!("{arguments:?} was killed: {stderr}"));
    assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
    Ran { code, stdout: String::from_utf8(output.stdout).unwrap(), stderr }
}

/// Checks and compiles a circuit; both must refuse it with `code`, somewhere in the file.
fn refused(text: &[u8], code: &str) {
    let scene = Scene::new();
    std::fs::write(scene.path("hostile.yaml"), text).unwrap();
    for verb in ["check", "compile", "run"] {
        let ran = bounded(&scene, &[verb, "hostile.yaml"]);
        let head: String = ran.stderr.chars().take(400).collect();
        assert_eq!(ran.code, 1, "{verb}: {head}");
        assert!(ran.stderr.contains(&format!("error[{code}]")), "{verb} {code}: {head}");
        assert!(ran.stderr.contains("--> hostile.yaml:"), "{verb} {code}: {head}");
        assert_eq!(ran.stdout, "");
    }
}

/// Checks a circuit that is large, or odd, and right.
fn accepted(text: &str) {
    let scene = Scene::new();
    scene.write("odd.yaml", text);
    let ran = bounded(&scene, &["check", "odd.yaml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

/// A circuit with `flow` in its place.
fn circuit(fields: &str, flow: &str) -> String {
    format!(
        "arqon: 1\ncircuit: odd\nschemas:\n  Row: {{ {fields} }}\ntopics:\n  \
         rows: {{ schema: Row, carries: full, key: id, edge: in }}\n  \
         out: {{ schema: Row, carries: delta, key: id, edge: out }}\n\
         access: {{ all: {{ publish: [rows], subscribe: [out] }} }}\nflow:\n{flow}"
    )
}

/// A circuit whose one condition is `expression`.
fn condition(expression: &str) -> String {
    let expression = expression.replace('\'', "''");
    let flow =
        format!("  node:\n    from: rows\n    do:\n      - where: '{expression}'\n    to: out\n");
    circuit("id: int64, text: string", &flow)
}

fn plain() -> String {
    circuit("id: int64, text: string", "  node:\n    from: rows\n    to: out\n")
}

#[test]
fn aliases_do_not_multiply() {
    let mut text = "arqon: 1\ncircuit: laughs\nschemas:\n  l0: &l0 [lol, lol]\n".to_owned();
    for level in 1..=10 {
        let below = vec![format!("*l{}", level - 1); 10].join(", ");
        writeln!(text, "  l{level}: &l{level} [{below}]").unwrap();
    }
    refused(text.as_bytes(), "E0004");
}

#[test]
fn nesting_ends_at_its_limit() {
    refused(format!("arqon: 1\nflow: {}", "[".repeat(100_000)).as_bytes(), "E0008");
    refused(format!("arqon: 1\nflow: {}", "{a: ".repeat(100_000)).as_bytes(), "E0008");
    refused(format!("arqon: 1\nflow:\n  {}x\n", "- ".repeat(50_000)).as_bytes(), "E0008");
    let steps: Vec<String> = (1..2_000).map(|depth| format!("{:depth$}a:\n", "")).collect();
    refused(format!("arqon: 1\nflow:\n{}", steps.concat()).as_bytes(), "E0008");
}

#[test]
fn size_ends_at_its_limit() {
    let comment = |n_bytes: usize| format!("{}# {}\n", plain(), "x".repeat(n_bytes));
    accepted(&comment(10 << 20));
    refused(comment(17 << 20).as_bytes(), "E0007");
    refused(format!("arqon: 1\nflow: [{}x]\n", "x,".repeat(2_100_000)).as_bytes(), "E0007");
}

#[test]
fn a_chain_of_ten_thousand_nodes_is_a_circuit() {
    let mut flow = "  n0:\n    from: rows\n".to_owned();
    for node in 1..10_000 {
        let before = node - 1;
        writeln!(flow, "  n{node}:\n    from: n{before}\n    do:\n      - where: id > {node}")
            .unwrap();
    }
    accepted(&circuit("id: int64", &format!("{flow}    to: out\n")));
}

#[test]
fn what_yaml_would_guess_is_refused() {
    refused(format!("{}    to: out\n", plain()).as_bytes(), "E0009");
    refused(plain().replace("circuit: odd", "circuit: !!str odd").as_bytes(), "E0005");
    refused(plain().replace("circuit: odd", "? [a]\n: b\ncircuit: odd").as_bytes(), "E0010");
    refused(plain().replace("circuit: odd", "<<: {}\ncircuit: odd").as_bytes(), "E0004");
    refused(plain().replace("circuit: odd", "circuit: odd\nwat: no").as_bytes(), "E0011");
    // Fields that stand twice in great number are all one kind of fault.
    let twice: Vec<String> = (0..50_000).map(|at| format!("k{}: {at}\n", at % 7)).collect();
    refused(format!("arqon: 1\n{}", twice.concat()).as_bytes(), "E0009");
}

#[test]
fn odd_characters_are_refused_where_they_stand() {
    let plain = plain();
    accepted(&plain.replace('\n', "\r\n"));
    accepted(&format!("\u{feff}{plain}"));
    let utf16: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
    refused(&[b"\xFF\xFE".as_slice(), &utf16].concat(), "E0003");
    refused(plain.replace("odd", "o\0dd").as_bytes(), "E0002");
    refused(plain.replace("node:", "no\u{202e}de:").as_bytes(), "E0002");
    refused(plain.replace("    from", "\tfrom").as_bytes(), "E0001");
    let at = plain.find("odd").unwrap();
    let surrogate = [&plain.as_bytes()[..at], b"\xED\xA0\x80", &plain.as_bytes()[at..]].concat();
    refused(&surrogate, "E0003");
    refused(b"", "E0006");
    let noise: Vec<u8> = (0..5_000_u32)
        .map(|at| (at.wrapping_mul(at).wrapping_mul(7_919) >> 5).to_le_bytes()[0])
        .collect();
    refused(&noise, "E0003");
}

#[test]
fn expressions_end_at_their_limits() {
    let deep = |open: &str, close: &str, n: usize| {
        condition(&format!("{}id{} > 0", open.repeat(n), close.repeat(n)))
    };
    accepted(&condition(&vec!["id > 1"; 100].join(" and ")));
    refused(deep("(", ")", 10_000).as_bytes(), "E0103");
    refused(deep("abs(", ")", 5_000).as_bytes(), "E0103");
    refused(deep("-", "", 10_000).as_bytes(), "E0103");
    refused(condition(&format!("{}true", "not ".repeat(10_000))).as_bytes(), "E0103");
    refused(condition(&vec!["id"; 200].join(" + ")).as_bytes(), "E0103");
    refused(condition(&vec!["id > 1"; 10_001].join(" and ")).as_bytes(), "E0102");
    refused(condition(&format!("text == \"{}\"", "x".repeat(1 << 20))).as_bytes(), "E0102");
    refused(condition(&format!("id > {}", "9".repeat(10_000))).as_bytes(), "E0115");
    let mut functions = "functions:\n  f0(x): x\n".to_owned();
    for level in 1..40 {
        let below = level - 1;
        writeln!(functions, "  f{level}(x): f{below}(x) + f{below}(x)").unwrap();
    }
    let text = condition("f39(id) > 0").replace("flow:", &format!("{functions}flow:"));
    refused(text.as_bytes(), "E0217");
    // Nor does it help to be of no known type.
    refused(text.replace("from: rows", "from: rowz").as_bytes(), "E0217");
}

#[test]
fn a_thousand_faults_in_one_line_show_it_a_few_times() {
    let scene = Scene::new();
    for faults in ["id = 1 and ", "id < id < ", "nothing > 1 and ", "id == null or "] {
        scene.write("odd.yaml", &condition(&format!("{}true", faults.repeat(4_000))));
        let ran = bounded(&scene, &["check", "odd.yaml"]);
        let n_bytes = ran.stderr.len();
        assert!(ran.code == 1 && n_bytes < 2 << 20, "{faults}: code {}, {n_bytes}", ran.code);
    }
    let files: Vec<String> = (0..5_000).map(|file| format!("f{file}.yaml")).collect();
    let text = plain().replace("schemas:", &format!("import: [{}]\nschemas:", files.join(", ")));
    refused(text.as_bytes(), "E0034");
}

#[test]
fn types_end_at_their_limits() {
    let fields = |fields: &str| circuit(fields, "  node:\n    from: rows\n    to: out\n");
    let nested = format!("id: int64, x: {}int64{}", "list<".repeat(5_000), ">".repeat(5_000));
    refused(fields(&nested).as_bytes(), "E0022");
    let many: Vec<String> = (0..1_001).map(|at| format!(", f{at}: int64")).collect();
    refused(fields(&format!("id: int64{}", many.concat())).as_bytes(), "E0022");
    let circle =
        fields("id: int64, a: A").replace("topics:", "  A: { b: B }\n  B: { a: A }\ntopics:");
    refused(circle.as_bytes(), "E0215");
    let mut doubling = "  S0: { x: int64 }\n".to_owned();
    for level in 1..=30 {
        let below = level - 1;
        writeln!(doubling, "  S{level}: {{ a: S{below}, b: S{below} }}").unwrap();
    }
    let doubled = fields("id: int64, a: S30").replace("topics:", &format!("{doubling}topics:"));
    refused(doubled.as_bytes(), "E0217");
    let labels: Vec<String> = (0..20_000).map(|at| format!("a{at}")).collect();
    accepted(&fields(&format!("id: int64, e: enum<{}>", labels.join("|"))));
}

#[test]
fn other_files_are_not_read_by_a_circuit() {
    for (file, code) in [("../../etc/passwd", "E0031"), ("hostile.yaml", "E0033")] {
        let text = plain().replace("schemas:", &format!("import: [{file}]\nschemas:"));
        refused(text.as_bytes(), code);
    }
}

#[test]
fn damaged_artifacts_are_refused_with_a_reason() {
    let scene = Scene::new();
    assert_eq!(scene.arqon(&["compile", "shop.yaml", "-o", "shop.arqon"]).code, 0);
    let whole = std::fs::read(scene.path("shop.arqon")).unwrap();
    let run = |bytes: &[u8]| {
        std::fs::write(scene.path("damaged.arqon"), bytes).unwrap();
        let ran = bounded(&scene, &["run", "damaged.arqon", "--until-idle"]);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        ran.stderr
    };
    let positions = (8..64).step_by(5).chain((64..whole.len()).step_by(whole.len() / 12));
    for at in positions {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x11;
        let said = run(&bytes);
        assert!(said.starts_with("error: damaged.arqon: "), "byte {at}: {said}");
    }
    for n_bytes in (8..64).step_by(3).chain([whole.len() / 2, whole.len() - 1]) {
        let said = run(&whole[..n_bytes]);
        assert!(said.starts_with("error: damaged.arqon: "), "cut at {n_bytes}: {said}");
    }
    let longer = [whole.as_slice(), b"more"].concat();
    assert!(run(&longer).contains("bytes where the header announces"));
    // Without its first bytes it is taken for a circuit's text, which it is not.
    assert!(run(&whole[1..]).contains("error[E0003]"));
}

/// Runs orders through the shop: two good ones, and `bad` between them.
fn shop(name: &str, content: &[u8], more: &[&str]) -> (Scene, Ran) {
    let scene = Scene::new();
    scene.write("customers.csv", "id,region,name\n1,EU,\n");
    std::fs::write(scene.path(name), content).unwrap();
    let orders = format!("shop.orders={name}");
    let mut arguments = vec!["run", "shop.yaml", "-q", "--until-idle"];
    arguments.extend(["--input", "shop.customers=customers.csv", "--input", &orders]);
    arguments.extend(["--output", "shop.revenue=out.csv"]);
    arguments.extend(["--output", "shop.orders.errors=errors.ndjson"]);
    arguments.extend(more);
    let ran = bounded(&scene, &arguments);
    (scene, ran)
}

/// The bad line alone is lost: named with its place, counted, an error row, and code 1.
fn one_bad_line(name: &str, content: &[u8], line: u64, wanted: &str) {
    let (scene, ran) = shop(name, content, &[]);
    assert_eq!(ran.code, 1, "{wanted}: {}", ran.stderr);
    let place = format!("{name}:{line}");
    let faults: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(faults.len(), 1, "{wanted}: {}", ran.stderr);
    assert!(faults[0].starts_with(&format!("{place}: {wanted}")), "{wanted}: {}", ran.stderr);
    assert_eq!(scene.read("out.csv"), "region,revenue,orders\nEU,35.00,2\n", "{wanted}");
    let errors = scene.read("errors.ndjson");
    assert_eq!(errors.lines().count(), 1, "{wanted}: {errors}");
    let error: serde_json::Value = serde_json::from_str(&errors).unwrap();
    assert_eq!(error["$row"]["code"], "malformed", "{errors}");
    assert_eq!(error["$row"]["place"], serde_json::json!(place), "{errors}");
    let (_, tolerant) = shop(name, content, &["--keep-going"]);
    assert_eq!(tolerant.code, 0, "{wanted}: {}", tolerant.stderr);
}

#[test]
fn bad_csv_lines_are_lost_alone() {
    let long = format!("11,1,{},paid", "9".repeat(60));
    let cases: &[(&[u8], &str)] = &[
        (b"11,1,1", "has 3 cells, the header 4"),
        (b"11,1,1,paid,x", "has 5 cells, the header 4"),
        (b"x,1,1,paid", "id: expects int64, found \"x\""),
        (b"1.5,1,1,paid", "id: expects int64"),
        (b"99999999999999999999,1,1,paid", "id: does not fit"),
        (b"11,1,1.555,paid", "amount: does not fit"),
        (b"11,1,1e400,paid", "amount: does not fit"),
        (long.as_bytes(), "amount: does not fit"),
        (b"11,1,1,lost", "status: expects one of open, paid, void, found \"lost\""),
        (b"11,,1,paid", "customer: is empty"),
        (b"1\0,1,1,paid", "id: expects int64, found \"1\\0\""),
        (b"11,1,1,p\xFFid", "status: is not UTF-8"),
    ];
    for (bad, wanted) in cases {
        let head = b"id,customer,amount,status\n10,1,30.00,paid\n".as_slice();
        let content = [head, bad, b"\n20,1,5.00,paid\n"].concat();
        one_bad_line("orders.csv", &content, 3, wanted);
    }
}

#[test]
fn a_quote_that_is_not_closed_is_a_bad_line_where_it_begins() {
    let content = b"id,customer,amount,status\n10,1,30.00,paid\n11,1,1,\"paid\n20,1,5.00,paid\n";
    let (scene, ran) = shop("orders.csv", content, &[]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    // Said of the quote, not of what the cell is no status for.
    let wanted = "orders.csv:3: a quote is opened and never closed";
    assert!(ran.stderr.starts_with(wanted), "{}", ran.stderr);
    // What stands behind the quote belongs to the cell, so the last line is lost with it.
    assert_eq!(scene.read("out.csv"), "region,revenue,orders\nEU,30.00,1\n");
}

#[test]
fn bad_ndjson_lines_are_lost_alone() {
    let row = |fields: &str| format!("{{{fields},\"customer\":1,\"status\":\"paid\"}}");
    let deep = format!("\"id\":{}{},\"amount\":\"1\"", "[".repeat(100_000), "]".repeat(100_000));
    let mut not_utf8 = row("\"id\":11,\"amount\":\"1\"").into_bytes();
    not_utf8[8] = 0xFF;
    let cases: &[(Vec<u8>, &str)] = &[
        (b"{\"id\":11,".to_vec(), "is not JSON"),
        (b"[1,2]".to_vec(), "expects an object with the fields of Order"),
        (b"null".to_vec(), "expects an object with the fields of Order"),
        (row(&deep).into_bytes(), "id: expects int64, found sequence"),
        (row("\"id\":11,\"id\":12,\"amount\":\"1\"").into_bytes(), "id: stands twice"),
        (row("\"id\":11,\"amount\":\"1\",\"mood\":1").into_bytes(), "mood: is not a field"),
        (row("\"id\":11").into_bytes(), "amount: is missing"),
        (row("\"id\":null,\"amount\":\"1\"").into_bytes(), "id: expects int64, found null"),
        (row("\"id\":1.0,\"amount\":\"1\"").into_bytes(), "id: expects int64"),
        (row("\"id\":1e400,\"amount\":\"1\"").into_bytes(), "id: is not JSON: number out of range"),
        (row("\"id\":11,\"amount\":\"\\ud800\"").into_bytes(), "amount: "),
        (row("\"id\":11,\"amount\":\"1\0\"").into_bytes(), "amount: "),
        (not_utf8, "is not UTF-8"),
        (b"{\"$delete\":{\"mood\":1}}".to_vec(), "mood: is not a field of the key"),
        (
            b"{\"$diff\":-1,\"$row\":{\"id\":10,\"customer\":1,\"amount\":1,\"status\":\"paid\"}}"
                .to_vec(),
            "$diff: is signed",
        ),
    ];
    let good = |id, amount: &str| {
        format!("{{\"id\":{id},\"customer\":1,\"amount\":\"{amount}\",\"status\":\"paid\"}}\n")
    };
    for (bad, wanted) in cases {
        let (first, last) = (good(10, "30.00"), good(20, "5.00"));
        let content = [first.as_bytes(), bad, b"\n", last.as_bytes()].concat();
        one_bad_line("orders.ndjson", &content, 2, wanted);
    }
}

/// Runs lines through a topic of signed changes.
fn signed(lines: &str) -> (Scene, Ran) {
    let scene = Scene::new();
    scene.write("signed.yaml", include_str!("../../circuits/ok/signed.yaml"));
    let content = format!("{{\"k\":5,\"v\":1}}\n{lines}{{\"k\":6,\"v\":1}}\n");
    scene.write("pairs.ndjson", &content);
    let mut arguments = vec!["run", "signed.yaml", "-q", "--until-idle"];
    arguments.extend(["--input", "pairs=pairs.ndjson", "--output", "sums=out.csv"]);
    arguments.extend(["--output", "pairs.errors=errors.ndjson"]);
    let ran = bounded(&scene, &arguments);
    (scene, ran)
}

#[test]
fn bad_changes_of_a_delta_topic_change_nothing() {
    let cases = [
        ("{\"$delete\":{\"k\":5}}", "$delete: deletes a key, which only a full topic has"),
        ("{\"$diff\":0,\"$row\":{\"k\":1}}", "$diff: is 0 and changes nothing"),
        ("{\"$diff\":\"x\",\"$row\":{\"k\":1}}", "$diff: expects"),
        ("{\"$diff\":9223372036854775807,\"$row\":{\"k\":1}}", "$diff: "),
        ("{\"$diff\":-9223372036854775808,\"$row\":{\"k\":1}}", "$diff: "),
        ("{\"$diff\":1}", "$row: is missing"),
    ];
    for (bad, wanted) in cases {
        let (scene, ran) = signed(&format!("{bad}\n"));
        assert_eq!(ran.code, 1, "{bad}: {}", ran.stderr);
        let fault = format!("pairs.ndjson:2: {wanted}");
        assert!(ran.stderr.starts_with(&fault), "{bad}: {}", ran.stderr);
        assert_eq!(scene.read("out.csv"), "k,total,n\n5,1,1\n6,1,1\n", "{bad}");
        assert_eq!(scene.read("errors.ndjson").lines().count(), 1, "{bad}");
    }
}

#[test]
fn what_is_not_there_cannot_be_retracted_nor_be_there_too_often() {
    let often = "{\"$diff\":2147483647,\"$row\":{\"k\":1}}\n".repeat(3);
    for (lines, n_errors) in [("{\"$diff\":-1,\"$row\":{\"k\":1,\"v\":2}}\n", 1), (&often, 2)] {
        let (scene, ran) = signed(lines);
        assert_eq!(ran.code, 0, "{lines}: {}", ran.stderr);
        let errors = scene.read("errors.ndjson");
        assert!(errors.contains("nothing is changed"), "{errors}");
        let n_rows: i64 = errors
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|line| line["$diff"].as_i64().unwrap())
            .sum();
        assert_eq!(n_rows, n_errors, "{errors}");
        assert!(scene.read("out.csv").ends_with("5,1,1\n6,1,1\n"));
    }
}

#[test]
fn a_file_that_breaks_off_keeps_what_was_read() {
    let mut text = "id,customer,amount,status\n".to_owned();
    for id in 0..5_000 {
        writeln!(text, "{id},1,1.00,paid").unwrap();
    }
    // A checksum of zeros, which is not that of the text.
    let whole = stored_gzip(text.as_bytes());
    let (scene, ran) = shop("orders.csv.gz", &whole[..whole.len() / 2], &[]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let said = ran.stderr.strip_prefix("error: `orders.csv.gz` cannot be read on after line ");
    let line = said.and_then(|said| said.split_once(':')).expect("where it broke off").0;
    let n_rows = line.parse::<u64>().unwrap() - 1;
    assert!(n_rows > 1_000, "{line}");
    let wanted = format!("region,revenue,orders\nEU,{n_rows}.00,{n_rows}\n");
    assert_eq!(scene.read("out.csv"), wanted);

    let (_, ran) = shop("orders.csv.gz", b"no gzip at all", &[]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let (_, ran) = shop("orders.csv.gz", &whole, &["--keep-going"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("checksum"), "{}", ran.stderr);
}

/// A gzip file of uncompressed blocks, with a checksum and a length of zero.
fn stored_gzip(content: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x1F\x8B\x08\0\0\0\0\0\0\xFF".to_vec();
    let n_blocks = content.len().div_ceil(10_000);
    for (at, block) in content.chunks(10_000).enumerate() {
        let n_bytes = u16::try_from(block.len()).unwrap();
        bytes.push(u8::from(at + 1 == n_blocks));
        bytes.extend(n_bytes.to_le_bytes());
        bytes.extend((!n_bytes).to_le_bytes());
        bytes.extend(block);
    }
    bytes.extend([0; 8]);
    bytes
}
