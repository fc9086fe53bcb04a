//! What one run of one side yields: figures, and an answer that all sides must agree on.
//!
//! A run is a process of its own, since a peak of memory is one of a process; it prints its sample as
//! a line of JSON. Nothing here needs more than the standard library: peers include the file.

use std::time::Duration;

/// The rows of an answer, as their changes add up: their number, and a sum in which a row counts by
/// what it says and by its key. Equal answers give equal sums in whatever order changes come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answer {
    /// How many rows.
    pub n_rows: i64,
    /// The sum.
    pub sum: i128,
}

impl Answer {
    /// `diff` more of a row that counts `weight`.
    pub fn add(&mut self, weight: i128, diff: i64) {
        self.n_rows += diff;
        self.sum += weight * i128::from(diff);
    }
}

/// What a kept event counts, `key` being its text's [`Name::word`](crate::data::Name::word). Its
/// value counts in sixteenths, which every side computes alike.
pub fn event_weight(id: i64, key: u64, value: f64, seconds: i64) -> i128 {
    #[expect(clippy::cast_possible_truncation, reason = "values are below 2,000")]
    let sixteenths = (value * 16.0) as i64;
    i128::from(id) + 3 * i128::from(sixteenths) + 7 * i128::from(seconds) + 11 * i128::from(key)
}

/// What a row of aggregates counts.
pub fn sums_weight(key: u64, n: i64, total: i64, most: i64) -> i128 {
    let row = i128::from(n) + 3 * i128::from(total) + 7 * i128::from(most);
    i128::from(key % 1009 + 1) * row
}

/// What a node counts.
pub fn node_weight(node: u64) -> i128 {
    i128::from(node) + 1
}

/// What a node with its distance counts.
pub fn distance_weight(node: u64, distance: i64) -> i128 {
    node_weight(node) * (i128::from(distance) + 1)
}

/// One run: how fast it loaded, and how long its rounds took.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Rows loaded.
    pub n_rows: u64,
    /// How long loading took, to the last answer.
    pub load: Duration,
    /// The answer then.
    pub loaded: Answer,
    /// Each round, from its first change to its last delta; empty if the side has none.
    pub rounds: Vec<Duration>,
    /// The answer after the rounds.
    pub finished: Answer,
}

impl Sample {
    /// The sample as a line of JSON, with the peak of this process's memory.
    pub fn line(&self) -> String {
        let rows = u32::try_from(self.n_rows).expect("a bench loads below 4 G rows");
        format!(
            "{{\"mrows_per_s\":{:.6},\"p50_us\":{:.2},\"p99_us\":{:.2},\"peak_mib\":{:.1},\
             \"loaded\":\"{}/{}\",\"finished\":\"{}/{}\"}}",
            f64::from(rows) / self.load.as_secs_f64() / 1e6,
            self.percentile_us(50),
            self.percentile_us(99),
            peak_mib(),
            self.loaded.n_rows,
            self.loaded.sum,
            self.finished.n_rows,
            self.finished.sum,
        )
    }

    /// The duration below which `percent` of the rounds stay, in microseconds; 0 without rounds.
    fn percentile_us(&self, percent: usize) -> f64 {
        let mut rounds = self.rounds.clone();
        rounds.sort();
        let at = (rounds.len() * percent / 100).min(rounds.len().saturating_sub(1));
        rounds.get(at).map_or(0.0, |round| round.as_secs_f64() * 1e6)
    }
}

/// The most memory this process has had, in MiB; 0 where the kernel does not say.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib: u32 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    f64::from(kib) / 1024.0
}
