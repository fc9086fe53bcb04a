//! What the machine could do at most: bytes read and products added per second.

use std::hint::black_box;

use pulp::Arch;

use crate::clock::seconds;

/// The machine's limits, on as many threads as it has cores.
#[derive(Debug, Clone, Copy)]
pub struct Roofline {
    /// Bytes read from memory per second, all threads together.
    pub read: f64,
    /// Single-precision operations per second (a multiply-add is two), all threads together.
    pub flops: f64,
}

impl Roofline {
    /// Prints it as a sentence.
    #[expect(clippy::print_stdout, reason = "the figures are what the programs are for")]
    pub fn print(&self) {
        println!(
            "In this run {} read {:.1} GB/s from memory and did {:.0} GFLOP/s in `float32`.\n",
            threads(),
            self.read / 1e9,
            self.flops / 1e9
        );
    }
}

/// As many threads as share the work, in words.
pub fn threads() -> String {
    match rayon::current_num_threads() {
        1 => "1 thread".to_owned(),
        n_threads => format!("{n_threads} threads"),
    }
}

/// Measures them; takes about a second.
pub fn roofline() -> Roofline {
    let n_threads = rayon::current_num_threads();
    let words = vec![1.0_f32; 64 << 20];
    let read = best(|| {
        rayon::scope(|scope| {
            for part in words.chunks(words.len() / n_threads) {
                scope.spawn(move |_| {
                    black_box(Arch::new().dispatch(|| sum(part)));
                });
            }
        });
    });
    let rounds = 20_000_000;
    let compute = best(|| {
        rayon::scope(|scope| {
            for _ in 0..n_threads {
                scope.spawn(move |_| {
                    black_box(Arch::new().dispatch(|| multiply_add(black_box(rounds))));
                });
            }
        });
    });
    let n_bytes = words.len() * size_of::<f32>();
    Roofline {
        read: to_float(n_bytes) / read,
        flops: to_float(n_threads * rounds * LANES * 2) / compute,
    }
}

/// Lanes of a multiply-add: enough registers to hide its latency at every width.
const LANES: usize = 192;

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the widest vectors where it is dispatched")]
fn sum(words: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 64];
    for chunk in words.chunks_exact(64) {
        for (sum, word) in sums.iter_mut().zip(chunk) {
            *sum += word;
        }
    }
    sums.iter().sum()
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the widest vectors where it is dispatched")]
fn multiply_add(rounds: usize) -> f32 {
    let mut sums = [1.0_f32; LANES];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = sum.mul_add(0.999_999, 1e-9);
        }
    }
    sums.iter().sum()
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn to_float(count: usize) -> f64 {
    count as f64
}

fn best(mut run: impl FnMut()) -> f64 {
    (0..3).map(|_| seconds(&mut run)).fold(f64::INFINITY, f64::min)
}
