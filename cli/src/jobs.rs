//! `arqon compile --emit itmd`: the kernels of a circuit as jobs, `arqonbus.itmd.job.v1`, for
//! services that take such work over the bus.

use arqon_engine::{PreparedKernel, prepared};
use arqon_operators::{FieldKind, Kernel, KernelMode};
use arqon_plan::{DataflowPlan, Emit, KernelPlan, Operator, Step};
use arqon_proto::itmd::{
    ItmdAttention, ItmdConstraints, ItmdEmit, ItmdGraph, ItmdGrid, ItmdJob, ItmdLinear,
    ItmdNystrom, itmd_emit, itmd_job,
};
use arqon_types::{Float, Type, Value};
use itmd_job::{KernelSpec, Workload};

use crate::exit::Failure;

/// A JSON list with a job for each kernel: what it is prepared of, and what keeps it in bounds. It
/// has no input yet.
///
/// # Errors
/// A [`Failure`] if a kernel cannot be prepared.
pub(crate) fn document(circuit: &str, plan: &DataflowPlan) -> Result<String, Failure> {
    let kernels = prepared(plan).map_err(|error| Failure::errors(error.to_string()))?;
    let jobs = kernels.iter().filter_map(|kernel| job(circuit, plan, kernel));
    let jobs: Vec<serde_json::Value> = jobs.map(|job| job.to_json()).collect();
    Ok(format!("{:#}\n", serde_json::Value::Array(jobs)))
}

fn job(circuit: &str, plan: &DataflowPlan, prepared: &PreparedKernel) -> Option<ItmdJob> {
    let step = &plan.steps[prepared.step.index()];
    let Operator::Kernel(kernel) = &step.operator else { return None };
    let of = Spec { plan, step, kernel };
    let (workload, spec) = of.spec()?;
    let constraints = ItmdConstraints {
        max_latency: kernel.latency_nanos,
        error_tolerance: kernel.error_bound.map(Float::get),
    };
    let job = ItmdJob {
        job_id: format!("{circuit}/{}", step.address),
        workload_type: workload.into(),
        kernel_spec: Some(spec),
        precompute_ref: prepared.address.map(|it| it.to_string()).unwrap_or_default(),
        delta_mode: itmd_job::DeltaMode::DeltaOnly.into(),
        constraints: (constraints != ItmdConstraints::default()).then_some(constraints),
        emit: Some(emit(kernel.emit)),
        modes: kernel.modes.iter().map(|it| mode(*it).into()).collect(),
        ..ItmdJob::default()
    };
    debug_assert_eq!(job.validate(), Ok(()));
    Some(job)
}

/// A kernel among the steps around it.
struct Spec<'p> {
    plan: &'p DataflowPlan,
    step: &'p Step,
    kernel: &'p KernelPlan,
}

impl Spec<'_> {
    /// None where an argument is not of its type, which the compiler does not let through.
    fn spec(&self) -> Option<(Workload, KernelSpec)> {
        let given = self.kernel.named();
        Some(match self.kernel.kernel {
            Kernel::TransformerAttn => (
                Workload::TransformerAttn,
                KernelSpec::Attention(ItmdAttention {
                    features: self.count("features")?,
                    heads: self.count("heads")?,
                    causal: given.value("causal")? == &Value::Bool(true),
                    feature_map: self.choice("feature_map")?,
                    seed: given.integer("seed")?,
                    key_length: self.length("D")?,
                    value_length: self.length("E")?,
                }),
            ),
            Kernel::Nystrom => (
                Workload::Nystrom,
                KernelSpec::NystromModel(ItmdNystrom {
                    landmarks: self.count("landmarks")?,
                    similarity: self.choice("kernel")?,
                    gamma: given.float("gamma")?,
                    lambda: given.float("lambda")?,
                    seed: given.integer("seed")?,
                    point_length: self.length("D")?,
                }),
            ),
            Kernel::DynamicGraph => (
                Workload::DynamicGraph,
                KernelSpec::Graph(ItmdGraph {
                    algorithm: self.choice("algorithm")?,
                    damping: given.float("damping")?,
                    tolerance: given.float("tolerance")?,
                }),
            ),
            Kernel::PdeSolver => (
                Workload::PdeSolver,
                KernelSpec::Grid(ItmdGrid {
                    equation: self.choice("equation")?,
                    width: self.count("width")?,
                    height: self.count("height")?,
                    dt: given.float("dt")?,
                    dx: given.float("dx")?,
                    coefficient: given.float("coefficient")?,
                    steps: self.count("steps")?,
                }),
            ),
            Kernel::LinearTransform => (
                Workload::LinearTransform,
                KernelSpec::Linear(ItmdLinear {
                    rows: self.count("rows")?,
                    columns: self.length("N")?,
                    layout: self.choice("layout")?,
                    rank: self.count("rank")?,
                }),
            ),
        })
    }

    fn count(&self, name: &str) -> Option<u64> {
        u64::try_from(self.kernel.named().integer(name)?).ok()
    }

    /// A label by its number: labels of arguments and of messages stand in the same order.
    fn choice(&self, name: &str) -> Option<i32> {
        i32::try_from(self.kernel.named().choice(name)?).ok()
    }

    /// How long the vectors are that the signature has this name for.
    fn length(&self, name: &str) -> Option<u64> {
        let signature = self.kernel.kernel.ports();
        self.kernel.ports.iter().zip(&self.step.inputs).find_map(|(port, input)| {
            let known = signature.iter().find(|known| known.name == port.name)?;
            let is_named = |kind| matches!(kind, FieldKind::Vector(length) if length == name);
            let at = known.fields.iter().position(|field| is_named(field.kind))?;
            let fields = &self.plan.steps[input.index()].schema.fields;
            let Type::Tensor(tensor) = &fields[(*port.fields.get(at)?)?].ty else { return None };
            tensor.vector_length()
        })
    }
}

fn mode(mode: KernelMode) -> itmd_job::Mode {
    match mode {
        KernelMode::Pass => itmd_job::Mode::Pass,
        KernelMode::Itmd => itmd_job::Mode::Itmd,
        KernelMode::Rr => itmd_job::Mode::Rr,
    }
}

fn emit(emit: Emit) -> ItmdEmit {
    let (policy, threshold) = match emit {
        Emit::Changed => (itmd_emit::Policy::Changed, 0.0),
        Emit::Pull => (itmd_emit::Policy::Pull, 0.0),
        Emit::All => (itmd_emit::Policy::All, 0.0),
        Emit::Eps(eps) => (itmd_emit::Policy::Eps, eps.get()),
    };
    ItmdEmit { policy: policy.into(), threshold }
}
