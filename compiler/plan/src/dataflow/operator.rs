//! The closed set of operators, and what each of them is told.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use arqon_operators::{Aggregate, Expr, ExprKind};
use arqon_types::{TopicName, Type};

use super::join::Join;
use super::log::{Latest, Retention};
use super::window::{Closing, Session, Window};
use super::{LoopId, Variable};
use crate::kernel::{KernelPlan, Measured};

/// The closed set of operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// The collection of an input topic. No input.
    Source(TopicName),
    /// What happens to the rows of an input topic, each change with its place in the log as a last
    /// field, [`super::PLACE_FIELD`]: of events the events, of a `full` topic also what a message
    /// replaces, at the message's place. No input.
    Log(TopicName),
    /// Stateless stages in order. One input.
    Map(Map),
    /// Multiplicities add. Any number of inputs, all of the step's schema.
    Union,
    /// Splits rows by the first condition that is true; its output is read by [`Operator::Arm`]
    /// steps only. One input.
    Route(Route),
    /// One side of a route. One input, a route.
    Arm(Arm),
    /// Two inputs, left and right.
    Join(Join),
    /// One input.
    Group(Group),
    /// Multiplicity 1 for every row that is there. One input.
    Distinct,
    /// One input.
    Top(Top),
    /// Each row with values along an order. One input.
    Over(Over),
    /// The last row of each key in log order. One input.
    Latest(Latest),
    /// Lets one row per key pass: the least; the others are error rows. One input.
    Unique {
        /// Positions of the key.
        key: Vec<usize>,
    },
    /// The error rows of the node (or topic) of this name, of the same epoch. No input; stands
    /// after all steps of that node.
    Errors(String),
    /// A collection that a loop repeats. One input: where it starts.
    Variable(Variable),
    /// What the variable is in the next round. One input; nobody reads it.
    Next(Variable),
    /// The rows of a step when the loop has come to rest, or after its last round. One input.
    Leave(LoopId),
    /// The rows that came while a window of theirs was open, once for each such window, with the
    /// window's bounds where the frame has them. One input, whose last field is the mark.
    Window(Window),
    /// The rows that [`Operator::Window`] leaves out: all their windows had closed. One input,
    /// the same as the window's; the output is without the mark, and only grows: what is taken
    /// back too late is an error of the window's, or nothing.
    Late(Window),
    /// Rows with the bounds of their session. One input.
    Session(Session),
    /// Holds rows until their window has closed, and then emits them, once. One input.
    Final(Closing),
    /// Holds rows while their window is open, and retracts them when it closes. One input.
    Within(Closing),
    /// The rows that a topic retains; what it lets go is retracted. One input, all rows of the
    /// topic.
    Retain(Retention),
    /// What a numerical kernel makes of its ports. An input for each, and one for its control.
    Kernel(Box<KernelPlan>),
    /// What each step of a kernel came to, a row for each. One input, a kernel.
    Measured(Measured),
}

impl Operator {
    /// The topic whose rows come in here.
    pub fn source(&self) -> Option<&TopicName> {
        match self {
            Self::Source(topic) | Self::Log(topic) => Some(topic),
            Self::Map(_)
            | Self::Union
            | Self::Route(_)
            | Self::Arm(_)
            | Self::Join(_)
            | Self::Group(_)
            | Self::Distinct
            | Self::Top(_)
            | Self::Over(_)
            | Self::Latest(_)
            | Self::Unique { .. }
            | Self::Errors(_)
            | Self::Variable(_)
            | Self::Next(_)
            | Self::Leave(_)
            | Self::Window(_)
            | Self::Late(_)
            | Self::Session(_)
            | Self::Final(_)
            | Self::Within(_)
            | Self::Retain(_)
            | Self::Kernel(_)
            | Self::Measured(_) => None,
        }
    }
}

/// Fused stateless stages, each over the columns that the one before yields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Map {
    /// In order.
    pub stages: Vec<Stage>,
}

impl Map {
    /// Whether columns are only left out or moved: no row goes, comes or changes.
    pub fn only_moves(&self) -> bool {
        self.stages.iter().all(|stage| match &stage.kind {
            StageKind::Filter(_) | StageKind::Unnest(_) => false,
            StageKind::Project(exprs) => {
                exprs.iter().all(|expr| matches!(expr.kind, ExprKind::Column(_)))
            }
        })
    }
}

/// A stage of a [`Map`], with its own address for counters and error rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// `revenue[0]`
    pub address: Arc<str>,
    /// What it does.
    pub kind: StageKind,
}

