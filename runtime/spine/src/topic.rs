//! A topic as the bus knows it: its contract, its collection, and what of its past is kept.

use std::collections::VecDeque;
use std::sync::Arc;

use arqon_proto::{BodyCodec, Encoding, Int64Form, RowCodec};
use arqon_types::{Discipline, Edge, Epoch, Row, Schema, TopicName, Update};
use bytes::Bytes;

use crate::dedupe::{DedupeWindow, Offset};
use crate::log::{Event, EventLog, Keep, Saying, written};
use crate::retained::Retained;

/// Who writes a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Clients and files: an input of the circuit.
    Outside,
    /// Nodes of the circuit.
    Circuit,
    /// Both: what the circuit writes in an epoch stands behind what comes from outside.
    Both,
    /// Both: what the circuit has written comes back in the next epoch, before all else.
    Returning,
}

/// The contract of a topic, from the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicSpec {
    /// Its name.
    pub name: TopicName,
    /// Its rows.
    pub schema: Schema,
    /// The schema's name on the wire.
    pub schema_id: String,
    /// What a message of it is.
    pub discipline: Discipline,
    /// Which clients may touch it.
    pub edge: Edge,
    /// The fields of its key; empty if it has none.
    pub key: Vec<String>,
    /// Who writes it.
    pub source: Source,
    /// Which of its events are kept for those who come later.
    pub keep: Keep,
}

/// How a session wants its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowForm {
    pub(crate) encoding: Encoding,
    /// Of JSON alone.
    pub(crate) int64: Int64Form,
}

/// What happened to a topic in one epoch.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    Changes(Arc<Vec<Update>>),
    Events(Arc<Vec<Event>>),
}

