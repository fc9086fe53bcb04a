//! A circuit that runs: what it is fed, and its answer as the deltas add up.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use arqon_compiler::{Options, compile};
use arqon_engine::{
    BackendChoice, Changes, Dataflow, EngineOptions, EpochInput, EpochOutput, TopicInput,
};
use arqon_plan::DataflowPlan;
use arqon_types::{Change, Column, ColumnBatch, ColumnDelta, Epoch, Row, TopicName, Type, Value};

use crate::data::{Name, Size, signed};
use crate::sample::{Answer, Sample};

/// How a circuit is to run.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// How its keys are declared.
    pub keys: KeyKind,
    /// What its stateful steps are made of.
    pub backend: BackendChoice,
    /// How many epochs of a load are fed before the answer of the first one is taken; 0 waits for
    /// each.
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
    /// The type of the field.
    pub fn ty(self) -> Type {
        match self {
            Self::Text => Type::String,
            Self::Number => Type::Int64,
        }
    }

    /// A key as a value.
    pub fn value(self, number: u64) -> Value {
        match self {
            Self::Text => Value::string(Name::of(number).as_str()),
            Self::Number => Value::Int(signed(number)),
        }
    }

    /// The column of these keys.
    pub fn column(self, numbers: impl Iterator<Item = u64>) -> Column {
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
///
/// # Panics
/// If the column is none of keys.
pub fn key_number(column: &Column, row_idx: usize) -> u64 {
    match column {
        Column::String(texts) => Name::number(texts.bytes(row_idx)),
        other => u64::try_from(int(other, row_idx)).expect("keys are not negative"),
    }
}

/// What stands in a column of integers.
///
/// # Panics
/// If the column has others. So do the next.
pub fn int(column: &Column, row_idx: usize) -> i64 {
    match column {
        Column::Int(numbers) => numbers[row_idx],
        other => panic!("integers, and not {other:?}"),
    }
}

/// What stands in a column of floats.
pub fn float(column: &Column, row_idx: usize) -> f64 {
    match column {
        Column::Float(numbers) => numbers[row_idx],
        other => panic!("floats, and not {other:?}"),
    }
}

/// This moment.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// A dataflow, and the answer as its deltas add up.
#[derive(Debug)]
pub struct Running {
    dataflow: Dataflow,
    outputs: Receiver<EpochOutput>,
    epoch: Epoch,
    /// The rows of the answer so far.
    pub answer: Answer,
    weight: Weight,
    n_ahead: usize,
    n_under_way: usize,
}

/// What a row of an answer counts, by its columns.
pub type Weight = fn(&[Column], usize) -> i128;

impl Running {
    /// Compiles the circuit, whose keys are called `KEY`, and starts it.
    ///
    /// # Panics
    /// If it does not compile or the engine fails: then there is nothing to measure. So do the
    /// others.
    pub fn start(text: &str, size: Size, build: Build, weight: Weight) -> Self {
        let text = text.replace("KEY", &build.keys.ty().to_string());
        let compiled = compile(&text, "bench.yaml", &Options::default());
        let plan = compiled.dataflow.expect("the bench's circuit compiles");
        Self::of_plan(plan, size, build, weight)
    }

    /// Starts a plan.
    pub fn of_plan(plan: DataflowPlan, size: Size, build: Build, weight: Weight) -> Self {
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
    pub fn load(&mut self, topics: Vec<TopicInput>) {
        self.begin(topics);
        while self.n_ahead < self.n_under_way {
            self.take_next();
        }
    }

    /// Feeds one epoch, whose answer [`Self::settle`] takes.
    pub fn begin(&mut self, topics: Vec<TopicInput>) {
        self.feed(topics);
        self.n_under_way += 1;
    }

    /// Has the table of a topic in common with another one from now on, and if `steps` the states
    /// of steps that do the same with it; how many there are of both.
    pub fn have_in_common(&self, other: &Self, name: &str, steps: bool) -> (usize, usize) {
        let topics = BTreeSet::from([topic(name)]);
        let tables = self.dataflow.share_tables(&other.dataflow, &topics).expect("both run");
        if !steps {
            return (tables.len(), 0);
        }
        let steps = self.dataflow.share_steps(&other.dataflow, &topics).expect("both run");
        (tables.len(), steps.len())
    }

    /// Takes the answers of all epochs under way.
    pub fn settle(&mut self) {
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
    pub fn close(&mut self, topics: Vec<TopicInput>) {
        let output = self.answered(topics);
        self.take(&output);
    }

    /// Feeds these changes as an epoch: the time to its last delta.
    pub fn round(&mut self, changes: Vec<(&str, Vec<(Row, i64)>)>) -> Duration {
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

    /// Ends the dataflow.
    pub fn finish(
        self,
        n_rows: u64,
        load: Duration,
        loaded: Answer,
        rounds: Vec<Duration>,
    ) -> Sample {
        self.dataflow.finish().expect("the engine ends well");
        Sample { n_rows, load, loaded, rounds, finished: self.answer }
    }
}

fn topic(name: &str) -> TopicName {
    TopicName::parse(name).expect("the bench's names are well formed")
}

/// Rows that come, each once.
///
/// # Panics
/// If the name is none of a topic.
pub fn inserts(name: &str, columns: Vec<Column>) -> TopicInput {
    let diffs = vec![1; columns[0].len()];
    let changes = Changes::Columns(ColumnBatch { columns, diffs });
    TopicInput { topic: topic(name), changes }
}
