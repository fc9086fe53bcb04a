//! Envelopes as protobuf: generated wire messages to our own types and back.

use bytes::Bytes;
use prost::Message as _;
use uuid::Uuid;

use crate::code::ErrorCode;
use crate::decode_error::DecodeError;
use crate::frame::{
    Ack, AckMode, As, Begin, Control, CountedRow, Credit, Delta, Envelope, ErrorFrame, Gap,
    Headers, Hello, Kind, Part, Payload, Progress, RowChange, Secret, SessionLimits, Snapshot,
    Subscribe, Subscribed, TraceContext, Unsubscribe, Upsert, Upserts, Welcome,
};
use crate::limits::{HEADER_BYTES_MAX, HEADERS_MAX};
use crate::wire;

/// Reads one envelope from protobuf.
pub(crate) fn decode(bytes: &Bytes) -> Result<Envelope, DecodeError> {
    let mut frame = wire::Envelope::decode(bytes.clone()).map_err(|error| {
        DecodeError::mismatch(None, format!("the frame is no envelope: {error}"))
    })?;
    let id = id_of(&std::mem::take(&mut frame.id))
        .map_err(|message| DecodeError::mismatch(None, message))?;
    envelope_of(frame, id).map_err(|message| DecodeError::mismatch(id, message))
}

/// Appends the envelope as protobuf.
pub(crate) fn encode(envelope: &Envelope, out: &mut Vec<u8>) {
    let headers = &envelope.headers;
    let frame = wire::Envelope {
        topic: envelope.topic.clone(),
        r#type: kind_to_wire(envelope.kind) as i32,
        id: id_to_wire(envelope.id),
        ts: envelope.ts.unwrap_or(0),
        schema: envelope.schema.clone().unwrap_or_default(),
        trace: envelope.trace.as_ref().map(|trace| wire::TraceContext {
            traceparent: trace.traceparent.clone(),
            tracestate: trace.tracestate.clone(),
            span_id: trace.span_id.clone(),
            parent_id: trace.parent_id.clone(),
        }),
        headers: (*headers != Headers::default()).then(|| wire::Headers {
            ack: headers.ack.map(|ack| ack.as_str().to_owned()).unwrap_or_default(),
            key: headers.key.clone(),
            sub: headers.sub,
            offset: headers.offset,
            other: headers.other.clone().into_iter().collect(),
        }),
        payload: payload_to_wire(&envelope.payload),
    };
    frame.encode(out).expect("a vector grows");
}

