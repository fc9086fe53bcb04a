//! Windows and sessions, when they close, and what is let go then.

use serde::{Deserialize, Serialize};

use arqon_operators::Expr;
use arqon_types::TopicName;

use super::StepId;

/// Which windows a row falls into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The windows.
    pub frame: Frame,
    /// The row's event time, a timestamp over the input row.
    pub time: Expr,
    /// Whether a window keeps its rows when it closes, so that to take one back is an error;
    /// otherwise they have left it by themselves.
    pub keeps_rows: bool,
    /// Whether the mark stays the last field of the output, for a window further on.
    pub keeps_mark: bool,
}

/// Kinds of windows; lengths in nanoseconds, above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// Windows of this length, one beginning at every multiple of `every` since 1970; adds the
    /// bounds as two timestamps.
    Aligned {
        /// The length.
        size: i64,
        /// From one beginning to the next, at most `size`.
        every: i64,
    },
    /// The row's own window, from its time on; adds nothing.
    Own {
        /// The length.
        length: i64,
    },
}

impl Frame {
    /// The end of the last window that a row of this time falls into; none beyond 2262.
    pub fn last_end(self, time: i64) -> Option<i64> {
        match self {
            Self::Aligned { size, every } => {
                time.checked_sub(time.rem_euclid(every))?.checked_add(size)
            }
            Self::Own { length } => time.checked_add(length),
        }
    }
}

/// Sessions: rows of one key, each less than the gap after the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The key, over the input row.
    pub per: Vec<Expr>,
    /// The row's event time, a timestamp over the input row.
    pub time: Expr,
    /// In nanoseconds, above 0: a session ends this long after its last row, and nothing extends
    /// it once its end is as long ago.
    pub gap: i64,
    /// Whose marks close sessions; empty where nothing does.
    pub topics: Vec<TopicName>,
}

/// When a row's window closes: as soon as `time + slack` is no later than the least mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// A timestamp over the input row.
    pub time: Expr,
    /// In nanoseconds.
    pub slack: i64,
    /// Whose marks count; never empty.
    pub topics: Vec<TopicName>,
}

/// A step whose keys name windows: it lets go of a key when its window has closed, and what it
/// said of it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// A join, group, distinct, top or unique.
    pub step: StepId,
    /// Which part of its key is the timestamp; for a distinct, which column.
    pub key: usize,
    /// The key is closed as soon as the timestamp and this are no later than the least mark.
    pub slack: i64,
    /// Whose marks count; never empty.
    pub topics: Vec<TopicName>,
}
