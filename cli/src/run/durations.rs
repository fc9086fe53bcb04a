//! How long epochs took: a histogram of bounded size, exact to 1 part in 32.

use std::time::Duration;

/// Buckets per doubling.
const STEPS: u64 = 32;
const STEP_BITS: u32 = 5;

/// Counts of durations in nanoseconds, each bucket at most 1/32 wide.
#[derive(Debug, Clone, Default)]
pub(crate) struct Durations {
    counts: Vec<u64>,
    n: u64,
    max: Duration,
}

impl Durations {
    /// Adds one.
    pub(crate) fn add(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = bucket(nanoseconds);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.n += 1;
        self.max = self.max.max(duration);
    }

    /// The duration that `per_mille` of 1,000 do not exceed; none of none.
    pub(crate) fn quantile(&self, per_mille: u64) -> Option<Duration> {
        if self.n == 0 {
            return None;
        }
        let rank = (self.n * per_mille).div_ceil(1_000).max(1);
        let mut passed = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            passed += count;
            if passed >= rank {
                return Some(Duration::from_nanos(upper_end(bucket)).min(self.max));
            }
        }
        Some(self.max)
    }
}

fn bucket(nanoseconds: u64) -> usize {
    let bucket = if nanoseconds < STEPS {
        nanoseconds
    } else {
        let doubling = u64::from(nanoseconds.ilog2() - STEP_BITS);
        STEPS * doubling + (nanoseconds >> doubling)
    };
    usize::try_from(bucket).expect("there are fewer than 2,000 buckets")
}

/// The greatest number of the bucket.
fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * STEPS {
        return bucket;
    }
    let doubling = bucket / STEPS - 1;
    let leading = bucket - STEPS * doubling;
    // The last bucket ends where the numbers end.
    let end = ((u128::from(leading) + 1) << doubling) - 1;
    u64::try_from(end).unwrap_or(u64::MAX)
}

/// `3.4 µs`, `12.0 ms`, `1.25 s`.
pub(crate) fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1e-3 {
        format!("{:.1} µs", seconds * 1e6)
    } else if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{seconds:.2} s")
    }
}

/// `336,776`.
pub(crate) fn number_text(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `103 MiB`.
pub(crate) fn bytes_text(bytes: u64) -> String {
    if bytes < 10 << 20 {
        format!("{} KiB", number_text(bytes >> 10))
    } else {
        format!("{} MiB", number_text(bytes >> 20))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_narrow_and_in_order() {
        for nanoseconds in [0, 1, 31, 32, 33, 63, 64, 1_000, 123_456_789, u64::MAX] {
            let end = upper_end(bucket(nanoseconds));
            assert!(nanoseconds <= end, "{nanoseconds} <= {end}");
            assert!(end - nanoseconds <= nanoseconds / 32, "{nanoseconds} {end}");
            assert_eq!(bucket(end), bucket(nanoseconds));
            if end < u64::MAX {
                assert_eq!(bucket(end + 1), bucket(end) + 1);
            }
        }
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_list() {
        let mut durations = Durations::default();
        assert_eq!(durations.quantile(500), None);
        for millis in 1..=1_000 {
            durations.add(Duration::from_millis(millis));
        }
        let near = |found: Option<Duration>, millis: u64| {
            let found = found.unwrap().as_secs_f64();
            let wanted = Duration::from_millis(millis).as_secs_f64();
            assert!(wanted <= found && found <= wanted * (1.0 + 1.0 / 32.0), "{found} {wanted}");
        };
        near(durations.quantile(500), 500);
        near(durations.quantile(990), 990);
        near(durations.quantile(1), 1);
        assert_eq!(durations.quantile(1_000), Some(Duration::from_secs(1)));
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(number_text(0), "0");
        assert_eq!(number_text(999), "999");
        assert_eq!(number_text(336_776), "336,776");
        assert_eq!(duration_text(Duration::from_micros(12_345)), "12.3 ms");
        assert_eq!(duration_text(Duration::from_nanos(3_400)), "3.4 µs");
        assert_eq!(bytes_text(108 << 20), "108 MiB");
    }
}
