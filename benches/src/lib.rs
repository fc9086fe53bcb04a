//! Measured programs: each prints the figures that docs/MEASURED.md quotes.
//!
//! The machine these run on may be noisy, so the sides of a comparison are run in turn, several
//! times, and only ratios of one round are compared.

pub mod data;
pub mod large;
pub mod sample;
pub mod handwritten;
pub mod product;

/// What the `arqon` binary allocates with, so that what is measured is what is shipped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
