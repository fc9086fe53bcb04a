//! The laws of the kernels, each tried on all of them. `harness` has the laws, and one file for
//! each kernel has a model of its inputs.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]
#![expect(dead_code, reason = "goes when the first kernel has its model here")]

mod random;
mod harness;
