//! `arqon test` as users and build servers meet it: examples, laws, differences, `JUnit`.

#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

mod support;

use support::{SHOP, Scene};

const LAWS: &[&str] = &[
    "law: incremental equals batch",
    "law: any split into epochs gives the same state",
    "law: workers and back ends agree",
    "law: insert then delete leaves nothing",
    "law: a restart changes nothing",
    "law: no row is lost",
];

#[test]
fn laws_are_cases_in_the_report_and_in_junit() {
    let scene = Scene::new();
    let ran = scene.arqon(&[
        "test",
        "shop.yaml",
        "--laws",
        "--cases",
        "5",
        "--seed",
        "7",
        "--junit",
        "report.xml",
    ]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let junit = std::fs::read_to_string(scene.path("report.xml")).unwrap();
    for law in LAWS {
        assert!(ran.stdout.contains(&format!("{law} ... ok")), "{}", ran.stdout);
        assert!(junit.contains(&format!("<testcase name=\"{law}\"")), "{junit}");
    }
}

/// The circuits of the reference that have tests.
#[test]
fn examples_on_the_page_pass() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CIRCUITS.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks =
        page.split("```yaml circuit\n").skip(1).filter_map(|rest| rest.split("```").next());
    let scene = Scene::new();
    let mut files = Vec::new();
    for (at, block) in blocks.filter(|block| block.contains("\ntests:")).enumerate() {
        files.push(format!("page{at}.yaml"));
        scene.write(&files[at], block);
    }
    assert!(3 <= files.len(), "{files:?}");
    let ran = scene
        .arqon(&[&["test"][..], &files.iter().map(String::as_str).collect::<Vec<_>>()].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_law_that_speaks_of_nothing_in_the_circuit_is_not_tried() {
    let scene = Scene::new();
    let text = "arqon: 1\ncircuit: c\nschemas:\n  A: { id: int64 }\ntopics:\n  a: { schema: A, edge: \
                in }\n  b: { schema: A, carries: events, edge: out }\nflow:\n  n:\n    from: a\n    \
                do:\n      - where: id > 1\n    to: b\naccess:\n  all: { publish: [a], subscribe: \
                [b] }\n";
    std::fs::write(scene.path("events.yaml"), text).unwrap();
    let ran = scene.arqon(&["test", "events.yaml", "--laws", "--cases", "3"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(!ran.stdout.contains("insert then delete"), "{}", ran.stdout);
    assert!(ran.stdout.contains("5 tests: 5 passed"), "{}", ran.stdout);
}

#[test]
fn a_test_may_name_a_law() {
    let scene = Scene::new();
    scene.write("law.yaml", &format!("{SHOP}  the answer is settled:\n    - law: split\n"));
    let ran = scene.arqon(&["test", "law.yaml", "--cases", "3"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("the answer is settled ... ok"), "{}", ran.stdout);
}

#[test]
fn an_example_that_fails_shows_the_field_that_differs() {
    let scene = Scene::new();
    let text = SHOP.replacen("revenue: 42.00, orders: 2", "revenue: 42.00, orders: 3", 1);
    assert_ne!(text, SHOP, "the example expects what the text above says");
    std::fs::write(scene.path("wrong.yaml"), text).unwrap();
    let ran = scene.arqon(&["test", "wrong.yaml", "--junit", "report.xml"]);
    assert_eq!(ran.code, 1);
    let difference = [
        "        expected  +1  { region: EU, revenue: 42.00, orders: 3 }",
        "        found     +1  { region: EU, revenue: 42.00, orders: 2 }",
        "                                                            ^",
    ]
    .join("\n");
    assert!(ran.stdout.contains(&difference), "{}", ran.stdout);
    let junit = std::fs::read_to_string(scene.path("report.xml")).unwrap();
    assert!(junit.contains("failures=\"1\""), "{junit}");
}

/// Circuits whose operators, kernels and capsules are mocked by their own tests.
const MOCKED: [&str; 3] = [
    include_str!("../../circuits/ok/mocked_call.yaml"),
    include_str!("../../circuits/ok/mocked_steps.yaml"),
    include_str!("../../circuits/ok/mocked_failures.yaml"),
];

#[test]
fn mocks_answer_for_operators_kernels_and_capsules() {
    let scene = Scene::new();
    for (text, n_tests) in MOCKED.into_iter().zip([1, 2, 1]) {
        scene.write("mocked.yaml", text);
        let ran = scene.arqon(&["test", "mocked.yaml"]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(&format!("{n_tests} passed, 0 failed")), "{}", ran.stdout);
        // Mocks are for tests alone.
        let ran = scene.arqon(&["run", "mocked.yaml"]);
        assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("does not run in this version"), "{}", ran.stderr);
    }
}

#[test]
fn an_expectation_of_a_mocked_circuit_can_fail() {
    let scene = Scene::new();
    for (text, right, wrong) in [
        (MOCKED[0], "label: bird, n: 2", "label: bird, n: 3"),
        (MOCKED[0], "depth: 3 }, result: { label: bird", "depth: 3 }, result: { label: cat"),
        (MOCKED[1], "mocks: { attn: [] }", "mocks: { attn: [{ pos: 9, o: [1, 1] }] }"),
        (MOCKED[1], "label: dog }]", "label: cow }]"),
        (MOCKED[2], "fail: overdriven, id", "fail: overheard, id"),
        (MOCKED[2], "result: { label: bird }", "result: { label: wind }"),
        (MOCKED[2], "code: job_failed\n            message", "code: overflow\n            message"),
    ] {
        assert!(text.contains(right), "{right}");
        scene.write("mocked.yaml", &text.replacen(right, wrong, 1));
        let ran = scene.arqon(&["test", "mocked.yaml"]);
        assert_eq!(ran.code, 1, "{right}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("changes otherwise"), "{right}: {}", ran.stdout);
    }
}

#[test]
fn a_job_that_fails_is_shown_with_the_place_of_its_call() {
    let scene = Scene::new();
    let text = MOCKED[2];
    let line = text.lines().position(|line| line.ends_with("- call: ear")).expect("a call") + 1;
    let right = "            message: overdriven\n";
    let place = |line: usize| format!("{right}            place: 'failed.yaml:{line}:15'\n");
    for (line, code) in [(line, 0), (line + 1, 1)] {
        assert!(text.contains(right), "{right}");
        scene.write("failed.yaml", &text.replacen(right, &place(line), 1));
        let ran = scene.arqon(&["test", "failed.yaml"]);
        assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    }
    // Without `errors:` a failure is an error of the node, which a test has to expect.
    scene.write("failed.yaml", &text.replacen("        errors: failures\n", "", 1));
    let ran = scene.arqon(&["test", "failed.yaml"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr.contains("nothing in the circuit writes topic `failures`"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_row_that_no_mock_answers_fails_the_test() {
    let scene = Scene::new();
    for (text, right, wrong, said) in [
        (
            MOCKED[0],
            "{ job: { level: 0.25, depth: 3 }",
            "{ job: { level: 0.26, depth: 3 }",
            ["no mock answers a job of `pulses[1]`", "job: { level: 0.25, depth: 3 }"],
        ),
        (
            MOCKED[1],
            "row: { stream: b, at: \"2026-01-01T00:00:00Z\", level: 0.5 }",
            "row: { stream: b, at: \"2026-01-01T00:00:00Z\", level: 0.6 }",
            ["no mock answers a row of `found[1]`", "row: { stream: b, at: 2026-01-01T00:00:00Z"],
        ),
    ] {
        assert!(text.contains(right), "{right}");
        scene.write("mocked.yaml", &text.replacen(right, wrong, 1));
        let ran = scene.arqon(&["test", "mocked.yaml"]);
        assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
        for said in said {
            assert!(ran.stdout.contains(said), "{}", ran.stdout);
        }
    }
}
