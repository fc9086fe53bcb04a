//! The client: connects, publishes with acks, subscribes, folds deltas.
//!
//! A [`Client`] speaks `arqon.v1.json` over one websocket; clones of it share the session. Rows
//! are JSON text here, as in files; [`Table`] folds the deltas of a topic whose schema is known.
//!
//! **Bounds:** a [`Subscription`] holds no more changes than its credit allows, and asks for more
//! as they are taken; marks of progress that nobody has looked at yet are merged.

mod error;
mod delivery;
mod session;
mod client;
mod table;

pub use client::{Body, Client, CREDIT_ROWS, Message, Request, Subscription};
pub use delivery::{Delivery, Event};
pub use error::{ClientError, ConnectError};
pub use table::Table;
