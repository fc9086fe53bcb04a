//! Rows between the JSON text that users see and the bytes of the session's encoding.

use std::collections::BTreeMap;

use arqon_proto::{BodyCodec, Encoding, RowCodec, RowError};
use arqon_types::{Discipline, Schema};
use bytes::Bytes;
use serde_json::value::RawValue;

use crate::error::SessionError;

/// How a session writes rows.
#[derive(Debug, Clone)]
pub(crate) enum Rows {
    /// As they are.
    Json,
    /// As messages of their topic's schema.
    Proto(BTreeMap<String, BodyCodec>),
}

/// What an encoded row is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// All fields of the topic's schema.
    Row,
    /// The key's fields.
    Key,
}

impl Rows {
    pub(crate) fn insert(&mut self, topic: String, schema: Schema, key: &[String]) {
        // The discipline only matters to whole bodies, of which none is read here.
        let codec = BodyCodec::new(schema, Discipline::Full, key);
        match self {
            Self::Json => *self = Self::Proto([(topic, codec)].into()),
            Self::Proto(topics) => {
                topics.insert(topic, codec);
            }
        }
    }

    pub(crate) fn encoding(&self) -> Encoding {
        match self {
            Self::Json => Encoding::Json,
            Self::Proto(_) => Encoding::Proto,
        }
    }

    /// The row in the session's encoding; text that is no JSON never reaches a frame.
    pub(crate) fn encode(
        &self,
        topic: &str,
        shape: Shape,
        json: &str,
    ) -> Result<Bytes, SessionError> {
        let fault = |source| SessionError::Row { topic: topic.to_owned(), source };
        match self {
            Self::Json => serde_json::from_str::<&RawValue>(json)
                .map(|raw| Bytes::copy_from_slice(raw.get().as_bytes()))
                .map_err(|error| fault(RowError::new("", format!("is not JSON: {error}")))),
            Self::Proto(topics) => {
                let codec = codec_of(topics, topic, shape)?;
                let row = codec.decode(json).map_err(fault)?;
                let mut out = Vec::with_capacity(64);
                codec.encode_proto(&row, &mut out);
                Ok(out.into())
            }
        }
    }

    /// The row as JSON text.
    pub(crate) fn decode(
        &self,
        topic: &str,
        shape: Shape,
        bytes: &Bytes,
    ) -> Result<String, SessionError> {
        let fault = |source| SessionError::Row { topic: topic.to_owned(), source };
        match self {
            Self::Json => std::str::from_utf8(bytes)
                .map(str::to_owned)
                .map_err(|error| fault(RowError::new("", format!("is not UTF-8: {error}")))),
            Self::Proto(topics) => {
                let codec = codec_of(topics, topic, shape)?;
                codec.decode_proto(bytes).map(|row| codec.to_json(&row)).map_err(fault)
            }
        }
    }
}

fn codec_of<'t>(
    topics: &'t BTreeMap<String, BodyCodec>,
    topic: &str,
    shape: Shape,
) -> Result<&'t RowCodec, SessionError> {
    let codec =
        topics.get(topic).ok_or_else(|| SessionError::NoSchema { topic: topic.to_owned() })?;
    Ok(match shape {
        Shape::Row => codec.rows(),
        Shape::Key => codec.keys(),
    })
}
