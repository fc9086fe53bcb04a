//! A row at the edges of the engine: one value per field, in schema order.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::value::Value;

/// Values in the order of the schema's fields.
///
/// Rows compare field by field, which is the order of snapshots. Inside the engine rows are
/// columns or packed bytes; this form is for sources, sinks, tests and oracles.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Row(pub Box<[Value]>);

impl From<Vec<Value>> for Row {
    fn from(values: Vec<Value>) -> Self {
        Self(values.into_boxed_slice())
    }
}

impl FromIterator<Value> for Row {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Deref for Row {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0
    }
}
