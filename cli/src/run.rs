//! `arqon run`: files into a circuit, its answers into files, websocket clients at its edge.

pub(crate) mod durations;
pub(crate) mod totals;
pub(crate) mod bindings;
pub(crate) mod feed;
pub(crate) mod progress;
pub(crate) mod signals;
pub(crate) mod kept;
pub(crate) mod decisions;
pub(crate) mod collector;
pub(crate) mod host;
pub(crate) mod times;
pub(crate) mod edge;
pub(crate) mod summary;

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use arqon_engine::{
    Clock, EngineOptions, FEEDBACK_EPOCHS_MAX, Keep, Pace, TopicInput, columns_kept,
};
use arqon_formats::{InputFile, InputOptions, LineFault, OutputFile};
use arqon_plan::{DataflowPlan, TopicPlan};
use arqon_server::{EpochClock, Idle};
use arqon_types::{Edge, TopicName};

use self::bindings::OutputBinding;
use self::collector::Collector;
use self::decisions::Decisions;
use self::feed::{OpenInput, Sink, feed, read_failure};
use self::host::Host;
use self::progress::Progress;
use self::signals::{Signal, Signals};
use self::summary::Reading;
use self::times::Times;
use self::totals::Totals;
use crate::arguments::{GlobalArguments, RunArguments};
use crate::circuit::load;
use crate::console::{Console, OutputFormat};
use crate::exit::{Exit, Failure};
use crate::report::count;

/// Bad lines that are written out one by one; the others are counted.
const FAULTS_SHOWN_MAX: u64 = 1_000;

/// Runs a circuit until its inputs are read, or until it is told to end.
///
/// # Errors
/// A [`Failure`] if the command line does not fit the circuit, a file cannot be read or written,
/// or the circuit stops.
pub(crate) fn run(
    arguments: &RunArguments,
    global: &GlobalArguments,
    console: Console,
) -> Result<Exit, Failure> {
    let circuit = load(&arguments.file, global, &arguments.compiler, console)?;
    let inputs = bindings::inputs(&circuit.dataflow, &arguments.input)?;
    let outputs = bindings::outputs(&circuit, &arguments.output, arguments.kind)?;
    bindings::keep_apart(&inputs, &outputs)?;
    let plan = circuit.dataflow;
    let writes_stdout = outputs.iter().any(|output| output.location.is_standard_stream());
    let mut inputs = open_inputs(inputs, arguments.ignore_extra)?;
    let has_edge = plan.topics.iter().any(|topic| topic.edge != Edge::None);
    // Who waits for clients goes on while nothing comes; files have their epochs at any speed.
    let stays = has_edge && !arguments.until_idle;
    // No circuit takes the place of one that ends with its files, so it keeps what it reads alone.
    let keep = if stays { Keep::Rows } else { Keep::Read };
    if keep == Keep::Read {
        read_what_is_kept(&mut inputs, &plan);
    }
    let decisions = arguments.decisions.as_deref().map(Decisions::open).transpose()?;
    let journal = decisions.as_ref().map(Decisions::journal);
    let collector = Collector::new(create_outputs(outputs)?, decisions);
    let signals = Signals::listen()?;

    let closes_windows = plan.closes_windows();
    let config = edge::config(arguments.config.as_deref())?;
    let edge = has_edge.then(|| edge::options(arguments.listen, &config)).transpose()?;
    let workers = arguments.workers.map_or(config.workers, |workers| Some(workers.into()));
    let times = arguments.times.as_deref().map(Times::open).transpose()?;
    let clock = times.map(|times| Box::new(times) as Box<dyn EpochClock>);
    let n_workers = n_workers(workers);
    for input in &mut inputs {
        input.file.read_ahead(n_workers);
    }
    // A run that ends with its files is the same each time, and so is one whose times are kept; one
    // that stays goes by how long steps take.
    let step_clock = (stays && clock.is_none()).then_some(Clock(since_start));
    let pace = Pace { clock: step_clock, journal };
    let backend = arguments.backend.into();
    let engine = EngineOptions { n_workers, backend, keep, pace };
    let idle = if stays { Idle::Tick } else { Idle::Rest };
    let host = Host::start(plan, engine, edge, (&collector, clock, idle))?;
    if let Some((ws, token)) = host.address() {
        let hearers = edge::Hearers {
            stdout_is_data: writes_stdout,
            is_waited_for: arguments.until_idle,
            ready_file: arguments.ready_file.as_deref(),
        };
        edge::announce(console, &edge::Place { ws, http: None, token }, hearers)?;
    }
    let files = inputs.iter().map(|input| input.file.bytes_read()).collect();
    let mut reader = Reader {
        host,
        signals: &signals,
        console,
        progress: Progress::new(console, files),
        n_faults: 0,
        endless: BTreeSet::new(),
        started: now(),
    };
    let fed = feed(&mut inputs, arguments.epoch_rows, &mut reader)
        .and_then(|()| reader.end(arguments.until_idle))
        .and_then(|()| {
            // When nothing more will come, every window has closed.
            let is_end = (arguments.until_idle || !has_edge) && signals.received().is_none();
            if is_end && closes_windows {
                reader.host.end_time()?;
                reader.settle()
            } else {
                Ok(())
            }
        });
    if fed.is_ok() && stays {
        stay(&signals, &collector);
    }
    let endless = std::mem::take(&mut reader.endless);
    let finished = reader.host.finish();
    for remark in collector.finish()? {
        console.err(&format!("warning: {remark}\n"));
    }
    finished?;
    let totals = collector.totals();
    let reading = Reading {
        n_records: reader.progress.n_records(),
        n_faults: reader.n_faults,
        elapsed: totals.last_out().map_or(Duration::ZERO, |last| last - reader.started),
    };
    print_summary(console, &totals, reading, writes_stdout)?;
    fed?;
    for topic in &endless {
        console.err(&format!(
            "error: topic `{topic}` does not settle: what the flow writes to it still changes after \
             {FEEDBACK_EPOCHS_MAX} epochs without input\n"
        ));
    }
    let n_faults = reading.n_faults + endless.len() as u64;
    Ok(end(&signals, n_faults, arguments.keep_going))
}

