//! What a message of a topic is, and on which side of the Shield the topic may be touched.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the messages of a topic say (`carries`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Discipline {
    /// Facts, appended, never retracted.
    #[default]
    Events,
    /// The whole state of one key; null deletes the key.
    Full,
    /// Changes only: rows with signed multiplicities, consolidated per epoch.
    Delta,
}

impl fmt::Display for Discipline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Events => "events",
            Self::Full => "full",
            Self::Delta => "delta",
        })
    }
}

/// Which clients may touch a topic (`edge`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Edge {
    /// No client: the topic lives within the bus.
    #[default]
    None,
    /// Clients publish.
    In,
    /// Clients subscribe.
    Out,
    /// Clients do both.
    Both,
}

impl Edge {
    /// Whether clients may publish.
    pub fn admits(self) -> bool {
        matches!(self, Self::In | Self::Both)
    }

    /// Whether clients may subscribe.
    pub fn emits(self) -> bool {
        matches!(self, Self::Out | Self::Both)
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::In => "in",
            Self::Out => "out",
            Self::Both => "both",
        })
    }
}
