//! What clients send to topics: checked once, here, then queued for the open epoch.

use arqon_proto::{
    Ack, AckMode, Control, DIFF_MAX, Delta, Envelope, ErrorCode, Kind, Payload, RowError,
};
use arqon_types::{Change, Discipline, Epoch, Row, TopicName};
use bytes::Bytes;
use uuid::Uuid;

use crate::dedupe::{FirstAck, Offset};
use crate::grant::Action;
use crate::machine::{Bus, SessionId, WaitingAck};
use crate::refusal::{Refusal, adds_rows};
use crate::topic::Topic;

/// A message that has passed every check and has not taken effect yet.
struct Checked {
    id: Uuid,
    mode: AckMode,
    durable: Option<bool>,
    effect: Effect,
}

enum Effect {
    Changes {
        topic: usize,
        changes: Vec<Change>,
    },
    /// The id was seen before: only the ack is due.
    Repeated {
        topic: usize,
        first: FirstAck,
    },
}

/// An ack that is to be sent, now or when its epoch is applied.
#[derive(Clone, Copy)]
struct Due {
    id: Uuid,
    mode: AckMode,
    durable: Option<bool>,
    topic: usize,
    first: FirstAck,
}

impl Bus {
    pub(crate) fn publish(&mut self, session: SessionId, envelope: &Envelope) {
        let id = envelope.id;
        match self.check(session, envelope).and_then(|checked| self.admit(vec![checked])) {
            Ok(checked) => checked.into_iter().for_each(|checked| self.commit(session, checked)),
            Err(refusal) => self.refuse(session, id, refusal),
        }
    }

    pub(crate) fn publish_batch(
        &mut self,
        session: SessionId,
        id: Option<Uuid>,
        messages: &[Bytes],
    ) {
        match self.check_batch(session, messages).and_then(|checked| self.admit(checked)) {
            Ok(checked) => checked.into_iter().for_each(|checked| self.commit(session, checked)),
            Err(refusal) => self.refuse(session, id, refusal),
        }
    }

    fn check_batch(
        &mut self,
        session: SessionId,
        messages: &[Bytes],
    ) -> Result<Vec<Checked>, Refusal> {
        let n_messages_max = self.limits.batch_messages_max;
        if messages.len() > n_messages_max {
            let message =
                format!("the batch has {} messages, at most {n_messages_max}", messages.len());
            return Err(Refusal::new(ErrorCode::TooLarge, message));
        }
        if messages.is_empty() {
            // There is no message whose ack would answer it.
            return Err(Refusal::new(ErrorCode::SchemaMismatch, "the batch has no messages"));
        }
        let Some(encoding) = self.sessions.get(&session).map(|state| state.encoding) else {
            return Ok(Vec::new());
        };
        let mut checked = Vec::with_capacity(messages.len());
        for (at, bytes) in messages.iter().enumerate() {
            let within = |id: Option<Uuid>, refusal: Refusal| {
                let id = id.map_or_else(|| "no id".to_owned(), |id| format!("id {id}"));
                Refusal { message: format!("message {at} ({id}): {}", refusal.message), ..refusal }
            };
            let envelope = Envelope::decode(bytes, encoding)
                .map_err(|fault| within(fault.id, Refusal::new(fault.code, fault.message)))?;
            let id = envelope.id;
            if envelope.kind != Kind::Event {
                let odd = Refusal::new(ErrorCode::SchemaMismatch, "a batch holds events alone");
                return Err(within(id, odd));
            }
            checked.push(self.check(session, &envelope).map_err(|refusal| within(id, refusal))?);
        }
        Ok(checked)
    }

    /// All checks that look at one message alone.
    fn check(&mut self, session: SessionId, envelope: &Envelope) -> Result<Checked, Refusal> {
        let minted = self.mint();
        let Some(state) = self.sessions.get(&session) else {
            return Err(Refusal::new(ErrorCode::Unauthenticated, "the session is closed"));
        };
        let name = &envelope.topic;
        let forbidden = || {
            Refusal::new(ErrorCode::Forbidden, format!("may not publish to `{name}`"))
                .help(format!("ask for the grant can_publish:{name}"))
        };
        let parsed = TopicName::parse(name).map_err(|_| forbidden())?;
        if !state.principal.may(Action::Publish, &parsed) {
            return Err(forbidden());
        }
        let Some(at) = self.topics.place(&parsed) else {
            let unknown = format!("no topic is called `{name}`");
            return Err(Refusal::new(ErrorCode::UnknownTopic, unknown));
        };
        let topic = &self.topics[at];
        if !topic.spec.edge.admits() {
            let closed = Refusal::new(
                ErrorCode::Forbidden,
                format!("topic `{name}` takes nothing from clients"),
            );
            return Err(closed.help("declare it with edge: in or edge: both"));
        }
        if let Some(reason) = &topic.stopped {
            return Err(Refusal::new(ErrorCode::Unavailable, reason.clone()));
        }
        let mode = envelope.headers.ack.unwrap_or(AckMode::Accepted);
        // Without a store nothing is durable: such an ack says so, and comes when the bus has it.
        let (mode, durable) = match mode {
            AckMode::Durable => (AckMode::Accepted, Some(false)),
            AckMode::None | AckMode::Accepted | AckMode::Applied => (mode, None),
        };
        let first = envelope.id.and_then(|id| topic.dedupe.first(id, &state.principal.name));
        let effect = if let Some(first) = first {
            Effect::Repeated { topic: at, first }
        } else {
            check_diffs(&envelope.payload, self.limits.diff_max)?;
            let changes = changes_of(topic, envelope, state.encoding)?;
            Effect::Changes { topic: at, changes }
        };
        Ok(Checked { id: envelope.id.unwrap_or(minted), mode, durable, effect })
    }

