//! What a topic retains of its rows, and the place of a row in the topic's log.

use serde::{Deserialize, Serialize};

use arqon_types::Schema;

/// Which rows a topic retains.
///
/// Changes take effect one after another: those of the topic's log in its order, and behind them
/// what the flow has written in the epoch, what goes first and then by rows. A retraction takes the
/// newest copy of its row; one of a row that has been let go changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// When rows go.
    pub rule: RetentionRule,
    /// Who brings the rows, and so whether they have a place in the log as last field.
    pub order: LogOrder,
}

/// When a topic lets go of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetentionRule {
    /// The oldest go, as long as all have more than so many bytes together; a row's are those of
    /// its packed form.
    Bytes(u64),
    /// So many nanoseconds after they came, by the greatest time of epochs so far.
    Arrival(i64),
    /// So long after their own time, by the greatest time among the rows so far.
    Time {
        /// The field with a row's time, a timestamp.
        field: usize,
        /// In nanoseconds.
        length: i64,
        /// How much later than that, in nanoseconds, since rows may come late.
        late: i64,
    },
}

/// Which rows have a place in the log of their topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogOrder {
    /// All: they come in by the topic.
    Log,
    /// None: the flow writes them.
    Flow,
    /// Those that come in; what the flow writes has [`FLOW_PLACE`].
    Both,
}

impl LogOrder {
    /// How many of the last fields of a row are its place.
    pub fn n_places(self) -> usize {
        match self {
            Self::Log | Self::Both => 1,
            Self::Flow => 0,
        }
    }
}

/// The place of what the flow writes to a topic that others write as well: behind all that came in.
pub const FLOW_PLACE: i64 = i64::MAX;

/// How the name of a field begins that holds a row's place in the log. No field of a schema
/// begins with `$`.
pub const PLACE_FIELD: &str = "$place";

/// How many of the last fields hold a row's place in the log.
pub fn n_places(schema: &Schema) -> usize {
    schema.fields.iter().rev().take_while(|field| field.name.starts_with(PLACE_FIELD)).count()
}

/// Of the rows of each key the one with the greatest place in the log; of equal places the
/// greatest row. The input's last columns are the place, the output has the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest {
    /// Positions of the key.
    pub key: Vec<usize>,
    /// How many columns the place has, `int64` each, compared in order.
    pub n_places: usize,
}
