//! Topics of events that clients and the circuit both write, and what is kept of them: the bus from
//! outside, with an engine that is any number of epochs behind.

use std::collections::{BTreeMap, VecDeque};

use arqon_proto::Encoding;
use arqon_types::{
    DeltaBatch, Discipline, Edge, Epoch, Field, Row, Schema, TopicName, Type, Update, Value,
    consolidate,
};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::grant::{Grant, Principal};
use crate::limits::Limits;
use crate::log::Keep;
use crate::machine::{AppliedEpoch, Bus, BusOptions, Output, SessionId};
use crate::topic::{Source, TopicSpec};

const ALICE: SessionId = SessionId(1);
const SECOND: i64 = 1_000_000_000;

fn name() -> TopicName {
    TopicName::parse("lab.lines").unwrap()
}

fn bus(source: Source, keep: Keep, limits: Limits) -> Bus {
    let fields = vec![Field::new("n", Type::Int64), Field::new("at", Type::Timestamp)];
    let spec = TopicSpec {
        name: name(),
        schema: Schema::new("Line", fields),
        schema_id: "lab.Line".into(),
        discipline: Discipline::Events,
        edge: Edge::Both,
        key: Vec::new(),
        source,
        keep,
    };
    let filters = Box::new(|_: &str, _: &Schema| Err("there are no filters here".to_owned()));
    let mut bus = Bus::new(BusOptions { topics: vec![spec], limits, filters, seed: 7 });
    let grants = ["can_publish:>", "can_subscribe:>"];
    let grants = grants.iter().map(|text| Grant::parse(text).unwrap()).collect();
    bus.open(ALICE, Principal { name: "alice".into(), grants }, Encoding::Json, 0);
    bus
}

/// What a client hears: events as (offset, n), acks as (id, offset), gaps as (after, next).
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Heard {
    events: Vec<(u64, i64)>,
    acks: BTreeMap<u64, u64>,
    gaps: Vec<(u64, u64)>,
    errors: Vec<String>,
}

impl Heard {
    fn hear(&mut self, outputs: &[Output]) {
        for output in outputs {
            let Output::Frame { bytes, .. } = output else { panic!("{output:?}") };
            let frame: Json = serde_json::from_slice(bytes).unwrap();
            let number = |json: &Json| json.as_u64().unwrap();
            let payload = &frame["payload"];
            if frame["type"] == "event" {
                let offset = number(&frame["headers"]["offset"]);
                self.events.push((offset, payload["n"].as_i64().unwrap()));
            } else if let Some(ack) = payload.get("ack") {
                let id = ack["id"].as_str().unwrap().rsplit('-').next().unwrap();
                let known = self.acks.insert(id.parse().unwrap(), number(&ack["offset"]));
                assert!(known.is_none_or(|offset| offset == number(&ack["offset"])), "{ack}");
            } else if let Some(gap) = payload.get("gap") {
                self.gaps.push((number(&gap["after"]), number(&gap["next"])));
            } else if let Some(error) = payload.get("error") {
                self.errors.push(error["code"].as_str().unwrap().to_owned());
            }
        }
    }
}

fn handle(bus: &mut Bus, frame: &Json) -> Vec<Output> {
    bus.handle(ALICE, &Bytes::from(frame.to_string()), 0)
}

fn subscribe(bus: &mut Bus, sub: u64, from: &Json) -> Heard {
    let mut heard = Heard::default();
    heard.hear(&handle(
        bus,
        &json!({"type": "control", "topic": "system.control.session",
            "payload": {"subscribe": {"sub": sub, "topic": "lab.lines", "from": from}}}),
    ));
    heard
}

fn publish(bus: &mut Bus, id: u64, ns: &[i64], ack: &str) -> Vec<Output> {
    let row = |n: &i64| json!({"n": n, "at": "2026-01-01T00:00:00Z"});
    let frame = json!({"type": "event", "topic": "lab.lines", "headers": {"ack": ack},
        "id": format!("01900000-0000-7000-8000-{id:012}")});
    let payload = if let [n] = ns {
        json!({"payload": row(n)})
    } else {
        let changes: Vec<Json> = ns.iter().map(|n| json!({"diff": 1, "row": row(n)})).collect();
        json!({"schema": "arqonbus.delta.v1", "payload": {"changes": changes}})
    };
    let mut frame = frame;
    frame.as_object_mut().unwrap().extend(payload.as_object().unwrap().clone());
    handle(bus, &frame)
}

fn line(n: i64) -> Row {
    vec![Value::Int(n), Value::Timestamp(1_767_225_600 * SECOND)].into()
}

/// The engine: what it is fed comes out sorted, with what the circuit writes.
#[derive(Default)]
struct Engine {
    under_way: VecDeque<(Epoch, Vec<i64>)>,
}

impl Engine {
    /// Feeds an epoch, in which the circuit writes `written`.
    fn feed(&mut self, bus: &mut Bus, written: &[i64]) -> bool {
        let Some(closed) = bus.close_epoch() else { return false };
        let mut rows: Vec<i64> = written.to_vec();
        for change in closed.inputs.iter().flat_map(|input| &input.changes) {
            let arqon_types::Change::Insert(row) = change else { panic!("{change:?}") };
            let Value::Int(n) = row[0] else { panic!("{row:?}") };
            rows.push(n);
        }
        self.under_way.push_back((closed.epoch, rows));
        true
    }

