//! The laws of the kernels, each tried on all of them. `harness` has the laws, and one file for
//! each kernel has a model of its inputs.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod random;
mod harness;
mod transformer_attn;
