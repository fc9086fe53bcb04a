//! The bus from outside: JSON frames in, JSON frames out.

use std::collections::BTreeMap;
use std::sync::Arc;

use arqon_proto::Encoding;
use arqon_types::{
    Change, DeltaBatch, Discipline, Edge, Epoch, Field, Row, Schema, TopicName, Type, Update,
    Value, consolidate,
};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::grant::{Grant, Principal};
use crate::limits::Limits;
use crate::log::Keep;
use crate::machine::{AppliedEpoch, Bus, BusOptions, Output, SessionId};
use crate::subscription::Filter;
use crate::topic::{Source, TopicSpec};

const NOW: i64 = 1_767_225_600_000_000_000;
const ALICE: SessionId = SessionId(1);

fn name(text: &str) -> TopicName {
    TopicName::parse(text).unwrap()
}

fn spec(text: &str, discipline: Discipline, edge: Edge) -> TopicSpec {
    let fields = vec![Field::new("id", Type::Int64), Field::new("n", Type::Int64)];
    let source = if edge.admits() { Source::Outside } else { Source::Circuit };
    TopicSpec {
        name: name(text),
        schema: Schema::new("Pair", fields),
        schema_id: "shop.Pair".into(),
        discipline,
        edge,
        key: vec!["id".into()],
        source,
        keep: Keep::All,
    }
}

/// `n > NUMBER` over the second field is all that tests filter by.
fn filter(text: &str, _schema: &Schema) -> Result<Filter, String> {
    let least: i64 =
        text.strip_prefix("n > ").and_then(|n| n.parse().ok()).ok_or("write n > NUMBER")?;
    Ok(Arc::new(move |row: &Row| row[1] > Value::Int(least)))
}

fn bus(limits: Limits) -> Bus {
    let unkeyed = TopicSpec { key: Vec::new(), ..spec("shop.bag", Discipline::Delta, Edge::Out) };
    Bus::new(BusOptions {
        topics: vec![
            spec("shop.orders", Discipline::Full, Edge::In),
            spec("shop.stock", Discipline::Delta, Edge::In),
            spec("shop.clicks", Discipline::Events, Edge::Both),
            spec("shop.shelf", Discipline::Full, Edge::Both),
            spec("shop.revenue", Discipline::Delta, Edge::Out),
            unkeyed,
            spec("shop.inner", Discipline::Delta, Edge::None),
        ],
        limits,
        filters: Box::new(filter),
        seed: 7,
    })
}

fn principal(grants: &[&str]) -> Principal {
    Principal {
        name: "alice".into(),
        grants: grants.iter().map(|text| Grant::parse(text).unwrap()).collect(),
    }
}

fn open_bus() -> Bus {
    let mut bus = bus(Limits::default());
    bus.open(ALICE, principal(&["can_publish:>", "can_subscribe:>"]), Encoding::Json, NOW);
    bus
}

/// Frames without id and time, as JSON.
fn frames(outputs: &[Output]) -> Vec<Json> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Frame { bytes, .. } => {
                let mut frame: Json = serde_json::from_slice(bytes).unwrap();
                let head = frame.as_object_mut().unwrap();
                assert!(head.remove("id").is_some() && head.remove("ts").is_some());
                Some(frame)
            }
            Output::Close { .. } => None,
        })
        .collect()
}

fn payloads(outputs: &[Output]) -> Vec<Json> {
    frames(outputs).into_iter().map(|mut frame| frame["payload"].take()).collect()
}

fn say(bus: &mut Bus, frame: &Json) -> Vec<Json> {
    payloads(&bus.handle(ALICE, &Bytes::from(frame.to_string()), NOW))
}

#[expect(clippy::needless_pass_by_value, reason = "the payload is written in place")]
fn control(bus: &mut Bus, payload: Json) -> Vec<Json> {
    say(bus, &json!({"type": "control", "topic": "system.control.session", "payload": payload}))
}

fn id(n: u64) -> String {
    format!("01900000-0000-7000-8000-{n:012}")
}

fn update(id: i64, n: i64, epoch: u64, diff: i64) -> Update {
    Update { row: vec![Value::Int(id), Value::Int(n)].into(), epoch: Epoch(epoch), diff }
}

fn delta(topic: &str, epoch: u64, updates: Vec<Update>) -> DeltaBatch {
    DeltaBatch { topic: name(topic), lower: Epoch(epoch), upper: Epoch(epoch + 1), updates }
}

fn apply(bus: &mut Bus, updates: Vec<Update>) -> Vec<Json> {
    let epoch = bus.applied().next();
    if bus.close_epoch().is_none() {
        bus.mint_epoch(&[]);
    }
    let deltas =
        if updates.is_empty() { Vec::new() } else { vec![delta("shop.revenue", epoch.0, updates)] };
    payloads(&bus.apply(AppliedEpoch { epoch, time: NOW, deltas }, NOW))
}

fn refusal(payloads: &[Json]) -> (&str, &str) {
    assert_eq!(payloads.len(), 1, "{payloads:?}");
    let error = &payloads[0]["error"];
    (error["code"].as_str().unwrap(), error["message"].as_str().unwrap())
}

