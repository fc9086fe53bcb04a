//! Error codes of the bus: an open set on the wire, of which these are ours.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// What went wrong, for programs.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
            /// A code of a newer server.
            Other(String),
        }

        impl ErrorCode {
            /// Every code that this version sends.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code of that name.
            pub fn parse(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }

            /// The code's name on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }
        }
    };
}

codes! {
    /// No valid identity; the session is closed with 4401.
    Unauthenticated = "UNAUTHENTICATED",
    /// The principal has no grant, or the topic is not at the edge.
    Forbidden = "FORBIDDEN",
    /// No topic of that name.
    UnknownTopic = "UNKNOWN_TOPIC",
    /// The frame or the row is not of its schema.
    SchemaMismatch = "SCHEMA_MISMATCH",
    /// A full-state message on a topic that carries changes only.
    DeltaOnly = "DELTA_ONLY",
    /// A retraction on a topic that has none.
    NoRetractions = "NO_RETRACTIONS",
    /// A retraction of a row that is not there.
    UnknownRow = "UNKNOWN_ROW",
    /// The topic has no key.
    NoKey = "NO_KEY",
    /// More bytes or parts than a limit allows.
    TooLarge = "TOO_LARGE",
    /// Too many messages in a short time.
    RateLimited = "RATE_LIMITED",
    /// A quota is used up.
    Quota = "QUOTA",
    /// A queue is full; try again.
    ResourceExhausted = "RESOURCE_EXHAUSTED",
    /// The name is taken.
    Conflict = "CONFLICT",
    /// What was asked for is no longer kept.
    Gone = "GONE",
    /// Not in this server, or not now.
    Unavailable = "UNAVAILABLE",
    /// A fault of the server.
    Internal = "INTERNAL",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::parse(&text))
    }
}
