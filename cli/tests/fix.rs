//! `arqon check --fix`: what is certain is mended in the file, and nothing else is touched.

#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

mod support;

use support::{SHOP, Scene};

/// The shop with three faults that a machine can mend, and one that it cannot.
fn faulty() -> String {
    SHOP.replace("status == \"paid\" and", "status = 'paid' &&")
        .replace("to: shop.revenue", "to: shop.revenu # here")
        .replace("shop.dashboard:", "shop.Dashboard:")
}

#[test]
fn a_file_is_mended_and_its_other_bytes_stay() {
    let scene = Scene::new();
    scene.write("shop.yaml", &faulty());
    let ran = scene.arqon(&["check", "--fix", "shop.yaml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    for line in [
        "shop.yaml:20:23: E0107: write `==`",
        "shop.yaml:20:25: E0109: write `\"paid\"`",
        "shop.yaml:20:32: E0104: write `and`",
        "5 fixes made in 1 circuit",
        "1 circuit: no errors",
    ] {
        assert!(ran.stderr.contains(line), "{line}\n{}", ran.stderr);
    }
    let expected = SHOP.replace("to: shop.revenue", "to: shop.revenue # here");
    assert_eq!(scene.read("shop.yaml"), expected);
    let again = scene.arqon(&["check", "--fix", "shop.yaml"]);
    assert_eq!((again.code, again.stderr.trim()), (0, "1 circuit: no errors"));
}

#[test]
fn what_is_left_is_reported_and_fails() {
    let scene = Scene::new();
    scene.write("shop.yaml", &faulty().replace("sum(amount)", "sum(whatever)"));
    let ran = scene.arqon(&["check", "--fix", "shop.yaml"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("error[E0205]: unknown field `whatever`"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("E0104]"), "{}", ran.stderr);
    assert!(scene.read("shop.yaml").contains("== \"paid\" and amount > 0"));
}

#[test]
fn a_dry_run_prints_the_difference_and_changes_nothing() {
    let scene = Scene::new();
    scene.write("shop.yaml", &faulty());
    let ran = scene.arqon(&["check", "--fix", "--dry-run", "shop.yaml"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("--- a/shop.yaml\n+++ b/shop.yaml\n@@ "), "{}", ran.stdout);
    let removed = "\n-      - where: status = 'paid' && amount > 0\n\
        +      - where: status == \"paid\" and amount > 0\n";
    assert!(ran.stdout.contains(removed), "{}", ran.stdout);
    assert!(ran.stderr.contains("5 fixes would be made in 1 circuit"), "{}", ran.stderr);
    assert_eq!(scene.read("shop.yaml"), faulty());
    let clean = Scene::new().arqon(&["check", "--fix", "--dry-run", "shop.yaml"]);
    assert_eq!((clean.code, clean.stdout.as_str()), (0, ""));
}

#[test]
fn flags_that_do_not_fit_are_refused() {
    let scene = Scene::new();
    for arguments in [
        &["check", "--fix", "-"][..],
        &["check", "--dry-run", "shop.yaml"],
        &["check", "--fix", "--dry-run", "--format", "json", "shop.yaml"],
        &["check", "--fix", "--explain", "no-bypass", "shop.yaml"],
    ] {
        assert_eq!(scene.arqon(arguments).code, 2, "{arguments:?}");
    }
}

#[test]
fn documents_hold_the_same_fixes() {
    let scene = Scene::new();
    scene.write("shop.yaml", &faulty());
    let parse = |format: &str| -> serde_json::Value {
        let ran = scene.arqon(&["check", "--format", format, "shop.yaml"]);
        serde_json::from_str(&ran.stdout).unwrap()
    };
    let json = parse("json");
    let fixes: Vec<&serde_json::Value> = json["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|diagnostic| diagnostic.get("fix"))
        .collect();
    assert_eq!(fixes.len(), 5);
    let sarif = parse("sarif");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let replacements: Vec<&serde_json::Value> = results
        .iter()
        .map(|result| &result["fixes"][0]["artifactChanges"][0]["replacements"][0])
        .collect();
    for (fix, replacement) in fixes.iter().zip(replacements) {
        assert_eq!(fix["replacement"], replacement["insertedContent"]["text"]);
        assert_eq!(fix["range"]["start"]["line"], replacement["deletedRegion"]["startLine"]);
        assert_eq!(fix["range"]["end"]["column"], replacement["deletedRegion"]["endColumn"]);
    }
}

#[test]
fn many_circuits_are_checked_in_the_order_of_their_paths() {
    let scene = Scene::new();
    for at in 0..60 {
        let text = SHOP.replace("sum(amount)", &format!("sum(nothing_{at})"));
        scene.write(&format!("many/c{at:02}.yaml"), &text);
    }
    let ran = scene.arqon(&["check", "many", "missing.yaml", "shop.yaml"]);
    assert_eq!(ran.code, 3);
    let places: Vec<usize> = (0..60)
        .map(|at| ran.stderr.find(&format!("unknown field `nothing_{at}`")).unwrap())
        .collect();
    assert!(places.is_sorted());
    assert!(ran.stderr.contains("cannot read `missing.yaml`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("60 errors"), "{}", ran.stderr);
}
