//! What a circuit has done since it was installed, and in its last epoch: for people and metrics.

use std::time::Duration;

use arqon_engine::{CounterKind, Counts, EpochStats, NodeCounts};
use arqon_types::Epoch;

/// What one epoch did.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochTally {
    /// The epoch.
    pub epoch: Epoch,
    /// Changes that came in.
    pub rows_in: u64,
    /// Updates of output topics.
    pub deltas_out: u64,
    /// Changes of error collections.
    pub errors: u64,
    /// Rows read or written in state.
    pub rows_touched: u64,
    /// Churn p: the share of the rows that the input topics hold which changed, 0 to 1; none if
    /// they hold none, as events do not.
    pub churn: Option<f64>,
    /// From the moment when its input was there until its deltas were out.
    pub elapsed: Duration,
}

/// All epochs of a circuit together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally {
    /// How many.
    pub n_epochs: u64,
    /// Changes that came in.
    pub rows_in: u64,
    /// Updates of output topics.
    pub deltas_out: u64,
    /// Changes of error collections.
    pub errors: u64,
    /// Rows read or written in state.
    pub rows_touched: u64,
    /// What the state takes, in bytes, as the engine counts it.
    pub state_bytes: i64,
    /// The time of all epochs.
    pub elapsed: Duration,
    /// Steps and stages in the plan's order, their counters summed over all epochs: what is held is
    /// what is there now.
    pub nodes: Vec<NodeCounts>,
    /// The newest epoch.
    pub last: Option<EpochTally>,
}

impl Tally {
    /// Adds an epoch.
    pub(crate) fn add(&mut self, stats: &EpochStats, elapsed: Duration) {
        let before = self.rows_held();
        self.n_epochs += 1;
        self.rows_in += stats.rows_in;
        self.deltas_out += stats.deltas_out;
        self.errors += stats.errors;
        self.rows_touched += stats.rows_touched;
        self.state_bytes += stats.state_grown;
        self.elapsed += elapsed;
        if self.nodes.is_empty() {
            self.nodes.clone_from(&stats.nodes);
        } else {
            for (sum, node) in self.nodes.iter_mut().zip(&stats.nodes) {
                sum.counts.merge(&node.counts);
            }
        }
        self.last = Some(EpochTally {
            epoch: stats.epoch,
            rows_in: stats.rows_in,
            deltas_out: stats.deltas_out,
            errors: stats.errors,
            rows_touched: stats.rows_touched,
            churn: churn(changed(&stats.nodes, &self.nodes), before.max(self.rows_held())),
            elapsed,
        });
    }

    /// Rows that the input topics hold.
    pub fn rows_held(&self) -> u64 {
        let held = sources(&self.nodes).map(|node| node.counts.held.max(0));
        held.sum::<i64>().unsigned_abs()
    }
}

fn sources(nodes: &[NodeCounts]) -> impl Iterator<Item = &NodeCounts> {
    nodes.iter().filter(|node| node.kind == CounterKind::Source)
}

/// Changes that changed something, of topics that hold rows.
fn changed(epoch: &[NodeCounts], all: &[NodeCounts]) -> u64 {
    let effective = |Counts { input, errors, late, ignored, .. }: &Counts| {
        input.changes.saturating_sub(errors.changes + late.changes + ignored)
    };
    let holds = |at: usize| all[at].counts.held > 0 || epoch[at].counts.held != 0;
    let nodes = epoch.iter().enumerate();
    let sources = nodes.filter(|(at, node)| node.kind == CounterKind::Source && holds(*at));
    sources.map(|(_, node)| effective(&node.counts)).sum()
}

fn churn(n_changed: u64, n_held: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a share, for people")]
    (n_held > 0).then(|| (n_changed as f64 / n_held as f64).min(1.0))
}