#[test]
fn a_message_is_acknowledged_with_its_place_and_epoch() {
    let mut bus = open_bus();
    let order = |n, row: Json| json!({"id": id(n), "type": "event", "topic": "shop.orders", "payload": row});
    let first = say(&mut bus, &order(1, json!({"id": 1, "n": 2})));
    assert_eq!(first, [json!({"ack": {"id": id(1), "offset": 1, "epoch": 1}})]);
    let delete = json!({"id": id(2), "type": "event", "topic": "shop.orders", "payload": null,
        "headers": {"key": {"id": 1}}});
    assert_eq!(say(&mut bus, &delete), [json!({"ack": {"id": id(2), "offset": 2, "epoch": 1}})]);
    let closed = bus.close_epoch().unwrap();
    assert_eq!(closed.epoch, Epoch(1));
    let changes = vec![
        Change::Upsert(vec![Value::Int(1), Value::Int(2)].into()),
        Change::Delete(vec![Value::Int(1)].into()),
    ];
    assert_eq!(closed.inputs[0].changes, changes);
    assert!(bus.close_epoch().is_none());
    // A retry gets the first ack, whatever has happened since, and has no effect.
    assert_eq!(say(&mut bus, &order(1, json!({"id": 9, "n": 9}))), first);
    assert!(!bus.has_input());
    let mut durable = order(3, json!({"id": 1, "n": 2}));
    durable["headers"] = json!({"ack": "durable"});
    assert_eq!(
        say(&mut bus, &durable),
        [json!({"ack": {"id": id(3), "offset": 3, "epoch": 2, "durable": false}})]
    );
    let mut quiet = order(4, json!({"id": 1, "n": 2}));
    quiet["headers"] = json!({"ack": "none"});
    assert!(say(&mut bus, &quiet).is_empty());
}

#[test]
fn an_applied_ack_waits_for_the_effects_and_so_do_its_repetitions() {
    let mut bus = open_bus();
    let message = json!({"id": id(1), "type": "event", "topic": "shop.orders",
        "payload": {"id": 1, "n": 2}, "headers": {"ack": "applied"}});
    assert!(say(&mut bus, &message).is_empty());
    assert!(say(&mut bus, &message).is_empty());
    let ack = json!({"ack": {"id": id(1), "offset": 1, "epoch": 1}});
    assert_eq!(apply(&mut bus, Vec::new()), [ack.clone(), ack.clone()]);
    assert_eq!(say(&mut bus, &message), [ack]);
}

#[test]
fn every_discipline_refuses_what_is_not_its_own() {
    let mut bus = open_bus();
    let event =
        |topic: &str, payload: Json| json!({"type": "event", "topic": topic, "payload": payload});
    let changes = |topic: &str, changes: Json| {
        json!({"type": "event", "topic": topic,
        "schema": "arqonbus.delta.v1", "payload": {"changes": changes}})
    };
    let row = json!({"id": 1, "n": 2});
    let cases = [
        (event("shop.stock", row.clone()), "DELTA_ONLY"),
        (event("shop.stock", Json::Null), "DELTA_ONLY"),
        (changes("shop.stock", json!([{"diff": 0, "row": row}])), "SCHEMA_MISMATCH"),
        (changes("shop.stock", json!([{"diff": i64::MAX, "row": row}])), "TOO_LARGE"),
        (changes("shop.stock", json!([{"diff": i64::MIN, "row": row}])), "TOO_LARGE"),
        (changes("shop.clicks", json!([{"diff": -1, "row": row}])), "NO_RETRACTIONS"),
        (event("shop.clicks", Json::Null), "NO_RETRACTIONS"),
        (changes("shop.orders", json!([{"diff": 1, "row": row}])), "SCHEMA_MISMATCH"),
        (event("shop.orders", Json::Null), "SCHEMA_MISMATCH"),
        (event("shop.orders", json!({"id": 1})), "SCHEMA_MISMATCH"),
        (event("shop.orders", json!({"id": 1, "n": "x"})), "SCHEMA_MISMATCH"),
        (event("shop.revenue", row.clone()), "FORBIDDEN"),
        (event("shop.inner", row.clone()), "FORBIDDEN"),
        (event("shop.nothing", row.clone()), "UNKNOWN_TOPIC"),
        (event("Shop..", row.clone()), "FORBIDDEN"),
    ];
    for (frame, code) in cases {
        assert_eq!(refusal(&say(&mut bus, &frame)).0, code, "{frame}");
    }
    assert!(!bus.has_input());
    assert_eq!(say(&mut bus, &changes("shop.stock", json!([{"diff": -1, "row": row}]))).len(), 1);
    assert_eq!(bus.close_epoch().unwrap().inputs[0].topic, name("shop.stock"));
}

#[test]
fn what_is_not_granted_is_forbidden_whether_it_is_there_or_not() {
    let mut bus = bus(Limits::default());
    bus.open(ALICE, principal(&["can_subscribe:shop.bag"]), Encoding::Json, NOW);
    for topic in ["shop.orders", "shop.nothing", "system.control.session"] {
        let event = json!({"type": "event", "topic": topic, "payload": {"id": 1, "n": 1}});
        assert_eq!(refusal(&say(&mut bus, &event)).0, "FORBIDDEN", "{topic}");
    }
    for topic in ["shop.revenue", "shop.nothing", "shop.orders", "shop.r*", "other.>", ""] {
        let answer = control(&mut bus, json!({"subscribe": {"sub": 1, "topic": topic}}));
        assert_eq!(refusal(&answer).0, "FORBIDDEN", "{topic}");
    }
    // A pattern stands for what the session may see, and for no more.
    let answer = control(&mut bus, json!({"subscribe": {"sub": 1, "topic": ">"}}));
    assert_eq!(answer[0], json!({"subscribed": {"sub": 1, "epoch": 0}}));
    assert_eq!(
        apply(&mut bus, vec![update(1, 1, 1, 1)]),
        [json!({"progress": {"sub": 1, "upper": 2}})]
    );
}

