//! Threads beside the workers, for steps that would hold a worker up.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// As many threads as there are workers. A step that runs on one of them may share its work with
/// the others.
#[derive(Debug, Clone)]
pub(crate) struct Crew {
    pool: Arc<ThreadPool>,
}

/// What the crew works on; whoever drops it does not want it any more.
#[derive(Debug)]
pub(crate) struct Away<T> {
    done: Receiver<std::thread::Result<T>>,
    _wish: Arc<()>,
}

/// Whether the work is still wanted.
#[derive(Debug)]
pub(crate) struct Wish(Weak<()>);

impl Crew {
    /// Starts so many threads.
    ///
    /// # Errors
    /// If the system gives none.
    pub(crate) fn new(n_threads: usize) -> Result<Self, ThreadPoolBuildError> {
        let name = |idx| format!("arqon:kernel:{idx}");
        let pool = ThreadPoolBuilder::new().num_threads(n_threads).thread_name(name).build()?;
        Ok(Self { pool: Arc::new(pool) })
    }

    /// Does the work on one of the threads, and wakes who waits for it.
    pub(crate) fn send<T: Send + 'static>(
        &self,
        waker: Waker,
        work: impl FnOnce(&Wish) -> T + Send + 'static,
    ) -> Away<T> {
        let (done_in, done) = sync_channel(1);
        let wish = Arc::new(());
        let wished = Wish(Arc::downgrade(&wish));
        self.pool.spawn(move || {
            // A panic is that of the circuit: left to the pool it would end the process.
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&wished)));
            // Who no longer waits for it has ended.
            let _ = done_in.send(outcome);
            waker.wake();
        });
        Away { done, _wish: wish }
    }
}

impl Wish {
    /// Whether anybody waits for the work.
    pub(crate) fn stands(&self) -> bool {
        0 < self.0.strong_count()
    }
}

impl<T> Away<T> {
    /// What the work came to, if it is done.
    ///
    /// # Panics
    /// With what the work panicked with.
    pub(crate) fn poll(&self) -> Poll<T> {
        match self.done.try_recv() {
            Ok(Ok(outcome)) => Poll::Ready(outcome),
            Ok(Err(payload)) => resume_unwind(payload),
            Err(TryRecvError::Empty) => Poll::Pending,
            Err(TryRecvError::Disconnected) => panic!("the threads of kernels have ended"),
        }
    }
}
