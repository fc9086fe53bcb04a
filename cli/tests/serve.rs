//! `arqon serve` and the commands that look after its circuits, as a user types them.

#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

mod support;

use std::process::Command;

use serde_json::Value;
use support::{Ran, Running, SHOP, Scene};

const COUNTS: &str = "
arqon: 1
circuit: shop.counts
namespace: shop
schemas:
  Order: { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid|void> }
  Count: { n: int64 }
topics:
  shop.orders: { schema: Order, carries: full, key: id, edge: in }
  shop.counts: { schema: Count, carries: delta, edge: out }
flow:
  counts:
    from: shop.orders
    do:
      - group: []
        agg: { n: count() }
    to: shop.counts
access:
  shop.all: { publish: [shop.orders], subscribe: [shop.counts] }
";

const BEST: &str = "
arqon: 1
circuit: shop.best
namespace: shop
schemas:
  Revenue: { region: string, revenue: decimal<2>, orders: int64 }
topics:
  shop.revenue: { schema: Revenue, carries: delta, key: region, edge: in }
  shop.best:    { schema: Revenue, carries: delta, edge: out }
flow:
  best:
    from: shop.revenue
    do:
      - top: 1
        by: [revenue desc]
    to: shop.best
access:
  shop.all: { subscribe: [shop.best] }
";

const ORDER: &str = r#"{"id":10,"customer":1,"amount":"30.00","status":"paid"}"#;

