//! What steps cost, learnt from what they took.
//!
//! Seconds are kept by mode and by size of the work, a size being a power of two: a line through
//! two numbers (seconds per unit, and a fixed part) would have to be right over eight orders of
//! magnitude, across every level of cache. Between sizes that were seen the time is interpolated;
//! beyond them it is taken to be the least that it could be, so that what was never tried is tried
//! once.

use std::io;

use crate::arithmetic::to_float;
use crate::mode::Mode;
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};

/// Sizes: powers of two up to 2^63.
const SIZES: usize = 64;

/// Steps that a mean is of, about. Few, and one miss of `rr` would count as if every fourth were
/// one; many, and a machine that is busy now would be noticed late.
const MEMORY: f64 = 32.0;

/// Mean seconds and mean work of the steps of each size, for each mode.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Costs {
    sizes: [Vec<Option<Mean>>; 3],
    /// The most work per second that was ever seen.
    rate_max: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Mean {
    seconds: f64,
    work: f64,
    n_steps: f64,
}

impl Default for Costs {
    fn default() -> Self {
        let none = || vec![None; SIZES];
        Self { sizes: [none(), none(), none()], rate_max: 0.0 }
    }
}

impl Costs {
    /// A step of this mode and this work took so long.
    pub(crate) fn observe(&mut self, mode: Mode, work: u64, seconds: f64) {
        let work = as_float(work);
        self.rate_max = self.rate_max.max(work / seconds.max(1e-9));
        let mean = &mut self.sizes[mode.index()][size(work)];
        let old = mean.unwrap_or(Mean { seconds, work, n_steps: 0.0 });
        let n_steps = (old.n_steps + 1.0).min(MEMORY);
        *mean = Some(Mean {
            seconds: old.seconds + (seconds - old.seconds) / n_steps,
            work: old.work + (work - old.work) / n_steps,
            n_steps,
        });
    }

    /// Writes all that was learnt.
    pub(crate) fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()> {
        let all = || self.sizes.iter().flatten();
        out.numbers("timed sizes", all().map(|mean| u8::from(mean.is_some())))?;
        let numbers = |mean: &Mean| [mean.seconds, mean.work, mean.n_steps];
        out.numbers("mean costs", all().flatten().flat_map(numbers))?;
        out.number("rate", self.rate_max)
    }

    /// Reads what [`Self::save`] wrote.
    pub(crate) fn load(input: &mut SnapshotReader<'_>) -> Result<Self, LoadError> {
        let mut costs = Self::default();
        let is_timed: Vec<u8> = input.array("timed sizes", costs.sizes.len() * SIZES)?;
        let numbers: Vec<f64> = input.numbers("mean costs")?;
        let mut means = numbers.chunks_exact(3);
        for (mean, is_timed) in costs.sizes.iter_mut().flatten().zip(is_timed) {
            if is_timed == 0 {
                continue;
            }
            let Some([seconds, work, n_steps]) = means.next() else {
                return Err(LoadError::Damaged { section: "mean costs" });
            };
            *mean = Some(Mean { seconds: *seconds, work: *work, n_steps: *n_steps });
        }
        if means.next().is_some() || !numbers.len().is_multiple_of(3) {
            return Err(LoadError::Damaged { section: "mean costs" });
        }
        costs.rate_max = input.number("rate")?;
        Ok(costs)
    }

    /// Whether a step of this mode and about this work was ever timed.
    pub(crate) fn has_seen(&self, mode: Mode, work: u64) -> bool {
        self.sizes[mode.index()][size(as_float(work))].is_some()
    }

    /// Seconds that a step of this mode and this work should take.
    pub(crate) fn seconds(&self, mode: Mode, work: u64) -> f64 {
        let work = as_float(work);
        let (sizes, at) = (&self.sizes[mode.index()], size(work));
        let below = sizes[..=at].iter().rev().flatten().next();
        let above = sizes[at + 1..].iter().flatten().next();
        match (below, above) {
            (Some(mean), _) if size(mean.work) == at => mean.seconds * work / mean.work,
            (Some(below), Some(above)) => {
                let share = (work - below.work) / (above.work - below.work);
                below.seconds + share * (above.seconds - below.seconds)
            }
            (Some(below), None) => below.seconds + (work - below.work) / self.rate_max,
            (None, Some(above)) => above.seconds * work / above.work,
            (None, None) if self.rate_max == 0.0 => work,
            (None, None) => work / self.rate_max,
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 63")]
fn size(work: f64) -> usize {
    (work.max(1.0).log2() as usize).min(SIZES - 1)
}

fn as_float(work: u64) -> f64 {
    to_float(usize::try_from(work).unwrap_or(usize::MAX)).max(1.0)
}
