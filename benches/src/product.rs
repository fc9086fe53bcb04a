//! The same work as a circuit: compiled from YAML and run by the engine.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use arqon_compiler::{Options, compile};
use arqon_engine::{
    BackendChoice, Changes, Dataflow, EngineOptions, EpochInput, EpochOutput, TopicInput,
};
use arqon_plan::DataflowPlan;
use arqon_types::{Change, Column, ColumnBatch, Epoch, Row, TopicName, Type, Update, Value};

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
            Self::Number => Value::Int(small(number)),
        }
    }

    fn push(self, column: &mut Column, number: u64, text: fn(u64) -> String) {
        match (self, column) {
            (Self::Text, Column::String(texts)) => texts.push(&text(number)),
            (Self::Number, Column::Int(numbers)) => numbers.push(small(number)),
            (kind, column) => panic!("{kind:?} keys do not fit {column:?}"),
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

fn small(number: u64) -> i64 {
    i64::try_from(number).expect("a small number")
}

/// One row of two columns.
type PushPair = dyn Fn(&mut Column, &mut Column, u64);

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
    let push = move |key: &mut Column, column: &mut Column, idx: u64| {
        let (number, value) = aggregate_row(idx);
        keys.push(key, number, key_text);
        push_int(column, value);
    };
    let mut run = Running::start(&AGGREGATE.replace("KEY", &keys.ty().to_string()), backend);
    let types = [keys.ty(), Type::Int64];
    let start = now();
    let mut loaded = 0;
    while loaded < size.n_rows {
        let upper = (loaded + size.epoch_rows).min(size.n_rows);
        run.close(vec![columns("readings", &types, loaded..upper, &push)]);
        loaded = upper;
    }
    let load = start.elapsed();
    run.fold();
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
        run.fold();
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
    let push_left = move |key: &mut Column, column: &mut Column, idx: u64| {
        let (number, amount) = left_row(idx, n_keys);
        keys.push(key, number, key_text);
        push_int(column, amount);
    };
    let push_right = move |key: &mut Column, column: &mut Column, idx: u64| {
        let (number, label) = right_row(idx, n_keys);
        keys.push(key, number, key_text);
        keys.push(column, label, group_text);
    };
    let mut run = Running::start(&JOIN.replace("KEY", &keys.ty().to_string()), backend);
    let (left_types, right_types) = ([keys.ty(), Type::Int64], [keys.ty(), keys.ty()]);
    let start = now();
    let mut loaded = 0;
    while loaded < size.n_rows {
        let upper = (loaded + size.epoch_rows).min(size.n_rows);
        run.close(vec![
            columns("left", &left_types, loaded..upper, &push_left),
            columns("right", &right_types, loaded..upper, &push_right),
        ]);
        loaded = upper;
    }
    let load = start.elapsed();
    run.fold();
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
        run.fold();
    }
    Sample { n_rows: 2 * size.n_rows, load, rounds, checksum: run.finish() }
}

fn topic(name: &str) -> TopicName {
    TopicName::parse(name).expect("the bench's names are well formed")
}

fn push_int(column: &mut Column, number: i64) {
    let Column::Int(numbers) = column else { panic!("the bench's values are numbers") };
    numbers.push(number);
}

/// Rows as an input brings them: decoded into columns.
fn columns(name: &str, types: &[Type; 2], rows: Range<u64>, push: &PushPair) -> TopicInput {
    let mut batch = ColumnBatch::empty(types);
    let [first, second] = batch.columns.as_mut_slice() else { panic!("two types, two columns") };
    for idx in rows.clone() {
        push(first, second, idx);
    }
    batch.diffs.extend(rows.map(|_| 1));
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
    /// What has come, and is not in the answer yet.
    deltas: Vec<Update>,
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
        Self { dataflow, outputs, epoch: Epoch::ZERO, deltas: Vec::new(), answer: BTreeMap::new() }
    }

    /// Feeds one epoch and waits until its deltas are out.
    fn close(&mut self, topics: Vec<TopicInput>) {
        self.epoch = self.epoch.next();
        self.dataflow
            .feed(EpochInput { epoch: self.epoch, time: 0, topics })
            .expect("the engine takes input");
        let output = self.outputs.recv().expect("an output per epoch");
        self.deltas.extend(output.deltas.into_iter().flat_map(|batch| batch.updates));
    }

    /// Takes in what has come. A reader's business, so no clock runs meanwhile, on any side.
    fn fold(&mut self) {
        for update in self.deltas.drain(..) {
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
