//! The command as users and build servers meet it: exit codes, streams, documents.

#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

mod support;

use support::{SHOP, Scene};

#[test]
fn usage_errors_end_with_2() {
    let scene = Scene::new();
    for arguments in [
        &["nonsense"][..],
        &["check"],
        &["run", "shop.yaml", "--epoch-rows", "0"],
        &["test", "shop.yaml", "--laws", "--cases", "0"],
        &["run", "shop.yaml", "--input", "shop.orders"],
        &["explain", "E9999"],
        &["run", "shop.yaml", "--input", "shop.order=x.csv"],
        &["run", "shop.yaml", "--input", "shop.orders=x.txt"],
        &["run", "shop.yaml", "--output", "shop.revenue=x.csv", "--as", "deltas"],
        &["run", "shop.yaml", "--output", "shop.orders=x.ndjson"],
    ] {
        let ran = scene.arqon(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(!ran.stderr.is_empty(), "{arguments:?}");
    }
    let ran = scene.arqon(&["run", "shop.yaml", "--input", "shop.order=x.csv"]);
    assert!(ran.stderr.contains("did you mean `shop.orders`?"), "{}", ran.stderr);
}

#[test]
fn help_and_version_end_with_0_on_stdout() {
    let scene = Scene::new();
    let help = scene.arqon(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    for command in ["compile", "check", "run", "demo", "explain", "test", "pub", "sub", "token"] {
        assert!(help.stdout.contains(command), "{command}");
    }
    assert_eq!(
        scene.arqon(&["--version"]).stdout,
        format!("arqon {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn what_cannot_be_read_ends_with_3() {
    let scene = Scene::new();
    std::fs::create_dir(scene.path("empty")).unwrap();
    for arguments in [
        &["check", "missing.yaml"][..],
        &["check", "empty"],
        &["compile", "missing.yaml"],
        &["run", "missing.yaml"],
        &["run", "shop.yaml", "--input", "shop.orders=missing.csv", "--until-idle"],
        &["run", "shop.yaml", "--output", "shop.revenue=no/such/dir/out.csv", "--until-idle"],
    ] {
        let ran = scene.arqon(arguments);
        assert_eq!(ran.code, 3, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("error: "), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn check_reports_all_faults_of_all_circuits() {
    let scene = Scene::new();
    scene.write("bad/one.yaml", &SHOP.replace("from: shop.orders", "from: shop.order"));
    scene.write("bad/two.yaml", &SHOP.replace("amount > 0", "amuont > 0"));
    scene.write("bad/ci.yaml", "on: push\n");
    let human = scene.arqon(&["check", "bad", "shop.yaml"]);
    assert_eq!(human.code, 1);
    assert_eq!(human.stdout, "");
    assert!(human.stderr.contains("--> bad/one.yaml:"), "{}", human.stderr);
    assert!(human.stderr.contains("--> bad/two.yaml:"), "{}", human.stderr);
    assert!(human.stderr.contains("did you mean `shop.orders`?"), "{}", human.stderr);
    assert!(human.stderr.contains("2 errors"), "{}", human.stderr);

    let json = scene.arqon(&["--format", "json", "check", "bad"]);
    assert_eq!(json.code, 1);
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let files: Vec<&str> = document["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|diagnostic| diagnostic["file"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["bad/one.yaml", "bad/two.yaml"]);
    assert_eq!(document["diagnostics"][0]["severity"], "error");

    let sarif = scene.arqon(&["check", "bad", "--format", "sarif"]);
    assert_eq!(sarif.code, 1);
    let document: serde_json::Value = serde_json::from_str(&sarif.stdout).unwrap();
    assert_eq!(document["runs"][0]["results"].as_array().unwrap().len(), 2);

    // So it is where the document would have been something else.
    let one = ["bad/one.yaml"];
    for (arguments, expected) in [
        (vec!["graph", "bad/one.yaml"], &one[..]),
        (vec!["run", "bad/one.yaml"], &one[..]),
        (vec!["diff", "shop.yaml", "bad/one.yaml"], &one[..]),
        (vec!["diff", "bad/one.yaml", "bad/two.yaml"], &files[..]),
    ] {
        let ran = scene.arqon(&[&["--format", "json"], &arguments[..]].concat());
        assert_eq!(ran.code, 1, "{arguments:?}: {}", ran.stderr);
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let found = document["diagnostics"].as_array().unwrap().iter();
        let found: Vec<&str> = found.map(|it| it["file"].as_str().unwrap()).collect();
        assert_eq!(found, expected, "{arguments:?}");
    }

    let fine = scene.arqon(&["check", "shop.yaml", "--format", "json"]);
    assert_eq!(fine.code, 0, "{}", fine.stderr);
    let document: serde_json::Value = serde_json::from_str(&fine.stdout).unwrap();
    assert_eq!(document["diagnostics"], serde_json::json!([]));
}

#[test]
fn a_file_that_is_no_text_is_one_fault() {
    let scene = Scene::new();
    std::fs::write(scene.path("utf16.yaml"), b"\xFF\xFEa\0r\0q\0o\0n\0").unwrap();
    let ran = scene.arqon(&["check", "utf16.yaml", "--format", "json"]);
    assert_eq!(ran.code, 1);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["diagnostics"].as_array().unwrap().len(), 1);
    assert_eq!(document["diagnostics"][0]["code"], "E0003");
}

#[test]
fn codes_are_explained_from_the_registry() {
    let scene = Scene::new();
    let ran = scene.arqon(&["explain", "e0302"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("E0302: "), "{}", ran.stdout);
    assert!(ran.stdout.contains("\nWrong\n") && ran.stdout.contains("\nMended\n"));
    let list = scene.arqon(&["explain", "--list", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert!(document["codes"].as_array().unwrap().len() > 20);
    let unknown = scene.arqon(&["explain", "E0902"]);
    assert!(unknown.stderr.contains("did you mean"), "{}", unknown.stderr);
}

#[test]
fn artifacts_are_equal_for_equal_circuits_and_run() {
    let scene = Scene::new();
    for name in ["a.arqon", "b.arqon"] {
        let ran = scene.arqon(&["compile", "shop.yaml", "-o", name]);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    }
    let bytes = std::fs::read(scene.path("a.arqon")).unwrap();
    assert_eq!(bytes, std::fs::read(scene.path("b.arqon")).unwrap());
    scene.shop_files();
    let ran = scene.arqon(&[
        "run",
        "a.arqon",
        "--until-idle",
        "--input",
        "shop.customers=customers.csv",
        "--input",
        "shop.orders=orders.csv",
        "--output",
        "shop.revenue=out.csv",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(scene.read("out.csv"), "region,revenue,orders\nEU,30.00,1\nUS,12.50,2\n");
    std::fs::write(scene.path("bad.arqon"), &bytes[..bytes.len() - 7]).unwrap();
    assert_eq!(scene.arqon(&["run", "bad.arqon"]).code, 1);
}

#[test]
fn where_a_text_is_wanted_an_artifact_is_told_from_a_file_that_is_broken() {
    let scene = Scene::new();
    assert_eq!(scene.arqon(&["compile", "shop.yaml", "-o", "shop.arqon"]).code, 0);
    for command in ["check", "fmt", "test", "graph", "compile"] {
        let ran = scene.arqon(&[command, "shop.arqon"]);
        assert_eq!(ran.code, 1, "{command}: {}", ran.stderr);
        let wanted = "error: `shop.arqon` is compiled, and holds no text\nhelp: name the circuit";
        assert!(ran.stderr.contains(wanted), "{command}: {}", ran.stderr);
        assert!(!ran.stderr.contains("UTF-8"), "{command}: {}", ran.stderr);
    }
}

#[test]
fn errors_of_every_node_and_topic_can_be_written() {
    let scene = Scene::new();
    // `twice` has no step that `once` has not, `plain` has none at all.
    scene.write(
        "same.yaml",
        "arqon: 1\ncircuit: same\ntopics:\n  \
         a: { schema: { id: int64, v: int64 }, carries: full, key: id, edge: in }\n  \
         b: { schema: { v: int64 }, carries: delta, edge: out }\n  \
         c: { schema: { v: int64 }, carries: delta, edge: out }\n  \
         d: { schema: { id: int64, v: int64 }, carries: delta, edge: out }\nflow:\n  \
         once: { from: a, do: [{ distinct: [v] }], to: b }\n  \
         twice: { from: a, do: [{ distinct: [v] }], to: c }\n  \
         plain: { from: a, to: d }\naccess:\n  all: { publish: [a], subscribe: [b, c, d] }\n",
    );
    for owner in ["once", "twice", "plain", "a", "c"] {
        let output = format!("{owner}.errors=-");
        let ran =
            scene.arqon(&["run", "same.yaml", "--until-idle", "--quiet", "--output", &output]);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{owner}: {}", ran.stderr);
    }
    let output = "nobody.errors=-";
    let ran = scene.arqon(&["run", "same.yaml", "--until-idle", "--output", output]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

#[test]
fn a_file_that_is_read_is_not_written_over() {
    let scene = Scene::new();
    let rows = "region,revenue,orders\n";
    scene.shop_files();
    let customers = scene.read("customers.csv");
    for output in ["shop.revenue=customers.csv", "shop.revenue=./customers.csv"] {
        let ran = scene.arqon(&[
            "run",
            "shop.yaml",
            "--until-idle",
            "--input",
            "shop.customers=customers.csv",
            "--output",
            output,
        ]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("`--input shop.customers` reads it"), "{}", ran.stderr);
        assert_eq!(scene.read("customers.csv"), customers);
    }
    // What is there and not read is written anew.
    scene.write("out.csv", "old\n");
    let ran =
        scene.arqon(&["run", "shop.yaml", "--until-idle", "--output", "shop.revenue=out.csv"]);
    assert_eq!((ran.code, scene.read("out.csv").as_str()), (0, rows), "{}", ran.stderr);
}

#[test]
fn shells_get_their_completions() {
    let scene = Scene::new();
    for shell in ["bash", "zsh", "fish"] {
        let ran = scene.arqon(&["completions", shell]);
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains("arqon"), "{shell}");
    }
    // An option that waits for its value is no end of what can be completed.
    let fish = scene.arqon(&["completions", "fish"]).stdout;
    assert!(fish.contains("    or return 0\n    if set -q argv[1]"), "{fish}");
    for option in ["profile", "use", "set"] {
        let names_files = format!("-l {option} -d ");
        let line = fish.lines().find(|line| line.contains(&names_files)).unwrap();
        assert!(line.ends_with(" -r -f"), "files are no value of --{option}: {line}");
    }
}

#[test]
fn tokens_are_minted_and_checked() {
    let scene = Scene::new();
    scene.write("secret", "0123456789abcdef0123456789abcdef\n");
    let grants = ["--grant", "can_publish:shop.orders", "--grant", "can_subscribe:shop.>"];
    let mint = |more: &[&str]| {
        let start = ["token", "mint", "--secret-file", "secret", "--subject", "shop.till"];
        scene.arqon(&[&start, more].concat())
    };
    let minted = mint(&grants);
    assert_eq!(minted.code, 0, "{}", minted.stderr);
    let token = minted.stdout.trim();
    let arguments = ["token", "check", "--secret-file", "secret", token, "--format", "json"];
    let checked = scene.arqon(&arguments);
    let document: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!(document["subject"], "shop.till");
    let found = serde_json::json!(["can_publish:shop.orders", "can_subscribe:shop.>"]);
    assert_eq!(document["grants"], found);

    scene.write("other", "another secret of more than 32 bytes\n");
    scene.write("short", "too short\n");
    for (secret, code) in [("other", 1), ("short", 1), ("missing", 3)] {
        let ran = scene.arqon(&["token", "check", "--secret-file", secret, token]);
        assert_eq!(ran.code, code, "{secret}: {}", ran.stderr);
        assert!(!ran.stderr.contains("0123456789abcdef"), "a secret is never shown");
    }
    assert_eq!(mint(&["--grant", "can_fly:shop"]).code, 2);
    assert_eq!(mint(&["--grant", "can_publish:a", "--expires-in", "soon"]).code, 2);
}

#[test]
fn a_plot_that_cannot_be_written_is_told_before_the_play() {
    let scene = Scene::new();
    scene.write("folder/file", "");
    let ran = scene.arqon(&["demo", "itmd", "--svg", "folder"]);
    assert_ne!(ran.code, 0);
    assert!(ran.stderr.contains("cannot write `folder`"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
}

#[test]
fn an_option_of_the_other_demo_is_refused() {
    let scene = Scene::new();
    for arguments in [
        &["demo", "--svg", "x.svg"][..],
        &["demo", "itmd", "--keep"],
        &["demo", "itmd", "--workers", "2"],
    ] {
        let ran = scene.arqon(arguments);
        assert_eq!((ran.code, &*ran.stdout), (2, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("is an option of `arqon demo"), "{}", ran.stderr);
    }
}
