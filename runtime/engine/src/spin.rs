//! A worker that waits awake for a moment, where what it waits for comes at once.
//!
//! To wake a thread costs several times what a small epoch does, most of all where its processor
//! has gone to sleep as well. So a worker that is fed soon after its last epoch looks for the next
//! one before it sleeps. One that is fed seldom sleeps at once, so that an idle dataflow costs
//! nothing; one that has waited in vain lets more and more occasions pass before it does so again;
//! and of all workers of the process few wait awake at a time, so that others find a processor.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread::{available_parallelism, yield_now};
use std::time::{Duration, Instant};

/// How long a worker waits awake at most.
const SPIN_MAX: Duration = Duration::from_micros(200);
/// What is fed within this time is fed soon: it may be sooner where nobody has to be woken for it.
const SOON: Duration = Duration::from_millis(1);
/// Occasions that pass at most after one in vain.
const PASSED_MAX: u32 = 64;
/// Looks between two at the clock, and at whether another thread wants the processor.
const LOOKS: usize = 32;

/// Workers of the process that wait awake.
static SPINNING: AtomicUsize = AtomicUsize::new(0);

/// How many may: half of the processors, and none where there is one alone.
fn spinning_max() -> usize {
    static MAX: OnceLock<usize> = OnceLock::new();
    *MAX.get_or_init(|| available_parallelism().map_or(0, |n| n.get() / 2))
}

/// The place of one that waits awake.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        if SPINNING.fetch_add(1, Ordering::Relaxed) < spinning_max() {
            return Some(Self);
        }
        SPINNING.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        SPINNING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a worker remembers of how long it waited.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    /// Since when it has nothing to do.
    idle: Option<Instant>,
    /// Whether it was fed soon after it had nothing to do, the last time.
    is_fed_soon: bool,
    /// Occasions that passed, or are to pass, after the last one in vain.
    n_passed: u32,
    /// Of these, those that are left.
    n_left: u32,
}

impl Spin {
    /// Takes note that the worker has been fed.
    pub(crate) fn fed(&mut self) {
        if let Some(idle) = self.idle.take() {
            self.is_fed_soon = idle.elapsed() < SOON;
        }
    }

    /// Waits for an order of a worker that has nothing to do, if one is likely to come at once.
    #[expect(clippy::disallowed_methods, reason = "what is waited for is a short time")]
    pub(crate) fn wait<T>(&mut self, orders: &Receiver<T>) -> Option<T> {
        if self.idle.is_some() {
            return None;
        }
        let idle = *self.idle.insert(Instant::now());
        if !self.is_fed_soon {
            return None;
        }
        if 0 < self.n_left {
            self.n_left -= 1;
            return None;
        }
        let _place = Place::take()?;
        loop {
            for _ in 0..LOOKS {
                match orders.try_recv() {
                    Ok(order) => {
                        self.n_passed = 0;
                        return Some(order);
                    }
                    Err(TryRecvError::Disconnected) => return None,
                    Err(TryRecvError::Empty) => std::hint::spin_loop(),
                }
            }
            if SPIN_MAX <= idle.elapsed() {
                self.n_passed = (2 * self.n_passed).clamp(1, PASSED_MAX);
                self.n_left = self.n_passed;
                return None;
            }
            yield_now();
        }
    }
}
