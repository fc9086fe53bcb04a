//! The bus as a pure state machine: topics, subscriptions, grants, epochs.
//!
//! **Invariant:** no socket, file, clock or randomness. Frames and the engine's deltas go in with
//! the time they arrived at; frames come out. Every queue has its maximum in [`Limits`].

mod limits;
mod pattern;
mod grant;
mod refusal;
mod retained;
mod dedupe;
mod log;
mod topic;
mod topics;
mod subscription;
mod filter;
mod machine;
mod deliver;
mod publish;
mod subscribe;
mod turnover;
mod handle;

pub use filter::filter;
pub use grant::{Action, Grant, GrantError, Principal};
pub use limits::Limits;
pub use log::Keep;
pub use machine::{
    AppliedEpoch, Bus, BusOptions, ClosedEpoch, Output, SessionId, TopicInput, farewell,
};
pub use pattern::{Pattern, PatternError};
pub use refusal::{Refusal, StateFull, adds_rows};
pub use subscription::{Filter, FilterCompiler};
pub use topic::{Source, TopicSpec};
pub use turnover::{SessionReport, TopicReport};
