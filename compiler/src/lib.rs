//! Syntax tree to verified dataflow plan.

mod checks;

pub use checks::{Unbounded, no_bypass_proof, plan_errors, plan_warnings};
