//! How measured programs say what they found: tables in Markdown that are printed row by row, aims
//! with whether they are met, and plots.
//!
//! `cargo xtask bench` puts what is printed into docs/MEASURED.md as it is, and gathers the rows of
//! aims at its head.

mod numbers;
mod aim;
mod table;
mod picture;

pub use aim::{Aim, HEAD, Meant};
pub use numbers::{mean, median, percentile, range, shown, spread};
pub use picture::picture;
pub use table::Table;
