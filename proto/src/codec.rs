//! Frames to envelopes and back, in either encoding.

use bytes::Bytes;

use crate::decode_error::DecodeError;
use crate::frame::{Encoding, Envelope};
use crate::{frame_json, frame_proto};

impl Envelope {
    /// Reads one frame. The edge has checked its length before.
    ///
    /// # Errors
    /// [`DecodeError`] with the frame's id, if that much could be read.
    pub fn decode(bytes: &Bytes, encoding: Encoding) -> Result<Self, DecodeError> {
        match encoding {
            Encoding::Json => frame_json::decode(bytes),
            Encoding::Proto => frame_proto::decode(bytes),
        }
    }

    /// The frame's bytes; its rows must have been encoded alike.
    pub fn encode(&self, encoding: Encoding) -> Bytes {
        let mut out = Vec::with_capacity(256);
        match encoding {
            Encoding::Json => frame_json::encode(self, &mut out),
            Encoding::Proto => frame_proto::encode(self, &mut out),
        }
        out.into()
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
