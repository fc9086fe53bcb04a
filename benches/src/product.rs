//! The same work as a circuit: compiled from YAML and run by the engine.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use arqon_compiler::{Options, compile};
use arqon_engine::{
    BackendChoice, Changes, Dataflow, EngineOptions, EpochInput, EpochOutput, TopicInput,
};
use arqon_types::{
    Change, Column, ColumnBatch, ColumnDelta, Epoch, Row, StringColumn, TopicName, Type, Value,
};

use crate::data::{
    EventColumns, Name, Names, ROOTS, Size, edge, event, left, reading, right, signed,
};
use crate::sample::{Answer, Sample, event_weight, node_weight, sums_weight};

/// How a circuit is to run.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// How its keys are declared.
    pub keys: KeyKind,
    /// What its stateful steps are made of.
    pub backend: BackendChoice,
    /// How many epochs of events are fed before the answer of the first one is taken; 0 waits for
    /// each, as the workloads with rounds do.
    pub n_ahead: usize,
}

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

    fn value(self, number: u64) -> Value {
        match self {
            Self::Text => Value::string(Name::of(number).as_str()),
            Self::Number => Value::Int(signed(number)),
        }
    }

    /// The column of these keys.
    fn column(self, numbers: impl Iterator<Item = u64>) -> Column {
        let mut column = Column::with_capacity(&self.ty(), numbers.size_hint().0);
        numbers.for_each(|key| push_key(&mut column, key));
        column
    }
}

/// Appends a key to a column of keys.
#[inline]
fn push_key(column: &mut Column, key: u64) {
    match column {
        Column::String(texts) => texts.push(Name::of(key).as_str()),
        Column::Int(keys) => keys.push(signed(key)),
        other => panic!("a key is text or a number, and not {other:?}"),
    }
}

/// The number of the key at `row_idx` of an answer.
fn key_number(column: &Column, row_idx: usize) -> u64 {
    match column {
        Column::String(texts) => Name::number(texts.bytes(row_idx)),
        other => u64::try_from(int(other, row_idx)).expect("keys are not negative"),
    }
}

fn int(column: &Column, row_idx: usize) -> i64 {
    match column {
        Column::Int(numbers) => numbers[row_idx],
        other => panic!("integers, and not {other:?}"),
    }
}

fn float(column: &Column, row_idx: usize) -> f64 {
    match column {
        Column::Float(numbers) => numbers[row_idx],
        other => panic!("floats, and not {other:?}"),
    }
}

const STATELESS: &str = "\
arqon: 1
circuit: bench.stateless
schemas:
  Event: { id: int64, key: KEY, value: float64, at: int64 }
topics:
  events: { schema: Event, carries: events, edge: in }
  kept: { schema: Event, carries: events, edge: out }
flow:
  keep:
    from: events
    do:
      - where: value * 1.8 + 32.0 > 500.0 and at % 3 != 0
      - with: { value: value * 1.8 + 32.0, at: 'div(at, 1000)' }
    to: kept
";

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

const REACH: &str = "\
arqon: 1
circuit: bench.reach
schemas:
  Node: { id: int64 }
  Edge: { src: int64, dst: int64 }
topics:
  roots: { schema: Node, carries: delta, check: none, edge: in }
  edges: { schema: Edge, carries: delta, check: none, edge: in }
  reached: { schema: Node, carries: delta, key: id, edge: out }
flow:
  reach:
    from: roots
    do:
      - loop:
          - join: edges
            match: { id: src }
            as: e
          - select: { id: e.dst }
        merge: distinct
    to: reached
";

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}

/// Some events are kept, with other fields.
///
/// # Panics
/// If the circuit does not compile or the engine fails: then there is nothing to measure. So do
/// the others.
pub fn stateless(size: Size, build: Build) -> Sample {
    let names = Names::all();
    kept_events(size, build, size.epochs(), |rows| {
        let n_rows = usize::try_from(rows.end - rows.start).expect("epochs are small");
        let (mut ids, mut times) = (Vec::with_capacity(n_rows), Vec::with_capacity(n_rows));
        let mut values = Vec::with_capacity(n_rows);
        let mut keys = StringColumn::default();
        for event in rows.map(event) {
            ids.push(event.id);
            keys.push(names.of(event.key));
            values.push(event.value);
            times.push(event.at);
        }
        vec![Column::Int(ids), Column::String(keys), Column::Float(values), Column::Int(times)]
    })
}

