//! A running circuit: epochs go in, and one output per epoch comes out, in order.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use timely::communication::WorkerGuards;
use timely::execute::execute;

use arqon_plan::{DataflowPlan, TopicPlan};
use arqon_types::{
    Change, Column, DeltaBatch, Epoch, ErrorRow, PackedRow, Row, TopicName, Type, Update,
};

use crate::narrow::narrow;
use crate::recorder::EpochRecord;
use crate::render::{BackendChoice, Counters};
use crate::source::{Changes, Divider};
use crate::stats::{EpochStats, NodeCounts, merge_counts};
use crate::worker::{Feed, Report, Setup, Shared, panic_text, run};

/// How a dataflow is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineOptions {
    /// Threads that share the work; at least 1.
    pub n_workers: usize,
    /// What the stateful steps are made of.
    pub backend: BackendChoice,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { n_workers: 1, backend: BackendChoice::Auto }
    }
}

/// All changes of one epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochInput {
    /// Greater than the epoch before.
    pub epoch: Epoch,
    /// In log order; a topic may come several times.
    pub topics: Vec<TopicInput>,
}

/// Changes of one topic.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicInput {
    /// An input of the plan.
    pub topic: TopicName,
    /// What happened, in log order.
    pub changes: Changes,
}

/// What an epoch came to.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochOutput {
    /// The epoch.
    pub epoch: Epoch,
    /// One batch per output topic that changed, in the plan's order, and then one per
    /// `<node>.errors` that changed, by name.
    pub deltas: Vec<DeltaBatch>,
    /// Counters.
    pub stats: EpochStats,
}

/// Why a dataflow cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A dataflow needs a worker.
    #[error("a dataflow needs at least one worker")]
    NoWorker,
    /// The node's errors topic would have no well-formed name.
    #[error("`{0}.errors` is no topic's name")]
    ErrorTopic(String),
    /// The worker threads could not be started.
    #[error("the worker threads could not be started: {0}")]
    Threads(String),
    /// A worker stopped while it built the dataflow.
    #[error("the dataflow could not be built: {0}")]
    Build(String),
}

/// Why an epoch is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// The plan has no such input.
    #[error("`{0}` is no input of the circuit")]
    NotAnInput(TopicName),
    /// Epochs ascend.
    #[error("epoch {given} does not follow epoch {last}")]
    Order {
        /// The last one that was taken.
        last: Epoch,
        /// The one that was given.
        given: Epoch,
    },
    /// A row or a column is not of the topic's schema.
    #[error("change {idx} of `{topic}` does not fit its schema")]
    Misfit {
        /// The topic.
        topic: TopicName,
        /// Which change of those that were given, from 0.
        idx: usize,
    },
    /// A worker or the output callback stopped; its words.
    #[error("the dataflow has stopped: {0}")]
    Stopped(String),
}

/// Why a dataflow did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the dataflow has stopped: {reason}")]
pub struct FinishError {
    /// The panic's words.
    pub reason: String,
}

/// A running circuit.
///
/// Dropping it does what [`Dataflow::finish`] does, and forgets the outcome.
#[derive(Debug)]
pub struct Dataflow {
    plan: Arc<DataflowPlan>,
    is_input: Vec<bool>,
    shared: Arc<Shared>,
    feeder: Mutex<Option<Feeder>>,
    threads: Option<Threads>,
}

#[derive(Debug)]
struct Feeder {
    last: Option<Epoch>,
    dividers: Vec<Divider>,
    feeds: Vec<Sender<Feed>>,
    sizes: Sender<(u64, usize)>,
}

struct Threads {
    workers: WorkerGuards<()>,
    collector: JoinHandle<()>,
}

impl std::fmt::Debug for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threads")
            .field("n_workers", &self.workers.guards().len())
            .finish_non_exhaustive()
    }
}

