//! What stands in a plan: clients, topics, steps and operators, and the wires between them.
//!
//! Places are byte ranges of the circuit file; the plan does not know text.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use arqon_operators::{Expr, Kernel, KernelMode};
use arqon_types::{Discipline, Edge, Float, Schema, TopicName, Value};

use crate::dataflow::{Frame, Group, Join, Order, Over, Top};
use crate::kernel::Emit;

/// A half-open byte range of the circuit file.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct TextRange {
    /// First byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

/// A vertex of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VertexId(pub u32);

impl VertexId {
    /// Its place among [`crate::Plan::vertices`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What stands at one place of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vertex {
    /// Clients, beyond the Shield.
    Client(Client),
    /// A named channel.
    Topic(Topic),
    /// One step of a node of the flow.
    Step(FlowStep),
    /// An external operator.
    Endpoint(Endpoint),
}

/// The clients of one role, on one side of the circuit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The role; none for clients whose grants come from outside the circuit.
    pub role: Option<String>,
    /// Whether rows come from them or go to them.
    pub side: Side,
    /// The role's name in the file.
    pub range: TextRange,
}

/// Which way rows pass at the clients' edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// From clients into the circuit.
    In,
    /// From the circuit to clients.
    Out,
}

/// A topic with all that the checks ask about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// Its name.
    pub name: TopicName,
    /// Who made it.
    pub origin: TopicOrigin,
    /// What a row is.
    pub schema: Arc<Schema>,
    /// What a message is.
    pub discipline: Discipline,
    /// Positions of the key's fields; empty without a key.
    pub key: Vec<usize>,
    /// Position of the event-time field.
    pub time: Option<usize>,
    /// How long after the greatest event time so far a row may still come, in nanoseconds.
    pub late: i64,
    /// Who may touch it from outside.
    pub edge: Edge,
    /// How long it keeps its rows; none where nothing was said.
    pub retain: Option<Retain>,
    /// A control input: one epoch of delay, so that it may close a cycle.
    pub control: bool,
    /// Several writers are allowed.
    pub shared: bool,
    /// False for `check: none`: retractions of this input are trusted.
    pub verified: bool,
    /// Places in the file.
    pub ranges: TopicRanges,
}

impl Topic {
    /// Whether clients may publish to it: an edge says so, and an operator's jobs may come from
    /// whoever may execute it.
    pub fn admits_clients(&self) -> bool {
        self.edge.admits() || matches!(self.origin, TopicOrigin::Jobs { .. })
    }

    /// Whether clients may subscribe to it: an edge says so, and errors and results are there to
    /// be read.
    pub fn emits_to_clients(&self) -> bool {
        let is_report = matches!(
            self.origin,
            TopicOrigin::Errors { .. } | TopicOrigin::Late { .. } | TopicOrigin::Results { .. }
        );
        self.edge.emits() || is_report
    }

    /// Whether it is one of the circuit's own that no client may touch.
    pub fn is_inner(&self) -> bool {
        self.origin == TopicOrigin::Declared && self.edge == Edge::None
    }

    /// The names of the key's fields, `a, b`.
    pub fn key_names(&self) -> String {
        let name = |column: &usize| self.schema.fields.get(*column).map(|f| &*f.name);
        self.key.iter().filter_map(name).collect::<Vec<_>>().join(", ")
    }
}

/// Who made a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TopicOrigin {
    /// The circuit's `topics`.
    Declared,
    /// `<node>.errors`, there for every node.
    Errors {
        /// The node.
        node: String,
    },
    /// `<node>.late`, there for every node that judges rows by their event time.
    Late {
        /// The node.
        node: String,
    },
    /// `<operator>.jobs`, what the operator works on. Shared by its nature.
    Jobs {
        /// The operator.
        operator: String,
    },
    /// `<operator>.results`, what the operator answers.
    Results {
        /// The operator.
        operator: String,
    },
}

/// How long a topic keeps its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retain {
    /// For this many nanoseconds.
    Nanoseconds(i64),
    /// Up to this many bytes.
    Bytes(u64),
    /// `none`: not at all.
    Nothing,
}

/// Where the parts of a topic stand; the name's place for what was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TopicRanges {
    /// The name.
    pub name: TextRange,
    /// The value of `schema:`.
    pub schema: Option<TextRange>,
    /// The value of `carries:`.
    pub carries: Option<TextRange>,
    /// The value of `key:`.
    pub key: Option<TextRange>,
    /// The value of `edge:`.
    pub edge: Option<TextRange>,
    /// The value of `retain:`.
    pub retain: Option<TextRange>,
}

