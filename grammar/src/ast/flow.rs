//! The flow: nodes, their sources, steps and sinks.

use super::Discipline;
use super::Name;
use super::TypeExpr;
use super::Value;
use crate::expr::Expr;
use crate::span::Span;
use crate::span::Spanned;

/// One node of the flow.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// Its name.
    pub name: Name,
    /// `from:`; `None` when it is missing or could not be read, and where `loop:` stands for it.
    pub from: Option<Spanned<Source>>,
    /// `loop:` with its `out:`, in the place of `from:`.
    pub repeated: Option<Box<NodeLoop>>,
    /// `do:`, in order. A step's index here is its address: `revenue[1]`.
    pub steps: Vec<Step>,
    /// `to:`.
    pub to: Option<Spanned<Sink>>,
    /// The whole body.
    pub span: Span,
}

/// `loop:` of a node: collections that are repeated together.
#[derive(Clone, PartialEq, Debug)]
pub struct NodeLoop {
    /// The word `loop`.
    pub span: Span,
    /// `let:` and `next:`.
    pub variables: Vec<LoopVariable>,
    /// `flow:`, what each round computes.
    pub flow: Vec<Node>,
    /// How the rounds end.
    pub bounds: LoopBounds,
    /// `out:`, the variable whose rows the node goes on with; `None` when it is missing.
    pub out: Option<Name>,
}

/// A variable of a loop.
#[derive(Clone, PartialEq, Debug)]
pub struct LoopVariable {
    /// Its name.
    pub name: Name,
    /// Where it starts; several names are a union. Empty when it could not be read.
    pub start: Vec<Name>,
    /// Its name again in `next:`; `None` when it is missing there.
    pub again: Option<Name>,
    /// What it is in the next round, a union; empty when it could not be read.
    pub next: Vec<Name>,
    /// `merge:`, distinct when it is not written.
    pub merge: Merge,
}

/// How the rounds of a loop end.
#[derive(Clone, PartialEq, Debug)]
pub struct LoopBounds {
    /// `rounds:`, a whole number or a parameter's name.
    pub rounds: Option<Expr>,
    /// `exact:`, whether the last round is the result.
    pub exact: Option<Spanned<bool>>,
}

/// What a loop makes of start and rounds together.
#[derive(Clone, PartialEq, Debug)]
pub enum Merge {
    /// `merge: distinct`
    Distinct,
    /// `merge: { min: field, by: key }`
    Best {
        /// Least for `min`, greatest for `max`.
        direction: Direction,
        /// The field that decides.
        field: Name,
        /// One row is kept for each value of these.
        by: Vec<Name>,
    },
}

/// `loop:` as a step, over the rows so far.
#[derive(Clone, PartialEq, Debug)]
pub struct Loop {
    /// The steps that each round does.
    pub body: Vec<Step>,
    /// `merge:`, distinct when it is not written.
    pub merge: Merge,
    /// How the rounds end.
    pub bounds: LoopBounds,
}

/// Where a node reads from. Each name is a topic, a node, `node.label` or `node.errors`.
#[derive(Clone, PartialEq, Debug)]
pub enum Source {
    /// `from: name`.
    One(Name),
    /// `from: [a, b]`, a union.
    Union(Vec<Name>),
    /// `from: { q: a, kv: b }`, named ports.
    Ports(Vec<Port>),
}

/// A named port of a node.
#[derive(Clone, PartialEq, Debug)]
pub struct Port {
    /// The port's name.
    pub name: Name,
    /// What it reads; several names are a union.
    pub sources: Vec<Name>,
}

/// Where a node writes to.
#[derive(Clone, PartialEq, Debug)]
pub enum Sink {
    /// `to: topic`.
    Topic(Name),
    /// `to: { label: topic }`, after `route`.
    Labels(Vec<(Name, Name)>),
}

/// One step of a node.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// The verb, at its place; the whole step when the verb could not be told.
    pub verb: Span,
    /// The whole step.
    pub span: Span,
    /// What it does.
    pub kind: StepKind,
}

