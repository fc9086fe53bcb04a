//! Wire messages of ArqonBus: rows, envelopes, and their two encodings, protobuf and JSON.
//!
//! **Invariant:** pure. No socket, clock or randomness; bytes from the network never panic here.

mod limits;
mod row_error;
mod scalar;
mod tensor_read;
mod row_read;
mod row_write;
mod body;
mod row_proto;
mod row_schema;
#[rustfmt::skip]
#[expect(clippy::pedantic, unreachable_pub, unnameable_types, reason = "generated code")]
mod wire;
pub mod itmd;
mod code;
mod decode_error;
mod frame_text;
mod frame;
mod frame_json;
mod frame_proto;
mod codec;

pub use body::BodyCodec;
pub use code::ErrorCode;
pub use decode_error::DecodeError;
pub use frame::{
    Ack, AckMode, As, Begin, Control, CountedRow, Credit, DELTA_SCHEMA, Delta, Encoding, Envelope,
    ErrorFrame, Gap, Headers, Hello, Kind, Part, Payload, Progress, RowChange, SESSION_TOPIC,
    SNAPSHOT_SCHEMA, SUBPROTOCOL_JSON, SUBPROTOCOL_PROTO, Secret, SessionLimits, Snapshot,
    Subscribe, Subscribed, TraceContext, UPSERTS_SCHEMA, Unsubscribe, Upsert, Upserts, Welcome,
};
pub use limits::{DIFF_MAX, HEADER_BYTES_MAX, HEADERS_MAX};
pub use row_error::RowError;
pub use row_read::{RowCodec, decode_value};
pub use row_schema::{MessageOf, message_name, proto_file};
pub use row_write::{Int64Form, encode_value};
pub use scalar::parse_text;

/// The compiled descriptors of `arqonbus/v1/*.proto`, for clients that reflect on them.
pub const DESCRIPTOR: &[u8] = include_bytes!("descriptor.bin");
