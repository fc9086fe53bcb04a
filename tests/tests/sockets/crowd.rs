//! Many who bring something to the hub at once: nothing waits for ever, and nothing is lost.

use std::thread;

use arqon_engine::{Changes, RowOutput, TopicInput};
use arqon_server::{Cause, EpochClock, Idle, Server};
use arqon_types::{Change, Epoch, TopicName, Value};
use serde_json::{Value as Json, json};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, server_of};

const COUNTED: &str = "arqon: 1
circuit: lab.counted
schemas:
  Hit:   { client: int64, what: string }
  Count: { client: int64, hits: int64 }
topics:
  hits:   { schema: Hit, retain: 1h, edge: in }
  counts: { schema: Count, carries: delta, key: client, edge: out }
flow:
  count:
    from: hits
    do:
      - group: [client]
        agg: { hits: count() }
    to: counts
access:
  lab: { publish: [hits], subscribe: [counts] }
";

const CLIENTS: i64 = 6;
const ROUNDS: i64 = 150;

fn hit(of: i64, what: &str) -> Json {
    json!({"client": of, "what": what})
}

/// Clients that wait for each row, one that waits for nothing, and a file that is fed.
fn bring(server: &Server) {
    thread::scope(|scope| {
        for of in 0..CLIENTS {
            scope.spawn(move || {
                let mut client = Client::connect(server);
                for _ in 0..ROUNDS {
                    client.publish("hits", &hit(of, "awaited"));
                }
            });
        }
        scope.spawn(|| {
            let mut client = Client::connect(server);
            for _ in 0..ROUNDS {
                client.say(&json!({"type": "event", "topic": "hits",
                    "payload": hit(CLIENTS, "sent"), "headers": {"ack": "none"}}));
            }
            // Frames of one session are taken in order: then all of them are.
            client.publish("hits", &hit(CLIENTS, "last"));
        });
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                let row = vec![Value::Int(CLIENTS + 1), Value::String("fed".into())].into();
                let changes = Changes::Rows(vec![Change::Insert(row)]);
                let topic = TopicName::parse("hits").unwrap();
                server.feed(vec![TopicInput { topic, changes }]).unwrap();
            }
        });
    });
}

#[test]
fn rows_that_come_from_all_sides_are_all_counted() {
    let mut last = Epoch::ZERO;
    let in_order = move |output: &RowOutput| {
        assert_eq!(output.epoch, last.next());
        last = output.epoch;
    };
    let server = server_of(COUNTED, (None, Idle::Tick), in_order);
    let mut reader = Client::connect(&server);
    reader.control(&json!({"subscribe": {"sub": 1, "topic": "counts", "from": "snapshot"}}));
    // The subscription stands before anything comes.
    assert_eq!(reader.payload()["subscribed"]["sub"], 1);
    bring(&server);
    let mut counts = vec![0; usize::try_from(CLIENTS + 2).unwrap()];
    let mut wanted = vec![ROUNDS; counts.len()];
    wanted[usize::try_from(CLIENTS).unwrap()] += 1;
    let mut upper = json!(0);
    while counts != wanted {
        let payload = reader.payload();
        let Some(changes) = payload["changes"].as_array() else { continue };
        assert_eq!(payload["lower"], upper, "{payload}");
        upper = payload["upper"].clone();
        for change in changes {
            let (row, diff) = (&change["row"], change["diff"].as_i64().unwrap());
            let of = usize::try_from(row["client"].as_i64().unwrap()).unwrap();
            counts[of] += diff * row["hits"].as_i64().unwrap();
        }
    }
    server.finish(1001).unwrap();
}

/// A clock that fails an invariant of its own at an epoch: the hub's fault, and no circuit's.
#[derive(Debug)]
struct BrokenClock(Epoch);

impl EpochClock for BrokenClock {
    fn time(&mut self, epoch: Epoch, _: Cause) -> Result<i64, String> {
        assert_ne!(epoch, self.0, "the clock is broken");
        Ok(0)
    }
}

#[test]
fn a_panic_in_the_hub_ends_the_server_whosever_thread_it_is_on() {
    let clock = Box::new(BrokenClock(Epoch(3)));
    let server = server_of(COUNTED, (Some(clock), Idle::Rest), |_| {});
    let mut client = Client::connect(&server);
    client.publish("hits", &hit(1, "counted"));
    client.publish("hits", &hit(1, "counted"));
    client.say(&json!({"type": "event", "topic": "hits", "payload": hit(1, "fatal")}));
    while let Some(message) = client.message() {
        if let Message::Close(Some(close)) = message {
            assert!([1011, 1012].contains(&u16::from(close.code)), "{close}");
            break;
        }
    }
    let error = server.finish(1001).unwrap_err();
    assert!(error.reason.contains("hub"), "{error}");
}