#[test]
fn a_batch_takes_effect_whole_or_not_at_all() {
    let mut bus = open_bus();
    let message = |n, row: Json| json!({"id": id(n), "type": "event", "topic": "shop.orders", "payload": row});
    let batch = |messages: Json| {
        json!({"id": id(99), "type": "control",
        "topic": "system.control.session", "payload": {"batch": {"messages": messages}}})
    };
    let good = message(1, json!({"id": 1, "n": 1}));
    let bad = message(2, json!({"id": 1}));
    let answer = say(&mut bus, &batch(json!([good, bad])));
    let (code, text) = refusal(&answer);
    assert_eq!(code, "SCHEMA_MISMATCH");
    assert!(text.starts_with(&format!("message 1 (id {}): ", id(2))), "{text}");
    assert_eq!(answer[0]["error"]["id"], id(99));
    assert!(!bus.has_input());
    // Nothing would answer one without messages.
    let answer = say(&mut bus, &batch(json!([])));
    assert_eq!(refusal(&answer), ("SCHEMA_MISMATCH", "the batch has no messages"));
    assert_eq!(answer[0]["error"]["id"], id(99));
    let other = message(2, json!({"id": 2, "n": 1}));
    let acks = say(&mut bus, &batch(json!([good, other, good])));
    let ack = |n, offset| json!({"ack": {"id": id(n), "offset": offset, "epoch": 1}});
    assert_eq!(acks, [ack(1, 1), ack(2, 2), ack(1, 1)]);
    assert_eq!(bus.close_epoch().unwrap().inputs[0].changes.len(), 2);
}

#[test]
fn full_queues_and_long_batches_are_refused_with_a_way_out() {
    let limits = Limits { queue_rows_max: 2, batch_messages_max: 3, ..Limits::default() };
    let mut bus = bus(limits);
    bus.open(ALICE, principal(&["can_publish:>"]), Encoding::Json, NOW);
    let message = json!({"type": "event", "topic": "shop.orders", "payload": {"id": 1, "n": 1}});
    say(&mut bus, &message);
    say(&mut bus, &message);
    let answer = say(&mut bus, &message);
    assert_eq!(refusal(&answer).0, "RESOURCE_EXHAUSTED");
    assert!(answer[0]["error"]["retry_after_ms"].is_u64());
    bus.close_epoch();
    assert_eq!(say(&mut bus, &message)[0]["ack"]["epoch"], 2);
    for n_messages in [3, 4] {
        let messages = vec![message.clone(); n_messages];
        let answer = control(&mut bus, json!({"batch": {"messages": messages}}));
        assert_eq!(refusal(&answer).0, "TOO_LARGE");
    }
}

#[test]
fn a_subscription_begins_with_the_state_and_goes_on_with_deltas() {
    let mut bus = open_bus();
    apply(&mut bus, vec![update(1, 10, 1, 1), update(2, 20, 1, 1)]);
    let subscribe = json!({"subscribe": {"sub": 1, "topic": "shop.revenue", "from": "snapshot"}});
    let answer = control(&mut bus, subscribe.clone());
    let row = |id, n| json!({"id": id, "n": n});
    let snapshot = json!({"sub": 1, "lower": 0, "upper": 2, "changes": [
        {"epoch": 1, "diff": 1, "row": row(1, 10)}, {"epoch": 1, "diff": 1, "row": row(2, 20)}]});
    assert_eq!(
        answer,
        [
            json!({"subscribed": {"sub": 1, "epoch": 1}}),
            snapshot,
            json!({"progress": {"sub": 1, "upper": 2}})
        ]
    );
    assert_eq!(apply(&mut bus, Vec::new()), [json!({"progress": {"sub": 1, "upper": 3}})]);
    let later = apply(&mut bus, vec![update(1, 10, 3, -1), update(1, 11, 3, 1)]);
    let changes = json!({"sub": 1, "lower": 2, "upper": 4, "changes": [
        {"epoch": 3, "diff": -1, "row": row(1, 10)}, {"epoch": 3, "diff": 1, "row": row(1, 11)}]});
    assert_eq!(later, [changes, json!({"progress": {"sub": 1, "upper": 4}})]);
    assert_eq!(refusal(&control(&mut bus, subscribe)).0, "CONFLICT");
    assert!(control(&mut bus, json!({"unsubscribe": {"sub": 1}})).is_empty());
    assert_eq!(refusal(&control(&mut bus, json!({"unsubscribe": {"sub": 1}}))).0, "GONE");
    assert!(apply(&mut bus, vec![update(1, 11, 4, -1)]).is_empty());
}

#[test]
fn an_empty_topic_has_an_empty_snapshot() {
    let mut bus = open_bus();
    let answer = control(
        &mut bus,
        json!({"subscribe": {"sub": 3, "topic": "shop.bag", "from": "snapshot", "as": "deltas"}}),
    );
    assert_eq!(answer[1], json!({"sub": 3, "lower": 0, "upper": 1, "changes": []}));
}