impl Dataflow {
    /// Builds the dataflow of `plan` on its own threads.
    ///
    /// `on_output` is called from one thread, once per epoch that is fed, in order, when every
    /// worker is done with the epoch. It should not block for long: while it does, `feed` will.
    ///
    /// # Errors
    /// If there is no worker, or the dataflow cannot be built.
    pub fn start(
        plan: DataflowPlan,
        options: EngineOptions,
        on_output: impl FnMut(EpochOutput) + Send + 'static,
    ) -> Result<Self, StartError> {
        if options.n_workers == 0 {
            return Err(StartError::NoWorker);
        }
        let prepared = catch_unwind(|| (narrow(&plan), Counters::new(&plan)));
        let (narrowed, counters) =
            prepared.map_err(|payload| StartError::Build(panic_text(payload.as_ref())))?;
        let (narrowed, plan) = (Arc::new(narrowed), Arc::new(plan));
        let counters = Arc::new(counters);
        let error_topics = error_topics(&counters)?;
        let shared = Arc::new(Shared::default());
        let is_input = counters.topics.iter().map(Option::is_some).collect();
        let dividers =
            plan.topics.iter().map(|topic| Divider::new(topic, options.n_workers)).collect();

        let (reports_in, reports) = channel();
        let (ready_in, ready) = channel();
        let (sizes_in, sizes) = channel();
        let mut feeds = Vec::new();
        let mut setups = Vec::new();
        for _ in 0..options.n_workers {
            let (feeds_in, feeds_out) = channel();
            feeds.push(feeds_in);
            setups.push(Mutex::new(Some(Setup {
                plan: Arc::clone(&narrowed),
                counters: Arc::clone(&counters),
                backend: options.backend,
                feeds: feeds_out,
                reports: reports_in.clone(),
                ready: ready_in.clone(),
                shared: Arc::clone(&shared),
            })));
        }
        drop((reports_in, ready_in));
        let config = if options.n_workers == 1 {
            timely::Config::thread()
        } else {
            timely::Config::process(options.n_workers)
        };
        let workers = execute(config, move |worker| {
            let setup =
                setups[worker.index()].lock().unwrap_or_else(PoisonError::into_inner).take();
            run(worker, &setup.expect("each worker takes its setup once"));
        })
        .map_err(StartError::Threads)?;
        let collector = Collector {
            plan: Arc::clone(&plan),
            counters,
            error_topics,
            n_workers: options.n_workers,
            shared: Arc::clone(&shared),
            waiting: BTreeMap::new(),
        };
        let collector = std::thread::Builder::new()
            .name("arqon:collect".to_owned())
            .spawn(move || collector.run(&reports, &sizes, on_output))
            .map_err(|error| StartError::Threads(error.to_string()))?;
        let n_ready = ready.iter().take(options.n_workers).count();
        let dataflow = Self {
            plan,
            is_input,
            shared,
            feeder: Mutex::new(Some(Feeder { last: None, dividers, feeds, sizes: sizes_in })),
            threads: Some(Threads { workers, collector }),
        };
        if n_ready < options.n_workers {
            let reason = dataflow.shared.failure().unwrap_or_default();
            return Err(StartError::Build(reason));
        }
        Ok(dataflow)
    }

    /// Takes the changes of an epoch; blocks while too much is under way.
    ///
    /// # Errors
    /// If the epoch does not fit, and then nothing is taken of it, or if the dataflow has stopped.
    pub fn feed(&self, input: EpochInput) -> Result<(), FeedError> {
        let mut topics = Vec::new();
        let mut n_rows = 0;
        for TopicInput { topic, changes } in input.topics {
            let at = self
                .plan
                .topics
                .iter()
                .position(|plan| plan.name == topic)
                .filter(|at| self.is_input[*at]);
            let Some(at) = at else { return Err(FeedError::NotAnInput(topic)) };
            if let Some(idx) = misfit(&self.plan.topics[at], &changes) {
                return Err(FeedError::Misfit { topic, idx });
            }
            n_rows += changes.len();
            topics.push((at, changes));
        }
        let mut feeder = self.feeder.lock().unwrap_or_else(PoisonError::into_inner);
        let feeder = feeder.as_mut().expect("the feeder is there until the dataflow is dropped");
        let last = feeder.last.unwrap_or(Epoch::ZERO);
        if input.epoch <= last {
            return Err(FeedError::Order { last, given: input.epoch });
        }
        self.shared.admit(n_rows).map_err(FeedError::Stopped)?;
        feeder.last = Some(input.epoch);
        let epoch = input.epoch.0;
        let mut parts: Vec<Vec<(usize, Changes)>> =
            feeder.feeds.iter().map(|_| Vec::new()).collect();
        for (topic, changes) in topics {
            for (parts, part) in parts.iter_mut().zip(feeder.dividers[topic].divide(changes)) {
                parts.extend(part.map(|part| (topic, part)));
            }
        }
        // A receiver that is gone belongs to a dataflow that has failed: the next call says so.
        let _ = feeder.sizes.send((epoch, n_rows));
        for (feed, parts) in feeder.feeds.iter().zip(parts) {
            let _ = feed.send(Feed { epoch, parts });
        }
        self.shared.wake();
        self.shared.failure().map_or(Ok(()), |reason| Err(FeedError::Stopped(reason)))
    }

