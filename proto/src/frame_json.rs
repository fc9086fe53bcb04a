//! The JSON view of frames, written out by hand where its shape is a promise.
//!
//! A mapping derived from the descriptors would wrap rows and keys in base64 and write 64-bit
//! numbers as strings; here rows stand as nested JSON and numbers as numbers. Unknown fields of
//! an envelope are left alone, those of a control message are refused: a slip there changes sense.

use std::borrow::Cow;
use std::collections::BTreeMap;

use arqon_types::{format_timestamp, parse_timestamp};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::decode_error::DecodeError;
use crate::frame::{
    Ack, AckMode, Control, CountedRow, Credit, DELTA_SCHEMA, Delta, Envelope, ErrorFrame, Gap,
    Headers, Hello, Kind, Part, Payload, Progress, RowChange, SNAPSHOT_SCHEMA, Snapshot, Subscribe,
    Subscribed, TraceContext, UPSERTS_SCHEMA, Unsubscribe, Upsert, Upserts, Welcome,
};
use crate::limits::{HEADER_BYTES_MAX, HEADERS_MAX};

/// Reads one envelope from JSON.
pub(crate) fn decode(bytes: &[u8]) -> Result<Envelope, DecodeError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| DecodeError::mismatch(None, "the frame is not UTF-8"))?;
    // The reader would also take an array of the fields in their order.
    if !text.trim_start().starts_with('{') {
        return Err(DecodeError::mismatch(None, "the frame is no envelope: it is no object"));
    }
    let head: Head<'_> = serde_json::from_str(text).map_err(|error| {
        let id = serde_json::from_str::<IdAlone<'_>>(text).ok().and_then(|head| head.id);
        let id = id.and_then(|id| Uuid::try_parse(&id).ok());
        DecodeError::mismatch(id, format!("the frame is no envelope: {error}"))
    })?;
    let id =
        match &head.id {
            None => None,
            Some(id) => Some(Uuid::try_parse(id).map_err(|_| {
                DecodeError::mismatch(None, format!("`id` is {id:?}, and not a UUID"))
            })?),
        };
    head.into_envelope(id).map_err(|message| DecodeError::mismatch(id, message))
}

/// Appends the envelope as JSON.
pub(crate) fn encode(envelope: &Envelope, out: &mut Vec<u8>) {
    out.push(b'{');
    if let Some(id) = envelope.id {
        out.extend_from_slice(b"\"id\":\"");
        out.extend_from_slice(
            id.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes(),
        );
        out.extend_from_slice(b"\",");
    }
    out.extend_from_slice(b"\"type\":");
    write(&envelope.kind, out);
    out.extend_from_slice(b",\"topic\":");
    write(&envelope.topic, out);
    if let Some(ts) = envelope.ts {
        out.extend_from_slice(b",\"ts\":");
        write(&format_timestamp(ts), out);
    }
    if let Some(schema) = &envelope.schema {
        out.extend_from_slice(b",\"schema\":");
        write(schema, out);
    }
    out.extend_from_slice(b",\"payload\":");
    encode_payload(&envelope.payload, out);
    encode_headers(&envelope.headers, out);
    if let Some(trace) = &envelope.trace {
        out.extend_from_slice(b",\"trace\":");
        write(trace, out);
    }
    out.push(b'}');
}

/// Whom to answer when the rest of a frame cannot be read.
#[derive(Deserialize)]
struct IdAlone<'a> {
    #[serde(default, borrow)]
    id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(default, borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(borrow)]
    topic: Cow<'a, str>,
    #[serde(default, borrow)]
    ts: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    schema: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    payload: Option<&'a RawValue>,
    #[serde(default, borrow)]
    headers: BTreeMap<Cow<'a, str>, &'a RawValue>,
    #[serde(default)]
    trace: Option<TraceContext>,
}

impl Head<'_> {
    fn into_envelope(self, id: Option<Uuid>) -> Result<Envelope, String> {
        let ts = self.ts.as_deref().map(parse_timestamp).transpose();
        let payload = match self.payload {
            None => Payload::Null,
            Some(raw) => decode_payload(raw, self.kind, self.schema.as_deref())?,
        };
        Ok(Envelope {
            id,
            kind: self.kind,
            topic: self.topic.into_owned(),
            ts: ts.map_err(|error| format!("`ts`: {error}"))?,
            schema: self.schema.map(Cow::into_owned),
            trace: self.trace,
            headers: decode_headers(&self.headers)?,
            payload,
        })
    }
}

