//! Circuits that read what other circuits write.
//!
//! Such a circuit is a later stage of the same epoch: it is given its share when those that it
//! reads are done with theirs, and what they wrote is part of it. So all that a server says of an
//! epoch is of the same inputs, as if its circuits were one, and however they are timed.
//!
//! **Invariant:** no circuit reads, by others or itself, what it writes: that would have no first
//! stage. What comes in a circle goes by a control topic, within one circuit.

use std::collections::{BTreeMap, BTreeSet};

use arqon_engine::{FeedError, Held};
use arqon_plan::{DataflowPlan, TopicPlan};
use arqon_spine::{Source, TopicSpec};
use arqon_types::{ColumnBatch, Discipline, TopicName};

use crate::circuit::{Circuit, CircuitId};
use crate::hub::{Fate, Hub};
use crate::portion::{Portion, written_for};
use crate::topics::{engine_inputs, read_topics, topic_specs};

impl Hub {
    /// Takes note of who reads whom, after circuits came or went.
    pub(crate) fn note_readers(&mut self) {
        let written = |topic: &TopicName| self.writer(topic).map(|(id, _)| id);
        let reads = |circuit: &Circuit| circuit.reads.iter().filter_map(written).collect();
        let all: Vec<BTreeSet<CircuitId>> = self.circuits.values().map(reads).collect();
        for (circuit, read) in self.circuits.values_mut().zip(all) {
            circuit.stages_before = read;
        }
    }

    /// The circuit that writes a topic, if one does, and nobody else.
    fn writer(&self, topic: &TopicName) -> Option<(CircuitId, &Circuit)> {
        let id = *self.owners.get(topic)?;
        self.circuits.get(&id).filter(|owner| owner.writes(topic)).map(|owner| (id, owner))
    }

    /// Circuits that read what these write, or what such a circuit writes, and so on.
    pub(crate) fn behind(&self, those: &BTreeSet<CircuitId>) -> BTreeSet<CircuitId> {
        let mut found: BTreeSet<CircuitId> = BTreeSet::new();
        loop {
            let is_next = |(id, circuit): &(&CircuitId, &Circuit)| {
                let reads = |of: &CircuitId| those.contains(of) || found.contains(of);
                !found.contains(id) && circuit.stages_before.iter().any(reads)
            };
            let next: Vec<CircuitId> =
                self.circuits.iter().filter(is_next).map(|(id, _)| *id).collect();
            if next.is_empty() {
                return found;
            }
            found.extend(next);
        }
    }

    /// The circuits whose rows come to this one, by others or at once, and itself.
    pub(crate) fn before(&self, id: CircuitId) -> BTreeSet<CircuitId> {
        let (mut found, mut next) = (BTreeSet::new(), vec![id]);
        while let Some(id) = next.pop() {
            if found.insert(id) {
                next.extend(self.circuits.get(&id).into_iter().flat_map(|it| &it.stages_before));
            }
        }
        found
    }

    /// What the circuits behind these, those that run, are given of an epoch.
    pub(crate) fn held_behind(&self, those: &BTreeSet<CircuitId>) -> BTreeMap<CircuitId, Portion> {
        let behind = self.behind(those).into_iter();
        let running = behind.filter(|id| self.circuits[id].running().is_some());
        running.map(|id| (id, Portion::Nothing)).collect()
    }

    /// Whether some circuit may be given its portion of an epoch under way.
    pub(crate) fn may_pass_on(&self) -> bool {
        self.next_portion().is_some()
    }

    /// Gives circuits their portions of the epochs under way, as far as all that they read is
    /// there; one that does not take it stops. May wait until an engine has room.
    pub(crate) fn pass_on(&mut self) {
        while let Some((at, id)) = self.next_portion() {
            let (circuit, epoch) = (&self.circuits[&id], &mut self.under_way[at]);
            let portion = epoch.held_back.remove(&id).expect("it was found there");
            let dataflow = circuit.running().expect("one that stops is given nothing more");
            let written = written_for(circuit, epoch.deltas.iter());
            let moment = (circuit.engine_epoch(epoch.epoch), epoch.time);
            match portion.give(dataflow, moment, written) {
                None => {}
                Some(Ok(())) => drop(epoch.waits_for.insert(id)),
                Some(Err(error)) => {
                    if self.fate == Fate::EndsWithIt {
                        // What a server's own circuit does not take will never be applied.
                        self.under_way.remove(at);
                    }
                    let reason = match error {
                        FeedError::Stopped(reason) => reason,
                        error => error.to_string(),
                    };
                    self.stop(id, &reason);
                }
            }
        }
    }

