//! The contract between compiler and engine: the typed graph and the executable dataflow plan.
