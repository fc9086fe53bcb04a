//! What can go wrong with a session, and how one ends.

use std::sync::Arc;
use std::time::Duration;

use arqon_proto::{DecodeError, ErrorCode, ErrorFrame, RowError};
use tokio_tungstenite::tungstenite;
use uuid::Uuid;

/// The bus refused what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// What went wrong, for programs.
    pub code: ErrorCode,
    /// What went wrong, for people.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// When to try again.
    pub retry_after: Option<Duration>,
}

impl From<ErrorFrame> for Refusal {
    fn from(frame: ErrorFrame) -> Self {
        Self {
            code: frame.code,
            message: frame.message,
            help: frame.help,
            retry_after: frame.retry_after_ms.map(Duration::from_millis),
        }
    }
}

/// Why a session is over.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Ending {
    /// This side closed it.
    #[error("the session was closed here")]
    Local,
    /// The server closed it.
    #[error("the server closed the session ({code}{}{reason})", if reason.is_empty() { "" } else { ": " })]
    Server {
        /// The websocket close code; 1005 if it gave none.
        code: u16,
        /// The reason it gave.
        reason: String,
        /// The last error frame that answered no request.
        #[source]
        refusal: Option<Refusal>,
    },
    /// The server was silent for too long.
    #[error("the server is silent")]
    Silent,
    /// The connection broke.
    #[error("the connection broke")]
    Socket(#[source] Arc<tungstenite::Error>),
    /// The server sent what is no frame.
    #[error("the server sent what is no frame")]
    Frame(#[source] DecodeError),
}

/// Why there is no session.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The websocket did not open.
    #[error("the websocket did not open")]
    Handshake(#[source] Arc<tungstenite::Error>),
    /// The server refused the hello.
    #[error("the server refused the hello")]
    Refused(#[source] Refusal),
    /// The session ended before its welcome.
    #[error("the session ended before its welcome")]
    Ended(#[source] Ending),
    /// The server said something else than welcome.
    #[error("the server said something else than welcome")]
    NoWelcome,
    /// The server took too long.
    #[error("the server took too long to answer")]
    Timeout,
}

/// Why a request or a subscription came to nothing.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The bus refused it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A row or key is not JSON, or not of its topic's schema.
    #[error("a row of `{topic}`")]
    Row {
        /// The topic.
        topic: String,
        /// Where in the row, and what is wrong.
        #[source]
        source: RowError,
    },
    /// A protobuf session was not given the topic's schema.
    #[error("no schema was given for `{topic}`, and protobuf rows need one")]
    NoSchema {
        /// The topic.
        topic: String,
    },
    /// A message of that id waits for its ack already.
    #[error("message {0} waits for its ack already")]
    InFlight(Uuid),
    /// More than the welcome allows; nothing was sent.
    #[error("{what} of {size}, at most {size_max}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        size: u64,
        /// The maximum.
        size_max: u64,
    },
    /// The session is over.
    #[error("the session is over")]
    Ended(#[source] Ending),
}
