//! A circuit whose state has come to its limit: what adds rows is refused, what takes them away is
//! not, and then there is room again.

use serde_json::{Value as Json, json};

use crate::client::{Client, server};

const STATE: &str = "\
arqon: 1
circuit: full
schemas: { Text: { id: int64, text: string } }
topics:
  texts: { schema: Text, carries: full, key: id, edge: in }
  copies: { schema: Text, carries: delta, key: id, edge: out }
limits: { state: 64KiB }
access: { w: { publish: [texts] }, r: { subscribe: [copies] } }
flow:
  copies_of:
    from: texts
    do:
      - where: id >= 0
    to: copies
";

fn text(id: i64) -> Json {
    json!({"id": id, "text": "x".repeat(1000)})
}

#[test]
fn a_full_circuit_refuses_rows_until_others_have_gone() {
    let server = server(STATE);
    let mut writer = Client::connect(&server);
    let mut ask = |payload: Json, headers: Json| {
        writer.say(
            &json!({"type": "event", "topic": "texts", "payload": payload, "headers": headers}),
        );
        writer.payload()
    };
    let publish = json!({"ack": "applied"});
    let mut n_taken = 0;
    let refused = loop {
        let answer = ask(text(n_taken), publish.clone());
        if answer["ack"].is_null() {
            break answer;
        }
        n_taken += 1;
        assert!(n_taken < 200, "200 KB of rows are more than 64 KiB");
    };
    assert!(20 < n_taken, "{n_taken} rows of 1 KB are far from 64 KiB");
    assert_eq!(refused["error"]["code"], "RESOURCE_EXHAUSTED", "{refused}");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("`limits: state` allows 64 KiB"), "{message}");

    // To delete is to take away.
    for id in 0..n_taken / 2 {
        let answer = ask(Json::Null, json!({"ack": "applied", "key": {"id": id}}));
        assert!(answer["ack"].is_object(), "{answer}");
    }
    let answer = ask(text(1_000), publish);
    assert!(answer["ack"].is_object(), "{answer}");
    server.finish(1001).unwrap();
}
