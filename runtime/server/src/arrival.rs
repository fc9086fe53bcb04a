//! A circuit that comes, on its way in: it takes in what its topics hold, and what comes for them
//! meanwhile, beside the circuits that run, which go on.
//!
//! When it has almost caught up, the others wait for the rest, and it takes its place. What has
//! come since is bounded: where it comes faster than the newcomer takes it, the others wait
//! earlier.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use arqon_engine::{EpochInput, EpochStats, RowOutput, TopicInput};
use arqon_plan::Difference;
use arqon_types::{Epoch, Row, TopicName, Update};

use crate::circuit::{Circuit, CircuitId};
use crate::command::ChangeReply;
use crate::past::Part;

/// Epochs that may be left to take in when the others begin to wait.
const EPOCHS_LEFT_MAX: usize = 4;
/// Rows that have come since, above which the others wait.
const ROWS_SINCE_MAX: usize = 1 << 20;

/// A circuit of which nobody has heard yet.
pub(crate) struct Newcomer {
    pub(crate) circuit: Circuit,
    /// What it says of its topics, all in all.
    pub(crate) said: BTreeMap<TopicName, BTreeMap<Row, i64>>,
    pub(crate) n_rows: u64,
    pub(crate) starts_without: Vec<TopicName>,
}

/// A newcomer on its way in.
pub(crate) struct Arriving {
    pub(crate) id: CircuitId,
    pub(crate) newcomer: Newcomer,
    /// The circuit whose place it takes.
    pub(crate) old: Option<CircuitId>,
    pub(crate) difference: Option<Difference>,
    pub(crate) reply: ChangeReply,
    /// Of what its topics held when it came, what it has not been fed.
    held: VecDeque<Part>,
    /// Of what has come since.
    since: VecDeque<Part>,
    n_rows_since: usize,
    /// Epochs that it was fed; they are its own, and count from 1.
    n_fed: u64,
    /// Whether the last of them is not out.
    is_busy: bool,
    failure: Option<String>,
    begun: Instant,
    stats: Option<EpochStats>,
}

/// What a newcomer comes with.
pub(crate) struct Coming {
    pub(crate) id: CircuitId,
    pub(crate) newcomer: Newcomer,
    pub(crate) old: Option<CircuitId>,
    pub(crate) difference: Option<Difference>,
    pub(crate) held: Vec<Part>,
}

impl Arriving {
    /// Sets out; what is held is fed from now on.
    #[expect(clippy::disallowed_methods, reason = "the server says how long epochs take")]
    pub(crate) fn new(coming: Coming, reply: ChangeReply) -> Self {
        let Coming { id, newcomer, old, difference, held } = coming;
        let mut arriving = Self {
            id,
            newcomer,
            old,
            difference,
            reply,
            held: held.into(),
            since: VecDeque::new(),
            n_rows_since: 0,
            n_fed: 0,
            is_busy: false,
            failure: None,
            begun: Instant::now(),
            stats: None,
        };
        arriving.feed_next();
        arriving
    }

    /// Takes note of what has come for its topics.
    pub(crate) fn follow(&mut self, time: i64, topics: &[TopicInput]) {
        let own = |input: &&TopicInput| self.newcomer.circuit.inputs.contains(&input.topic);
        let topics: Vec<TopicInput> = topics.iter().filter(own).cloned().collect();
        if !topics.is_empty() {
            self.n_rows_since += topics.iter().map(|input| input.changes.len()).sum::<usize>();
            self.since.push_back(Part { time, topics });
            self.feed_next();
        }
    }

    /// Says that nothing more comes before it moves in, at this time.
    pub(crate) fn close(&mut self, time: i64) {
        self.since.push_back(Part { time, topics: Vec::new() });
        self.feed_next();
    }

    /// Whether the others are to wait for the rest.
    pub(crate) fn is_near(&self) -> bool {
        self.failure.is_some()
            || ROWS_SINCE_MAX < self.n_rows_since
            || self.held.is_empty() && self.since.len() <= EPOCHS_LEFT_MAX
    }

    /// Whether all is taken in, or why it never will be.
    pub(crate) fn has_caught_up(&self) -> Result<bool, String> {
        match &self.failure {
            Some(reason) => Err(reason.clone()),
            None => Ok(!self.is_busy && self.held.is_empty() && self.since.is_empty()),
        }
    }

    /// Feeds the next epoch, once the one before is out.
    fn feed_next(&mut self) {
        if self.is_busy || self.failure.is_some() {
            return;
        }
        let Some(Part { time, topics }) = self.held.pop_front().or_else(|| {
            let part = self.since.pop_front()?;
            let n_rows = part.topics.iter().map(|input| input.changes.len()).sum::<usize>();
            self.n_rows_since -= n_rows;
            Some(part)
        }) else {
            return;
        };
        let Some(dataflow) = &self.newcomer.circuit.dataflow else { return };
        self.n_fed += 1;
        self.is_busy = true;
        let fed = dataflow.feed(EpochInput { epoch: Epoch(self.n_fed), time, topics });
        if let Err(error) = fed {
            self.failure.get_or_insert_with(|| error.to_string());
        }
    }

    /// Takes what an epoch came to.
    pub(crate) fn hear(&mut self, output: RowOutput) {
        let Newcomer { circuit, said, .. } = &mut self.newcomer;
        for delta in output.deltas {
            let rows = said.entry(delta.topic).or_default();
            for Update { row, diff, .. } in delta.updates {
                match rows.entry(row) {
                    Entry::Vacant(vacant) => drop(vacant.insert(diff)),
                    Entry::Occupied(known) if *known.get() == -diff => drop(known.remove()),
                    Entry::Occupied(mut known) => *known.get_mut() += diff,
                }
            }
        }
        circuit.due = output.due;
        circuit.feedback = output.feedback;
        match &mut self.stats {
            None => self.stats = Some(output.stats),
            Some(stats) => stats.take_in(&output.stats),
        }
        self.is_busy = false;
        self.feed_next();
    }

    /// Takes note that no epoch will come out any more.
    pub(crate) fn end(&mut self) {
        let dataflow = self.newcomer.circuit.dataflow.as_ref();
        let reason = dataflow.and_then(arqon_engine::Dataflow::failure);
        self.failure.get_or_insert(reason.unwrap_or_else(|| "the engine has ended".to_owned()));
    }

    /// The circuit at its place, from this epoch of the bus on.
    pub(crate) fn arrive(&mut self, epoch: Epoch) {
        let circuit = &mut self.newcomer.circuit;
        circuit.since = epoch;
        circuit.begin_at(Epoch(self.n_fed), epoch);
        if let Some(stats) = self.stats.take() {
            circuit.tally.add(&EpochStats { epoch, ..stats }, self.begun.elapsed());
        }
    }
}
