//! The circuit after typing: every name is an id, every expression has its type.

use std::sync::Arc;

use arqon_grammar::Span;
use arqon_grammar::ast::Name;
use arqon_operators::{Expr, Place};
use arqon_plan as plan;
use arqon_types::Discipline;
use smallvec::SmallVec;

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

/// A name within a loop: a variable, or a node of its flow. Unique in the circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LocalId(pub(crate) usize);

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
    /// A variable of a loop around, or a node of its flow.
    Local(LocalId),
    /// The rows that came too late for a node's window.
    Late(NodeId),
    /// An operator by its name. It may only be read through its topics; the check on bypasses
    /// says so.
    Operator(OperatorId),
}

impl Input {
    /// Which name within a loop it is, if it is one.
    pub(crate) fn local(self) -> Option<LocalId> {
        match self {
            Self::Local(id) => Some(id),
            Self::Topic(_)
            | Self::Node(_)
            | Self::Label(..)
            | Self::Errors(_)
            | Self::Late(_)
            | Self::Operator(_) => None,
        }
    }

    /// Whose errors it is, if it is errors.
    pub(crate) fn owner_of_errors(self) -> Option<Owner> {
        match self {
            Self::Errors(owner) => Some(owner),
            Self::Topic(_)
            | Self::Node(_)
            | Self::Label(..)
            | Self::Local(_)
            | Self::Late(_)
            | Self::Operator(_) => None,
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
    /// Its name; of an arrow `a -> b`; of a node in a loop `owner.name`.
    pub(crate) name: Arc<str>,
    /// The node of the circuit that it belongs to: itself, unless it stands in a loop.
    pub(crate) owner: Arc<str>,
    /// Where it is named.
    pub(crate) span: Span,
    /// Whose errors its own are: the node's name; of an arrow the topic that it ends at.
    pub(crate) errors_of: Arc<str>,
    /// One, or a union of several; none of a node with named ports.
    pub(crate) sources: Vec<TypedSource>,
    /// A loop in the place of sources.
    pub(crate) repeated: Option<NodeLoop>,
    /// The named ports that its first step reads.
    pub(crate) ports: Vec<TypedPort>,
    /// The rows that the first step sees.
    pub(crate) row_in: Arc<RowType>,
    /// In order.
    pub(crate) steps: Vec<TypedStep>,
    /// The rows that it puts out.
    pub(crate) row: Arc<RowType>,
    /// Where their event time is.
    pub(crate) time: EventTime,
    /// The labels, if it ends in a route.
    pub(crate) labels: Vec<Name>,
    /// What it writes.
    pub(crate) sinks: Vec<TypedSink>,
    /// Operators that it would write to past their topics, with the place of the name.
    pub(crate) bypasses: Vec<(OperatorId, Span)>,
}

impl TypedNode {
    /// All that the node reads, with the place of each name: sources, and the other sides of
    /// joins, also within loops.
    pub(crate) fn reads(&self) -> NamedInputs {
        let mut found = SmallVec::new();
        self.collect_reads(&mut found);
        found
    }

    fn collect_reads(&self, found: &mut NamedInputs) {
        let place = |source: &TypedSource| (source.input, source.span);
        found.extend(self.sources.iter().map(place));
        found.extend(self.ports.iter().flat_map(|port| &port.sources).map(place));
        if let Some(repeated) = &self.repeated {
            let variables = repeated.variables.iter();
            found.extend(variables.flat_map(|it| it.start.iter().chain(&it.next)).map(place));
            repeated.nodes.iter().for_each(|(_, node)| node.collect_reads(found));
        }
        joined(&self.steps, found);
    }
}

fn joined(steps: &[TypedStep], found: &mut NamedInputs) {
    for step in steps {
        match &step.verb {
            Verb::Join { input, input_span, .. } => found.push((*input, *input_span)),
            Verb::Kernel(kernel) => {
                let topics = kernel.asked.into_iter().chain(kernel.control);
                found.extend(topics.map(|(topic, span)| (Input::Topic(topic), span)));
            }
            Verb::Loop(repeated) => joined(&repeated.body, found),
            _ => {}
        }
    }
}

/// What a node reads, with the place of each name.
pub(crate) type NamedInputs = SmallVec<[(Input, Span); 4]>;

/// A named port of a node.
#[derive(Debug, Clone)]
pub(crate) struct TypedPort {
    /// Its name.
    pub(crate) name: Name,
    /// One, or a union of several.
    pub(crate) sources: Vec<TypedSource>,
    /// Its rows.
    pub(crate) row: Arc<RowType>,
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

/// Where the event time of rows is: the `time` of their topic, as long as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventTime {
    /// In this column.
    At(usize),
    /// There is none.
    Missing,
    /// A fault before hides it.
    Unknown,
}

impl TypedNode {
    /// The place of the step that judges rows by their event time, if there is one.
    pub(crate) fn judging_step(&self) -> Option<usize> {
        self.steps.iter().position(|step| matches!(step.verb, Verb::Window(_) | Verb::Within(_)))
    }

    /// The rows before a step.
    pub(crate) fn row_before(&self, step: usize) -> &Arc<RowType> {
        step.checked_sub(1).map_or(&self.row_in, |before| &self.steps[before].row)
    }
}

/// A step of a node.
#[derive(Debug, Clone)]
pub(crate) struct TypedStep {
    /// `revenue[1]`
    pub(crate) address: Arc<str>,
    /// The verb's place.
    pub(crate) span: Span,
    /// What it does.
    pub(crate) verb: Verb,
    /// An operator that a join names, where a topic should stand: the check on bypasses reports it.
    pub(crate) operator: Option<(OperatorId, Span)>,
    /// The rows that come out.
    pub(crate) row: Arc<RowType>,
    /// Where it asks for `epoch_time()`.
    pub(crate) asks_arrival: Option<Span>,
}

/// What a step does.
#[derive(Debug, Clone)]
pub(crate) enum Verb {
    /// `where`
    Where(Arc<Expr>),
    /// `select`, `with`, `drop`: the new row over the old one.
    Project(ProjectVerb, Arc<[Expr]>),
    /// `unnest`: the list, and the field of the new row that has the element.
    Unnest(plan::Unnest),
    /// `join` with the other side.
    Join {
        /// The other side.
        input: Input,
        /// Where it is named.
        input_span: Span,
        /// The join.
        join: Box<plan::Join>,
    },
    /// `group`, with the condition on its result.
    Group {
        /// The aggregation.
        group: plan::Group,
        /// `where:`
        having: Option<Arc<Expr>>,
    },
    /// `distinct`, after the projection to its fields.
    Distinct {
        /// The fields, unless `all`.
        fields: Option<Arc<[Expr]>>,
    },
    /// `top`
    Top(plan::Top),
    /// `over`
    Over(plan::Over),
    /// `loop` over the rows so far.
    Loop(Box<StepLoop>),
    /// `window`
    Window(Box<plan::WindowStep>),
    /// `within`
    Within(plan::WithinStep),
    /// `route`
    Route(plan::Route),
    /// `carries`
    Carries(Discipline),
    /// `call`
    Call(TypedCall),
    /// `kernel`
    Kernel(Box<TypedKernel>),
    /// `wasm`
    Wasm(plan::WasmStep),
    /// Could not be typed; a diagnostic says why.
    Unknown,
}

/// How the rounds of a loop end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounds {
    /// The word `loop`.
    pub(crate) span: Span,
    /// The same, for error rows.
    pub(crate) place: Place,
    /// The last round.
    pub(crate) max: u64,
    /// Whether it is the result.
    pub(crate) exact: bool,
}

/// A `loop` step.
#[derive(Debug, Clone)]
pub(crate) struct StepLoop {
    /// What each round does.
    pub(crate) body: Vec<TypedStep>,
    /// Which column of the body's rows stands at each place of the loop's; `None` when they stand
    /// in order.
    pub(crate) columns: Option<Vec<usize>>,
    /// What is made of start and round.
    pub(crate) merge: plan::Merge,
    /// How the rounds end.
    pub(crate) rounds: Rounds,
}

/// A `loop` in the place of a node's sources.
#[derive(Debug, Clone)]
pub(crate) struct NodeLoop {
    /// In the order of the file.
    pub(crate) variables: Vec<TypedVariable>,
    /// The nodes of the loop's flow, each after those that it reads.
    pub(crate) nodes: Vec<(LocalId, TypedNode)>,
    /// How the rounds end.
    pub(crate) rounds: Rounds,
    /// The variable that the node goes on with, and where it is named.
    pub(crate) out: (usize, Span),
}

/// A variable of a loop.
#[derive(Debug, Clone)]
pub(crate) struct TypedVariable {
    /// What reads it, reads this.
    pub(crate) id: LocalId,
    /// Its name.
    pub(crate) name: Name,
    /// Its rows.
    pub(crate) row: Arc<RowType>,
    /// Where it starts.
    pub(crate) start: Vec<TypedSource>,
    /// What it is in the next round.
    pub(crate) next: Vec<TypedSource>,
    /// What is made of them.
    pub(crate) merge: plan::Merge,
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

/// A kernel with its topics.
#[derive(Debug, Clone)]
pub(crate) struct TypedKernel {
    /// The kernel.
    pub(crate) step: plan::KernelStep,
    /// Where it is named.
    pub(crate) span: Span,
    /// The topic whose keys are asked for under `pull`, and where it is named.
    pub(crate) asked: Option<(TopicId, Span)>,
    /// The topic through which modes are asked for, and where it is named.
    pub(crate) control: Option<(TopicId, Span)>,
    /// The topic for what its steps cost, and where it is named.
    pub(crate) metrics: Option<(TopicId, Span)>,
}

/// One job per row.
#[derive(Debug, Clone)]
pub(crate) struct TypedCall {
    /// Which operator.
    pub(crate) operator: OperatorId,
    /// Where it is named.
    pub(crate) span: Span,
    /// The same place, for error rows.
    pub(crate) place: Place,
    /// The job's fields in the order of the contract, over the row.
    pub(crate) job: Vec<Expr>,
    /// The kept fields, over the row.
    pub(crate) keep: Vec<Expr>,
    /// The topic for failed jobs.
    pub(crate) errors: Option<TopicId>,
}
