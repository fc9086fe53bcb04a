//! Circuits that read the same input have its table in common, and each goes on without the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arqon_client::{Client, Message, Subscribe};
use arqon_engine::{Changes, TopicInput};
use arqon_types::{ColumnBatch, Epoch, TopicName, Type, Value};

use crate::house::House;
use crate::{COUNTS, SALES, order, sum};

fn shares(house: &House, name: &str) -> Vec<(String, Vec<String>)> {
    let report = house.server.report().unwrap();
    let circuit = report.circuits.into_iter().find(|it| it.name == name).unwrap();
    circuit.in_common.tables.into_iter().map(|(topic, with)| (topic.to_string(), with)).collect()
}

fn with(name: &str) -> Vec<(String, Vec<String>)> {
    vec![("shop.orders".to_owned(), vec![name.to_owned()])]
}

/// Orders that come, are replaced and are taken back; the epoch of the last.
fn trade(house: &House, client: &Client, from: i64) -> Epoch {
    let mut epoch = Epoch::ZERO;
    for id in from..from + 40 {
        house.publish(client, order(id, "EU", 1)).unwrap();
        epoch =
            house.publish(client, order(id, if id % 2 == 0 { "EU" } else { "US" }, 10)).unwrap();
        if id % 4 == 0 {
            let key = format!(r#"{{"id":{id}}}"#);
            epoch = house.publish(client, Message::delete("shop.orders", key)).unwrap();
        }
    }
    epoch
}

#[test]
fn the_table_of_a_topic_is_there_once_for_all_circuits_that_read_it() {
    for n_workers in [1, 2, 4] {
        let house = House::new(n_workers);
        let client = house.client();
        house.install(SALES).unwrap();
        assert_eq!(shares(&house, "shop.sales"), []);
        trade(&house, &client, 0);
        // One that comes later has the rows that came before in common as well.
        assert_eq!(house.install(COUNTS).unwrap().n_rows, 30);
        assert_eq!(shares(&house, "shop.sales"), with("shop.counts"));
        assert_eq!(shares(&house, "shop.counts"), with("shop.sales"));
        let mut sales = house.subscribe(&client, Subscribe::to("shop.sales")).unwrap();
        let mut counts = house.subscribe(&client, Subscribe::to("shop.counts")).unwrap();
        // The same keys again, and new ones.
        let epoch = trade(&house, &client, 20);
        let both = [(sum("EU", 150), 1), (sum("US", 300), 1)];
        assert_eq!(house.rows(&mut sales, epoch), both);
        assert_eq!(house.rows(&mut counts, epoch), [(r#"{"n":45}"#.to_owned(), 1)]);
        // A replaced one takes part again, and who is left goes on alone.
        house.replace(&SALES.replace("amount > 0", "amount >= 0")).unwrap();
        assert_eq!(shares(&house, "shop.counts"), with("shop.sales"));
        let epoch = trade(&house, &client, 50);
        assert_eq!(house.rows(&mut sales, epoch), [(sum("EU", 220), 1), (sum("US", 450), 1)]);
        house.drop("shop.sales").unwrap();
        assert_eq!(shares(&house, "shop.counts"), []);
        let epoch = trade(&house, &client, 100);
        assert_eq!(house.rows(&mut counts, epoch), [(r#"{"n":97}"#.to_owned(), 1)]);
        assert_eq!(house.install(SALES).unwrap().n_rows, 97);
        assert_eq!(shares(&house, "shop.sales"), with("shop.counts"));
        house.server.finish(1001).unwrap();
    }
}

/// Customers with what they ordered; `NAME` and `LAST` are for each circuit.
const JOINED: &str = "
arqon: 1
circuit: shop.NAME
namespace: shop
schemas:
  Order:    { id: int64, region: string, amount: int64 }
  Customer: { region: string, rank: int64 }
  Sum:      { rank: int64, total: int64 }
topics:
  shop.orders:    { schema: Order, carries: full, key: id, edge: in }
  shop.customers: { schema: Customer, carries: delta, edge: in }
  shop.NAME:      { schema: Sum, carries: delta, edge: out }
flow:
  NAME:
    from: shop.orders
    do:
      - join: shop.customers
        match: { region: region }
        as: customer
      - group: { rank: customer.rank }
        agg: { total: LAST }
    to: shop.NAME
access:
  shop.all: { publish: [shop.orders, shop.customers], subscribe: [shop.NAME] }
";

fn steps(house: &House, name: &str) -> Vec<(String, Vec<String>)> {
    let report = house.server.report().unwrap();
    let circuit = report.circuits.into_iter().find(|it| it.name == name).unwrap();
    circuit.in_common.steps.into_iter().collect()
}

#[test]
fn the_state_of_a_step_is_there_once_for_all_circuits_that_have_it() {
    let joined = |name: &str, last: &str| JOINED.replace("NAME", name).replace("LAST", last);
    for n_workers in [1, 2, 4] {
        let house = House::new(n_workers);
        let client = house.client();
        house.install(&joined("sums", "sum(amount)")).unwrap();
        let customer = |diff, region: &str, rank: i64| {
            let row = format!(r#"{{"region":"{region}","rank":{rank}}}"#);
            Message::changes("shop.customers", [(diff, row.as_str())])
        };
        house.publish(&client, customer(1, "EU", 1)).unwrap();
        house.publish(&client, customer(1, "US", 2)).unwrap();
        trade(&house, &client, 0);
        // The join is the same, and the group is another; then both are.
        house.install(&joined("most", "max(amount)")).unwrap();
        house.install(&joined("again", "sum(amount)")).unwrap();
        let of = |names: &[&str]| names.iter().map(|it| format!("shop.{it}")).collect::<Vec<_>>();
        assert_eq!(
            steps(&house, "shop.again"),
            [
                ("again[0]".to_owned(), of(&["sums", "most"])),
                ("again[1]".to_owned(), of(&["sums"]))
            ]
        );
        assert_eq!(steps(&house, "shop.most"), [("most[0]".to_owned(), of(&["sums", "again"]))]);
        let mut followers = ["sums", "most", "again"]
            .map(|name| house.subscribe(&client, Subscribe::to(format!("shop.{name}"))).unwrap());
        let total = |rank: i64, total: i64| (format!(r#"{{"rank":{rank},"total":{total}}}"#), 1);
        for (message, sums, most) in [
            (order(1, "EU", 70), [(1, 170), (2, 190)], [(1, 70), (2, 10)]),
            (customer(-1, "US", 2), [(1, 170), (0, 0)], [(1, 70), (0, 0)]),
            (customer(1, "US", 1), [(1, 360), (0, 0)], [(1, 70), (0, 0)]),
            (customer(1, "EU", 3), [(1, 360), (3, 170)], [(1, 70), (3, 70)]),
        ] {
            let epoch = house.publish(&client, message).unwrap();
            for (follower, expected) in followers.iter_mut().zip([sums, most, sums]) {
                let expected = expected.into_iter().filter(|it| it.0 != 0);
                let expected: Vec<_> = expected.map(|(rank, n)| total(rank, n)).collect();
                assert_eq!(house.rows(follower, epoch), expected, "{n_workers} workers");
            }
        }
        // The first of them goes, and the others go on.
        house.drop("shop.sums").unwrap();
        assert_eq!(steps(&house, "shop.again"), [("again[0]".to_owned(), of(&["most"]))]);
        let epoch = house.publish(&client, order(1, "US", 1000)).unwrap();
        assert_eq!(house.rows(&mut followers[2], epoch), [total(1, 1290), total(3, 100)]);
        assert_eq!(house.rows(&mut followers[1], epoch), [total(1, 1000), total(3, 10)]);
        house.server.finish(1001).unwrap();
    }
}

/// Two joins that hold customers together; `NAME` is for each circuit.
const PAIR: &str = "
arqon: 1
circuit: shop.NAME
namespace: shop
schemas:
  Order:    { id: int64, region: string, amount: int64 }
  Customer: { region: string, rank: int64, name: string }
  Sum:      { rank: int64, total: int64 }
  Named:    { id: int64, name: string }
topics:
  shop.orders:    { schema: Order, carries: full, key: id, edge: in }
  shop.customers: { schema: Customer, carries: delta, edge: in }
  shop.NAME:      { schema: Sum, carries: delta, edge: out }
  shop.NAME_ids:  { schema: Named, carries: delta, edge: out }
flow:
  NAME:
    from: shop.orders
    do:
      - join: shop.customers
        match: { region: region }
        as: customer
      - group: { rank: customer.rank }
        agg: { total: sum(amount) }
    to: shop.NAME
  NAME_ids:
    from: shop.orders
    do:
      - join: shop.customers
        match: { region: region }
        as: customer
        kind: left
        where: amount < customer.rank
      - select: { id: id, name: customer.name // \"nobody\" }
    to: shop.NAME_ids
access:
  shop.all: { publish: [shop.orders, shop.customers], subscribe: [shop.NAME, shop.NAME_ids] }
";

/// What joins of one circuit hold together, circuits have in common as well; who is left has it.
#[test]
fn what_joins_hold_together_goes_from_circuit_to_circuit() {
    let pair = |name: &str| PAIR.replace("NAME", name);
    for n_workers in [1, 2, 4] {
        let house = House::new(n_workers);
        let client = house.client();
        house.install(&pair("one")).unwrap();
        let customer = |diff, region: &str, rank: i64| {
            let row = format!(r#"{{"region":"{region}","rank":{rank},"name":"{region}{rank}"}}"#);
            Message::changes("shop.customers", [(diff, row.as_str())])
        };
        house.publish(&client, customer(1, "EU", 1)).unwrap();
        house.publish(&client, order(1, "EU", 5)).unwrap();
        house.publish(&client, order(2, "US", 7)).unwrap();
        house.install(&pair("two")).unwrap();
        let of = |name: &str| vec![format!("shop.{name}")];
        let both = |own: &str, with: &str| {
            [format!("{own}[0]"), format!("{own}[1]"), format!("{own}_ids[0]")]
                .map(|step| (step, of(with)))
        };
        assert_eq!(steps(&house, "shop.one"), both("one", "two"));
        assert_eq!(steps(&house, "shop.two"), both("two", "one"));
        let mut sums = house.subscribe(&client, Subscribe::to("shop.two")).unwrap();
        let mut ids = house.subscribe(&client, Subscribe::to("shop.two_ids")).unwrap();
        let sum = |rank: i64, total: i64| (format!(r#"{{"rank":{rank},"total":{total}}}"#), 1);
        let id = |id: i64, name: &str| (format!(r#"{{"id":{id},"name":"{name}"}}"#), 1);
        // Customers and orders change in turn; midway the first circuit goes, and comes again.
        for (at, (message, sums_then, ids_then)) in [
            (customer(1, "US", 9), vec![sum(1, 5), sum(9, 7)], [id(1, "nobody"), id(2, "US9")]),
            (order(1, "US", 8), vec![sum(9, 15)], [id(1, "US9"), id(2, "US9")]),
            (customer(-1, "US", 9), vec![], [id(1, "nobody"), id(2, "nobody")]),
            (customer(1, "US", 8), vec![sum(8, 15)], [id(1, "nobody"), id(2, "US8")]),
            (order(2, "EU", 0), vec![sum(1, 0), sum(8, 8)], [id(1, "nobody"), id(2, "EU1")]),
        ]
        .into_iter()
        .enumerate()
        {
            let epoch = house.publish(&client, message).unwrap();
            assert_eq!(house.rows(&mut sums, epoch), sums_then, "{n_workers} workers, {at}");
            assert_eq!(house.rows(&mut ids, epoch), ids_then, "{n_workers} workers, {at}");
            match at {
                1 => {
                    house.drop("shop.one").unwrap();
                }
                3 => {
                    house.install(&pair("one")).unwrap();
                    assert_eq!(steps(&house, "shop.two"), both("two", "one"));
                }
                _ => {}
            }
        }
        house.server.finish(1002).unwrap();
    }
}

/// Two circuits have the same join, and in one of them another join needs more of the customers:
/// what it holds of them is more, so each has its own.
#[test]
fn a_join_that_holds_more_for_others_is_another() {
    let pair = PAIR
        .replace("rank: int64, name: string", "rank: int64")
        .replace("sum(amount)", "sum(amount + 0 * id)")
        .replace("customer.name // \"nobody\"", "customer.region // \"nobody\"");
    let (flow, access) = pair.split_once("  NAME_ids:\n    from").expect("a second node");
    let (_, access) = access.split_once("access:").expect("what roles may");
    let alone = format!("{flow}access:{}", access.replace(", shop.NAME_ids", ""));
    let alone =
        alone.replace("  shop.NAME_ids:  { schema: Named, carries: delta, edge: out }\n", "");
    for n_workers in [1, 2] {
        let house = House::new(n_workers);
        let client = house.client();
        house.install(&pair.replace("NAME", "pair")).unwrap();
        house.install(&alone.replace("NAME", "alone")).unwrap();
        assert_eq!((steps(&house, "shop.pair"), steps(&house, "shop.alone")), (vec![], vec![]));
        let mut sums = house.subscribe(&client, Subscribe::to("shop.alone")).unwrap();
        let mut ids = house.subscribe(&client, Subscribe::to("shop.pair_ids")).unwrap();
        house.publish(&client, order(1, "EU", 5)).unwrap();
        let row = r#"{"region":"EU","rank":9}"#;
        let epoch = house.publish(&client, Message::changes("shop.customers", [(1, row)])).unwrap();
        assert_eq!(house.rows(&mut sums, epoch), [(r#"{"rank":9,"total":5}"#.to_owned(), 1)]);
        assert_eq!(house.rows(&mut ids, epoch), [(r#"{"id":1,"name":"EU"}"#.to_owned(), 1)]);
        house.drop("shop.pair").unwrap();
        house.publish(&client, order(2, "EU", 7)).unwrap();
        let epoch = house.publish(&client, Message::changes("shop.customers", [(1, row)])).unwrap();
        assert_eq!(house.rows(&mut sums, epoch), [(r#"{"rank":9,"total":24}"#.to_owned(), 1)]);
        house.server.finish(1003).unwrap();
    }
}

#[test]
fn steps_that_differ_in_anything_are_each_circuits_own() {
    let joined = |name: &str| JOINED.replace("NAME", name).replace("LAST", "sum(amount)");
    let where_positive = "do:\n      - where: amount > 0\n";
    let joins_of = |one: &str, other: &str, n_states: usize| {
        let house = House::new(1);
        house.install(one).unwrap();
        house.install(other).unwrap();
        assert_eq!(steps(&house, "shop.other").len(), n_states, "{other}");
        house.server.finish(1001).unwrap();
    };
    let one = joined("one").replace("do:\n", where_positive);
    let other = joined("other").replace("do:\n", where_positive);
    joins_of(&one, &other, 2);
    joins_of(&one, &other.replace("amount > 0", "amount>0   # the same"), 2);
    joins_of(&one, &other.replace("amount > 0", "amount > 1"), 0);
    joins_of(&one, &other.replace("amount > 0", "amount >= 0"), 0);
    joins_of(&one, &other.replace("sum(amount)", "max(amount)"), 1);
    joins_of(&one, &other.replace("sum(amount)", "sum(amount + 1)"), 1);
    // Rows of a topic that are taken back on trust are nobody's to hold.
    let trusted = |text: &str| {
        text.replace("carries: delta, edge: in", "carries: delta, check: none, edge: in")
    };
    joins_of(&trusted(&one), &trusted(&other), 0);
}

#[test]
fn what_fails_in_common_is_told_by_each_with_its_own_place() {
    let house = House::new(1);
    let client = house.client();
    let told = Arc::new(Mutex::new(BTreeMap::new()));
    let install = |name: &'static str, text: &str| {
        let told = Arc::clone(&told);
        let on_output = move |output: &arqon_engine::RowOutput| {
            for delta in output.deltas.iter().filter(|it| it.topic.as_str().ends_with("errors")) {
                for update in &delta.updates {
                    let said = (delta.topic.to_string(), format!("{:?}", update.row), update.diff);
                    told.lock().unwrap().entry(name).or_insert_with(Vec::new).push(said);
                }
            }
        };
        house.put(text, arqon_server::Replacing::Never, on_output).unwrap();
    };
    let joined = |name: &str| JOINED.replace("NAME", name).replace("LAST", "sum(amount)");
    install("sums", &joined("sums"));
    install(
        "again",
        &format!("# a line more{}", joined("again")).replace("agg:", "\n        agg:"),
    );
    assert_eq!(steps(&house, "shop.again").len(), 2);
    let row = r#"{"region":"EU","rank":1}"#;
    house.publish(&client, Message::changes("shop.customers", [(1, row)])).unwrap();
    house.publish(&client, order(1, "EU", i64::MAX)).unwrap();
    house.publish(&client, order(2, "EU", i64::MAX)).unwrap();
    house.publish(&client, order(2, "EU", 0)).unwrap();
    house.server.finish(1001).unwrap();
    let told = told.lock().unwrap();
    let [sums, again] = ["sums", "again"].map(|name| told[name].clone());
    assert_eq!(sums.iter().map(|it| it.2).collect::<Vec<_>>(), [1, -1], "{sums:?}");
    assert!(sums[0].1.contains("circuit.yaml:21:"), "{sums:?}");
    let renamed = |it: &(String, String, i64)| {
        let text = it.1.replace("sums[1]", "again[1]").replace("\"sums\"", "\"again\"");
        (it.0.replace("sums", "again"), text.replace("yaml:21:", "yaml:22:"), it.2)
    };
    assert_eq!(sums.iter().map(renamed).collect::<Vec<_>>(), again);
}

#[test]
fn who_comes_later_has_the_rows_where_the_others_have_them() {
    const BATCH: i64 = 600;
    let house = House::new(2);
    let client = house.client();
    house.install(SALES).unwrap();
    // Batches in the order of their keys stay whole, each with one of the workers; what is held
    // is handed over in another order, and would be divided by the hashes of its keys.
    for batch in 0..4 {
        let ids = batch * BATCH..(batch + 1) * BATCH;
        let mut rows = ColumnBatch::empty(&[Type::Int64, Type::String, Type::Int64]);
        for id in ids {
            rows.push(&vec![Value::Int(id), Value::string("EU"), Value::Int(1)].into(), 1);
        }
        let changes = Changes::Columns(rows);
        let topic = TopicName::parse("shop.orders").unwrap();
        house.server.feed(vec![TopicInput { topic, changes }]).unwrap();
    }
    house.install(COUNTS).unwrap();
    assert_eq!(shares(&house, "shop.counts"), with("shop.sales"));
    let mut sales = house.subscribe(&client, Subscribe::to("shop.sales")).unwrap();
    let mut counts = house.subscribe(&client, Subscribe::to("shop.counts")).unwrap();
    let mut epoch = Epoch::ZERO;
    for id in (0..4 * BATCH).step_by(97) {
        epoch = house.publish(&client, order(id, "EU", 11)).unwrap();
    }
    assert_eq!(house.rows(&mut sales, epoch), [(sum("EU", 4 * BATCH + 250), 1)]);
    assert_eq!(house.rows(&mut counts, epoch), [(format!(r#"{{"n":{}}}"#, 4 * BATCH), 1)]);
    house.server.finish(1001).unwrap();
}

#[test]
fn a_circuit_that_stops_leaves_the_table_to_the_others() {
    let house = House::new(2);
    let client = house.client();
    house.install(COUNTS).unwrap();
    let bomb = |output: &arqon_engine::RowOutput| {
        let rows = output.deltas.iter().flat_map(|delta| &delta.updates);
        let is_large = |n| 1000 < n;
        let mut totals = rows.filter_map(|update| match update.row.last() {
            Some(Value::Int(total)) => Some(*total),
            _ => None,
        });
        assert!(!totals.any(is_large), "a bomb went off");
    };
    house.put(SALES, arqon_server::Replacing::Never, bomb).unwrap();
    assert_eq!(shares(&house, "shop.counts"), with("shop.sales"));
    trade(&house, &client, 0);
    house.publish(&client, order(1, "EU", 5000)).unwrap();
    let mut counts = house.subscribe(&client, Subscribe::to("shop.counts")).unwrap();
    let epoch = trade(&house, &client, 40);
    assert_eq!(house.rows(&mut counts, epoch), [(r#"{"n":60}"#.to_owned(), 1)]);
    let report = house.server.report().unwrap();
    let stopped = report.circuits.iter().find(|it| it.name == "shop.sales").unwrap();
    assert!(stopped.stopped.as_ref().unwrap().contains("a bomb went off"));
    assert_eq!(shares(&house, "shop.counts"), []);
    house.server.finish(1001).unwrap();
}

#[test]
fn a_topic_of_which_rows_go_by_themselves_is_each_circuits_own() {
    let house = House::new(1);
    let client = house.client();
    let hour = |text: &str| text.replace("edge: in }", "edge: in, retain: 1h }");
    house.install(&hour(SALES)).unwrap();
    house.install(&hour(COUNTS)).unwrap();
    assert_eq!(shares(&house, "shop.counts"), []);
    let mut counts = house.subscribe(&client, Subscribe::to("shop.counts")).unwrap();
    let epoch = trade(&house, &client, 0);
    assert_eq!(house.rows(&mut counts, epoch), [(r#"{"n":30}"#.to_owned(), 1)]);
    house.server.finish(1001).unwrap();
}
