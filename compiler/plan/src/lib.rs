//! The contract between compiler and engine: the typed graph and the executable dataflow plan.
//!
//! [`Plan`] is the whole circuit as one typed graph, from clients to operators; what is allowed
//! is decided on it, and pictures are drawn from it. [`DataflowPlan`] is what the engine
//! renders, by a straight walk and without analysis: steps stand in order, every expression is
//! typed, every key is explicit.

mod dataflow;
mod graph;

pub use dataflow::{
    Arm, DataflowPlan, Group, Join, JoinKind, JoinOutput, Map, Operator, Order, Output, Route,
    SortKey, Stage, StageKind, Step, StepId, Ties, Top, TopicPlan,
};
pub use graph::{
    Call, Client, Declaration, DeclarationKind, Endpoint, FlowNode, FlowStep, Grant, Plan,
    PlanBuilder, Port, Projection, ProjectionWord, Retain, Right, Role, RouteStep, Side, TextRange,
    Topic, TopicOrigin, TopicRanges, Verb, Vertex, VertexId, Via, Wire, WireRef,
};
