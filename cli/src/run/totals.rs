//! What a run did in all: counters of every step and the times of its epochs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arqon_engine::{Counts, EpochStats};
use arqon_types::Epoch;

use super::durations::Durations;

/// A step of the plan with its counters.
#[derive(Debug, Clone)]
pub(crate) struct StepTotals {
    /// `revenue[1]`, or the topic of a source.
    pub(crate) address: Arc<str>,
    /// Summed over all epochs.
    pub(crate) counts: Counts,
}

/// All epochs of a run, added up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    /// In the plan's order.
    pub(crate) steps: Vec<StepTotals>,
    /// Epochs that came out.
    pub(crate) n_epochs: u64,
    /// Changes that went in.
    pub(crate) rows_in: u64,
    /// Updates that came out.
    pub(crate) deltas_out: u64,
    /// Changes of error collections.
    pub(crate) errors: u64,
    /// Rows read or written in state.
    pub(crate) rows_touched: u64,
    /// From the moment an epoch's rows were there until all its deltas were out; of the epochs
    /// that were fed from files, since of the others only their clients know when they began.
    pub(crate) times: Durations,
    feeding: Option<Instant>,
    fed: BTreeMap<Epoch, Instant>,
    /// Epochs that came out before their feeder knew their number.
    early: BTreeMap<Epoch, Instant>,
    last_out: Option<Instant>,
}

impl Totals {
    /// Says that rows are fed at `now`, in an epoch whose number is not known yet.
    pub(crate) fn feed(&mut self, now: Instant) {
        self.feeding = Some(now);
    }

    /// Says which epoch the rows went into.
    pub(crate) fn fed(&mut self, epoch: Epoch) {
        let Some(begun) = self.feeding.take() else { return };
        match self.early.remove(&epoch) {
            Some(out) => self.times.add(out.saturating_duration_since(begun)),
            None => {
                self.fed.insert(epoch, begun);
            }
        }
        // What else came out meanwhile belongs to clients.
        self.early.clear();
    }

    /// Adds an epoch that came out at `now`.
    pub(crate) fn out(&mut self, stats: &EpochStats, now: Instant) {
        match self.fed.remove(&stats.epoch) {
            Some(begun) => self.times.add(now.saturating_duration_since(begun)),
            None if self.feeding.is_some() => {
                self.early.insert(stats.epoch, now);
            }
            None => {}
        }
        self.last_out = Some(now);
        self.n_epochs += 1;
        self.rows_in += stats.rows_in;
        self.deltas_out += stats.deltas_out;
        self.errors += stats.errors;
        self.rows_touched += stats.rows_touched;
        if self.steps.is_empty() {
            self.steps = stats
                .nodes
                .iter()
                .map(|node| StepTotals { address: Arc::clone(&node.address), counts: node.counts })
                .collect();
        } else {
            for (step, node) in self.steps.iter_mut().zip(&stats.nodes) {
                step.counts.merge(&node.counts);
            }
        }
    }

    /// The steps whose state takes most, the greatest first, with how much: a step that is done in
    /// several parts once, with all that they take.
    pub(crate) fn largest_states(&self) -> Vec<(&str, u64)> {
        const SHOWN_MAX: usize = 3;
        let mut held: BTreeMap<&str, u64> = BTreeMap::new();
        for step in &self.steps {
            let n_bytes = u64::try_from(step.counts.bytes).unwrap_or(0);
            *held.entry(&step.address).or_default() += n_bytes;
        }
        let mut held: Vec<(&str, u64)> = held.into_iter().filter(|(_, n)| *n > 0).collect();
        held.sort_by_key(|(_, n_bytes)| std::cmp::Reverse(*n_bytes));
        held.truncate(SHOWN_MAX);
        held
    }

    /// When the newest epoch came out.
    pub(crate) fn last_out(&self) -> Option<Instant> {
        self.last_out
    }
}

/// The most memory that the process ever had; none where the system does not say.
pub(crate) fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_in_several_parts_is_one_step() {
        let step = |address: &str, bytes: i64| StepTotals {
            address: Arc::from(address),
            counts: Counts { bytes, ..Counts::default() },
        };
        let steps = vec![step("a", 3), step("b", 4), step("none", 0), step("a", 2), step("c", 1)];
        let totals = Totals { steps, ..Totals::default() };
        assert_eq!(totals.largest_states(), [("a", 5), ("b", 4), ("c", 1)]);
    }
}
