//! Why bytes are no frame.

use uuid::Uuid;

use crate::code::ErrorCode;

/// A frame that was refused before its topic was looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    /// The frame's id, as far as it could be read.
    pub id: Option<Uuid>,
    /// What went wrong, for programs.
    pub code: ErrorCode,
    /// What went wrong, for people.
    pub message: String,
}

impl DecodeError {
    /// A frame that is not as the protocol writes it.
    pub(crate) fn mismatch(id: Option<Uuid>, message: impl Into<String>) -> Self {
        Self { id, code: ErrorCode::SchemaMismatch, message: message.into() }
    }
}