fn decode_payload(raw: &RawValue, kind: Kind, schema: Option<&str>) -> Result<Payload, String> {
    let fault = |error: serde_json::Error| format!("`payload`: {error}");
    match (kind, schema) {
        (Kind::Control, _) => serde_json::from_str::<ControlJson<'_>>(raw.get())
            .map(|control| Payload::Control(control.into()))
            .map_err(fault),
        (_, Some(DELTA_SCHEMA)) => serde_json::from_str::<DeltaJson<'_>>(raw.get())
            .map(|delta| Payload::Delta(delta.into()))
            .map_err(fault),
        (_, Some(SNAPSHOT_SCHEMA)) => serde_json::from_str::<SnapshotJson<'_>>(raw.get())
            .map(|snapshot| Payload::Snapshot(snapshot.into()))
            .map_err(fault),
        (_, Some(UPSERTS_SCHEMA)) => serde_json::from_str::<UpsertsJson<'_>>(raw.get())
            .map(|upserts| Payload::Upserts(upserts.into()))
            .map_err(fault),
        _ if raw.get() == "null" => Ok(Payload::Null),
        _ => Ok(Payload::Row(bytes_of(raw))),
    }
}

fn decode_headers(raw: &BTreeMap<Cow<'_, str>, &RawValue>) -> Result<Headers, String> {
    if raw.len() > HEADERS_MAX {
        return Err(format!("{} headers, at most {HEADERS_MAX}", raw.len()));
    }
    let mut headers = Headers::default();
    for (name, raw) in raw {
        let text = raw.get();
        if name.len() + text.len() > HEADER_BYTES_MAX {
            return Err(format!("header `{name:.32}` is above {HEADER_BYTES_MAX} bytes"));
        }
        let fault = |error: serde_json::Error| format!("header `{name}`: {error}");
        match name.as_ref() {
            "ack" => headers.ack = Some(serde_json::from_str(text).map_err(fault)?),
            "key" => headers.key = Some(bytes_of(raw)),
            "sub" => headers.sub = Some(serde_json::from_str(text).map_err(fault)?),
            "offset" => headers.offset = Some(serde_json::from_str(text).map_err(fault)?),
            _ => {
                let value: String = serde_json::from_str(text).map_err(fault)?;
                headers.other.insert(name.to_string(), value);
            }
        }
    }
    Ok(headers)
}

fn encode_headers(headers: &Headers, out: &mut Vec<u8>) {
    let mut open = Opening { text: b",\"headers\":{", opened: false };
    if let Some(ack) = headers.ack {
        open.name("ack", out);
        write(&AckMode::as_str(ack), out);
    }
    if let Some(key) = &headers.key {
        open.name("key", out);
        out.extend_from_slice(key);
    }
    for (name, number) in [("sub", headers.sub), ("offset", headers.offset)] {
        if let Some(number) = number {
            open.name(name, out);
            write(&number, out);
        }
    }
    for (name, value) in &headers.other {
        open.name(name, out);
        write(value, out);
    }
    if open.opened {
        out.push(b'}');
    }
}

/// Opens an object at its first name.
struct Opening {
    text: &'static [u8],
    opened: bool,
}

impl Opening {
    fn name(&mut self, name: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.opened { b"," } else { self.text });
        self.opened = true;
        write(name, out);
        out.push(b':');
    }
}

