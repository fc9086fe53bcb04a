//! A session that waits awake for an answer, where answers come at once.
//!
//! A row that a client publishes comes to a delta within some dozens of microseconds, which is what
//! it takes to wake a thread that has gone to sleep meanwhile. So a session whose last frames were
//! answered soon looks for the next answer before its thread sleeps, and at the sockets of its
//! neighbours as it does. One that has waited in vain lets more and more frames pass before it does
//! so again. Where others bring frames as well, who have use for the processor, none waits awake,
//! and of all threads of the process few do at a time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{available_parallelism, yield_now};
use std::time::Duration;

use tokio::time::Instant;

/// How long a session waits awake at most.
const AWAKE_MAX: Duration = Duration::from_micros(200);
/// What is answered within this time is answered soon: it may be sooner where nobody has to be
/// woken for it.
const SOON: Duration = Duration::from_millis(1);
/// Frames that pass at most after one that was waited for in vain.
const PASSED_MAX: u32 = 64;

/// Sessions of the process that wait awake.
static AWAKE: AtomicUsize = AtomicUsize::new(0);
/// How often a session of the process has brought frames.
static N_BROUGHT: AtomicU64 = AtomicU64::new(0);

/// How many may: half of the processors, and none where there is one alone.
fn awake_max() -> usize {
    static MAX: OnceLock<usize> = OnceLock::new();
    *MAX.get_or_init(|| available_parallelism().map_or(0, |n| n.get() / 2))
}

/// Whether one is as good as alone, since whose last frames others have come so many times.
fn is_alone(n_others: u64) -> bool {
    usize::try_from(n_others).is_ok_and(|n_others| n_others < awake_max())
}

/// The place of one that waits awake.
#[derive(Debug)]
struct Place;

impl Place {
    fn take() -> Option<Self> {
        if AWAKE.fetch_add(1, Ordering::Relaxed) < awake_max() {
            return Some(Self);
        }
        AWAKE.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        AWAKE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a session remembers of how soon it was answered.
#[derive(Debug, Default)]
pub(crate) struct Awake {
    /// When it brought frames that have not been answered yet.
    brought: Option<Instant>,
    /// How often frames have been brought by all until it did so last.
    n_brought: u64,
    /// Held as long as it waits awake.
    place: Option<Place>,
    /// Whether its last frames were answered soon.
    is_answered_soon: bool,
    /// Frames that passed, or are to pass, after the last ones that it waited for in vain.
    n_passed: u32,
    /// Of these, those that are left.
    n_left: u32,
}

impl Awake {
    /// Takes note that frames have been brought to the bus, and waits awake from now on if an
    /// answer is likely to come at once.
    pub(crate) fn bring(&mut self, now: Instant) {
        self.brought.get_or_insert(now);
        let n_before = N_BROUGHT.fetch_add(1, Ordering::Relaxed);
        let is_alone = is_alone(n_before - std::mem::replace(&mut self.n_brought, n_before + 1));
        if self.place.is_some() || !self.is_answered_soon || !is_alone {
            return;
        }
        match self.n_left.checked_sub(1) {
            Some(left) => self.n_left = left,
            None => self.place = Place::take(),
        }
    }

    /// Takes note that the client is told something, which ends the waiting.
    pub(crate) fn answer(&mut self, now: Instant) {
        if let Some(brought) = self.brought.take() {
            self.is_answered_soon = now - brought < SOON;
        }
        if self.place.take().is_some() {
            self.n_passed = 0;
        }
    }

    /// Whether it waits awake.
    pub(crate) fn is_awake(&self) -> bool {
        self.place.is_some()
    }

    /// Ends the waiting if it has been in vain, or others have come; else lets others have the
    /// processor, one of whom may be about to make the answer.
    pub(crate) fn look(&mut self, now: Instant) {
        let is_alone = is_alone(N_BROUGHT.load(Ordering::Relaxed) - self.n_brought);
        if is_alone && self.brought.is_some_and(|brought| now - brought < AWAKE_MAX) {
            yield_now();
        } else {
            self.place = None;
            self.n_passed = (2 * self.n_passed).clamp(1, PASSED_MAX);
            self.n_left = self.n_passed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it waits awake for frames that are answered after so long.
    fn is_awake_for(awake: &mut Awake, now: &mut Instant, answer: Duration) -> bool {
        awake.bring(*now);
        let is_awake = awake.is_awake();
        *now += answer;
        if is_awake {
            awake.look(*now);
        }
        awake.answer(*now);
        assert!(!awake.is_awake());
        is_awake
    }

    #[test]
    fn who_is_answered_soon_waits_awake_and_who_waits_in_vain_less_and_less() {
        let (mut awake, mut now) = (Awake::default(), Instant::now());
        let [soon, late, never] = [50, 500, 5_000].map(Duration::from_micros);
        let mut times = |answers: &[Duration]| -> Vec<bool> {
            answers.iter().map(|answer| is_awake_for(&mut awake, &mut now, *answer)).collect()
        };
        // Alone in this process, it has a place wherever there are two processors.
        let can = 0 < awake_max();
        assert_eq!(times(&[never, soon, soon, soon]), [false, false, can, can]);
        // In vain, but soon enough that it would not be if nobody had to be woken.
        assert_eq!(times(&[late; 6]), [can, false, can, false, false, can]);
        assert_eq!(times(&[soon; 6]), [false, false, false, false, can, can]);
        assert_eq!(times(&[never, soon, soon, soon]), [can, false, false, can]);
    }
}
