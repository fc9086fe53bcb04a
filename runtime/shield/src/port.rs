//! What the edge and the bus say to each other.

use std::sync::Arc;

use arqon_proto::{Encoding, Int64Form};
use arqon_spine::{Principal, SessionId};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Frames on their way to the bus; when it is full, sessions stop reading.
pub const TO_BUS_MAX: usize = 1024;
/// What may wait in one outbox, whose bytes the bus bounds; a client that fills it is closed.
pub const OUTBOX_FRAMES_MAX: usize = 32_768;

/// Rung on a session's own thread when it has put something into the bus's queue, with the bytes of
/// frames that it has put there since it rang last. It is not to block.
pub type Bell = Arc<dyn Fn(usize) + Send + Sync>;

/// The bus is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// A session's way to the bus.
pub(crate) struct Way {
    bus: mpsc::Sender<ToBus>,
    bell: Option<Bell>,
    /// Bytes of frames for which the bell was not rung.
    n_bytes: usize,
}

impl Way {
    /// A way for one session; without a bell the queue itself wakes whoever listens.
    pub(crate) fn new(bus: mpsc::Sender<ToBus>, bell: Option<Bell>) -> Self {
        Self { bus, bell, n_bytes: 0 }
    }

    /// Puts something into the queue, and waits for room there.
    pub(crate) async fn put(&mut self, message: ToBus) -> Result<(), Gone> {
        let n_bytes = if let ToBus::Frame { bytes, .. } = &message { bytes.len() } else { 0 };
        match self.bus.try_send(message) {
            Ok(()) => {}
            Err(TrySendError::Closed(_)) => return Err(Gone),
            Err(TrySendError::Full(message)) => {
                self.ring();
                self.bus.send(message).await.map_err(|_| Gone)?;
            }
        }
        self.n_bytes += n_bytes;
        Ok(())
    }

    /// Says that what was put there is all for now.
    pub(crate) fn ring(&mut self) {
        let n_bytes = std::mem::take(&mut self.n_bytes);
        if let Some(bell) = &self.bell {
            bell(n_bytes);
        }
    }

    /// Puts something into the queue, and says so.
    pub(crate) async fn send(&mut self, message: ToBus) -> Result<(), Gone> {
        self.put(message).await?;
        self.ring();
        Ok(())
    }
}

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
    /// Send these, in one go.
    Frames(Vec<Bytes>),
    /// Send what came before, then close.
    Close {
        /// The close code.
        code: u16,
        /// A few words.
        reason: &'static str,
    },
}
