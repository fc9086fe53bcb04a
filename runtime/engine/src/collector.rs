//! Puts the workers' reports of an epoch together: consolidated deltas and added counters.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use arqon_plan::DataflowPlan;
use arqon_types::{DeltaBatch, Epoch, ErrorRow, PackedRow, TopicName, Type, Update};

use crate::feedback::{Feedback, go_back};
use crate::recorder::EpochRecord;
use crate::render::Counters;
use crate::stats::{CounterKind, EpochStats, NodeCounts, merge_counts};
use crate::worker::{Report, Shared, panic_text};

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
    /// Whether the flow has written to control topics, so that another epoch is to come.
    pub feedback: Feedback,
}

impl EpochOutput {
    /// Takes in what a later epoch came to, as if both were one.
    pub fn take_in(&mut self, later: Self) {
        self.deltas.extend(later.deltas);
        self.stats.add(&later.stats);
        self.feedback = later.feedback;
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

/// Puts the workers' reports together and calls the callback.
pub(crate) struct Collector {
    plan: Arc<DataflowPlan>,
    counters: Arc<Counters>,
    error_topics: BTreeMap<String, TopicName>,
    n_workers: usize,
    shared: Arc<Shared>,
    waiting: BTreeMap<u64, (usize, EpochRecord)>,
}

impl Collector {
    /// A collector for so many workers.
    pub(crate) fn new(
        plan: Arc<DataflowPlan>,
        counters: Arc<Counters>,
        error_topics: BTreeMap<String, TopicName>,
        n_workers: usize,
        shared: Arc<Shared>,
    ) -> Self {
        Self { plan, counters, error_topics, n_workers, shared, waiting: BTreeMap::new() }
    }

    /// Reads reports until there is no worker left.
    pub(crate) fn run(
        mut self,
        reports: &Receiver<Report>,
        sizes: &Receiver<Fed>,
        mut on_output: impl FnMut(EpochOutput),
    ) {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            for Report { epoch, record } in reports {
                let Some(mut record) = self.gather(epoch, record) else { continue };
                let fed = sizes.recv().expect("sizes are sent before the epoch");
                assert_eq!(
                    epoch, fed.epoch,
                    "epochs are complete in the order in which they were fed"
                );
                let feedback = self.feedback(&mut record, fed.endless);
                on_output(EpochOutput { feedback, ..self.output(epoch, record) });
                self.shared.release(fed.n_rows);
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

    /// Sends back what the flow has written to control topics.
    fn feedback(&self, record: &mut EpochRecord, endless: Vec<TopicName>) -> Feedback {
        let written = record.outputs.split_off(self.plan.outputs.len());
        let is_pending = self.shared.return_later(|returning| {
            for (at, rows) in written.into_iter().enumerate() {
                let types = self.plan.steps[self.plan.feedbacks[at].step.index()].schema.types();
                go_back(returning, &self.plan, at, canonical(rows, 0, &types));
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
        for (idx, counts) in record.counts.into_iter().enumerate() {
            let (node, address) = layout.counters[idx].clone();
            stats.rows_touched += counts.touched;
            let kind = layout.kinds[idx];
            if kind == CounterKind::Source {
                stats.rows_in += counts.input.changes;
            }
            stats.nodes.push(NodeCounts { node, address, kind, counts });
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
        // Errors that the plan puts out are among the outputs already.
        errors.retain(|topic, rows| {
            let is_output = self.plan.outputs.iter().any(|output| output.topic == **topic);
            if is_output {
                stats.errors += rows.values().filter(|diff| **diff != 0).count() as u64;
            }
            !is_output
        });
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
        EpochOutput { epoch: Epoch(epoch), deltas, stats, feedback: Feedback::Settled }
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