    /// Brings the oldest epoch out.
    fn come_out(&mut self, bus: &mut Bus, time: i64) -> Vec<Output> {
        let Some((epoch, rows)) = self.under_way.pop_front() else { return Vec::new() };
        let update = |n: i64| Update { row: line(n), epoch, diff: 1 };
        let mut updates: Vec<Update> = rows.into_iter().map(update).collect();
        consolidate(&mut updates);
        let delta = DeltaBatch { topic: name(), lower: epoch, upper: epoch.next(), updates };
        bus.apply(AppliedEpoch { epoch, time, deltas: vec![delta] }, 0)
    }
}

#[derive(Debug, Clone)]
enum Act {
    /// These numbers in one message; whether the ack tells of effects.
    Publish(Vec<i64>, bool),
    /// The open epoch closes; the circuit writes these.
    Close(Vec<i64>),
    /// An epoch comes out.
    ComeOut,
}

fn any_act() -> impl Strategy<Value = Act> {
    let numbers = |most| proptest::collection::vec(0..4_i64, 0..most);
    prop_oneof![
        3 => (numbers(4), any::<bool>()).prop_map(|(ns, is_applied)| Act::Publish(ns, is_applied)),
        2 => numbers(4).prop_map(Act::Close),
        2 => Just(Act::ComeOut),
    ]
}

/// All that a client hears who is there from the beginning; `is_prompt`, if each epoch comes out
/// before anything else happens.
fn talk(bus: &mut Bus, acts: &[Act], is_prompt: bool) -> Heard {
    let mut engine = Engine::default();
    let mut heard = subscribe(bus, 1, &json!("now"));
    for (act, id) in acts.iter().zip(1..) {
        match act {
            Act::Publish(ns, is_applied) => {
                let ack = if *is_applied { "applied" } else { "accepted" };
                heard.hear(&publish(bus, id, ns, ack));
            }
            Act::Close(written) => {
                engine.feed(bus, written);
            }
            Act::ComeOut => heard.hear(&engine.come_out(bus, 0)),
        }
        while is_prompt && !engine.under_way.is_empty() {
            heard.hear(&engine.come_out(bus, 0));
        }
    }
    engine.feed(bus, &[]);
    while !engine.under_way.is_empty() {
        heard.hear(&engine.come_out(bus, 0));
    }
    heard
}

/// What subscribers are to see, and where each message is to stand.
fn wanted(acts: &[Act], source: Source) -> Heard {
    let mut wanted = Heard::default();
    let (mut open, mut said): (Vec<(u64, Vec<i64>)>, Vec<i64>) = (Vec::new(), Vec::new());
    let close = |open: &mut Vec<(u64, Vec<i64>)>, written: &[i64], said: &mut Vec<i64>| {
        if open.is_empty() {
            return Vec::new();
        }
        let mut written = written.to_vec();
        written.sort_unstable();
        if source == Source::Returning {
            said.append(&mut written);
        }
        let mut places = Vec::new();
        for (id, ns) in open.drain(..) {
            said.extend(ns);
            places.push((id, said.len() as u64));
        }
        said.append(&mut written);
        places
    };
    for (act, id) in acts.iter().zip(1..) {
        match act {
            Act::Publish(ns, _) => open.push((id, ns.clone())),
            Act::Close(written) => wanted.acks.extend(close(&mut open, written, &mut said)),
            Act::ComeOut => {}
        }
    }
    wanted.acks.extend(close(&mut open, &[], &mut said));
    wanted.events = (1..).zip(said).collect();
    wanted
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    /// An ack names the place at which subscribers see the event, however far the engine is behind;
    /// each place is there once, in order, also for who comes late or goes on from an offset.
    #[test]
    fn acks_say_where_events_are_seen(
        acts in proptest::collection::vec(any_act(), 1..30),
        is_returning in any::<bool>(),
        is_prompt in any::<bool>(),
        from in 0..12_u64,
    ) {
        let source = if is_returning { Source::Returning } else { Source::Both };
        let mut bus = bus(source, Keep::All, Limits::default());
        let heard = talk(&mut bus, &acts, is_prompt);
        let wanted = wanted(&acts, source);
        prop_assert_eq!(&heard, &wanted);
        prop_assert_eq!(&subscribe(&mut bus, 2, &json!("snapshot")).events, &wanted.events);
        let late = subscribe(&mut bus, 3, &json!({"offset": from}));
        if from <= wanted.events.len() as u64 {
            prop_assert_eq!(&late.events[..], &wanted.events[usize::try_from(from).unwrap()..]);
            prop_assert!(late.gaps.is_empty());
        } else {
            prop_assert_eq!(late.errors, vec!["UNAVAILABLE".to_owned()]);
        }
        // What is sent again has its first ack.
        let mut again = Heard::default();
        for (act, id) in acts.iter().zip(1..) {
            if let Act::Publish(ns, _) = act {
                again.hear(&publish(&mut bus, id, ns, "accepted"));
            }
        }
        prop_assert_eq!(again.acks, wanted.acks);
        prop_assert!(!bus.has_input());
    }
}

