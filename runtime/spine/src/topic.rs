//! A topic as the bus knows it: its contract, its collection, and what of its past is kept.

use std::collections::VecDeque;
use std::sync::Arc;

use arqon_proto::{BodyCodec, Encoding, Int64Form, RowCodec};
use arqon_types::{Change, Discipline, Edge, Epoch, Row, Schema, TopicName, Update};
use bytes::Bytes;

use crate::dedupe::DedupeWindow;
use crate::retained::{Deriver, Retained};

/// Who writes a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Clients and files: an input of the circuit.
    Outside,
    /// A node of the circuit.
    Circuit,
}

/// The contract of a topic, from the plan.
#[derive(Debug, Clone)]
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
}

/// An event with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) offset: u64,
    pub(crate) row: Row,
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
    pub(crate) deriver: Deriver,
    pub(crate) dedupe: DedupeWindow,
    /// The last offset that was given.
    pub(crate) offset: u64,
    pub(crate) history: VecDeque<(u64, Happening)>,
    history_rows: usize,
    /// Changes after this epoch are all in the history.
    pub(crate) history_after: u64,
}

impl Topic {
    pub(crate) fn new(spec: TopicSpec) -> Self {
        let codec = BodyCodec::new(spec.schema.clone(), spec.discipline, &spec.key);
        let place =
            |name: &String| spec.schema.position(name).expect("the key's fields are in the schema");
        let key = spec.key.iter().map(place).collect();
        Self {
            codec,
            key,
            retained: Retained::default(),
            deriver: Deriver::default(),
            dedupe: DedupeWindow::default(),
            offset: 0,
            history: VecDeque::new(),
            history_rows: 0,
            history_after: 0,
            spec,
        }
    }

    pub(crate) fn rows(&self) -> &RowCodec {
        self.codec.rows()
    }

    pub(crate) fn is_events(&self) -> bool {
        self.spec.discipline == Discipline::Events
    }

    /// Whether the bus itself must derive the topic's collection from its messages.
    pub(crate) fn is_observed_input(&self) -> bool {
        self.spec.source == Source::Outside && self.spec.edge.emits()
    }

    pub(crate) fn encode_row(&self, row: &Row, form: RowForm) -> Bytes {
        encode(self.codec.rows(), row, form)
    }

    /// The row's key, encoded.
    pub(crate) fn encode_key(&self, row: &Row, form: RowForm) -> Bytes {
        let key: Row = self.key.iter().map(|place| row[*place].clone()).collect();
        encode(self.codec.keys(), &key, form)
    }

    /// The updates of one message, for an input that clients may also subscribe to.
    pub(crate) fn derive(&mut self, change: &Change, epoch: Epoch) -> Vec<Update> {
        self.deriver.derive(change, &self.key, epoch)
    }

    /// Notes what happened in an epoch and returns it in the form that subscribers get.
    pub(crate) fn happen(
        &mut self,
        epoch: Epoch,
        updates: Vec<Update>,
        first_offset: Option<u64>,
        history_rows_max: usize,
    ) -> Happening {
        let happening = if self.is_events() {
            let mut offset = first_offset.map_or(self.offset, |first| first - 1);
            let mut events = Vec::with_capacity(updates.len());
            for update in updates {
                for _ in 0..update.diff.max(0) {
                    offset += 1;
                    events.push(Event { offset, row: update.row.clone() });
                }
            }
            self.offset = self.offset.max(offset);
            Happening::Events(Arc::new(events))
        } else {
            self.retained.add(&updates);
            Happening::Changes(Arc::new(updates))
        };
        self.history_rows += happening.n_rows();
        self.history.push_back((epoch.0, happening.clone()));
        while self.history_rows > history_rows_max && self.history.len() > 1 {
            if let Some((epoch, oldest)) = self.history.pop_front() {
                self.history_rows -= oldest.n_rows();
                self.history_after = epoch;
            }
        }
        happening
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
