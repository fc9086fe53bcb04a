//! A running circuit: epochs go in, and one output per epoch comes out, in order.

mod sharing;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use timely::communication::WorkerGuards;
use timely::execute::execute;

use arqon_plan::{DataflowPlan, EncodeError, TopicPlan};
use arqon_types::{Column, ColumnBatch, Epoch, TopicName, Type};

use crate::collector::{Collector, EpochOutput, Fed, Gathering, reports};
use crate::counters::Counters;
use crate::feedback::{FEEDBACK_EPOCHS_MAX, Origin, endless};
use crate::fit::misfit;
use crate::forget::holds_the_past;
use crate::kernel::{
    Crew, Keeping, Means, Pace, SnapshotError, Unprepared, checked, decode, encode,
};
use crate::mark::{END_MARK, Marker, Marks, NO_MARK};
use crate::narrow::{Keep, NarrowPlan, narrow};
use crate::render::BackendChoice;
use crate::shared::{Shared, panic_text};
use crate::source::{Changes, Divider, HeldRow, Part, Reading, push_packed};
use crate::worker::{Feed, Order, Setup, run};

/// How a dataflow is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// Threads that share the work; at least 1.
    pub n_workers: usize,
    /// What the stateful steps are made of.
    pub backend: BackendChoice,
    /// What is kept of the rows of input topics.
    pub keep: Keep,
    /// By what kernels choose how to follow their inputs.
    pub pace: Pace,
}

impl Default for EngineOptions {
    fn default() -> Self {
        let backend = BackendChoice::Auto;
        Self { n_workers: 1, backend, keep: Keep::Rows, pace: Pace::default() }
    }
}

/// All changes of one epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochInput {
    /// Greater than the epoch before.
    pub epoch: Epoch,
    /// What `epoch_time()` of its rows is, in nanoseconds since 1970. Feeding the same again gives
    /// the same: who wants that keeps the times.
    pub time: i64,
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

/// Why a dataflow cannot start.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A dataflow needs a worker.
    #[error("a dataflow needs at least one worker")]
    NoWorker,
    /// The node's errors topic would have no well-formed name.
    #[error("`{0}.errors` is no topic's name")]
    ErrorTopic(String),
    /// The arguments of a kernel do not fit together.
    #[error(transparent)]
    Kernel(#[from] Unprepared),
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

/// From where a dataflow goes on.
#[derive(Debug, Clone)]
pub struct Past<'a> {
    /// What [`Dataflow::save_kernels`] gave.
    pub kernels: &'a [u8],
    /// What `epoch_time()` of the rows below is.
    pub time: i64,
    /// What the input topics held then.
    pub topics: Vec<TopicInput>,
}

/// Why a dataflow does not go on from a snapshot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// The snapshot is none that it can go on from.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The dataflow does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It does not take what its topics held.
    #[error(transparent)]
    Feed(#[from] FeedError),
}

/// Why kernels are not saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// A worker or the output callback stopped; its words.
    #[error("the dataflow has stopped: {0}")]
    Stopped(String),
    /// The plan cannot be told from others.
    #[error(transparent)]
    Plan(#[from] EncodeError),
}

/// What an input topic holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The topic.
    pub topic: TopicName,
    /// Its rows in their order; the diffs say how often each is there.
    pub rows: ColumnBatch,
    /// When each came, where that is known of all.
    pub arrivals: Option<Vec<i64>>,
}

impl Held {
    fn of(topic: &TopicPlan, mut held: Vec<HeldRow>) -> Self {
        held.sort_unstable();
        let mut types = topic.schema.types();
        if topic.arrival {
            types.push(Type::Timestamp);
        }
        let mut rows = ColumnBatch::empty(&types);
        for HeldRow { row, n, .. } in &held {
            push_packed(&mut rows, row, &types, *n);
        }
        let arrivals = if topic.arrival {
            match rows.columns.pop() {
                Some(Column::Int(times)) => Some(times),
                other => panic!("when a row came is a time, not {other:?}"),
            }
        } else {
            held.iter().map(|row| row.came).collect()
        };
        Self { topic: topic.name.clone(), rows, arrivals }
    }
}

