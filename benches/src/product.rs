//! The same work as a circuit: compiled from YAML and run by the engine.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use arqon_compiler::{Options, compile};
use arqon_engine::{
    BackendChoice, Changes, Dataflow, EngineOptions, EpochInput, EpochOutput, TopicInput,
};
use arqon_plan::DataflowPlan;
use arqon_types::{Change, ColumnBatch, Epoch, Row, TopicName, Type, Value};

use crate::data::{aggregate_row, group_text, key_text, left_row, right_row};
use crate::handwritten::{Size, checksum};
use crate::sample::Sample;

/// How keys are declared: as text or as the number itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// `string`
    Text,
    /// `int64`
    Number,
}

impl KeyKind {
    fn ty(self) -> Type {
        match self {
            Self::Text => Type::String,
            Self::Number => Type::Int64,
        }
    }

    fn value(self, number: u64, text: fn(u64) -> String) -> Value {
        match self {
            Self::Text => Value::string(&text(number)),
            Self::Number => Value::Int(i64::try_from(number).expect("a small key")),
        }
    }
}

const AGGREGATE: &str = "\
arqon: 1
circuit: bench.aggregate
schemas:
  Reading: { key: KEY, value: int64 }
  Sums: { key: KEY, n: int64, total: int64, most: int64 }
topics:
  readings: { schema: Reading, carries: delta, check: none, edge: in }
  sums: { schema: Sums, carries: delta, key: key, edge: out }
flow:
  sum:
    from: readings
    do:
      - group: [key]
        agg: { n: count(), total: sum(value), most: max(value) }
    to: sums
";

const JOIN: &str = "\
arqon: 1
circuit: bench.join
schemas:
  Left: { key: KEY, amount: int64 }
  Right: { key: KEY, label: KEY }
  Sums: { label: KEY, n: int64, total: int64 }
topics:
  left: { schema: Left, carries: delta, check: none, edge: in }
  right: { schema: Right, carries: delta, check: none, edge: in }
  sums: { schema: Sums, carries: delta, key: label, edge: out }
flow:
  sum:
    from: left
    do:
      - join: right
        match: { key: key }
        as: r
      - group: { label: r.label }
        agg: { n: count(), total: sum(amount) }
    to: sums
";

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}

/// Count, sum and max per key, from YAML.
///
/// # Panics
/// If the circuit does not compile or the engine fails: then there is nothing to measure.
pub fn aggregate(size: Size, keys: KeyKind, backend: BackendChoice) -> Sample {
    let row = move |idx: u64| -> Row {
        let (number, value) = aggregate_row(idx);
        vec![keys.value(number, key_text), Value::Int(value)].into()
    };
    let mut run = Running::start(&AGGREGATE.replace("KEY", &keys.ty().to_string()), backend);
    let types = [keys.ty(), Type::Int64];
    let start = now();
    let mut loaded = 0;
    while loaded < size.n_rows {
        let upper = (loaded + size.epoch_rows).min(size.n_rows);
        run.close(vec![columns("readings", &types, (loaded..upper).map(row))]);
        loaded = upper;
    }
    let load = start.elapsed();
    let mut rounds = Vec::new();
    for round in 0..size.n_rounds {
        let changes: Vec<Change> = (0..50)
            .flat_map(|at| {
                [(size.n_rows + round * 50 + at, 1), (round * 50 + at, -1)]
                    .map(|(idx, diff)| Change::Diff { row: row(idx), diff })
            })
            .collect();
        let start = now();
        run.close(vec![rows("readings", changes)]);
        rounds.push(start.elapsed());
    }
    Sample { n_rows: size.n_rows, load, rounds, checksum: run.finish() }
}

