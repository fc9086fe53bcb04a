//! What one run of one side yields, and how runs are summed up.

use std::time::Duration;

/// One run: how fast it loaded and how long its rounds of 100 changes took.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Rows loaded.
    pub n_rows: u64,
    /// How long loading took, to the last answer.
    pub load: Duration,
    /// Each round of 100 changes, from the first change to the last delta.
    pub rounds: Vec<Duration>,
    /// A sum over the final answer that all sides must agree on.
    pub checksum: i128,
}

impl Sample {
    /// Million rows a second.
    pub fn mrows_per_s(&self) -> f64 {
        let rows = u32::try_from(self.n_rows).expect("a bench loads below 4 G rows");
        f64::from(rows) / self.load.as_secs_f64() / 1e6
    }

    /// The duration below which `percent` of the rounds stay, in microseconds.
    pub fn percentile_us(&self, percent: usize) -> f64 {
        let mut rounds = self.rounds.clone();
        rounds.sort();
        let at = (rounds.len() * percent / 100).min(rounds.len() - 1);
        rounds[at].as_secs_f64() * 1e6
    }
}

/// The middle of `numbers`, which are not empty.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
