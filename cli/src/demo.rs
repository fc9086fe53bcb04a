//! `arqon demo`: the main job in twenty seconds, on a year of real flights.
//!
//! Five tables are loaded; a websocket client holds the five answers of the circuit; then what
//! became known later is streamed in through the same client, and each answer changes by deltas.
//! At the end the deltas that the client has added up are held against a recomputation that
//! shares nothing with the engine.

mod tables;
mod recompute;
mod corrections;
mod board;
mod stage;
mod itmd;

use std::collections::BTreeMap;
use std::time::Duration;

use arqon_client::{Client, Message, connect};
use arqon_engine::{BackendChoice, Changes, EngineOptions, TopicInput};
use arqon_formats::InputRows;
use arqon_plan::DataflowPlan;
use arqon_proto::BodyCodec;
use arqon_server::{Config, Idle};
use arqon_types::Epoch;
use tokio::runtime::Runtime;

use self::board::Board;
use self::corrections::{Batch, Correction, correct};
use self::recompute::{Relation, recompute};
use self::stage::{Loaded, Stage, Step, Verdict};
use self::tables::{FILES, Tables, body_codec, find};
use crate::arguments::{DemoArguments, Show};
use crate::bus::{client_failure, connect_failure};
use crate::circuit::{CompileOptions, compile_source};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::run::collector::Collector;
use crate::run::durations::Durations;
use crate::run::edge;
use crate::run::host::Host;
use crate::run::progress::Progress;
use crate::run::signals::{Signal, Signals};
use crate::run::{n_workers, now};
use crate::source::Source;

/// The circuit, within the command itself.
const CIRCUIT: &str = include_str!("../../circuits/demo/flights.yaml");
/// The answers that the client holds.
const ANSWERS: [&str; 5] = ["carrier_delays", "weather_delays", "top_routes", "fleet", "totals"];
/// Records of an epoch while the tables are loaded.
const LOAD_ROWS: usize = 1 << 14;

/// Plays the story; ends with 1 if the answers are not those of the recomputation.
///
/// # Errors
/// A [`Failure`] if a part of the house does not work.
pub(crate) fn demo(arguments: &DemoArguments, console: Console) -> Result<Exit, Failure> {
    belong(arguments)?;
    if arguments.show == Show::Itmd {
        return itmd::itmd(arguments.svg.as_deref(), console);
    }
    let stage = Stage::new(console);
    stage.open()?;
    let started = now();
    let circuit = compile_source(
        &Source::from_text("circuits/demo/flights.yaml", CIRCUIT),
        &CompileOptions::default(),
    )?;
    let plan = circuit.runnable()?;
    stage.compiled(&plan, started.elapsed())?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("no thread can be started: {error}")))?;
    let collector = Collector::default();
    let edge = edge::options(None, &Config::default())?;
    let workers = n_workers(arguments.workers.map(usize::from));
    let engine = EngineOptions {
        n_workers: workers,
        backend: BackendChoice::Auto,
        ..EngineOptions::default()
    };
    let mut host = Host::start(plan.clone(), engine, Some(edge), (&collector, None, Idle::Rest))?;
    let (url, token) = host
        .address()
        .ok_or_else(|| Failure::internal("the demo's circuit has topics at its edge"))?;
    let client =
        runtime.block_on(connect(&url, &token)).map_err(|error| connect_failure(&url, &error))?;
    let board = runtime.block_on(Board::open(&client, &plan, &ANSWERS))?;
    stage.serving(&url, workers)?;

    let play = Play { plan: &plan, runtime: &runtime, client: &client, board: &board };
    let loaded = play.load(&mut host, &collector, console)?;
    stage.loaded(&loaded)?;
    let mut tables = Tables::read(&plan.topics)?;
    let steps = play.correct(&mut tables, &loaded, &collector, stage)?;
    let verdicts = play.judge(&tables)?;
    stage.judged(&verdicts)?;
    let all_equal = verdicts.iter().all(|verdict| verdict.is_equal);
    stage.close(&loaded, &steps, &verdicts, started.elapsed())?;

    let mut exit = if all_equal { Exit::Success } else { Exit::Errors };
    if arguments.keep && all_equal {
        stage.keep(&url, &token)?;
        let signals = Signals::listen()?;
        while signals.wait(Duration::from_secs(1)).is_none() {}
        if signals.received() == Some(Signal::Interrupt) {
            exit = Exit::Interrupted;
        }
    }
    runtime.block_on(client.close());
    host.finish()?;
    Ok(exit)
}

/// Whether all options are of what is shown.
fn belong(arguments: &DemoArguments) -> Result<(), Failure> {
    let DemoArguments { show, svg, keep, workers } = arguments;
    let (foreign, other) = match show {
        Show::Flights => (svg.as_ref().map(|_| "--svg"), "itmd"),
        Show::Itmd if *keep => (Some("--keep"), "flights"),
        Show::Itmd => (workers.map(|_| "--workers"), "flights"),
    };
    let Some(option) = foreign else { return Ok(()) };
    Err(Failure::usage(format!("`{option}` is an option of `arqon demo {other}`"))
        .help("leave it away, or show that"))
}

