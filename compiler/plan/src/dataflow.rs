//! The executable form of a circuit: steps in dependency order.

mod log;
mod window;
mod join;
mod operator;
mod isotone;
mod traversal;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use arqon_operators::Place;
use arqon_types::{Discipline, Edge, Field, Schema, TopicName};

pub use join::{Arrangement, Asof, Join, JoinKind, JoinOutput, JoinReader, JoinSide, NoneInKey};
pub use log::{FLOW_PLACE, Latest, LogOrder, PLACE_FIELD, Retention, RetentionRule, n_places};
pub use operator::{
    Arm, Group, Map, Operator, Order, Over, OverFunction, OverKind, Route, SortKey, Stage,
    StageKind, Ties, Top,
};
pub use traversal::{Best, Kept, Traversal, chosen_side, edge_field, projected};
pub use window::{Closing, Frame, Release, Session, Window};

/// A step's place in [`DataflowPlan::steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

impl StepId {
    /// The step at this place.
    ///
    /// # Panics
    /// From 2^32 on, which no file has room for.
    pub fn at(index: usize) -> Self {
        Self(u32::try_from(index).expect("steps have 32 bit ids"))
    }

    /// The index into the steps.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// All that the engine needs to run a circuit.
///
/// **Invariants**, checked by the plan's verifier: a step's inputs stand before it; the schema of
/// each expression's columns is the schema of the step's input; every topic is named once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataflowPlan {
    /// The circuit's name.
    pub circuit: String,
    /// Its isolation domain.
    pub namespace: String,
    /// The file's name as the user gave it, for the places in error rows.
    pub file: String,
    /// All topics, inputs and outputs alike, by name.
    pub topics: Vec<TopicPlan>,
    /// The loops, those around before those within.
    pub loops: Vec<Loop>,
    /// In dependency order.
    pub steps: Vec<Step>,
    /// Which step's collection each written topic carries.
    pub outputs: Vec<Output>,
    /// What goes back into the logs of control topics; each topic once.
    pub feedbacks: Vec<Feedback>,
    /// Rows that several joins look up by the same key, and hold once.
    pub arrangements: Vec<Arrangement>,
    /// Steps that let go of the state of closed windows, in order.
    pub releases: Vec<Release>,
    /// Bytes that the state of all steps may take, as the engine counts them; more makes the host
    /// refuse what would add to it.
    pub state_bytes_max: Option<u64>,
}

impl DataflowPlan {
    /// Whether rows come to the topic from outside: it has a source, or nothing writes it.
    pub fn is_fed(&self, topic: &TopicName) -> bool {
        self.has_source(topic) || self.outputs.iter().all(|output| output.topic != *topic)
    }

    /// Whether a step reads what comes in by the topic.
    pub fn has_source(&self, topic: &TopicName) -> bool {
        self.steps.iter().any(|step| step.operator.source() == Some(topic))
    }

    /// The steps whose rows leave the dataflow, each with its topic: first the outputs, then what
    /// goes back.
    pub fn ends(&self) -> impl Iterator<Item = (&TopicName, StepId)> {
        let outputs = self.outputs.iter().map(|output| (&output.topic, output.step));
        outputs.chain(self.feedbacks.iter().map(|feedback| (&feedback.topic, feedback.step)))
    }

    /// The plan with other steps, by a pass that moves them: `place` says where one stands now that
    /// is read at an end of the dataflow, or that is a join of an arrangement.
    #[must_use]
    pub fn with_steps(mut self, steps: Vec<Step>, place: impl Fn(StepId) -> StepId) -> Self {
        self.steps = steps;
        let outputs = self.outputs.iter_mut().map(|output| &mut output.step);
        let ends = outputs.chain(self.feedbacks.iter_mut().map(|feedback| &mut feedback.step));
        let readers = self.arrangements.iter_mut().flat_map(|it| &mut it.readers);
        for moved in ends.chain(readers.map(|reader| &mut reader.join)) {
            *moved = place(*moved);
        }
        self
    }

    /// The arrangement that each reader of one reads, by place.
    pub fn arrangement_readers(&self) -> BTreeMap<JoinReader, usize> {
        let readers = self.arrangements.iter().enumerate();
        readers.flat_map(|(at, it)| it.readers.iter().map(move |reader| (*reader, at))).collect()
    }