fn encode_payload(payload: &Payload, out: &mut Vec<u8>) {
    match payload {
        Payload::Null => out.extend_from_slice(b"null"),
        Payload::Row(row) => out.extend_from_slice(row),
        Payload::Control(control) => encode_control(control, out),
        Payload::Delta(delta) => {
            let mut open = Opening { text: b"{", opened: false };
            for (name, number) in
                [("sub", delta.sub), ("lower", delta.lower), ("upper", delta.upper)]
            {
                if let Some(number) = number {
                    open.name(name, out);
                    write(&number, out);
                }
            }
            encode_part(delta.part, &mut open, out);
            open.name("changes", out);
            encode_list(&delta.changes, out, |change, out| {
                let mut open = Opening { text: b"{", opened: false };
                if let Some(epoch) = change.epoch {
                    open.name("epoch", out);
                    write(&epoch, out);
                }
                open.name("diff", out);
                write(&change.diff, out);
                open.name("row", out);
                out.extend_from_slice(&change.row);
                out.push(b'}');
            });
            out.push(b'}');
        }
        Payload::Snapshot(snapshot) => {
            let mut open = Opening { text: b"{", opened: false };
            for (name, number) in [("sub", snapshot.sub), ("epoch", snapshot.epoch)] {
                open.name(name, out);
                write(&number, out);
            }
            encode_part(snapshot.part, &mut open, out);
            open.name("rows", out);
            encode_list(&snapshot.rows, out, |counted, out| {
                out.extend_from_slice(b"{\"row\":");
                out.extend_from_slice(&counted.row);
                out.extend_from_slice(b",\"count\":");
                write(&counted.count, out);
                out.push(b'}');
            });
            out.push(b'}');
        }
        Payload::Upserts(upserts) => {
            let mut open = Opening { text: b"{", opened: false };
            let bounds = [("sub", upserts.sub), ("lower", upserts.lower), ("upper", upserts.upper)];
            for (name, number) in bounds {
                open.name(name, out);
                write(&number, out);
            }
            encode_part(upserts.part, &mut open, out);
            open.name("upserts", out);
            encode_list(&upserts.upserts, out, |upsert, out| {
                out.extend_from_slice(b"{\"epoch\":");
                write(&upsert.epoch, out);
                out.extend_from_slice(b",\"key\":");
                out.extend_from_slice(&upsert.key);
                out.extend_from_slice(b",\"row\":");
                out.extend_from_slice(upsert.row.as_deref().unwrap_or(b"null"));
                out.push(b'}');
            });
            out.push(b'}');
        }
    }
}

fn encode_part(part: Option<Part>, open: &mut Opening, out: &mut Vec<u8>) {
    if let Some(Part { part, parts }) = part {
        for (name, number) in [("part", part), ("parts", parts)] {
            open.name(name, out);
            write(&number, out);
        }
    }
}

