//! `arqon run` from file to file: answers, bad lines, epochs, signals.

#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

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
fn parquet_and_packed_files_go_out_and_come_in() {
    let scene = Scene::new();
    scene.shop_files();
    let run =
        |more: &[&str]| scene.arqon(&[&["run", "shop.yaml", "--until-idle", "-q"], more].concat());
    let from_csv = ["--input", "shop.customers=customers.csv", "--input", "shop.orders=orders.csv"];
    for out in ["out.parquet", "out.csv", "out.csv.zst"] {
        let ran = run(&[&from_csv[..], &["--output", &format!("shop.revenue={out}")]].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    }
    let circuit = |fields: &str| {
        let head = "arqon: 1\ncircuit: back\n";
        let topics = "topics:\n  a: { schema: R, carries: events, edge: in }\n  \
                      b: { schema: R, carries: events, edge: out }\n";
        let flow = "flow: { n: { from: a, do: [{ where: orders > 0 }], to: b } }\n";
        let access = "access: { w: { publish: [a], subscribe: [b] } }\n";
        let text = format!("{head}schemas: {{ R: {{ {fields} }} }}\n{topics}{flow}{access}");
        scene.write("back.yaml", &text);
    };
    circuit("region: string, revenue: decimal<2>, orders: int64");
    for file in ["out.parquet", "out.csv.zst"] {
        let input = format!("a={file}");
        let files = ["--input", &input, "--output", "b=back.csv", "--until-idle", "-q"];
        let ran = scene.arqon(&[&["run", "back.yaml"], &files[..]].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        assert_eq!(scene.read("back.csv"), scene.read("out.csv"), "{file}");
    }

    circuit("region: string, revenue: date, orders: int64");
    let files = ["run", "back.yaml", "--until-idle", "-q", "--input", "a=out.parquet"];
    let ran = scene.arqon(&files);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.stderr,
        "error: out.parquet: column `revenue` is DECIMAL(38, 2), which is not read as date; declare \
         it as decimal<2>, or cast the column where the file is written\n"
    );
    let ran = run(&["--output", "shop.revenue=x.parquet", "--as", "deltas"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("deltas are written as NDJSON"), "{}", ran.stderr);
    let ran = run(&["--output", "shop.revenue=x.parquet.gz"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("Parquet files are packed inside"), "{}", ran.stderr);
}

#[test]
fn a_run_ends_when_its_state_comes_to_the_limit() {
    let scene = Scene::new();
    let circuit = "arqon: 1\ncircuit: full\nschemas: { R: { id: int64, text: string } }\ntopics:\n  \
                   a: { schema: R, carries: delta, edge: in }\n  \
                   b: { schema: R, carries: delta, edge: out }\n\
                   flow:\n  n:\n    from: a\n    do:\n      - distinct: all\n    to: b\n\
                   limits: { state: 64KiB }\nprofiles: { large: { limits: { state: 1MiB } } }\n\
                   access: { w: { publish: [a], subscribe: [b] } }\n";
    scene.write("full.yaml", circuit);
    let rows: Vec<String> =
        (0..1000).map(|id| format!("{{\"id\":{id},\"text\":\"{}\"}}", "x".repeat(100))).collect();
    scene.write("a.ndjson", &rows.join("\n"));
    let run = |more: &[&str]| {
        let plain = ["run", "full.yaml", "--until-idle", "--quiet", "--epoch-rows", "100"];
        let files = ["--input", "a=a.ndjson", "--output", "b=b.csv", "--as", "snapshot"];
        scene.arqon(&[&plain, &files, more].concat())
    };
    let ran = run(&[]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("error: the circuit holds "), "{}", ran.stderr);
    assert!(ran.stderr.contains("`limits: state` allows 64 KiB: "), "{}", ran.stderr);
    assert!(ran.stderr.contains(" in `n[0]`") && ran.stderr.contains(" in `a`"), "{}", ran.stderr);
    // What came before is there.
    let n_lines = scene.read("b.csv").lines().count();
    assert!((101..=1001).contains(&n_lines), "{n_lines}");
    let ran = run(&["--profile", "large"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn what_a_flow_writes_to_a_control_topic_comes_back_until_nothing_changes() {
    let scene = Scene::new();
    let head = "arqon: 1\ncircuit: round\nschemas: { R: { id: int64 } }\n";
    let topics = "topics:\n  a: { schema: R, carries: CARRIES, edge: in }\n  \
                  b: { schema: R, carries: CARRIES, control: true, edge: out }\n";
    let access = "access: { w: { publish: [a], subscribe: [b] } }\n";
    let run = |file: &str, carries: &str, flow: &str| {
        scene.write(file, &format!("{head}{topics}{flow}{access}").replace("CARRIES", carries));
        scene.write("a.ndjson", "{\"id\":1}\n{\"id\":3}\n");
        scene.arqon(&[
            "run",
            file,
            "--until-idle",
            "-q",
            "--epoch-rows",
            "1",
            "--input",
            "a=a.ndjson",
            "--output",
            "b=-",
        ])
    };
    let down = "flow:\n  n:\n    from: [a, b]\n    do:\n      - where: id < 4\n      \
                - select: [{ id: id + 1 }]\n    to: b\n";
    let ran = run("down.yaml", "events", down);
    let line = |epoch, id| format!("{{\"$epoch\":{epoch},\"$diff\":1,\"$row\":{{\"id\":{id}}}}}\n");
    let expected = [(2, 2), (3, 3), (3, 4), (4, 4)].map(|(epoch, id)| line(epoch, id)).concat();
    assert_eq!((ran.code, ran.stderr.as_str(), ran.stdout), (0, "", expected));

    let to_and_fro = "flow:\n  n:\n    from: a\n    do:\n      - join: b\n        \
                      match: { id: id }\n        kind: anti\n    to: b\n";
    let rings = run("rings.yaml", "delta", to_and_fro);
    let told = "error: topic `b` does not settle: what the flow writes to it still changes after \
                1000 epochs without input\n";
    assert_eq!((rings.code, rings.stderr.as_str()), (1, told));
    let last = rings.stdout.lines().last().unwrap_or_default();
    assert!(last.contains("\"$epoch\":1002,"), "{last}");

    let closed = scene.arqon(&["run", "down.yaml", "--until-idle", "-q", "--input", "b=a.ndjson"]);
    let message = "--input b=a.ndjson: no node reads topic `b` as input";
    assert!(closed.code == 2 && closed.stderr.contains(message), "{}", closed.stderr);
}

#[test]
fn what_has_no_effect_is_noted_and_what_would_lie_is_refused() {
    let scene = Scene::new();
    let head = "arqon: 1\ncircuit: shop\nschemas: { R: { id: int64 } }\n";
    scene.write(
        "tuned.yaml",
        &format!(
            "{head}topics:\n  a: {{ schema: R, edge: in, durable: true }}\n  b: {{ schema: R, \
             edge: out }}\nflow: {{ n: {{ from: a, to: b }} }}\naccess: {{ w: {{ publish: [a] }} }}\n"
        ),
    );
    let ran = scene.arqon(&["run", "tuned.yaml", "--until-idle"]);
    let note = "note: tuned.yaml:5:38: `durable` is checked, and has no effect in this version\n";
    assert_eq!((ran.code, ran.stderr.matches(note).count()), (0, 1), "{}", ran.stderr);
    let quiet = scene.arqon(&["run", "tuned.yaml", "--until-idle", "-q"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
    scene.write(
        "kept.yaml",
        &format!(
            "{head}operators:\n  o: {{ contract: arqonbus.nvm@1, via: {{ sim: {{ builtin: nvm }} }}, \
             limits: {{ runs: 1/s }} }}\ntopics:\n  a: {{ schema: R, edge: in }}\n  b: {{ schema: R, \
             carries: delta, edge: out }}\nflow:\n  n:\n    from: a\n    do:\n      - call: o\n        \
             job: {{ program_ref: p, input_data: [1.0] }}\n        keep: [id]\n      - select: [id]\n    \
             to: b\naccess: {{ w: {{ publish: [a] }} }}\n"
        ),
    );
    let refused = scene.arqon(&["run", "kept.yaml", "--until-idle"]);
    let said = "`call: o` is checked and drawn, and does not run in this version";
    assert_eq!((refused.code, refused.stderr.contains(said)), (1, true), "{}", refused.stderr);
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
    let arguments = [
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
    ];
    let mut command = scene.command(&arguments);
    let mut child = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
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
        let arguments = [
            "run",
            "shop.yaml",
            "-q",
            "--input",
            "shop.customers=customers.csv",
            "--input",
            "shop.orders=orders.csv",
            "--output",
            "shop.revenue=out.csv",
            "--output",
            "shop.orders.errors=seen.ndjson",
            "--ready-file",
            "ready.json",
        ];
        let mut child = Running::start(scene.command(&arguments).stdout(Stdio::null()));
        let url = scene.ready("ready.json");
        // It holds a token, which is nobody else's business.
        let ready = std::fs::metadata(scene.path("ready.json")).unwrap();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&ready.permissions()) & 0o077, 0);
        // One more order through the edge: when it is acknowledged, the files are in as well.
        let order = "{\"id\":20,\"customer\":1,\"amount\":\"1.00\",\"status\":\"paid\"}";
        let ran = scene.client(&url, &["pub", "shop.orders", order, "--applied"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let id = child.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        assert_eq!(child.ends(), Some(code), "{signal}");
        assert_eq!(scene.read("out.csv"), "region,revenue,orders\nEU,31.00,2\nUS,12.50,2\n");
    }
}

#[test]
fn clients_publish_and_follow_at_the_edge() {
    let scene = Scene::new();
    let arguments = ["run", "shop.yaml", "--format", "json", "--listen", "127.0.0.1:0"];
    let mut child = Running::start(scene.command(&arguments).stdout(Stdio::piped()));
    let mut lines = BufReader::new(child.process.stdout.take().unwrap()).lines();
    let ready: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert!(ready["ws"].as_str().unwrap().starts_with("ws://127.0.0.1:"), "{ready}");
    let edge =
        (ready["ws"].as_str().unwrap().to_owned(), ready["token"].as_str().unwrap().to_owned());
    let publish = |topic: &str, row: &str| {
        let ran = scene.client(&edge, &["pub", topic, row, "--applied", "--format", "json"]);
        (ran.code, ran.stdout + &ran.stderr)
    };
    assert_eq!(publish("shop.customers", "{\"id\":1,\"region\":\"EU\"}").0, 0);
    let (code, ack) = publish(
        "shop.orders",
        "{\"id\":10,\"customer\":1,\"amount\":\"30.00\",\"status\":\"paid\"}",
    );
    assert_eq!(code, 0, "{ack}");
    let ack: serde_json::Value = serde_json::from_str(&ack).unwrap();
    assert_eq!(ack["offset"], 1);

    let ran = scene.client(&edge, &["sub", "shop.revenue", "--as", "snapshot"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, "{\"region\":\"EU\",\"revenue\":\"30.00\",\"orders\":1}\n"),
        "{}",
        ran.stderr
    );
    let ran = scene.client(&edge, &["sub", "shop.revenue", "--count", "1"]);
    assert!(ran.stdout.starts_with("{\"$epoch\":2,\"$diff\":1,"), "{}", ran.stdout);

    // What the bus does not allow is said with its code, and the shell learns of it.
    let (code, said) = publish("shop.revenue", "{}");
    assert_eq!(code, 1);
    assert!(said.contains("FORBIDDEN"), "{said}");
    let (code, said) = publish("shop.orders", "{\"id\":10}");
    assert_eq!(code, 1);
    assert!(said.contains("SCHEMA_MISMATCH"), "{said}");
    let stranger = (edge.0.clone(), "not.a.token".to_owned());
    assert_eq!(scene.client(&stranger, &["sub", "shop.revenue"]).code, 3);
    assert_eq!(scene.arqon(&["sub", "shop.revenue"]).code, 2);
}

#[test]
fn the_edge_listens_on_loopback_only() {
    let scene = Scene::new();
    let ran = scene.arqon(&["run", "shop.yaml", "--listen", "0.0.0.0:0", "--until-idle"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("loopback"), "{}", ran.stderr);
}

#[test]
fn calls_are_refused_with_their_place() {
    let scene = Scene::new();
    let circuit = include_str!("../../circuits/ok/operators_planned.yaml");
    scene.write("calls.yaml", circuit);
    let ran = scene.arqon(&["run", "calls.yaml", "--until-idle", "-q"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("calls.yaml:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("does not run in this version"), "{}", ran.stderr);
}

#[test]
fn times_of_epochs_are_kept_and_taken_again() {
    let scene = Scene::new();
    scene.write(
        "came.yaml",
        "arqon: 1\ncircuit: came\nschemas:\n  A: { id: int64 }\n  B: { id: int64, came: timestamp }\n\
         topics:\n  a: { schema: A, edge: in }\n  b: { schema: B, edge: out }\nflow:\n  n:\n    \
         from: a\n    do:\n      - with: { came: epoch_time() }\n    to: b\naccess:\n  all: { publish: \
         [a], subscribe: [b] }\n",
    );
    scene.write("a.ndjson", "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
    let first = "{\"epoch\":1,\"time\":\"2001-02-03T04:05:06Z\"}\n";
    scene.write("times.ndjson", first);
    let run = || {
        let ran = scene.arqon(&[
            "run",
            "came.yaml",
            "--until-idle",
            "--quiet",
            "--epoch-rows",
            "2",
            "--times",
            "times.ndjson",
            "--input",
            "a=a.ndjson",
            "--output",
            "b=-",
        ]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let kept = std::fs::read_to_string(scene.path("times.ndjson")).unwrap();
        (ran.stdout, kept)
    };
    let (told, kept) = run();
    let lines: Vec<serde_json::Value> =
        told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["$row"]["came"], "2001-02-03T04:05:06Z");
    assert_eq!(lines[1]["$row"]["came"], "2001-02-03T04:05:06Z");
    let second: serde_json::Value = serde_json::from_str(kept.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&second["epoch"], &second["time"]), (&2.into(), &lines[2]["$row"]["came"]));
    assert!(kept.starts_with(first) && second["time"].as_str() > Some("2026"), "{kept}");
    assert_eq!(run(), (told, kept), "the second run has nothing to ask");

    scene.write("times.ndjson", "{\"epoch\":1}\n");
    let ran = scene.arqon(&["run", "came.yaml", "--until-idle", "--times", "times.ndjson"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("times.ndjson:1: no time of an epoch"), "{}", ran.stderr);
}

#[test]
fn decisions_of_kernels_are_kept_and_taken_again() {
    let scene = Scene::new();
    scene.write(
        "paths.yaml",
        "arqon: 1\ncircuit: paths\nimport: arqonbus/itmd/v1/metrics.proto\nschemas:\n  \
         Edge: { src: int64, dst: int64 }\n  Root: { id: int64 }\n\
         topics:\n  edges: { schema: Edge, carries: delta, edge: in }\n  \
         roots: { schema: Root, carries: full, key: id, edge: in }\n  \
         far: { schema: { id: int64, distance: int64 }, carries: delta, edge: out }\n  \
         told: { schema: ItmdMetrics, edge: out }\nflow:\n  reach:\n    \
         from: { edges: edges, roots: roots }\n    do:\n      - kernel: dynamic_graph\n        \
         args: { algorithm: shortest_paths }\n        metrics: told\n    to: far\n\
         access:\n  all: { publish: [edges, roots], subscribe: [far, told] }\n",
    );
    scene.write("roots.ndjson", "{\"id\":0}\n");
    let edge = |at: u64| format!("{{\"src\":{at},\"dst\":{}}}", at + 1);
    scene.write("edges.ndjson", &(0..6).map(edge).collect::<Vec<_>>().join("\n"));
    let run = || {
        scene.arqon(&[
            "run",
            "paths.yaml",
            "--until-idle",
            "--quiet",
            "--epoch-rows",
            "1",
            "--decisions",
            "kept.ndjson",
            "--input",
            "roots=roots.ndjson",
            "--input",
            "edges=edges.ndjson",
            "--output",
            "told=-",
        ])
    };
    let kept = || std::fs::read_to_string(scene.path("kept.ndjson")).unwrap();
    let modes = |told: &str| -> Vec<String> {
        let mode = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["$row"]["mode"].as_str().unwrap().to_owned()
        };
        told.lines().map(mode).collect()
    };
    let first = run();
    assert_eq!(first.code, 0, "{}", first.stderr);
    let written = kept();
    assert_eq!(written.lines().count(), modes(&first.stdout).len(), "{written}");

    // What stands there is taken, whatever the kernel would have chosen. That goes by how long its
    // steps took, so any of the two modes may stand there: the other one is put in its place.
    let (pass, itmd) = ("\"mode\":\"pass\"", "\"mode\":\"itmd\"");
    let flip = |line: &str| {
        if line.contains(pass) { line.replace(pass, itmd) } else { line.replace(itmd, pass) }
    };
    let other = written.lines().map(flip).collect::<Vec<_>>().join("\n") + "\n";
    let flipped: Vec<String> = modes(&first.stdout)
        .iter()
        .map(|mode| if mode == "pass" { "itmd" } else { "pass" }.to_owned())
        .collect();
    let n_first = other.lines().count() - 1;
    let most = other.lines().take(n_first).collect::<Vec<_>>().join("\n") + "\n";
    scene.write("kept.ndjson", &most);
    let again = run();
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(modes(&again.stdout)[..n_first], flipped[..n_first], "{}", again.stdout);
    let all = kept();
    assert!(all.starts_with(&most) && all.lines().count() == n_first + 1, "{all}");
    assert_eq!(run().stdout, again.stdout);
    assert_eq!(kept(), all, "the third run has nothing to decide");

    let gap = all.lines().skip(1).collect::<Vec<_>>().join("\n") + "\n";
    scene.write("kept.ndjson", &gap);
    let ran = run();
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("`kept.ndjson` has no decision of `reach[0]` for epoch"),
        "{}",
        ran.stderr
    );

    // A run that was stopped as it wrote its last line has taken no step by it.
    scene.write("kept.ndjson", &all[..all.len() - 20]);
    assert_eq!(run().stdout, again.stdout);
    assert_eq!(kept(), all, "what was cut off is written anew");
    scene.write("kept.ndjson", all.trim_end());
    assert_eq!(run().stdout, again.stdout);
    assert_eq!(kept(), all, "a last line that is whole is kept");

    // The circuit takes no step by its delta any more, whoever asks for one.
    let one_mode = scene.read("paths.yaml").replace("metrics:", "modes: [pass]\n        metrics:");
    scene.write("paths.yaml", &one_mode);
    scene.write("kept.ndjson", &all.replace(pass, itmd));
    let ran = run();
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("has no decision of `reach[0]` for epoch"), "{}", ran.stderr);
    assert!(!ran.stdout.contains(itmd), "{}", ran.stdout);

    scene.write("kept.ndjson", "{\"epoch\":1}\n");
    let ran = run();
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("kept.ndjson:1: no decision of a kernel"), "{}", ran.stderr);
}

#[test]
fn epochs_that_came_by_themselves_come_again() {
    let scene = Scene::new();
    scene.write(
        "present.yaml",
        "arqon: 1\ncircuit: present\nschemas:\n  Sign: { who: string }\n  All: { n: int64 }\n\
         topics:\n  signs: { schema: Sign, carries: full, key: who, retain: 10s, edge: in }\n  \
         all: { schema: All, carries: delta, edge: out }\nflow:\n  n:\n    from: signs\n    do:\n      \
         - group: []\n        agg: { n: count() }\n    to: all\naccess:\n  all: { publish: [signs], \
         subscribe: [all] }\n",
    );
    scene.write("signs.ndjson", "{\"who\":\"ann\"}\n{\"who\":\"bob\"}\n");
    let line = |epoch: u64, second: u64, tick: &str| {
        format!("{{\"epoch\":{epoch},\"time\":\"2001-01-01T00:00:{second:02}Z\"{tick}}}\n")
    };
    let tick = ",\"tick\":true";
    let kept = [line(1, 0, ""), line(2, 10, tick), line(3, 12, ""), line(4, 22, tick)].concat();
    scene.write("times.ndjson", &kept);
    let ran = scene.arqon(&[
        "run",
        "present.yaml",
        "--until-idle",
        "--quiet",
        "--epoch-rows",
        "1",
        "--times",
        "times.ndjson",
        "--input",
        "signs=signs.ndjson",
        "--output",
        "all=-",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let change = |epoch: u64, diff: i64, n: i64| {
        format!("{{\"$epoch\":{epoch},\"$diff\":{diff},\"$row\":{{\"n\":{n}}}}}\n")
    };
    let wanted: String = [(1, 1), (2, 0), (3, 1), (4, 0)]
        .iter()
        .map(|(epoch, n)| {
            let gone = if *epoch == 1 { String::new() } else { change(*epoch, -1, 1 - n) };
            gone + &change(*epoch, 1, *n)
        })
        .collect();
    assert_eq!(ran.stdout, wanted);
    assert_eq!(std::fs::read_to_string(scene.path("times.ndjson")).unwrap(), kept);
}
