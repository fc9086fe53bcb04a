//! Envelopes: what a frame says, whatever its encoding.
//!
//! Rows stay undecoded here, as JSON text or as a protobuf message, since only their topic's
//! schema can read them: the edge routes by topic, kind and id alone.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::code::ErrorCode;
use crate::row_write::Int64Form;

/// The topic of control frames.
pub const SESSION_TOPIC: &str = "system.control.session";
/// The schema of delta payloads.
pub const DELTA_SCHEMA: &str = "arqonbus.delta.v1";
/// The schema of snapshot payloads.
pub const SNAPSHOT_SCHEMA: &str = "arqonbus.snapshot.v1";
/// The schema of upsert payloads.
pub const UPSERTS_SCHEMA: &str = "arqonbus.upserts.v1";
/// The subprotocol of JSON frames.
pub const SUBPROTOCOL_JSON: &str = "arqon.v1.json";
/// The subprotocol of protobuf frames.
pub const SUBPROTOCOL_PROTO: &str = "arqon.v1.proto";

/// How a session writes its frames and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// Text frames of JSON.
    Json,
    /// Binary frames of protobuf.
    Proto,
}

/// What an envelope is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A message of a topic.
    Event,
    /// A request to an endpoint.
    Job,
    /// Its result.
    JobResult,
    /// The head of a stream.
    StreamStart,
    /// A part of a stream.
    StreamChunk,
    /// The end of a stream.
    StreamEnd,
    /// Between a client and the bus.
    Control,
}

/// One frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// Absent if the server is to mint it.
    pub id: Option<Uuid>,
    /// What it is.
    pub kind: Kind,
    /// Its topic, exactly as in the circuit.
    pub topic: String,
    /// Nanoseconds UTC; absent if the server is to stamp it.
    pub ts: Option<i64>,
    /// What the payload is.
    pub schema: Option<String>,
    /// Where it belongs in a distributed trace.
    pub trace: Option<TraceContext>,
    /// Small facts beside the payload.
    pub headers: Headers,
    /// What it says.
    pub payload: Payload,
}

impl Envelope {
    /// A message of a topic, without id and time.
    pub fn event(topic: impl Into<String>, payload: Payload) -> Self {
        let schema = match &payload {
            Payload::Delta(_) => Some(DELTA_SCHEMA),
            Payload::Snapshot(_) => Some(SNAPSHOT_SCHEMA),
            Payload::Upserts(_) => Some(UPSERTS_SCHEMA),
            Payload::Null | Payload::Row(_) | Payload::Control(_) => None,
        };
        Self {
            id: None,
            kind: Kind::Event,
            topic: topic.into(),
            ts: None,
            schema: schema.map(str::to_owned),
            trace: None,
            headers: Headers::default(),
            payload,
        }
    }

    /// A control frame, without id and time.
    pub fn control(control: Control) -> Self {
        Self { kind: Kind::Control, ..Self::event(SESSION_TOPIC, Payload::Control(control)) }
    }
}

/// W3C trace context.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TraceContext {
    /// `traceparent` as W3C writes it.
    pub traceparent: String,
    /// `tracestate` as W3C writes it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tracestate: String,
    /// The span of this message.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub span_id: String,
    /// Its parent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub parent_id: String,
}

/// Small facts beside the payload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers {
    /// How far the message must have come before it is acknowledged.
    pub ack: Option<AckMode>,
    /// The key that a null payload deletes, encoded as a row of the key's fields.
    pub key: Option<Bytes>,
    /// The subscription that a delivered event answers.
    pub sub: Option<u64>,
    /// The place of a delivered event in its topic, from 1.
    pub offset: Option<u64>,
    /// Anything else, as the producer wrote it.
    pub other: BTreeMap<String, String>,
}

/// When a published message is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AckMode {
    /// Never.
    None,
    /// When the bus has taken it.
    Accepted,
    /// After the fsync that covers it.
    Durable,
    /// When every effect has reached its sink.
    Applied,
}

impl AckMode {
    /// The mode of that name.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::None),
            "accepted" => Some(Self::Accepted),
            "durable" => Some(Self::Durable),
            "applied" => Some(Self::Applied),
            _ => None,
        }
    }

    /// The mode's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Accepted => "accepted",
            Self::Durable => "durable",
            Self::Applied => "applied",
        }
    }
}

/// What an envelope says.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Nothing: on a `full` topic the end of the key in the headers.
    Null,
    /// One row.
    Row(Bytes),
    /// Signed changes.
    Delta(Delta),
    /// The whole of a topic.
    Snapshot(Snapshot),
    /// The newest rows of changed keys.
    Upserts(Upserts),
    /// Between client and bus.
    Control(Control),
}

/// One of several frames that carry one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// This one, from 1.
    pub part: u32,
    /// How many there are.
    pub parts: u32,
}

/// Changes with `lower <= epoch < upper`; what a client publishes has neither bounds nor epochs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delta {
    /// The subscription it answers.
    pub sub: Option<u64>,
    /// First epoch covered.
    pub lower: Option<u64>,
    /// First epoch not covered.
    pub upper: Option<u64>,
    /// Set if an epoch takes several frames.
    pub part: Option<Part>,
    /// The changes.
    pub changes: Vec<RowChange>,
}

/// A row that changes its multiplicity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    /// When; absent in what a client publishes.
    pub epoch: Option<u64>,
    /// By how much.
    pub diff: i64,
    /// The encoded row.
    pub row: Bytes,
}

