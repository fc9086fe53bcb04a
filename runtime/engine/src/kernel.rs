//! A numerical kernel as a hash operator: it takes the changes of an epoch as a whole, follows
//! them in one mode, and says which of its rows changed.
//!
//! One worker has the whole kernel, so that its answers are the same for any number of workers.
//! A step is advanced in bounded parts: between them the worker turns to other operators, and the
//! epoch stays open.

mod driver;
mod journal;
mod measured;
mod fields;
mod slots;
mod dynamic_graph;
mod transformer_attn;
mod linear_transform;
mod pde_solver;
mod nystrom;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arqon_kernels::{
    Address, Controller, Decision, Emit, Limits, MODES, Mode, Prediction, REFRESH_SHARE, Refresh,
    Report, SpecError,
};
use arqon_operators::{Kernel as Signature, KernelMode};
use arqon_plan::{self as plan, ControlPlan, DataflowPlan, KernelPlan, Operator, StepId};
use arqon_types::{Float, PackedRow, Schema, Type, Value};

use crate::deltas::Delta;
use crate::memory;
use crate::stateful::{Emitter, KeyLogic};
use crate::top::change_tree;

use driver::Driver;
pub use journal::{Decided, Journal};
use measured::Outcome;
pub(crate) use measured::Teller;

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

/// How long a kernel may hold the worker.
const SLICE: Duration = Duration::from_millis(1);

/// Work between two looks at the clock, a part of a millisecond; without a clock, a slice.
const SLICE_WORK: u64 = 1 << 20;

/// A kernel with `N` inputs, the last of which may be its control's.
pub(crate) struct KernelLogic<const N: usize> {
    plan: KernelPlan,
    shape: Shape,
    /// None on the workers that have no rows.
    driver: Option<Box<dyn Driver>>,
    control: Option<Control>,
    controller: Controller,
    stage: Stage,
    pace: Pace,
    address: Arc<str>,
    teller: Option<Teller>,
}

/// The rows around a kernel.
struct Shape {
    inputs: Vec<Schema>,
    output: Schema,
}

/// Who asks for modes, and the rows that do: of several the greatest counts.
struct Control {
    plan: ControlPlan,
    types: Vec<Type>,
    rows: BTreeMap<PackedRow, i64>,
}

/// A step, what its mode was predicted to come to, and how long it has taken.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Underway {
    decision: Decision,
    predicted: Option<Prediction>,
    spent: Duration,
}

/// How far the epoch is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// Changes come.
    Open,
    /// A step is under way.
    Under(Underway),
}

impl<const N: usize> KernelLogic<N> {
    /// A kernel that has no rows yet; `inputs` are the rows of its inputs.
    pub(crate) fn new(
        plan: &KernelPlan,
        (inputs, output): (&[&Schema], &Schema),
        teller: Option<Teller>,
        (address, pace): (Arc<str>, Pace),
    ) -> Self {
        let control = plan.control.clone().map(|plan| Control {
            plan,
            types: inputs.last().map(|schema| schema.types()).unwrap_or_default(),
            rows: BTreeMap::new(),
        });
        let inputs = inputs.iter().copied().cloned().collect();
        let shape = Shape { inputs, output: output.clone() };
        #[expect(clippy::cast_precision_loss, reason = "a limit in seconds")]
        let seconds_max = plan.latency_nanos.map_or(f64::INFINITY, |nanos| nanos as f64 * 1e-9);
        let controller = Controller::new(Limits {
            modes: plan.modes.iter().map(|mode| mode_of(*mode)).collect(),
            error_max: error_max(plan),
            seconds_max,
        });
        Self {
            plan: plan.clone(),
            shape,
            driver: None,
            controller,
            control,
            stage: Stage::Open,
            pace,
            address,
            teller,
        }
    }

    /// The mode that is asked for, if one is.
    fn asked(&self) -> Option<Mode> {
        let control = self.control.as_ref()?;
        let (row, _) = control.rows.iter().rev().find(|(_, n)| **n > 0)?;
        let Value::Enum(label) = row.unpack(&control.types).0[control.plan.column] else {
            return None;
        };
        let asked = control.plan.modes.get(usize::try_from(label).ok()?)?;
        asked.map(mode_of)
    }

    /// What is predicted of each mode.
    fn offers(&self, driver: &dyn Driver) -> [Option<Prediction>; 3] {
        let churn = driver.churn();
        let emit = emit_of(self.plan.emit);
        MODES.map(|mode| driver.predict(mode, &churn, emit))
    }
}

impl<const N: usize> KeyLogic<N> for KernelLogic<N> {
    fn update(&mut self, key: &PackedRow, deltas: [&[Delta]; N], out: &mut Emitter) {
        let n_ports = self.plan.ports.len();
        let Shape { inputs, output } = &self.shape;
        let driver = self.driver.get_or_insert_with(|| {
            let inputs: Vec<&Schema> = inputs.iter().collect();
            driver(&self.plan, &inputs, output)
                .expect("a dataflow starts with kernels that compile")
        });
        for (port, rows) in deltas[..n_ports].iter().enumerate().filter(|(_, it)| !it.is_empty()) {
            driver.change(port, key, rows, out);
        }
        if let Some(control) = &mut self.control {
            change_tree(&mut control.rows, deltas[n_ports]);
        }
    }