/// What a stage does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageKind {
    /// Keeps rows for which this `bool` is true; the others count as filtered.
    Filter(Expr),
    /// The new row, all expressions over the old one.
    Project(Vec<Expr>),
    /// For each element of this list, or option of a list: the row, then the element's position
    /// (int64, from 0), then the element. Rows without elements count as filtered.
    Unnest(Expr),
}

impl StageKind {
    /// How many columns the stage yields of so many.
    pub fn width(&self, n_columns: usize) -> usize {
        match self {
            Self::Filter(_) => n_columns,
            Self::Project(fields) => fields.len(),
            Self::Unnest(_) => n_columns + 2,
        }
    }
}

/// The first true condition takes the row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// `bool` each, in order of the labels.
    pub conditions: Vec<Expr>,
    /// Whether a last label takes what no condition took; else such rows count as filtered.
    pub has_rest: bool,
}

/// Which side of a route: a condition's index, or the number of conditions for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arm {
    /// From 0.
    pub idx: usize,
}

/// Incremental aggregation: one row per group, the keys and then the aggregates.
///
/// With no keys there is exactly one row from the first epoch on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Over the input row.
    pub keys: Vec<Expr>,
    /// Over the input row.
    pub aggregates: Vec<Aggregate>,
}

/// The first `n` rows per group, in the order of `by` and then of all fields ascending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Top {
    /// How many.
    pub n: u64,
    /// How many are skipped before.
    pub offset: u64,
    /// The group; empty for one group of all rows, which may be empty.
    pub per: Vec<Expr>,
    /// The order.
    pub by: Vec<SortKey>,
    /// What happens at the cut.
    pub ties: Ties,
    /// Whether a last field with the rank (int64, from 1) is added.
    pub rank: bool,
}

/// Values along an order: each copy of a row counts as a row of its own. Rows stand in the order of
/// `by`, and then of all fields ascending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Over {
    /// The group; empty for one group of all rows.
    pub per: Vec<Expr>,
    /// The order; empty for rows without one, over which there are aggregates of the whole group
    /// only.
    pub by: Vec<SortKey>,
    /// The fields that are added.
    pub functions: Vec<OverFunction>,
}

/// One field of an [`Over`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverFunction {
    /// What it is.
    pub kind: OverKind,
    /// Its type.
    pub ty: Type,
}

/// What a field along an order is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverKind {
    /// The value so many rows before, or none.
    Lag {
        /// Over the row.
        of: Expr,
        /// How many.
        n: u64,
    },
    /// The value so many rows after, or none.
    Lead {
        /// Over the row.
        of: Expr,
        /// How many.
        n: u64,
    },
    /// The value of the first of the rows up to this one.
    First {
        /// Over the row.
        of: Expr,
        /// How many rows count, this one the last of them; all where none is said.
        rows: Option<u64>,
    },
    /// The row's place, from 1.
    RowNumber,
    /// The place of the first row that is equal in `by`.
    Rank,
    /// How many different values of `by` there are up to the row's.
    DenseRank,
    /// Of the rows up to this one, or of all where there is no order.
    Aggregate {
        /// Over the row.
        aggregate: Aggregate,
        /// How many rows count, this one the last of them; all where none is said.
        rows: Option<u64>,
    },
}

impl OverKind {
    /// What is computed of each row.
    pub fn exprs(&self) -> Vec<&Expr> {
        match self {
            Self::Lag { of, .. } | Self::Lead { of, .. } | Self::First { of, .. } => vec![of],
            Self::RowNumber | Self::Rank | Self::DenseRank => Vec::new(),
            Self::Aggregate { aggregate, .. } => {
                aggregate.args.iter().chain(&aggregate.filter).collect()
            }
        }
    }

    /// Whether the value depends on the order of the rows.
    pub fn needs_order(&self) -> bool {
        !matches!(self, Self::Aggregate { rows: None, .. })
    }
}

/// One key of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortKey {
    /// Over the input row.
    pub expr: Expr,
    /// Which way.
    pub order: Order,
}

/// Ascending has `none` first; descending is its reverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Least first.
    Ascending,
    /// Greatest first.
    Descending,
}

/// What happens to rows that are equal in `by` at the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ties {
    /// Exactly `n` rows: ties are decided by the remaining fields, ascending.
    Cut,
    /// All rows equal to the last one in `by` come along; ranks are shared.
    All,
}
