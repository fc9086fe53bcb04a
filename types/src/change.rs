//! What a producer says to an input topic, before the bus has turned it into a delta.

use crate::row::Row;

/// One accepted message body of an input topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A row appended to an `events` topic.
    Insert(Row),
    /// The whole state of one key of a `full` topic.
    Upsert(Row),
    /// The end of one key of a `full` topic: the key's fields, in the order the topic declares.
    Delete(Row),
    /// A signed change of a `delta` topic; `diff` is not 0.
    Diff {
        /// The row that changes its multiplicity.
        row: Row,
        /// By how much.
        diff: i64,
    },
}