    fn settle(&mut self, out: &mut Emitter) -> Poll<()> {
        let Some(mut driver) = self.driver.take() else { return Poll::Ready(()) };
        let settled = self.follow(&mut *driver, out);
        self.driver = Some(driver);
        settled
    }

    fn state_bytes(&self) -> Option<i64> {
        let n_bytes = self.driver.as_ref().map_or(0, |driver| driver.state_bytes());
        Some(memory::signed(n_bytes))
    }
}

impl<const N: usize> KernelLogic<N> {
    /// Begins a step, if rows have changed, and goes on with it.
    fn follow(&mut self, driver: &mut dyn Driver, out: &mut Emitter) -> Poll<()> {
        let underway = match self.stage {
            Stage::Under(underway) => underway,
            Stage::Open if !driver.has_changed() => return Poll::Ready(()),
            Stage::Open => self.begin(driver, out.epoch()),
        };
        let (report, taken) = self.slice(driver);
        let underway = Underway { spent: underway.spent + taken, ..underway };
        self.stage = Stage::Under(underway);
        let Poll::Ready(report) = report else { return Poll::Pending };
        self.stage = Stage::Open;
        let Underway { decision, predicted, spent } = underway;
        if let Some(predicted) = predicted {
            let seconds =
                self.pace.clock.map_or_else(|| counted(report.work), |_| spent.as_secs_f64());
            self.controller.observe(decision.mode, predicted.work, seconds);
        }
        out.counts.touched += report.churn.n_changed as u64;
        driver.say(out);
        let is_refreshed = decision.refresh == Refresh::Share && self.refresh(driver);
        if let Some(teller) = &mut self.teller {
            let outcome = Outcome {
                epoch: out.epoch(),
                mode: report.mode,
                churn: report.churn,
                n_emitted: report.n_emitted,
                error_max: report.error_max,
                latency_nanos: nanoseconds(spent),
                is_refreshed: report.is_refreshed || is_refreshed,
                is_violated: decision.is_violated,
            };
            teller.tell(&outcome, out);
        }
        Poll::Ready(())
    }
}

impl<const N: usize> KernelLogic<N> {
    /// Decides how to follow what has changed, and begins.
    fn begin(&mut self, driver: &mut dyn Driver, epoch: u64) -> Underway {
        self.controller.ask(self.asked());
        let offers = self.offers(driver);
        let decision = self.decide(&offers, epoch);
        driver.begin(decision.mode, emit_of(self.plan.emit), error_max(&self.plan));
        let predicted = offers[decision.mode.index()];
        Underway { decision, predicted, spent: Duration::ZERO }
    }

    /// As the journal has it, or else as the controller says.
    fn decide(&mut self, offers: &[Option<Prediction>; 3], epoch: u64) -> Decision {
        // The controller decides in either case, so that it goes on from there as it would have.
        let decision = self.controller.decide(offers);
        let Some(journal) = &self.pace.journal else { return decision };
        let known = journal.known(epoch, &self.address);
        // A journal of other inputs may ask for what this kernel cannot do now.
        if let Some(known) = known.filter(|known| offers[known.mode.index()].is_some()) {
            return known;
        }
        journal.add(Decided { epoch, kernel: Arc::clone(&self.address), decision });
        decision
    }

    /// Computes part of the state anew, no more than the worker has time for.
    fn refresh(&self, driver: &mut dyn Driver) -> bool {
        let Some(pass) = self.offers(driver)[Mode::Pass.index()] else { return false };
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = SLICE_WORK as f64 / pass.work.max(1) as f64;
        driver.refresh(share.min(REFRESH_SHARE));
        true
    }

    /// As much of a step as the worker has time for, and how long it took.
    fn slice(&self, driver: &mut dyn Driver) -> (Poll<Report>, Duration) {
        let Some(Clock(now)) = self.pace.clock else {
            return (driver.advance(SLICE_WORK), Duration::ZERO);
        };
        let start = now();
        loop {
            let report = driver.advance(SLICE_WORK);
            let taken = now().saturating_sub(start);
            if report.is_ready() || SLICE <= taken {
                return (report, taken);
            }
        }
    }
}

/// Seconds that work is counted as where no clock is read: a nanosecond for each unit.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn counted(work: u64) -> f64 {
    work as f64 * 1e-9
}

fn error_max(plan: &KernelPlan) -> f64 {
    plan.error_bound.map_or(f64::INFINITY, Float::get)
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
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
    for (idx, step) in plan.steps.iter().enumerate() {
        let Operator::Kernel(kernel) = &step.operator else { continue };
        let schema = |id: &StepId| &*plan.steps[id.index()].schema;
        let inputs: Vec<&Schema> = step.inputs.iter().map(schema).collect();
        let driver = driver(kernel, &inputs, &step.schema)
            .map_err(|error| Unprepared { address: step.address.to_string(), error })?;
        found.push(PreparedKernel { step: StepId::at(idx), address: driver.prepared() });
    }
    Ok(found)
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

fn emit_of(emit: plan::Emit) -> Emit {
    match emit {
        plan::Emit::Changed => Emit::Changed,
        plan::Emit::Pull => Emit::Pull,
        plan::Emit::All => Emit::All,
        plan::Emit::Eps(eps) => Emit::Eps(eps.get()),
    }
}
