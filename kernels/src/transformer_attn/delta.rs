//! What changes of queries and tokens, and what comes out.

use std::collections::BTreeMap;

use super::spec::{AttentionSpec, Causality};
use super::table::{Row, Table};
use crate::kernel::DeltaError;

/// A change of queries and tokens. What is gone goes first; of rows of one key the last one counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AttentionDelta {
    /// Queries that came or changed.
    pub queries: QueryRows,
    /// Keys of queries that went.
    pub queries_gone: Vec<i64>,
    /// Tokens that came or changed.
    pub tokens: TokenRows,
    /// Keys of tokens that went.
    pub tokens_gone: Vec<i64>,
}

/// Queries in columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueryRows {
    /// Their keys, `[n]`.
    pub keys: Vec<i64>,
    /// `[n, n_key]`, finite.
    pub q: Vec<f32>,
    /// Their places, `[n]`; empty where attention is plain.
    pub places: Vec<i64>,
}

/// Tokens in columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenRows {
    /// Their keys, `[n]`.
    pub keys: Vec<i64>,
    /// `[n, n_key]`, finite.
    pub k: Vec<f32>,
    /// `[n, n_value]`, finite.
    pub v: Vec<f32>,
    /// Their places, `[n]`; empty where attention is plain.
    pub places: Vec<i64>,
}

/// Output rows in columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AttentionRows {
    /// The keys of their queries, `[n]`.
    pub keys: Vec<i64>,
    /// What became of each, `[n]`.
    pub outcomes: Vec<Outcome>,
    /// `[n, n_value]`; zeros in rows that have no value.
    pub values: Vec<f32>,
}

/// What became of an output row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It has its value, within the bound.
    Value,
    /// Its query sees no token.
    #[default]
    Empty,
    /// In some head its denominator cannot be told from zero, or its value is beyond `f32`; no
    /// value is given, and none is bounded.
    Lost,
}

/// One side of a delta: rows that came or changed, and keys that went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) what: &'static str,
    pub(super) keys: &'a [i64],
    pub(super) vectors: [&'a [f32]; 2],
    pub(super) names: [&'static str; 2],
    pub(super) widths: [usize; 2],
    pub(super) places: &'a [i64],
    pub(super) gone: &'a [i64],
    pub(super) causality: Causality,
}

/// What becomes of a key: the row that it comes to have, or that it goes.
pub(super) type Changes<'a> = BTreeMap<i64, Option<Row<'a>>>;

impl AttentionDelta {
    pub(super) fn queries(&self, spec: &AttentionSpec) -> Side<'_> {
        Side {
            what: "query",
            keys: &self.queries.keys,
            vectors: [&self.queries.q, &[]],
            names: ["`q`", "`q`"],
            widths: [spec.n_key, 0],
            places: &self.queries.places,
            gone: &self.queries_gone,
            causality: spec.causality,
        }
    }

    pub(super) fn tokens(&self, spec: &AttentionSpec) -> Side<'_> {
        Side {
            what: "token",
            keys: &self.tokens.keys,
            vectors: [&self.tokens.k, &self.tokens.v],
            names: ["`k`", "`v`"],
            widths: [spec.n_key, spec.n_value],
            places: &self.tokens.places,
            gone: &self.tokens_gone,
            causality: spec.causality,
        }
    }
}

impl<'a> Side<'a> {
    /// Whether it fits what is there.
    pub(super) fn check(&self, table: &Table) -> Result<(), DeltaError> {
        let n = self.keys.len();
        for (at, what) in self.names.into_iter().enumerate() {
            let (found, wanted) = (self.vectors[at].len(), n * self.widths[at]);
            if found != wanted {
                return Err(DeltaError::Shape { what, found, wanted });
            }
            if !self.vectors[at].iter().all(|x| x.is_finite()) {
                return Err(DeltaError::NotFinite { what });
            }
        }
        let wanted = if self.causality == Causality::Causal { n } else { 0 };
        if self.places.len() != wanted {
            return Err(DeltaError::Shape { what: "`pos`", found: self.places.len(), wanted });
        }
        let mut seen = std::collections::BTreeSet::new();
        for key in self.gone {
            if !table.index.contains_key(key) || !seen.insert(*key) {
                return Err(DeltaError::NotThere { what: self.what, found: *key });
            }
        }
        Ok(())
    }

    /// What really changes of what is there, by key.
    pub(super) fn changes(&self, table: &Table) -> Changes<'a> {
        let mut changes: Changes<'a> = self.gone.iter().map(|key| (*key, None)).collect();
        let [a, b] = self.widths;
        for (at, key) in self.keys.iter().enumerate() {
            let row = Row {
                vectors: [
                    &self.vectors[0][at * a..(at + 1) * a],
                    &self.vectors[1][at * b..(at + 1) * b],
                ],
                place: self.places.get(at).copied().unwrap_or(0),
            };
            changes.insert(*key, Some(row));
        }
        changes.retain(|key, row| match (row, table.get(*key)) {
            (Some(new), Some(old)) => !new.is_same(&old),
            _ => true,
        });
        changes
    }
}

/// By how much the changes move an entry at most; a row that comes or goes moves by its size.
pub(super) fn delta_max(changes: &Changes<'_>, table: &Table) -> f64 {
    let mut most = 0.0_f64;
    let mut meet = |a: &[f32], b: Option<&[f32]>| {
        for (at, a) in a.iter().enumerate() {
            let b = b.map_or(0.0, |b| f64::from(b[at]));
            most = most.max((f64::from(*a) - b).abs());
        }
    };
    for (key, row) in changes {
        let old = table.get(*key);
        for at in 0..2 {
            let old = old.as_ref().map(|old| old.vectors[at]);
            match (row, old) {
                (Some(new), old) => meet(new.vectors[at], old),
                (None, Some(old)) => meet(old, None),
                (None, None) => {}
            }
        }
    }
    most
}