/// A running circuit.
///
/// Dropping it does what [`Dataflow::finish`] does, and forgets the outcome.
#[derive(Debug)]
pub struct Dataflow {
    plan: Arc<DataflowPlan>,
    narrowed: Arc<NarrowPlan>,
    is_input: Vec<bool>,
    shared: Arc<Shared>,
    feeder: Mutex<Option<Feeder>>,
    threads: Option<Threads>,
}

#[derive(Debug)]
struct Feeder {
    last: Option<Epoch>,
    /// When the last epoch with something from outside came; what goes back comes then, too.
    time: i64,
    /// The greatest time of epochs so far, where rows go by it.
    clock: Option<i64>,
    /// How many changes were fed: the place of the next one in the log.
    n_fed: i64,
    dividers: Vec<Divider>,
    /// Whether the rows of a topic bring along when they came.
    arrivals: Vec<bool>,
    /// One for each topic whose rows carry marks.
    markers: Vec<Option<Marker>>,
    orders: Vec<Sender<Order>>,
    sizes: Sender<Fed>,
    /// Epochs in a row to which nothing came from outside.
    n_feedbacks: u64,
    /// The steps whose states were given up for those of others.
    leased: BTreeSet<usize>,
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

impl Feeder {
    fn follows(&self, given: Epoch) -> Result<(), FeedError> {
        let last = self.last.unwrap_or(Epoch::ZERO);
        if given <= last { Err(FeedError::Order { last, given }) } else { Ok(()) }
    }

    /// Judges the rows in log order, and hands each worker its share of the epoch.
    fn send(&mut self, fed: Fed, topics: Vec<(usize, Changes)>) {
        let (epoch, time) = (fed.epoch, self.time);
        self.last = Some(Epoch(epoch));
        let mut parts: Vec<Vec<(usize, Part)>> = self.orders.iter().map(|_| Vec::new()).collect();
        for (topic, changes) in topics {
            let place = self.n_fed;
            self.n_fed += i64::try_from(changes.len()).expect("fewer than 2^63 changes");
            let marker = self.markers[topic].as_mut();
            let marks = marker.map_or_else(Vec::new, |marker| marker.judge(&changes));
            let changes = if self.arrivals[topic] { changes.arriving(time) } else { changes };
            let divided = self.dividers[topic].divide(changes, (place, marks));
            for (parts, part) in parts.iter_mut().zip(divided) {
                parts.extend(part.map(|part| (topic, part)));
            }
        }
        // A topic without marks closes nothing, and keeps nothing open.
        let mark = |marker: &Option<Marker>| marker.as_ref().map_or(END_MARK, Marker::mark);
        let marks: Marks = self.markers.iter().map(mark).chain(self.clock).collect();
        // A receiver that is gone belongs to a dataflow that has failed: the next call says so.
        let _ = self.sizes.send(fed);
        for (orders, parts) in self.orders.iter().zip(parts) {
            let feed = Feed { epoch, parts, marks: Arc::clone(&marks) };
            let _ = orders.send(Order::Feed(feed));
        }
    }
}

impl Dataflow {
    /// Builds the dataflow of `plan` on its own threads.
    ///
    /// `on_output` is called by one thread at a time, once per epoch that is fed, in order, when
    /// every worker is done with the epoch. It should not block for long: while it does, `feed`
    /// will.
    ///
    /// # Errors
    /// If there is no worker, or the dataflow cannot be built.
    pub fn start(
        plan: DataflowPlan,
        options: EngineOptions,
        on_output: impl FnMut(EpochOutput) + Send + 'static,
    ) -> Result<Self, StartError> {
        let narrowed = narrowed(&plan, options.keep)?;
        Self::start_with(plan, (options, narrowed, Keeping::default()), on_output)
    }

