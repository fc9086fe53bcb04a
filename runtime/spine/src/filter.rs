//! A subscriber's filter, once it is checked.

use std::sync::Arc;

use arqon_operators::{Expr, eval};
use arqon_types::Value;

use crate::subscription::Filter;

/// The filter that lets through the rows of which `condition` is true.
///
/// A row for which the condition has no value, by overflow for instance, is held back.
pub fn filter(condition: Expr) -> Filter {
    Arc::new(move |row| eval(&condition, row) == Ok(Value::Bool(true)))
}
