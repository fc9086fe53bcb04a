//! Why there is no session, or a request was refused.

use arqon_proto::{ErrorCode, ErrorFrame};

/// Why no session stands.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is none, or nobody answers there.
    #[error("cannot reach {url}")]
    Unreachable {
        /// The address.
        url: String,
        /// What the system or the other side says.
        #[source]
        source: Box<tokio_tungstenite::tungstenite::Error>,
    },
    /// The server did not accept the identity, or speaks otherwise.
    #[error("{url} refuses the session: {reason}")]
    Refused {
        /// The address.
        url: String,
        /// The server's words.
        reason: String,
    },
    /// No answer in time.
    #[error("{0} does not answer")]
    Silent(String),
}

/// Why a request was not granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server refused it.
    #[error("{code}: {message}")]
    Refused {
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
        /// How to go on.
        help: Option<String>,
        /// When to try again.
        retry_after_ms: Option<u64>,
    },
    /// The session has ended.
    #[error("the session has ended: {0}")]
    Closed(String),
}

impl From<ErrorFrame> for ClientError {
    fn from(frame: ErrorFrame) -> Self {
        Self::Refused {
            code: frame.code,
            message: frame.message,
            help: frame.help,
            retry_after_ms: frame.retry_after_ms,
        }
    }
}
