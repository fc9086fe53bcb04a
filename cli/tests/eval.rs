//! `arqon eval`: values with their types, rows from everywhere, faults in the usual look.

#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

mod support;

use support::Scene;

/// The least decimal has no positive counterpart, and is read as it is written.
const LEAST: &str = r#"{"x": "-170141183460469231731687303715884105727"}"#;
const LEAST_ROW: &str = r#"{"x": "-170141183460469231731687303715884105728"}"#;
const LEAST_LESS_ONE: &str = "-170141183460469231731687303715884105728 : decimal<0>\n";

#[test]
fn values_stand_with_their_types() {
    let scene = Scene::new();
    for (arguments, expected) in [
        (&["1 + 2"][..], "3 : int64\n"),
        (&["7 / 2"], "3.5 : float64\n"),
        (&["--", "-3"], "-3 : int64\n"),
        (&["-7 % 2"], "-1 : int64\n"),
        (&["-x", "--row", r#"{"x": 2}"#], "-2 : int64\n"),
        (&["if true then 1 else none"], "1 : option<int64>\n"),
        (&[r#"split("a,b", ",")"#], "[a, b] : list<string>\n"),
        (&["upper(name)", "--row", r#"{"name": "ada"}"#], "ADA : string\n"),
        (&["a.b[2] + 0.5", "--row", r#"{"a": {"b": [1, 2.5]}}"#], "3.0 : float64\n"),
        (&["x // 1", "--row", r#"{"x": null}"#, "--schema", "x: option<int64>"], "1 : int64\n"),
        (
            &[
                "trunc(at, 1h)",
                "--row",
                r#"{"at": "2026-01-01T13:37:00Z"}"#,
                "--schema",
                "at: timestamp",
            ],
            "2026-01-01T13:00:00Z : timestamp\n",
        ),
        (&["price * 2", "--schema", "price: decimal<2>"], ": decimal<2>\n"),
        (&["price * 2", "--schema", "{ price: decimal<2> }"], ": decimal<2>\n"),
        (&["x + 1", "--row", r#"{"x": 1} {"x": 2.5}"#], "2.0 : float64\n3.5 : float64\n"),
        (&["[none, 1]"], "[none, 1] : list<option<int64>>\n"),
        (&[r#"regex_replace("ab", "(a)", "${1}x$$")"#], "ax$b : string\n"),
        (&["x - 1", "--row", LEAST, "--schema", "x: decimal<0>"], LEAST_LESS_ONE),
        (&["x", "--row", LEAST_ROW, "--schema", "x: decimal<0>"], LEAST_LESS_ONE),
    ] {
        let ran = scene.arqon(&[&["eval"], arguments].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (0, expected), "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stderr, "", "{arguments:?}");
    }
    let ran = scene.arqon(&["eval", "[price, 1]", "--row", r#"{"price": 2}"#, "--format", "json"]);
    assert_eq!(ran.stdout, "{\"value\":[2,1],\"type\":\"list<int64>\"}\n");
}

#[test]
fn rows_come_from_files_and_stdin() {
    let scene = Scene::new();
    scene.write("rows.ndjson", "{\"n\": 1}\n{\"n\": 2, \"m\": 3}\n");
    let ran = scene.arqon(&["eval", "n + (m // 0)", "--row", "@rows.ndjson"]);
    assert_eq!(ran.stdout, "1 : int64\n5 : int64\n", "{}", ran.stderr);
    let ran = scene.arqon(&["eval", "n", "--row", "@missing.json"]);
    assert_eq!(ran.code, 3);
    let mut command = scene.command(&["eval", "n * 2", "--row", "-"]);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"{\"n\": 21}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "42 : int64\n");
}

#[test]
fn faults_stand_in_the_expression() {
    let scene = Scene::new();
    for (arguments, code, parts) in [
        (&["1 + \"a\""][..], 1, &["error[E0210]", "--> expression:1:5"][..]),
        (&["amount > 1"], 1, &["error[E0205]", "there is no row", "--row"]),
        (&["amuont > 1", "--row", r#"{"amount": 2}"#], 1, &["did you mean `amount`?"]),
        (
            &["(1 + n) * div(n, 2 - n)", "--row", r#"{"n": 2}"#],
            1,
            &[
                "error[E0242]: `div` divides by zero",
                "expression:1:11",
                "^^^^^^^^^^^^^",
                "division_by_zero",
            ],
        ),
        (
            &["matches(s, p)", "--row", r#"{"s": "a", "p": "("}"#],
            1,
            &["error[E0242]", "unclosed group"],
        ),
        (&[r#"add_months(d"9999-12-01", 1)"#], 1, &["overflows date", "overflow"]),
        (&[r#"d"9999-12-31" + 1d"#], 1, &["overflows date"]),
        (&[r#"regex_replace("ab", "(a)", "$1x")"#], 1, &["E0240", "`${1}x`"]),
        (&[r#"regex_replace("ab", "a", "$2")"#], 1, &["E0240", "no group `$2`"]),
        (&[r#"regex_extract("ab", "(a)", 2)"#], 1, &["E0214", "no group 2", "1 to 1"]),
        (&["min(1, 2, 3)"], 1, &["E0213", "min(items: list<T>)"]),
        (&["x", "--row", "{"], 1, &["--row is no JSON"]),
        (&["x", "--row", "[1]"], 1, &["a row is a JSON object"]),
        (&["x", "--row", r#"{"x": "a"}"#, "--schema", "x: int64"], 1, &["`x`"]),
        (&["x", "--schema", "x: int65"], 1, &["--> --schema:1:4", "int64"]),
        (&["x", "--schema", "{ x: int65 }"], 1, &["--> --schema:1:6", "int64"]),
        (&["x", "--schema", "x int64"], 1, &["error"]),
    ] {
        let ran = scene.arqon(&[&["eval"], arguments].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{arguments:?}: {}", ran.stderr);
        for part in parts {
            assert!(ran.stderr.contains(part), "{arguments:?} lacks {part}:\n{}", ran.stderr);
        }
    }
    let ran = scene.arqon(&["eval", "1 / 0", "--format", "json"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("\"code\": \"E0242\""), "{}", ran.stdout);
    let ran = scene.arqon(&["eval", "10 / n", "--row", r#"{"n": 0} {"n": 5}"#]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, "2.0 : float64\n"));
}
