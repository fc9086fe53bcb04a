//! On how many threads a step works.
//!
//! Those of the pool of rayon that it is called in: whoever wants its work shared calls it there.
//! Outside of a pool a step is its caller's alone. What is shared out are heads, or blocks of rows
//! or of outputs, stripes of a grid or vertices of a graph; no sum runs across two of them, so the
//! bits are the same for any number.

use std::sync::atomic::{AtomicBool, Ordering};

use faer::Par;
use rayon::Yield;
use rayon::prelude::*;

/// Calls it in the pool of the process, so that steps in it are shared out among as many threads as
/// the machine has cores.
pub fn shared<R: Send>(run: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| run())
}

/// Threads that there are, the caller's among them.
pub(crate) fn n_threads() -> usize {
    if rayon::current_thread_index().is_some() { rayon::current_num_threads() } else { 1 }
}

/// The same, for products of matrices.
pub(crate) fn par() -> Par {
    if n_threads() < 2 { Par::Seq } else { Par::rayon(0) }
}

/// What becomes of each item, in their order.
pub(crate) fn share<T: Send, R: Send>(
    items: impl IntoIterator<Item = T>,
    run: impl Fn(usize, T) -> R + Sync,
) -> Vec<R> {
    let items = items.into_iter().enumerate();
    if n_threads() < 2 {
        return items.map(|(at, item)| run(at, item)).collect();
    }
    let items: Vec<(usize, T)> = items.collect();
    items.into_par_iter().map(|(at, item)| run(at, item)).collect()
}

/// The same, where it is worth it: so many floating-point operations are less than waking a thread.
pub(crate) fn share_work<T: Send, R: Send>(
    n_operations: usize,
    items: impl IntoIterator<Item = T>,
    run: impl Fn(usize, T) -> R + Sync,
) -> Vec<R> {
    if n_operations < SHARED_MIN {
        return items.into_iter().enumerate().map(|(at, item)| run(at, item)).collect();
    }
    share(items, run)
}

/// Runs it while another thread of the pool waits for what it shares out: waking one then costs
/// nothing, and what it does before passes meanwhile. Of use where it shares some hundred
/// microseconds of work soon; what is not shared soon is waited for no longer.
pub(crate) fn awake<R: Send>(run: impl FnOnce() -> R + Send) -> R {
    if n_threads() < 2 {
        return run();
    }
    let is_over = AtomicBool::new(false);
    let wait = || {
        let mut n_idle = 0;
        while n_idle < WAITS_MAX && !is_over.load(Ordering::Relaxed) {
            match rayon::yield_now() {
                Some(Yield::Executed) => n_idle = 0,
                Some(Yield::Idle) | None => n_idle += 1,
            }
            std::hint::spin_loop();
        }
    };
    // Whoever waits is let go also where it panics.
    let run = || {
        let _over = Over(&is_over);
        run()
    };
    rayon::join(run, wait).0
}

/// Says that it is over when it goes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Looks for work that a thread takes in vain before it sleeps: some hundred microseconds.
const WAITS_MAX: usize = 2048;

/// Operations from which on they are shared: some tens of microseconds.
const SHARED_MIN: usize = 1 << 18;

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use rayon::ThreadPoolBuilder;

    use super::*;

    #[test]
    fn who_waits_awake_takes_work_and_is_let_go() {
        assert_eq!(awake(|| 7), 7, "outside of a pool");
        for n_threads in [1, 2, 3] {
            let pool = ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let all = pool.install(|| awake(|| share(0..100, |at, item| at + item)));
            assert_eq!(all, (0..100).map(|at| 2 * at).collect::<Vec<_>>());
            let broken = || pool.install(|| awake(|| -> usize { panic!("the work broke") }));
            let payload = catch_unwind(AssertUnwindSafe(broken)).unwrap_err();
            assert_eq!(payload.downcast_ref(), Some(&"the work broke"));
            assert_eq!(pool.install(|| awake(|| 7)), 7, "the pool goes on");
        }
    }
}