/// The whole of a topic after an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The subscription it answers.
    pub sub: u64,
    /// The epoch.
    pub epoch: u64,
    /// Set if it takes several frames.
    pub part: Option<Part>,
    /// Encoded rows, each with its multiplicity.
    pub rows: Vec<CountedRow>,
}

/// A row and how often it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedRow {
    /// The encoded row.
    pub row: Bytes,
    /// Its multiplicity, above 0.
    pub count: u64,
}

/// The newest rows of keys that changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Upserts {
    /// The subscription it answers.
    pub sub: u64,
    /// First epoch covered.
    pub lower: u64,
    /// First epoch not covered.
    pub upper: u64,
    /// Set if an epoch takes several frames.
    pub part: Option<Part>,
    /// One entry per key and epoch.
    pub upserts: Vec<Upsert>,
}

/// A key and its row after an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upsert {
    /// When.
    pub epoch: u64,
    /// The encoded key.
    pub key: Bytes,
    /// The encoded row; none if the key is gone.
    pub row: Option<Bytes>,
}

/// What is said on [`SESSION_TOPIC`].
#[derive(Debug, Clone, PartialEq)]
pub enum Control {
    /// The first frame of a session.
    Hello(Hello),
    /// Its answer.
    Welcome(Welcome),
    /// Encoded envelopes that take effect in one epoch, or none of them.
    Batch(Vec<Bytes>),
    /// A message has come as far as it asked for.
    Ack(Ack),
    /// Asks for a topic.
    Subscribe(Subscribe),
    /// The subscription stands.
    Subscribed(Subscribed),
    /// Ends a subscription.
    Unsubscribe(Unsubscribe),
    /// More changes may be sent.
    Credit(Credit),
    /// No change before an epoch will follow.
    Progress(Progress),
    /// Events that will not come.
    Gap(Gap),
    /// A frame was refused.
    Error(ErrorFrame),
}

/// Text that is never shown in a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Who a client is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// A token that proves the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// The client's name for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// A session to go on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
    /// How int64 values of rows are to be written in the JSON view.
    #[serde(default, skip_serializing_if = "Int64Form::is_number")]
    pub int64: Int64Form,
}

/// The session stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The session's id.
    pub session: String,
    /// Who the client is.
    pub principal: String,
    /// What it may ask.
    pub limits: SessionLimits,
    /// The server's clock, nanoseconds UTC.
    #[serde(with = "crate::frame_text::time")]
    pub server_time: i64,
    /// What the server can do.
    pub features: Vec<String>,
}

/// What a session may ask of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLimits {
    /// Bytes of a message.
    pub message_bytes_max: u64,
    /// Messages of a batch.
    pub batch_messages_max: u64,
    /// Subscriptions of a session.
    pub subscriptions_max: u64,
    /// Bytes that wait for a slow client.
    pub outbox_bytes_max: u64,
    /// How often the server pings; after two intervals of silence it closes.
    pub ping_interval_ms: u64,
}

/// A message has come as far as it asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The message.
    #[serde(with = "crate::frame_text::id")]
    pub id: Uuid,
    /// Its place in its topic, from 1.
    pub offset: u64,
    /// The epoch it takes effect in.
    pub epoch: u64,
    /// False where a durable ack was asked for and the server has no store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durable: Option<bool>,
}

/// Where a subscription begins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begin {
    /// With what comes next.
    #[default]
    Now,
    /// With the state.
    Snapshot,
    /// With the changes after this epoch.
    Epoch(#[serde(with = "crate::frame_text::number")] u64),
    /// With the event after this offset.
    Offset(#[serde(with = "crate::frame_text::number")] u64),
    /// With the events since this time.
    Time(String),
}

/// What a subscription delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum As {
    /// Signed changes.
    #[default]
    Deltas,
    /// The state, once.
    Snapshot,
    /// The newest row per key.
    Upserts,
}

/// Asks for a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// The client's number for it.
    #[serde(with = "crate::frame_text::number")]
    pub sub: u64,
    /// A topic's name or a pattern.
    pub topic: String,
    /// Where to begin.
    #[serde(default)]
    pub from: Begin,
    /// What to deliver.
    #[serde(default, rename = "as")]
    pub form: As,
    /// An expression over the row.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Changes that may be sent before more credit; absent: as many as there are.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::frame_text::optional_number"
    )]
    pub credit: Option<u64>,
}

/// The subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribed {
    /// The client's number for it.
    pub sub: u64,
    /// The newest epoch whose effects it has seen, or will see at once.
    pub epoch: u64,
}

/// Ends a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unsubscribe {
    /// Which.
    #[serde(with = "crate::frame_text::number")]
    pub sub: u64,
}

/// More changes may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    /// Of which subscription.
    #[serde(with = "crate::frame_text::number")]
    pub sub: u64,
    /// How many.
    #[serde(with = "crate::frame_text::number")]
    pub add: u64,
}

/// No change before `upper` will follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Of which subscription.
    pub sub: u64,
    /// First epoch that may still change.
    pub upper: u64,
}

/// Events between two offsets will not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Of which subscription.
    pub sub: u64,
    /// The last offset that came.
    pub after: u64,
    /// The next that will.
    pub next: u64,
}

/// A frame was refused, or the session cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorFrame {
    /// The frame's id, if it had one.
    #[serde(with = "crate::frame_text::optional_id")]
    pub id: Option<Uuid>,
    /// What went wrong, for programs.
    pub code: ErrorCode,
    /// What went wrong, for people.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// When to try again.
    pub retry_after_ms: Option<u64>,
}
