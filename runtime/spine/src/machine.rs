//! The bus: its sessions, topics and clock of epochs.
//!
//! **Invariant:** a state machine without socket, file, clock or randomness. Frames go in with the
//! time they arrived at, frames come out with the session they are for.

use std::collections::BTreeMap;

use arqon_proto::{
    Control, Encoding, Envelope, ErrorFrame, Int64Form, Payload, SESSION_TOPIC, SessionLimits,
    Welcome,
};
use arqon_types::{Change, DeltaBatch, Epoch, Row, Schema, TopicName};
use bytes::Bytes;
use uuid::Uuid;

use crate::dedupe::Offset;
use crate::grant::Principal;
use crate::limits::Limits;
use crate::refusal::{Refusal, StateFull};
use crate::subscription::{FilterCompiler, Subscription};
use crate::topic::{Topic, TopicSpec};
use crate::topics::Topics;

/// A websocket that has said who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What the edge is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send a frame, and call [`Bus::sent`] with its length when it has left.
    Frame {
        /// To whom.
        session: SessionId,
        /// The frame.
        bytes: Bytes,
    },
    /// Close the websocket; the session is forgotten already.
    Close {
        /// Whose.
        session: SessionId,
        /// The close code.
        code: u16,
        /// A few words.
        reason: &'static str,
    },
}

impl Output {
    /// Whether it is a frame for this session.
    pub fn is_frame_of(&self, of: SessionId) -> bool {
        matches!(self, Self::Frame { session, .. } if *session == of)
    }
}

/// What the messages of an epoch ask of one topic, in log order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInput {
    /// The topic.
    pub topic: TopicName,
    /// The changes.
    pub changes: Vec<Change>,
}

/// An epoch that takes no more input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedEpoch {
    /// Its number.
    pub epoch: Epoch,
    /// Its input in log order; a topic may come several times.
    pub inputs: Vec<TopicInput>,
}

/// What an epoch came to.
#[derive(Debug, Clone, PartialEq)]
pub struct AppliedEpoch {
    /// Its number.
    pub epoch: Epoch,
    /// When it came, in nanoseconds since 1970: what `epoch_time()` of its rows is.
    pub time: i64,
    /// What changed in the topics of the circuit.
    pub deltas: Vec<DeltaBatch>,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) principal: Principal,
    pub(crate) encoding: Encoding,
    pub(crate) int64: Int64Form,
    pub(crate) subscriptions: BTreeMap<u64, Subscription>,
    pub(crate) outbox_bytes: usize,
    pub(crate) n_faults: usize,
}

/// An ack that waits for its epoch to be applied, or for its offset to be known.
#[derive(Debug, Clone)]
pub(crate) struct WaitingAck {
    pub(crate) session: SessionId,
    pub(crate) id: Uuid,
    pub(crate) topic: usize,
    pub(crate) offset: Offset,
    /// Whether it tells of effects.
    pub(crate) is_applied: bool,
    pub(crate) durable: Option<bool>,
}

/// The bus: the topics of all circuits, under one clock of epochs.
pub struct Bus {
    pub(crate) limits: Limits,
    pub(crate) topics: Topics,
    pub(crate) filters: FilterCompiler,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    /// The epoch that messages fall into now.
    pub(crate) open_epoch: Epoch,
    /// The newest epoch whose effects are known.
    pub(crate) applied: Epoch,
    /// Changes that wait for the open epoch, in log order; each run of one topic together.
    pub(crate) queue: Vec<(usize, Vec<Change>)>,
    pub(crate) queue_rows: usize,
    /// Topics to which nothing may be added, and why.
    pub(crate) state_full: BTreeMap<TopicName, StateFull>,
    /// Events from outside whose epoch is under way, by topic and in log order.
    pub(crate) under_way: BTreeMap<Epoch, BTreeMap<usize, Vec<Row>>>,
    pub(crate) waiting: BTreeMap<Epoch, Vec<WaitingAck>>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) now: i64,
    /// The greatest time of epochs so far.
    pub(crate) clock: i64,
    seed: u64,
    n_ids: u64,
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus")
            .field("n_topics", &self.topics.len())
            .field("n_sessions", &self.sessions.len())
            .field("open_epoch", &self.open_epoch)
            .field("applied", &self.applied)
            .finish_non_exhaustive()
    }
}

/// What a bus is made of.
pub struct BusOptions {
    /// The topics that are there from the first epoch on, those of error collections included.
    pub topics: Vec<TopicSpec>,
    /// The maxima.
    pub limits: Limits,
    /// The compiler of subscribers' filters.
    pub filters: FilterCompiler,
    /// Makes minted ids differ between servers.
    pub seed: u64,
}

