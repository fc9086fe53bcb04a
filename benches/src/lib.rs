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
pub mod running;
pub mod product;
pub mod side;
pub mod settings;

/// The middle of `numbers`, which are not empty.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// So many workers, in words.
pub fn workers(n_workers: usize) -> String {
    if n_workers == 1 { "1 worker".to_owned() } else { format!("{n_workers} workers") }
}

/// The middle of ratios, with the least and the greatest.
pub fn spread(ratios: &[f64]) -> String {
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = ratios.iter().copied().fold(0.0, f64::max);
    let digits = |number: f64| if number < 0.1 { 3 } else { 2 };
    let shown = |number: f64| format!("{number:.*}", digits(number));
    format!("{} ({} to {})", shown(median(ratios)), shown(least), shown(greatest))
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
