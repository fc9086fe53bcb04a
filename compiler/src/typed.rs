//! The circuit after typing: every name is an id, every expression has its type.

use std::sync::Arc;

use arqon_grammar::Span;
use arqon_grammar::ast::Name;
use arqon_operators::Expr;
use arqon_plan as plan;
use arqon_types::Discipline;

use crate::row_type::RowType;

/// A topic's place in the list of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TopicId(pub(crate) usize);

/// A node's place in the list of nodes, in the order of the file, routes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) usize);

/// An operator's place in the list of operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OperatorId(pub(crate) usize);

/// A collection that a node reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Input {
    /// What a topic holds.
    Topic(TopicId),
    /// What a node puts out.
    Node(NodeId),
    /// One label of a node that ends in a route.
    Label(NodeId, usize),
    /// The errors of a topic or node: `name.errors`.
    Errors(Owner),
    /// An operator by its name. It may only be read through its topics; the check on bypasses
    /// says so.
    Operator(OperatorId),
}

impl Input {
    /// Whose errors it is, if it is errors.
    pub(crate) fn owner_of_errors(self) -> Option<Owner> {
        match self {
            Self::Errors(owner) => Some(owner),
            Self::Topic(_) | Self::Node(_) | Self::Label(..) | Self::Operator(_) => None,
        }
    }
}

/// Whose errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// Of a topic: bad lines, retractions of what is not there, second rows of a key.
    Topic(TopicId),
    /// Of a node: rows that its steps could not compute.
    Node(NodeId),
}

/// A source of a node, at its place.
#[derive(Debug, Clone)]
pub(crate) struct TypedSource {
    /// What is read.
    pub(crate) input: Input,
    /// Where it is named.
    pub(crate) span: Span,
    /// For a union: which column of the source stands at each place of the node's row; `None`
    /// when they stand in order.
    pub(crate) columns: Option<Vec<usize>>,
}

/// A node of the flow, or one arrow of a route.
#[derive(Debug, Clone)]
pub(crate) struct TypedNode {
    /// Its name; of an arrow `a -> b`.
    pub(crate) name: String,
    /// Where it is named.
    pub(crate) span: Span,
    /// Whose errors its own are: the node's name; of an arrow the topic that it ends at.
    pub(crate) errors_of: String,
    /// One, or a union of several.
    pub(crate) sources: Vec<TypedSource>,
    /// The rows that the first step sees.
    pub(crate) row_in: Arc<RowType>,
    /// In order.
    pub(crate) steps: Vec<TypedStep>,
    /// The rows that it puts out.
    pub(crate) row: Arc<RowType>,
    /// The labels, if it ends in a route.
    pub(crate) labels: Vec<Name>,
    /// What it writes.
    pub(crate) sinks: Vec<TypedSink>,
    /// Operators that it would write to past their topics, with the place of the name.
    pub(crate) bypasses: Vec<(OperatorId, Span)>,
}

impl TypedNode {
    /// All that the node reads: its sources, then the other sides of its joins.
    pub(crate) fn reads(&self) -> impl Iterator<Item = Input> {
        let joined = self.steps.iter().filter_map(|step| match &step.verb {
            Verb::Join { input, .. } => Some(*input),
            _ => None,
        });
        self.sources.iter().map(|source| source.input).chain(joined)
    }
}

/// A topic that a node writes.
#[derive(Debug, Clone)]
pub(crate) struct TypedSink {
    /// Which.
    pub(crate) topic: TopicId,
    /// The output it takes, after a route.
    pub(crate) label: Option<usize>,
    /// What the topic's fields are over the node's row; `None` when they are its columns in
    /// order.
    pub(crate) fields: Option<Vec<Expr>>,
    /// Where the topic is named.
    pub(crate) span: Span,
}

/// A step of a node.
#[derive(Debug, Clone)]
pub(crate) struct TypedStep {
    /// `revenue[1]`
    pub(crate) address: String,
    /// The verb's place.
    pub(crate) span: Span,
    /// What it does.
    pub(crate) verb: Verb,
    /// The rows that come out.
    pub(crate) row: Arc<RowType>,
}

/// What a step does.
#[derive(Debug, Clone)]
pub(crate) enum Verb {
    /// `where`
    Where(Expr),
    /// `select`, `with`, `drop`: the new row over the old one.
    Project(ProjectVerb, Vec<Expr>),
    /// `join` with the other side.
    Join {
        /// The other side.
        input: Input,
        /// Where it is named.
        input_span: Span,
        /// The join.
        join: plan::Join,
    },
    /// `group`, with the condition on its result.
    Group {
        /// The aggregation.
        group: plan::Group,
        /// `where:`
        having: Option<Expr>,
    },
    /// `distinct`, after the projection to its fields.
    Distinct {
        /// The fields, unless `all`.
        fields: Option<Vec<Expr>>,
    },
    /// `top`
    Top(plan::Top),
    /// `route`
    Route(plan::Route),
    /// `carries`
    Carries(Discipline),
    /// `call`
    Call(TypedCall),
    /// Could not be typed; a diagnostic says why.
    Unknown,
}

/// Which verb a projection was written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProjectVerb {
    /// `select`
    Select,
    /// `with`
    With,
    /// `drop`
    Drop,
}

/// One job per row.
#[derive(Debug, Clone)]
pub(crate) struct TypedCall {
    /// Which operator.
    pub(crate) operator: OperatorId,
    /// Where it is named.
    pub(crate) span: Span,
    /// The job's fields in the order of the contract, over the row.
    pub(crate) job: Vec<Expr>,
    /// The kept fields, over the row.
    pub(crate) keep: Vec<Expr>,
    /// The topic for failed jobs.
    pub(crate) errors: Option<TopicId>,
}