/// What every scene needs.
struct Play<'p> {
    plan: &'p DataflowPlan,
    runtime: &'p Runtime,
    client: &'p Client,
    board: &'p Board,
}

impl Play<'_> {
    /// Feeds the five tables, and waits until the client has all answers.
    fn load(
        &self,
        host: &mut Host,
        collector: &Collector,
        console: Console,
    ) -> Result<Loaded, Failure> {
        let started = now();
        let mut tables = Vec::new();
        let mut last = Epoch::ZERO;
        let mut inputs = Vec::new();
        for file in FILES {
            let topic = find(&self.plan.topics, file.topic);
            inputs.push((topic, file.open(&body_codec(topic))?));
        }
        let bytes = inputs.iter().map(|(_, input)| input.bytes_read()).collect();
        let mut progress = Progress::new(console, bytes);
        for (topic, mut input) in inputs {
            let mut n_rows = 0;
            while let Some(batch) = input
                .next_batch(LOAD_ROWS)
                .map_err(|error| Failure::internal(Failure::chain(&error)))?
            {
                if let Some(fault) = batch.faults.first() {
                    return Err(Failure::internal(fault.to_string()));
                }
                let changes = match batch.rows {
                    InputRows::Columns(columns) => Changes::Columns(columns),
                    InputRows::Changes(changes) => Changes::Rows(changes),
                };
                n_rows += changes.len() as u64;
                progress.add(changes.len() as u64);
                last = host.feed(vec![TopicInput { topic: topic.name.clone(), changes }])?;
            }
            tables.push((topic.name.to_string(), n_rows));
        }
        self.runtime.block_on(self.board.has_seen(last))?;
        progress.finish();
        let totals = collector.totals();
        Ok(Loaded { tables, elapsed: started.elapsed(), rows_touched: totals.rows_touched })
    }

    /// Streams the corrections, step by step.
    fn correct(
        &self,
        tables: &mut Tables,
        loaded: &Loaded,
        collector: &Collector,
        stage: Stage,
    ) -> Result<Vec<Step>, Failure> {
        let n_rows = tables.n_rows() as u64;
        let codecs: BTreeMap<&str, BodyCodec> =
            self.plan.topics.iter().map(|topic| (topic.name.as_str(), body_codec(topic))).collect();
        let mut steps = Vec::new();
        stage.correcting()?;
        for Correction { title, batches } in correct(tables) {
            let before = collector.totals();
            let mut times = Durations::default();
            let n_batches = batches.len() as u64;
            let mut n_changed = 0;
            for batch in batches {
                n_changed += batch.len() as u64;
                times.add(self.runtime.block_on(self.publish(&batch, &codecs))?);
            }
            let after = collector.totals();
            let step = Step {
                title,
                n_changed,
                n_batches,
                n_rows,
                rows_touched: after.rows_touched - before.rows_touched,
                rows_touched_from_scratch: loaded.rows_touched,
                deltas_out: after.deltas_out - before.deltas_out,
                times,
            };
            stage.step(&step)?;
            steps.push(step);
        }
        Ok(steps)
    }

    /// From the first byte that leaves the client until it has the last delta.
    async fn publish(
        &self,
        batch: &Batch,
        codecs: &BTreeMap<&str, BodyCodec>,
    ) -> Result<Duration, Failure> {
        let messages = batch
            .iter()
            .map(|message| {
                Message::row(message.topic, codecs[message.topic].rows().to_json(&message.row))
            })
            .collect();
        let started = now();
        let acks =
            self.client.publish_batch(messages).await.map_err(|error| client_failure(&error))?;
        let epoch = acks.iter().map(|ack| ack.epoch).max().unwrap_or(Epoch::ZERO);
        self.board.has_seen(epoch).await?;
        Ok(started.elapsed())
    }

    /// Holds what the client has added up against a recomputation.
    fn judge(&self, tables: &Tables) -> Result<Vec<Verdict>, Failure> {
        let expected = recompute(tables);
        ANSWERS
            .into_iter()
            .map(|topic| {
                let held = self.board.rows(topic)?;
                Ok(Verdict::new(topic, &held, &expected[topic]))
            })
            .collect()
    }
}

impl Verdict {
    fn new(topic: &'static str, held: &Relation, expected: &Relation) -> Self {
        let differs = |row| held.get(row) != expected.get(row);
        let first = expected.keys().chain(held.keys()).find(|row| differs(row));
        Self {
            topic,
            n_rows: held.len(),
            is_equal: held == expected,
            first_difference: first.map(|row| {
                format!(
                    "{row:?}: {} held, {} recomputed",
                    held.get(row).copied().unwrap_or(0),
                    expected.get(row).copied().unwrap_or(0)
                )
            }),
        }
    }
}
