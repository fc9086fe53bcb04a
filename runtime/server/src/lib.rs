//! Edge, bus and engine joined in one process.
//!
//! A [`Server`] runs circuits: one that it is there for, or several that come and go. Clients reach
//! them through websockets, files through [`Server::feed`]; both take their epochs from the same
//! bus, so that there is one order of everything.

mod config;
mod clock;
mod topics;
mod tally;
mod pulse;
mod report;
mod circuit;
mod portion;
mod command;
mod past;
mod arrival;
mod hub;
mod chain;
mod epochs;
mod holding;
mod change;
mod telling;
mod entrance;
mod diagnostics;
mod reading;
mod control_json;
mod metrics;
mod control;
mod edge;
mod server;

pub use arqon_spine::StateFull;
pub use chain::writers_first;
pub use circuit::OnOutput;
pub use clock::{Cause, EpochClock, Recorded, UnixClock};
pub use command::{Addition, Change, ChangeError, Changed, FeedError, Replacing};
pub use config::{Config, ConfigError, ConfigLimits};
pub use diagnostics::{DiagnosticEntry, diagnostic_entries};
pub use hub::Idle;
pub use report::{CircuitReport, InCommon, ServerReport};
pub use server::{EdgeOptions, FinishError, Server, ServerOptions, StartError, random_secret};
pub use tally::{EpochTally, Tally};
pub use topics::schema_hash;
