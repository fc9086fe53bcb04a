//! What the owner of a server, and whoever may, asks of the hub.

use arqon_engine::TopicInput;
use arqon_plan::{Artifact, Difference};
use arqon_spine::StateFull;
use arqon_types::{Epoch, TopicName};
use tokio::sync::oneshot;

use crate::circuit::OnOutput;
use crate::report::ServerReport;

/// Why changes are not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// No circuit reads such a topic.
    #[error("`{0}` is no input of the circuit")]
    NotAnInput(TopicName),
    /// The state of a circuit has come to its limit.
    #[error("{0}")]
    StateFull(StateFull),
    /// The engine stopped, or the server has ended.
    #[error("the circuit has stopped: {0}")]
    Stopped(String),
}

/// How a circuit that runs is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacing {
    /// Not at all: a circuit of the name is in the way.
    Never,
    /// If the clients of its topics can follow.
    Compatibly,
    /// Whatever becomes of its clients; subscriptions that cannot go on end with `GONE`.
    Whatever,
}

/// Another circuit.
pub struct Addition {
    /// The compiled circuit.
    pub artifact: Artifact,
    /// What becomes of one of its name that runs already.
    pub replacing: Replacing,
    /// Called for each of its epochs, in order, before clients hear of it.
    pub on_output: OnOutput,
}

impl std::fmt::Debug for Addition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Addition")
            .field("circuit", &self.artifact.plan.circuit)
            .field("replacing", &self.replacing)
            .finish_non_exhaustive()
    }
}

/// What changes in the set of circuits, at an epoch of its own.
#[derive(Debug)]
pub enum Change {
    /// A circuit comes, or takes the place of another of its name.
    Install(Box<Addition>),
    /// The circuit of this name goes.
    Drop(String),
}

/// What a change came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The circuit.
    pub circuit: String,
    /// The epoch in which it took effect.
    pub epoch: Epoch,
    /// What the new circuit changes of the one whose place it took.
    pub difference: Option<Difference>,
    /// Rows that the input topics held and that the circuit begins with.
    pub n_rows: u64,
    /// Input topics whose past it begins without, since nobody holds it.
    pub starts_without: Vec<TopicName>,
    /// Rows that were taken back from topics, and put into them.
    pub updates: u64,
}

/// Why a change is not made; then nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// There is one of the name, and it was not to be replaced.
    #[error("circuit `{0}` is installed already")]
    Installed(String),
    /// There is none of the name.
    #[error("no circuit is called `{0}`")]
    Unknown(String),
    /// A topic belongs to another circuit.
    #[error("{0}")]
    Conflict(String),
    /// Clients could not follow.
    #[error("clients of circuit `{circuit}` cannot follow")]
    Incompatible {
        /// The circuit.
        circuit: String,
        /// What would change.
        difference: Box<Difference>,
    },
    /// The engine.
    #[error("the circuit does not start")]
    Start(#[from] arqon_engine::StartError),
    /// The new circuit stopped over the rows that it began with.
    #[error("the circuit stops over the rows that its topics hold: {0}")]
    Stopped(String),
    /// The server has ended.
    #[error("the server has ended")]
    Ended,
}

/// Who waits until nothing goes back, for the topics that go on changing.
pub(crate) type SettleReply = oneshot::Sender<Result<Vec<TopicName>, FeedError>>;

/// Where the outcome of a change goes.
pub(crate) type ChangeReply = oneshot::Sender<Result<Changed, ChangeError>>;

/// What the hub is asked.
pub(crate) enum Command {
    /// Take these changes as one epoch.
    Feed { topics: Vec<TopicInput>, reply: oneshot::Sender<Result<Epoch, FeedError>> },
    /// Close all windows, in an epoch of their own.
    EndTime { reply: oneshot::Sender<Result<Epoch, FeedError>> },
    /// From now on, whenever nothing else is there, let what the flow has written to control
    /// topics go back; answers when nothing does, with the topics that go on changing.
    Settle { reply: SettleReply },
    /// Install, replace or drop a circuit.
    Change { change: Change, reply: ChangeReply },
    /// Say what replacing the circuit of its name would change.
    Compare { artifact: Box<Artifact>, reply: oneshot::Sender<Result<Difference, ChangeError>> },
    /// Say what is there.
    Report { reply: oneshot::Sender<ServerReport> },
    /// Take no more, bring out what is under way, and close the sessions with `code`.
    Finish { code: u16 },
}
