//! Imports from files: the root that may not be left, and every command that reads circuits.

#![cfg(unix)]

mod support;

use std::os::unix::fs::symlink;

use support::Scene;

const CIRCUIT: &str = "\
arqon: 1
circuit: a
import: [../lib/types.yaml]
topics:
  rows: { schema: Row, edge: in }
  out: { schema: { id: int64, part: int64 }, edge: out }
flow:
  node:
    from: rows
    do:
      - select:
          id: id
          part: share(id)
    to: out
access: { all: { publish: [rows], subscribe: [out] } }
tests:
  shares:
    - send: { rows: [{ id: 5 }] }
      expect: { out: [[+1, { id: 5, part: 20 }]] }
";
const TYPES: &str = "\
arqon: 1
schemas: { Row: { id: int64 } }
functions:
  share(n): div(whole, n)
params: { whole: 100 }
";

fn scene() -> Scene {
    let scene = Scene::new();
    scene.write("in/a.yaml", CIRCUIT);
    scene.write("lib/types.yaml", TYPES);
    scene
}

#[test]
fn a_root_holds_all_files_and_every_command_reads_them() {
    let scene = scene();
    let ran = scene.arqon(&["check", "in/a.yaml"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("error[E0032]") && !ran.stderr.contains("E0201"), "{}", ran.stderr);
    for verb in [&["check"][..], &["test"], &["graph"], &["compile", "-o", "a.arqon"]] {
        let ran = scene.arqon(&[verb, &["--root", ".", "in/a.yaml"]].concat());
        assert_eq!(ran.code, 0, "{verb:?} {}{}", ran.stderr, ran.stdout);
    }
    // An artifact has all that it needs.
    std::fs::remove_file(scene.path("lib/types.yaml")).unwrap();
    scene.write("rows.ndjson", "{\"id\":4}\n{\"id\":0}\n");
    let run = ["run", "a.arqon", "--input", "rows=rows.ndjson", "--until-idle", "-q"];
    let run = [&run[..], &["--output", "out=-", "--output", "node.errors=errors.ndjson"]].concat();
    let ran = scene.arqon(&run);
    assert!(ran.stdout.contains("{\"id\":4,\"part\":25}"), "{}{}", ran.stdout, ran.stderr);
    // The place is that of the call, in the circuit's own file.
    let errors = scene.read("errors.ndjson");
    assert!(errors.contains("in/a.yaml:13:"), "{errors}");
}

#[test]
fn what_the_command_line_sets_is_not_asked_of_files_that_only_declare() {
    let scene = Scene::new();
    let profiles = "profiles: { low: { params: { LEAST: 1 } } }\n";
    let main = "arqon: 1\ncircuit: a\nimport: common.yaml\nparams: { LEAST: 9 }\ntopics: { i: { schema: \
                R, edge: in } }\nroutes: [i -> o when n > LEAST]\naccess: { w: { publish: [i] } }\n";
    let main = main.replace("edge: in } }", "edge: in }, o: { schema: R, edge: out } }");
    scene.write("p/common.yaml", "arqon: 1\nschemas: { R: { n: int64 } }\n");
    scene.write("p/main.yaml", &format!("{main}{profiles}"));
    for option in ["--profile=low", "--set=LEAST=3"] {
        let ran = scene.arqon(&["check", "-q", "p", option]);
        assert_eq!(ran.code, 0, "{option}: {}", ran.stderr);
    }
    let ran = scene.arqon(&["check", "-q", "p", "--set=LEAS=3"]);
    assert_eq!((ran.code, ran.stderr.matches("error[E0208]").count()), (1, 1), "{}", ran.stderr);
}

#[test]
fn a_root_that_does_not_hold_the_circuit_is_refused() {
    let scene = scene();
    let ran = scene.arqon(&["check", "--root", "lib", "in/a.yaml"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let ran = scene.arqon(&["check", "--root", "nowhere", "in/a.yaml"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
}

#[test]
fn links_do_not_lead_out_of_the_root() {
    let scene = scene();
    let import = |path: &str| {
        let text = CIRCUIT.replace("../lib/types.yaml", path);
        scene.write("in/a.yaml", &text);
        scene.arqon(&["check", "in/a.yaml"])
    };
    symlink("../lib/types.yaml", scene.path("in/link.yaml")).unwrap();
    symlink(scene.path("lib"), scene.path("in/folder")).unwrap();
    symlink("round.yaml", scene.path("in/round.yaml")).unwrap();
    scene.write("in/real/types.yaml", TYPES);
    symlink("real/types.yaml", scene.path("in/inner.yaml")).unwrap();
    for path in ["link.yaml", "folder/types.yaml"] {
        let ran = import(path);
        assert!(ran.code == 1 && ran.stderr.contains("error[E0032]"), "{path}: {}", ran.stderr);
    }
    let ran = import("round.yaml");
    assert!(ran.code == 1 && ran.stderr.contains("error[E0030]"), "{}", ran.stderr);
    let ran = import("inner.yaml");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn what_is_no_readable_file_is_refused() {
    let scene = scene();
    let import = |path: &str| {
        let text = CIRCUIT.replace("../lib/types.yaml", path);
        scene.write("in/a.yaml", &text);
        scene.arqon(&["check", "in/a.yaml"])
    };
    std::fs::create_dir(scene.path("in/folder.yaml")).unwrap();
    std::fs::write(scene.path("in/latin.yaml"), b"arqon: 1 # \xff\n").unwrap();
    std::fs::write(scene.path("in/large.yaml"), vec![b' '; (16 << 20) + 1]).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(scene.path("in/pipe.yaml")).status();
    assert!(pipe.unwrap().success());
    for (path, code) in [
        ("folder.yaml", "E0030"),
        ("latin.yaml", "E0030"),
        ("pipe.yaml", "E0030"),
        ("large.yaml", "E0034"),
        ("a.yaml", "E0033"),
    ] {
        let ran = import(path);
        let wanted = format!("error[{code}]");
        assert!(ran.code == 1 && ran.stderr.contains(&wanted), "{path}: {}", ran.stderr);
    }
}

#[test]
fn a_fault_in_an_imported_file_is_said_once_with_its_file() {
    let scene = scene();
    scene.write("lib/types.yaml", &TYPES.replace("int64", "int46"));
    scene.write("in/b.yaml", CIRCUIT);
    let ran = scene.arqon(&["check", "--root", ".", "in", "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let found = found["diagnostics"].as_array().unwrap();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (&found[0]["file"], &found[0]["code"]),
        (&"./lib/types.yaml".into(), &"E0201".into())
    );
    assert_eq!(found[0]["range"]["start"], serde_json::json!({ "line": 2, "column": 23 }));
    let ran = scene.arqon(&["check", "--root", ".", "in/a.yaml", "--format", "sarif"]);
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let place = &found["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "./lib/types.yaml");
}
