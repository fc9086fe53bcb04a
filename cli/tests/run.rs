//! `arqon run` from file to file: answers, bad lines, epochs, signals.

#![expect(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use support::{Running, Scene};

#[test]
fn deltas_say_what_changed_and_can_be_read_back() {
    let scene = Scene::new();
    scene.shop_files();
    scene.write("moves.ndjson", "{\"id\":1,\"region\":\"US\"}\n{\"$delete\":{\"id\":99}}\n");
    let ran = scene.arqon(&[
        "run",
        "shop.yaml",
        "--until-idle",
        "--quiet",
        "--input",
        "shop.customers=customers.csv",
        "--input",
        "shop.orders=orders.csv",
        "--input",
        "shop.customers=moves.ndjson",
        "--output",
        "shop.revenue=-",
    ]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let lines: Vec<serde_json::Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = |epoch, diff, region, revenue, orders| {
        serde_json::json!({ "$epoch": epoch, "$diff": diff,
            "$row": { "region": region, "revenue": revenue, "orders": orders } })
    };
    assert_eq!(
        lines,
        [
            line(2, 1, "EU", "30.00", 1),
            line(2, 1, "US", "12.50", 2),
            line(3, -1, "EU", "30.00", 1),
            line(3, -1, "US", "12.50", 2),
            line(3, 1, "US", "42.50", 3),
        ]
    );
}

#[test]
fn epochs_are_cut_by_rows_and_workers_change_nothing() {
    let scene = Scene::new();
    scene.shop_files();
    let run = |workers: &str, rows: &str| {
        let ran = scene.arqon(&[
            "run",
            "shop.yaml",
            "--until-idle",
            "-q",
            "--workers",
            workers,
            "--epoch-rows",
            rows,
            "--input",
            "shop.customers=customers.csv",
            "--input",
            "shop.orders=orders.csv",
            "--output",
            "shop.revenue=-",
        ]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout
    };
    let one_by_one = run("1", "1");
    assert_eq!(run("2", "1"), one_by_one);
    assert_eq!(run("4", "1"), one_by_one);
    assert!(one_by_one.starts_with("{\"$epoch\":3,"), "{one_by_one}");
    assert!(run("2", "100").lines().all(|line| line.starts_with("{\"$epoch\":1,")));
}

#[test]
fn a_bad_line_is_named_counted_and_loses_only_itself() {
    let scene = Scene::new();
    scene.shop_files();
    scene.write(
        "orders.csv",
        "id,customer,amount,status\n10,1,30.00,paid\nx,1,1,paid\n11,2,12.555,paid\n12,2,5,lost\n13,2,7,paid\n",
    );
    let arguments = |more: &[&'static str]| {
        let mut arguments = vec![
            "run",
            "shop.yaml",
            "--until-idle",
            "--format",
            "json",
            "--input",
            "shop.customers=customers.csv",
            "--input",
            "shop.orders=orders.csv",
            "--output",
            "shop.revenue=out.csv",
            "--output",
            "shop.orders.errors=bad.ndjson",
        ];
        arguments.extend_from_slice(more);
        arguments
    };
    let ran = scene.arqon(&arguments(&[]));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let faults: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(faults.len(), 3, "{}", ran.stderr);
    assert!(faults[0].starts_with("orders.csv:3: id: "), "{}", faults[0]);
    assert!(faults[1].starts_with("orders.csv:4: amount: "), "{}", faults[1]);
    assert!(faults[2].starts_with("orders.csv:5: status: "), "{}", faults[2]);
    assert_eq!(scene.read("out.csv"), "region,revenue,orders\nEU,30.00,1\nUS,7.00,1\n");
    let errors = scene.read("bad.ndjson");
    assert_eq!(errors.lines().count(), 3, "{errors}");
    assert!(
        errors.contains("\"code\":\"malformed\"") && errors.contains("orders.csv:3"),
        "{errors}"
    );
    let summary: serde_json::Value =
        serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(summary["summary"]["refused"], 3);
    assert_eq!(summary["summary"]["records"], 7);
    assert_eq!(scene.arqon(&arguments(&["--keep-going"])).code, 0);
}

#[test]
fn a_header_that_does_not_fit_ends_with_1_before_anything_runs() {
    let scene = Scene::new();
    scene.write("customers.csv", "id,region,name,mood\n1,EU,,fine\n");
    let arguments = ["run", "shop.yaml", "--until-idle", "--input", "shop.customers=customers.csv"];
    let ran = scene.arqon(&arguments);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("customers.csv:1: column `mood`"), "{}", ran.stderr);
    let mut lenient = arguments.to_vec();
    lenient.push("--ignore-extra");
    assert_eq!(scene.arqon(&lenient).code, 0);
}

#[test]
fn the_summary_counts_what_passed() {
    let scene = Scene::new();
    scene.shop_files();
    let arguments = [
        "run",
        "shop.yaml",
        "--until-idle",
        "--input",
        "shop.customers=customers.csv",
        "--input",
        "shop.orders=orders.csv",
        "--output",
        "shop.revenue=out.ndjson",
    ];
    let human = scene.arqon(&arguments);
    assert_eq!(human.code, 0);
    for word in
        ["rows in", "filtered", "errors", "deltas out", "rows touched", "p50", "p99", "peak memory"]
    {
        assert!(human.stderr.contains(word), "{word}: {}", human.stderr);
    }
    assert!(human.stderr.contains("6 rows in, 2 deltas out"), "{}", human.stderr);
}

#[test]
fn rows_from_a_pipe_come_out_before_the_pipe_ends() {
    let scene = Scene::new();
    scene.shop_files();
    let mut child = scene
        .command(&[
            "run",
            "shop.yaml",
            "--until-idle",
            "-q",
            "--input",
            "shop.customers=customers.csv",
            "--input",
            "shop.orders=-",
            "--output",
            "shop.revenue=-",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.process.stdin.take().unwrap();
    let mut lines = BufReader::new(child.process.stdout.take().unwrap()).lines();
    let order = "{\"id\":1,\"customer\":1,\"amount\":\"2.00\",\"status\":\"paid\"}\n";
    stdin.write_all(order.as_bytes()).unwrap();
    let line = lines.next().unwrap().unwrap();
    assert!(line.contains("\"revenue\":\"2.00\""), "{line}");
    drop(stdin);
    assert_eq!(child.ends(), Some(0));
}

#[cfg(unix)]
#[test]
fn signals_end_the_run_cleanly() {
    for (signal, code) in [("-INT", 130), ("-TERM", 0)] {
        let scene = Scene::new();
        scene.shop_files();
        let mut child = scene
            .command(&[
                "run",
                "shop.yaml",
                "-q",
                "--input",
                "shop.customers=customers.csv",
                "--input",
                "shop.orders=orders.csv",
                "--output",
                "shop.revenue=out.csv",
                "--ready-file",
                "ready.json",
            ])
            .stdout(Stdio::null()),
        );
        let deadline = std::time::Duration::from_secs(20);
        support::eventually(deadline, || scene.path("ready.json").exists());
        let id = child.process.id().to_string();
        let sent = std::process::Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
        assert_eq!(child.ends(), Some(code), "{signal}");
        assert_eq!(scene.read("out.csv"), "region,revenue,orders\nEU,30.00,1\nUS,12.50,2\n");
    }
}
