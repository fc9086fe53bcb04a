//! Syntax tree to verified dataflow plan.
