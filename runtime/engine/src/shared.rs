//! What feeder, workers and collector share: how much is under way, and whether all has failed.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;

use crate::feedback::Returning;

/// What feeder, workers and collector share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    has_failed: AtomicBool,
    progress: Mutex<Progress>,
    changed: Condvar,
    threads: Mutex<Vec<Thread>>,
}

#[derive(Debug, Default)]
struct Progress {
    n_epochs: usize,
    n_rows: usize,
    failure: Option<String>,
    /// What goes back into the next epoch.
    returning: Returning,
}

/// Epochs that may be on their way through the dataflow.
const EPOCHS_IN_FLIGHT_MAX: usize = 64;
/// Rows that may be on their way, save that one epoch always may.
const ROWS_IN_FLIGHT_MAX: usize = 1 << 20;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere is recorded as a failure; the data behind these locks stays sound.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Waits for room and takes it, or says why the dataflow has stopped.
    pub(crate) fn admit(&self, n_rows: usize) -> Result<(), String> {
        let mut progress = lock(&self.progress);
        loop {
            if let Some(failure) = &progress.failure {
                return Err(failure.clone());
            }
            let has_room = progress.n_epochs < EPOCHS_IN_FLIGHT_MAX
                && progress.n_rows + n_rows <= ROWS_IN_FLIGHT_MAX;
            if progress.n_epochs == 0 || has_room {
                break;
            }
            progress = self.changed.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
        progress.n_epochs += 1;
        progress.n_rows += n_rows;
        Ok(())
    }

    /// Waits until every epoch is out, and takes what goes back into the next one.
    pub(crate) fn take_returning(&self) -> Result<Returning, String> {
        let mut progress = lock(&self.progress);
        loop {
            if let Some(failure) = &progress.failure {
                return Err(failure.clone());
            }
            if progress.n_epochs == 0 {
                return Ok(std::mem::take(&mut progress.returning));
            }
            progress = self.changed.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Adds to what goes back into the next epoch; whether anything does.
    pub(crate) fn return_later(&self, add: impl FnOnce(&mut Returning)) -> bool {
        let returning = &mut lock(&self.progress).returning;
        add(returning);
        !returning.is_empty()
    }

    /// Gives the room of an epoch back.
    pub(crate) fn release(&self, n_rows: usize) {
        let mut progress = lock(&self.progress);
        progress.n_epochs -= 1;
        progress.n_rows -= n_rows;
        drop(progress);
        self.changed.notify_all();
    }

    /// Stops everything; the first reason is kept.
    pub(crate) fn fail(&self, reason: String) {
        tracing::error!(reason = reason.as_str(), "dataflow stopped");
        lock(&self.progress).failure.get_or_insert(reason);
        self.has_failed.store(true, Ordering::SeqCst);
        self.changed.notify_all();
        self.wake();
    }

    /// Why the dataflow has stopped, if it has.
    pub(crate) fn failure(&self) -> Option<String> {
        lock(&self.progress).failure.clone()
    }

    /// Whether the dataflow has stopped.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::SeqCst)
    }

    /// Wakes all workers.
    pub(crate) fn wake(&self) {
        lock(&self.threads).iter().for_each(Thread::unpark);
    }

    /// Lets the present thread be woken.
    pub(crate) fn join_in(&self) {
        lock(&self.threads).push(std::thread::current());
    }
}

/// The text of a panic.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a text".to_owned()
    }
}