fn encode_list<T>(items: &[T], out: &mut Vec<u8>, encode: impl Fn(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (item_idx, item) in items.iter().enumerate() {
        if item_idx > 0 {
            out.push(b',');
        }
        encode(item, out);
    }
    out.push(b']');
}

fn encode_control(control: &Control, out: &mut Vec<u8>) {
    fn named<T: Serialize>(name: &str, body: &T, out: &mut Vec<u8>) {
        out.push(b'{');
        write(name, out);
        out.push(b':');
        write(body, out);
        out.push(b'}');
    }
    match control {
        Control::Hello(hello) => named("hello", hello, out),
        Control::Welcome(welcome) => named("welcome", welcome, out),
        Control::Ack(ack) => named("ack", ack, out),
        Control::Subscribe(subscribe) => named("subscribe", subscribe, out),
        Control::Subscribed(subscribed) => named("subscribed", subscribed, out),
        Control::Unsubscribe(unsubscribe) => named("unsubscribe", unsubscribe, out),
        Control::Credit(credit) => named("credit", credit, out),
        Control::Progress(progress) => named("progress", progress, out),
        Control::Gap(gap) => named("gap", gap, out),
        Control::Error(error) => named("error", error, out),
        Control::Batch(messages) => {
            out.extend_from_slice(b"{\"batch\":{\"messages\":");
            encode_list(messages, out, |message, out| out.extend_from_slice(message));
            out.extend_from_slice(b"}}");
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ControlJson<'a> {
    Hello(Hello),
    Welcome(Welcome),
    #[serde(borrow)]
    Batch(BatchJson<'a>),
    Ack(Ack),
    Subscribe(Subscribe),
    Subscribed(Subscribed),
    Unsubscribe(Unsubscribe),
    Credit(Credit),
    Progress(Progress),
    Gap(Gap),
    Error(ErrorFrame),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchJson<'a> {
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
}

impl From<ControlJson<'_>> for Control {
    fn from(json: ControlJson<'_>) -> Self {
        match json {
            ControlJson::Hello(hello) => Self::Hello(hello),
            ControlJson::Welcome(welcome) => Self::Welcome(welcome),
            ControlJson::Batch(batch) => {
                Self::Batch(batch.messages.into_iter().map(bytes_of).collect())
            }
            ControlJson::Ack(ack) => Self::Ack(ack),
            ControlJson::Subscribe(subscribe) => Self::Subscribe(subscribe),
            ControlJson::Subscribed(subscribed) => Self::Subscribed(subscribed),
            ControlJson::Unsubscribe(unsubscribe) => Self::Unsubscribe(unsubscribe),
            ControlJson::Credit(credit) => Self::Credit(credit),
            ControlJson::Progress(progress) => Self::Progress(progress),
            ControlJson::Gap(gap) => Self::Gap(gap),
            ControlJson::Error(error) => Self::Error(error),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeltaJson<'a> {
    #[serde(default, with = "crate::frame_text::optional_number")]
    sub: Option<u64>,
    #[serde(default, with = "crate::frame_text::optional_number")]
    lower: Option<u64>,
    #[serde(default, with = "crate::frame_text::optional_number")]
    upper: Option<u64>,
    #[serde(default)]
    part: Option<u32>,
    #[serde(default)]
    parts: Option<u32>,
    #[serde(borrow)]
    changes: Vec<ChangeJson<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeJson<'a> {
    #[serde(default, with = "crate::frame_text::optional_number")]
    epoch: Option<u64>,
    #[serde(with = "crate::frame_text::number")]
    diff: i64,
    #[serde(borrow)]
    row: &'a RawValue,
}

impl From<DeltaJson<'_>> for Delta {
    fn from(json: DeltaJson<'_>) -> Self {
        let change = |change: ChangeJson<'_>| RowChange {
            epoch: change.epoch,
            diff: change.diff,
            row: bytes_of(change.row),
        };
        Self {
            sub: json.sub,
            lower: json.lower,
            upper: json.upper,
            part: part_of(json.part, json.parts),
            changes: json.changes.into_iter().map(change).collect(),
        }
    }
}

#[derive(Deserialize)]
struct SnapshotJson<'a> {
    sub: u64,
    epoch: u64,
    #[serde(default)]
    part: Option<u32>,
    #[serde(default)]
    parts: Option<u32>,
    #[serde(borrow)]
    rows: Vec<CountedJson<'a>>,
}

#[derive(Deserialize)]
struct CountedJson<'a> {
    #[serde(borrow)]
    row: &'a RawValue,
    count: u64,
}

impl From<SnapshotJson<'_>> for Snapshot {
    fn from(json: SnapshotJson<'_>) -> Self {
        let counted = |counted: CountedJson<'_>| CountedRow {
            row: bytes_of(counted.row),
            count: counted.count,
        };
        Self {
            sub: json.sub,
            epoch: json.epoch,
            part: part_of(json.part, json.parts),
            rows: json.rows.into_iter().map(counted).collect(),
        }
    }
}

#[derive(Deserialize)]
struct UpsertsJson<'a> {
    sub: u64,
    lower: u64,
    upper: u64,
    #[serde(default)]
    part: Option<u32>,
    #[serde(default)]
    parts: Option<u32>,
    #[serde(borrow)]
    upserts: Vec<UpsertJson<'a>>,
}

#[derive(Deserialize)]
struct UpsertJson<'a> {
    epoch: u64,
    #[serde(borrow)]
    key: &'a RawValue,
    #[serde(borrow)]
    row: Option<&'a RawValue>,
}

impl From<UpsertsJson<'_>> for Upserts {
    fn from(json: UpsertsJson<'_>) -> Self {
        let upsert = |upsert: UpsertJson<'_>| Upsert {
            epoch: upsert.epoch,
            key: bytes_of(upsert.key),
            row: upsert.row.map(bytes_of),
        };
        Self {
            sub: json.sub,
            lower: json.lower,
            upper: json.upper,
            part: part_of(json.part, json.parts),
            upserts: json.upserts.into_iter().map(upsert).collect(),
        }
    }
}

fn part_of(part: Option<u32>, parts: Option<u32>) -> Option<Part> {
    part.zip(parts).map(|(part, parts)| Part { part, parts })
}

fn bytes_of(raw: &RawValue) -> Bytes {
    Bytes::copy_from_slice(raw.get().as_bytes())
}

fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("writing to memory cannot fail");
}
