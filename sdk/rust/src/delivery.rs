//! What a subscription brings, and the box in which it waits to be taken.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use arqon_proto::{Delta, Gap, Snapshot, Upserts};
use bytes::Bytes;
use tokio::sync::Notify;

use crate::error::ClientError;

/// An event with its place in the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// From 1.
    pub offset: u64,
    /// The row as JSON.
    pub row: Bytes,
}

/// One thing that a subscription brings.
#[derive(Debug, Clone, PartialEq)]
pub enum Delivery {
    /// Changes; the first ones of a subscription from a snapshot are the snapshot.
    Delta(Delta),
    /// The whole of a topic.
    Snapshot(Snapshot),
    /// The newest rows of changed keys.
    Upserts(Upserts),
    /// A row of an events topic.
    Event(Event),
    /// No change before this epoch will follow.
    Progress(u64),
    /// Events that will not come.
    Gap(Gap),
}

impl Delivery {
    /// How much credit it takes.
    pub(crate) fn n_rows(&self) -> u64 {
        match self {
            Self::Delta(delta) => delta.changes.len() as u64,
            Self::Snapshot(snapshot) => snapshot.rows.len() as u64,
            Self::Upserts(upserts) => upserts.upserts.len() as u64,
            Self::Event(_) => 1,
            Self::Progress(_) | Self::Gap(_) => 0,
        }
    }
}

/// Where deliveries wait; the session puts in, the subscription takes out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mailbox(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Delivery>,
    end: Option<ClientError>,
}

impl Mailbox {
    /// Adds a delivery; a mark of progress replaces one that still waits as the last.
    pub(crate) fn put(&self, delivery: Delivery) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (state.waiting.back_mut(), &delivery) {
            (Some(Delivery::Progress(last)), Delivery::Progress(upper)) => *last = *upper,
            _ => state.waiting.push_back(delivery),
        }
        drop(state);
        self.0.changed.notify_one();
    }

    /// Says that nothing more will come.
    pub(crate) fn close(&self, why: ClientError) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.end.get_or_insert(why);
        drop(state);
        self.0.changed.notify_one();
    }

    /// Takes the next delivery, or why there is none.
    pub(crate) async fn take(&self) -> Result<Delivery, ClientError> {
        loop {
            {
                let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(delivery) = state.waiting.pop_front() {
                    return Ok(delivery);
                }
                if let Some(why) = &state.end {
                    return Err(why.clone());
                }
            }
            self.0.changed.notified().await;
        }
    }
}
