//! Measured programs: each prints the figures that docs/MEASURED.md quotes.
//!
//! The machine these run on may be noisy, so the sides of a comparison are run in turn, several
//! times, and only ratios of one round are compared. Peers that bring much with them are a workspace
//! of their own, `benches/peers`.

pub mod data;
pub mod large;
pub mod sample;
pub mod floor;
pub mod handwritten;
pub mod product;
pub mod side;
pub mod plot;

/// The middle of `numbers`, which are not empty.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// What `percent` of `numbers`, which are not empty, do not pass.
pub fn percentile(numbers: &[f64], percent: usize) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// What the `arqon` binary allocates with, so that what is measured is what is shipped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
