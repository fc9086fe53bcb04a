//! Puts the workers' reports of an epoch together: consolidated deltas and added counters.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use arqon_plan::DataflowPlan;
use arqon_types::{
    Column, ColumnBatch, ColumnDelta, DeltaBatch, Epoch, TopicName, Type, consolidate_columns,
    error_schema,
};

use crate::counters::Counters;
use crate::feedback::{Feedback, go_back};
use crate::recorder::EpochRecord;
use crate::shared::Shared;
use crate::stats::{CounterKind, EpochStats, NodeCounts, merge_counts};

/// What an epoch came to, with its changes as columns or row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochOutput<D = ColumnDelta> {
    /// The epoch.
    pub epoch: Epoch,
    /// One batch per output topic that changed, in the plan's order, and then one per
    /// `<node>.errors` that changed, by name.
    pub deltas: Vec<D>,
    /// Counters.
    pub stats: EpochStats,
    /// Whether the flow has written to control topics, so that another epoch is to come.
    pub feedback: Feedback,
    /// When, at the earliest, a row goes because of when it came, if no epoch comes before: one of
    /// that time lets it go.
    pub due: Option<i64>,
}

/// What an epoch came to, row by row.
pub type RowOutput = EpochOutput<DeltaBatch>;

impl EpochOutput {
    /// The same with its changes row by row.
    pub fn into_rows(self) -> RowOutput {
        let Self { epoch, deltas, stats, feedback, due } = self;
        let deltas = deltas.into_iter().map(DeltaBatch::from).collect();
        EpochOutput { epoch, deltas, stats, feedback, due }
    }
}

impl<D> EpochOutput<D> {
    /// Takes in what a later epoch came to, as if both were one.
    pub fn take_in(&mut self, later: Self) {
        self.deltas.extend(later.deltas);
        self.stats.take_in(&later.stats);
        self.feedback = later.feedback;
        self.due = later.due;
    }
}

/// What the feeder says of an epoch.
#[derive(Debug)]
pub(crate) struct Fed {
    /// The epoch.
    pub(crate) epoch: u64,
    /// How many changes it has.
    pub(crate) n_rows: usize,
    /// Topics that go on changing, if nothing more goes back by itself.
    pub(crate) endless: Vec<TopicName>,
}

/// What one worker has to say about a complete epoch.
#[derive(Debug)]
pub(crate) struct Report {
    epoch: u64,
    record: EpochRecord,
}

/// Puts the workers' reports together and calls the callback.
pub(crate) struct Collector<F> {
    /// What puts them together.
    pub(crate) gathering: Gathering,
    /// What the feeder says of each epoch, in order.
    pub(crate) sizes: Receiver<Fed>,
    /// Called for each epoch, in order.
    pub(crate) on_output: F,
}

/// Takes reports, whoever puts them together.
pub(crate) trait Collect: Send {
    /// Takes a report; the last one of an epoch brings its output to the callback.
    fn collect(&mut self, report: Report);
}

impl<F: FnMut(EpochOutput) + Send> Collect for Collector<F> {
    fn collect(&mut self, Report { epoch, record }: Report) {
        let Some(mut record) = self.gathering.gather(epoch, record) else { return };
        let fed = self.sizes.recv().expect("sizes are sent before the epoch");
        assert_eq!(epoch, fed.epoch, "epochs are complete in the order in which they were fed");
        let feedback = self.gathering.feedback(&mut record, fed.endless);
        (self.on_output)(EpochOutput { feedback, ..self.gathering.output(epoch, record) });
        self.gathering.shared.release(fed.n_rows);
    }
}

/// Output rows and errors up to which a worker collects an epoch itself, though another one waits:
/// to wake a thread costs more. With more of them, the worker goes on with the next one meanwhile.
const COLLECTED_ROWS_MAX: usize = 1024;

/// Those up to which a worker does that has nothing else to do.
const COLLECTED_ALONE_ROWS_MAX: usize = 1 << 15;

/// The way from a worker to the collector.
#[derive(Clone)]
pub(crate) struct Reports {
    collector: Arc<Mutex<dyn Collect>>,
    queue: Sender<Report>,
    /// Reports that are not collected yet. While there are any, more of them queue up behind.
    n_queued: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Reports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reports").field("n_queued", &self.n_queued).finish_non_exhaustive()
    }
}

/// The reports for which no worker has the time.
pub(crate) struct Queue {
    collector: Arc<Mutex<dyn Collect>>,
    reports: Receiver<Report>,
    n_queued: Arc<AtomicUsize>,
}

/// The way to a collector, and its queue.
pub(crate) fn reports(collector: impl Collect + 'static) -> (Reports, Queue) {
    let (sender, receiver) = channel();
    let collector: Arc<Mutex<dyn Collect>> = Arc::new(Mutex::new(collector));
    let n_queued = Arc::<AtomicUsize>::default();
    (
        Reports {
            collector: Arc::clone(&collector),
            queue: sender,
            n_queued: Arc::clone(&n_queued),
        },
        Queue { collector, reports: receiver, n_queued },
    )
}

impl Reports {
    /// Reports an epoch of one worker, which has so many others under way; epochs ascend.
    ///
    /// # Panics
    /// If the callback does.
    pub(crate) fn send(&self, epoch: u64, record: EpochRecord, n_under_way: usize) {
        let rows = record.outputs.iter().flatten().map(ColumnBatch::len);
        let n_rows = rows.sum::<usize>() + record.errors.len();
        let report = Report { epoch, record };
        let n_rows_max =
            if n_under_way == 0 { COLLECTED_ALONE_ROWS_MAX } else { COLLECTED_ROWS_MAX };
        if n_rows <= n_rows_max && self.n_queued.load(Ordering::SeqCst) == 0 {
            collect(&self.collector, report);
        } else {
            self.n_queued.fetch_add(1, Ordering::SeqCst);
            // A thread that is gone has failed, and has said so.
            let _ = self.queue.send(report);
        }
    }
}

