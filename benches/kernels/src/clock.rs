//! Sides run in turn, and lines of figures.

use std::hint::black_box;
use std::time::Instant;

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

/// The median; of an even number, the upper one.
pub fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
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
    times.into_iter().map(median).collect()
}

/// One figure: what, against what, and what was meant.
#[derive(Debug, Clone)]
pub struct Line {
    /// The figure's name.
    pub name: String,
    /// Seconds of one step of ours.
    pub seconds: f64,
    /// The best full recomputation: its name and its seconds.
    pub best: (&'static str, f64),
    /// The ratio that was meant.
    pub target: Option<f64>,
    /// In what state the caches were.
    pub cache: CacheState,
}

impl Line {
    /// Prints it.
    #[expect(clippy::print_stdout, reason = "the figures are what the programs are for")]
    pub fn print(&self) {
        let ratio = self.best.1 / self.seconds;
        let target = self.target.map_or(String::new(), |target| {
            let is_met = if target <= ratio { "met" } else { "missed" };
            format!("  (meant {target:.0}x: {is_met})")
        });
        println!(
            "{:<44} {:>11.2} us  {ratio:>8.1}x of {} {:.0} us  {}{target}",
            self.name,
            self.seconds * 1e6,
            self.best.0,
            self.best.1 * 1e6,
            self.cache.name(),
        );
    }
}