#[test]
fn snapshots_come_once_and_upserts_per_key() {
    let mut bus = open_bus();
    apply(&mut bus, vec![update(1, 10, 1, 1), update(2, 20, 1, 2)]);
    let answer = control(
        &mut bus,
        json!({"subscribe": {"sub": 1, "topic": "shop.revenue", "as": "snapshot"}}),
    );
    let rows =
        json!([{"row": {"id": 1, "n": 10}, "count": 1}, {"row": {"id": 2, "n": 20}, "count": 2}]);
    assert_eq!(answer[1..], [json!({"sub": 1, "epoch": 1, "rows": rows})]);
    let answer = control(
        &mut bus,
        json!({"subscribe": {"sub": 1, "topic": "shop.revenue", "from": "now", "as": "upserts"}}),
    );
    assert_eq!(answer.len(), 2, "number 1 is free again: {answer:?}");
    let later = apply(
        &mut bus,
        vec![update(1, 10, 2, -1), update(2, 20, 2, -1), update(2, 20, 2, -1), update(1, 11, 2, 1)],
    );
    let upserts = json!([
        {"epoch": 2, "key": {"id": 1}, "row": {"id": 1, "n": 11}},
        {"epoch": 2, "key": {"id": 2}, "row": null}]);
    assert_eq!(later[0], json!({"sub": 1, "lower": 2, "upper": 3, "upserts": upserts}));
    let keyless = json!({"subscribe": {"sub": 2, "topic": "shop.bag", "as": "upserts"}});
    assert_eq!(refusal(&control(&mut bus, keyless)).0, "NO_KEY");
}

#[test]
fn a_filter_lets_through_what_it_is_true_of() {
    let mut bus = open_bus();
    apply(&mut bus, vec![update(1, 10, 1, 1), update(2, 20, 1, 1)]);
    let subscribe = |sub, filter| {
        json!({"subscribe": {"sub": sub, "topic": "shop.revenue",
        "from": "snapshot", "where": filter}})
    };
    let answer = control(&mut bus, subscribe(1, "n > 15"));
    assert_eq!(answer[1]["changes"].as_array().unwrap().len(), 1);
    assert_eq!(apply(&mut bus, vec![update(3, 3, 2, 1)]).len(), 1, "progress alone");
    assert_eq!(refusal(&control(&mut bus, subscribe(2, "m > 15"))).0, "SCHEMA_MISMATCH");
}

#[test]
fn an_epoch_that_has_begun_is_finished_and_then_credit_is_awaited() {
    let mut bus = open_bus();
    let subscribe =
        json!({"subscribe": {"sub": 1, "topic": "shop.revenue", "from": "now", "credit": 1}});
    control(&mut bus, subscribe);
    let first = apply(&mut bus, vec![update(1, 1, 1, 1), update(2, 1, 1, 1), update(3, 1, 1, 1)]);
    assert_eq!(first[0]["changes"].as_array().unwrap().len(), 3);
    assert!(apply(&mut bus, vec![update(4, 1, 2, 1)]).is_empty());
    assert!(apply(&mut bus, Vec::new()).is_empty(), "no progress past what is pending");
    assert!(control(&mut bus, json!({"credit": {"sub": 1, "add": 2}})).is_empty(), "2 - 2 is 0");
    let rest = control(&mut bus, json!({"credit": {"sub": 1, "add": 1}}));
    assert_eq!(rest[0]["lower"], 2);
    assert_eq!(rest[1], json!({"progress": {"sub": 1, "upper": 4}}));
}

/// A row that changes is two changes and one upsert: who grants what it got gets all that comes.
#[test]
fn an_upsert_spends_one_credit() {
    let mut bus = open_bus();
    let subscribe = json!({"subscribe": {"sub": 1, "topic": "shop.revenue", "from": "now",
        "as": "upserts", "credit": 1}});
    control(&mut bus, subscribe);
    let row = |frames: &[Json]| frames[0]["upserts"][0]["row"]["n"].clone();
    assert_eq!(row(&apply(&mut bus, vec![update(1, 1, 1, 1)])), 1);
    for n in 2..9 {
        let change = vec![update(1, n - 1, 1, -1), update(1, n, 1, 1)];
        assert!(apply(&mut bus, change).is_empty(), "it has no credit");
        let granted = control(&mut bus, json!({"credit": {"sub": 1, "add": 1}}));
        assert_eq!(row(&granted), n);
    }
}

#[test]
fn changes_after_an_epoch_are_replayed_or_gone() {
    let mut bus = bus(Limits { history_rows_max: 3, ..Limits::default() });
    bus.open(ALICE, principal(&["can_subscribe:>"]), Encoding::Json, NOW);
    for epoch in 1..=6 {
        apply(&mut bus, vec![update(1, 1, epoch, 1)]);
    }
    let subscribe = |sub, epoch| json!({"subscribe": {"sub": sub, "topic": "shop.revenue", "from": {"epoch": epoch}}});
    let answer = control(&mut bus, subscribe(1, 4));
    assert_eq!(answer[1]["lower"], 5);
    assert_eq!(answer[2]["lower"], 6);
    assert_eq!(answer[2]["upper"], 7);
    assert_eq!(refusal(&control(&mut bus, subscribe(2, 1))).0, "GONE");
    assert_eq!(refusal(&control(&mut bus, subscribe(2, 99))).0, "UNAVAILABLE");
    let offset = json!({"subscribe": {"sub": 2, "topic": "shop.revenue", "from": {"offset": 1}}});
    assert_eq!(refusal(&control(&mut bus, offset)).0, "UNAVAILABLE");
}