fn envelope_of(frame: wire::Envelope, id: Option<Uuid>) -> Result<Envelope, String> {
    let kind = match frame.r#type() {
        wire::Kind::Unspecified => return Err(format!("kind {} is unknown", frame.r#type)),
        wire::Kind::Event => Kind::Event,
        wire::Kind::Job => Kind::Job,
        wire::Kind::JobResult => Kind::JobResult,
        wire::Kind::StreamStart => Kind::StreamStart,
        wire::Kind::StreamChunk => Kind::StreamChunk,
        wire::Kind::StreamEnd => Kind::StreamEnd,
        wire::Kind::Control => Kind::Control,
    };
    let payload = payload_of(frame.payload)?;
    if (kind == Kind::Control) != matches!(payload, Payload::Control(_)) {
        return Err("control frames, and they alone, have a control payload".to_owned());
    }
    Ok(Envelope {
        id,
        kind,
        topic: frame.topic,
        ts: (frame.ts != 0).then_some(frame.ts),
        schema: (!frame.schema.is_empty()).then_some(frame.schema),
        trace: frame.trace.map(|trace| TraceContext {
            traceparent: trace.traceparent,
            tracestate: trace.tracestate,
            span_id: trace.span_id,
            parent_id: trace.parent_id,
        }),
        headers: frame.headers.map(headers_of).transpose()?.unwrap_or_default(),
        payload,
    })
}

fn headers_of(headers: wire::Headers) -> Result<Headers, String> {
    if headers.other.len() > HEADERS_MAX {
        return Err(format!("{} headers, at most {HEADERS_MAX}", headers.other.len()));
    }
    let key_bytes = headers.key.as_ref().map_or(0, Bytes::len);
    if key_bytes > HEADER_BYTES_MAX
        || headers.other.iter().any(|(name, value)| name.len() + value.len() > HEADER_BYTES_MAX)
    {
        return Err(format!("a header is above {HEADER_BYTES_MAX} bytes"));
    }
    let ack = match headers.ack.as_str() {
        "" => None,
        mode => Some(AckMode::parse(mode).ok_or_else(|| format!("ack mode {mode:?} is unknown"))?),
    };
    Ok(Headers {
        ack,
        key: headers.key,
        sub: headers.sub,
        offset: headers.offset,
        other: headers.other.into_iter().collect(),
    })
}

fn payload_of(payload: Option<wire::envelope::Payload>) -> Result<Payload, String> {
    use wire::envelope::Payload as W;
    Ok(match payload {
        None => Payload::Null,
        Some(W::Row(row)) => Payload::Row(row),
        Some(W::Control(control)) => Payload::Control(control_of(control)?),
        Some(W::Delta(delta)) => Payload::Delta(delta_of(delta)?),
        Some(W::Snapshot(snapshot)) => {
            if snapshot.counts.len() != snapshot.rows.len() {
                return Err("a snapshot has one count per row".to_owned());
            }
            let counted = |(row, count)| CountedRow { row, count };
            Payload::Snapshot(Snapshot {
                sub: snapshot.sub,
                epoch: snapshot.epoch,
                part: part_of(snapshot.part, snapshot.parts),
                rows: snapshot.rows.into_iter().zip(snapshot.counts).map(counted).collect(),
            })
        }
        Some(W::Upserts(upserts)) => Payload::Upserts(Upserts {
            sub: upserts.sub,
            lower: upserts.lower,
            upper: upserts.upper,
            part: part_of(upserts.part, upserts.parts),
            upserts: upserts
                .upserts
                .into_iter()
                .map(|upsert| Upsert { epoch: upsert.epoch, key: upsert.key, row: upsert.row })
                .collect(),
        }),
    })
}

fn delta_of(delta: wire::Delta) -> Result<Delta, String> {
    let n_rows = delta.rows.len();
    if delta.diffs.len() != n_rows || !(delta.epochs.is_empty() || delta.epochs.len() == n_rows) {
        return Err("a delta has one diff per row, and one epoch per row or none".to_owned());
    }
    // A delivered delta has an upper bound above 0; a published one has no bounds at all.
    let delivered = delta.upper > 0;
    let changes = delta.rows.into_iter().zip(delta.diffs).enumerate();
    Ok(Delta {
        sub: delivered.then_some(delta.sub),
        lower: delivered.then_some(delta.lower),
        upper: delivered.then_some(delta.upper),
        part: part_of(delta.part, delta.parts),
        changes: changes
            .map(|(at, (row, diff))| RowChange { epoch: delta.epochs.get(at).copied(), diff, row })
            .collect(),
    })
}

fn payload_to_wire(payload: &Payload) -> Option<wire::envelope::Payload> {
    use wire::envelope::Payload as W;
    Some(match payload {
        Payload::Null => return None,
        Payload::Row(row) => W::Row(row.clone()),
        Payload::Control(control) => {
            W::Control(wire::Control { control: Some(control_to_wire(control)) })
        }
        Payload::Delta(delta) => {
            let (part, parts) = part_to_wire(delta.part);
            W::Delta(wire::Delta {
                sub: delta.sub.unwrap_or(0),
                lower: delta.lower.unwrap_or(0),
                upper: delta.upper.unwrap_or(0),
                part,
                parts,
                epochs: delta.changes.iter().filter_map(|change| change.epoch).collect(),
                diffs: delta.changes.iter().map(|change| change.diff).collect(),
                rows: delta.changes.iter().map(|change| change.row.clone()).collect(),
            })
        }
        Payload::Snapshot(snapshot) => {
            let (part, parts) = part_to_wire(snapshot.part);
            W::Snapshot(wire::Snapshot {
                sub: snapshot.sub,
                epoch: snapshot.epoch,
                part,
                parts,
                counts: snapshot.rows.iter().map(|counted| counted.count).collect(),
                rows: snapshot.rows.iter().map(|counted| counted.row.clone()).collect(),
            })
        }
        Payload::Upserts(upserts) => {
            let (part, parts) = part_to_wire(upserts.part);
            let upsert = |upsert: &Upsert| wire::Upsert {
                epoch: upsert.epoch,
                key: upsert.key.clone(),
                row: upsert.row.clone(),
            };
            W::Upserts(wire::Upserts {
                sub: upserts.sub,
                lower: upserts.lower,
                upper: upserts.upper,
                part,
                parts,
                upserts: upserts.upserts.iter().map(upsert).collect(),
            })
        }
    })
}

fn control_of(control: wire::Control) -> Result<Control, String> {
    use wire::control::Control as W;
    Ok(match control.control.ok_or("the control message is unknown")? {
        W::Hello(hello) => Control::Hello(Hello {
            token: (!hello.token.is_empty()).then_some(Secret(hello.token)),
            client: (!hello.client.is_empty()).then_some(hello.client),
            ..Hello::default()
        }),
        W::Welcome(welcome) => {
            let limits = welcome.limits.unwrap_or_default();
            Control::Welcome(Welcome {
                session: welcome.session,
                principal: welcome.principal,
                limits: SessionLimits {
                    message_bytes_max: limits.message_bytes_max,
                    batch_messages_max: limits.batch_messages_max,
                    subscriptions_max: limits.subscriptions_max,
                    outbox_bytes_max: limits.outbox_bytes_max,
                    ping_interval_ms: limits.ping_interval_ms,
                },
                server_time: welcome.server_time,
                features: welcome.features,
            })
        }
        W::Batch(batch) => Control::Batch(batch.messages),
        W::Ack(ack) => Control::Ack(Ack {
            id: id_of(&ack.id)?.ok_or("an ack names its message")?,
            offset: ack.offset,
            epoch: ack.epoch,
            durable: ack.durable,
        }),
        W::Subscribe(subscribe) => Control::Subscribe(subscribe_of(subscribe)?),
        W::Subscribed(wire::Subscribed { sub, epoch }) => {
            Control::Subscribed(Subscribed { sub, epoch })
        }
        W::Unsubscribe(wire::Unsubscribe { sub }) => Control::Unsubscribe(Unsubscribe { sub }),
        W::Credit(wire::Credit { sub, add }) => Control::Credit(Credit { sub, add }),
        W::Progress(wire::Progress { sub, upper }) => Control::Progress(Progress { sub, upper }),
        W::Gap(wire::Gap { sub, after, next }) => Control::Gap(Gap { sub, after, next }),
        W::Error(error) => Control::Error(ErrorFrame {
            id: id_of(&error.id)?,
            code: ErrorCode::parse(&error.code),
            message: error.message,
            help: (!error.help.is_empty()).then_some(error.help),
            retry_after_ms: error.retry_after_ms,
        }),
    })
}

fn subscribe_of(subscribe: wire::Subscribe) -> Result<Subscribe, String> {
    use wire::subscribe::From as W;
    Ok(Subscribe {
        sub: subscribe.sub,
        topic: subscribe.topic,
        from: match subscribe.from {
            None | Some(W::Now(_)) => Begin::Now,
            Some(W::Snapshot(_)) => Begin::Snapshot,
            Some(W::Epoch(epoch)) => Begin::Epoch(epoch),
            Some(W::Offset(offset)) => Begin::Offset(offset),
            Some(W::Time(time)) => Begin::Time(time),
        },
        form: match subscribe.r#as.as_str() {
            "" | "deltas" => As::Deltas,
            "snapshot" => As::Snapshot,
            "upserts" => As::Upserts,
            other => return Err(format!("`as` is {other:?}; it is deltas, snapshot or upserts")),
        },
        filter: (!subscribe.r#where.is_empty()).then_some(subscribe.r#where),
        credit: subscribe.credit,
    })
}

fn control_to_wire(control: &Control) -> wire::control::Control {
    use wire::control::Control as W;
    match control {
        Control::Hello(hello) => W::Hello(wire::Hello {
            token: hello.token.clone().map(|token| token.0).unwrap_or_default(),
            client: hello.client.clone().unwrap_or_default(),
        }),
        Control::Welcome(welcome) => W::Welcome(wire::Welcome {
            session: welcome.session.clone(),
            principal: welcome.principal.clone(),
            limits: Some(wire::Limits {
                message_bytes_max: welcome.limits.message_bytes_max,
                batch_messages_max: welcome.limits.batch_messages_max,
                subscriptions_max: welcome.limits.subscriptions_max,
                outbox_bytes_max: welcome.limits.outbox_bytes_max,
                ping_interval_ms: welcome.limits.ping_interval_ms,
            }),
            server_time: welcome.server_time,
            features: welcome.features.clone(),
        }),
        Control::Batch(messages) => W::Batch(wire::Batch { messages: messages.clone() }),
        Control::Ack(ack) => W::Ack(wire::Ack {
            id: id_to_wire(Some(ack.id)),
            offset: ack.offset,
            epoch: ack.epoch,
            durable: ack.durable,
        }),
        Control::Subscribe(subscribe) => W::Subscribe(subscribe_to_wire(subscribe)),
        Control::Subscribed(Subscribed { sub, epoch }) => {
            W::Subscribed(wire::Subscribed { sub: *sub, epoch: *epoch })
        }
        Control::Unsubscribe(Unsubscribe { sub }) => {
            W::Unsubscribe(wire::Unsubscribe { sub: *sub })
        }
        Control::Credit(Credit { sub, add }) => W::Credit(wire::Credit { sub: *sub, add: *add }),
        Control::Progress(Progress { sub, upper }) => {
            W::Progress(wire::Progress { sub: *sub, upper: *upper })
        }
        Control::Gap(Gap { sub, after, next }) => {
            W::Gap(wire::Gap { sub: *sub, after: *after, next: *next })
        }
        Control::Error(error) => W::Error(wire::Error {
            id: id_to_wire(error.id),
            code: error.code.as_str().to_owned(),
            message: error.message.clone(),
            help: error.help.clone().unwrap_or_default(),
            retry_after_ms: error.retry_after_ms,
        }),
    }
}

fn subscribe_to_wire(subscribe: &Subscribe) -> wire::Subscribe {
    use wire::subscribe::From as W;
    wire::Subscribe {
        sub: subscribe.sub,
        topic: subscribe.topic.clone(),
        from: Some(match &subscribe.from {
            Begin::Now => W::Now(true),
            Begin::Snapshot => W::Snapshot(true),
            Begin::Epoch(epoch) => W::Epoch(*epoch),
            Begin::Offset(offset) => W::Offset(*offset),
            Begin::Time(time) => W::Time(time.clone()),
        }),
        r#as: match subscribe.form {
            As::Deltas => "deltas",
            As::Snapshot => "snapshot",
            As::Upserts => "upserts",
        }
        .to_owned(),
        r#where: subscribe.filter.clone().unwrap_or_default(),
        credit: subscribe.credit,
    }
}

fn kind_to_wire(kind: Kind) -> wire::Kind {
    match kind {
        Kind::Event => wire::Kind::Event,
        Kind::Job => wire::Kind::Job,
        Kind::JobResult => wire::Kind::JobResult,
        Kind::StreamStart => wire::Kind::StreamStart,
        Kind::StreamChunk => wire::Kind::StreamChunk,
        Kind::StreamEnd => wire::Kind::StreamEnd,
        Kind::Control => wire::Kind::Control,
    }
}

fn part_of(part: u32, parts: u32) -> Option<Part> {
    (parts > 0).then_some(Part { part, parts })
}

fn part_to_wire(part: Option<Part>) -> (u32, u32) {
    part.map_or((0, 0), |part| (part.part, part.parts))
}

fn id_of(bytes: &Bytes) -> Result<Option<Uuid>, String> {
    match bytes.len() {
        0 => Ok(None),
        _ => Uuid::from_slice(bytes)
            .map(Some)
            .map_err(|_| format!("an id has 16 bytes, this one has {}", bytes.len())),
    }
}

fn id_to_wire(id: Option<Uuid>) -> Bytes {
    id.map(|id| Bytes::copy_from_slice(id.as_bytes())).unwrap_or_default()
}