impl std::fmt::Debug for BusOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BusOptions")
            .field("n_topics", &self.topics.len())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Bus {
    /// A bus before its first epoch.
    pub fn new(options: BusOptions) -> Self {
        let mut topics = Topics::default();
        for spec in options.topics {
            topics.add(Topic::new(spec, Epoch::ZERO));
        }
        Self {
            limits: options.limits,
            topics,
            filters: options.filters,
            sessions: BTreeMap::new(),
            open_epoch: Epoch(1),
            applied: Epoch::ZERO,
            queue: Vec::new(),
            queue_rows: 0,
            state_full: BTreeMap::new(),
            under_way: BTreeMap::new(),
            waiting: BTreeMap::new(),
            outputs: Vec::new(),
            now: 0,
            clock: i64::MIN,
            seed: options.seed,
            n_ids: 0,
        }
    }

    /// Refuses what adds rows to these topics, as long as the state of a circuit that reads them
    /// takes more than it may.
    pub fn limit_state(&mut self, full: BTreeMap<TopicName, StateFull>) {
        self.state_full = full;
    }

    /// The newest epoch whose effects are known.
    pub fn applied(&self) -> Epoch {
        self.applied
    }

    /// The epoch that is minted next.
    pub fn next_epoch(&self) -> Epoch {
        self.open_epoch
    }

    /// Whether messages wait for an epoch.
    pub fn has_input(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The rows of a topic and how often each is there, after the last applied epoch.
    pub fn state(&self, topic: &TopicName) -> Option<Vec<(Row, i64)>> {
        let rows = self.topics.get(topic)?.retained.snapshot(self.applied).into_iter();
        Some(rows.map(|update| (update.row, update.diff)).collect())
    }

    /// The schema of a topic.
    pub fn schema(&self, topic: &TopicName) -> Option<&Schema> {
        Some(&self.topics.get(topic)?.spec.schema)
    }

    /// The sessions at this moment, for the status of the server.
    pub fn n_sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Welcomes a session whose identity the edge has checked.
    ///
    /// # Panics
    /// If the id is in use: the edge never gives one twice.
    pub fn open(
        &mut self,
        session: SessionId,
        principal: Principal,
        encoding: Encoding,
        now: i64,
    ) -> Vec<Output> {
        self.now = now;
        let name = principal.name.clone();
        let state = Session {
            principal,
            encoding,
            int64: Int64Form::default(),
            subscriptions: BTreeMap::new(),
            outbox_bytes: 0,
            n_faults: 0,
        };
        let before = self.sessions.insert(session, state);
        assert!(before.is_none(), "session {session:?} opens once");
        if self.sessions.len() > self.limits.sessions_max {
            let full = Refusal::new(
                arqon_proto::ErrorCode::ResourceExhausted,
                format!("the server has {} sessions already", self.limits.sessions_max),
            );
            self.refuse(session, None, full.retry_after_ms(1000));
            self.close_with(session, 4429, "too many sessions");
            return self.take_outputs();
        }
        let limits = SessionLimits {
            message_bytes_max: self.limits.message_bytes_max as u64,
            batch_messages_max: self.limits.batch_messages_max as u64,
            subscriptions_max: self.limits.subscriptions_max as u64,
            outbox_bytes_max: self.limits.outbox_bytes_max as u64,
            ping_interval_ms: self.limits.ping_interval_ms,
        };
        self.tell(
            session,
            Control::Welcome(Welcome {
                session: format!("s{:08x}-{}", self.seed & 0xffff_ffff, session.0),
                principal: name,
                limits,
                server_time: now,
                features: ["json", "proto"].map(str::to_owned).to_vec(),
            }),
        );
        self.take_outputs()
    }

    /// Writes int64 values of the session's rows as its hello asks; protobuf has one form alone.
    pub fn write_int64_as(&mut self, session: SessionId, int64: Int64Form) {
        if let Some(state) = self.sessions.get_mut(&session) {
            state.int64 = int64;
        }
    }

    /// Forgets a session whose websocket is gone.
    pub fn close(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }

    pub(crate) fn close_with(&mut self, session: SessionId, code: u16, reason: &'static str) {
        if self.sessions.remove(&session).is_some() {
            self.outputs.push(Output::Close { session, code, reason });
        }
    }

    /// Sends a control frame; a client that reads no answers is closed.
    pub(crate) fn tell(&mut self, session: SessionId, control: Control) {
        self.send(session, Envelope::control(control));
    }

    pub(crate) fn refuse(&mut self, session: SessionId, id: Option<Uuid>, refusal: Refusal) {
        self.tell(session, Control::Error(refusal.into_frame(id)));
    }

    pub(crate) fn send(&mut self, session: SessionId, mut envelope: Envelope) {
        let id = self.mint();
        let Some(state) = self.sessions.get_mut(&session) else { return };
        envelope.id = Some(id);
        envelope.ts = Some(self.now);
        let bytes = envelope.encode(state.encoding);
        state.outbox_bytes += bytes.len();
        let is_full = state.outbox_bytes > self.limits.outbox_bytes_close
            && matches!(envelope.payload, Payload::Control(_));
        self.outputs.push(Output::Frame { session, bytes });
        if is_full {
            self.close_with(session, 4408, "the client does not read");
        }
    }

    pub(crate) fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// A version 7 UUID of the current time, a running number and the seed.
    pub(crate) fn mint(&mut self) -> Uuid {
        self.n_ids += 1;
        let millis = u64::try_from(self.now / 1_000_000).unwrap_or(0);
        let mut tail = [0; 10];
        // The first bytes sort ids of one millisecond; the seed sets servers apart.
        tail[..4].copy_from_slice(&self.n_ids.to_be_bytes()[4..]);
        tail[4..].copy_from_slice(&self.seed.to_be_bytes()[2..]);
        uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }
}

/// The frame that the edge sends to one who has no session.
pub fn farewell(error: ErrorFrame, encoding: Encoding) -> Bytes {
    let mut envelope = Envelope::control(Control::Error(error));
    SESSION_TOPIC.clone_into(&mut envelope.topic);
    envelope.encode(encoding)
}
