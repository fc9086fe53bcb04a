//! Circuits come, take the place of others, and go, while clients publish and subscribe.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod house;
mod control;
mod chain;
mod law;
mod living;
mod past;
mod random;
mod sharing;

use arqon_client::{As, Begin, ErrorCode, Message, SessionError, Subscribe};
use arqon_engine::{Changes, TopicInput};
use arqon_server::{ChangeError, Replacing};
use arqon_types::{Change, Epoch, Row, TopicName, Value};

use house::House;

/// A circuit that sums up orders by region.
const SALES: &str = "
arqon: 1
circuit: shop.sales
namespace: shop
schemas:
  Order: { id: int64, region: string, amount: int64 }
  Sum:   { region: string, total: int64 }
topics:
  shop.orders: { schema: Order, carries: full, key: id, edge: in }
  shop.sales:  { schema: Sum, carries: delta, key: region, edge: out }
flow:
  sales:
    from: shop.orders
    do:
      - where: amount > 0
      - group: [region]
        agg: { total: sum(amount) }
    to: shop.sales
access:
  shop.all: { publish: [shop.orders], subscribe: [shop.sales] }
";

/// Another one, over the same orders.
const COUNTS: &str = "
arqon: 1
circuit: shop.counts
namespace: shop
schemas:
  Order: { id: int64, region: string, amount: int64 }
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

