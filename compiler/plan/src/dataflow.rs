//! The executable form of a circuit: steps in dependency order.

mod join;
mod traversal;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use arqon_operators::{Aggregate, Expr, ExprKind, Place};
use arqon_types::{Discipline, Edge, Field, Schema, TopicName, Type};

use crate::kernel::{KernelPlan, Measured};

pub use join::{Arrangement, Asof, Join, JoinKind, JoinOutput, JoinReader, JoinSide, NoneInKey};
pub use traversal::{Best, Kept, Traversal, chosen_side, edge_field, projected};

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

/// The closed set of operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// The collection of an input topic. No input.
    Source(TopicName),
    /// What happens to the rows of an input topic, each change with its place in the log as a last
    /// field, [`PLACE_FIELD`]: of events the events, of a `full` topic also what a message
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

/// Which windows a row falls into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The windows.
    pub frame: Frame,
    /// The row's event time, a timestamp over the input row.
    pub time: Expr,
    /// Whether a window keeps its rows when it closes, so that to take one back is an error;
    /// otherwise they have left it by themselves.
    pub keeps_rows: bool,
    /// Whether the mark stays the last field of the output, for a window further on.
    pub keeps_mark: bool,
}

/// Kinds of windows; lengths in nanoseconds, above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// Windows of this length, one beginning at every multiple of `every` since 1970; adds the
    /// bounds as two timestamps.
    Aligned {
        /// The length.
        size: i64,
        /// From one beginning to the next, at most `size`.
        every: i64,
    },
    /// The row's own window, from its time on; adds nothing.
    Own {
        /// The length.
        length: i64,
    },
}

impl Frame {
    /// The end of the last window that a row of this time falls into; none beyond 2262.
    pub fn last_end(self, time: i64) -> Option<i64> {
        match self {
            Self::Aligned { size, every } => {
                time.checked_sub(time.rem_euclid(every))?.checked_add(size)
            }
            Self::Own { length } => time.checked_add(length),
        }
    }
}

/// Sessions: rows of one key, each less than the gap after the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The key, over the input row.
    pub per: Vec<Expr>,
    /// The row's event time, a timestamp over the input row.
    pub time: Expr,
    /// In nanoseconds, above 0: a session ends this long after its last row, and nothing extends
    /// it once its end is as long ago.
    pub gap: i64,
    /// Whose marks close sessions; empty where nothing does.
    pub topics: Vec<TopicName>,
}

/// When a row's window closes: as soon as `time + slack` is no later than the least mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// A timestamp over the input row.
    pub time: Expr,
    /// In nanoseconds.
    pub slack: i64,
    /// Whose marks count; never empty.
    pub topics: Vec<TopicName>,
}

/// Which rows a topic retains.
///
/// Changes take effect one after another: those of the topic's log in its order, and behind them
/// what the flow has written in the epoch, what goes first and then by rows. A retraction takes the
/// newest copy of its row; one of a row that has been let go changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// When rows go.
    pub rule: RetentionRule,
    /// Who brings the rows, and so whether they have a place in the log as last field.
    pub order: LogOrder,
}

/// When a topic lets go of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetentionRule {
    /// The oldest go, as long as all have more than so many bytes together; a row's are those of
    /// its packed form.
    Bytes(u64),
    /// So many nanoseconds after they came, by the greatest time of epochs so far.
    Arrival(i64),
    /// So long after their own time, by the greatest time among the rows so far.
    Time {
        /// The field with a row's time, a timestamp.
        field: usize,
        /// In nanoseconds.
        length: i64,
        /// How much later than that, in nanoseconds, since rows may come late.
        late: i64,
    },
}

/// Which rows have a place in the log of their topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogOrder {
    /// All: they come in by the topic.
    Log,
    /// None: the flow writes them.
    Flow,
    /// Those that come in; what the flow writes has [`FLOW_PLACE`].
    Both,
}

impl LogOrder {
    /// How many of the last fields of a row are its place.
    pub fn n_places(self) -> usize {
        match self {
            Self::Log | Self::Both => 1,
            Self::Flow => 0,
        }
    }
}

/// The place of what the flow writes to a topic that others write as well: behind all that came in.
pub const FLOW_PLACE: i64 = i64::MAX;

/// A step whose keys name windows: it lets go of a key when its window has closed, and what it
/// said of it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// A join, group, distinct, top or unique.
    pub step: StepId,
    /// Which part of its key is the timestamp; for a distinct, which column.
    pub key: usize,
    /// The key is closed as soon as the timestamp and this are no later than the least mark.
    pub slack: i64,
    /// Whose marks count; never empty.
    pub topics: Vec<TopicName>,
}

/// How the name of a field begins that holds a row's place in the log. No field of a schema
/// begins with `$`.
pub const PLACE_FIELD: &str = "$place";

/// How many of the last fields hold a row's place in the log.
pub fn n_places(schema: &Schema) -> usize {
    schema.fields.iter().rev().take_while(|field| field.name.starts_with(PLACE_FIELD)).count()
}

/// Of the rows of each key the one with the greatest place in the log; of equal places the
/// greatest row. The input's last columns are the place, the output has the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest {
    /// Positions of the key.
    pub key: Vec<usize>,
    /// How many columns the place has, `int64` each, compared in order.
    pub n_places: usize,
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
