//! The way out of a loop: rows leave when the loop has come to rest, and none while it has not.
//!
//! Each worker holds the rows of its part, unless they are kept back before they come here, and
//! all of them hold every overrun, so all agree in each epoch on whether the loop rests. What a
//! loop could not finish is no answer: its rows are taken back, and an error row says so until
//! later epochs bring the loop to rest.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use hashbrown::hash_map::Entry;
use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::vec::Broadcast;

use arqon_types::{ColumnBatch, PackedRow, Schema, Type};

use crate::batch::{BATCH_ROWS, Batch, Batches, KeyedRows, WholeRows};
use crate::deltas::{Delta, consolidate_deltas};
use crate::packed::Packed;
use crate::recorder::{Fault, Meter, packed_text};
use crate::source::{PackedMap, push_packed};
use crate::stats::net;

/// A loop that may run out of rounds.
pub(crate) struct Bounded {
    /// The key of each variable's overrun, and what its rows are.
    pub(crate) variables: Vec<(PackedRow, Arc<Schema>)>,
    /// What is said then.
    pub(crate) fault: Fault,
    /// Where it is said.
    pub(crate) meter: Meter,
}

/// The way out of a loop.
pub(crate) struct WayOut {
    /// Those that may run out of rounds; without any, the rows are those of the last round in any
    /// case.
    pub(crate) loops: Vec<Bounded>,
    /// Whether each row comes once in an epoch, and none while the loop does not rest; else they
    /// are held here, so that they can be taken back.
    pub(crate) are_settled: bool,
    /// The types of the rows.
    pub(crate) types: Vec<Type>,
    /// Where they are counted.
    pub(crate) meter: Meter,
}

/// Renders the way out.
pub(crate) fn render_gate<'scope, K: Packed>(
    rows: WholeRows<'scope, u64, K>,
    overruns: KeyedRows<'scope>,
    out: WayOut,
) -> Batches<'scope> {
    let WayOut { loops, are_settled, types, meter } = out;
    let scope = rows.scope();
    let is_speaker = scope.index() == 0;
    let mut builder = OperatorBuilder::new("Gate".to_owned(), scope);
    let mut rows = builder.new_input(rows, Pipeline);
    let mut overruns = builder.new_input(overruns.broadcast(), Pipeline);
    let (output, stream) = builder.new_output::<Batch>();
    let mut output = OutputBuilder::<u64, NoopBuilder<Batch>>::from(output);
    builder.build(move |capabilities| {
        drop(capabilities);
        let mut waiting: BTreeMap<u64, Waiting<K>> = BTreeMap::new();
        let (held, overruns_so_far) = (PackedMap::default(), BTreeMap::new());
        let mut gate = Gate { loops, is_speaker, are_settled, held, overruns: overruns_so_far };
        move |frontiers| {
            rows.for_each(|capability, rows| {
                for (row, epoch, diff) in rows.drain(..) {
                    let waiting = waiting.entry(epoch);
                    let waiting =
                        waiting.or_insert_with(|| Waiting::at(capability.delayed(&epoch, 0)));
                    waiting.rows.push(((row, ()), diff));
                }
            });
            overruns.for_each(|capability, overruns| {
                for (row, epoch, diff) in overruns.drain(..) {
                    let waiting = waiting.entry(epoch);
                    let waiting =
                        waiting.or_insert_with(|| Waiting::at(capability.delayed(&epoch, 0)));
                    waiting.overruns.push((row, diff));
                }
            });
            while let Some(entry) = waiting.first_entry() {
                if frontiers.iter().any(|frontier| frontier.less_equal(entry.key())) {
                    break;
                }
                let (epoch, Waiting { capability, mut rows, mut overruns }) = entry.remove_entry();
                if !are_settled {
                    consolidate_deltas(&mut rows);
                }
                consolidate_deltas(&mut overruns);
                meter.count(epoch, |counts| {
                    let diffs: Vec<i64> = rows.iter().map(|change| change.1).collect();
                    counts.input.add_all(&diffs);
                    counts.held += gate.n_held(&diffs);
                });
                let rows = gate.close(epoch, rows, &overruns);
                let mut output = output.activate();
                for rows in rows.chunks(BATCH_ROWS) {
                    let mut batch = ColumnBatch::empty(&types);
                    for (row, diff) in rows {
                        push_packed(&mut batch, row, &types, *diff);
                    }
                    meter.count(epoch, |counts| {
                        counts.output.add_all(&batch.diffs);
                        counts.touched += batch.len() as u64;
                    });
                    output
                        .session_with_builder(&capability)
                        .give_container(&mut Batch { time: epoch, rows: Rc::new(batch) });
                }
            }
        }
    });
    stream
}