#[test]
fn events_carry_their_offsets_and_name_gaps() {
    let mut bus = bus(Limits { history_rows_max: 3, ..Limits::default() });
    bus.open(ALICE, principal(&["can_publish:>", "can_subscribe:>"]), Encoding::Json, NOW);
    control(&mut bus, json!({"subscribe": {"sub": 1, "topic": "shop.clicks"}}));
    let click = |n: u64| json!({"id": id(n), "type": "event", "topic": "shop.clicks", "payload": {"id": n, "n": 0}});
    for n in 1..=6 {
        assert_eq!(say(&mut bus, &click(n))[0]["ack"]["offset"], n);
        if n % 2 == 1 {
            continue;
        }
        let epoch = bus.close_epoch().unwrap().epoch;
        let got = frames(&bus.apply(AppliedEpoch { epoch, time: NOW, deltas: Vec::new() }, NOW));
        let event = json!({"type": "event", "topic": "shop.clicks", "schema": "shop.Pair",
            "payload": {"id": n - 1, "n": 0}, "headers": {"sub": 1, "offset": n - 1}});
        assert_eq!(got[0], event);
        assert_eq!(got.len(), 3, "two events and progress");
    }
    let replay = control(
        &mut bus,
        json!({"subscribe": {"sub": 2, "topic": "shop.clicks", "from": {"offset": 1}}}),
    );
    assert_eq!(replay[1], json!({"gap": {"sub": 2, "after": 1, "next": 4}}));
    assert_eq!(replay[2], json!({"id": 4, "n": 0}));
    let replay = control(
        &mut bus,
        json!({"subscribe": {"sub": 3, "topic": "shop.clicks", "from": {"offset": 5}}}),
    );
    assert_eq!(replay[1], json!({"id": 6, "n": 0}));
    let upserts = json!({"subscribe": {"sub": 4, "topic": "shop.clicks", "as": "snapshot"}});
    assert_eq!(refusal(&control(&mut bus, upserts)).0, "UNAVAILABLE");
}

#[test]
fn a_slow_reader_of_events_loses_the_oldest_and_is_told() {
    let mut bus = bus(Limits { pending_rows_max: 2, ..Limits::default() });
    bus.open(ALICE, principal(&["can_publish:>", "can_subscribe:>"]), Encoding::Json, NOW);
    control(&mut bus, json!({"subscribe": {"sub": 1, "topic": "shop.clicks", "credit": 1}}));
    let mut got = Vec::new();
    for n in 1..=6_u64 {
        say(
            &mut bus,
            &json!({"type": "event", "topic": "shop.clicks", "payload": {"id": n, "n": 0}}),
        );
        let epoch = bus.close_epoch().unwrap().epoch;
        got.extend(payloads(
            &bus.apply(AppliedEpoch { epoch, time: NOW, deltas: Vec::new() }, NOW),
        ));
    }
    got.extend(control(&mut bus, json!({"credit": {"sub": 1, "add": 9}})));
    let gap = json!({"gap": {"sub": 1, "after": 1, "next": 5}});
    let row = |n| json!({"id": n, "n": 0});
    let wanted = [row(1), json!({"progress": {"sub": 1, "upper": 2}}), gap, row(5), row(6)];
    assert_eq!(got[..5], wanted);
}

#[test]
fn a_large_epoch_comes_in_parts_of_the_same_bounds() {
    let mut bus = bus(Limits { frame_bytes_max: 200, ..Limits::default() });
    bus.open(ALICE, principal(&["can_subscribe:>"]), Encoding::Json, NOW);
    apply(&mut bus, (0..20).map(|id| update(id, 0, 1, 1)).collect());
    let answer = control(
        &mut bus,
        json!({"subscribe": {"sub": 1, "topic": "shop.revenue", "from": "snapshot"}}),
    );
    let parts: Vec<&Json> = answer.iter().filter(|frame| frame["changes"].is_array()).collect();
    assert!(parts.len() > 3);
    for (at, part) in parts.iter().enumerate() {
        assert_eq!(part["part"], at + 1);
        assert_eq!(part["parts"], parts.len());
        assert_eq!((&part["lower"], &part["upper"]), (&json!(0), &json!(2)));
    }
    let n_rows: usize = parts.iter().map(|part| part["changes"].as_array().unwrap().len()).sum();
    assert_eq!(n_rows, 20);
}

#[test]
fn a_client_that_does_not_read_waits_and_one_that_only_talks_is_closed() {
    let limits = Limits { outbox_bytes_max: 2_000, outbox_bytes_close: 6_000, ..Limits::default() };
    let mut bus = bus(limits);
    bus.open(ALICE, principal(&["can_subscribe:>"]), Encoding::Json, NOW);
    control(
        &mut bus,
        json!({"subscribe": {"sub": 1, "topic": "shop.revenue", "from": "snapshot"}}),
    );
    let mut n_frames = 0;
    for epoch in 1..100 {
        n_frames += apply(&mut bus, vec![update(1, i64::try_from(epoch).unwrap(), epoch, 1)]).len();
    }
    assert!(n_frames < 20, "{n_frames} frames went to one who does not read");
    let released = bus.sent(ALICE, 1_000_000, NOW);
    assert!(!released.is_empty());
    let mut closed = Vec::new();
    for _ in 0..100 {
        let junk = Bytes::from_static(
            br#"{"type":"control","topic":"t","payload":{"credit":{"sub":9,"add":1}}}"#,
        );
        closed.extend(bus.handle(ALICE, &junk, NOW));
        if bus.n_sessions() == 0 {
            break;
        }
    }
    assert!(matches!(closed.last(), Some(Output::Close { code: 4408, .. })), "{:?}", closed.last());
}

#[test]
fn a_snapshot_that_waits_for_credit_is_not_followed_by_changes() {
    let mut bus = open_bus();
    apply(&mut bus, vec![update(1, 5, 1, 1)]);
    let request = json!({"subscribe": {"sub": 1, "topic": "shop.revenue", "as": "snapshot",
        "credit": 0}});
    assert_eq!(control(&mut bus, request), [json!({"subscribed": {"sub": 1, "epoch": 1}})]);
    apply(&mut bus, vec![update(1, 5, 2, -1), update(1, 6, 2, 1)]);
    let answer = control(&mut bus, json!({"credit": {"sub": 1, "add": 100}}));
    let rows = json!([{"row": {"id": 1, "n": 5}, "count": 1}]);
    assert_eq!(answer, [json!({"sub": 1, "epoch": 1, "rows": rows})]);
    let again = control(&mut bus, json!({"unsubscribe": {"sub": 1}}));
    assert_eq!(refusal(&again).0, "GONE");
}

