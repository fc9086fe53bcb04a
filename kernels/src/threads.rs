//! On how many threads a step works.
//!
//! Those of the pool of rayon that it is called in: whoever wants its work shared calls it there.
//! Outside of a pool a step is its caller's alone. What is shared out are heads, or blocks of rows
//! or of outputs, stripes of a grid or vertices of a graph; no sum runs across two of them, so the
//! bits are the same for any number.

use faer::Par;
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

/// Operations from which on they are shared: some tens of microseconds.
const SHARED_MIN: usize = 1 << 18;
