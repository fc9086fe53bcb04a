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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::task::Wake;
    use std::thread::{self, Thread};

    use super::*;

    struct Caller(Thread);

    impl Wake for Caller {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    fn wait<T>(away: &Away<T>) -> T {
        loop {
            match away.poll() {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => thread::park(),
            }
        }
    }

    fn caller() -> Waker {
        Waker::from(Arc::new(Caller(thread::current())))
    }

    #[test]
    fn who_waits_is_woken_and_has_what_it_came_to() {
        let crew = Crew::new(2).unwrap();
        let away = crew.send(caller(), |wish| (wish.stands(), rayon::current_num_threads()));
        assert_eq!(wait(&away), (true, 2));
    }

    #[test]
    fn a_panic_is_that_of_who_waits() {
        let crew = Crew::new(1).unwrap();
        let away: Away<()> = crew.send(caller(), |_| panic!("the kernel broke"));
        let payload = catch_unwind(AssertUnwindSafe(|| wait(&away))).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"the kernel broke"));
        assert_eq!(wait(&crew.send(caller(), |_| 7)), 7, "the others go on");
    }

    #[test]
    fn work_that_nobody_waits_for_learns_of_it() {
        let crew = Crew::new(1).unwrap();
        let (ended, ends) = channel();
        let away = crew.send(caller(), move |wish| {
            while wish.stands() {
                thread::yield_now();
            }
            ended.send(()).unwrap();
        });
        drop(away);
        ends.recv().unwrap();
    }
}
