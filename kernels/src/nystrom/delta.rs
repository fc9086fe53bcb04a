//! What changes of data and queries, and what comes out.

use super::spec::NystromSpec;
use crate::keyed::Side;
use crate::outcome::Outcome;

/// A change of data and queries. What is gone goes first; of rows of one key the last one counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NystromDelta {
    /// Data that came or changed.
    pub data: DataRows,
    /// Keys of data that went.
    pub data_gone: Vec<i64>,
    /// Queries that came or changed.
    pub queries: PointRows,
    /// Keys of queries that went.
    pub queries_gone: Vec<i64>,
}

/// Data in columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DataRows {
    /// Their keys, `[n]`.
    pub keys: Vec<i64>,
    /// Their points, `[n, n_entries]`, finite.
    pub x: Vec<f64>,
    /// Their values, `[n]`, finite.
    pub y: Vec<f64>,
}

/// Queries in columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PointRows {
    /// Their keys, `[n]`.
    pub keys: Vec<i64>,
    /// Their points, `[n, n_entries]`, finite.
    pub x: Vec<f64>,
}

/// Output rows in columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NystromRows {
    /// The keys of their queries, `[n]`.
    pub keys: Vec<i64>,
    /// What became of each, `[n]`; without data it is empty, and its value 0.
    pub outcomes: Vec<Outcome>,
    /// `[n]`; 0 in rows that have no value.
    pub y: Vec<f64>,
}

impl NystromDelta {
    pub(super) fn data(&self, spec: &NystromSpec) -> Side<'_, f64> {
        Side {
            what: "data row",
            keys: &self.data.keys,
            vectors: [&self.data.x, &self.data.y],
            names: ["`x`", "`y`"],
            widths: [spec.n_entries, 1],
            places: None,
            gone: &self.data_gone,
        }
    }

    pub(super) fn queries(&self, spec: &NystromSpec) -> Side<'_, f64> {
        Side {
            what: "query",
            keys: &self.queries.keys,
            vectors: [&self.queries.x, &[]],
            names: ["`x`", "`x`"],
            widths: [spec.n_entries, 0],
            places: None,
            gone: &self.queries_gone,
        }
    }
}
