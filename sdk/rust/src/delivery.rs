//! What a subscription delivers, with its rows as JSON text.

use std::sync::Arc;

use arqon_proto::{Envelope, Part, Payload};
use arqon_types::Epoch;
use bytes::Bytes;

use crate::error::SessionError;
use crate::rows::{Rows, Shape};

/// One thing that a subscription delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Changes with `lower <= epoch < upper`; with `lower` 0 they are the topic's state.
    Delta {
        /// The topic.
        topic: Arc<str>,
        /// First epoch covered.
        lower: Epoch,
        /// First epoch not covered.
        upper: Epoch,
        /// Set if the epochs take several frames.
        part: Option<Part>,
        /// The changes.
        changes: Vec<Change>,
    },
    /// The newest rows of keys that changed with `lower <= epoch < upper`.
    Upserts {
        /// The topic.
        topic: Arc<str>,
        /// First epoch covered.
        lower: Epoch,
        /// First epoch not covered.
        upper: Epoch,
        /// Set if the epochs take several frames.
        part: Option<Part>,
        /// One entry per key and epoch.
        upserts: Vec<Upsert>,
    },
    /// The whole of a topic after an epoch.
    Snapshot {
        /// The topic.
        topic: Arc<str>,
        /// The epoch.
        epoch: Epoch,
        /// Set if it takes several frames.
        part: Option<Part>,
        /// The rows.
        rows: Vec<CountedRow>,
    },
    /// One message of an `events` topic.
    Event {
        /// The topic.
        topic: Arc<str>,
        /// Its place in the topic, from 1.
        offset: u64,
        /// The row as JSON text.
        row: String,
    },
    /// No change before `upper` will follow.
    Progress {
        /// First epoch that may still change.
        upper: Epoch,
    },
    /// Events between two offsets will not come.
    Gap {
        /// The last offset that came.
        after: u64,
        /// The next that will.
        next: u64,
    },
}

/// A row that changes its multiplicity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub epoch: Epoch,
    /// By how much.
    pub diff: i64,
    /// The row as JSON text.
    pub row: String,
}

/// A key and its row after an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upsert {
    /// When.
    pub epoch: Epoch,
    /// The key as JSON text.
    pub key: String,
    /// The row as JSON text; none if the key is gone.
    pub row: Option<String>,
}

/// A row and how often it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedRow {
    /// The row as JSON text.
    pub row: String,
    /// Its multiplicity, above 0.
    pub count: u64,
}

impl Delivery {
    /// The changes that it takes from a subscription's credit.
    pub(crate) fn n_rows(&self) -> usize {
        match self {
            Self::Delta { changes, .. } => changes.len(),
            Self::Upserts { upserts, .. } => upserts.len(),
            Self::Snapshot { rows, .. } => rows.len(),
            Self::Event { .. } => 1,
            Self::Progress { .. } | Self::Gap { .. } => 0,
        }
    }

    /// Whether it is the last of a snapshot.
    pub(crate) fn ends_snapshot(&self) -> bool {
        matches!(self, Self::Snapshot { part, .. } if is_last(*part))
    }
}

/// Whether no further frame follows with the same bounds.
pub(crate) fn is_last(part: Option<Part>) -> bool {
    part.is_none_or(|Part { part, parts }| part >= parts)
}

/// The number of the subscription that an event frame answers.
pub(crate) fn sub_of(envelope: &Envelope) -> Option<u64> {
    match &envelope.payload {
        Payload::Delta(delta) => delta.sub,
        Payload::Snapshot(snapshot) => Some(snapshot.sub),
        Payload::Upserts(upserts) => Some(upserts.sub),
        Payload::Row(_) | Payload::Null => envelope.headers.sub,
        Payload::Control(_) => None,
    }
}

/// What an event frame delivers, if anything.
///
/// # Errors
/// [`SessionError`] if a row is not of its schema.
pub(crate) fn delivery_of(
    envelope: Envelope,
    topic: Arc<str>,
    rows: &Rows,
) -> Result<Option<Delivery>, SessionError> {
    let decode = |shape: Shape, bytes: &Bytes| rows.decode(&topic, shape, bytes);
    Ok(Some(match envelope.payload {
        Payload::Delta(delta) => {
            let upper = delta.upper.unwrap_or(0);
            let change = |change: arqon_proto::RowChange| {
                let epoch = Epoch(change.epoch.unwrap_or(upper.saturating_sub(1)));
                let row = decode(Shape::Row, &change.row)?;
                Ok(Change { epoch, diff: change.diff, row })
            };
            let changes: Result<_, SessionError> = delta.changes.into_iter().map(change).collect();
            Delivery::Delta {
                lower: Epoch(delta.lower.unwrap_or(0)),
                upper: Epoch(upper),
                part: delta.part,
                changes: changes?,
                topic,
            }
        }
        Payload::Upserts(batch) => {
            let upsert = |upsert: arqon_proto::Upsert| {
                let row = upsert.row.as_ref().map(|row| decode(Shape::Row, row)).transpose()?;
                let key = decode(Shape::Key, &upsert.key)?;
                Ok(Upsert { epoch: Epoch(upsert.epoch), key, row })
            };
            let upserts: Result<_, SessionError> = batch.upserts.into_iter().map(upsert).collect();
            Delivery::Upserts {
                lower: Epoch(batch.lower),
                upper: Epoch(batch.upper),
                part: batch.part,
                upserts: upserts?,
                topic,
            }
        }
        Payload::Snapshot(snapshot) => {
            let counted = |counted: arqon_proto::CountedRow| {
                let row = decode(Shape::Row, &counted.row)?;
                Ok(CountedRow { row, count: counted.count })
            };
            let rows: Result<_, SessionError> = snapshot.rows.into_iter().map(counted).collect();
            Delivery::Snapshot {
                epoch: Epoch(snapshot.epoch),
                part: snapshot.part,
                rows: rows?,
                topic,
            }
        }
        Payload::Row(row) => {
            let offset = envelope.headers.offset.unwrap_or(0);
            Delivery::Event { offset, row: decode(Shape::Row, &row)?, topic }
        }
        Payload::Null | Payload::Control(_) => return Ok(None),
    }))
}
