//! The contract between compiler and engine: the typed graph and the executable dataflow plan.
//!
//! [`Plan`] is the whole circuit as one typed graph, from clients to operators; what is allowed
//! is decided on it, and pictures are drawn from it. [`DataflowPlan`] is what the engine
//! renders, by a straight walk and without analysis: steps stand in order, every expression is
//! typed, every key is explicit.

mod kernel;
mod dataflow;
mod vertex;
mod facts;
mod graph;
mod derive;
mod log_order;
mod builder;
mod parts;
mod verify;
mod text;
mod difference;
mod codec;
mod artifact;
mod deed;

pub use artifact::{
    ARTIFACT_BYTES_MAX, ARTIFACT_VERSION, Artifact, ArtifactError, ContentHash, EncodeError,
    content_hash, decode, encode, is_artifact, plan_hash,
};
pub use builder::PlanBuilder;
pub use codec::CodecError;
pub use dataflow::{
    ARRIVAL, Arm, Arrangement, Asof, Best, Closing, DataflowPlan, FLOW_PLACE, Feedback, Frame,
    Group, History, Join, JoinKind, JoinOutput, JoinReader, JoinSide, Kept, Latest, LogOrder, Loop,
    LoopId, MARK, Map, NoneInKey, Operator, Order, Output, Over, OverFunction, OverKind,
    PLACE_FIELD, Release, Retention, RetentionRule, Route, Session, SortKey, Stage, StageKind,
    Step, StepId, Ties, Top, TopicPlan, Traversal, Variable, Window, chosen_side, edge_field,
    is_hidden, n_places, projected,
};
pub use deed::Deed;
pub use difference::{Change, Difference, Effect, Part, Rebuilt, Verdict, difference};
pub use facts::{Extent, Facts, Held, State};
pub use graph::{FlowNode, Plan, WireRef};
pub use kernel::{
    ControlPlan, Emit, KernelColumn, KernelPlan, METRICS, Measured, Metric, PortPlan,
};
pub use log_order::OrderLoss;
pub use text::{
    dataflow_text, expression_text, fields_text, plan_text, schema_text, state_text, step_text,
    verb_text,
};
pub use verify::{EXPRESSION_DEPTH_MAX, VerifyError, Violation, verify};
pub use vertex::{
    Call, Client, Declaration, DeclarationKind, Endpoint, FlowStep, Grant, KernelPort, KernelStep,
    LoopVariable, Merge, Port, Projection, ProjectionWord, Retain, Right, Role, RouteStep, Side,
    TextRange, Topic, TopicOrigin, TopicRanges, Unnest, Verb, Vertex, VertexId, Via, WasmStep,
    WindowFrame, WindowStep, Wire, WithinStep,
};