    /// Whether the state may grow, and the queue has room for all of them.
    fn admit(&self, checked: Vec<Checked>) -> Result<Vec<Checked>, Refusal> {
        let full = |checked: &Checked| match &checked.effect {
            Effect::Changes { topic, changes } if adds_rows(changes) => {
                self.state_full.get(&self.topics[*topic].spec.name)
            }
            Effect::Changes { .. } | Effect::Repeated { .. } => None,
        };
        if let Some(full) = checked.iter().find_map(full) {
            return Err(Refusal::new(ErrorCode::ResourceExhausted, full.to_string())
                .help("take rows back, or let windows close; `limits: state` is the limit"));
        }
        let n_rows: usize = checked
            .iter()
            .map(|checked| match &checked.effect {
                Effect::Changes { changes, .. } => changes.len(),
                Effect::Repeated { .. } => 0,
            })
            .sum();
        let n_rows_max = self.limits.queue_rows_max;
        if n_rows > n_rows_max {
            let message = format!("{n_rows} rows in one epoch, at most {n_rows_max}");
            return Err(Refusal::new(ErrorCode::TooLarge, message));
        }
        if self.queue_rows + n_rows > n_rows_max {
            let message = format!("{} rows wait for the engine already", self.queue_rows);
            return Err(Refusal::new(ErrorCode::ResourceExhausted, message).retry_after_ms(50));
        }
        Ok(checked)
    }

    fn commit(&mut self, session: SessionId, checked: Checked) {
        let Checked { id, mode, durable, effect } = checked;
        let principal = match self.sessions.get(&session) {
            Some(state) => state.principal.name.clone(),
            None => return,
        };
        let (topic, changes) = match effect {
            Effect::Repeated { topic, first } => {
                return self.acknowledge(session, Due { id, mode, durable, topic, first });
            }
            Effect::Changes { topic, changes } => (topic, changes),
        };
        // A later message of a batch may repeat an earlier one.
        let before = self.topics[topic].dedupe.first(id, &principal);
        let first = before.unwrap_or_else(|| {
            let offset = self.enqueue(topic, changes);
            let first = FirstAck { offset, epoch: self.open_epoch.0, mode };
            let ids_max = self.limits.dedupe_ids_max;
            self.topics[topic].dedupe.remember(id, &principal, first, ids_max);
            first
        });
        self.acknowledge(session, Due { id, mode, durable, topic, first });
    }

    fn acknowledge(&mut self, session: SessionId, due: Due) {
        let Due { id, mode, durable, topic, first } = due;
        let FirstAck { offset, epoch, mode: first_mode } = first;
        if mode == AckMode::None {
            return;
        }
        let is_applied = first_mode == AckMode::Applied || mode == AckMode::Applied;
        let waits = is_applied && self.applied.0 < epoch;
        match self.topics[topic].known(offset, epoch, self.applied) {
            Some(offset) if !waits => {
                self.tell(session, Control::Ack(Ack { id, offset, epoch, durable }));
            }
            // An ack promises an offset, and the circuit may yet say something before.
            Some(_) | None => {
                let ack = WaitingAck { session, id, topic, offset, is_applied, durable };
                self.waiting.entry(Epoch(epoch)).or_default().push(ack);
            }
        }
    }

    /// Puts changes into the open epoch and returns the offset of the last.
    fn enqueue(&mut self, at: usize, mut changes: Vec<Change>) -> Offset {
        let offset = self.topics[at].place(changes.len());
        self.queue_rows += changes.len();
        match self.queue.last_mut() {
            Some((topic, waiting)) if *topic == at => waiting.append(&mut changes),
            Some(_) | None => self.queue.push((at, changes)),
        }
        offset
    }
}