/// Changes of one epoch that wait: rows, and overruns.
struct Waiting<K: Packed> {
    capability: Capability<u64>,
    rows: Vec<Delta<K, ()>>,
    overruns: Vec<Delta>,
}

impl<K: Packed> Waiting<K> {
    /// An epoch that has not changed yet.
    fn at(capability: Capability<u64>) -> Self {
        Self { capability, rows: Vec::new(), overruns: Vec::new() }
    }
}

struct Gate<K: Packed> {
    loops: Vec<Bounded>,
    /// Whether this worker reports for all.
    is_speaker: bool,
    /// Whether rows need not be held.
    are_settled: bool,
    /// The rows of this worker's part, if they may have to be taken back.
    held: PackedMap<i64, K>,
    /// What still changes after the last round, by loop.
    overruns: BTreeMap<PackedRow, BTreeMap<PackedRow, i64>>,
}

impl<K: Packed> Gate<K> {
    /// By how much the number of held rows grows.
    fn n_held(&self, diffs: &[i64]) -> i64 {
        if self.loops.is_empty() || self.are_settled { 0 } else { net(diffs) }
    }

    /// What an epoch changes outside of the loop.
    fn close(&mut self, epoch: u64, rows: Vec<Delta<K, ()>>, overruns: &[Delta]) -> Vec<(K, i64)> {
        let changes = rows.into_iter().map(|((row, ()), diff)| (row, diff));
        if self.loops.is_empty() {
            return changes.collect();
        }
        let rested = self.overruns.is_empty();
        let said = self.unfinished();
        for ((key, row), diff) in overruns {
            let of_loop = self.overruns.entry(key.clone()).or_default();
            let count = of_loop.entry(row.clone()).or_insert(0);
            *count += diff;
            if *count == 0 {
                of_loop.remove(row);
            }
            if of_loop.is_empty() {
                self.overruns.remove(key);
            }
        }
        self.report(epoch, said);
        if self.are_settled {
            return changes.collect();
        }
        let rests = self.overruns.is_empty();
        let mut out = Vec::new();
        if rested && !rests {
            out.extend(self.held.iter().map(|(row, n)| (row.clone(), -n)));
        }
        for (row, diff) in changes {
            if rested && rests {
                out.push((row.clone(), diff));
            }
            match self.held.entry(row) {
                Entry::Occupied(mut held) => {
                    *held.get_mut() += diff;
                    if *held.get() == 0 {
                        held.remove();
                    }
                }
                Entry::Vacant(room) => {
                    room.insert(diff);
                }
            }
        }
        if !rested && rests {
            out.extend(self.held.iter().map(|(row, n)| (row.clone(), *n)));
        }
        out
    }

    /// For each loop that does not rest the first row that still changes.
    fn unfinished(&self) -> Vec<Option<String>> {
        let first = |bounded: &Bounded| {
            bounded.variables.iter().find_map(|(key, schema)| {
                let row = self.overruns.get(key)?.keys().next()?;
                Some(packed_text(schema, row))
            })
        };
        self.loops.iter().map(first).collect()
    }

    /// Keeps one error row for each loop that does not rest.
    fn report(&self, epoch: u64, said: Vec<Option<String>>) {
        if !self.is_speaker {
            return;
        }
        let changes = self.loops.iter().zip(said.into_iter().zip(self.unfinished()));
        for (bounded, (said, now)) in changes.filter(|(_, (said, now))| said != now) {
            for (row, diff) in [(said, -1), (now, 1)] {
                if let Some(row) = row {
                    bounded.meter.fault(epoch, &bounded.fault, row, diff);
                }
            }
        }
    }
}
