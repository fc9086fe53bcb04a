//! The rows of the two workloads, the same for every side.
//!
//! *Aggregate*: rows of (key of 10,000, value), grouped into count, sum and max.
//! *Join*: left (key of N/2, amount) and right (key, group of 1,000), joined on the key, then count
//! and sum of amounts per group.

/// Keys of the aggregate workload.
pub const AGGREGATE_KEYS: u64 = 10_000;
/// Groups of the join workload.
pub const JOIN_GROUPS: u64 = 1_000;

/// Mixes bits well enough that keys are spread (`SplitMix64`'s finalizer).
pub fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

fn value(bits: u64) -> i64 {
    i64::try_from((bits >> 40) % 100_000).expect("below 100,000")
}

/// Row `idx` of the aggregate workload: key number and value.
pub fn aggregate_row(idx: u64) -> (u64, i64) {
    let bits = mix(idx);
    (bits % AGGREGATE_KEYS, value(bits))
}

/// Row `idx` of the join's left side: key number and amount.
pub fn left_row(idx: u64, n_keys: u64) -> (u64, i64) {
    let bits = mix(idx ^ 0xA5A5);
    (bits % n_keys, value(bits))
}

/// Row `idx` of the join's right side: key number and group number.
pub fn right_row(idx: u64, n_keys: u64) -> (u64, u64) {
    let bits = mix(idx ^ 0x5A5A_0000_0000);
    (bits % n_keys, (bits >> 33) % JOIN_GROUPS)
}

/// The text of a key.
pub fn key_text(number: u64) -> String {
    format!("key-{number:08}")
}

/// The text of a group.
pub fn group_text(number: u64) -> String {
    format!("group-{number:04}")
}
