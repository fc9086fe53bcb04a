//! What the edge and the bus say to each other.

use arqon_proto::{Encoding, Int64Form};
use arqon_spine::{Principal, SessionId};
use bytes::Bytes;
use tokio::sync::mpsc;

/// Frames on their way to the bus; when it is full, sessions stop reading.
pub const TO_BUS_MAX: usize = 1024;
/// Frames in one outbox, whose bytes the bus bounds; a client that fills it is closed.
pub const OUTBOX_FRAMES_MAX: usize = 32_768;

/// From a session to the bus.
#[derive(Debug)]
pub enum ToBus {
    /// An identity was checked.
    Open {
        /// The new session.
        session: SessionId,
        /// Who it is.
        principal: Principal,
        /// How it writes.
        encoding: Encoding,
        /// How it wants int64 values in JSON rows.
        int64: Int64Form,
        /// Where its frames go.
        outbox: mpsc::Sender<ToClient>,
    },
    /// A frame came.
    Frame {
        /// From whom.
        session: SessionId,
        /// The frame, not longer than the limit.
        bytes: Bytes,
    },
    /// Frames have left.
    Sent {
        /// To whom.
        session: SessionId,
        /// How many bytes.
        n_bytes: usize,
    },
    /// The websocket is gone.
    Closed {
        /// Whose.
        session: SessionId,
    },
}

/// From the bus to a session.
#[derive(Debug)]
pub enum ToClient {
    /// Send this.
    Frame(Bytes),
    /// Send what came before, then close.
    Close {
        /// The close code.
        code: u16,
        /// A few words.
        reason: &'static str,
    },
}