    /// How often each step is read: by steps, and by what leaves the dataflow.
    pub fn n_readers(&self) -> Vec<usize> {
        let mut n_readers = vec![0; self.steps.len()];
        let inputs = self.steps.iter().flat_map(|step| step.inputs.iter().copied());
        for read in inputs.chain(self.ends().map(|(_, end)| end)) {
            n_readers[read.index()] += 1;
        }
        n_readers
    }

    /// Whether the flow writes to the topic with an epoch of delay.
    pub fn is_fed_back(&self, topic: &TopicName) -> bool {
        self.feedbacks.iter().any(|feedback| feedback.topic == *topic)
    }

    /// Whether files and clients may bring rows to the topic: a step reads it as an input, and the
    /// flow is not the only one that writes it.
    pub fn is_input(&self, topic: &TopicName) -> bool {
        let feedback = self.feedbacks.iter().find(|feedback| feedback.topic == *topic);
        self.has_source(topic) && feedback.is_none_or(|feedback| feedback.is_shared)
    }

    /// Whether a step reads the topic's log.
    pub fn has_log(&self, topic: &TopicName) -> bool {
        let is_log = |step: &Step| matches!(&step.operator, Operator::Log(name) if name == topic);
        self.steps.iter().any(is_log)
    }

    /// The retentions of its topics.
    pub fn retentions(&self) -> impl Iterator<Item = Retention> {
        self.steps.iter().filter_map(|step| match step.operator {
            Operator::Retain(retention) => Some(retention),
            _ => None,
        })
    }

    /// Whether rows go some time after they came, whatever comes.
    pub fn lets_go_by_arrival(&self) -> bool {
        let mut retentions = self.retentions();
        retentions.any(|retention| matches!(retention.rule, RetentionRule::Arrival(_)))
    }

    /// Whether the cut into epochs is part of what the circuit says: something goes back in the
    /// next epoch, which rows are newest hangs on what the flow writes in each, or a kernel's steps
    /// are told, or leave rows as they were said.
    pub fn hangs_on_epochs(&self) -> bool {
        let is_written = |retention: Retention| match retention.rule {
            RetentionRule::Bytes(_) | RetentionRule::Time { .. } => {
                retention.order != LogOrder::Log
            }
            // When an epoch came is said beside it, and kept by whoever repeats it.
            RetentionRule::Arrival(_) => false,
        };
        let counts_steps = |step: &Step| match &step.operator {
            Operator::Kernel(kernel) => kernel.hangs_on_steps(),
            Operator::Measured(_) => true,
            _ => false,
        };
        !self.feedbacks.is_empty()
            || self.retentions().any(is_written)
            || self.steps.iter().any(counts_steps)
    }

    /// Whether anything waits for windows to close.
    pub fn closes_windows(&self) -> bool {
        self.topics.iter().any(|topic| topic.lateness.is_some())
    }
}

impl DataflowPlan {
    /// The innermost loop in which each step is repeated: that of its variable, or the innermost
    /// of its inputs'. What hangs on no variable is outside, wherever it was written.
    ///
    /// # Panics
    /// If a step names a loop or an input that the plan has not.
    pub fn regions(&self) -> Vec<Option<LoopId>> {
        let mut regions: Vec<Option<LoopId>> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            regions.push(match &step.operator {
                Operator::Variable(variable) | Operator::Next(variable) => Some(variable.of),
                Operator::Leave(of) => self.loops[of.index()].outer,
                Operator::Source(_)
                | Operator::Log(_)
                | Operator::Errors(_)
                | Operator::Map(_)
                | Operator::Union
                | Operator::Route(_)
                | Operator::Arm(_)
                | Operator::Join(_)
                | Operator::Group(_)
                | Operator::Distinct
                | Operator::Top(_)
                | Operator::Over(_)
                | Operator::Latest(_)
                | Operator::Unique { .. }
                | Operator::Window(_)
                | Operator::Late(_)
                | Operator::Session(_)
                | Operator::Final(_)
                | Operator::Within(_)
                | Operator::Retain(_)
                | Operator::Kernel(_)
                | Operator::Measured(_) => step
                    .inputs
                    .iter()
                    .filter_map(|input| regions[input.index()])
                    .max_by_key(|region| self.chain(*region).count()),
            });
        }
        regions
    }

    /// A loop and those around it, outward.
    pub fn chain(&self, of: LoopId) -> impl Iterator<Item = LoopId> {
        std::iter::successors(Some(of), |of| self.loops[of.index()].outer)
    }
}

