//! Rows for which an expression has no value: each is an error row of its node, and the circuit, the
//! session and all other rows go on.
//!
//! `ARQON_CASES` and `ARQON_SEED` choose how many and from which seed; `cargo xtask torture B14` sets
//! them for the long run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arqon_engine::RowOutput;
use arqon_tests::random::Random;
use arqon_tests::setting::setting;
use serde_json::{Value as Json, json};

use crate::client::{Client, server_with};

const POISONS: u64 = 300;
/// Few, so that poison is corrected and good rows are poisoned.
const IDS: i64 = 60;
/// Messages between two looks at everything.
const ROUND: u64 = 50;

const CIRCUIT: &str = "
arqon: 1
circuit: law.poison
schemas:
  Reading: { id: int64, a: int64, b: int64, word: string, items: list<int64> }
  Number: { id: int64, n: int64 }
topics:
  readings: { schema: Reading, carries: full, key: id, edge: in }
  shares.out: { schema: Number, carries: delta, edge: out }
  squares.out: { schema: Number, carries: delta, edge: out }
  numbers.out: { schema: Number, carries: delta, edge: out }
  picks.out: { schema: Number, carries: delta, edge: out }
flow:
  shares: { from: readings, do: [{ select: [id, { n: 'div(100, a)' }] }], to: shares.out }
  squares: { from: readings, do: [{ select: [id, { n: b * b }] }], to: squares.out }
  numbers: { from: readings, do: [{ select: [id, { n: int64(word) }] }], to: numbers.out }
  picks: { from: readings, do: [{ select: [id, { n: 'items[a]' }] }], to: picks.out }
access:
  writer: { publish: [readings] }
  reader:
    subscribe:
      - shares.out
      - squares.out
      - numbers.out
      - picks.out
      - shares.errors
      - squares.errors
      - numbers.errors
      - picks.errors
";

const NODES: [&str; 4] = ["shares", "squares", "numbers", "picks"];

#[derive(Debug, Clone)]
struct Reading {
    a: i64,
    b: i64,
    word: &'static str,
    items: Vec<i64>,
}

impl Reading {
    fn random(random: &mut Random, is_poison: bool) -> Self {
        let mut reading = Self {
            a: random.between(1, 3),
            b: random.between(-9, 9),
            word: *random.pick(&["1", "22", "-7"]),
            items: vec![4, 5, random.between(0, 9)],
        };
        if is_poison {
            match random.below(4) {
                0 => reading.a = 0,
                1 => reading.b = 4_000_000_000,
                2 => reading.word = *random.pick(&["", "one", "9223372036854775808"]),
                _ => reading.items.truncate(0),
            }
        }
        reading
    }

    fn json(&self, id: i64) -> Json {
        json!({"id": id, "a": self.a, "b": self.b, "word": self.word, "items": self.items})
    }

    /// What each node makes of it: a number, or the code of its error.
    fn answers(&self) -> [Result<i64, &'static str>; 4] {
        let position = usize::try_from(self.a - 1).ok();
        [
            100_i64.checked_div(self.a).ok_or("division_by_zero"),
            self.b.checked_mul(self.b).ok_or("overflow"),
            self.word.parse().map_err(|_| "conversion"),
            position.and_then(|at| self.items.get(at)).copied().ok_or("argument"),
        ]
    }
}

/// What a subscriber holds: by topic and id the number, or the code of the error.
type Held = BTreeMap<(String, i64), String>;

#[test]
fn poison_is_an_error_row_and_everything_else_goes_on() {
    let counted: Arc<Mutex<BTreeMap<String, i64>>> = Arc::default();
    let counts = Arc::clone(&counted);
    let server = server_with(CIRCUIT, move |output| count(output, &counts));
    let mut random = Random::new(setting("ARQON_SEED", 1));
    let mut writer = Client::connect(&server);
    let mut reader = Reader::new(Client::connect(&server));
    let mut readings: BTreeMap<i64, Reading> = BTreeMap::new();
    let mut n_poisons = 0;
    for n_messages in 1.. {
        let id = random.between(0, IDS - 1);
        let is_poison = random.chance(60);
        let payload = if random.chance(10) {
            readings.remove(&id);
            Json::Null
        } else {
            let reading = Reading::random(&mut random, is_poison);
            n_poisons += u64::from(is_poison);
            let payload = reading.json(id);
            readings.insert(id, reading);
            payload
        };
        let is_last = n_poisons >= setting("ARQON_CASES", POISONS);
        let is_look = is_last || n_messages % ROUND == 0;
        let ack = if is_look { "applied" } else { "none" };
        writer.say(&json!({"type": "event", "topic": "readings", "payload": payload,
            "headers": {"key": {"id": id}, "ack": ack}}));
        if is_look {
            let answer = writer.payload();
            let epoch = answer["ack"]["epoch"].as_u64().unwrap_or_else(|| panic!("{answer}"));
            reader.reach(epoch);
            let wanted = held_of(&readings);
            assert_eq!(reader.held, wanted, "after {n_messages} messages, {n_poisons} poisons");
            check_counts(&counted.lock().unwrap(), &wanted);
        }
        if is_last {
            break;
        }
    }
    server.finish(1001).unwrap();
}

