//! `arqon fmt`: files, stdin, and the check for build servers.

#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

mod support;

use std::io::Write;
use std::process::Stdio;

use support::{SHOP, Scene};

fn untidy() -> String {
    SHOP.replace("amount > 0", "amount>0  # paid ones").replace("    from:", "    from:   ")
}

fn tidy() -> String {
    SHOP.replace("amount > 0", "amount > 0  # paid ones")
}

/// Runs `fmt` with a text on stdin.
fn piped(scene: &Scene, arguments: &[&str], text: &str) -> (Option<i32>, String) {
    let mut process = scene
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn files_are_written_in_canonical_form() {
    let scene = Scene::new();
    scene.write("a/untidy.yaml", &untidy());
    scene.write("a/tidy.yaml", &tidy());
    let ran = scene.arqon(&["fmt", "a"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    assert_eq!(ran.stderr, "formatted a/untidy.yaml\n");
    assert_eq!(scene.read("a/untidy.yaml"), tidy());
    let again = scene.arqon(&["fmt", "a", "shop.yaml"]);
    assert_eq!((again.code, again.stderr.as_str()), (0, ""));
}

#[test]
fn a_check_prints_the_difference_and_fails() {
    let scene = Scene::new();
    scene.write("untidy.yaml", &untidy());
    let ran = scene.arqon(&["fmt", "--check", "untidy.yaml", "shop.yaml"]);
    assert_eq!(ran.code, 1);
    let (removed, added) = ("\n-    from:    shop.orders\n", "\n+    from: shop.orders\n");
    assert!(ran.stdout.starts_with("--- a/untidy.yaml\n+++ b/untidy.yaml\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains(removed) && ran.stdout.contains(added), "{}", ran.stdout);
    assert_eq!(ran.stderr, "1 circuit not in canonical form\n");
    assert_eq!(scene.read("untidy.yaml"), untidy());
    let clean = scene.arqon(&["fmt", "--check", "shop.yaml"]);
    assert_eq!((clean.code, clean.stderr.as_str()), (0, "1 circuit in canonical form\n"));
}

#[test]
fn stdin_goes_to_stdout() {
    let scene = Scene::new();
    assert_eq!(piped(&scene, &["fmt", "-"], &untidy()), (Some(0), tidy()));
    assert_eq!(piped(&scene, &["fmt", "-"], &tidy()), (Some(0), tidy()));
    let (code, diff) = piped(&scene, &["fmt", "--check", "-"], &untidy());
    assert_eq!(code, Some(1));
    assert!(diff.contains("\n+    from: shop.orders\n"), "{diff}");
}

#[test]
fn what_cannot_be_read_is_refused_and_left_alone() {
    let scene = Scene::new();
    let broken = untidy().replace("schemas:", "schemas: [");
    scene.write("broken.yaml", &broken);
    scene.write("untidy.yaml", &untidy());
    let ran = scene.arqon(&["fmt", "broken.yaml", "untidy.yaml", "missing.yaml"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("error[E0001]"), "{}", ran.stderr);
    assert_eq!(scene.read("broken.yaml"), broken);
    assert_eq!(scene.read("untidy.yaml"), tidy(), "the others are formatted all the same");
    assert_eq!(scene.arqon(&["fmt", "broken.yaml"]).code, 1);
    let checked = scene.arqon(&["fmt", "--check", "broken.yaml"]);
    assert!(!checked.stderr.contains("canonical form"), "{}", checked.stderr);
    let json = scene.arqon(&["fmt", "--format", "json", "broken.yaml"]);
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["diagnostics"][0]["code"], "E0001");
}
