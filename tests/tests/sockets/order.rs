//! The log of a topic of events that clients and the flow both write.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::client::{Client, server};

/// What is asked is answered twice, in a topic into which clients talk as well; `last` reads it.
const CHAT: &str = "arqon: 1
circuit: lab.chat
schemas:
  Line: { who: string, n: int64 }
topics:
  asked: { schema: Line, edge: in }
  lines: { schema: Line, shared: true, edge: both }
  last:  { schema: Line, carries: full, key: who, edge: out }
flow:
  again:
    from: asked
    do:
      - select: { who: '\"flow\"', n: n }
    to: lines
  once_more:
    from: asked
    do:
      - select: { who: '\"more\"', n: -n }
    to: lines
  latest:
    from: lines
    to: last
access:
  lab.all: { publish: [asked, lines], subscribe: [lines, last] }
";

fn line(who: &str, n: i64) -> Json {
    json!({"who": who, "n": n})
}

/// Reads events of a subscription until there are so many: each with its offset.
fn events(client: &mut Client, n_events: usize) -> Vec<(u64, Json)> {
    let mut events = Vec::new();
    while events.len() < n_events {
        let mut frame = client.hear();
        if frame["type"] == "event" {
            let offset = frame["headers"]["offset"].as_u64().unwrap();
            events.push((offset, frame["payload"].take()));
        }
    }
    events
}

#[test]
fn an_ack_says_the_offset_at_which_an_event_is_seen() {
    const ROUNDS: i64 = 40;
    let server = server(CHAT);
    let mut reader = Client::connect(&server);
    reader.control(&json!({"subscribe": {"sub": 1, "topic": "lines"}}));
    reader.payload();
    let mut writer = Client::connect(&server);
    // All at once, so that epochs are still under way when the next messages come.
    for n in 1..=ROUNDS {
        writer.say(&json!({"type": "event", "topic": "asked", "payload": line("", n),
            "headers": {"ack": "none"}}));
        for who in ["zoe", "ann"] {
            let id = format!("01900000-0000-7000-8000-{:012}", 2 * n + i64::from(who == "ann"));
            writer
                .say(&json!({"type": "event", "id": id, "topic": "lines", "payload": line(who, n),
                "headers": {"ack": "accepted"}}));
        }
    }
    let mut acked = BTreeMap::new();
    while acked.len() < 2 * usize::try_from(ROUNDS).unwrap() {
        let ack = writer.payload();
        let id = ack["ack"]["id"].as_str().unwrap().to_owned();
        acked.insert(id, ack["ack"]["offset"].as_u64().unwrap());
    }
    let n_events = 4 * usize::try_from(ROUNDS).unwrap();
    let seen = events(&mut reader, n_events);
    let offsets: Vec<u64> = seen.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, (1..=n_events as u64).collect::<Vec<_>>(), "each once, without a gap");
    let said: Vec<&(u64, Json)> =
        seen.iter().filter(|(_, row)| row["who"] == "zoe" || row["who"] == "ann").collect();
    let at: Vec<u64> = said.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(at, acked.into_values().collect::<Vec<_>>(), "where the acks said");
    let rows: Vec<&Json> = said.iter().map(|(_, row)| row).collect();
    let sent: Vec<Json> =
        (1..=ROUNDS).flat_map(|n| ["zoe", "ann"].map(|who| line(who, n))).collect();
    assert_eq!(rows, sent.iter().collect::<Vec<_>>(), "in the order in which they were sent");
    // What was sent again has the first ack.
    let id = "01900000-0000-7000-8000-000000000002";
    writer.say(&json!({"type": "event", "id": id, "topic": "lines", "payload": line("zoe", 1)}));
    assert_eq!(writer.payload()["ack"]["offset"], json!(at[0]));
    // Who comes late, or goes on from an offset, reads the same.
    let mut late = Client::connect(&server);
    late.control(&json!({"subscribe": {"sub": 1, "topic": "lines", "from": "snapshot"}}));
    assert_eq!(events(&mut late, n_events), seen);
    late.control(&json!({"subscribe": {"sub": 2, "topic": "lines", "from": {"offset": 7}}}));
    assert_eq!(events(&mut late, n_events - 7), seen[7..]);
    server.finish(1001).unwrap();
}

