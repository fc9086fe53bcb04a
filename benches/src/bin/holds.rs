//! How long operators hold their worker while kernels step.
//!
//! `cargo xtask bench holds`: circuits with a large kernel and one worker, in which growing shares
//! of the input change. Each activation of a stateful operator is a span that is timed, by the clock
//! and by how long its thread was on a core; printed are the longest, beside how long the epoch
//! took. What is meant to stay below 2 ms is what the worker is held for, however long a step takes.
//! By the clock that has the time in which the system ran somebody else instead, as it does where
//! there are fewer cores than threads with work: the worker, its crew, and this program.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arqon_bench_report::{Aim, Meant, Table, median, percentile};
use arqon_benches::data::mix;
use arqon_compiler::{Options, compile};
use arqon_engine::{Changes, Clock, Dataflow, EngineOptions, EpochInput, Pace, TopicInput};
use arqon_types::{Change, Elements, Epoch, Row, Tensor, TopicName, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Steps of each size.
const STEPS: u64 = 10;

fn main() -> ExitCode {
    let holds = Holds::default();
    if tracing::subscriber::set_global_default(holds.clone()).is_err() {
        println!("somebody else listens");
        return ExitCode::FAILURE;
    }
    let mut table = Table::begin(
        format!("holds: 1 worker, {STEPS} steps of each size{}", allocator()),
        &[
            "kernel",
            "changed rows",
            "epoch ms, median",
            "activations",
            "p99 ms",
            "longest ms",
            "longest on a core, ms",
            "of",
        ],
    );
    for work in [attention(), projection(), paths(), heat()] {
        work.run(&holds, &mut table);
    }
    table.end();
    ExitCode::SUCCESS
}

/// How the allocator is told to give memory back, if it is told.
fn allocator() -> String {
    const NAME: &str = "MIMALLOC_PURGE_DELAY";
    std::env::var(NAME).map_or(String::new(), |delay| format!(", {NAME}={delay}"))
}

/// A circuit with a kernel, and the rows that change.
struct Work {
    name: &'static str,
    circuit: String,
    /// Each topic that is loaded first, with its rows.
    load: Vec<(&'static str, u64)>,
    /// The topic of which rows change, and how many at a time.
    changing: &'static str,
    sizes: Vec<u64>,
    /// The row of a topic with this number, in its n-th form.
    row: fn(&str, u64, u64) -> Row,
}

fn attention() -> Work {
    let circuit = "\
arqon: 1
circuit: holds.attention
schemas:
  Query: { id: int64, q: tensor<256xf32> }
  Token: { id: int64, k: tensor<256xf32>, v: tensor<256xf32> }
  Answer: { id: int64, o: tensor<256xf32> }
topics:
  queries: { schema: Query, carries: full, key: id, edge: in }
  tokens: { schema: Token, carries: full, key: id, edge: in }
  answers: { schema: Answer, carries: full, key: id, edge: out }
flow:
  attend:
    from: { q: queries, kv: tokens }
    do:
      - { kernel: transformer_attn, args: { heads: 4, features: 128, seed: 7 }, emit: all }
    to: answers
";
    Work {
        name: "attention, 8,192 tokens of 4 x 64",
        circuit: circuit.to_owned(),
        load: vec![("queries", 8192), ("tokens", 8192)],
        changing: "tokens",
        sizes: vec![8, 82, 819, 8192],
        row: |topic, id, form| {
            let mut values = vec![number(id)];
            for part in 0..if topic == "tokens" { 2 } else { 1 } {
                values.push(vector(256, mix(id * 4 + part) ^ form));
            }
            Row::from(values)
        },
    }
}

fn projection() -> Work {
    let circuit = "\
arqon: 1
circuit: holds.projection
schemas:
  Vector: { id: int64, x: tensor<2048xf32> }
  Weights: { row: int64, weights: tensor<2048xf32> }
  Product: { id: int64, y: tensor<2048xf32> }
topics:
  vectors: { schema: Vector, carries: full, key: id, edge: in }
  weights: { schema: Weights, carries: full, key: row, edge: in }
  products: { schema: Product, carries: full, key: id, edge: out }
flow:
  project:
    from: { x: vectors, rows: weights }
    do:
      - { kernel: linear_transform, args: { rows: 2048 }, emit: all }
    to: products
";
    Work {
        name: "projection, 1,024 vectors by 2,048 x 2,048",
        circuit: circuit.to_owned(),
        load: vec![("weights", 2048), ("vectors", 1024)],
        changing: "vectors",
        sizes: vec![1, 10, 102, 1024],
        row: |_, id, form| Row::from(vec![number(id), vector(2048, mix(id) ^ form)]),
    }
}

fn paths() -> Work {
    let circuit = "\
arqon: 1
circuit: holds.paths
schemas:
  Edge: { id: int64, src: int64, dst: int64, weight: int64 }
  Root: { id: int64 }
  Way: { id: int64, distance: int64 }
topics:
  edges: { schema: Edge, carries: full, key: id, edge: in }
  roots: { schema: Root, carries: full, key: id, edge: in }
  ways: { schema: Way, carries: full, key: id, edge: out }
flow:
  go:
    from: { edges: edges, roots: roots }
    do:
      - { kernel: dynamic_graph, args: { algorithm: shortest_paths } }
    to: ways
";
    Work {
        name: "shortest paths, 500,000 edges",
        circuit: circuit.to_owned(),
        load: vec![("roots", 1), ("edges", 500_000)],
        changing: "edges",
        sizes: vec![50, 500, 5_000, 50_000],
        row: |topic, id, form| {
            if topic == "roots" {
                return Row::from(vec![number(id)]);
            }
            let bits = mix(id ^ (form << 32));
            let (src, dst) = (bits % 60_000, (bits >> 20) % 60_000);
            Row::from(vec![number(id), number(src), number(dst), number(1 + (bits >> 50) % 16)])
        },
    }
}

fn heat() -> Work {
    let circuit = "\
arqon: 1
circuit: holds.heat
schemas:
  Cell: { x: int64, y: int64, u: float64 }
topics:
  cells: { schema: Cell, carries: full, key: [x, y], edge: in }
  grid: { schema: Cell, carries: full, key: [x, y], edge: out }
flow:
  spread:
    from: cells
    do:
      - kernel: pde_solver
        args: { equation: heat, width: 512, height: 512, dt: 0.2, steps: 20 }
        bounds: { error: 0.001 }
        emit: { eps: 0.001 }
    to: grid
";
    Work {
        name: "heat, 512 x 512, 20 steps",
        circuit: circuit.to_owned(),
        load: vec![("cells", 100)],
        changing: "cells",
        sizes: vec![26, 262, 2_621, 26_214, 262_144],
        row: |_, id, form| {
            let place = id.wrapping_mul(101) % (512 * 512);
            let u = unit(mix(id) ^ form);
            Row::from(vec![number(place % 512), number(place / 512), Value::float(u)])
        },
    }
}

impl Work {
    fn run(&self, holds: &Holds, table: &mut Table) {
        let compiled = compile(&self.circuit, "holds.yaml", &Options::default());
        let Some(plan) = compiled.dataflow else {
            panic!("the bench's circuit does not compile: {:?}", compiled.diagnostics)
        };
        let (told, tells) = channel();
        let pace = Pace { clock: Some(Clock(since_start)), journal: None };
        let options = EngineOptions { pace, ..EngineOptions::default() };
        let started = Dataflow::start(plan, options, move |output| {
            // The program ends with its last epoch.
            let _ = told.send(output.epoch);
        });
        let dataflow = started.expect("the bench's circuit starts");
        let mut run = Run { dataflow, tells, epoch: 0 };
        for (topic, n_rows) in &self.load {
            let rows = (0..*n_rows).map(|id| (self.row)(topic, id, 0));
            run.epoch(topic, rows);
        }
        let mut longest = 0.0_f64;
        for n_rows in &self.sizes {
            holds.take();
            let mut times = Vec::new();
            for form in 1..=STEPS {
                let rows = (0..*n_rows).map(|id| (self.row)(self.changing, id, form));
                times.push(run.epoch(self.changing, rows).as_secs_f64() * 1e3);
            }
            longest = longest.max(self.print(table, *n_rows, &times, &holds.take()));
        }
        table.aim(Aim {
            what: format!("holds: by {}, longest on a core{}", self.name, allocator()),
            meant: Meant::AtMost(2.0),
            measured: vec![longest],
            unit: " ms",
        });
    }

    /// Prints a line; the longest that the worker was held for on a core, in milliseconds.
    fn print(
        &self,
        table: &Table,
        n_rows: u64,
        times: &[f64],
        held: &BTreeMap<String, Vec<Hold>>,
    ) -> f64 {
        let by_clock = |hold: &Hold| hold.by_clock.as_secs_f64() * 1e3;
        let on_core = |hold: &Hold| hold.on_core.as_secs_f64() * 1e3;
        let all: Vec<Hold> = held.values().flatten().copied().collect();
        let most = |of: fn(&Hold) -> Duration, holds: &[Hold]| holds.iter().map(of).max();
        let longest = held.iter().max_by_key(|(_, holds)| most(|hold| hold.on_core, holds));
        let greatest = |ms: &dyn Fn(&Hold) -> f64| all.iter().map(ms).fold(0.0, f64::max);
        table.row(&[
            &self.name,
            &n_rows,
            &format_args!("{:.1}", median(times)),
            &all.len(),
            &format_args!("{:.2}", percentile(&all.iter().map(by_clock).collect::<Vec<_>>(), 99)),
            &format_args!("{:.2}", greatest(&by_clock)),
            &format_args!("{:.2}", greatest(&on_core)),
            &longest.map_or("", |(operator, _)| operator),
        ]);
        greatest(&on_core)
    }
}

/// A dataflow that is fed epoch by epoch.
struct Run {
    dataflow: Dataflow,
    tells: Receiver<Epoch>,
    epoch: u64,
}

impl Run {
    /// Feeds rows, and waits until the epoch is out.
    fn epoch(&mut self, topic: &str, rows: impl Iterator<Item = Row>) -> Duration {
        self.epoch += 1;
        let changes = rows.map(Change::Upsert).collect();
        let topic = TopicName::parse(topic).expect("a name");
        let start = Instant::now();
        let topics = vec![TopicInput { topic, changes: Changes::Rows(changes) }];
        let input = EpochInput { epoch: Epoch(self.epoch), time: 0, topics };
        self.dataflow.feed(input).expect("the dataflow runs");
        let told = self.tells.recv().expect("an epoch comes out");
        assert_eq!(told, Epoch(self.epoch));
        start.elapsed()
    }
}

fn since_start() -> Duration {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    START.elapsed()
}

fn number(number: u64) -> Value {
    Value::Int(i64::try_from(number).expect("numbers are small"))
}

/// From -1 to 1.
#[expect(clippy::cast_precision_loss, reason = "bits for a random number")]
fn unit(bits: u64) -> f64 {
    (mix(bits) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

fn vector(n: u64, seed: u64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "random numbers")]
    let elements = (0..n).map(|at| unit(seed.wrapping_add(at)) as f32).collect();
    let tensor = Tensor::vector(Elements::F32(elements)).expect("a vector");
    Value::Tensor(Arc::new(tensor))
}

/// How long an activation took.
#[derive(Debug, Clone, Copy)]
struct Hold {
    by_clock: Duration,
    /// Of that, how long its thread ran.
    on_core: Duration,
}

/// When an activation began.
#[derive(Debug, Clone, Copy)]
struct Begun {
    at: Instant,
    /// For how long its thread had run.
    ran: Duration,
}

impl Begun {
    fn now() -> Self {
        Self { ran: ran(), at: Instant::now() }
    }

    fn hold(self) -> Hold {
        Hold { by_clock: self.at.elapsed(), on_core: ran().saturating_sub(self.ran) }
    }
}

/// For how long this thread has run.
fn ran() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("threads run forwards")
}

/// Listens to the spans of activations, and keeps how long each took.
#[derive(Debug, Clone, Default)]
struct Holds {
    spans: Arc<Mutex<Spans>>,
}

#[derive(Debug, Default)]
struct Spans {
    /// Operators of spans that are open, and when they were entered.
    open: BTreeMap<u64, (String, Option<Begun>)>,
    next: u64,
    /// All activations by operator.
    held: BTreeMap<String, Vec<Hold>>,
}

impl Holds {
    fn with<R>(&self, run: impl FnOnce(&mut Spans) -> R) -> R {
        run(&mut self.spans.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was kept since the last call.
    fn take(&self) -> BTreeMap<String, Vec<Hold>> {
        self.with(|spans| std::mem::take(&mut spans.held))
    }
}

/// Reads the operator of a span.
struct Named(String);

impl Visit for Named {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "operator" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "operator" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Holds {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.name() == "activation"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut named = Named(String::new());
        span.record(&mut named);
        self.with(|spans| {
            spans.next += 1;
            spans.open.insert(spans.next, (named.0, None));
            Id::from_u64(spans.next)
        })
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, id: &Id) {
        self.with(|spans| {
            if let Some((_, start)) = spans.open.get_mut(&id.into_u64()) {
                *start = Some(Begun::now());
            }
        });
    }

    fn exit(&self, id: &Id) {
        let ended = self.with(|spans| spans.open.remove(&id.into_u64()));
        if let Some((operator, Some(begun))) = ended {
            let hold = begun.hold();
            self.with(|spans| spans.held.entry(operator).or_default().push(hold));
        }
    }
}
