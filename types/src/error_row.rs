//! A fault in the data: a row of a node's error collection, retracted when its cause is.

use serde::{Deserialize, Serialize};

use crate::row::Row;
use crate::ty::{Field, Schema, Type};
use crate::value::Value;

/// Which step refused which row, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ErrorRow {
    /// The node or topic.
    pub node: String,
    /// The step's address, `revenue[1]`; the topic's name for input errors.
    pub step: String,
    /// A stable word: `overflow`, `division_by_zero`, `unknown_row`, `malformed`, …
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// Where in the circuit file (`file:line:column`), or in the input (`file:line`).
    pub place: String,
    /// The offending row as JSON text, as far as it could be read.
    pub row: String,
}

impl ErrorRow {
    /// The row as the errors topic carries it, in the order of [`error_schema`].
    pub fn to_row(&self) -> Row {
        [&self.node, &self.step, &self.code, &self.message, &self.place, &self.row]
            .into_iter()
            .map(|text| Value::string(text))
            .collect()
    }
}

/// The schema of every `<node>.errors` topic.
pub fn error_schema() -> Schema {
    let field = |name: &str| Field::new(name, Type::String);
    Schema::new(
        "Error",
        ["node", "step", "code", "message", "place", "row"].into_iter().map(field).collect(),
    )
}
