//! What must hold for any bytes at all: one function for each fuzz target.
//!
//! The targets of `fuzz/` hand in what libFuzzer makes up; the test `fuzzed` drives the same
//! functions with seeded mutations on a stable toolchain. A function returns when all holds and
//! panics when something does not.

mod tree;
mod circuit;
mod expression;
mod artifact;

pub use artifact::{artifact, sealed};
pub use circuit::circuit;
pub use expression::expression;
