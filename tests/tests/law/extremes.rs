//! `min`, `max`, `first` and `last` of groups so large that changes of their values wait for each
//! other.

use arqon_engine::BackendChoice;
use arqon_tests::random::Random;
use arqon_tests::updates::Message;
use arqon_types::{Change, Row, TopicName, Value};

use crate::runs::{planned, seeds};
use crate::{Epochs, check};

const CASES: u64 = 4;
/// Rows of the first epochs: several times as many of each group as lie side by side in no order.
const ROWS: usize = 1_600;

const CIRCUIT: &str = "\
arqon: 1
circuit: law.extremes
schemas:
  Row: { group: int64, v: int64, text: string }
  Ends:
    group: int64
    least: int64
    most: int64
    low: string
    high: string
    early: int64
    late: int64
topics:
  rows: { schema: Row, carries: delta, shared: true, edge: in }
  ends: { schema: Ends, carries: delta, shared: true, edge: out }
flow:
  group:
    from: rows
    do:
      - group: [group]
        agg:
          least: min(v)
          most: max(v)
          low: min(text)
          high: max(text)
          early: first(v, text)
          late: last(v, text)
    to: ends
";

#[test]
fn ends_of_many_values_are_ends() {
    let plan = planned(0, CIRCUIT);
    for seed in seeds(CASES) {
        let mut random = Random::new(seed);
        let epochs = changes(&mut random, &plan.topics[0].name);
        for backend in [BackendChoice::Hash, BackendChoice::Arrangements] {
            check(seed, CIRCUIT, &plan, &epochs, backend, *random.pick(&[1, 2]));
        }
    }
}

/// Many rows, and then some that come and go, the greatest and the least more often than others.
fn changes(random: &mut Random, topic: &TopicName) -> Epochs {
    let of = |row: &Row, diff: i64| -> Message {
        (topic.clone(), Change::Diff { row: row.clone(), diff })
    };
    let row = |random: &mut Random| -> Row {
        let text = format!("{:x}", random.between(0, 1 << 40));
        vec![
            Value::Int(random.between(0, 2)),
            Value::Int(random.between(-2_000, 2_000)),
            Value::string(&text),
        ]
        .into()
    };
    let mut held: Vec<Row> = (0..ROWS).map(|_| row(random)).collect();
    let mut epochs: Epochs =
        held.chunks(400).map(|rows| rows.iter().map(|it| of(it, 1)).collect()).collect();
    for _ in 0..8 {
        let mut messages = Vec::new();
        for _ in 0..random.below(160) {
            if random.chance(50) {
                let new = row(random);
                messages.push(of(&new, 1));
                held.push(new);
                continue;
            }
            if random.chance(10) {
                held.sort_by_key(|row| row[1].clone());
            }
            let any = random.below(held.len());
            let at = *random.pick(&[0, held.len() - 1, any]);
            messages.push(of(&held.remove(at), -1));
        }
        epochs.push(messages);
    }
    epochs
}
