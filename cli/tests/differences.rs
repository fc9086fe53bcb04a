//! `arqon diff` from `circuits/diff/base.yaml` to each of its variants, against golden files.
//!
//! `UPDATE_EXPECT=1` rewrites the golden files; read the difference like code.

#![expect(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

mod support;

use std::path::{Path, PathBuf};

use support::{Ran, Scene};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("circuits/diff")
}

fn diff(arguments: &[&str]) -> Ran {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_arqon"));
    Ran::of(command.arg("diff").args(arguments).current_dir(folder()).output().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "golden files are rewritten on demand only")]
fn updating() -> bool {
    std::env::var("UPDATE_EXPECT").is_ok()
}

#[test]
fn variants_differ_from_their_base_as_told() {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().to_str()?.strip_suffix(".yaml").map(str::to_owned)
        })
        .filter(|name| name != "base")
        .collect();
    names.sort();
    let mut faults = Vec::new();
    for name in &names {
        let ran = diff(&["base.yaml", &format!("{name}.yaml")]);
        assert_eq!(
            ran.code == 5,
            ran.stdout.contains("\nrefuse") || ran.stdout.starts_with("refuse")
        );
        assert!(matches!(ran.code, 0 | 5), "{name}: {}", ran.stderr);
        let path = folder().join(format!("{name}.diff"));
        if updating() {
            std::fs::write(&path, &ran.stdout).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != ran.stdout {
            faults.push(format!("{name}:\n{}", ran.stdout));
        }
    }
    assert!(10 < names.len() && faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn artifacts_and_machines_are_served_alike() {
    let scene = Scene::new();
    let at = |name: &str| folder().join(name).display().to_string();
    // A circuit that calls operators has no artifact in this version; one without has.
    let text = std::fs::read_to_string(folder().join("base.yaml")).unwrap();
    let (head, rest) = text.split_once("operators:").unwrap();
    let (_, flow) = rest.split_once("flow:").unwrap();
    scene.write("a.yaml", &format!("{head}flow:{flow}"));
    assert_eq!(scene.arqon(&["compile", "a.yaml", "-o", "a.arqon"]).code, 0);
    let same = scene.arqon(&["diff", "a.arqon", "a.yaml", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&same.stdout).unwrap();
    assert_eq!((same.code, &document["compatible"]), (0, &true.into()));
    let changes = document["changes"].as_array().unwrap();
    assert!(changes.iter().all(|change| change["verdict"] == "keep"), "{changes:#?}");
    let refused = scene.arqon(&["diff", "a.arqon", &at("schema_type.yaml"), "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!((refused.code, &document["compatible"]), (5, &false.into()));
}

#[test]
fn what_is_compiled_takes_no_overrides() {
    let scene = Scene::new();
    let text = "arqon: 1\ncircuit: a\nparams: { LEAST: 1 }\ntopics:\n  \
                t: { schema: { n: int64 }, edge: in }\nflow:\n  n:\n    from: t\n    do:\n      \
                - where: n > LEAST\naccess: { w: { publish: [t] } }\n";
    scene.write("a.yaml", text);
    assert_eq!(scene.arqon(&["compile", "a.yaml", "-o", "a.arqon"]).code, 0);
    for option in ["--set=LEAST=2", "--use=x=y", "--profile=p"] {
        let late = |arguments: &[&str]| {
            let ran = scene.arqon(&[arguments, &[option]].concat());
            assert_eq!(ran.code, 2, "{arguments:?} {option}: {}", ran.stdout);
            assert!(ran.stderr.contains("` comes too late: `a.arqon` is"), "{}", ran.stderr);
        };
        late(&["run", "a.arqon", "--until-idle"]);
        late(&["diff", "a.arqon", "a.arqon"]);
    }
    let ran = scene.arqon(&["diff", "a.arqon", "a.yaml", "--set", "LEAST=2"]);
    assert!(ran.stdout.contains("`where n > 1` becomes `where n > 2`"), "{}", ran.stdout);
}

#[test]
fn what_clients_and_readers_see_of_a_topic_is_compared() {
    let scene = Scene::new();
    let old = "arqon: 1\ncircuit: a\nschemas: { R: { id: int64, n: int64 } }\ntopics:\n  \
               i: { schema: R, edge: in }\n  m: { schema: R, carries: full, key: id }\n  \
               o: { schema: R, carries: delta, shared: true, edge: out }\nflow:\n  \
               keep: { from: i, to: m }\n  out: { from: m, to: o }\nroutes: [i -> o when n > 3]\n\
               access: { w: { publish: [i] }, r: { subscribe: [o, keep.errors] } }\n";
    scene.write("old.yaml", old);
    let told = |changes: &[(&str, &str)]| {
        let change = |text: String, (from, to): &(&str, &str)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        };
        scene.write("new.yaml", &changes.iter().fold(old.to_owned(), change));
        let ran = scene.arqon(&["diff", "old.yaml", "new.yaml"]);
        assert_eq!(ran.stderr, "", "{changes:?}");
        ran.stdout
    };
    let of_key = told(&[("key: id", "key: [id, n]")]);
    assert!(of_key.contains("rebuild  node      out\n"), "{of_key}");
    let of_route = told(&[("routes: [i -> o when n > 3]\n", "")]);
    assert!(of_route.contains("since node `routes[0]` goes away"), "{of_route}");
    let of_name = told(&[("keep:", "kept:"), (", keep.errors", "")]);
    assert!(of_name.contains("role `r` uses it, and it is not there any more"), "{of_name}");
    let of_role = told(&[(", keep.errors", "")]);
    assert!(of_role.contains("keep.errors\n           role `r` may not read it any"), "{of_role}");
}

#[test]
fn publishers_cannot_follow_another_unit() {
    let scene = Scene::new();
    for (name, at) in [
        ("none", "timestamp"),
        ("ms", "{ type: timestamp, unit: ms }"),
        ("s", "{ type: timestamp, unit: s }"),
    ] {
        let text = format!(
            "arqon: 1\ncircuit: a\nschemas: {{ Sent: {{ at: {at} }} }}\ntopics:\n  \
             t: {{ schema: {{ sent: Sent }}, edge: in }}\naccess: {{ w: {{ publish: [t] }} }}\n"
        );
        scene.write(&format!("{name}.yaml"), &text);
    }
    let told = |was: &str, now: &str| {
        let ran = scene.arqon(&["diff", &format!("{was}.yaml"), &format!("{now}.yaml")]);
        (ran.code, ran.stdout)
    };
    let (code, text) = told("none", "ms");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("integers of the field `sent.at` are accepted, in ms"), "{text}");
    let (code, text) = told("ms", "s");
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("the field `sent.at` are read in s instead of ms"), "{text}");
    let (code, text) = told("ms", "none");
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("`sent.at`, in ms, are accepted no more"), "{text}");
}

#[test]
fn a_circuit_with_errors_is_not_compared() {
    let scene = Scene::new();
    scene.write("bad.yaml", "arqon: 1\ncircuit: a\nflow: { n: { from: nothing } }\n");
    let ran = scene.arqon(&["diff", "shop.yaml", "bad.yaml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("error[E0203]"), "{}", ran.stderr);
    assert_eq!(scene.arqon(&["diff", "shop.yaml", "nowhere.yaml"]).code, 3);
}