/// One step of a node, or the reading of its inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowStep {
    /// The node of the flow; `routes[0]` for the first chain of `routes`.
    pub node: Arc<str>,
    /// `revenue` where the inputs are read, `revenue[1]` for a step. Parts of one step (`group`
    /// and the `where` on its result) share the address.
    pub address: Arc<str>,
    /// What it does.
    pub verb: Verb,
    /// What its rows are.
    pub schema: Arc<Schema>,
    /// The node's name, or the step's verb, in the file.
    pub range: TextRange,
}

/// What a step does, over the rows that its [`Port::Main`] wire brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Reads the node's inputs, all of one schema; multiplicities add. First of every node.
    From,
    /// `where`, and the `where` on a group's result.
    Where(Arc<Expr>),
    /// `select`, `with`, `drop`, and the fields of a `distinct`.
    Project(Projection),
    /// `unnest`
    Unnest(Unnest),
    /// `join`; the other side comes by a [`Port::Right`] wire.
    Join(Join),
    /// `group`
    Group(Group),
    /// `distinct`
    Distinct,
    /// `top`
    Top(Top),
    /// `over`
    Over(Over),
    /// `route`; read by its [`Verb::Arm`] steps only.
    Route(RouteStep),
    /// The rows that one label of a `route` took, by the label's place; its address is
    /// `node.label`.
    Arm(usize),
    /// `window`
    Window(WindowStep),
    /// `within`
    Within(WithinStep),
    /// The rows that came after all their windows had closed, from topics whose marks say so; its
    /// address is `node.late`.
    Late(Vec<TopicName>),
    /// `carries`
    Carries(Discipline),
    /// A variable of a loop. It starts with what its [`Port::Main`] wires bring, and in the rounds
    /// after that is what comes by its [`Port::Next`] wires; both merged.
    Variable(LoopVariable),
    /// The end of a loop: the rows of one variable when nothing changes any more.
    Leave {
        /// Which loop of the circuit, from 0.
        of: usize,
    },
    /// `call`; jobs leave by a [`Port::Jobs`] wire, results come by a [`Port::Results`] wire.
    Call(Call),
    /// `kernel`; each of its inputs comes by a [`Port::Named`] wire.
    Kernel(KernelStep),
    /// `wasm`
    Wasm(WasmStep),
    /// A step that could not be typed; a diagnostic says why, and the checks stay silent on it.
    Unknown,
}

/// `window`: rows with the bounds of their windows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowStep {
    /// The windows.
    pub frame: WindowFrame,
    /// The row's event time, a timestamp over the old row.
    pub time: Expr,
    /// Whether a window's rows come out once, when it closes.
    pub is_final: bool,
    /// The topics whose marks close the windows; empty where nothing does.
    pub topics: Vec<TopicName>,
}

/// The windows of a `window` step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowFrame {
    /// `tumble` and `hop`.
    Aligned {
        /// The length in nanoseconds.
        size: i64,
        /// From one beginning to the next.
        every: i64,
    },
    /// `session`
    Session {
        /// In nanoseconds.
        gap: i64,
        /// The key, over the old row.
        per: Vec<Expr>,
    },
}

impl WindowFrame {
    /// How a single row is judged.
    pub fn frame(&self) -> Frame {
        match self {
            Self::Aligned { size, every } => Frame::Aligned { size: *size, every: *every },
            Self::Session { gap, .. } => Frame::Own { length: *gap },
        }
    }
}

/// `within`: the rows of the last stretch of event time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithinStep {
    /// The row's event time, a timestamp over the old row.
    pub time: Expr,
    /// How long a row counts, in nanoseconds.
    pub last: i64,
    /// The topics whose marks count; never empty.
    pub topics: Vec<TopicName>,
}

/// New rows, computed from old ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Projection {
    /// As the user wrote it.
    pub word: ProjectionWord,
    /// One per field of the new row, over the old one.
    pub fields: Arc<[Expr]>,
}

/// A row for each element of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unnest {
    /// The list, or an option of one, over the old row.
    pub list: Expr,
    /// The field of the new row that has the element: in the place of a field, or the last.
    pub field: usize,
}

/// The words that make a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectionWord {
    /// `select`
    Select,
    /// `with`
    With,
    /// `drop`
    Drop,
    /// The fields of `distinct`.
    Distinct,
}

/// `route`: the first true condition takes the row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStep {
    /// In order; `None` for `else`, which comes last.
    pub branches: Vec<(String, Option<Expr>)>,
}

/// A variable of a loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoopVariable {
    /// Which loop of the circuit, from 0.
    pub of: usize,
    /// The loop around, if there is one.
    pub outer: Option<usize>,
    /// Its name; none for the rows so far of a `loop` step.
    pub name: Option<String>,
    /// What makes one collection of all that comes.
    pub merge: Merge,
    /// The last round.
    pub rounds: u64,
    /// Whether the last round is the result.
    pub exact: bool,
    /// The word `loop` in the file.
    pub range: TextRange,
}

