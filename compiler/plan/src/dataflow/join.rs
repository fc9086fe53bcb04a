//! Joins, and the rows that several of them look up.

use serde::{Deserialize, Serialize};

use arqon_operators::Expr;
use arqon_types::Type;

use super::StepId;

/// Incremental equi-join. `none` in a key matches nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// Which rows come out.
    pub kind: JoinKind,
    /// Over the left row; may be empty (cross product).
    pub left_key: Vec<Expr>,
    /// Over the right row, pairwise of the same type as `left_key` save options.
    pub right_key: Vec<Expr>,
    /// `bool` over the left columns followed by the right columns; part of the match.
    pub residual: Option<Expr>,
    /// Of the right rows that match only the latest one counts. For inner and left joins.
    pub asof: Option<Box<Asof>>,
    /// How the right row appears in the output.
    pub output: JoinOutput,
}

impl Join {
    /// The key over a side's rows.
    pub fn key(&self, side: JoinSide) -> &[Expr] {
        match side {
            JoinSide::Left => &self.left_key,
            JoinSide::Right => &self.right_key,
        }
    }

    /// The types in which the keys of both sides are packed: an option where either is one, unless
    /// rows with `none` in their key are held on neither side.
    pub fn key_types(&self) -> Vec<Type> {
        let holds_none =
            JoinSide::BOTH.iter().any(|side| self.none_in_key(*side) != NoneInKey::Drop);
        let packed = |(left, right): (&Expr, &Expr)| {
            if !holds_none {
                left.ty.required().clone()
            } else if right.ty.is_option() {
                left.ty.clone().optional()
            } else {
                left.ty.clone()
            }
        };
        self.left_key.iter().zip(&self.right_key).map(packed).collect()
    }

    /// What becomes of a side's rows with `none` in their key, which matches nothing.
    pub fn none_in_key(&self, side: JoinSide) -> NoneInKey {
        match (self.kind, side) {
            (JoinKind::Inner | JoinKind::Semi, _)
            | (JoinKind::Left | JoinKind::Anti, JoinSide::Right) => NoneInKey::Drop,
            (JoinKind::Left | JoinKind::Anti, JoinSide::Left) => NoneInKey::Value,
            (JoinKind::Full, side) => NoneInKey::Apart(side),
        }
    }
}

/// What becomes of a row with `none` in its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoneInKey {
    /// It is a value like others.
    Value,
    /// It matches nothing, so the row goes nowhere.
    Drop,
    /// It matches nothing, and the row stays: under a key that only rows of its own side have.
    Apart(JoinSide),
}

/// The latest right row at or before a time: of equal times the greatest row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asof {
    /// The time over the left row, an option; `none` matches nothing.
    pub left: Expr,
    /// The time over the right row, of the same type.
    pub right: Expr,
    /// How much earlier the right row may be, in nanoseconds.
    pub within: Option<i64>,
}

/// Kinds of join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinKind {
    /// A row per match.
    Inner,
    /// As inner, and each left row without a match once, its right side `none`.
    Left,
    /// As left, and each right row without a match once, its left side `none`.
    Full,
    /// Left rows with a match, at their own multiplicity.
    Semi,
    /// Left rows without a match.
    Anti,
}

impl JoinKind {
    /// Whether pairs of rows come out, not left rows alone.
    pub fn pairs_up(self) -> bool {
        match self {
            Self::Inner | Self::Left | Self::Full => true,
            Self::Semi | Self::Anti => false,
        }
    }

    /// Whether a row may come out without its left, and without its right side.
    pub fn may_miss(self) -> [bool; 2] {
        match self {
            Self::Inner | Self::Semi | Self::Anti => [false, false],
            Self::Left => [false, true],
            Self::Full => [true, true],
        }
    }
}

/// How the right row appears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinOutput {
    /// Left fields, then right fields; those of a side that may be missing are options.
    Flat,
    /// Left fields, then one struct of the right fields, likewise.
    Nested,
    /// Left fields only (semi, anti).
    LeftOnly,
}

/// Rows of one step by one key, which sides of several joins look up.
///
/// **Invariants**, checked by the verifier: there are two readers at least, in order, of as many
/// joins outside of loops; all read the same step, by the same columns, packed alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrangement {
    /// Who looks rows up.
    pub readers: Vec<JoinReader>,
}

/// A side of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JoinReader {
    /// The join.
    pub join: StepId,
    /// Its side.
    pub side: JoinSide,
}

/// The two sides of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinSide {
    /// The rows that are joined.
    Left,
    /// Those that they are joined with.
    Right,
}

impl JoinSide {
    /// Both, in the order of a join's inputs.
    pub const BOTH: [Self; 2] = [Self::Left, Self::Right];

    /// Its place among a join's inputs.
    pub fn index(self) -> usize {
        match self {
            Self::Left => 0,
            Self::Right => 1,
        }
    }

    /// As it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}
