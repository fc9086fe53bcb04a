//! What changes of queries and tokens, and what comes out.

use super::spec::{AttentionSpec, Causality};
use crate::keyed::Side;
use crate::outcome::Outcome;

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
    /// Their places, `[n]`; not looked at where attention is plain.
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
    /// Their places, `[n]`; not looked at where attention is plain.
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

impl AttentionDelta {
    pub(super) fn queries(&self, spec: &AttentionSpec) -> Side<'_> {
        Side {
            what: "query",
            keys: &self.queries.keys,
            vectors: [&self.queries.q, &[]],
            names: ["`q`", "`q`"],
            widths: [spec.n_key, 0],
            places: places(spec, &self.queries.places),
            gone: &self.queries_gone,
        }
    }

    pub(super) fn tokens(&self, spec: &AttentionSpec) -> Side<'_> {
        Side {
            what: "token",
            keys: &self.tokens.keys,
            vectors: [&self.tokens.k, &self.tokens.v],
            names: ["`k`", "`v`"],
            widths: [spec.n_key, spec.n_value],
            places: places(spec, &self.tokens.places),
            gone: &self.tokens_gone,
        }
    }
}

/// Plain attention does not look at places.
fn places<'a>(spec: &AttentionSpec, places: &'a [i64]) -> Option<&'a [i64]> {
    (spec.causality == Causality::Causal).then_some(places)
}