#[test]
fn an_error_quotes_no_more_than_a_little_of_a_long_frame() {
    let mut bus = open_bus();
    let long = "ü".repeat(500_000);
    let row = json!({"id": 1, "n": long});
    let order = json!({"id": id(1), "type": "event", "topic": "shop.orders", "payload": row});
    let odd = json!({"id": id(2), "type": long, "topic": "shop.orders"});
    for frame in [order, odd] {
        let answer = say(&mut bus, &frame);
        let (code, message) = refusal(&answer);
        assert_eq!(code, "SCHEMA_MISMATCH");
        assert!(message.len() < 2_010 && message.ends_with('…'), "{} bytes", message.len());
        assert_eq!(answer[0]["error"]["id"], frame["id"]);
    }
}

#[test]
fn an_empty_snapshot_needs_no_credit() {
    let mut bus = open_bus();
    let request = json!({"subscribe": {"sub": 1, "topic": "shop.revenue", "from": "snapshot",
        "credit": 0}});
    let answer = control(&mut bus, request);
    assert_eq!(answer[1], json!({"sub": 1, "lower": 0, "upper": 1, "changes": []}));
    assert_eq!(answer[2], json!({"progress": {"sub": 1, "upper": 1}}));
}

#[test]
fn a_state_larger_than_the_outbox_reaches_a_client_that_reads() {
    let limits = Limits {
        frame_bytes_max: 1_000,
        outbox_bytes_max: 4_000,
        outbox_bytes_close: 8_000,
        ..Limits::default()
    };
    let mut bus = bus(limits);
    bus.open(ALICE, principal(&["can_subscribe:>"]), Encoding::Json, NOW);
    bus.sent(ALICE, usize::MAX, NOW);
    apply(&mut bus, (0..1_000).map(|id| update(id, 0, 1, 1)).collect());
    let request = json!({"type": "control", "topic": "t",
        "payload": {"subscribe": {"sub": 1, "topic": "shop.revenue", "from": "snapshot"}}});
    let mut outputs = bus.handle(ALICE, &Bytes::from(request.to_string()), NOW);
    let (mut n_rows, mut is_whole) = (0, false);
    for _ in 0..1_000 {
        let n_bytes: usize = outputs
            .iter()
            .map(|output| match output {
                Output::Frame { bytes, .. } => bytes.len(),
                Output::Close { .. } => panic!("the client reads all it gets"),
            })
            .sum();
        assert!(n_bytes < 6_000, "{n_bytes} bytes wait at once");
        for payload in payloads(&outputs) {
            n_rows += payload["changes"].as_array().map_or(0, Vec::len);
            is_whole |= payload["progress"]["upper"] == 2;
        }
        outputs = bus.sent(ALICE, n_bytes, NOW);
        if outputs.is_empty() {
            break;
        }
    }
    assert_eq!((n_rows, is_whole), (1_000, true));
}

#[test]
fn progress_alone_does_not_fill_the_outbox_of_a_slow_client() {
    let limits = Limits { outbox_bytes_max: 2_000, outbox_bytes_close: 6_000, ..Limits::default() };
    let mut bus = bus(limits);
    bus.open(ALICE, principal(&["can_subscribe:>"]), Encoding::Json, NOW);
    control(&mut bus, json!({"subscribe": {"sub": 1, "topic": "shop.revenue"}}));
    for _ in 0..100 {
        apply(&mut bus, Vec::new());
    }
    assert_eq!(bus.n_sessions(), 1);
    let marks = payloads(&bus.sent(ALICE, 1_000_000, NOW));
    assert_eq!(marks, [json!({"progress": {"sub": 1, "upper": 101}})]);
}

#[test]
fn a_replay_of_events_names_what_is_gone_and_nothing_else() {
    let mut bus = bus(Limits { history_rows_max: 3, ..Limits::default() });
    bus.open(ALICE, principal(&["can_publish:>", "can_subscribe:>"]), Encoding::Json, NOW);
    let click = |bus: &mut Bus, n: u64| {
        let row = json!({"id": 1, "n": n});
        say(bus, &json!({"type": "event", "topic": "shop.clicks", "payload": row}));
        apply(bus, Vec::new());
    };
    let replay = |bus: &mut Bus, sub: u64, request: Json| {
        let mut request = request;
        request["sub"] = json!(sub);
        request["topic"] = json!("shop.clicks");
        let answer = control(bus, json!({"subscribe": request}));
        control(bus, json!({"unsubscribe": {"sub": sub}}));
        answer
    };
    for n in 1..=3 {
        click(&mut bus, n);
    }
    // What the filter holds back is no gap.
    let answer = replay(&mut bus, 1, json!({"from": "snapshot", "where": "n > 2"}));
    assert_eq!(answer[1], json!({"id": 1, "n": 3}));
    let late = replay(&mut bus, 2, json!({"from": {"offset": 9}}));
    assert_eq!(refusal(&late).0, "UNAVAILABLE");
    let late = replay(&mut bus, 3, json!({"from": {"epoch": 9}}));
    assert_eq!(refusal(&late).0, "UNAVAILABLE");
    for n in 4..=5 {
        click(&mut bus, n);
    }
    let answer = replay(&mut bus, 4, json!({"from": {"offset": 1}}));
    assert_eq!(answer[1], json!({"gap": {"sub": 4, "after": 1, "next": 3}}));
    assert_eq!(answer[2], json!({"id": 1, "n": 3}));
    let answer = replay(&mut bus, 5, json!({"from": {"offset": 2}}));
    assert_eq!(answer[1], json!({"id": 1, "n": 3}));
    let answer = replay(&mut bus, 6, json!({"from": {"epoch": 3}}));
    assert_eq!(answer[1], json!({"id": 1, "n": 4}));
}

