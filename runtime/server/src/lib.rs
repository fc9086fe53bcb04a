//! Edge, bus and engine joined in one process.
//!
//! A [`Server`] runs one circuit. Clients reach it through websockets, files through
//! [`Server::feed`]; both take their epochs from the same bus, so that there is one order of
//! everything.

mod config;
mod clock;
mod topics;
mod hub;
mod server;

pub use arqon_spine::StateFull;
pub use clock::{Cause, EpochClock, Recorded, UnixClock};
pub use config::{Config, ConfigError, ConfigLimits};
pub use hub::{FeedError, Idle};
pub use server::{EdgeOptions, FinishError, Server, ServerOptions, StartError, random_secret};
