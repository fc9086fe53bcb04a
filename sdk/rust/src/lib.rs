//! Rust client of the bus: connect, publish with ack, subscribe, fold deltas into a table.
//!
//! Rows are JSON text, written as the bus writes them. A session speaks `arqon.v1.json`, or
//! `arqon.v1.proto` when [`Options::proto`] names the schemas that its rows are encoded by.
//!
//! **Invariant:** nothing here grows without bound. A subscriber that does not read makes the
//! session wait, and with it the acks behind; nothing is dropped in silence.
//!
//! Deliberately absent: reconnecting, resuming and TLS. An ended session says why and stays ended.
//!
//! ```no_run
//! use arqon_client::{Epoch, Message, Subscribe, Table, connect};
//!
//! # async fn shop() -> Result<(), Box<dyn std::error::Error>> {
//! let client = connect("ws://127.0.0.1:7001", "the token that `arqon run` prints").await?;
//! let mut revenue = client.subscribe(Subscribe::to("shop.revenue")).await?;
//!
//! let order = Message::row("shop.orders", r#"{"id":10,"customer":1,"amount":"30.00"}"#);
//! let ack = client.publish(order).await?;
//!
//! let mut table = Table::default();
//! table.until(&mut revenue, ack.epoch).await?;
//! for (row, count) in table.rows() {
//!     println!("{count} x {row}");
//! }
//! client.close().await;
//! # Ok(())
//! # }
//! ```

mod limits;
mod error;
mod rows;
mod message;
mod delivery;
mod queue;
mod session;
mod socket;
mod client;
mod table;

pub use arqon_proto::{
    AckMode, As, Begin, Encoding, ErrorCode, Part, RowError, SessionLimits, Welcome,
};
pub use arqon_types::{Epoch, Field, Schema, Type};
pub use client::{Client, Options, Receipt, Subscribe, Subscription, connect};
pub use delivery::{Change, CountedRow, Delivery, Upsert};
pub use error::{ConnectError, Ending, Refusal, SessionError};
pub use message::{Ack, Message};
pub use table::{FoldError, Table};

#[cfg(test)]
mod tests;
