//! Clocks, and sides that are run in turn.

use std::hint::black_box;
use std::time::Instant;

use arqon_bench_report::median;

/// In what state a side found the caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheState {
    /// As the same side left them.
    Warm,
    /// 64 MiB of other memory were read in between.
    Cold,
}

impl CacheState {
    /// Its name in lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Cold => "cold",
        }
    }
}

/// What empties the caches: 64 MiB, twice the last level's.
#[derive(Debug)]
pub struct Evict(Vec<u64>);

impl Default for Evict {
    fn default() -> Self {
        Self(vec![1; 8 << 20])
    }
}

impl Evict {
    /// Reads it all.
    pub fn caches(&self) {
        black_box(self.0.iter().fold(0_u64, |sum, word| sum.wrapping_add(*word)));
    }
}

/// Seconds that it takes.
#[expect(clippy::disallowed_methods, reason = "measuring is what this crate is for")]
pub fn seconds(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}

/// Median seconds of each side, run in turn `rounds` times after one that does not count.
pub fn sides(rounds: usize, cache: CacheState, sides: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    let evict = Evict::default();
    let mut times = vec![Vec::with_capacity(rounds); sides.len()];
    for round in 0..=rounds {
        for (side, times) in sides.iter_mut().zip(&mut times) {
            if cache == CacheState::Cold {
                evict.caches();
            }
            let time = seconds(&mut **side);
            if 0 < round {
                times.push(time);
            }
        }
    }
    times.iter().map(|times| median(times)).collect()
}
