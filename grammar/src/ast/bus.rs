//! Topics, operators, routes, limits and access: the circuit's place on the bus.

use super::Name;
use super::TypeExpr;
use super::Value;
use crate::expr::Expr;
use crate::span::Span;
use crate::span::Spanned;

/// A named channel.
#[derive(Clone, PartialEq, Debug)]
pub struct Topic {
    /// Its name.
    pub name: Name,
    /// `schema:`; `None` when it is missing or could not be read.
    pub schema: Option<TypeExpr>,
    /// `carries:`, events when it is not written.
    pub carries: Option<Spanned<Discipline>>,
    /// `key:`, one field or a list.
    pub key: Option<Spanned<Vec<Name>>>,
    /// `edge:`; without it no client reaches the topic.
    pub edge: Option<Spanned<Edge>>,
    /// `time:`, the field of event time.
    pub time: Option<Name>,
    /// `late:`, a length of time.
    pub late: Option<Expr>,
    /// `queue:`.
    pub queue: Option<Queue>,
    /// `retain:`.
    pub retain: Option<Spanned<Retain>>,
    /// `control:`.
    pub control: Option<Spanned<bool>>,
    /// `shared:`.
    pub shared: Option<Spanned<bool>>,
    /// `durable:`.
    pub durable: Option<Spanned<bool>>,
    /// `check: none`, at the place of `none`.
    pub unchecked: Option<Span>,
    /// The whole body.
    pub span: Span,
}

/// What a topic or a stream of rows carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Discipline {
    /// Facts, appended and never retracted.
    Events,
    /// The whole state of a key at a time.
    Full,
    /// Signed changes.
    Delta,
}

/// Which way clients may use a topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edge {
    /// Clients publish.
    In,
    /// Clients subscribe.
    Out,
    /// Both.
    Both,
}

/// A bounded queue of a topic.
#[derive(Clone, PartialEq, Debug)]
pub struct Queue {
    /// `max:`, in messages.
    pub max: Option<Spanned<u64>>,
    /// `full:`, block when it is not written.
    pub full: Option<Spanned<QueueFull>>,
}

/// What happens when a queue is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueueFull {
    /// The producer waits.
    Block,
    /// The message is refused.
    Reject,
    /// The oldest message goes, counted.
    DropOldest,
}

/// How long a topic keeps its rows.
#[derive(Clone, PartialEq, Debug)]
pub enum Retain {
    /// For a length of time.
    Time(Expr),
    /// Up to this many bytes.
    Bytes(u64),
    /// Not at all.
    Nothing,
}

/// External compute.
#[derive(Clone, PartialEq, Debug)]
pub struct Operator {
    /// Its name.
    pub name: Name,
    /// `contract:`; `None` when it is missing or could not be read.
    pub contract: Option<Spanned<Contract>>,
    /// `via:`, its implementations.
    pub via: Vec<Implementation>,
    /// `use:`, the implementation in use; may be left out when there is only one.
    pub selected: Option<Name>,
    /// `limits:`.
    pub limits: Option<Limits>,
    /// `retry:`.
    pub retry: Option<Retry>,
    /// The whole body.
    pub span: Span,
}

/// What an operator takes and gives.
#[derive(Clone, PartialEq, Debug)]
pub enum Contract {
    /// `arqonbus.nvm@1`: a known contract.
    Named {
        /// The name before `@`.
        name: String,
        /// The number after it.
        version: u64,
    },
    /// `{ job: Schema, result: Schema }`: a contract of the circuit's own.
    Own {
        /// The type of a job; `None` when it is missing or could not be read.
        job: Option<TypeExpr>,
        /// The type of a result; likewise.
        result: Option<TypeExpr>,
    },
}

/// One implementation of an operator.
#[derive(Clone, PartialEq, Debug)]
pub struct Implementation {
    /// Its name.
    pub name: Name,
    /// How it is reached; `None` when it could not be read.
    pub transport: Option<Spanned<Transport>>,
}

/// How an implementation is reached.
#[derive(Clone, PartialEq, Debug)]
pub enum Transport {
    /// `builtin: nvm`: inside the server.
    Builtin(Name),
    /// `remote: { type: nvm, hardware: fpga }`: whoever advertises all of these.
    Remote(Vec<(Name, Value)>),
    /// `http: { url, timeout }`: a worker behind the shim.
    Http {
        /// The worker's address; `None` when it is missing.
        url: Option<Spanned<String>>,
        /// In nanoseconds.
        timeout: Option<Spanned<i64>>,
    },
    /// `process: { command, restart }`.
    Process {
        /// The command and its arguments.
        command: Vec<Spanned<String>>,
        /// When to start it again.
        restart: Option<Spanned<Restart>>,
    },
}

/// When a process is started again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restart {
    /// When it ends with a failure.
    OnFailure,
    /// Whenever it ends.
    Always,
    /// Never.
    Never,
}

/// How failed jobs are tried again.
#[derive(Clone, PartialEq, Debug)]
pub struct Retry {
    /// `max:`, further attempts.
    pub max: Option<Spanned<u64>>,
    /// `backoff:`, waiting times in nanoseconds; the last one repeats.
    pub backoff: Vec<Spanned<i64>>,
    /// `when:`, the reasons that are worth another attempt.
    pub when: Vec<Spanned<RetryReason>>,
}

/// A reason to try again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RetryReason {
    /// Nobody took the job.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// The operator answered with an error.
    Failed,
}

/// Limits of a circuit, an operator, or one entry of `access`. Which of them apply where is
/// checked when the file is read.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Limits {
    /// `messages:`.
    pub messages: Option<Spanned<Rate>>,
    /// `bytes:`.
    pub bytes: Option<Spanned<Rate>>,
    /// `state:`, in bytes.
    pub state: Option<Spanned<u64>>,
    /// `cpu:`, in thousandths of a core.
    pub cpu_milli: Option<Spanned<u64>>,
    /// `parallel:`, jobs at a time.
    pub parallel: Option<Spanned<u64>>,
    /// `runtime:`, of one job, in nanoseconds.
    pub runtime: Option<Spanned<i64>>,
    /// `runs:`.
    pub runs: Option<Spanned<Rate>>,
    /// `energy:`, of one job, in millijoules.
    pub energy_millijoules: Option<Spanned<u64>>,
    /// The whole body.
    pub span: Span,
}

/// So many per so long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// In how many nanoseconds.
    pub per_nanos: i64,
}

/// One chain of `routes:`: `a -> b -> c when condition`.
#[derive(Clone, PartialEq, Debug)]
pub struct RouteChain {
    /// The topics and nodes, from first to last; at least two.
    pub stops: Vec<Name>,
    /// The condition; the fields stand bare in it.
    pub condition: Option<Expr>,
    /// The whole chain.
    pub span: Span,
}

/// What a role may do.
#[derive(Clone, PartialEq, Debug)]
pub struct Role {
    /// Its name.
    pub name: Name,
    /// `publish:`, topics.
    pub publish: Vec<Grant>,
    /// `subscribe:`, topics.
    pub subscribe: Vec<Grant>,
    /// `execute:`, operators.
    pub execute: Vec<Grant>,
}

/// One entry of a role.
#[derive(Clone, PartialEq, Debug)]
pub struct Grant {
    /// The topic or operator.
    pub target: Name,
    /// Caps on its use.
    pub caps: Option<Limits>,
}