/// The same of events that are columns in memory.
pub fn decoded(size: Size, build: Build) -> Sample {
    let names = Names::all();
    let epochs: Vec<EventColumns> =
        size.epochs().map(|rows| EventColumns::of(rows, &names)).collect();
    kept_events(size, build, &epochs, |columns| {
        let keys = StringColumn::from_ends(columns.ends.clone(), columns.keys.clone());
        vec![
            Column::Int(columns.ids.clone()),
            Column::String(keys.expect("keys end where they end")),
            Column::Float(columns.values.clone()),
            Column::Int(columns.times.clone()),
        ]
    })
}

/// Keeps some of the events of each epoch, with other fields.
fn kept_events<E>(
    size: Size,
    build: Build,
    epochs: impl IntoIterator<Item = E>,
    columns: impl Fn(E) -> Vec<Column>,
) -> Sample {
    let mut run = Running::start(STATELESS, size, build, |row, at| {
        let Column::String(keys) = &row[1] else { panic!("keys are text, and not {:?}", row[1]) };
        let word = Name::word(keys.bytes(at));
        event_weight(int(&row[0], at), word, float(&row[2], at), int(&row[3], at))
    });
    let start = now();
    for epoch in epochs {
        run.load(vec![inserts("events", columns(epoch))]);
    }
    run.settle();
    let (load, loaded) = (start.elapsed(), run.answer);
    run.finish(size.n_rows, load, loaded, Vec::new())
}

/// Count, sum and max per key.
pub fn aggregate(size: Size, build: Build) -> Sample {
    let mut run = Running::start(AGGREGATE, size, build, |row, at| {
        sums_weight(key_number(&row[0], at), int(&row[1], at), int(&row[2], at), int(&row[3], at))
    });
    let start = now();
    for rows in size.epochs() {
        let columns = vec![
            build.keys.column(rows.clone().map(|idx| reading(idx).0)),
            Column::Int(rows.map(|idx| reading(idx).1).collect()),
        ];
        run.close(vec![inserts("readings", columns)]);
    }
    let (load, loaded) = (start.elapsed(), run.answer);
    let row = |idx: u64| -> Row {
        let (key, value) = reading(idx);
        vec![build.keys.value(key), Value::Int(value)].into()
    };
    let rounds = (0..size.n_rounds).map(|round| {
        let changes = size.round(round, 50).map(|(idx, diff)| (row(idx), diff)).collect();
        run.round(vec![("readings", changes)])
    });
    let rounds = rounds.collect();
    run.finish(size.n_rows, load, loaded, rounds)
}

/// Join on the key, then count and sum per group.
pub fn join(size: Size, build: Build) -> Sample {
    let n_keys = size.join_keys();
    let mut run = Running::start(JOIN, size, build, |row, at| {
        sums_weight(key_number(&row[0], at), int(&row[1], at), int(&row[2], at), 0)
    });
    let start = now();
    for rows in size.epochs() {
        let lefts = vec![
            build.keys.column(rows.clone().map(|idx| left(idx, n_keys).0)),
            Column::Int(rows.clone().map(|idx| left(idx, n_keys).1).collect()),
        ];
        let rights = vec![
            build.keys.column(rows.clone().map(|idx| right(idx, n_keys).0)),
            build.keys.column(rows.map(|idx| right(idx, n_keys).1)),
        ];
        run.close(vec![inserts("left", lefts), inserts("right", rights)]);
    }
    let (load, loaded) = (start.elapsed(), run.answer);
    let left_row = |idx: u64| -> Row {
        let (key, amount) = left(idx, n_keys);
        vec![build.keys.value(key), Value::Int(amount)].into()
    };
    let right_row = |idx: u64| -> Row {
        let (key, group) = right(idx, n_keys);
        vec![build.keys.value(key), build.keys.value(group)].into()
    };
    let rounds = (0..size.n_rounds).map(|round| {
        let lefts = size.round(round, 25).map(|(idx, diff)| (left_row(idx), diff)).collect();
        let rights = size.round(round, 25).map(|(idx, diff)| (right_row(idx), diff)).collect();
        run.round(vec![("left", lefts), ("right", rights)])
    });
    let rounds = rounds.collect();
    run.finish(2 * size.n_rows, load, loaded, rounds)
}

