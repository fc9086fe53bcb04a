//! The laws of the kernels, each tried on all of them. `harness` has the laws, and one file for
//! each kernel has a model of its inputs.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod random;
mod harness;
mod linear;
mod transformer_attn;
mod nystrom;
mod dynamic_graph;
mod pde_solver;
mod shared;
mod walks;
mod controller;

#[test]
fn linear_transforms_keep_the_laws() {
    harness::try_all::<linear::DenseDouble>(12);
    harness::try_all::<linear::DenseSingle>(12);
    harness::try_all::<linear::SparseDouble>(8);
    harness::try_all::<linear::SparseSingle>(8);
}
