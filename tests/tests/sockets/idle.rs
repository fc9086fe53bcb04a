//! A server on which nothing is published: rows go because of when they came.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arqon_engine::{Changes, RowOutput, TopicInput};
use arqon_server::{Cause, EpochClock, Idle, Recorded, Server, UnixClock};
use arqon_types::{Change, DeltaBatch, Epoch, TopicName, Value};
use serde_json::{Value as Json, json};

use crate::client::{Client, server_of, server_with};

/// A sign of life counts for two seconds; calls and cries are heard by subscribers alone.
const PRESENT: &str = "arqon: 1
circuit: lab.present
schemas:
  Sign: { who: string, room: string }
  Room: { room: string, people: int64 }
  Call: { text: string }
topics:
  signs: { schema: Sign, carries: full, key: who, retain: 2s, edge: in }
  rooms: { schema: Room, carries: delta, key: room, edge: out }
  calls: { schema: Call, retain: 2s, edge: both }
  cries: { schema: Call, retain: none, edge: both }
flow:
  present:
    from: signs
    do:
      - group: [room]
        agg: { people: count() }
    to: rooms
access:
  lab: { publish: [signs, calls, cries], subscribe: [rooms, calls, cries] }
";

type Outputs = Arc<Mutex<Vec<(Epoch, Vec<DeltaBatch>)>>>;

fn keep(outputs: &Outputs) -> impl FnMut(&RowOutput) + Send + 'static {
    let outputs = Arc::clone(outputs);
    move |output| outputs.lock().unwrap().push((output.epoch, output.deltas.clone()))
}

fn wait(milliseconds: u64) {
    let (_open, nothing) = channel::<()>();
    nothing.recv_timeout(Duration::from_millis(milliseconds)).unwrap_err();
}

fn events(client: &mut Client, sub: u64, topic: &str) -> Vec<Json> {
    client.control(&json!({"subscribe": {"sub": sub, "topic": topic, "from": "snapshot"}}));
    let mut events = Vec::new();
    loop {
        let mut frame = client.hear();
        if frame["type"] == "event" && frame["headers"]["sub"] == sub {
            events.push(frame["payload"].take());
        } else if frame["payload"]["progress"]["sub"] == sub {
            return events;
        }
    }
}

#[test]
fn rows_go_from_a_server_on_which_nothing_happens() {
    let outputs = Outputs::default();
    let server = server_with(PRESENT, keep(&outputs));
    let mut client = Client::connect(&server);
    client.control(&json!({"subscribe": {"sub": 3, "topic": "rooms"}}));
    client.payload();
    client.publish("cries", &json!({"text": "help"}));
    client.publish("calls", &json!({"text": "hello"}));
    assert_eq!(events(&mut client, 1, "calls"), [json!({"text": "hello"})]);
    assert_eq!(events(&mut client, 2, "cries"), [json!(null); 0]);
    client.publish("signs", &json!({"who": "ann", "room": "lab"}));
    // Nobody says anything any more.
    let gone = loop {
        let payload = client.payload();
        if payload["changes"][0]["diff"] == -1 {
            break payload;
        }
    };
    assert_eq!(gone["changes"][0]["row"], json!({"room": "lab", "people": 1}));
    assert_eq!(events(&mut client, 4, "calls"), [json!(null); 0]);
    // There is nothing more to go: the server rests.
    let n_epochs = outputs.lock().unwrap().len();
    assert!(n_epochs <= 3 + 2, "three messages, and two ticks at most: {n_epochs}");
    wait(500);
    assert_eq!(outputs.lock().unwrap().len(), n_epochs);
    server.finish(1001).unwrap();
}

/// Writes down what it says.
#[derive(Debug, Default)]
struct Journal {
    clock: UnixClock,
    lines: Arc<Mutex<Vec<(Epoch, i64, Cause)>>>,
}

impl EpochClock for Journal {
    fn time(&mut self, epoch: Epoch, cause: Cause) -> Result<i64, String> {
        let time = self.clock.time(epoch, cause)?;
        self.lines.lock().unwrap().push((epoch, time, cause));
        Ok(time)
    }
}

/// Says again what was written down.
#[derive(Debug)]
struct Again(Vec<(Epoch, i64, Cause)>);

impl EpochClock for Again {
    fn time(&mut self, epoch: Epoch, _: Cause) -> Result<i64, String> {
        let line = self.0.iter().find(|line| line.0 == epoch);
        line.map(|line| line.1).ok_or_else(|| format!("epoch {epoch} is new"))
    }

    fn recorded(&self, epoch: Epoch) -> Recorded {
        match self.0.iter().find(|line| epoch <= line.0) {
            Some((at, _, Cause::Tick)) if *at == epoch => Recorded::Tick,
            Some(_) => Recorded::Other,
            None => Recorded::Nothing,
        }
    }
}

fn feed(server: &Server, who: &str) {
    let row = vec![Value::string(who), Value::string("lab")];
    let changes = Changes::Rows(vec![Change::Upsert(row.into())]);
    server.feed(vec![TopicInput { topic: TopicName::parse("signs").unwrap(), changes }]).unwrap();
}

#[test]
fn a_run_that_is_repeated_has_its_ticks_again() {
    let circuit = PRESENT.replace("2s", "150ms");
    let (outputs, lines) = (Outputs::default(), Arc::<Mutex<Vec<(Epoch, i64, Cause)>>>::default());
    let journal = Journal { lines: Arc::clone(&lines), ..Journal::default() };
    let clock: Box<dyn EpochClock> = Box::new(journal);
    let server = server_of(&circuit, (Some(clock), Idle::Tick), keep(&outputs));
    let n_ticks = || lines.lock().unwrap().iter().filter(|line| line.2 == Cause::Tick).count();
    for (who, n) in [("ann", 1), ("bob", 2), ("ann", 3)] {
        feed(&server, who);
        while n_ticks() < n {
            wait(10);
        }
    }
    server.finish(1001).unwrap();
    let lines = std::mem::take(&mut *lines.lock().unwrap());
    assert_eq!(lines.len(), 6, "{lines:?}");

    let repeated = Outputs::default();
    let clock: Box<dyn EpochClock> = Box::new(Again(lines));
    let server = server_of(&circuit, (Some(clock), Idle::Rest), keep(&repeated));
    for who in ["ann", "bob", "ann"] {
        feed(&server, who);
    }
    assert_eq!(server.settle(), Ok(Vec::new()), "and the last tick has come");
    server.finish(1001).unwrap();
    assert_eq!(*repeated.lock().unwrap(), *outputs.lock().unwrap());
}
