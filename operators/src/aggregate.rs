//! Aggregates of a group: what is computed, not yet how.

use serde::{Deserialize, Serialize};

use arqon_types::Type;

use crate::expr::{Expr, Place};

/// One aggregate of a `group` step.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Aggregate {
    /// Which function.
    pub function: AggregateFunction,
    /// Its arguments over the input row: none for `count()`, `x` and the order for `first`.
    pub args: Vec<Expr>,
    /// `where=cond`: rows for which this is not true do not count.
    pub filter: Option<Expr>,
    /// The type of the result.
    pub ty: Type,
    /// Where it stands in the circuit file.
    pub place: Place,
}

/// The closed set of aggregate functions. All are exact under retraction and skip `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AggregateFunction {
    /// `count()`, or `count(x)`: rows where `x` is not none.
    Count,
    /// `sum(x)` of int64, float64, decimal or duration.
    Sum,
    /// `avg(x)`: float64, rounded once from the exact sum.
    Average,
    /// `min(x)`
    Min,
    /// `max(x)`
    Max,
    /// `first(x, by)`: x of the row with the least `by`; ties by x.
    First,
    /// `last(x, by)`: x of the row with the greatest `by`; ties by x.
    Last,
    /// `any(x)`: true if any is.
    Any,
    /// `all(x)`: true if all are.
    All,
    /// `distinct_count(x)`
    DistinctCount,
    /// `list(x)`: all values, sorted.
    List,
    /// `stddev(x)`: of the sample; none under two rows.
    StandardDeviation,
    /// `variance(x)`: of the sample; none under two rows.
    Variance,
    /// `quantile(x, q)`: discrete; q is a constant between 0 and 1.
    Quantile,
    /// `top(x, n)`: the n greatest values, greatest first.
    Top,
}

impl AggregateFunction {
    /// Whether the values of a group are held, so that one that is taken back can be left out.
    pub fn holds_values(self) -> bool {
        match self {
            Self::Count
            | Self::Sum
            | Self::Average
            | Self::Any
            | Self::All
            | Self::StandardDeviation
            | Self::Variance => false,
            Self::Min
            | Self::Max
            | Self::First
            | Self::Last
            | Self::DistinctCount
            | Self::List
            | Self::Quantile
            | Self::Top => true,
        }
    }
}
