//! The rows of the workloads, made from their number: the same for every side.
//!
//! A, *stateless*: events of which about half are kept and changed. B, *aggregate*: readings of
//! 10,000 keys, grouped into count, sum and max. C, *join*: two inputs joined on a key, then count
//! and sum per group of 1,000. D, *reach*: the nodes of a random graph that three roots reach, and
//! *paths*: how far they are, as edges have lengths.
//! Nothing here needs more than the standard library, so that peers include the file as it is.

use std::fmt;
use std::ops::Range;

/// Keys of the stateless and the aggregate workload.
pub const KEYS: u64 = 10_000;
/// Groups of the join workload.
pub const GROUPS: u64 = 1_000;
/// Nodes from which the graph is searched.
pub const ROOTS: [u64; 3] = [1, 7, 9];

/// What an event's `value`, as Fahrenheit, must pass to be kept.
pub const LEAST_FAHRENHEIT: f64 = 500.0;

/// A row of the stateless workload.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// Its own number.
    pub id: i64,
    /// The number of its key.
    pub key: u64,
    /// Below 1,000, with two decimals.
    pub value: f64,
    /// Milliseconds.
    pub at: i64,
}

/// Events as columns, laid out as Arrow's arrays are: texts one after another, each up to its end.
#[derive(Debug, Default)]
pub struct EventColumns {
    /// Each event's own number.
    pub ids: Vec<i64>,
    /// Where in `keys` each event's key ends.
    pub ends: Vec<u32>,
    /// The texts of all keys.
    pub keys: String,
    /// See [`Event`].
    pub values: Vec<f64>,
    /// See [`Event`].
    pub times: Vec<i64>,
}

impl EventColumns {
    /// These rows of the stateless workload.
    pub fn of(rows: Range<u64>, names: &Names) -> Self {
        let mut columns = Self::default();
        for event in rows.map(event) {
            columns.ids.push(event.id);
            columns.keys.push_str(names.of(event.key));
            columns.ends.push(u32::try_from(columns.keys.len()).expect("an epoch is small"));
            columns.values.push(event.value);
            columns.times.push(event.at);
        }
        columns
    }

    /// The key of an event.
    pub fn key(&self, row_idx: usize) -> &str {
        let start = row_idx.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.keys[start as usize..self.ends[row_idx] as usize]
    }
}

/// The texts of all keys of the stateless workload, made before the clock starts: what is measured
/// is what sides do with them.
#[derive(Debug)]
pub struct Names(Vec<String>);

impl Names {
    /// All of them.
    pub fn all() -> Self {
        Self((0..KEYS).map(|key| Name::of(key).as_str().to_owned()).collect())
    }

    /// The text of key `number`.
    pub fn of(&self, number: u64) -> &str {
        &self.0[usize::try_from(number).expect("a key")]
    }
}

/// How much work a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Rows of each input.
    pub n_rows: u64,
    /// Rows of each input loaded per epoch.
    pub epoch_rows: u64,
    /// Rounds of a few changes after loading.
    pub n_rounds: u64,
    /// Threads that share the work.
    pub n_workers: usize,
}

impl Size {
    /// The rows of each epoch of the load.
    pub fn epochs(self) -> impl Iterator<Item = Range<u64>> {
        let n_epochs = self.n_rows.div_ceil(self.epoch_rows);
        (0..n_epochs)
            .map(move |at| at * self.epoch_rows..((at + 1) * self.epoch_rows).min(self.n_rows))
    }

    /// Keys of the join: each has two rows on either side.
    pub fn join_keys(self) -> u64 {
        self.n_rows / 2
    }

    /// Nodes of the graph: each has two edges out.
    pub fn nodes(self) -> u64 {
        self.n_rows / 2
    }

    /// The changes of a round: `n_each` new rows come, and as many of the oldest go.
    pub fn round(self, round: u64, n_each: u64) -> impl Iterator<Item = (u64, i64)> {
        let first = round * n_each;
        (first..first + n_each).flat_map(move |idx| [(self.n_rows + idx, 1), (idx, -1)])
    }

    /// The one change of a round of the graph: an edge comes, or in the next round one goes.
    pub fn edge_change(self, round: u64) -> (u64, i64) {
        if round.is_multiple_of(2) { (self.n_rows + round / 2, 1) } else { (round / 2, -1) }
    }
}

/// Mixes bits well enough that keys are spread (`SplitMix64`'s finalizer).
pub fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

fn value(bits: u64) -> i64 {
    signed((bits >> 40) % 100_000)
}

/// A small number, signed.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).expect("numbers of these workloads are small")
}

/// Row `idx` of the stateless workload.
pub fn event(idx: u64) -> Event {
    let bits = mix(idx);
    let hundredths = u32::try_from((bits >> 40) % 100_000).expect("below 100,000");
    let at = 1_700_000_000_000 + signed(idx);
    Event { id: signed(idx), key: bits % KEYS, value: f64::from(hundredths) / 100.0, at }
}

/// Row `idx` of the aggregate workload: key and value.
pub fn reading(idx: u64) -> (u64, i64) {
    let bits = mix(idx);
    (bits % KEYS, value(bits))
}

/// Row `idx` of the join's left side: key and amount.
pub fn left(idx: u64, n_keys: u64) -> (u64, i64) {
    let bits = mix(idx ^ 0xA5A5);
    (bits % n_keys, value(bits))
}

/// Row `idx` of the join's right side: key and group.
pub fn right(idx: u64, n_keys: u64) -> (u64, u64) {
    let bits = mix(idx ^ 0x5A5A_0000_0000);
    (bits % n_keys, (bits >> 33) % GROUPS)
}

/// Edge `idx` of the graph: from and to.
pub fn edge(idx: u64, n_nodes: u64) -> (u64, u64) {
    let bits = mix(idx ^ 0x1234_5678);
    (bits % n_nodes, (bits >> 32) % n_nodes)
}

/// How long edge `idx` of the graph is, where that counts: below 100.
pub fn length(idx: u64) -> i64 {
    1 + signed(mix(idx ^ 0x5EED) % 99)
}

/// A key or group as text, made without an allocation.
#[derive(Clone, Copy)]
pub struct Name([u8; 12]);

impl Name {
    /// The text of key or group `number`.
    pub fn of(number: u64) -> Self {
        let mut text = *b"key-00000000";
        let mut rest = number;
        for digit in text[4..].iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).expect("a digit");
            rest /= 10;
        }
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("letters and digits")
    }

    /// The number whose text this is.
    pub fn number(text: &[u8]) -> u64 {
        text[4..].iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
    }

    /// A number that differs where the number does, without reading it.
    pub fn word(text: &[u8]) -> u64 {
        u64::from_le_bytes(text[4..].try_into().expect("eight digits")) & 0x0F0F_0F0F_0F0F_0F0F
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
