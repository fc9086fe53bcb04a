//! How long reads of single words take that lie anywhere: the floor of what follows edges.

use std::hint::black_box;

use arqon_bench_report::median;

use crate::clock::seconds;
use crate::random::Random;

/// Reads of single words within so much memory, on one thread.
#[derive(Debug, Clone, Copy)]
pub struct Reads {
    /// MiB that the words lie in.
    pub mib: usize,
    /// Seconds of a read that waits for no other one.
    pub apart: f64,
    /// Seconds of a read of which the one before says where.
    pub chained: f64,
}

/// Measures them; takes about a second.
pub fn reads(mib: usize) -> Reads {
    let n_words = mib << 18;
    let next = circle(n_words);
    let places: Vec<u32> = places(n_words);
    let apart = per_read(|| places.iter().fold(0, |sum, at| sum ^ next[*at as usize]));
    let chained = per_read(|| (0..N_READS).fold(0, |at, _| next[at as usize]));
    Reads { mib, apart, chained }
}

const N_READS: usize = 1 << 20;

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn per_read(mut run: impl FnMut() -> u32) -> f64 {
    let times = (0..5).map(|_| {
        seconds(|| {
            black_box(run());
        })
    });
    median(&times.collect::<Vec<f64>>()) / N_READS as f64
}

/// Where reads go that wait for no other.
fn places(n_words: usize) -> Vec<u32> {
    let mut random = Random(5);
    (0..N_READS).map(|_| word(random.below(n_words))).collect()
}

/// For each word the next one, in one circle through all of them (Sattolo, *An algorithm to
/// generate a random cyclic permutation*).
fn circle(n_words: usize) -> Vec<u32> {
    let mut next: Vec<u32> = (0..n_words).map(word).collect();
    let mut random = Random(3);
    for at in (1..n_words).rev() {
        next.swap(at, random.below(at));
    }
    next
}

fn word(at: usize) -> u32 {
    u32::try_from(at).expect("fewer words than 2^32")
}