    /// Builds the dataflow of `plan` anew, with kernels that go on from where
    /// [`Self::save_kernels`] left those of another dataflow of the same plan and `keep`. What its
    /// input topics held then is fed in the epoch of the snapshot: kernels, which have it, say in
    /// that epoch what they had said, and from the next one on the same, bit for bit, as if nothing
    /// had ended.
    ///
    /// # Errors
    /// [`ResumeError`] if the snapshot is damaged, of another plan or another version, if the
    /// dataflow does not start, or if the rows do not fit. No bytes make it panic.
    pub fn resume(
        plan: DataflowPlan,
        options: EngineOptions,
        past: Past<'_>,
        on_output: impl FnMut(EpochOutput) + Send + 'static,
    ) -> Result<Self, ResumeError> {
        checked(&plan).map_err(StartError::Kernel)?;
        let narrowed = narrowed(&plan, options.keep)?;
        let (epoch, kernels) = decode(&narrowed.plan, past.kernels)?;
        let keeping = Keeping::of(kernels);
        let dataflow = Self::start_with(plan, (options, narrowed, keeping), on_output)?;
        let (epoch, time, topics) = (Epoch(epoch), past.time, past.topics);
        dataflow.feed(EpochInput { epoch, time, topics })?;
        Ok(dataflow)
    }