    /// Ends the input, waits until all epochs are out, and ends all threads.
    ///
    /// # Errors
    /// If a worker or the callback panicked; the text says how.
    pub fn finish(mut self) -> Result<(), FinishError> {
        self.end();
        self.shared.failure().map_or(Ok(()), |reason| Err(FinishError { reason }))
    }

    fn end(&mut self) {
        let feeder = self.feeder.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(feeder.take());
        self.shared.wake();
        let Some(Threads { workers, collector }) = self.threads.take() else { return };
        for outcome in workers.join() {
            if let Err(text) = outcome {
                self.shared.fail(text);
            }
        }
        if let Err(payload) = collector.join() {
            self.shared.fail(panic_text(payload.as_ref()));
        }
    }
}

impl Drop for Dataflow {
    fn drop(&mut self) {
        self.end();
    }
}

/// The errors topic of each node that has a counter.
fn error_topics(counters: &Counters) -> Result<BTreeMap<String, TopicName>, StartError> {
    let mut topics = BTreeMap::new();
    for (node, _) in &counters.layout.counters {
        let name = TopicName::parse(&format!("{node}.errors"))
            .map_err(|_| StartError::ErrorTopic(node.to_string()))?;
        topics.insert(node.to_string(), name);
    }
    Ok(topics)
}

/// The first change that is not of the topic's schema.
fn misfit(topic: &TopicPlan, changes: &Changes) -> Option<usize> {
    let fields = &topic.schema.fields;
    let row_fits = |row: &Row| {
        row.len() == fields.len()
            && row.iter().zip(fields).all(|(value, field)| value.fits(&field.ty))
    };
    let key_fits = |key: &Row| {
        key.len() == topic.key.len()
            && key.iter().zip(&topic.key).all(|(value, at)| value.fits(&fields[*at].ty))
    };
    match changes {
        Changes::Rows(changes) => changes.iter().position(|change| match change {
            Change::Insert(row) | Change::Upsert(row) | Change::Diff { row, .. } => !row_fits(row),
            Change::Delete(key) => !key_fits(key),
        }),
        Changes::Columns(batch) => {
            let fits = batch.columns.len() == fields.len()
                && batch.columns.iter().zip(fields).all(|(column, field)| {
                    column.len() == batch.len() && column_fits(column, &field.ty)
                });
            (!fits).then_some(0)
        }
        Changes::Errors(_) => None,
    }
}

fn column_fits(column: &Column, ty: &Type) -> bool {
    match (column, ty) {
        (Column::Option { values, .. }, Type::Option(inner)) => column_fits(values, inner),
        (Column::List { items, .. }, Type::List(inner)) => column_fits(items, inner),
        (Column::Struct { fields, .. }, Type::Struct(types)) => {
            fields.len() == types.len()
                && fields.iter().zip(types).all(|(column, field)| column_fits(column, &field.ty))
        }
        (Column::Bool(_), Type::Bool)
        | (
            Column::Int(_),
            Type::Int64 | Type::Timestamp | Type::Duration | Type::Date | Type::Enum(_),
        )
        | (Column::Float(_), Type::Float64)
        | (Column::Decimal(_), Type::Decimal(_))
        | (Column::Uuid(_), Type::Uuid)
        | (Column::String(_), Type::String) => true,
        _ => false,
    }
}

/// Puts the workers' reports together and calls the callback.
struct Collector {
    plan: Arc<DataflowPlan>,
    counters: Arc<Counters>,
    error_topics: BTreeMap<String, TopicName>,
    n_workers: usize,
    shared: Arc<Shared>,
    waiting: BTreeMap<u64, (usize, EpochRecord)>,
}