/// Decodes the payload as what the topic's discipline allows.
fn changes_of(
    topic: &Topic,
    envelope: &Envelope,
    encoding: arqon_proto::Encoding,
) -> Result<Vec<Change>, Refusal> {
    let name = &topic.spec.name;
    let row = |bytes: &Bytes| {
        decode(topic.rows(), bytes, encoding).map_err(|fault| mismatch(topic, &fault))
    };
    match (topic.spec.discipline, &envelope.payload) {
        (Discipline::Events | Discipline::Full, Payload::Row(bytes)) => {
            Ok(vec![topic.codec.change_of(row(bytes)?)])
        }
        (Discipline::Full, Payload::Null) => {
            let Some(key) = &envelope.headers.key else {
                let missing = format!("a null payload on `{name}` deletes a key; none is named");
                return Err(Refusal::new(ErrorCode::SchemaMismatch, missing)
                    .help("put the key's fields into headers.key"));
            };
            let key = decode(topic.codec.keys(), key, encoding)
                .map_err(|fault| mismatch(topic, &fault))?;
            Ok(vec![Change::Delete(key)])
        }
        (Discipline::Delta, Payload::Delta(delta)) => {
            let diffs = delta_of(topic, delta, row)?;
            Ok(diffs.into_iter().map(|(row, diff)| Change::Diff { row, diff }).collect())
        }
        (Discipline::Events, Payload::Delta(delta)) => {
            let retracts = || {
                let message = format!("topic `{name}` carries events, which are never retracted");
                Err(Refusal::new(ErrorCode::NoRetractions, message)
                    .help("declare it with carries: delta, or send inserts alone"))
            };
            if delta.changes.iter().any(|change| change.diff < 0) {
                return retracts();
            }
            if delta.changes.iter().any(|change| change.diff > 1) {
                let message = format!("topic `{name}` carries events: each has diff 1");
                return Err(Refusal::new(ErrorCode::SchemaMismatch, message));
            }
            let diffs = delta_of(topic, delta, row)?;
            Ok(diffs.into_iter().map(|(row, _)| Change::Insert(row)).collect())
        }
        (Discipline::Events, Payload::Null) => {
            let message = format!("topic `{name}` carries events, which are never deleted");
            Err(Refusal::new(ErrorCode::NoRetractions, message))
        }
        (
            Discipline::Delta,
            Payload::Row(_) | Payload::Null | Payload::Snapshot(_) | Payload::Upserts(_),
        ) => {
            let message = format!("topic `{name}` carries changes only; this is a full state");
            Err(Refusal::new(ErrorCode::DeltaOnly, message).help(
                "send schema arqonbus.delta.v1 with payload {\"changes\":[{\"diff\":1,\"row\":{…}}]}",
            ))
        }
        (Discipline::Full, Payload::Delta(_)) => {
            let message = format!("topic `{name}` carries the whole state of a key, not changes");
            Err(Refusal::new(ErrorCode::SchemaMismatch, message)
                .help("send the row as it is now, or null with headers.key"))
        }
        (Discipline::Events | Discipline::Full, Payload::Snapshot(_) | Payload::Upserts(_)) => {
            let message =
                format!("only the server sends snapshots and upserts; `{name}` takes rows");
            Err(Refusal::new(ErrorCode::SchemaMismatch, message))
        }
        (_, Payload::Control(_)) => {
            Err(Refusal::new(ErrorCode::SchemaMismatch, "an event has no control payload"))
        }
    }
}

fn check_diffs(payload: &Payload, diff_max: u64) -> Result<(), Refusal> {
    let Payload::Delta(delta) = payload else { return Ok(()) };
    match delta.changes.iter().find(|change| change.diff.unsigned_abs() > diff_max) {
        None => Ok(()),
        Some(change) => {
            let message = format!("diff {} is beyond {diff_max}", change.diff);
            Err(Refusal::new(ErrorCode::TooLarge, message))
        }
    }
}

fn delta_of(
    topic: &Topic,
    delta: &Delta,
    row: impl Fn(&Bytes) -> Result<Row, Refusal>,
) -> Result<Vec<(Row, i64)>, Refusal> {
    delta
        .changes
        .iter()
        .map(|change| match change.diff {
            0 => Err(mismatch(topic, &RowError::new("diff", "is 0 and changes nothing"))),
            diff if !(-DIFF_MAX..=DIFF_MAX).contains(&diff) => {
                let reason = format!("is beyond {DIFF_MAX} copies at a time");
                Err(mismatch(topic, &RowError::new("diff", reason)))
            }
            diff => row(&change.row).map(|row| (row, diff)),
        })
        .collect()
}

fn decode(
    codec: &arqon_proto::RowCodec,
    bytes: &Bytes,
    encoding: arqon_proto::Encoding,
) -> Result<Row, RowError> {
    match encoding {
        arqon_proto::Encoding::Json => match std::str::from_utf8(bytes) {
            Ok(json) => codec.decode(json),
            Err(_) => Err(RowError::new("", "is not UTF-8")),
        },
        arqon_proto::Encoding::Proto => codec.decode_proto(bytes),
    }
}

fn mismatch(topic: &Topic, fault: &RowError) -> Refusal {
    let message = format!("the payload does not fit topic `{}`: {fault}", topic.spec.name);
    let names: Vec<String> = topic
        .spec
        .schema
        .fields
        .iter()
        .map(|field| format!("{}: {}", field.name, field.ty))
        .collect();
    Refusal::new(ErrorCode::SchemaMismatch, message).help(format!(
        "{} is {{ {} }}",
        topic.spec.schema.name,
        names.join(", ")
    ))
}
