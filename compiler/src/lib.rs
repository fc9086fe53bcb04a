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

pub use options::Options;
