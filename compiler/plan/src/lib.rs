//! The contract between compiler and engine: the typed graph and the executable dataflow plan.
//!
//! [`DataflowPlan`] is what the engine renders, by a straight walk and without analysis: steps
//! stand in order, every expression is typed, every key is explicit.

mod dataflow;

pub use dataflow::{
    Arm, DataflowPlan, Group, Join, JoinKind, JoinOutput, Map, Operator, Order, Output, Route,
    SortKey, Stage, StageKind, Step, StepId, Ties, Top, TopicPlan,
};