/// What a loop makes of start and rounds together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// Every row once.
    Distinct,
    /// One row for each value of `by`: that of the least (or greatest) `field`, among equal ones
    /// the least in all fields.
    Best {
        /// Whether the least or the greatest.
        order: Order,
        /// The position of the field that decides.
        field: usize,
        /// Positions of the key.
        by: Vec<usize>,
    },
}

/// `call`: one job per row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The operator's name.
    pub operator: String,
    /// The job's fields.
    pub job: Vec<(String, Expr)>,
    /// Fields of the row that are kept, over the old row; they come first in the new one.
    pub keep: Vec<Expr>,
}

/// `kernel`: a numerical kernel that follows its inputs by differences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelStep {
    /// Which.
    pub kernel: Kernel,
    /// All of its arguments, in the order of its signature.
    pub arguments: Vec<(String, Value)>,
    /// What it reads.
    pub ports: Vec<KernelPort>,
    /// The modes that it may take.
    pub modes: Vec<KernelMode>,
    /// Which rows it puts out.
    pub emit: Emit,
    /// The largest error of an output; none for an exact kernel.
    pub error_bound: Option<Float>,
    /// The longest that one step may take.
    pub latency_nanos: Option<i64>,
}

/// What a kernel reads of one port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelPort {
    /// The port.
    pub name: String,
    /// Where the fields of the port's signature stand in its rows; none for one that is not there.
    pub fields: Vec<Option<usize>>,
}

/// `wasm`: a pure capsule over rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WasmStep {
    /// The capsule's reference.
    pub capsule: String,
    /// Fuel for one row.
    pub fuel: Option<u64>,
    /// Memory.
    pub memory_bytes: Option<u64>,
    /// Time for one row.
    pub time_nanos: Option<i64>,
    /// What it may put out for one row.
    pub output_bytes: Option<u64>,
}

/// An external operator: a worker that is reached over the bus only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// `arqonbus.nvm@1`; empty for a contract of the circuit's own.
    pub contract: String,
    /// How it can be reached.
    pub vias: Vec<Via>,
    /// The index into `vias` of the one in use.
    pub selected: Option<usize>,
    /// Whether `limits` were given.
    pub limited: bool,
    /// False for one that stands in a wire but not under `operators`.
    pub declared: bool,
    /// The name in the file.
    pub range: TextRange,
}

/// One implementation of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Via {
    /// Its name.
    pub name: String,
    /// How it is reached: `builtin nvm`, `remote nvm`, `http http://127.0.0.1:7443/run`.
    pub transport: String,
}

/// A way from one vertex to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wire {
    /// Where it arrives.
    pub port: Port,
    /// What the rows are.
    pub schema: Arc<Schema>,
    /// What the rows say; derived when the plan is finished.
    pub discipline: Discipline,
    /// Positions of a proven key of the rows; empty without one. Derived likewise.
    pub key: Vec<usize>,
    /// The name in the file that makes this wire: in `from`, `to`, `join`, `routes`, `access`.
    pub range: TextRange,
}

/// The ends of a wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Port {
    /// A step's only or left input; a topic's writer.
    Main,
    /// The other side of a join.
    Right,
    /// What a variable of a loop is in the next round: the one way back.
    Next,
    /// A named input of a node.
    Named(String),
    /// Rows that failed, on their way to `<node>.errors`.
    Errors,
    /// Jobs, from a `call` to `<operator>.jobs` and on to the operator.
    Jobs,
    /// Results, from the operator to `<operator>.results` and on to the `call`.
    Results,
    /// Modes that a meta-controller asks a kernel for.
    Control,
    /// Keys whose rows a kernel is asked for.
    Asked,
    /// What the steps of a kernel cost, to its metrics topic.
    Metrics,
    /// A client publishes.
    Publish,
    /// A client subscribes.
    Subscribe,
}

/// What a role may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub range: TextRange,
    /// In the order of the file.
    pub grants: Vec<Grant>,
}

/// One entry of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// What may be done.
    pub right: Right,
    /// The topic, for [`Right::Execute`] the operator.
    pub target: String,
    /// Where it stands.
    pub range: TextRange,
}

/// What a grant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Publish to a topic.
    Publish,
    /// Subscribe to a topic.
    Subscribe,
    /// Send jobs to an operator.
    Execute,
}

/// A name that the circuit declares, and whether anything uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declaration {
    /// What it names.
    pub kind: DeclarationKind,
    /// The name.
    pub name: String,
    /// Where it stands.
    pub range: TextRange,
    /// Whether anything in the circuit uses it.
    pub used: bool,
}

/// What a declaration names. Topics, nodes and operators are vertices instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclarationKind {
    /// Under `schemas`.
    Schema,
    /// Under `functions`.
    Function,
    /// Under `params`.
    Param,
}