    fn start_with(
        plan: DataflowPlan,
        (options, narrowed, keeping): (EngineOptions, NarrowPlan, Keeping),
        on_output: impl FnMut(EpochOutput) + Send + 'static,
    ) -> Result<Self, StartError> {
        let EngineOptions { n_workers, backend, pace, .. } = options;
        if n_workers == 0 {
            return Err(StartError::NoWorker);
        }
        let has_kernels = !checked(&plan)?.is_empty();
        let crew = has_kernels.then(|| Crew::new(n_workers)).transpose();
        let crew = crew.map_err(|error| StartError::Threads(error.to_string()))?;
        let means = Means { pace, crew, keeping };
        let counters = catch_unwind(|| Counters::new(&plan))
            .map_err(|payload| StartError::Build(panic_text(payload.as_ref())))?;
        let (narrowed, plan) = (Arc::new(narrowed), Arc::new(plan));
        let counters = Arc::new(counters);
        let error_topics = error_topics(&counters)?;
        let shared = Arc::new(Shared::default());
        let is_input = counters.topics.iter().map(Option::is_some).collect();
        let divider =
            |topic: &TopicPlan| Divider::new(topic, Reading::of(&plan, &topic.name), n_workers);
        let dividers = narrowed.plan.topics.iter().map(divider).collect();

        let plan_clock = plan.lets_go_by_arrival().then_some(NO_MARK);
        let markers = narrowed.plan.topics.iter().map(Marker::new).collect();
        let arrivals = plan.topics.iter().map(|topic| topic.arrival).collect();

        let (sizes_in, sizes) = channel();
        let gathering = Gathering::new(
            Arc::clone(&plan),
            Arc::clone(&counters),
            error_topics,
            n_workers,
            Arc::clone(&shared),
        );
        let (reports, queue) = reports(Collector { gathering, sizes, on_output });
        let (ready_in, ready) = channel();
        let mut orders = Vec::new();
        let mut setups = Vec::new();
        for _ in 0..n_workers {
            let (orders_in, orders_out) = channel();
            orders.push(orders_in);
            setups.push(Mutex::new(Some(Setup {
                plan: Arc::clone(&narrowed),
                counters: Arc::clone(&counters),
                backend,
                means: means.clone(),
                orders: orders_out,
                reports: reports.clone(),
                ready: ready_in.clone(),
                shared: Arc::clone(&shared),
            })));
        }
        drop((reports, ready_in));
        let config = if n_workers == 1 {
            timely::Config::thread()
        } else {
            timely::Config::process(n_workers)
        };
        let workers = execute(config, move |worker| {
            let setup =
                setups[worker.index()].lock().unwrap_or_else(PoisonError::into_inner).take();
            run(worker, &setup.expect("each worker takes its setup once"));
        })
        .map_err(StartError::Threads)?;
        let collector = std::thread::Builder::new()
            .name("arqon:collect".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || {
                    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| queue.run())) {
                        shared.fail(panic_text(payload.as_ref()));
                    }
                }
            })
            .map_err(|error| StartError::Threads(error.to_string()))?;
        let n_ready = ready.iter().take(n_workers).count();
        let dataflow = Self {
            plan,
            narrowed,
            is_input,
            shared,
            feeder: Mutex::new(Some(Feeder {
                last: None,
                time: 0,
                clock: plan_clock,
                n_fed: 0,
                dividers,
                arrivals,
                markers,
                orders,
                sizes: sizes_in,
                n_feedbacks: 0,
                leased: BTreeSet::new(),
            })),
            threads: Some(Threads { workers, collector }),
        };
        if n_ready < n_workers {
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
            topics.push((
                at,
                match &self.narrowed.topics[at] {
                    Some(kept) => changes.narrowed(kept),
                    None => changes,
                },
            ));
        }
        let mut feeder = self.feeder.lock().unwrap_or_else(PoisonError::into_inner);
        let feeder = feeder.as_mut().expect("the feeder is there until the dataflow is dropped");
        feeder.follows(input.epoch)?;
        feeder.time = input.time;
        feeder.clock = feeder.clock.map(|clock| clock.max(input.time));
        self.begin(feeder, input.epoch, topics, Origin::Outside)
    }

    /// Takes an epoch that is made of nothing but what the flow has written to control topics.
    ///
    /// To be called while [`EpochOutput::feedback`] is pending and nothing comes from outside.
    ///
    /// # Errors
    /// As [`Dataflow::feed`].
    pub fn feed_back(&self, epoch: Epoch) -> Result<(), FeedError> {
        let mut feeder = self.feeder.lock().unwrap_or_else(PoisonError::into_inner);
        let feeder = feeder.as_mut().expect("the feeder is there until the dataflow is dropped");
        feeder.follows(epoch)?;
        self.begin(feeder, epoch, Vec::new(), Origin::Feedback)
    }

    /// Begins an epoch with what goes back, and what comes from outside.
    fn begin(
        &self,
        feeder: &mut Feeder,
        epoch: Epoch,
        topics: Vec<(usize, Changes)>,
        origin: Origin,
    ) -> Result<(), FeedError> {
        let mut never_settled = Vec::new();
        let topics = if self.plan.feedbacks.is_empty() {
            topics
        } else {
            let returning = self.shared.take_returning().map_err(FeedError::Stopped)?;
            feeder.n_feedbacks = match origin {
                Origin::Outside => 0,
                Origin::Feedback => feeder.n_feedbacks + 1,
            };
            if FEEDBACK_EPOCHS_MAX < feeder.n_feedbacks {
                let said = endless(&self.plan, &returning);
                let name = |(at, _): &(usize, _)| self.plan.topics[*at].name.clone();
                never_settled.extend(returning.iter().map(name));
                self.shared.return_later(|later| *later = returning);
                said
            } else {
                let back = returning.into_iter().map(|(at, changes)| (at, Changes::Rows(changes)));
                back.chain(topics).collect()
            }
        };
        let n_rows = topics.iter().map(|(_, changes)| changes.len()).sum();
        self.shared.admit(n_rows).map_err(FeedError::Stopped)?;
        feeder.send(Fed { epoch: epoch.0, n_rows, endless: never_settled }, topics);
        self.shared.wake();
        self.shared.failure().map_or(Ok(()), |reason| Err(FeedError::Stopped(reason)))
    }

    /// Says, in an epoch of its own, that the event time of all topics has come to its end: all
    /// windows close. What is fed afterwards is late.
    ///
    /// # Errors
    /// As [`Dataflow::feed`].
    pub fn end_time(&self, epoch: Epoch) -> Result<(), FeedError> {
        let mut feeder = self.feeder.lock().unwrap_or_else(PoisonError::into_inner);
        let feeder = feeder.as_mut().expect("the feeder is there until the dataflow is dropped");
        feeder.follows(epoch)?;
        feeder.markers.iter_mut().flatten().for_each(Marker::end);
        self.begin(feeder, epoch, Vec::new(), Origin::Outside)
    }

    /// What the input topics hold after all epochs that were fed, those that hold anything: of a
    /// `full` topic the present row of each key, of a `delta` topic that is verified each row as
    /// often as it is there. Events are held by no topic, nor is what a topic retains by its size,
    /// or by when it came where nobody knows that.
    ///
    /// # Panics
    /// If the dataflow keeps only what it reads of a topic.
    ///
    /// # Errors
    /// If the dataflow has stopped.
    pub fn held(&self) -> Result<Vec<Held>, FeedError> {
        let is_whole = self.narrowed.topics.iter().all(Option::is_none);
        assert!(is_whole, "rows are told where they are kept whole");
        let feeder = self.feeder.lock().unwrap_or_else(PoisonError::into_inner);
        let feeder = feeder.as_ref().expect("the feeder is there until the dataflow is dropped");
        let mut topics: Vec<Option<Vec<HeldRow>>> = vec![None; self.plan.topics.len()];
        for holding in self.answers(feeder, Order::Tell).map_err(FeedError::Stopped)? {
            for (rows, more) in topics.iter_mut().zip(holding) {
                if let Some(more) = more {
                    rows.get_or_insert_default().extend(more);
                }
            }
        }
        let held = |(topic, rows): (&TopicPlan, Option<_>)| {
            let rows = rows.filter(|_| holds_the_past(&self.plan, topic));
            rows.map(|rows| Held::of(topic, rows))
        };
        Ok(self.plan.topics.iter().zip(topics).filter_map(held).collect())
    }

    /// What the kernels hold after all epochs that were fed, to go on from with [`Self::resume`].
    /// Waits until these are complete; meanwhile nothing is fed. What other steps hold, what goes
    /// back to control topics in the next epoch, and modes that were asked for by events are not
    /// part of it.
    ///
    /// # Errors
    /// If the dataflow has stopped, or its plan cannot be told from others.
    pub fn save_kernels(&self) -> Result<Vec<u8>, SaveError> {
        let feeder = self.feeder.lock().unwrap_or_else(PoisonError::into_inner);
        let feeder = feeder.as_ref().expect("the feeder is there until the dataflow is dropped");
        let kernels = self.answers(feeder, Order::Save).map_err(SaveError::Stopped)?;
        let epoch = feeder.last.map_or(0, |last| last.0);
        Ok(encode(&self.narrowed.plan, epoch, kernels.into_iter().flatten().collect())?)
    }

    /// What each worker answers to an order; if one cannot, why the dataflow has stopped.
    fn answers<T>(
        &self,
        feeder: &Feeder,
        order: impl Fn(Sender<T>) -> Order,
    ) -> Result<Vec<T>, String> {
        let (reply, answers) = channel();
        for orders in &feeder.orders {
            // A worker that is gone gives no answer, which is told below.
            let _ = orders.send(order(reply.clone()));
        }
        drop(reply);
        self.shared.wake();
        let each = feeder.orders.iter().map(|_| answers.recv().ok());
        let ended = || "its workers have ended".to_owned();
        each.collect::<Option<Vec<T>>>().ok_or_else(|| self.shared.failure().unwrap_or_else(ended))
    }

    /// Why the dataflow has stopped, if it has.
    pub fn failure(&self) -> Option<String> {
        self.shared.failure()
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

/// What is kept of the rows of a plan.
fn narrowed(plan: &DataflowPlan, keep: Keep) -> Result<NarrowPlan, StartError> {
    catch_unwind(|| narrow(plan, keep))
        .map_err(|payload| StartError::Build(panic_text(payload.as_ref())))
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
