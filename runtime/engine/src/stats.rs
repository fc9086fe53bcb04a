//! What an epoch did at each step: counters with signs, kept per worker and added up.

use std::sync::Arc;

use arqon_types::Epoch;

/// How many changes passed, and their signed sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Changes, each once, whatever its diff.
    pub changes: u64,
    /// The sum of their diffs.
    pub net: i64,
}

impl Count {
    /// Adds one change.
    pub(crate) fn add(&mut self, diff: i64) {
        self.changes += 1;
        self.net += diff;
    }

    /// Adds one change for each diff.
    pub(crate) fn add_all(&mut self, diffs: &[i64]) {
        self.changes += diffs.len() as u64;
        self.net += net(diffs);
    }

    /// Adds another count.
    pub(crate) fn merge(&mut self, other: Self) {
        self.changes += other.changes;
        self.net += other.net;
    }

    /// What remains without a part of it.
    pub(crate) fn less(self, part: Self) -> Self {
        Self { changes: self.changes - part.changes, net: self.net - part.net }
    }
}

/// What one epoch did at a step or at a stage of a map.
///
/// At stateless steps `input = output + filtered + errors + late`, in changes and in net (a route's
/// output is the sum over its arms; a window that hops puts a row out several times; of an `unnest`
/// the output are the elements). At stateful steps what came in, less what was late and what was
/// released, is what is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// What came in.
    pub input: Count,
    /// What went out.
    pub output: Count,
    /// What a condition left out.
    pub filtered: Count,
    /// What became an error row.
    pub errors: Count,
    /// What came to a window after all windows of its own had closed, or to a topic that retains
    /// such rows no more.
    pub late: Count,
    /// Sources only: changes that changed nothing, as an upsert that another one in the epoch
    /// supersedes, one that repeats the present row, or a deletion of an absent key.
    pub ignored: u64,
    /// Rows read or written in the step's state, the input included.
    pub touched: u64,
    /// By how much the number of rows in the step's state grew.
    pub held: i64,
    /// By how much what the step's state takes of the memory grew, in bytes, as it is counted: near
    /// what the process takes for it.
    pub bytes: i64,
    /// Rows that left the step's state because their window had closed, or their topic let them go.
    pub released: i64,
}

impl Counts {
    /// Adds rows that were made.
    pub(crate) fn put_out(&mut self, rows: Count) {
        self.output.merge(rows);
        self.touched += rows.changes;
    }

    /// Adds rows that only pass.
    pub(crate) fn pass(&mut self, rows: Count) {
        self.input.merge(rows);
        self.output.merge(rows);
        self.touched += rows.changes;
    }

    /// Adds what another worker, or another epoch, counted.
    pub fn merge(&mut self, other: &Self) {
        self.input.merge(other.input);
        self.output.merge(other.output);
        self.filtered.merge(other.filtered);
        self.errors.merge(other.errors);
        self.late.merge(other.late);
        self.ignored += other.ignored;
        self.touched += other.touched;
        self.held += other.held;
        self.bytes += other.bytes;
        self.released += other.released;
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterKind {
    /// An input topic.
    Source,
    /// A step or stage that only hands rows on.
    Stateless,
    /// A step or stage without state that puts a row out once or several times, if it is not
    /// filtered, late or an error: a window, once for each of the row's windows that is open; an
    /// `unnest`, once for each element.
    Multiplying,
    /// A step that holds rows, or what it computed of them.
    Stateful,
}

/// The counters of one step or stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeCounts {
    /// The node, or the topic of a source.
    pub node: Arc<str>,
    /// The address of the step or stage, `revenue[1]`.
    pub address: Arc<str>,
    /// What it is.
    pub kind: CounterKind,
    /// What happened there.
    pub counts: Counts,
}

/// What one epoch did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EpochStats {
    /// The epoch.
    pub epoch: Epoch,
    /// Steps and stages in the plan's order.
    pub nodes: Vec<NodeCounts>,
    /// The sum of `touched` over all steps.
    pub rows_touched: u64,
    /// The sum of `bytes` over all steps.
    pub state_grown: i64,
    /// The sum of `input.changes` over the sources.
    pub rows_in: u64,
    /// Updates in the epoch's delta batches, those of error topics aside.
    pub deltas_out: u64,
    /// Changes of error collections.
    pub errors: u64,
}

impl EpochStats {
    /// Takes in what a later epoch did, as if both were one.
    pub fn take_in(&mut self, later: &Self) {
        for (sum, node) in self.nodes.iter_mut().zip(&later.nodes) {
            sum.counts.merge(&node.counts);
        }
        self.rows_touched += later.rows_touched;
        self.state_grown += later.state_grown;
        self.rows_in += later.rows_in;
        self.deltas_out += later.deltas_out;
        self.errors += later.errors;
    }
}

/// The sum of diffs; a panic where it does not fit.
///
/// A check a row would keep the processor from adding several at once. So it asks of all of them
/// together whether each fits 32 bits, as good as always: then no sum of fewer than 2^32 overflows.
pub(crate) fn net(diffs: &[i64]) -> i64 {
    const HALF: i64 = 1 << 31;
    let (mut sum, mut beyond) = (0_i64, 0);
    for diff in diffs {
        sum = sum.wrapping_add(*diff);
        beyond |= diff.wrapping_add(HALF).cast_unsigned() >> 32;
    }
    let is_sure = beyond == 0 && u32::try_from(diffs.len()).is_ok();
    if is_sure { sum } else { diffs.iter().sum() }
}

/// Adds up the counters of two workers, position by position.
pub(crate) fn merge_counts(sum: &mut [Counts], other: &[Counts]) {
    assert_eq!(sum.len(), other.len(), "all workers count the same steps");
    for (sum, other) in sum.iter_mut().zip(other) {
        sum.merge(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_net_is_the_sum(
            small in prop::collection::vec(i64::from(i32::MIN)..=i64::from(i32::MAX), 0..40),
            large in prop::collection::vec(-(1_i64 << 55)..1 << 55, 0..40),
        ) {
            let all = [small.as_slice(), &large].concat();
            for diffs in [&small, &large, &all] {
                prop_assert_eq!(net(diffs), diffs.iter().sum::<i64>());
            }
        }
    }

    #[test]
    fn a_net_beyond_64_bits_is_no_number() {
        for diffs in [[i64::MAX, 1], [i64::MIN, -1]] {
            assert!(std::panic::catch_unwind(|| net(&diffs)).is_err());
        }
    }
}