impl Happening {
    pub(crate) fn n_rows(&self) -> usize {
        match self {
            Self::Changes(updates) => updates.len(),
            Self::Events(events) => events.len(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) spec: TopicSpec,
    pub(crate) codec: BodyCodec,
    pub(crate) key: Vec<usize>,
    pub(crate) retained: Retained,
    pub(crate) log: EventLog,
    pub(crate) dedupe: DedupeWindow,
    /// The last offset that was given to a message.
    offset: u64,
    /// Events from outside in the open epoch.
    n_open: u64,
    /// Where those of the last epoch that had any begin.
    began: u64,
    /// Changes of a collection, by epoch.
    pub(crate) history: VecDeque<(u64, Arc<Vec<Update>>)>,
    history_rows: usize,
    /// Changes after this epoch are all in the history.
    pub(crate) history_after: u64,
    /// Why nothing comes or goes any more, if so.
    pub(crate) stopped: Option<String>,
}

impl Topic {
    /// A topic that comes after an epoch: what it was before, if it was, nobody keeps.
    pub(crate) fn new(spec: TopicSpec, after: Epoch) -> Self {
        let codec = BodyCodec::new(spec.schema.clone(), spec.discipline, &spec.key);
        let place =
            |name: &String| spec.schema.position(name).expect("the key's fields are in the schema");
        let key = spec.key.iter().map(place).collect();
        let keep = if spec.edge.emits() { spec.keep } else { Keep::Nothing };
        Self {
            codec,
            key,
            retained: Retained::default(),
            log: EventLog::new(keep, spec.schema.types(), after.0),
            dedupe: DedupeWindow::default(),
            offset: 0,
            n_open: 0,
            began: 0,
            history: VecDeque::new(),
            history_rows: 0,
            history_after: after.0,
            stopped: None,
            spec,
        }
    }

    /// Takes another declaration of the same contract. What an event log kept by another rule goes.
    pub(crate) fn renew(&mut self, spec: TopicSpec, after: Epoch) {
        let keep = if spec.edge.emits() { spec.keep } else { Keep::Nothing };
        let last = self.offset.max(self.log.last());
        if self.log.keep() != keep {
            self.log = EventLog::new(keep, spec.schema.types(), after.0);
        }
        // Of whoever counts them next, the events before are one number.
        self.log.resume(last);
        (self.offset, self.n_open, self.began) = (last, 0, last);
        (self.spec, self.stopped) = (spec, None);
    }

    /// How many messages, or events, the topic has had.
    pub(crate) fn n_messages(&self) -> u64 {
        self.offset.max(self.log.last())
    }

    pub(crate) fn rows(&self) -> &RowCodec {
        self.codec.rows()
    }

    pub(crate) fn is_events(&self) -> bool {
        self.spec.discipline == Discipline::Events
    }

    /// Whether the bus needs what comes from outside to say in which order events stand. Of
    /// collections the engine says all there is to say.
    pub(crate) fn is_ordered_here(&self) -> bool {
        self.is_events()
            && match self.spec.source {
                Source::Outside => self.spec.edge.emits(),
                Source::Circuit => false,
                Source::Both | Source::Returning => true,
            }
    }

    /// Puts a message behind all that came before, with so many changes.
    pub(crate) fn place(&mut self, n_changes: usize) -> Offset {
        // A message is one place in the log; several events in one message are several, and none
        // is none.
        let n = if self.is_events() { n_changes as u64 } else { 1 };
        match self.spec.source {
            Source::Both | Source::Returning if self.is_events() => {
                self.n_open += n;
                Offset::InEpoch(self.n_open)
            }
            Source::Outside | Source::Circuit | Source::Both | Source::Returning => {
                self.offset += n;
                Offset::InLog(self.offset)
            }
        }
    }

    /// Begins to count the events of another epoch.
    pub(crate) fn close_epoch(&mut self) {
        self.n_open = 0;
    }

    /// Where a message of an epoch after `applied` stands, if that is known by now.
    pub(crate) fn known(&self, offset: Offset, epoch: u64, applied: Epoch) -> Option<u64> {
        match (offset, self.spec.source) {
            (Offset::InLog(offset), _) => Some(offset),
            (Offset::InEpoch(n), Source::Both) => {
                (epoch == applied.0 + 1).then(|| self.log.last() + n)
            }
            (Offset::InEpoch(_), Source::Outside | Source::Circuit | Source::Returning) => None,
        }
    }

    /// Where a message of the epoch that was said last stands.
    pub(crate) fn settled(&self, offset: Offset) -> u64 {
        match offset {
            Offset::InLog(offset) => offset,
            Offset::InEpoch(n) => self.began + n,
        }
    }

    pub(crate) fn encode_row(&self, row: &Row, form: RowForm) -> Bytes {
        encode(self.codec.rows(), row, form)
    }

    /// The row's key, encoded.
    pub(crate) fn encode_key(&self, row: &Row, form: RowForm) -> Bytes {
        let key: Row = self.key.iter().map(|place| row[*place].clone()).collect();
        encode(self.codec.keys(), &key, form)
    }

    /// Takes the events of an epoch: those from outside, and all that the circuit says of it.
    pub(crate) fn say(
        &mut self,
        outside: Vec<Row>,
        all: Vec<Update>,
        saying: Saying,
    ) -> Arc<Vec<Event>> {
        let before = self.log.last();
        let (n_before, rows) = match self.spec.source {
            Source::Outside => (0, outside),
            Source::Circuit => (0, written(&[], all)),
            Source::Both => {
                let written = written(&outside, all);
                (0, outside.into_iter().chain(written).collect())
            }
            Source::Returning => {
                let written = written(&outside, all);
                (written.len() as u64, written.into_iter().chain(outside).collect())
            }
        };
        self.began = before + n_before;
        self.dedupe.settle(saying.epoch, self.began);
        self.log.say(rows, saying)
    }

    /// Takes the changes of a collection in an epoch.
    pub(crate) fn change(
        &mut self,
        epoch: Epoch,
        updates: Vec<Update>,
        history_rows_max: usize,
    ) -> Arc<Vec<Update>> {
        self.retained.add(&updates);
        let updates = Arc::new(updates);
        self.history_rows += updates.len();
        self.history.push_back((epoch.0, Arc::clone(&updates)));
        while self.history_rows > history_rows_max && self.history.len() > 1 {
            if let Some((epoch, oldest)) = self.history.pop_front() {
                self.history_rows -= oldest.len();
                self.history_after = epoch;
            }
        }
        updates
    }
}

fn encode(codec: &RowCodec, row: &Row, form: RowForm) -> Bytes {
    let mut out = Vec::with_capacity(64);
    match form.encoding {
        Encoding::Json => codec.encode_as(row, form.int64, &mut out),
        Encoding::Proto => codec.encode_proto(row, &mut out),
    }
    out.into()
}
