//! What waits to be read from one subscription.
//!
//! Progress marks that follow each other are one mark: only the newest says anything.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use futures_util::task::AtomicWaker;

use crate::delivery::Delivery;
use crate::error::SessionError;
use crate::limits::QUEUE_BYTES_MAX;

#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    reader: AtomicWaker,
    /// Changes read before credit is given back.
    owed_min: u64,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    n_bytes: usize,
    owed: u64,
    end: Option<End>,
}

#[derive(Debug)]
struct Item {
    delivery: Delivery,
    n_bytes: usize,
}

#[derive(Debug)]
enum End {
    Fault(SessionError),
    Over,
}

/// What the session has to do after something was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Freed {
    /// Credit is to be given back.
    pub(crate) is_credit_due: bool,
    /// There is room again.
    pub(crate) has_room: bool,
}

impl Queue {
    pub(crate) fn new(credit: u64) -> Self {
        Self { state: Mutex::default(), reader: AtomicWaker::new(), owed_min: (credit / 2).max(1) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, delivery: Delivery, n_bytes: usize) {
        let mut state = self.lock();
        if state.end.is_some() {
            return;
        }
        let is_mark = |delivery: &Delivery| matches!(delivery, Delivery::Progress { .. });
        match state.items.back_mut() {
            Some(last) if is_mark(&last.delivery) && is_mark(&delivery) => last.delivery = delivery,
            Some(_) | None => {
                state.n_bytes += n_bytes;
                state.items.push_back(Item { delivery, n_bytes });
            }
        }
        drop(state);
        self.reader.wake();
    }

    /// Nothing more will come; what waits is still read.
    pub(crate) fn end(&self, fault: Option<SessionError>) {
        let mut state = self.lock();
        if state.end.is_none() {
            state.end = Some(fault.map_or(End::Over, End::Fault));
        }
        drop(state);
        self.reader.wake();
    }

    /// Nobody reads any more: what waits is dropped, and what comes is not taken.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.items.clear();
        state.n_bytes = 0;
        state.end = Some(End::Over);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.lock().n_bytes > QUEUE_BYTES_MAX
    }

    /// Credit to give back, once enough has been read.
    pub(crate) fn take_owed(&self) -> Option<u64> {
        let mut state = self.lock();
        (state.owed >= self.owed_min).then(|| std::mem::take(&mut state.owed))
    }

    pub(crate) fn poll(
        &self,
        waker: &Waker,
    ) -> Poll<Option<Result<(Delivery, Freed), SessionError>>> {
        // The waker is left before looking, so that nothing comes in between unseen.
        self.reader.register(waker);
        let mut state = self.lock();
        if let Some(Item { delivery, n_bytes }) = state.items.pop_front() {
            let was_full = state.n_bytes > QUEUE_BYTES_MAX;
            state.n_bytes -= n_bytes;
            state.owed += delivery.n_rows() as u64;
            let freed = Freed {
                is_credit_due: state.owed >= self.owed_min,
                has_room: was_full && state.n_bytes <= QUEUE_BYTES_MAX,
            };
            return Poll::Ready(Some(Ok((delivery, freed))));
        }
        match state.end.take() {
            None => Poll::Pending,
            Some(End::Over) => {
                state.end = Some(End::Over);
                Poll::Ready(None)
            }
            Some(End::Fault(fault)) => {
                state.end = Some(End::Over);
                Poll::Ready(Some(Err(fault)))
            }
        }
    }
}