/// The nodes that the roots reach.
pub fn reach(size: Size, build: Build) -> Sample {
    let n_nodes = size.nodes();
    let mut run =
        Running::start(REACH, size, build, |row, at| node_weight(key_number(&row[0], at)));
    let start = now();
    let columns = vec![
        Column::Int((0..size.n_rows).map(|idx| signed(edge(idx, n_nodes).0)).collect()),
        Column::Int((0..size.n_rows).map(|idx| signed(edge(idx, n_nodes).1)).collect()),
    ];
    let roots = vec![Column::Int(ROOTS.into_iter().map(signed).collect())];
    run.close(vec![inserts("edges", columns), inserts("roots", roots)]);
    let (load, loaded) = (start.elapsed(), run.answer);
    let rounds = (0..size.n_rounds).map(|round| {
        let (idx, diff) = size.edge_change(round);
        let (from, to) = edge(idx, n_nodes);
        let row: Row = vec![Value::Int(signed(from)), Value::Int(signed(to))].into();
        run.round(vec![("edges", vec![(row, diff)])])
    });
    let rounds = rounds.collect();
    run.finish(size.n_rows, load, loaded, rounds)
}

fn topic(name: &str) -> TopicName {
    TopicName::parse(name).expect("the bench's names are well formed")
}

fn inserts(name: &str, columns: Vec<Column>) -> TopicInput {
    let diffs = vec![1; columns[0].len()];
    let changes = Changes::Columns(ColumnBatch { columns, diffs });
    TopicInput { topic: topic(name), changes }
}

/// A dataflow, and the answer as its deltas add up.
struct Running {
    dataflow: Dataflow,
    outputs: Receiver<EpochOutput>,
    epoch: Epoch,
    answer: Answer,
    weight: Weight,
    n_ahead: usize,
    n_under_way: usize,
}

/// What a row of an answer counts, by its columns.
type Weight = fn(&[Column], usize) -> i128;

impl Running {
    fn start(text: &str, size: Size, build: Build, weight: Weight) -> Self {
        let text = text.replace("KEY", &build.keys.ty().to_string());
        let compiled = compile(&text, "bench.yaml", &Options::default());
        let plan = compiled.dataflow.expect("the bench's circuit compiles");
        let (sender, outputs) = channel();
        let options = EngineOptions {
            n_workers: size.n_workers,
            backend: build.backend,
            ..EngineOptions::default()
        };
        let dataflow = Dataflow::start(plan, options, move |output| {
            let _ = sender.send(output);
        })
        .expect("the engine starts");
        Self {
            dataflow,
            outputs,
            epoch: Epoch::ZERO,
            answer: Answer::default(),
            weight,
            n_ahead: build.n_ahead,
            n_under_way: 0,
        }
    }

    /// Feeds one epoch, and takes an answer where enough of them are under way.
    fn load(&mut self, topics: Vec<TopicInput>) {
        self.feed(topics);
        self.n_under_way += 1;
        while self.n_ahead < self.n_under_way {
            self.take_next();
        }
    }

    /// Takes the answers of all epochs under way.
    fn settle(&mut self) {
        while 0 < self.n_under_way {
            self.take_next();
        }
    }

    fn take_next(&mut self) {
        let output = self.outputs.recv().expect("an output per epoch");
        self.take(&output);
        self.n_under_way -= 1;
    }

    /// Feeds one epoch and adds its deltas to the answer.
    fn close(&mut self, topics: Vec<TopicInput>) {
        let output = self.answered(topics);
        self.take(&output);
    }

    /// Feeds these changes as an epoch: the time to its last delta.
    fn round(&mut self, changes: Vec<(&str, Vec<(Row, i64)>)>) -> Duration {
        let topics = changes.into_iter().map(|(name, changes)| {
            let changes = changes.into_iter().map(|(row, diff)| Change::Diff { row, diff });
            TopicInput { topic: topic(name), changes: Changes::Rows(changes.collect()) }
        });
        let topics = topics.collect();
        let start = now();
        let output = self.answered(topics);
        let time = start.elapsed();
        self.take(&output);
        time
    }

    /// Feeds one epoch and waits until its deltas are out.
    fn answered(&mut self, topics: Vec<TopicInput>) -> EpochOutput {
        self.feed(topics);
        self.outputs.recv().expect("an output per epoch")
    }

    fn feed(&mut self, topics: Vec<TopicInput>) {
        self.epoch = self.epoch.next();
        self.dataflow
            .feed(EpochInput { epoch: self.epoch, time: 0, topics })
            .expect("the engine takes input");
    }

    fn take(&mut self, output: &EpochOutput) {
        for ColumnDelta { rows, .. } in &output.deltas {
            for (at, diff) in rows.diffs.iter().enumerate() {
                self.answer.add((self.weight)(&rows.columns, at), *diff);
            }
        }
    }

    fn finish(self, n_rows: u64, load: Duration, loaded: Answer, rounds: Vec<Duration>) -> Sample {
        self.dataflow.finish().expect("the engine ends well");
        Sample { n_rows, load, loaded, rounds, finished: self.answer }
    }
}
