//! What a client publishes, and the answer to it.

use std::collections::BTreeMap;

use arqon_proto::{AckMode, Delta, Envelope, Headers, Payload, RowChange};
use arqon_types::Epoch;
use uuid::Uuid;

use crate::error::SessionError;
use crate::rows::{Rows, Shape};

/// One message of a topic.
///
/// Its id is minted with it: publishing the same message again takes effect once, and gets the
/// first ack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    id: Uuid,
    topic: String,
    body: Body,
    ack: Option<AckMode>,
    headers: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    Row(String),
    Delete(String),
    Changes(Vec<(i64, String)>),
}

impl Message {
    /// One row: an event, the newest row of its key, or an insertion, as the topic has it.
    pub fn row(topic: impl Into<String>, json: impl Into<String>) -> Self {
        Self::new(topic.into(), Body::Row(json.into()))
    }

    /// The end of a key of a `full` topic; `key` is an object of the key's fields.
    pub fn delete(topic: impl Into<String>, key: impl Into<String>) -> Self {
        Self::new(topic.into(), Body::Delete(key.into()))
    }

    /// Signed changes of a `delta` topic, each a difference and a row.
    pub fn changes<R: Into<String>>(
        topic: impl Into<String>,
        changes: impl IntoIterator<Item = (i64, R)>,
    ) -> Self {
        let changes = changes.into_iter().map(|(diff, json)| (diff, json.into())).collect();
        Self::new(topic.into(), Body::Changes(changes))
    }

    fn new(topic: String, body: Body) -> Self {
        Self { id: Uuid::now_v7(), topic, body, ack: None, headers: BTreeMap::new() }
    }

    /// The same message with an id of the caller's, for instance one that outlives a restart.
    #[must_use]
    pub fn with_id(self, id: Uuid) -> Self {
        Self { id, ..self }
    }

    /// The same message, acknowledged when it has come that far; else the topic decides.
    #[must_use]
    pub fn with_ack(self, ack: AckMode) -> Self {
        Self { ack: Some(ack), ..self }
    }

    /// The same message with one more header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// The message's id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The message's topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The frame that asks for an ack: a mode of `none` is left to the topic.
    pub(crate) fn acknowledged(&self, rows: &Rows) -> Result<Envelope, SessionError> {
        self.envelope(self.ack.filter(|ack| *ack != AckMode::None), rows)
    }

    /// The frame that asks for no ack.
    pub(crate) fn unacknowledged(&self, rows: &Rows) -> Result<Envelope, SessionError> {
        self.envelope(Some(AckMode::None), rows)
    }

    fn envelope(&self, ack: Option<AckMode>, rows: &Rows) -> Result<Envelope, SessionError> {
        let encode = |shape, json: &str| rows.encode(&self.topic, shape, json);
        let mut headers = Headers { ack, other: self.headers.clone(), ..Headers::default() };
        let payload = match &self.body {
            Body::Row(json) => Payload::Row(encode(Shape::Row, json)?),
            Body::Delete(key) => {
                headers.key = Some(encode(Shape::Key, key)?);
                Payload::Null
            }
            Body::Changes(changes) => {
                let changes: Result<Vec<RowChange>, SessionError> = changes
                    .iter()
                    .map(|(diff, json)| {
                        Ok(RowChange { epoch: None, diff: *diff, row: encode(Shape::Row, json)? })
                    })
                    .collect();
                Payload::Delta(Delta { changes: changes?, ..Delta::default() })
            }
        };
        Ok(Envelope { id: Some(self.id), headers, ..Envelope::event(&self.topic, payload) })
    }
}

/// A message has come as far as it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// The message.
    pub id: Uuid,
    /// Its place in its topic, from 1.
    pub offset: u64,
    /// The epoch it takes effect in.
    pub epoch: Epoch,
    /// False where a durable ack was asked for and the server has no store.
    pub durable: Option<bool>,
}

impl From<arqon_proto::Ack> for Ack {
    fn from(ack: arqon_proto::Ack) -> Self {
        Self { id: ack.id, offset: ack.offset, epoch: Epoch(ack.epoch), durable: ack.durable }
    }
}