#[test]
fn what_the_flow_writes_stands_behind_what_clients_sent_in_the_epoch() {
    let server = server(CHAT);
    let mut client = Client::connect(&server);
    client.control(&json!({"subscribe": {"sub": 1, "topic": "lines"}}));
    client.payload();
    client.control(&json!({"subscribe": {"sub": 2, "topic": "last"}}));
    client.payload();
    let event = |topic: &str, row: Json| json!({"type": "event", "topic": topic, "payload": row, "headers": {"ack": "none"}});
    client.control(&json!({"batch": {"messages": [
        event("asked", line("", 7)), event("lines", line("zoe", 2)), event("lines", line("ann", 5)),
        event("lines", line("ann", 4))]}}));
    let (mut seen, mut last) = (Vec::new(), Json::Null);
    while seen.len() < 5 || last.is_null() {
        let mut frame = client.hear();
        if frame["topic"] == "lines" {
            seen.push(frame["payload"].take());
        } else if frame["topic"] == "last" {
            last = frame["payload"]["changes"].take();
        }
    }
    let wanted = [("zoe", 2), ("ann", 5), ("ann", 4), ("flow", 7), ("more", -7)];
    assert_eq!(seen, wanted.map(|(who, n)| line(who, n)));
    // The flow reads them in this order: the last that ann said is the last of hers.
    let rows: Vec<&Json> = last.as_array().unwrap().iter().map(|change| &change["row"]).collect();
    assert!(rows.contains(&&line("ann", 4)) && !rows.contains(&&line("ann", 5)), "{rows:?}");
    server.finish(1001).unwrap();
}

/// A collection that clients and the flow both write: it has no offsets but those of messages, and
/// a client meets them in the acks alone.
#[test]
fn a_shared_collection_is_the_same_for_all_who_see_it() {
    let server = server(
        "arqon: 1
circuit: lab.shared
schemas:
  Item: { id: int64, text: string }
topics:
  wishes: { schema: Item, carries: full, key: id, edge: in }
  items:  { schema: Item, carries: full, key: id, shared: true, edge: both }
flow:
  granted: { from: wishes, to: items }
access:
  lab: { publish: [wishes, items], subscribe: [items] }
",
    );
    let mut client = Client::connect(&server);
    client.control(&json!({"subscribe": {"sub": 1, "topic": "items", "from": "snapshot"}}));
    client.payload();
    client.payload();
    let item = |id: i64, text: &str| json!({"id": id, "text": text});
    let mut writer = Client::connect(&server);
    let mut offsets = Vec::new();
    for (topic, id, text) in
        [("items", 1, "a"), ("wishes", 2, "b"), ("items", 1, "c"), ("items", 3, "d")]
    {
        let ack = writer.publish(topic, &item(id, text));
        if topic == "items" {
            offsets.push(ack["ack"]["offset"].as_u64().unwrap());
        }
    }
    assert_eq!(offsets, [1, 2, 3]);
    let mut seen: BTreeMap<String, i64> = BTreeMap::new();
    let mut fold = |payload: &Json| {
        for change in payload["changes"].as_array().into_iter().flatten() {
            *seen.entry(change["row"].to_string()).or_default() += change["diff"].as_i64().unwrap();
        }
        seen.retain(|_, count| *count != 0);
        seen.clone()
    };
    let wanted: BTreeMap<String, i64> = [(1, "c"), (2, "b"), (3, "d")]
        .map(|(id, text)| (item(id, text).to_string(), 1))
        .into_iter()
        .collect();
    while fold(&client.payload()) != wanted {}
    let mut late = Client::connect(&server);
    late.control(&json!({"subscribe": {"sub": 1, "topic": "items", "from": "snapshot"}}));
    late.payload();
    let snapshot = late.payload();
    let rows = snapshot["changes"].as_array().unwrap().iter();
    assert_eq!(
        rows.map(|change| (change["row"].to_string(), 1)).collect::<BTreeMap<_, _>>(),
        wanted
    );
    server.finish(1001).unwrap();
}
