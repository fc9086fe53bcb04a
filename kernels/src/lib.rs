//! ITMD kernels on arrays: input, transform, measure, delta. Cost follows the changed share of the
//! input.
//!
//! **Invariant:** no file, socket or clock; arrays come in as arguments, work is done in bounded
//! parts, and equal calls give equal bits, on the caller's thread or shared out in its pool.

mod mode;
mod churn;
mod emit;
mod snapshot;
mod prepared;
mod version;
mod kernel;
mod threads;
mod pages;
mod arithmetic;
mod basis;
mod outcome;
mod vector;
mod product;
mod random;
mod keyed;
mod said;
mod linear_transform;
mod transformer_attn;
mod nystrom;
mod dynamic_graph;
mod pde_solver;
mod controller;

pub use churn::Churn;
pub use controller::{Controller, Decision, Limits, REASONS, REFRESH_SHARE, Reason, Refresh};
pub use dynamic_graph::{
    Algorithm, DynamicGraph, EdgeColumns, GraphDelta, GraphFound, GraphRows, GraphSpec, PageRank,
    RootColumns,
};
pub use emit::Emit;
pub use kernel::{
    DeltaError, Kernel, Measured, Prediction, Probe, Report, Reuse, Sample, SpecError, Step,
    WORK_GRAIN, WORK_GRAIN_MEMORY,
};
pub use linear_transform::{
    EntryChange, Layout, LinearDelta, LinearOutput, LinearSpec, LinearTransform, Precision,
};
pub use mode::{MODES, Mode};
pub use nystrom::{
    DataRows, Nystrom, NystromDelta, NystromRows, NystromSpec, PointRows, Similarity,
};
pub use outcome::Outcome;
pub use pde_solver::{Equation, PdeDelta, PdeKeys, PdeRows, PdeSolver, PdeSpec};
pub use prepared::Address;
pub use snapshot::{LoadError, Number, SnapshotReader, SnapshotWriter};
pub use threads::shared;
pub use transformer_attn::{
    AttentionDelta, AttentionFound, AttentionRows, AttentionSpec, Causality, FeatureMap, QueryRows,
    TokenRows, TransformerAttn,
};
