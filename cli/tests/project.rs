//! `arqon init` makes projects whose own checks pass, and fail on a bypass.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

mod support;

use support::{Ran, Scene};

/// Runs the project's script as a build server would.
fn checked(scene: &Scene, project: &str) -> Ran {
    let output = std::process::Command::new("sh")
        .arg("ci/check.sh")
        .current_dir(scene.path(project))
        .env("ARQON", env!("CARGO_BIN_EXE_arqon"))
        .output()
        .unwrap();
    Ran::of(output)
}

#[test]
fn every_beginning_passes_its_own_checks() {
    for from in ["shop", "flights", "small"] {
        let scene = Scene::new();
        let ran = scene.arqon(&["init", "new/project", "--from", from]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(
            ran.stdout.contains(&format!("new/project/circuits/{from}.yaml")),
            "{}",
            ran.stdout
        );
        let ran = checked(&scene, "new/project");
        assert_eq!(ran.code, 0, "{from}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("1 passed, 0 failed"), "{}", ran.stdout);
        let sarif: serde_json::Value =
            serde_json::from_str(&scene.read("new/project/arqon.sarif")).unwrap();
        assert_eq!(sarif["runs"][0]["results"], serde_json::json!([]));
        let workflow = scene.read("new/project/.github/workflows/circuits.yml");
        assert!(workflow.contains("sh ci/check.sh") && workflow.contains("arqon.sarif"));
    }
}

#[test]
fn a_bypass_and_a_failing_example_fail_the_build() {
    let scene = Scene::new();
    assert_eq!(scene.arqon(&["init", "project"]).code, 0);
    let circuit = scene.read("project/circuits/shop.yaml");
    let bypass = "operators:\n  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: nvm } }, \
                  limits: { parallel: 1 } }\nroutes:\n  - shop.orders -> nvm\n";
    scene.write("project/circuits/shop.yaml", &format!("{circuit}{bypass}"));
    let ran = checked(&scene, "project");
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("error[E0403]"), "{}", ran.stderr);
    assert!(scene.read("project/arqon.sarif").contains("\"ruleId\": \"E0403\""));
    scene.write("project/circuits/shop.yaml", &circuit.replace("revenue: 12.00", "revenue: 13.00"));
    let ran = checked(&scene, "project");
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("0 passed, 1 failed"), "{}", ran.stdout);
}

#[test]
fn nothing_is_overwritten() {
    let scene = Scene::new();
    scene.write("README.md", "mine");
    let ran = scene.arqon(&["init"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("`./README.md` is left as it is"), "{}", ran.stderr);
    assert_eq!(scene.read("README.md"), "mine");
    scene.write("circuits/shop.yaml", "mine");
    std::fs::remove_file(scene.path("ci/check.sh")).unwrap();
    let ran = scene.arqon(&["init"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("`./circuits/shop.yaml`"), "{}", ran.stderr);
    assert_eq!(scene.read("circuits/shop.yaml"), "mine");
    assert!(!scene.path("ci/check.sh").exists());
}

#[test]
fn what_is_made_is_a_document_where_one_is_asked_for() {
    let scene = Scene::new();
    scene.write("here/README.md", "mine\n");
    let ran = scene.arqon(&["--format", "json", "init", "here"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["left"], serde_json::json!(["here/README.md"]));
    let made: Vec<&str> =
        document["made"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    assert!(made.contains(&"here/ci/check.sh") && !made.contains(&"here/README.md"), "{made:?}");
    assert!(made.iter().all(|path| scene.path(path).exists()), "{made:?}");
}
