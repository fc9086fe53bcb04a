//! What a plan proves about the rows of each vertex: discipline, keys, how many, what is held.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use arqon_types::{Discipline, TopicName};

use crate::vertex::VertexId;

/// A column, then the field within it, and so on.
pub(crate) type ColumnPath = SmallVec<[usize; 2]>;

/// What tells every two rows of a collection apart.
pub(crate) type Key = SmallVec<[ColumnPath; 1]>;

/// The keys of a collection. Most have one of one column, and every step has them again: held in
/// place, they cost no allocation.
pub(crate) type Keys = SmallVec<[Key; 1]>;

/// What is known of the rows that leave a vertex, and of what the vertex holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What the rows say; none where a step before could not be typed.
    pub discipline: Option<Discipline>,
    /// Proven keys: at most one row for each value. An empty one says: at most one row.
    pub(crate) keys: Keys,
    /// Where the declared key of an `events` topic stands in the rows.
    pub(crate) declared_key: Option<(VertexId, Key)>,
    /// How many rows there can be.
    pub extent: Extent,
    /// What the vertex holds between epochs.
    pub state: State,
    /// Which columns are the bounds of windows that close.
    pub(crate) windows: Option<OpenWindows>,
}

/// Windows that close, and whose rows change no more after that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenWindows {
    /// The columns that say which window a row belongs to.
    pub(crate) bounds: Vec<ColumnPath>,
    /// How many rows there can be in windows that are open, as a formula.
    pub(crate) rows: Arc<str>,
    /// The topics whose marks close them.
    pub(crate) topics: Vec<TopicName>,
    /// Whether all rows of a window come in the one epoch in which it closes, so that what is
    /// computed of a window is said once and never taken back.
    pub(crate) at_once: bool,
}

/// How many rows a collection can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// At most this many.
    Rows(u64),
    /// A formula in the rows of topics: `rows(shop.orders)`.
    Bounded(Arc<str>),
    /// As many as this topic ever carried.
    Unbounded(VertexId),
    /// A step before could not be typed.
    Unknown,
}

/// What a vertex holds between epochs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing.
    Stateless,
    /// At most what the formula says.
    Bounded(Arc<str>),
    /// Something of every row that the topic ever carried.
    Unbounded {
        /// The topic.
        topic: VertexId,
        /// What is held.
        held: Held,
    },
    /// A step before could not be typed.
    Unknown,
}

/// What a step would hold without end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// Each row of a join's left side.
    JoinLeft,
    /// Each row of a join's right side.
    JoinRight,
    /// A group for each value of these keys.
    Groups(Vec<String>),
    /// In each group, each value of these aggregates.
    Values(Vec<String>),
    /// Each distinct row.
    Distinct,
    /// Each row, since any may come to the top.
    Top,
    /// Each row of a loop, and what each round changed.
    Loop,
    /// Each row, in a session that never closes.
    Sessions,
    /// Each row of this port of a kernel.
    Kernel(String),
    /// Each row, since the values along the order are those of other rows.
    Over,
    /// Each row, for late subscribers.
    Topic,
}

impl Facts {
    pub(crate) fn unknown() -> Self {
        Self {
            discipline: None,
            keys: Keys::new(),
            declared_key: None,
            extent: Extent::Unknown,
            state: State::Unknown,
            windows: None,
        }
    }

    /// Whether these columns, taken together, tell every two rows apart.
    pub fn proves_key(&self, columns: &[usize]) -> bool {
        self.keys.iter().any(|key| {
            key.iter().all(|path| matches!(path.as_slice(), [one] if columns.contains(one)))
        })
    }

    /// Whether the rows say which window they belong to, and windows close.
    pub fn is_windowed(&self) -> bool {
        self.windows.is_some()
    }

    /// Whether the rows of a window come all at once, when it closes.
    pub fn is_final(&self) -> bool {
        self.windows.as_ref().is_some_and(|windows| windows.at_once)
    }

    /// The smallest proven key that consists of whole columns.
    pub fn key(&self) -> Option<Vec<usize>> {
        let is_whole = |key: &&Key| key.iter().all(|path| path.len() == 1);
        whole_columns(self.keys.iter().filter(is_whole).min_by_key(|key| key.len())?)
    }
}

pub(crate) fn whole_columns(key: &[ColumnPath]) -> Option<Vec<usize>> {
    key.iter()
        .map(|path| match path.as_slice() {
            [one] => Some(*one),
            _ => None,
        })
        .collect()
}
