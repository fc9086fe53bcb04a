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
pub mod aims;
pub mod settings;

/// So many workers, in words.
pub fn workers(n_workers: usize) -> String {
    if n_workers == 1 { "1 worker".to_owned() } else { format!("{n_workers} workers") }
}

/// What the `arqon` binary allocates with, so that what is measured is what is shipped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