/// Join on the key, then count and sum per group, from YAML.
///
/// # Panics
/// As [`aggregate`].
pub fn join(size: Size, keys: KeyKind, backend: BackendChoice) -> Sample {
    let n_keys = size.n_rows / 2;
    let left = move |idx: u64| -> Row {
        let (number, amount) = left_row(idx, n_keys);
        vec![keys.value(number, key_text), Value::Int(amount)].into()
    };
    let right = move |idx: u64| -> Row {
        let (number, label) = right_row(idx, n_keys);
        vec![keys.value(number, key_text), keys.value(label, group_text)].into()
    };
    let mut run = Running::start(&JOIN.replace("KEY", &keys.ty().to_string()), backend);
    let (left_types, right_types) = ([keys.ty(), Type::Int64], [keys.ty(), keys.ty()]);
    let start = now();
    let mut loaded = 0;
    while loaded < size.n_rows {
        let upper = (loaded + size.epoch_rows).min(size.n_rows);
        run.close(vec![
            columns("left", &left_types, (loaded..upper).map(left)),
            columns("right", &right_types, (loaded..upper).map(right)),
        ]);
        loaded = upper;
    }
    let load = start.elapsed();
    let mut rounds = Vec::new();
    for round in 0..size.n_rounds {
        let (mut left_changes, mut right_changes) = (Vec::new(), Vec::new());
        for at in 0..25 {
            for (idx, diff) in [(size.n_rows + round * 25 + at, 1), (round * 25 + at, -1)] {
                left_changes.push(Change::Diff { row: left(idx), diff });
                right_changes.push(Change::Diff { row: right(idx), diff });
            }
        }
        let start = now();
        run.close(vec![rows("left", left_changes), rows("right", right_changes)]);
        rounds.push(start.elapsed());
    }
    Sample { n_rows: 2 * size.n_rows, load, rounds, checksum: run.finish() }
}

fn topic(name: &str) -> TopicName {
    TopicName::parse(name).expect("the bench's names are well formed")
}

fn columns(name: &str, types: &[Type], rows: impl Iterator<Item = Row>) -> TopicInput {
    let mut batch = ColumnBatch::empty(types);
    for row in rows {
        batch.push(&row, 1);
    }
    TopicInput { topic: topic(name), changes: Changes::Columns(batch) }
}

fn rows(name: &str, changes: Vec<Change>) -> TopicInput {
    TopicInput { topic: topic(name), changes: Changes::Rows(changes) }
}

/// A dataflow, and the answer as its deltas sum up.
struct Running {
    dataflow: Dataflow,
    outputs: Receiver<EpochOutput>,
    epoch: Epoch,
    answer: BTreeMap<Row, i64>,
}

impl Running {
    fn start(text: &str, backend: BackendChoice) -> Self {
        let compiled = compile(text, "bench.yaml", &Options::default());
        let plan: DataflowPlan = compiled.dataflow.expect("the bench's circuit compiles");
        let (sender, outputs) = channel();
        let options = EngineOptions { n_workers: 1, backend };
        let dataflow = Dataflow::start(plan, options, move |output| {
            let _ = sender.send(output);
        })
        .expect("the engine starts");
        Self { dataflow, outputs, epoch: Epoch::ZERO, answer: BTreeMap::new() }
    }

    /// Feeds one epoch and waits until its deltas are out.
    fn close(&mut self, topics: Vec<TopicInput>) {
        self.epoch = self.epoch.next();
        self.dataflow
            .feed(EpochInput { epoch: self.epoch, time: 0, topics })
            .expect("the engine takes input");
        let output = self.outputs.recv().expect("an output per epoch");
        for update in output.deltas.into_iter().flat_map(|batch| batch.updates) {
            let count = self.answer.entry(update.row).or_insert(0);
            *count += update.diff;
        }
        if self.answer.len() > 4 * 10_000 {
            self.answer.retain(|_, count| *count != 0);
        }
    }

    fn finish(mut self) -> i128 {
        self.answer.retain(|_, count| *count != 0);
        self.dataflow.finish().expect("the engine ends well");
        checksum(self.answer.keys().map(|row| {
            let number = |at: usize| match row.get(at) {
                Some(Value::Int(number)) => *number,
                _ => 0,
            };
            [number(1), number(2), number(3)]
        }))
    }
}
