//! Circuits that read the same input have its table in common, and each goes on without the others.

use arqon_client::{Client, Message, Subscribe};
use arqon_engine::{Changes, TopicInput};
use arqon_types::{ColumnBatch, Epoch, TopicName, Type, Value};

use crate::house::House;
use crate::{COUNTS, SALES, order, sum};

fn shares(house: &House, name: &str) -> Vec<(String, Vec<String>)> {
    let report = house.server.report().unwrap();
    let circuit = report.circuits.into_iter().find(|it| it.name == name).unwrap();
    circuit.shares.into_iter().map(|(topic, with)| (topic.to_string(), with)).collect()
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
