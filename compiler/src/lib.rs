//! Syntax tree to verified dataflow plan.

mod options;
mod report;
mod order;
mod places;
mod walk;
mod contract;
mod row_type;
mod typed;
mod resolve;
mod raw;
mod typing;
mod keys;
mod lower;
mod prune;
mod fuse;
mod example;
mod build;
mod checks;
mod compile;
mod filter;

pub use checks::{Unbounded, no_bypass_proof, plan_errors, plan_warnings};
pub use compile::{Compiled, NotRunnable, compile};
pub use example::{TestExample, TestInput, TestOutput, TestPlan};
pub use filter::compile_filter;
pub use options::Options;