#[test]
fn int64_values_are_written_as_the_session_asks() {
    let mut bus = open_bus();
    bus.write_int64_as(ALICE, arqon_proto::Int64Form::String);
    apply(&mut bus, vec![update(1, 5, 1, 1)]);
    let request = json!({"subscribe": {"sub": 1, "topic": "shop.revenue", "from": "snapshot",
        "as": "upserts"}});
    let upserts = &control(&mut bus, request)[1]["upserts"];
    assert_eq!(upserts, &json!([{"epoch": 1, "key": {"id": "1"}, "row": {"id": "1", "n": "5"}}]));
}

#[test]
fn unreadable_frames_are_answered_and_at_last_end_the_session() {
    let mut bus = open_bus();
    let mut outputs = Vec::new();
    for _ in 0..=Limits::default().faults_max {
        outputs.extend(bus.handle(ALICE, &Bytes::from_static(b"{"), NOW));
    }
    assert_eq!(refusal(&payloads(&outputs[..1])).0, "SCHEMA_MISMATCH");
    assert!(matches!(outputs.last(), Some(Output::Close { code: 4400, .. })));
    assert!(bus.handle(ALICE, &Bytes::from_static(b"{}"), NOW).is_empty());
}

/// What a subscriber holds after folding all frames, and the laws that each frame keeps.
#[derive(Default)]
struct Folded {
    rows: BTreeMap<(i64, i64), i64>,
    lower: Option<u64>,
    progress: u64,
}

impl Folded {
    fn fold(&mut self, payload: &Json) {
        if let Some(upper) = payload["progress"]["upper"].as_u64() {
            assert!(upper > self.progress, "progress moves on");
            self.progress = upper;
        }
        let Some(changes) = payload["changes"].as_array() else { return };
        let (lower, upper) =
            (payload["lower"].as_u64().unwrap(), payload["upper"].as_u64().unwrap());
        let is_later_part = payload["part"].as_u64().is_some_and(|part| part > 1);
        if is_later_part {
            assert_eq!(self.lower, Some(upper), "all parts have the same bounds");
        } else if let Some(before) = self.lower {
            assert_eq!(lower, before, "each lower is the previous upper");
        }
        self.lower = Some(upper);
        for change in changes {
            let epoch = change["epoch"].as_u64().unwrap();
            assert!(lower <= epoch && epoch < upper && epoch >= self.progress, "{payload}");
            let row = (change["row"]["id"].as_i64().unwrap(), change["row"]["n"].as_i64().unwrap());
            let count = self.rows.entry(row).or_default();
            *count += change["diff"].as_i64().unwrap();
            if *count == 0 {
                self.rows.remove(&row);
            }
        }
    }
}

fn any_change() -> impl Strategy<Value = (i64, i64, i64)> {
    (0..4_i64, 0..3_i64, prop_oneof![Just(-1_i64), Just(1)])
}

/// At least so many cases; the long run asks for more.
fn many(n_cases: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig { cases: asked.cases.max(n_cases), ..asked }
}

proptest! {
    #![proptest_config(many(500))]
    /// A snapshot at any epoch and the deltas after it are the state, without gap or overlap,
    /// whatever the credit, the outbox and the merging of what waits.
    #[test]
    fn snapshot_and_deltas_are_the_state(
        epochs in proptest::collection::vec(
            proptest::collection::vec(any_change(), 0..6),
            1..24,
        ),
        credit in proptest::option::of(0..4_u64),
        top_up in 0..6_u64,
        pending_rows_max in 1..12_usize,
        outbox_bytes_max in prop_oneof![Just(300_usize), Just(1 << 20)],
    ) {
        let mut bus = bus(Limits {
            pending_rows_max, outbox_bytes_max, frame_bytes_max: 150, ..Limits::default()
        });
        let welcome = bus.open(ALICE, principal(&["can_subscribe:>"]), Encoding::Json, NOW);
        let mut joined: Vec<Folded> = Vec::new();
        let mut outbox = 0;
        let mut take = |outputs: Vec<Output>, joined: &mut Vec<Folded>| {
            for output in outputs {
                let Output::Frame { bytes, .. } = &output else { panic!("{output:?}") };
                outbox += bytes.len();
                let payload = payloads(std::slice::from_ref(&output)).remove(0);
                let sub = payload["sub"].as_u64().or(payload["progress"]["sub"].as_u64());
                if let Some(sub) = sub {
                    joined[usize::try_from(sub).unwrap()].fold(&payload);
                }
            }
            std::mem::take(&mut outbox)
        };
        let frame = |payload: Json| Bytes::from(
            json!({"type": "control", "topic": "t", "payload": payload}).to_string());
        let mut unsent = take(welcome, &mut joined);
        for (at, changes) in epochs.iter().enumerate() {
            let sub = joined.len();
            joined.push(Folded::default());
            let subscribe = json!({"subscribe":
                {"sub": sub, "topic": "shop.revenue", "from": "snapshot", "credit": credit}});
            let outputs = bus.handle(ALICE, &frame(subscribe), NOW);
            unsent += take(outputs, &mut joined);
            let epoch = bus.mint_epoch(&[]);
            let mut updates: Vec<Update> =
                changes.iter().map(|(id, n, diff)| update(*id, *n, epoch.0, *diff)).collect();
            consolidate(&mut updates);
            let deltas = vec![delta("shop.revenue", epoch.0, updates)];
            let outputs = bus.apply(AppliedEpoch { epoch, time: NOW, deltas }, NOW);
            unsent += take(outputs, &mut joined);
            if at % 3 == 0 {
                let outputs = bus.sent(ALICE, std::mem::take(&mut unsent), NOW);
                unsent += take(outputs, &mut joined);
            }
            let add = json!({"credit": {"sub": sub / 2, "add": top_up}});
            let outputs = bus.handle(ALICE, &frame(add), NOW);
            unsent += take(outputs, &mut joined);
        }
        for sub in 0..joined.len() {
            let outputs = bus.handle(ALICE, &frame(json!({"credit": {"sub": sub, "add": 1_000_000}})), NOW);
            unsent += take(outputs, &mut joined);
        }
        while unsent > 0 {
            let outputs = bus.sent(ALICE, std::mem::take(&mut unsent), NOW);
            unsent += take(outputs, &mut joined);
        }
        let state: BTreeMap<(i64, i64), i64> = bus
            .state(&name("shop.revenue"))
            .unwrap()
            .into_iter()
            .map(|(row, count)| match (&row[0], &row[1]) {
                (Value::Int(id), Value::Int(n)) => ((*id, *n), count),
                other => panic!("{other:?}"),
            })
            .collect();
        for (at, folded) in joined.iter().enumerate() {
            prop_assert_eq!(&folded.rows, &state, "joined before epoch {}", at + 1);
            prop_assert_eq!(folded.progress, bus.applied().0 + 1);
        }
    }
}

