//! A numerical kernel as a hash operator: it takes the changes of an epoch as a whole, follows
//! them in one mode, and says which of its rows changed.
//!
//! One worker has the whole kernel, so that its answers are the same for any number of workers.
//! Short steps are done where the rows are. Others go to a crew of as many threads as there are
//! workers, which share out heads and blocks of rows; the epoch stays open, and the worker turns to
//! other operators until the step is back. Rows are taken and said in bounded parts.

mod rows;
mod asked;
mod driver;
mod journal;
mod follower;
mod crew;
mod measured;
mod saved;
mod logic;
mod fields;
mod slots;
mod dynamic_graph;
mod transformer_attn;
mod linear_transform;
mod pde_solver;
mod nystrom;

use std::time::Duration;

use arqon_kernels::{Address, Mode, SpecError};
use arqon_operators::{Kernel as Signature, KernelMode};
use arqon_plan::{DataflowPlan, KernelPlan, Operator, PortPlan, Step, StepId};
use arqon_types::Schema;

pub(crate) use crew::Crew;
use driver::Driver;
pub use journal::{Decided, Journal};
pub(crate) use logic::{BYTES_AT_ONCE, KernelLogic, Stead};
pub(crate) use measured::Teller;
pub use saved::SnapshotError;
pub(crate) use saved::{Keeping, SavedKernel, decode, encode};

/// What tells the time since some moment.
#[derive(Debug, Clone, Copy)]
pub struct Clock(pub fn() -> Duration);

impl PartialEq for Clock {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.0, other.0)
    }
}

impl Eq for Clock {}

/// By what kernels choose how to follow their inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pace {
    /// By what they know how long their steps take. Without it they go by the work that they
    /// count, which is the same in every run.
    pub clock: Option<Clock>,
    /// Where their decisions are written down, and taken from where they stand.
    pub journal: Option<Journal>,
}

/// By what means kernels step.
#[derive(Debug, Clone)]
pub(crate) struct Means {
    /// By what they choose.
    pub(crate) pace: Pace,
    /// Who does long steps: where there are kernels somebody does.
    pub(crate) crew: Option<Crew>,
    /// What kernels go on from, where the dataflow goes on from another one.
    pub(crate) keeping: Keeping,
}

/// A kernel of a plan, prepared for no rows but to see that it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedKernel {
    /// The step.
    pub step: StepId,
    /// Where that is held which the kernel computes before any row, if it does: kernels of one
    /// address share it, also those of different dataflows.
    pub address: Option<Address>,
}

/// The arguments of a kernel do not fit together.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("kernel `{address}` cannot be prepared: {error}")]
pub struct Unprepared {
    /// The step.
    pub address: String,
    /// Which argument, and what it wants to be.
    pub error: SpecError,
}

/// The kernels of a plan, each of which is compiled of its arguments.
///
/// # Errors
/// [`Unprepared`] with the first that cannot be.
pub fn prepared(plan: &DataflowPlan) -> Result<Vec<PreparedKernel>, Unprepared> {
    let mut found = Vec::new();
    for (id, step, kernel) in kernels(plan) {
        let driver = driver(kernel, &inputs(plan, step), &step.schema)
            .map_err(|error| Unprepared { address: step.address.to_string(), error })?;
        found.push(PreparedKernel { step: id, address: driver.prepared() });
    }
    Ok(found)
}

/// The kernels of a plan, whose arguments go together; nothing is computed of them.
///
/// # Errors
/// [`Unprepared`] with the first that cannot be prepared.
pub(crate) fn checked(plan: &DataflowPlan) -> Result<Vec<StepId>, Unprepared> {
    let mut found = Vec::new();
    for (id, step, kernel) in kernels(plan) {
        check(kernel, &inputs(plan, step))
            .map_err(|error| Unprepared { address: step.address.to_string(), error })?;
        found.push(id);
    }
    Ok(found)
}

/// The steps of kernels.
fn kernels(plan: &DataflowPlan) -> impl Iterator<Item = (StepId, &Step, &KernelPlan)> {
    plan.steps.iter().enumerate().filter_map(|(idx, step)| match &step.operator {
        Operator::Kernel(kernel) => Some((StepId::at(idx), step, &**kernel)),
        _ => None,
    })
}

/// The rows that a step reads.
fn inputs<'p>(plan: &'p DataflowPlan, step: &Step) -> Vec<&'p Schema> {
    step.inputs.iter().map(|id| &*plan.steps[id.index()].schema).collect()
}

/// Whether a kernel can be compiled of its arguments.
fn check(plan: &KernelPlan, inputs: &[&Schema]) -> Result<(), SpecError> {
    match plan.kernel {
        Signature::DynamicGraph => dynamic_graph::spec(plan).check(),
        Signature::TransformerAttn => transformer_attn::spec(plan, inputs).check(),
        Signature::LinearTransform => linear_transform::spec(plan, inputs).check(),
        Signature::PdeSolver => pde_solver::spec(plan).check(),
        Signature::Nystrom => nystrom::spec(plan, inputs).check(),
    }
}

/// A kernel behind rows, or why it cannot be compiled of its arguments.
type Prepared = Result<Box<dyn Driver>, SpecError>;

/// What is particular to a kernel.
fn driver(plan: &KernelPlan, inputs: &[&Schema], output: &Schema) -> Prepared {
    match plan.kernel {
        Signature::DynamicGraph => dynamic_graph::driver(plan, inputs, output),
        Signature::TransformerAttn => transformer_attn::driver(plan, inputs, output),
        Signature::LinearTransform => linear_transform::driver(plan, inputs, output),
        Signature::PdeSolver => pde_solver::driver(plan, inputs, output),
        Signature::Nystrom => nystrom::driver(plan, inputs, output),
    }
}

/// A port of this name, with its rows.
///
/// # Panics
/// If the kernel has none, which the verifier of plans rules out.
fn port_of<'p>(
    plan: &'p KernelPlan,
    inputs: &[&'p Schema],
    name: &str,
) -> (&'p PortPlan, &'p Schema) {
    let mut ports = plan.ports.iter().zip(inputs.iter().copied());
    ports.find(|(port, _)| port.name == name).unwrap_or_else(|| panic!("no port `{name}`"))
}

/// An argument that is a number.
fn float_argument(plan: &KernelPlan, name: &str) -> f64 {
    plan.named().float(name).unwrap_or_else(|| panic!("no number `{name}`"))
}

/// An argument that is a whole number.
fn integer_argument(plan: &KernelPlan, name: &str) -> i64 {
    plan.named().integer(name).unwrap_or_else(|| panic!("no whole number `{name}`"))
}

/// An argument that is a whole number from 1.
fn count_argument(plan: &KernelPlan, name: &str) -> usize {
    usize::try_from(integer_argument(plan, name)).expect("the compiler lets through 1 on")
}

fn mode_of(mode: KernelMode) -> Mode {
    match mode {
        KernelMode::Pass => Mode::Pass,
        KernelMode::Itmd => Mode::Itmd,
        KernelMode::Rr => Mode::Rr,
    }
}