/// What a step does.
#[derive(Clone, PartialEq, Debug)]
pub enum StepKind {
    /// `where: condition`.
    Where(Expr),
    /// `select:` in either form; a bare path has taken its last name.
    Select(Vec<NamedExpr>),
    /// `with:`.
    With(Vec<NamedExpr>),
    /// `drop:`.
    Drop(Vec<Name>),
    /// `unnest:`, with the name of the element.
    Unnest(NamedExpr),
    /// `join:`.
    Join(Box<Join>),
    /// `group:`.
    Group(Group),
    /// `distinct: all` (no fields), or `distinct: [fields]`.
    Distinct(Option<Vec<NamedExpr>>),
    /// `top:`.
    Top(Box<Top>),
    /// `over:`.
    Over(Over),
    /// `loop:`.
    Loop(Box<Loop>),
    /// `window:`.
    Window(Window),
    /// `within:`.
    Within(Within),
    /// `route:`.
    Route(Vec<Branch>),
    /// `carries:`.
    Carries(Spanned<Discipline>),
    /// `call:`.
    Call(Call),
    /// `kernel:`.
    Kernel(Box<Kernel>),
    /// `wasm:`.
    Wasm(Box<Wasm>),
    /// Could not be read, or is not available in this version; a diagnostic says so. The row
    /// after it is unknown.
    Error,
}

/// A value with the name it gets.
#[derive(Clone, PartialEq, Debug)]
pub struct NamedExpr {
    /// The name; of a bare path, its last part.
    pub name: Name,
    /// The value.
    pub value: Expr,
}

/// `join:` and its companions.
#[derive(Clone, PartialEq, Debug)]
pub struct Join {
    /// The other side: a topic or a node.
    pub source: Name,
    /// `kind:`, inner when it is not written.
    pub kind: Spanned<JoinKind>,
    /// `match:`; `None` when it is missing or could not be read, empty for the cross product.
    pub pairs: Option<Spanned<Vec<MatchPair>>>,
    /// `as:`.
    pub alias: Option<Name>,
    /// `where:`, part of the match.
    pub condition: Option<Expr>,
    /// `asof:`.
    pub asof: Option<Asof>,
}

/// `asof:`, the latest right row at or before a time.
#[derive(Clone, PartialEq, Debug)]
pub struct Asof {
    /// The key, at its place.
    pub span: Span,
    /// `time:`, over the rows so far.
    pub time: Expr,
    /// `of:`, over the rows of the other side.
    pub of: Expr,
    /// `within:`, a length of time.
    pub within: Option<Expr>,
}

/// One pair of `match:`, equal on both sides.
#[derive(Clone, PartialEq, Debug)]
pub struct MatchPair {
    /// Over the rows so far.
    pub left: Expr,
    /// Over the rows of the other side.
    pub right: Expr,
}

/// Kinds of join.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JoinKind {
    /// Rows that match.
    Inner,
    /// All left rows, with the right row as an option.
    Left,
    /// All rows of both sides, each side as an option.
    Full,
    /// Left rows that have a match.
    Semi,
    /// Left rows that have none.
    Anti,
}

/// `group:` and its companions.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// The keys; empty for one group of all rows.
    pub keys: Vec<NamedExpr>,
    /// Where the keys stand.
    pub keys_span: Span,
    /// `agg:`.
    pub aggregates: Vec<NamedExpr>,
    /// `where:`, over the result.
    pub condition: Option<Expr>,
}

/// `top:` and its companions.
#[derive(Clone, PartialEq, Debug)]
pub struct Top {
    /// How many rows; a whole number or a parameter's name.
    pub count: Expr,
    /// `by:`; empty when it is missing or could not be read.
    pub by: Vec<OrderBy>,
    /// `per:`; empty for one group of all rows.
    pub per: Vec<Expr>,
    /// `offset:`.
    pub offset: Option<Expr>,
    /// `ties:`, cut when it is not written.
    pub ties: Option<Spanned<Ties>>,
    /// `rank:`, the field that receives the rank, from 1.
    pub rank: Option<Name>,
}

/// `over:`
#[derive(Clone, PartialEq, Debug)]
pub struct Over {
    /// `by:`, if the rows have an order.
    pub by: Option<Vec<OrderBy>>,
    /// `per:`; empty for one group of all rows.
    pub per: Vec<Expr>,
    /// `with:`, the fields that are added.
    pub fields: Vec<NamedExpr>,
}

/// One key of an order: `n desc`.
#[derive(Clone, PartialEq, Debug)]
pub struct OrderBy {
    /// The value to order by.
    pub value: Expr,
    /// Ascending when not written.
    pub direction: Direction,
}

/// Direction of an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Least first.
    Ascending,
    /// Greatest first.
    Descending,
}

/// What happens to rows equal at the edge of the first n.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ties {
    /// Cut by the remaining fields, ascending.
    Cut,
    /// All are kept.
    All,
}