    /// The next portion that may be given: each circuit takes epochs in their order, and has all
    /// that it reads of one before it.
    fn next_portion(&self) -> Option<(usize, CircuitId)> {
        let mut seen = BTreeSet::new();
        for (at, epoch) in self.under_way.iter().enumerate() {
            for id in epoch.held_back.keys() {
                let is_open = |of| epoch.waits_for.contains(of) || epoch.held_back.contains_key(of);
                if seen.insert(*id) && !self.circuits[id].stages_before.iter().any(is_open) {
                    return Some((at, *id));
                }
            }
        }
        None
    }

    /// What a topic has that a circuit writes, for one that comes to read it.
    pub(crate) fn written(&self, topic: &TopicPlan) -> Option<Held> {
        self.writer(&topic.name).filter(|_| topic.discipline != Discipline::Events)?;
        let mut rows = ColumnBatch::empty(&topic.schema.types());
        for (row, n) in self.bus.state(&topic.name)? {
            rows.push(&row, n);
        }
        Some(Held { topic: topic.name.clone(), rows, arrivals: None })
    }

    /// Why a circuit cannot come to read what others write, or stop to write what they read.
    pub(crate) fn breaks_chain(
        &self,
        plan: &DataflowPlan,
        specs: &[TopicSpec],
        old: Option<CircuitId>,
    ) -> Option<String> {
        let old = old?;
        if let Some((topic, reader)) = self.read_of(old).find(|(topic, _)| {
            let spec = specs.iter().find(|spec| spec.name == **topic);
            spec.is_none_or(|spec| spec.source != Source::Circuit)
        }) {
            return Some(format!(
                "circuit `{reader}` reads topic `{topic}`, which this one would no longer write; \
                 drop or replace `{reader}` first"
            ));
        }
        let behind = self.behind(&BTreeSet::from([old]));
        let reads = read_topics(specs, &engine_inputs(plan));
        let (topic, other) = reads.iter().find_map(|topic| {
            let (writer, circuit) = self.writer(topic)?;
            behind.contains(&writer).then_some((topic, &circuit.plan.circuit))
        })?;
        Some(format!(
            "topic `{topic}` is written by circuit `{other}`, which reads what this one writes: circuits \
             cannot read each other in a circle; within one circuit a control topic does that"
        ))
    }

    /// What others read of what a circuit writes, each with the name of who reads it.
    pub(crate) fn read_of(&self, id: CircuitId) -> impl Iterator<Item = (&TopicName, &str)> {
        let others = self.circuits.iter().filter(move |(other, _)| **other != id);
        let of = move |topic: &&TopicName| self.writer(topic).is_some_and(|(of, _)| of == id);
        others.flat_map(move |(_, circuit)| {
            let topics = circuit.reads.iter().filter(of);
            topics.map(|topic| (topic, circuit.plan.circuit.as_str()))
        })
    }
}

/// The circuits in an order in which who reads what another one writes comes behind it. In a
/// circle, which a server refuses, they stay as they are.
pub fn writers_first<T>(circuits: Vec<T>, plan: impl Fn(&T) -> &DataflowPlan) -> Vec<T> {
    let with_ends = |circuit: T| {
        let (specs, inputs) = (topic_specs(plan(&circuit)), engine_inputs(plan(&circuit)));
        let written = specs.iter().filter(|spec| spec.source == Source::Circuit);
        let written: BTreeSet<TopicName> = written.map(|spec| spec.name.clone()).collect();
        (circuit, read_topics(&specs, &inputs), written)
    };
    let mut left: Vec<_> = circuits.into_iter().map(with_ends).collect();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let is_first = |at: &usize| {
            let others = left.iter().enumerate().filter(|(other, _)| other != at);
            let mut written = others.map(|(_, (_, _, written))| written);
            written.all(|written| left[*at].1.is_disjoint(written))
        };
        let next = (0..left.len()).find(is_first).unwrap_or(0);
        ordered.push(left.remove(next).0);
    }
    ordered
}

/// Why the circuit that reads a topic cannot have it from the one that writes it.
pub(crate) fn misreads(writer: &TopicSpec, reader: &TopicSpec) -> Option<String> {
    if writer.source != Source::Circuit {
        return Some(
            "it writes it, and so do others (`shared: true`); no other circuit reads such a topic"
                .to_owned(),
        );
    }
    if !writer.edge.emits() {
        return Some("it writes it, and lets nobody read it; that takes `edge: out`".to_owned());
    }
    let alike = TopicSpec { edge: writer.edge, ..reader.clone() };
    let what = writer.breach(&alike)?;
    Some(format!("it writes it, and {what} is another there"))
}
