//! What a circuit does by itself, it does beside others, too: rows go when they are due, control
//! topics settle, and its limits are its own.

use arqon_client::{ErrorCode, Message, Subscribe};

use crate::house::House;
use crate::{COUNTS, SALES, order, refusal, sum};

#[test]
fn rows_go_when_they_are_due_though_nothing_comes() {
    let house = House::new(1);
    let client = house.client();
    house.install(&SALES.replace("edge: in }", "edge: in, retain: 300ms }")).unwrap();
    house.install(&COUNTS.replace("shop.orders", "shop.others")).unwrap();
    let mut sales = house.subscribe(&client, Subscribe::to("shop.sales")).unwrap();
    house.publish(&client, order(1, "EU", 30)).unwrap();
    let first = house.changes(&mut sales);
    let (_, diff, row) = if first.is_empty() { house.changes(&mut sales) } else { first }.remove(0);
    assert_eq!((diff, row), (1, sum("EU", 30)));
    let (_, diff, row) = house.changes(&mut sales).remove(0);
    assert_eq!((diff, row), (-1, sum("EU", 30)));
    house.server.finish(1001).unwrap();
}

const ALARMS: &str = include_str!("../../../circuits/ok/control_topic.yaml");

#[test]
fn control_topics_settle_beside_other_circuits() {
    let house = House::new(2);
    let client = house.client();
    house.install(SALES).unwrap();
    house.install(ALARMS).unwrap();
    let mut alarms = house.subscribe(&client, Subscribe::to("alarms")).unwrap();
    let row = |celsius: i64| format!(r#"{{"room":"attic","celsius":{celsius}}}"#);
    house.publish(&client, Message::row("readings", row(35))).unwrap();
    let level = |level: i64| vec![(format!(r#"{{"room":"attic","level":{level}}}"#), 1)];
    let settled = |alarms: &mut _| {
        house.server.settle().unwrap();
        house.rows(alarms, house.server.report().unwrap().epoch)
    };
    assert_eq!(settled(&mut alarms), level(3));
    // What the flow itself wrote before, it writes anew.
    let replaced = house.replace(&ALARMS.replace("+ 1, 3)", "+ 1, 5)")).unwrap();
    assert_eq!(replaced.starts_without, []);
    assert_eq!(settled(&mut alarms), level(5));
    house.publish(&client, order(1, "EU", 30)).unwrap();
    house.publish(&client, Message::row("readings", row(20))).unwrap();
    assert_eq!(settled(&mut alarms), []);
    house.server.finish(1001).unwrap();
}

#[test]
fn a_circuit_that_is_full_refuses_what_it_reads_and_no_more() {
    let house = House::new(1);
    let client = house.client();
    house.install(&format!("{SALES}limits: {{ state: 64KiB }}\n")).unwrap();
    house.install(&COUNTS.replace("shop.orders", "shop.others")).unwrap();
    let other = |id: i64| {
        let row = format!(r#"{{"id":{id},"region":"EU","amount":1}}"#);
        Message::row("shop.others", row)
    };
    let refused = (0..5_000).find_map(|id| house.publish(&client, order(id, "EU", 1)).err());
    assert_eq!(refusal(refused).0, ErrorCode::ResourceExhausted);
    house.publish(&client, other(1)).unwrap();
    // Another limit is another circuit.
    house.replace(SALES).unwrap();
    house.publish(&client, order(9_999, "EU", 1)).unwrap();
    house.server.finish(1001).unwrap();
}

#[test]
fn what_each_epoch_did_is_told_on_the_bus() {
    let house = House::new(2);
    let client = house.client();
    let mut epochs = house.subscribe(&client, Subscribe::to("system.epochs")).unwrap();
    house.install(SALES).unwrap();
    house.install(COUNTS).unwrap();
    house.publish(&client, order(1, "EU", 30)).unwrap();
    house.publish(&client, order(1, "EU", -30)).unwrap();
    let told: Vec<serde_json::Value> =
        house.events(&mut epochs, 6).iter().map(|row| serde_json::from_str(row).unwrap()).collect();
    let of = |name: &str| -> Vec<Vec<&serde_json::Value>> {
        let fields = ["circuit", "epoch", "rows_in", "deltas_out", "rows_held"];
        let own = told.iter().filter(|event| event["circuit"] == name);
        own.map(|event| fields[1..].iter().map(|field| &event[*field]).collect()).collect()
    };
    assert_eq!(of("shop.sales"), [[1, 0, 0, 0], [3, 1, 1, 1], [4, 1, 1, 1]]);
    assert_eq!(of("shop.counts"), [[2, 0, 1, 0], [3, 1, 2, 1], [4, 1, 0, 1]]);
    assert_eq!(told[5]["churn"], 1.0, "{told:?}");
    let mut late = house.subscribe(&client, Subscribe::to("system.epochs")).unwrap();
    assert_eq!(house.events(&mut late, 6).len(), 6);
    house.server.finish(1001).unwrap();
}
