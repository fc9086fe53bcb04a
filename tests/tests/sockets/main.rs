//! A circuit behind its websocket, as a client of any language meets it: JSON text in and out.
//!
//! Every frame is written out as the protocol promises it. Loopback, port 0, a deadline on each
//! step.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod client;
mod crowd;
mod full;
mod idle;
mod kernel;
mod order;
mod poison;

use arqon_compiler::{Options, compile};
use arqon_engine::{Changes, TopicInput};
use arqon_proto::{
    Control, Delta, Encoding, Envelope, Hello, Payload, RowCodec, Secret, Subscribe,
};
use arqon_types::{Change, TopicName, Value};
use serde_json::{Value as Json, json};
use tokio_tungstenite::tungstenite::Message;

use client::{Client, server};

const REVENUE: &str = include_str!("../../../circuits/ok/shop_revenue.yaml");
const SIGNED: &str = include_str!("../../../circuits/ok/signed.yaml");

fn order(id: i64, customer: i64, amount: &str, status: &str) -> Json {
    json!({"id": id, "customer": customer, "amount": amount, "status": status})
}

#[test]
fn a_correction_reaches_a_subscriber_as_a_delta() {
    let server = server(REVENUE);
    let mut writer = Client::connect(&server);
    writer.publish("shop.customers", &json!({"id": 1, "region": "EU"}));
    let ack = writer.publish("shop.orders", &order(10, 1, "30.00", "paid"));
    let epoch = ack["ack"]["epoch"].as_u64().unwrap();

    let mut reader = Client::connect(&server);
    reader.control(&json!({"subscribe": {"sub": 1, "topic": "shop.revenue", "from": "snapshot",
        "as": "deltas", "where": "region == \"EU\"", "credit": 1000}}));
    assert_eq!(reader.payload(), json!({"subscribed": {"sub": 1, "epoch": epoch}}));
    let frame = reader.hear();
    assert_eq!(frame["type"], "event");
    assert_eq!(frame["topic"], "shop.revenue");
    assert_eq!(frame["schema"], "arqonbus.delta.v1");
    let row =
        |revenue: &str, orders: i64| json!({"region": "EU", "revenue": revenue, "orders": orders});
    let changes = json!([{"epoch": epoch, "diff": 1, "row": row("30.00", 1)}]);
    let upper = epoch + 1;
    assert_eq!(frame["payload"], json!({"sub": 1, "lower": 0, "upper": upper, "changes": changes}));
    let progress = reader.hear();
    assert_eq!(progress["payload"], json!({"progress": {"sub": 1, "upper": upper}}));

    // A number is accepted where a decimal stands, and a correction is a retraction and an insert.
    let corrected = json!({"id": 10, "customer": 1, "amount": 12.5, "status": "paid"});
    let epoch = writer.publish("shop.orders", &corrected)["ack"]["epoch"].as_u64().unwrap();
    let delta = reader.payload();
    let changes = json!([
        {"epoch": epoch, "diff": -1, "row": row("30.00", 1)},
        {"epoch": epoch, "diff": 1, "row": row("12.50", 1)}]);
    let next = epoch + 1;
    assert_eq!(delta, json!({"sub": 1, "lower": upper, "upper": next, "changes": changes}));

    writer.say(&json!({"type": "event", "topic": "shop.orders", "payload": null,
        "headers": {"key": {"id": 10}, "ack": "none"}}));
    let delta = reader.payload();
    assert_eq!(delta["changes"][0]["row"], row("12.50", 1));
    assert_eq!(delta["changes"][0]["diff"], -1);
    server.finish(1001).unwrap();
    while let Some(message) = reader.message() {
        if let Message::Close(Some(close)) = message {
            assert_eq!(u16::from(close.code), 1001);
            return;
        }
    }
    panic!("the server closes with a code");
}