fn serve(scene: &Scene, arguments: &[&str]) -> (Running, (String, String)) {
    let all = [&["serve", "--ready-file", "ready.json", "--quiet"], arguments].concat();
    let mut command = scene.command(&all);
    let running = Running::start(command.stderr(std::process::Stdio::null()));
    let place = scene.ready("ready.json");
    (running, place)
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

#[test]
fn circuits_are_installed_replaced_and_dropped_by_commands() {
    let scene = Scene::new();
    std::fs::create_dir(scene.path("none")).unwrap();
    scene.write("counts.yaml", COUNTS);
    let (mut server, place) = serve(&scene, &["none"]);
    let client = |arguments: &[&str]| scene.client(&place, arguments);
    assert_eq!(client(&["ps"]).stdout, "no circuit is installed\n");

    let installed = client(&["install", "shop.yaml"]);
    assert_eq!(installed.code, 0, "{installed:?}");
    assert!(installed.stdout.starts_with("installed shop.revenue at epoch 1: 0 rows taken in"));
    let again = client(&["install", "shop.yaml"]);
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("circuit `shop.revenue` is installed already"), "{again:?}");
    for (topic, row) in [("shop.customers", r#"{"id":1,"region":"EU"}"#), ("shop.orders", ORDER)] {
        assert_eq!(client(&["pub", "--applied", topic, row]).code, 0);
    }

    // One that comes later begins with what the topics hold, compiled elsewhere or here.
    assert_eq!(client(&["compile", "counts.yaml", "-o", "counts.arqon"]).code, 0);
    let installed = json(&client(&["--format", "json", "install", "counts.arqon"]));
    assert_eq!(installed["rows"], 1, "{installed}");
    let sub = client(&["sub", "--as", "snapshot", "shop.counts"]);
    assert_eq!(sub.stdout, "{\"n\":1}\n", "{sub:?}");

    let listed = client(&["ps"]);
    assert!(listed.stdout.contains("shop.counts") && listed.stdout.contains("running"));
    let one = json(&client(&["ps", "--format", "json", "shop.revenue"]));
    assert_eq!(one["state"], "running");
    assert_eq!(one["last"]["rows_in"], 1, "{one}");
    assert_eq!(one["last"]["churn"], 0.5, "one of two rows: {one}");
    assert!(one["steps"].as_array().unwrap().iter().any(|step| step["held"] == 1), "{one}");
    assert!(client(&["ps", "shop.revenue"]).stdout.contains("churn 0.5000"));

    // Another condition is another answer, at once.
    scene.write("other.yaml", &SHOP.replace("status == \"paid\"", "status == \"void\""));
    let replaced = client(&["replace", "other.yaml"]);
    assert_eq!(replaced.code, 0, "{replaced:?}");
    assert!(replaced.stdout.contains("2 rows taken in, 1 change to its topics"), "{replaced:?}");
    assert_eq!(client(&["sub", "--as", "snapshot", "shop.revenue"]).stdout, "");

    // What clients cannot follow is refused with 5, and made if it is meant.
    let narrow = SHOP.replace("revenue: decimal<2>, orders: int64 }", "revenue: decimal<2> }");
    let narrow = narrow
        .replace("agg: { revenue: sum(amount), orders: count() }", "agg: { revenue: sum(amount) }");
    let narrow = narrow.split("\ntests:").next().unwrap().to_owned() + "\n";
    scene.write("narrow.yaml", &narrow);
    let refused = client(&["replace", "narrow.yaml"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(
        refused.stderr.contains("topic `shop.revenue`: the field `orders` is gone"),
        "{refused:?}"
    );
    assert_eq!(client(&["replace", "--force", "narrow.yaml"]).code, 0);
    let snapshot = client(&["sub", "--as", "snapshot", "shop.revenue"]);
    assert_eq!(snapshot.stdout, "{\"region\":\"EU\",\"revenue\":\"30.00\"}\n", "{snapshot:?}");

    let dropped = client(&["drop", "shop.revenue"]);
    assert!(dropped.stdout.starts_with("dropped shop.revenue at epoch"), "{dropped:?}");
    assert_eq!(client(&["drop", "shop.revenue"]).code, 1);
    assert_eq!(client(&["replace", "shop.yaml"]).code, 1, "there is none to replace");
    let gone = client(&["sub", "shop.revenue"]);
    assert!(gone.stderr.contains("UNKNOWN_TOPIC"), "{gone:?}");

    let id = server.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(server.ends(), Some(0));
}

#[test]
fn a_directory_is_served_and_what_is_wrong_with_one_file_is_told() {
    let scene = Scene::new();
    scene.write("all/a.yaml", SHOP);
    scene.write("all/b.yaml", &COUNTS.replace("count()", "cuont()"));
    scene.write("all/c.yaml", &COUNTS.replace("amount: decimal<2>", "amount: decimal<3>"));
    scene.write("all/sub/d.yaml", COUNTS);
    scene.write("all/notes.yaml", "on: push\n");
    let mut command = scene.command(&["serve", "all", "--ready-file", "ready.json"]);
    let errors = std::fs::File::create(scene.path("stderr")).unwrap();
    let mut server = Running::start(command.stderr(errors));
    let place = scene.ready("ready.json");
    let listed = json(&scene.client(&place, &["ps", "--format", "json"]));
    let names: Vec<&str> = listed["circuits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["shop.counts", "shop.revenue"]);
    let stderr = scene.read("stderr");
    assert!(stderr.contains("installed shop.revenue, all/a.yaml"), "{stderr}");
    assert!(stderr.contains("cuont") && stderr.contains("did you mean `count`"), "{stderr}");
    assert!(stderr.contains("all/c.yaml: topic `shop.orders` belongs to circuit"), "{stderr}");
    assert!(stderr.contains("warning: not all circuits are installed"), "{stderr}");
    let id = server.process.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(server.ends(), Some(130));
}

#[test]
fn a_circuit_that_reads_what_another_writes_is_installed_behind_it() {
    let scene = Scene::new();
    scene.write("all/a.yaml", BEST);
    scene.write("all/b.yaml", SHOP);
    let mut command = scene.command(&["serve", "all", "--ready-file", "ready.json"]);
    let errors = std::fs::File::create(scene.path("stderr")).unwrap();
    let mut server = Running::start(command.stderr(errors));
    let place = scene.ready("ready.json");
    let stderr = scene.read("stderr");
    let at = |name: &str| stderr.find(&format!("installed {name}")).expect(name);
    assert!(at("shop.revenue") < at("shop.best"), "{stderr}");
    let second = ORDER.replace("10", "11").replace("\"customer\":1", "\"customer\":2");
    for (topic, row) in [
        ("shop.customers", r#"{"id":1,"region":"EU"}"#),
        ("shop.customers", r#"{"id":2,"region":"US"}"#),
        ("shop.orders", ORDER),
        ("shop.orders", &second.replace("30.00", "31.00")),
    ] {
        let published = scene.client(&place, &["pub", topic, row]);
        assert_eq!(published.code, 0, "{published:?}");
    }
    let best = scene.client(&place, &["sub", "shop.best", "--as", "snapshot"]);
    assert!(best.stdout.contains("\"US\"") && !best.stdout.contains("\"EU\""), "{best:?}");
    let refused = scene.client(&place, &["drop", "shop.revenue"]);
    assert!(refused.stderr.contains("circuit `shop.best` reads topic"), "{refused:?}");
    let id = server.process.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(server.ends(), Some(130));
}

#[test]
fn circuits_are_looked_after_by_those_who_may() {
    let scene = Scene::new();
    scene.write("secret", "an unguessable secret of at least 32 bytes\n");
    scene.write("config.yaml", "token_secret_file: secret\n");
    let (server, (url, _)) = serve(&scene, &["--config", "config.yaml"]);
    let mint = |grants: &[&str]| {
        let grants = grants.iter().flat_map(|grant| ["--grant", grant]);
        let mut all = vec!["token", "mint", "--secret-file", "secret", "--subject", "it"];
        all.extend(grants);
        scene.arqon(&all).stdout.trim().to_owned()
    };
    let own = (url.clone(), mint(&["can_admin:shop.*"]));
    assert_eq!(scene.client(&own, &["install", "shop.yaml"]).code, 0);
    let other = (url.clone(), mint(&["can_admin:lab.*", "can_publish:>"]));
    let refused = scene.client(&other, &["drop", "shop.revenue"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("can_admin:shop.revenue"), "{refused:?}");
    assert_eq!(scene.client(&other, &["ps"]).stdout, "no circuit is installed\n");
    let nobody = (url, "no.such.token".to_owned());
    assert_eq!(scene.client(&nobody, &["ps"]).code, 1);
    assert_eq!(scene.client(&own, &["drop", "shop.revenue"]).code, 0);
    drop(server);
}