fn any_frame() -> impl Strategy<Value = Json> {
    let topic = prop_oneof![
        Just("shop.orders"),
        Just("shop.stock"),
        Just("shop.clicks"),
        Just("shop.shelf"),
        Just("shop.revenue"),
        Just("shop.*"),
        Just(">"),
        Just(""),
    ];
    let row = (0..3_i64, -2..3_i64).prop_map(|(id, n)| json!({"id": id, "n": n}));
    let payload = prop_oneof![
        row.clone(),
        Just(Json::Null),
        row.prop_map(|row| json!({"changes": [{"diff": row["n"], "row": row}]})),
    ];
    let begin = prop_oneof![
        Just(json!("now")),
        Just(json!("snapshot")),
        (0..9_u64).prop_map(|epoch| json!({"epoch": epoch})),
        (0..9_u64).prop_map(|offset| json!({"offset": offset})),
    ];
    let form = prop_oneof![Just("deltas"), Just("snapshot"), Just("upserts")];
    let event = (topic.clone(), payload, 0..4_u64, prop_oneof![Just("none"), Just("applied")])
        .prop_map(|(topic, payload, n, ack)| {
            let schema = payload["changes"].is_array().then_some("arqonbus.delta.v1");
            json!({"id": id(n), "type": "event", "topic": topic, "payload": payload,
                "schema": schema, "headers": {"ack": ack, "key": {"id": n}}})
        });
    let control = |payload| json!({"type": "control", "topic": "t", "payload": payload});
    let subscribe = (topic, begin, form, 0..4_u64, proptest::option::of(0..3_u64)).prop_map(
        move |(topic, begin, form, sub, credit)| {
            control(json!({"subscribe":
                {"sub": sub, "topic": topic, "from": begin, "as": form, "credit": credit}}))
        },
    );
    let credit = (0..4_u64, any::<u64>())
        .prop_map(move |(sub, add)| control(json!({"credit": {"sub": sub, "add": add}})));
    let end = (0..4_u64).prop_map(move |sub| control(json!({"unsubscribe": {"sub": sub}})));
    let batch = proptest::collection::vec(event.clone(), 0..3)
        .prop_map(move |messages| control(json!({"batch": {"messages": messages}})));
    prop_oneof![4 => event, 3 => subscribe, 1 => credit, 1 => end, 1 => batch]
}

proptest! {
    /// Whatever clients say in whatever order, each frame that has an answer gets one, epochs stay
    /// in order, and nothing panics.
    #[test]
    fn any_conversation_goes_on(
        frames in proptest::collection::vec((any_frame(), 0..3_u8), 1..40),
    ) {
        let mut bus = bus(Limits { history_rows_max: 4, pending_rows_max: 3, ..Limits::default() });
        bus.open(ALICE, principal(&["can_publish:>", "can_subscribe:>"]), Encoding::Json, NOW);
        for (frame, turn) in frames {
            let answers = bus.handle(ALICE, &Bytes::from(frame.to_string()), NOW);
            let is_subscribe = !frame["payload"]["subscribe"].is_null();
            prop_assert!(!is_subscribe || !answers.is_empty(), "{frame} is answered");
            if turn == 0 {
                let epoch = bus.close_epoch().map_or_else(|| bus.mint_epoch(&[]), |c| c.epoch);
                let row = update(1, i64::try_from(epoch.0).unwrap(), epoch.0, 1);
                let deltas = vec![delta("shop.revenue", epoch.0, vec![row])];
                bus.apply(AppliedEpoch { epoch, time: NOW, deltas }, NOW);
                prop_assert_eq!(bus.applied(), epoch);
            }
        }
        prop_assert_eq!(bus.n_sessions(), 1);
    }
}