impl Queue {
    /// Collects until no worker is left.
    ///
    /// # Panics
    /// If the callback does.
    pub(crate) fn run(self) {
        for report in self.reports {
            collect(&self.collector, report);
            self.n_queued.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Nothing is collected after a panic.
fn collect(collector: &Mutex<dyn Collect>, report: Report) {
    if let Ok(mut collector) = collector.lock() {
        collector.collect(report);
    }
}

/// With which number rows begin, if with one.
fn begins(rows: &[ColumnBatch]) -> Option<i64> {
    match rows.first()?.columns.first()? {
        Column::Int(numbers) => numbers.first().copied(),
        _ => None,
    }
}

/// Puts the reports of an epoch together.
pub(crate) struct Gathering {
    plan: Arc<DataflowPlan>,
    /// Of each output, and then of each feedback, the types of its fields.
    types: Vec<Arc<[Type]>>,
    error_types: Arc<[Type]>,
    counters: Arc<Counters>,
    error_topics: BTreeMap<String, TopicName>,
    n_workers: usize,
    shared: Arc<Shared>,
    waiting: BTreeMap<u64, (usize, EpochRecord)>,
}

impl Gathering {
    /// Of so many workers.
    pub(crate) fn new(
        plan: Arc<DataflowPlan>,
        counters: Arc<Counters>,
        error_topics: BTreeMap<String, TopicName>,
        n_workers: usize,
        shared: Arc<Shared>,
    ) -> Self {
        let types = plan.ends().map(|(_, step)| plan.steps[step.index()].schema.types().into());
        let types = types.collect();
        let error_types = error_schema().types().into();
        Self {
            plan,
            types,
            error_types,
            counters,
            error_topics,
            n_workers,
            shared,
            waiting: BTreeMap::new(),
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
                sum.due = sum.due.into_iter().chain(record.due).min();
                for (sum, mut rows) in sum.outputs.iter_mut().zip(record.outputs) {
                    // Parts of what came in order are in order again, whoever was done first.
                    if begins(&rows) < begins(sum) {
                        std::mem::swap(sum, &mut rows);
                    }
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

    /// Sends back what the flow has written to control topics.
    fn feedback(&self, record: &mut EpochRecord, endless: Vec<TopicName>) -> Feedback {
        let written = record.outputs.split_off(self.plan.outputs.len());
        let is_pending = self.shared.return_later(|returning| {
            for (at, rows) in written.into_iter().enumerate() {
                let delta = ColumnDelta {
                    topic: self.plan.feedbacks[at].topic.clone(),
                    epoch: Epoch(0),
                    types: Arc::clone(&self.types[self.plan.outputs.len() + at]),
                    rows: consolidate_columns(rows),
                };
                go_back(returning, &self.plan, at, delta.updates().collect());
            }
        });
        match (is_pending, endless.is_empty()) {
            (_, false) => Feedback::Endless(endless),
            (true, true) => Feedback::Pending,
            (false, true) => Feedback::Settled,
        }
    }

    fn output(&self, epoch: u64, record: EpochRecord) -> EpochOutput {
        let mut stats = EpochStats { epoch: Epoch(epoch), ..EpochStats::default() };
        let layout = &self.counters.layout;
        let due = record.due;
        for (idx, counts) in record.counts.into_iter().enumerate() {
            let (node, address) = layout.counters[idx].clone();
            stats.rows_touched += counts.touched;
            stats.state_grown += counts.bytes;
            let kind = layout.kinds[idx];
            if kind == CounterKind::Source {
                stats.rows_in += counts.input.changes;
            }
            stats.nodes.push(NodeCounts { node, address, kind, counts });
        }
        let mut deltas = Vec::new();
        let epoch = Epoch(epoch);
        for ((output, types), rows) in self.plan.outputs.iter().zip(&self.types).zip(record.outputs)
        {
            let rows = consolidate_columns(rows);
            stats.deltas_out += rows.len() as u64;
            let (topic, types) = (output.topic.clone(), Arc::clone(types));
            deltas.push(ColumnDelta { topic, epoch, types, rows });
        }
        let mut errors: BTreeMap<&TopicName, ColumnBatch> = BTreeMap::new();
        for (error, diff) in record.errors {
            let topic = self.error_topics.get(&error.node);
            let topic = topic.unwrap_or_else(|| panic!("`{}` is no node", error.node));
            let empty = || ColumnBatch::empty(&self.error_types);
            errors.entry(topic).or_insert_with(empty).push(&error.to_row(), diff);
        }
        for (topic, rows) in errors {
            let rows = consolidate_columns(vec![rows]);
            stats.errors += rows.len() as u64;
            // Errors that the plan puts out are among the outputs already.
            if !self.plan.outputs.iter().any(|output| output.topic == *topic) {
                let (topic, types) = (topic.clone(), Arc::clone(&self.error_types));
                deltas.push(ColumnDelta { topic, epoch, types, rows });
            }
        }
        deltas.retain(|delta| !delta.is_empty());
        EpochOutput { epoch, deltas, stats, feedback: Feedback::Settled, due }
    }
}