fn order(id: i64, region: &str, amount: i64) -> Message {
    let row = format!(r#"{{"id":{id},"region":"{region}","amount":{amount}}}"#);
    Message::row("shop.orders", row)
}

fn sum(region: &str, total: i64) -> String {
    format!(r#"{{"region":"{region}","total":{total}}}"#)
}

fn refusal(error: Option<SessionError>) -> (ErrorCode, String) {
    match error {
        Some(SessionError::Refused(refusal)) => (refusal.code, refusal.message),
        other => panic!("no refusal, but {other:?}"),
    }
}

#[test]
fn circuits_share_their_inputs_and_a_new_one_begins_with_what_they_hold() {
    let house = House::new(1);
    let client = house.client();
    assert_eq!(house.install(SALES).unwrap().epoch, Epoch(1));
    house.publish(&client, order(1, "EU", 30)).unwrap();
    house.publish(&client, order(2, "US", 12)).unwrap();
    let installed = house.install(COUNTS).unwrap();
    assert_eq!((installed.epoch, installed.n_rows), (Epoch(4), 2));
    assert_eq!(installed.starts_without, []);
    let mut counts = house.subscribe(&client, Subscribe::to("shop.counts")).unwrap();
    assert_eq!(house.rows(&mut counts, Epoch(4)), [(r#"{"n":2}"#.to_owned(), 1)]);
    let epoch = house.publish(&client, order(3, "EU", 5)).unwrap();
    let mut sales = house.subscribe(&client, Subscribe::to("shop.sales")).unwrap();
    assert_eq!(house.rows(&mut counts, epoch), [(r#"{"n":3}"#.to_owned(), 1)]);
    assert_eq!(house.rows(&mut sales, epoch), [(sum("EU", 35), 1), (sum("US", 12), 1)]);

    // One goes, and its clients hear of it; the other goes on with what both read.
    house.drop("shop.sales").unwrap();
    let (code, message) = refusal(house.end(&mut sales));
    assert_eq!(code, ErrorCode::Gone);
    assert!(message.contains("circuit `shop.sales` was dropped"), "{message}");
    let epoch = house.publish(&client, order(1, "EU", 1)).unwrap();
    let epoch = epoch.max(house.publish(&client, order(9, "EU", 1)).unwrap());
    assert_eq!(house.rows(&mut counts, epoch), [(r#"{"n":4}"#.to_owned(), 1)]);
    let again = house.subscribe(&client, Subscribe::to("shop.sales"));
    assert_eq!(refusal(again.err()).0, ErrorCode::UnknownTopic);
    house.server.finish(1001).unwrap();
}

#[test]
fn a_replacement_is_one_delta_at_its_epoch() {
    let house = House::new(2);
    let client = house.client();
    house.install(SALES).unwrap();
    let mut early = house.subscribe(&client, Subscribe::to("shop.sales")).unwrap();
    for (id, region, amount) in [(1, "EU", 30), (2, "US", 12), (3, "US", -7), (4, "AS", 1)] {
        house.publish(&client, order(id, region, amount)).unwrap();
    }
    house.rows(&mut early, Epoch(5));
    let replaced = house.replace(&SALES.replace("amount > 0", "amount != 1")).unwrap();
    assert_eq!((replaced.epoch, replaced.n_rows, replaced.updates), (Epoch(6), 4, 3));
    assert!(replaced.difference.unwrap().is_compatible());
    let expected = [(6, -1, sum("AS", 1)), (6, -1, sum("US", 12)), (6, 1, sum("US", 5))];
    assert_eq!(house.changes(&mut early), expected);
    // Whoever comes later, or asks for what came before, sees the same.
    let mut late = house.subscribe(&client, Subscribe::to("shop.sales")).unwrap();
    let since = Subscribe::to("shop.sales").from(Begin::Epoch(5));
    let mut since = house.subscribe(&client, since).unwrap();
    assert_eq!(house.changes(&mut since), expected);
    let epoch = house.publish(&client, order(3, "US", 1)).unwrap();
    let rows = [(sum("EU", 30), 1), (sum("US", 12), 1)];
    assert_eq!(house.rows(&mut early, epoch), rows);
    assert_eq!(house.rows(&mut late, epoch), rows);
    house.server.finish(1001).unwrap();
}

#[test]
fn what_clients_cannot_follow_is_refused_unless_it_is_meant() {
    let house = House::new(1);
    let client = house.client();
    house.install(SALES).unwrap();
    house.publish(&client, order(1, "EU", 30)).unwrap();
    let mut sales = house.subscribe(&client, Subscribe::to("shop.sales")).unwrap();
    let other = SALES
        .replace("region: string, total: int64 }", "region: string, total: float64 }")
        .replace("sum(amount)", "avg(amount)");
    assert!(matches!(house.replace(&other), Err(ChangeError::Incompatible { .. })));
    let epoch = house.publish(&client, order(2, "EU", 1)).unwrap();
    assert_eq!(house.rows(&mut sales, epoch), [(sum("EU", 31), 1)], "nothing has changed");
    assert!(matches!(house.install(SALES), Err(ChangeError::Installed(_))));

    house.put(&other, Replacing::Whatever, |_| {}).unwrap();
    let (code, message) = refusal(house.end(&mut sales));
    assert_eq!(code, ErrorCode::Gone);
    let topic =
        house::plan(&other).topics.iter().find(|it| it.name.as_str() == "shop.sales").cloned();
    let hash = arqon_server::schema_hash(&topic.unwrap().schema);
    assert!(message.contains(&hash), "{message}");
    let mut sales = house.subscribe(&client, Subscribe::to("shop.sales")).unwrap();
    let epoch = house.publish(&client, order(3, "US", 1)).unwrap();
    let rows = house.rows(&mut sales, epoch);
    assert_eq!(
        rows,
        [
            (r#"{"region":"EU","total":15.5}"#.to_owned(), 1),
            (r#"{"region":"US","total":1.0}"#.to_owned(), 1)
        ]
    );
    house.server.finish(1001).unwrap();
}

#[test]
fn a_topic_has_one_writer_and_one_contract() {
    let house = House::new(1);
    house.install(SALES).unwrap();
    let conflict = |text: &str| match house.install(text) {
        Err(ChangeError::Conflict(message)) => message,
        other => panic!("no conflict, but {other:?}"),
    };
    let writer = SALES.replace("circuit: shop.sales", "circuit: shop.more");
    let message = conflict(&writer);
    assert!(message.contains("`shop.sales`") && message.contains("one circuit"), "{message}");
    let reader = COUNTS.replace("amount: int64", "amount: float64");
    assert!(conflict(&reader).contains("schema"), "{}", conflict(&reader));
    let elsewhere = COUNTS.replace("namespace: shop", "namespace: other");
    assert!(conflict(&elsewhere).contains("namespace `shop`"), "{}", conflict(&elsewhere));
    assert!(matches!(house.drop("shop.counts"), Err(ChangeError::Unknown(_))));
    house.server.finish(1001).unwrap();
}

#[test]
fn a_circuit_that_panics_stops_loudly_and_no_other() {
    for n_workers in [1, 2, 4] {
        let house = House::new(n_workers);
        let client = house.client();
        let bomb = |output: &arqon_engine::RowOutput| {
            assert!(output.stats.rows_in == 0, "a bomb went off");
        };
        house.put(SALES, Replacing::Never, bomb).unwrap();
        house.install(COUNTS).unwrap();
        let mut sales = house.subscribe(&client, Subscribe::to("shop.sales")).unwrap();
        let mut counts = house.subscribe(&client, Subscribe::to("shop.counts")).unwrap();
        let epoch = house.publish(&client, order(1, "EU", 30)).unwrap();
        assert_eq!(house.rows(&mut counts, epoch), [(r#"{"n":1}"#.to_owned(), 1)]);
        let (code, message) = refusal(house.end(&mut sales));
        assert_eq!(code, ErrorCode::Unavailable);
        assert!(message.contains("circuit `shop.sales` has stopped: a bomb went off"), "{message}");
        let stopped: Vec<(String, bool)> = house
            .server
            .report()
            .unwrap()
            .circuits
            .into_iter()
            .map(|circuit| (circuit.name, circuit.stopped.is_some()))
            .collect();
        let expected = [("shop.counts".to_owned(), false), ("shop.sales".to_owned(), true)];
        assert_eq!(stopped, expected);
        // The other holds what both read, so that a sound one takes its place as if nothing were.
        house.replace(SALES).unwrap();
        let mut sales = house.subscribe(&client, Subscribe::to("shop.sales")).unwrap();
        let epoch = house.publish(&client, order(2, "EU", 1)).unwrap();
        assert_eq!(house.rows(&mut sales, epoch), [(sum("EU", 31), 1)]);
        assert_eq!(house.rows(&mut counts, epoch), [(r#"{"n":2}"#.to_owned(), 1)]);
        house.server.finish(1001).unwrap();
    }
}

#[test]
fn a_lone_circuit_that_stops_refuses_what_comes() {
    let house = House::new(1);
    let client = house.client();
    let bomb = |output: &arqon_engine::RowOutput| {
        assert!(output.stats.rows_in == 0, "a bomb went off");
    };
    house.put(SALES, Replacing::Never, bomb).unwrap();
    let first = house.publish(&client, order(1, "EU", 30));
    assert_eq!(refusal(first.err()).0, ErrorCode::Unavailable);
    let (code, message) = refusal(house.publish(&client, order(2, "EU", 30)).err());
    assert_eq!(code, ErrorCode::Unavailable);
    assert!(message.contains("a bomb went off"), "{message}");
    house.drop("shop.sales").unwrap();
    house.install(SALES).unwrap();
    house.publish(&client, order(3, "EU", 30)).unwrap();
    house.server.finish(1001).unwrap();
}

#[test]
fn patterns_follow_topics_that_come() {
    let house = House::new(1);
    let client = house.client();
    house.install(SALES).unwrap();
    house.publish(&client, order(1, "EU", 30)).unwrap();
    let mut all = house.subscribe(&client, Subscribe::to("shop.>").deliver(As::Deltas)).unwrap();
    assert_eq!(house.next_rows(&mut all), [("shop.sales".to_owned(), 1, sum("EU", 30))]);
    house.install(COUNTS).unwrap();
    let found = std::iter::repeat_with(|| house.next_rows(&mut all)).find(|rows| !rows.is_empty());
    assert_eq!(found.unwrap(), [("shop.counts".to_owned(), 1, r#"{"n":1}"#.to_owned())]);
    // What the server says of itself is for those who ask for it.
    let mut all = house.subscribe(&client, Subscribe::to(">")).unwrap();
    for topic in ["shop.counts", "shop.sales"] {
        assert_eq!(house.next_rows(&mut all)[0].0, topic);
    }
    assert!(house.next_rows(&mut all).is_empty(), "no more than a mark of progress");
    let mut own = house.subscribe(&client, Subscribe::to("system.>")).unwrap();
    assert_eq!(house.events(&mut own, 3).len(), 3);
    house.server.finish(1001).unwrap();
}

#[test]
fn others_go_on_while_a_circuit_takes_in_what_is_held() {
    const N_ROWS: i64 = 150_000;
    let house = House::new(1);
    let client = house.client();
    house.install(SALES).unwrap();
    let row = |id: i64| -> Row { vec![Value::Int(id), Value::string("EU"), Value::Int(1)].into() };
    let changes = Changes::Rows((0..N_ROWS).map(|id| Change::Upsert(row(id))).collect());
    let topic = TopicName::parse("shop.orders").unwrap();
    house.server.feed(vec![TopicInput { topic, changes }]).unwrap();
    let n_published = std::thread::scope(|scope| {
        let install = scope.spawn(|| house.install(COUNTS).unwrap());
        let mut n_published = 0;
        while !install.is_finished() {
            house.publish(&client, order(N_ROWS + n_published, "EU", 1)).unwrap();
            n_published += 1;
        }
        n_published
    });
    // Had they waited, no more than one would have been answered.
    assert!(n_published > 2, "{n_published} messages were answered meanwhile");
    let mut counts = house.subscribe(&client, Subscribe::to("shop.counts")).unwrap();
    let mut sales = house.subscribe(&client, Subscribe::to("shop.sales")).unwrap();
    let epoch = house.server.report().unwrap().epoch;
    let n = N_ROWS + n_published;
    assert_eq!(house.rows(&mut counts, epoch), [(format!(r#"{{"n":{n}}}"#), 1)]);
    assert_eq!(house.rows(&mut sales, epoch), [(sum("EU", n), 1)]);
    house.server.finish(1001).unwrap();
}

#[test]
fn replacements_under_load_lose_and_repeat_nothing() {
    const N: i64 = 50;
    let house = House::new(2);
    let client = house.client();
    house.install(SALES).unwrap();
    house.install(COUNTS).unwrap();
    let mut early = house.subscribe(&client, Subscribe::to("shop.sales")).unwrap();
    let n_published = std::thread::scope(|scope| {
        let replacing = scope.spawn(|| {
            for at in 0..N {
                house.replace(&SALES.replace("amount > 0", &format!("amount != {at}"))).unwrap();
            }
        });
        let mut n_published = 0;
        while !replacing.is_finished() {
            house.publish(&client, order(n_published, "EU", n_published)).unwrap();
            n_published += 1;
        }
        n_published
    });
    let epoch = house.server.report().unwrap().epoch;
    let left_out = if N <= n_published { N - 1 } else { 0 };
    let total = (0..n_published).sum::<i64>() - left_out;
    assert_eq!(house.rows(&mut early, epoch), [(sum("EU", total), 1)]);
    let mut late = house.subscribe(&client, Subscribe::to("shop.sales")).unwrap();
    assert_eq!(house.rows(&mut late, epoch), [(sum("EU", total), 1)]);
    house.server.finish(1001).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn two_hundred_circuits_leave_nothing_behind() {
    let count = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let house = House::new(2);
    house.install(COUNTS).unwrap();
    let mut baseline = 0;
    for at in 0..200 {
        house.install(SALES).unwrap();
        house.drop("shop.sales").unwrap();
        if at == 20 {
            baseline = count();
        }
    }
    // An engine ends beside the rest, and threads of other tests come and go.
    for _ in 0..1000 {
        if count() <= baseline + 24 {
            break;
        }
        house.pause();
    }
    assert!(count() <= baseline + 24, "{} threads, {baseline} after the first", count());
    let report = house.server.report().unwrap();
    assert_eq!((report.circuits.len(), report.topics.len()), (1, 3));
    house.server.finish(1001).unwrap();
}