#[test]
fn refusals_name_the_frame_and_the_reason() {
    let server = server(REVENUE);
    let mut client = Client::connect(&server);
    let id = "01900000-0000-7000-8000-000000000001";
    let cases = [
        (
            json!({"type": "event", "topic": "shop.orders", "payload": order(1, 1, "1.005", "paid")}),
            "SCHEMA_MISMATCH",
            "amount",
        ),
        (json!({"type": "event", "topic": "shop.revenue", "payload": {}}), "FORBIDDEN", "revenue"),
        (json!({"type": "event", "topic": "shop.nothing", "payload": {}}), "FORBIDDEN", "nothing"),
        (json!({"type": "job", "topic": "shop.orders", "payload": {}}), "UNAVAILABLE", "jobs"),
        (
            json!({"type": "control", "topic": "system.control.session", "payload":
            {"subscribe": {"sub": 1, "topic": "shop.revenue", "where": "regoin == \"EU\""}}}),
            "SCHEMA_MISMATCH",
            "regoin",
        ),
        (
            json!({"type": "control", "topic": "system.control.session", "payload":
            {"subscribe": {"sub": 1, "topic": "shop.orders"}}}),
            "FORBIDDEN",
            "orders",
        ),
    ];
    for (mut frame, code, word) in cases {
        frame["id"] = json!(id);
        client.say(&frame);
        let mut answer = client.payload();
        let error = answer["error"].take();
        assert_eq!((&error["id"], &error["code"]), (&json!(id), &json!(code)), "{error}");
        assert!(error["message"].as_str().unwrap().contains(word), "{error}");
        assert!(error.get("help").is_some() && error.get("retry_after_ms").is_some(), "{error}");
    }
}

#[test]
fn a_delta_only_topic_refuses_full_state_and_passes_changes_on() {
    let server = server(SIGNED);
    let mut client = Client::connect(&server);
    client.say(&json!({"type": "event", "topic": "pairs", "payload": {"k": 1, "v": 5}}));
    assert_eq!(client.payload()["error"]["code"], "DELTA_ONLY");
    client.control(&json!({"subscribe": {"sub": 7, "topic": "sums", "from": "snapshot"}}));
    assert_eq!(client.payload()["subscribed"]["sub"], 7);
    assert_eq!(client.payload()["changes"], json!([]));
    client.say(&json!({"type": "event", "topic": "pairs", "schema": "arqonbus.delta.v1",
        "payload": {"changes": [{"diff": 2, "row": {"k": 1, "v": 5}}, {"diff": 1, "row": {"k": 1}}]},
        "headers": {"ack": "none"}}));
    let delta = client.payload();
    assert_eq!(delta["changes"][0]["row"], json!({"k": 1, "total": 10, "n": 3}));
    client.control(&json!({"subscribe": {"sub": 8, "topic": "sums", "as": "upserts",
        "from": "snapshot"}}));
    client.payload();
    let upserts = client.payload();
    assert_eq!(upserts["upserts"][0]["key"], json!({"k": 1}));
    assert_eq!(upserts["upserts"][0]["row"]["n"], 3);
    client.control(&json!({"subscribe": {"sub": 9, "topic": "sums", "as": "snapshot"}}));
    client.payload();
    let snapshot = client.payload();
    assert_eq!(snapshot["rows"], json!([{"row": {"k": 1, "total": 10, "n": 3}, "count": 1}]));
}

#[test]
fn a_batch_is_one_epoch_and_files_take_their_turn() {
    let server = server(REVENUE);
    let mut client = Client::connect(&server);
    let topic = TopicName::parse("shop.customers").unwrap();
    let customers = (1..=3)
        .map(|id| Change::Upsert(vec![Value::Int(id), Value::string("EU"), Value::None].into()));
    let input = TopicInput { topic, changes: Changes::Rows(customers.collect()) };
    let fed = server.feed(vec![input.clone()]).unwrap();
    let message = |n: i64| {
        json!({"id": format!("01900000-0000-7000-8000-{n:012}"), "type": "event",
        "topic": "shop.orders", "payload": order(n, n, "1.00", "paid"), "headers": {"ack": "applied"}})
    };
    let messages: Vec<Json> = (1..=3).map(message).collect();
    client.control(&json!({"batch": {"messages": messages}}));
    let acks: Vec<Json> = (0..3).map(|_| client.payload()["ack"].take()).collect();
    for (ack, n) in acks.iter().zip(1_u64..) {
        assert_eq!(ack["offset"], n);
        assert_eq!(ack["epoch"], acks[0]["epoch"]);
        assert!(ack["epoch"].as_u64().unwrap() > fed.0);
    }
    client.control(&json!({"subscribe": {"sub": 1, "topic": "shop.revenue", "from": "snapshot"}}));
    client.payload();
    let row = json!({"region": "EU", "revenue": "3.00", "orders": 3});
    assert_eq!(client.payload()["changes"][0]["row"], row);
    assert!(server.feed(vec![input]).unwrap().0 > acks[0]["epoch"].as_u64().unwrap());
    let revenue = TopicName::parse("shop.revenue").unwrap();
    let odd = TopicInput { topic: revenue, changes: Changes::Rows(Vec::new()) };
    assert!(server.feed(vec![odd]).is_err());
    server.finish(1012).unwrap();
}