/// How the run ends, when nothing else went wrong.
fn end(signals: &Signals, n_faults: u64, keep_going: bool) -> Exit {
    match signals.received() {
        Some(Signal::Interrupt) => Exit::Interrupted,
        Some(Signal::Terminate) | None if n_faults > 0 && !keep_going => Exit::Errors,
        Some(Signal::Terminate) | None => Exit::Success,
    }
}

/// All threads that the machine has, up to four: small circuits gain nothing from more.
pub(crate) fn n_workers(wanted: Option<usize>) -> usize {
    const WORKERS_DEFAULT_MAX: usize = 4;
    wanted.unwrap_or_else(|| {
        std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS_DEFAULT_MAX)
    })
}

fn open_inputs(
    bindings: Vec<bindings::InputBinding>,
    ignore_extra: bool,
) -> Result<Vec<OpenInput>, Failure> {
    bindings
        .into_iter()
        .map(|binding| {
            let options = InputOptions { ignore_extra };
            let file = InputFile::open(&binding.location, &binding.codec, options);
            Ok(OpenInput {
                topic: binding.topic,
                file: file.map_err(|error| read_failure(&error))?,
            })
        })
        .collect()
}

/// Leaves columns in their files that neither a step reads nor a client can.
fn read_what_is_kept(inputs: &mut [OpenInput], plan: &DataflowPlan) {
    let kept = columns_kept(plan);
    for OpenInput { topic, file } in inputs {
        let is_closed = |topic: &TopicPlan| match topic.edge {
            Edge::None | Edge::In => true,
            Edge::Out | Edge::Both => false,
        };
        let plan = plan.topics.iter().find(|plan| plan.name == *topic);
        if let Some(fields) = kept.get(topic).filter(|_| plan.is_some_and(is_closed)) {
            file.read_only(fields);
        }
    }
}

fn create_outputs(bindings: Vec<OutputBinding>) -> Result<Vec<(TopicName, OutputFile)>, Failure> {
    bindings
        .into_iter()
        .map(|OutputBinding { topic, schema, location, kind }| {
            OutputFile::create(&location, &schema, kind)
                .map(|file| (topic, file))
                .map_err(|error| Failure::unreachable(Failure::chain(&error)))
        })
        .collect()
}

/// Serves clients until a signal comes or an output fails.
fn stay(signals: &Signals, collector: &Collector) {
    while signals.wait(Duration::from_millis(250)).is_none() && collector.failure().is_none() {}
}

fn print_summary(
    console: Console,
    totals: &Totals,
    reading: Reading,
    writes_stdout: bool,
) -> Result<(), Failure> {
    match console.format {
        OutputFormat::Json if writes_stdout => console.note(&summary::document(totals, reading)),
        OutputFormat::Json => console.out(&summary::document(totals, reading))?,
        OutputFormat::Human | OutputFormat::Sarif => {
            console.note(&summary::table(totals, reading));
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the command reads the clock for its summary")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Time since the first look at the clock, by which kernels know how long their steps take.
pub(crate) fn since_start() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    now().duration_since(*START.get_or_init(now))
}

/// Carries what is read to the circuit, and tells the user about bad lines.
struct Reader<'r> {
    host: Host,
    signals: &'r Signals,
    console: Console,
    progress: Progress,
    n_faults: u64,
    /// Control topics that did not settle.
    endless: BTreeSet<TopicName>,
    started: Instant,
}

impl Sink for Reader<'_> {
    fn epoch(&mut self, changes: Vec<TopicInput>) -> Result<(), Failure> {
        self.host.feed(changes).map(drop)
    }

    fn fault(&mut self, fault: &LineFault) {
        self.n_faults += 1;
        if self.n_faults <= FAULTS_SHOWN_MAX {
            self.progress.above(|| self.console.err(&format!("{fault}\n")));
        }
    }

    fn go_on(&mut self, n_records: u64) -> bool {
        self.progress.add(n_records);
        self.signals.received().is_none()
    }
}

impl Reader<'_> {
    /// Says what is left to say when all files are read.
    fn end(&mut self, until_idle: bool) -> Result<(), Failure> {
        self.progress.finish();
        if until_idle && !self.host.has_fed() {
            // Over nothing, too, a group without keys has its row. A server waits for clients.
            self.host.feed(Vec::new())?;
        }
        if self.n_faults > FAULTS_SHOWN_MAX {
            let rest = usize::try_from(self.n_faults - FAULTS_SHOWN_MAX).unwrap_or(usize::MAX);
            self.console.err(&format!("and {} more\n", count(rest, "bad line")));
        }
        self.settle()
    }

    /// Lets what the flow writes to control topics go back until nothing does.
    fn settle(&mut self) -> Result<(), Failure> {
        self.endless.extend(self.host.settle()?);
        Ok(())
    }
}