impl Collector {
    fn run(
        mut self,
        reports: &Receiver<Report>,
        sizes: &Receiver<(u64, usize)>,
        mut on_output: impl FnMut(EpochOutput),
    ) {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            for Report { epoch, record } in reports {
                let Some(record) = self.gather(epoch, record) else { continue };
                let (fed, n_rows) = sizes.recv().expect("sizes are sent before the epoch");
                assert_eq!(epoch, fed, "epochs are complete in the order in which they were fed");
                on_output(self.output(epoch, record));
                self.shared.release(n_rows);
            }
        }));
        if let Err(payload) = outcome {
            self.shared.fail(panic_text(payload.as_ref()));
        }
    }

    /// The record of all workers, once all have reported.
    fn gather(&mut self, epoch: u64, record: EpochRecord) -> Option<EpochRecord> {
        let (mut n_reports, mut sum) = match self.waiting.remove(&epoch) {
            None => (0, None),
            Some((n_reports, sum)) => (n_reports, Some(sum)),
        };
        n_reports += 1;
        let sum = match sum.take() {
            None => record,
            Some(mut sum) => {
                merge_counts(&mut sum.counts, &record.counts);
                sum.errors.extend(record.errors);
                for (sum, rows) in sum.outputs.iter_mut().zip(record.outputs) {
                    sum.extend(rows);
                }
                sum
            }
        };
        if n_reports == self.n_workers {
            return Some(sum);
        }
        self.waiting.insert(epoch, (n_reports, sum));
        None
    }

    fn output(&self, epoch: u64, record: EpochRecord) -> EpochOutput {
        let mut stats = EpochStats { epoch: Epoch(epoch), ..EpochStats::default() };
        let layout = &self.counters.layout;
        for (idx, counts) in record.counts.into_iter().enumerate() {
            let (node, address) = layout.counters[idx].clone();
            stats.rows_touched += counts.touched;
            if layout.is_source[idx] {
                stats.rows_in += counts.input.changes;
            }
            stats.nodes.push(NodeCounts { node, address, counts });
        }
        let mut deltas = Vec::new();
        for (output, rows) in self.plan.outputs.iter().zip(record.outputs) {
            let types = self.plan.steps[output.step.index()].schema.types();
            let updates = canonical(rows, epoch, &types);
            stats.deltas_out += updates.len() as u64;
            deltas.extend(delta(output.topic.clone(), epoch, updates));
        }
        let mut errors: BTreeMap<&TopicName, BTreeMap<ErrorRow, i64>> = BTreeMap::new();
        for (error, diff) in record.errors {
            let topic = self.error_topics.get(&error.node);
            let topic = topic.unwrap_or_else(|| panic!("`{}` is no node", error.node));
            *errors.entry(topic).or_default().entry(error).or_insert(0) += diff;
        }
        for (topic, rows) in errors {
            let update = |(error, diff): (ErrorRow, i64)| Update {
                row: error.to_row(),
                epoch: Epoch(epoch),
                diff,
            };
            let mut updates: Vec<Update> =
                rows.into_iter().filter(|row| row.1 != 0).map(update).collect();
            stats.errors += updates.len() as u64;
            updates.sort_by_key(|update| update.diff > 0);
            deltas.extend(delta(topic.clone(), epoch, updates));
        }
        EpochOutput { epoch: Epoch(epoch), deltas, stats }
    }
}

fn delta(topic: TopicName, epoch: u64, updates: Vec<Update>) -> Option<DeltaBatch> {
    let lower = Epoch(epoch);
    (!updates.is_empty()).then(|| DeltaBatch { topic, lower, upper: lower.next(), updates })
}

/// Consolidated updates: retractions first, then by row.
///
/// The bytes of packed rows have the order of the rows, so nothing is unpacked that cancels.
fn canonical(mut rows: Vec<(PackedRow, i64)>, epoch: u64, types: &[Type]) -> Vec<Update> {
    rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    rows.dedup_by(|next, kept| {
        let is_same = next.0 == kept.0;
        if is_same {
            kept.1 += next.1;
        }
        is_same
    });
    rows.retain(|row| row.1 != 0);
    rows.sort_by_key(|row| row.1 > 0);
    let update = |(row, diff): (PackedRow, i64)| Update {
        row: row.unpack(types),
        epoch: Epoch(epoch),
        diff,
    };
    rows.into_iter().map(update).collect()
}