#[test]
fn an_accepted_message_waits_for_no_effects_where_its_place_is_known() {
    let mut bus = bus(Source::Both, Keep::All, Limits::default());
    let mut engine = Engine::default();
    let mut heard = Heard::default();
    heard.hear(&publish(&mut bus, 1, &[1], "accepted"));
    assert_eq!(heard.acks, BTreeMap::from([(1, 1)]), "nothing comes before");
    engine.feed(&mut bus, &[9]);
    heard.hear(&publish(&mut bus, 2, &[2], "accepted"));
    assert_eq!(heard.acks.len(), 1, "the circuit may write something before");
    heard.hear(&engine.come_out(&mut bus, 0));
    assert_eq!(heard.acks, BTreeMap::from([(1, 1), (2, 3)]));
    heard.hear(&publish(&mut bus, 3, &[3], "accepted"));
    assert_eq!(heard.acks[&3], 4);
}

/// Says one event an epoch, a second after the other.
fn say_all(bus: &mut Bus, n_events: u64) {
    let mut engine = Engine::default();
    for n in 1..=n_events {
        publish(bus, n, &[n.cast_signed()], "none");
        engine.feed(bus, &[]);
        engine.come_out(bus, n.cast_signed() * SECOND);
    }
}

fn tick(bus: &mut Bus, seconds: i64) {
    let epoch = bus.mint_epoch(&[]);
    bus.apply(AppliedEpoch { epoch, time: seconds * SECOND, deltas: Vec::new() }, 0);
}

fn n_kept(bus: &Bus) -> usize {
    bus.topics[0].log.n_kept()
}

#[test]
fn what_is_let_go_is_not_there_for_those_who_come_later() {
    let mut bus = bus(Source::Outside, Keep::Arrival(10 * SECOND), Limits::default());
    say_all(&mut bus, 1_000);
    assert_eq!(n_kept(&bus), 10, "the memory is bounded");
    let late = subscribe(&mut bus, 1, &json!("snapshot"));
    assert_eq!(late.events, (991..=1_000_u64).map(|n| (n, n.cast_signed())).collect::<Vec<_>>());
    assert!(late.gaps.is_empty(), "a snapshot is what is retained");
    assert_eq!(subscribe(&mut bus, 2, &json!({"offset": 5})).gaps, [(5, 991)]);
    assert_eq!(subscribe(&mut bus, 3, &json!({"epoch": 5})).errors, ["GONE"]);
    assert_eq!(subscribe(&mut bus, 4, &json!({"epoch": 995})).events.len(), 5);
    assert_eq!(bus.next_due(), Some(1_001 * SECOND));
    // Time goes on without anybody saying anything.
    tick(&mut bus, 1_006);
    assert_eq!((n_kept(&bus), bus.next_due()), (4, Some(1_007 * SECOND)));
    tick(&mut bus, 1_010);
    assert_eq!((n_kept(&bus), bus.next_due()), (0, None));
    assert_eq!(subscribe(&mut bus, 5, &json!("snapshot")), Heard::default());
    assert_eq!(subscribe(&mut bus, 6, &json!({"epoch": 1_000})), Heard::default());
    // Who goes on from before hears of the gap as soon as there is another side of it.
    assert_eq!(subscribe(&mut bus, 7, &json!({"offset": 998})), Heard::default());
    let mut engine = Engine::default();
    publish(&mut bus, 2_000, &[7], "none");
    engine.feed(&mut bus, &[]);
    let mut heard = Heard::default();
    heard.hear(&engine.come_out(&mut bus, 1_011 * SECOND));
    assert_eq!(heard.gaps, [(998, 1_001)]);
    assert_eq!(heard.events, vec![(1_001, 7); 6], "each who is there sees what is said");
}

#[test]
fn of_a_size_the_newest_stay_and_of_none_nothing() {
    let mut sized = bus(Source::Both, Keep::Bytes(64), Limits::default());
    say_all(&mut sized, 1_000);
    assert_eq!(n_kept(&sized), 4);
    assert_eq!(subscribe(&mut sized, 1, &json!("snapshot")).events[0], (997, 997));
    let mut none = bus(Source::Circuit, Keep::Nothing, Limits::default());
    let mut heard = subscribe(&mut none, 1, &json!("now"));
    for n in 1..=1_000 {
        let epoch = none.mint_epoch(&[]);
        let updates = vec![Update { row: line(n), epoch, diff: 1 }];
        let delta = DeltaBatch { topic: name(), lower: epoch, upper: epoch.next(), updates };
        heard.hear(&none.apply(AppliedEpoch { epoch, time: 0, deltas: vec![delta] }, 0));
    }
    assert_eq!((heard.events.len(), n_kept(&none)), (1_000, 0));
    assert_eq!(subscribe(&mut none, 2, &json!("snapshot")), Heard::default());
}