#[test]
fn a_protobuf_session_carries_the_same_rows() {
    let server = server(SIGNED);
    let plan = compile(SIGNED, "circuit.yaml", &Options::default()).dataflow.unwrap();
    let codec = |name: &str| {
        let topic = plan.topics.iter().find(|topic| topic.name.as_str() == name).unwrap();
        RowCodec::new(topic.schema.clone())
    };
    let mut client = Client::dial(&server, Encoding::Proto);
    let token = Some(Secret(server.token().unwrap().to_owned()));
    let hello = Control::Hello(Hello { token, ..Hello::default() });
    let mut row = Vec::new();
    codec("pairs").encode_proto(&[Value::Int(1), Value::Int(5)], &mut row);
    let change = arqon_proto::RowChange { epoch: None, diff: 1, row: row.into() };
    let delta = Delta { changes: vec![change], ..Delta::default() };
    let subscribe = Control::Subscribe(Subscribe {
        sub: 1,
        topic: "sums".into(),
        from: arqon_proto::Begin::Now,
        form: arqon_proto::As::Deltas,
        filter: Some("n > 0".into()),
        credit: None,
    });
    for envelope in [
        Envelope::control(hello),
        Envelope::control(subscribe),
        Envelope::event("pairs", Payload::Delta(delta)),
    ] {
        client.send(Message::Binary(envelope.encode(client.encoding)));
    }
    loop {
        let Some(Message::Binary(bytes)) = client.message() else { panic!("a binary frame") };
        let envelope = Envelope::decode(&bytes, Encoding::Proto).unwrap();
        match envelope.payload {
            Payload::Delta(delta) => {
                let row = codec("sums").decode_proto(&delta.changes[0].row).unwrap();
                assert_eq!(&*row, &[Value::Int(1), Value::Int(5), Value::Int(1)]);
                return;
            }
            Payload::Control(Control::Error(error)) => panic!("{error:?}"),
            _ => {}
        }
    }
}

#[test]
fn many_messages_share_epochs_and_all_arrive() {
    let server = server(REVENUE);
    let mut writer = Client::connect(&server);
    let mut reader = Client::connect(&server);
    reader.control(&json!({"subscribe": {"sub": 1, "topic": "shop.revenue", "from": "snapshot"}}));
    writer.publish("shop.customers", &json!({"id": 1, "region": "EU"}));
    for id in 0..500 {
        writer.say(&json!({"type": "event", "topic": "shop.orders", "headers": {"ack": "none"},
            "payload": order(id, 1, "1.00", "paid")}));
    }
    let mut newest = Json::Null;
    while newest["orders"] != 500 {
        let delta = reader.payload();
        for change in delta["changes"].as_array().into_iter().flatten() {
            if change["diff"] == 1 {
                newest = change["row"].clone();
            }
        }
    }
    assert_eq!(newest["revenue"], "500.00");
    // A dropped server ends as a finished one does.
    drop(server);
    while reader.message().is_some() {}
}

#[test]
fn an_input_that_clients_also_read_serves_both() {
    let server = server(
        "arqon: 1\ncircuit: notes\nschemas: { Note: { id: int64, kind: string } }\n\
         topics:\n  notes: { schema: Note, carries: full, key: id, edge: both }\n  \
         kinds: { schema: { kind: string, n: int64 }, carries: delta, key: kind, edge: out }\n\
         flow:\n  count:\n    from: notes\n    do:\n      - group: [kind]\n        \
         agg: { n: count() }\n    to: kinds\n\
         access: { a: { publish: [notes], subscribe: [notes, kinds] } }\n",
    );
    let mut client = Client::connect(&server);
    client.control(&json!({"subscribe": {"sub": 1, "topic": ">", "from": "snapshot"}}));
    client.payload();
    assert_eq!(
        (client.payload()["lower"].take(), client.payload()["lower"].take()),
        (json!(0), json!(0))
    );
    client.say(&json!({"type": "event", "topic": "notes", "payload": {"id": 1, "kind": "a"},
        "headers": {"ack": "none"}}));
    let rows: Vec<Json> = (0..2).map(|_| client.payload()["changes"][0]["row"].take()).collect();
    assert!(rows.contains(&json!({"id": 1, "kind": "a"})), "{rows:?}");
    assert!(rows.contains(&json!({"kind": "a", "n": 1})), "{rows:?}");
    let topic = TopicName::parse("notes").unwrap();
    let change = Change::Upsert(vec![Value::Int(1), Value::string("b")].into());
    server.feed(vec![TopicInput { topic, changes: Changes::Rows(vec![change]) }]).unwrap();
    let frames: Vec<Json> = (0..2).map(|_| client.payload()["changes"].take()).collect();
    assert!(frames.iter().all(|changes| changes[0]["diff"] == -1 && changes[1]["diff"] == 1));
}
