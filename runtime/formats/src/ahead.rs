//! Threads that read ahead: each cuts its next piece off a file, and works on it beside the others.
//! What they come to is taken in the order of the pieces.
//!
//! **Invariant:** no more than a few pieces a thread are cut and not taken, however slow the one is
//! who takes them.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Who reads ahead, and how far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crew {
    /// Threads, at least one.
    pub(crate) n_threads: usize,
    /// Pieces for each thread that may be cut and not taken, at least the one that it works on.
    pub(crate) pieces_per_thread: u64,
}

/// Threads at work on a file.
pub(crate) struct Ahead<T> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared<T> {
    progress: Mutex<Progress<T>>,
    changed: Condvar,
    n_ahead_max: u64,
}

struct Progress<T> {
    /// By the place of the piece.
    done: BTreeMap<u64, T>,
    n_taken: u64,
    /// How many pieces there are, once that is known.
    n_pieces: Option<u64>,
    /// Nobody takes any more.
    is_over: bool,
    /// A thread has panicked.
    is_broken: bool,
}

/// The file, for whoever cuts the next piece off it.
struct Turn<C> {
    cut: C,
    place: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of another thread is told by `is_broken`.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Send + 'static> Ahead<T> {
    /// Starts threads. `cut` is called by one at a time, until it gives none.
    /// Each thread has a `work` of its own, which may remember its pieces.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(crate) fn start<P>(
        crew: Crew,
        cut: impl FnMut() -> Option<P> + Send + 'static,
        work: impl FnMut(P) -> T + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let progress = Progress {
            done: BTreeMap::new(),
            n_taken: 0,
            n_pieces: None,
            is_over: false,
            is_broken: false,
        };
        let n_ahead_max = crew.pieces_per_thread * crew.n_threads as u64;
        let shared =
            Shared { progress: Mutex::new(progress), changed: Condvar::new(), n_ahead_max };
        let turn = Arc::new(Mutex::new(Turn { cut, place: 0 }));
        let mut ahead = Self { shared: Arc::new(shared), threads: Vec::new() };
        for _ in 0..crew.n_threads {
            let (shared, turn) = (Arc::clone(&ahead.shared), Arc::clone(&turn));
            let mut work = work.clone();
            let thread = thread::Builder::new().name("arqon:read".to_owned());
            let started = thread.spawn(move || {
                let watch = Watch(shared);
                watch.0.go_through(&turn, &mut work);
            });
            match started {
                Ok(thread) => ahead.threads.push(thread),
                // Those that there are do it.
                Err(_) if !ahead.threads.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(ahead)
    }

    /// What the next piece comes to; none at the end.
    ///
    /// # Panics
    /// If a thread has.
    pub(crate) fn next(&self) -> Option<T> {
        let mut progress = lock(&self.shared.progress);
        loop {
            let place = progress.n_taken;
            if let Some(done) = progress.done.remove(&place) {
                progress.n_taken += 1;
                self.shared.changed.notify_all();
                return Some(done);
            }
            if progress.n_pieces == Some(place) {
                return None;
            }
            assert!(!progress.is_broken, "a thread that reads has panicked");
            progress = self.shared.changed.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T> Drop for Ahead<T> {
    fn drop(&mut self) {
        lock(&self.shared.progress).is_over = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A panic has been told to whoever was to take something, if anybody was.
            let _ = thread.join();
        }
    }
}

impl<T> Shared<T> {
    /// One thread's work.
    fn go_through<P>(
        &self,
        turn: &Mutex<Turn<impl FnMut() -> Option<P>>>,
        work: &mut impl FnMut(P) -> T,
    ) {
        loop {
            let mut turn = lock(turn);
            let place = turn.place;
            if !self.waits_for_room(place) {
                return;
            }
            let Some(piece) = (turn.cut)() else {
                lock(&self.progress).n_pieces = Some(place);
                self.changed.notify_all();
                return;
            };
            turn.place += 1;
            drop(turn);
            let done = work(piece);
            lock(&self.progress).done.insert(place, done);
            self.changed.notify_all();
        }
    }

    /// Waits until a piece may be cut; false if there is none, or if none is wanted.
    fn waits_for_room(&self, place: u64) -> bool {
        let mut progress = lock(&self.progress);
        loop {
            if progress.is_over || progress.is_broken || progress.n_pieces.is_some() {
                return false;
            }
            if place < progress.n_taken + self.n_ahead_max {
                return true;
            }
            progress = self.changed.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Says that a thread has panicked, where it has.
struct Watch<T>(Arc<Shared<T>>);

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        if thread::panicking() {
            lock(&self.0.progress).is_broken = true;
            self.0.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_in_order_and_never_too_many_ahead() {
        for (n_threads, pieces_per_thread) in [(1, 2), (2, 2), (3, 2), (1, 1), (3, 1)] {
            let crew = Crew { n_threads, pieces_per_thread };
            let n_cut = Arc::new(Mutex::new(0_u64));
            let counted = Arc::clone(&n_cut);
            let cut = move || {
                let mut n_cut = lock(&counted);
                *n_cut += 1;
                (*n_cut <= 100).then_some(*n_cut)
            };
            let ahead = Ahead::start(crew, cut, |piece| piece * 2).unwrap();
            for place in 1..=100 {
                assert_eq!(ahead.next(), Some(2 * place));
                let n_ahead_max = crew.pieces_per_thread * crew.n_threads as u64;
                assert!(*lock(&n_cut) <= place + n_ahead_max, "{crew:?}, piece {place}");
            }
            assert_eq!(ahead.next(), None);
            assert_eq!(ahead.next(), None);
        }
    }

    #[test]
    fn one_who_takes_nothing_ends_all_threads() {
        let crew = Crew { n_threads: 3, pieces_per_thread: 2 };
        let ahead = Ahead::start(crew, || Some(1_u8), |piece| piece).unwrap();
        assert_eq!(ahead.next(), Some(1));
        drop(ahead);
    }

    #[test]
    fn a_panic_reaches_whoever_takes() {
        let work = |piece: u64| {
            assert!(piece < 3, "told on purpose");
            piece
        };
        let mut next = 0;
        let cut = move || {
            next += 1;
            Some(next)
        };
        let crew = Crew { n_threads: 2, pieces_per_thread: 2 };
        let ahead = Ahead::start(crew, cut, work).unwrap();
        let taken =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(
                || {
                    while ahead.next().is_some() {}
                },
            ));
        assert!(taken.is_err());
    }
}
