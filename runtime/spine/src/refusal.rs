//! Why the bus did not do what a frame asked.

use arqon_proto::{ErrorCode, ErrorFrame};
use arqon_types::Change;
use uuid::Uuid;

/// Bytes of an error's message; what is quoted of a client's own frame is cut there.
const MESSAGE_BYTES_MAX: usize = 2_000;

/// What the state of a circuit takes, which is more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the circuit holds {} KiB of state, and `limits: state` allows {} KiB",
    n_bytes.div_ceil(1024),
    n_bytes_max / 1024
)]
pub struct StateFull {
    /// What it takes, as the engine counts it.
    pub n_bytes: u64,
    /// What it may take.
    pub n_bytes_max: u64,
}

/// Whether any of the changes puts a row where there may have been none.
pub fn adds_rows(changes: &[Change]) -> bool {
    changes.iter().any(|change| match change {
        Change::Insert(_) | Change::Upsert(_) => true,
        Change::Delete(_) => false,
        Change::Diff { diff, .. } => *diff > 0,
    })
}

/// An error frame in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What went wrong, for programs.
    pub code: ErrorCode,
    /// What went wrong, for people.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// When to try again.
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal without help.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None, retry_after_ms: None }
    }

    /// The same with a way out.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The same with a time to try again.
    #[must_use]
    pub fn retry_after_ms(self, retry_after_ms: u64) -> Self {
        Self { retry_after_ms: Some(retry_after_ms), ..self }
    }

    /// The frame that answers the frame of `id`.
    pub fn into_frame(self, id: Option<Uuid>) -> ErrorFrame {
        let Self { code, mut message, help, retry_after_ms } = self;
        if message.len() > MESSAGE_BYTES_MAX {
            let is_boundary = |at: &usize| message.is_char_boundary(*at);
            let end = (0..=MESSAGE_BYTES_MAX).rev().find(is_boundary).unwrap_or(0);
            message.truncate(end);
            message.push('…');
        }
        ErrorFrame { id, code, message, help, retry_after_ms }
    }
}
