//! Dataflow plan to timely and differential dataflow.
//!
//! A [`Dataflow`] runs a plan on its own threads. Epochs of changes go in; for each of them comes
//! out, in order, what changed in every output topic and every node's errors. Between stateless
//! steps rows travel as columns; at stateful steps they are packed bytes under a packed key.
//!
//! **Invariant:** the engine sees no text of a circuit, no socket and no clock, save for how long a
//! worker waits awake, on which no answer hangs.

mod needs;
mod narrow;
mod packed;
mod joined;
mod cone;
mod batch;
mod stats;
mod recorder;
mod evaluate;
mod memory;
mod map;
mod route;
mod forget;
mod lease;
mod kinds;
mod source;
mod mark;
mod window;
mod keyed;
mod pieces;
mod whole;
mod deltas;
mod parcel;
mod emitter;
mod slot;
mod stateful;
mod open;
mod tally;
mod ordered;
mod sorted;
mod group;
mod distinct;
mod join;
mod top;
mod asof;
mod along;
mod over;
mod latest;
mod unique;
mod hold;
mod retain;
mod session;
mod kernel;
mod form;
mod arrangement;
mod variable;
mod looped;
mod traversal;
mod gate;
mod sink;
mod error_feed;
mod counters;
mod render;
mod feedback;
mod shared;
mod collector;
mod spin;
mod worker;
mod fit;
mod dataflow;

pub use collector::{EpochOutput, RowOutput};
pub use dataflow::{
    Dataflow, EngineOptions, EpochInput, FeedError, FinishError, Held, Past, ResumeError,
    SaveError, StartError, TopicInput,
};
pub use feedback::{FEEDBACK_EPOCHS_MAX, Feedback};
pub use kernel::{
    Clock, Decided, Journal, Pace, PreparedKernel, SnapshotError, Unprepared, prepared,
};
pub use narrow::{Keep, columns_kept};
pub use render::BackendChoice;
pub use source::Changes;
pub use stats::{Count, CounterKind, Counts, EpochStats, NodeCounts};