fn held_of(readings: &BTreeMap<i64, Reading>) -> Held {
    let mut held = Held::new();
    for (id, reading) in readings {
        for (node, answer) in NODES.iter().zip(reading.answers()) {
            let (topic, text) = match answer {
                Ok(number) => (format!("{node}.out"), number.to_string()),
                Err(code) => (format!("{node}.errors"), code.to_owned()),
            };
            held.insert((topic, *id), text);
        }
    }
    held
}

/// Adds up the errors of each node.
fn count(output: &RowOutput, counts: &Mutex<BTreeMap<String, i64>>) {
    let mut counts = counts.lock().unwrap();
    for node in &output.stats.nodes {
        *counts.entry(node.node.to_string()).or_default() += node.counts.errors.net;
    }
}

fn check_counts(counts: &BTreeMap<String, i64>, held: &Held) {
    for node in NODES {
        let errors_of = format!("{node}.errors");
        let errors = held.keys().filter(|(topic, _)| *topic == errors_of).count();
        assert_eq!(usize::try_from(counts[node]), Ok(errors), "{node} counts its errors");
    }
}

/// A client that follows all answers and all errors.
struct Reader {
    client: Client,
    held: Held,
    /// Per subscription, the epoch before which all is known.
    uppers: Vec<u64>,
}

impl Reader {
    fn new(mut client: Client) -> Self {
        let mut uppers = Vec::new();
        for node in NODES {
            for part in ["out", "errors"] {
                let sub = uppers.len();
                client
                    .control(&json!({"subscribe": {"sub": sub, "topic": format!("{node}.{part}"),
                    "from": "snapshot", "as": "deltas", "credit": 1_000_000}}));
                uppers.push(0);
            }
        }
        Self { client, held: Held::new(), uppers }
    }

    /// Hears until it knows all of `epoch`.
    fn reach(&mut self, epoch: u64) {
        while self.uppers.iter().any(|upper| *upper <= epoch) {
            let payload = self.client.hear()["payload"].take();
            assert!(payload["error"].is_null(), "{payload}");
            let progress = &payload["progress"];
            if let Some(sub) = progress["sub"].as_u64() {
                let upper = progress["upper"].as_u64().unwrap();
                self.uppers[usize::try_from(sub).unwrap()] = upper;
            }
            let sub = payload["sub"].as_u64().and_then(|sub| usize::try_from(sub).ok());
            for change in payload["changes"].as_array().into_iter().flatten() {
                self.fold(sub.unwrap(), change);
            }
        }
    }

    fn fold(&mut self, sub: usize, change: &Json) {
        let (node, row) = (NODES[sub / 2], &change["row"]);
        let is_error = sub % 2 == 1;
        let (id, text, part) = if is_error {
            assert_eq!(row["node"], node, "{row}");
            assert!(!row["message"].as_str().unwrap().is_empty(), "{row}");
            let shown = row["row"].as_str().unwrap();
            let id = shown.trim_start_matches("{ id: ").split(',').next().unwrap();
            (id.parse().unwrap(), row["code"].as_str().unwrap().to_owned(), "errors")
        } else {
            (row["id"].as_i64().unwrap(), row["n"].to_string(), "out")
        };
        let key = (format!("{node}.{part}"), id);
        match change["diff"].as_i64().unwrap() {
            1 => assert_eq!(self.held.insert(key, text), None, "{change}"),
            -1 => assert_eq!(self.held.remove(&key), Some(text), "{change}"),
            diff => panic!("{diff} copies of {row}"),
        }
    }
}