/// `window:`, with `time` and `final` inside of it or beside it.
#[derive(Clone, PartialEq, Debug)]
pub struct Window {
    /// The windows, at the place of the word that names their kind.
    pub kind: Spanned<WindowKind>,
    /// `time:`, the topic's event time when it is not written.
    pub time: Option<Expr>,
    /// `final:`, at its value.
    pub is_final: Option<Spanned<bool>>,
}

/// Kinds of windows. A length of time is a duration or the name of a parameter that is one.
#[derive(Clone, PartialEq, Debug)]
pub enum WindowKind {
    /// `tumble: 1m`.
    Tumble {
        /// The length.
        size: Expr,
    },
    /// `hop: 10s, every: 2s`.
    Hop {
        /// The length.
        size: Expr,
        /// From one beginning to the next.
        every: Expr,
    },
    /// `session: 10s, per: [bidder]`.
    Session {
        /// How long after its last row a session ends.
        gap: Expr,
        /// `per:`; empty for sessions of all rows.
        per: Vec<Expr>,
    },
}

/// `within:`.
#[derive(Clone, PartialEq, Debug)]
pub struct Within {
    /// `last:`, a length of time.
    pub last: Expr,
    /// `time:`, the topic's event time when it is not written.
    pub time: Option<Expr>,
}

/// One label of `route:`.
#[derive(Clone, PartialEq, Debug)]
pub struct Branch {
    /// The label.
    pub label: Name,
    /// When a row takes it.
    pub condition: BranchCondition,
}

/// When a row takes a branch.
#[derive(Clone, PartialEq, Debug)]
pub enum BranchCondition {
    /// When this is true and no label above took the row.
    When(Expr),
    /// `else`: when no other label took the row.
    Else(Span),
}

/// `call:` and its companions.
#[derive(Clone, PartialEq, Debug)]
pub struct Call {
    /// The operator's name.
    pub operator: Name,
    /// `job:`; literals typed by the contract, `=expression` computes.
    pub job: Vec<(Name, Value)>,
    /// Where the job stands; the verb when it is not written.
    pub job_span: Span,
    /// `keep:`; a bare path has taken its last name.
    pub keep: Vec<NamedExpr>,
    /// `errors:`, the topic for failed jobs.
    pub errors: Option<Name>,
}

/// `kernel:` and its companions.
#[derive(Clone, PartialEq, Debug)]
pub struct Kernel {
    /// The kernel's name.
    pub name: Name,
    /// `args:`; literals typed by the kernel, `=expression` over the circuit's parameters.
    pub args: Vec<(Name, Value)>,
    /// Where the arguments stand; the verb when they are not written.
    pub args_span: Span,
    /// `modes:`; none for all that the kernel has.
    pub modes: Option<Spanned<Vec<Spanned<Mode>>>>,
    /// `emit:`, changed when it is not written.
    pub emit: Option<Spanned<Emit>>,
    /// `bounds: { error }`, the largest error of an output.
    pub error_bound: Option<Spanned<f64>>,
    /// `bounds: { latency }`, of one step, in nanoseconds.
    pub latency_bound: Option<Spanned<i64>>,
    /// `control:`, the topic through which modes are asked for.
    pub control: Option<Name>,
    /// `metrics:`, the topic for what each step cost.
    pub metrics: Option<Name>,
}

/// How a kernel follows its inputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// `pass`: full application.
    Pass,
    /// `itmd`: the exact delta.
    Itmd,
    /// `rr`: reduced-rank reuse with a certified error.
    Rr,
}

/// Which rows of its output a kernel puts out.
#[derive(Clone, PartialEq, Debug)]
pub enum Emit {
    /// `changed`: those whose own inputs changed.
    Changed,
    /// `{ pull: topic }`: those whose keys stand in this topic.
    Pull(Name),
    /// `all`: all of them, each step.
    All,
    /// `{ eps: x }`: those that are off by more than this.
    Eps(f64),
}

/// `wasm:` and its companions.
#[derive(Clone, PartialEq, Debug)]
pub struct Wasm {
    /// The capsule: `filters/denoise@2`, or its hash, `blake3:…`.
    pub capsule: Spanned<String>,
    /// `returns:`, what its rows are; those that come in when it is not written.
    pub returns: Option<TypeExpr>,
    /// `limits:`.
    pub limits: Option<CapsuleLimits>,
}

/// What a capsule may use for one row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CapsuleLimits {
    /// `fuel:`, in instructions or so.
    pub fuel: Option<Spanned<u64>>,
    /// `memory:`, in bytes.
    pub memory: Option<Spanned<u64>>,
    /// `time:`, in nanoseconds.
    pub time: Option<Spanned<i64>>,
    /// `output:`, in bytes.
    pub output: Option<Spanned<u64>>,
}