/// A loop's place in [`DataflowPlan::loops`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LoopId(pub u32);

impl LoopId {
    /// The index into the loops.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Steps that are repeated until nothing changes.
///
/// In round 0 each variable is where it starts; in each round after that it is what
/// [`Operator::Next`] was in the round before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loop {
    /// The node of the flow; a loop without end is an error of it.
    pub node: Arc<str>,
    /// The loop's address for people.
    pub address: Arc<str>,
    /// Where it stands.
    pub place: Place,
    /// How many variables it has.
    pub n_variables: u32,
    /// The last round; at least 1.
    pub rounds: u64,
    /// Whether the last round is the result, also where the next one would change something.
    /// Otherwise such a loop has no rows, and an error says so.
    pub exact: bool,
    /// The loop around, whose variables may be read.
    pub outer: Option<LoopId>,
}

/// A collection that is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Variable {
    /// The loop.
    pub of: LoopId,
    /// From 0.
    pub idx: u32,
}

/// A topic as the runtime needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicPlan {
    /// Its name.
    pub name: TopicName,
    /// What a row is.
    pub schema: Schema,
    /// What a message is.
    pub discipline: Discipline,
    /// Positions of the key's fields; empty without a key.
    pub key: Vec<usize>,
    /// Position of the event-time field.
    pub time: Option<usize>,
    /// Who may touch it from outside.
    pub edge: Edge,
    /// False for `check: none`: retractions of this input are trusted, not verified.
    pub verified: bool,
    /// How long after the greatest event time so far a row may still come, in nanoseconds. Where
    /// it is set, each row of the topic's source carries its mark as a last field of type int64:
    /// the greatest event time so far, the row's own included, less this; `i64::MIN` without an
    /// event time.
    pub lateness: Option<i64>,
    /// Whether each row of the topic's source carries the time of the epoch in which it came, as a
    /// field of type timestamp behind those of the schema and before the mark. A row keeps it: what
    /// is taken back has the time with which it came. Not for topics that carry `delta`.
    pub arrival: bool,
    /// Which of its events are there for subscribers who come later; all, of what is no event.
    pub history: History,
}

/// Which events of a topic are there for subscribers who come later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// All.
    All,
    /// None.
    Nothing,
    /// Those that are retained, the oldest being the first in the topic's log.
    Ruled(RetentionRule),
}

/// The name of the field that carries the time of the epoch in which a row came.
pub const ARRIVAL: &str = "$arrival";

/// Whether a field is none of the circuit's: what rows bring along stands behind theirs, under
/// names with a `$`, which no field of a circuit has.
pub fn is_hidden(field: &Field) -> bool {
    field.name.starts_with('$')
}

/// The name of the field that carries a row's mark.
pub const MARK: &str = "$mark";

/// The collection of one step, carried by a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The topic.
    pub topic: TopicName,
    /// The step.
    pub step: StepId,
}

/// What the flow writes to a control topic: the changes of a step in one epoch are changes of the
/// topic's log in the next, before all others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// The topic; it has a source, like any input.
    pub topic: TopicName,
    /// The step; of a `full` topic, one row for each key.
    pub step: StepId,
    /// Whether files and clients bring rows to the topic as well.
    pub is_shared: bool,
}

/// One operator with its inputs; its output has rows of `schema`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The node of the flow (or the topic) that this step belongs to; its errors go there.
    pub node: Arc<str>,
    /// The step's address for people: `revenue[1]`, or the topic's name for a source.
    pub address: Arc<str>,
    /// What it does.
    pub operator: Operator,
    /// Steps before this one.
    pub inputs: Vec<StepId>,
    /// What its rows are; steps that hand the same rows on share it.
    pub schema: Arc<Schema>,
}
