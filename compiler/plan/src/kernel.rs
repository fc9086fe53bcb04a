//! A numerical kernel as a step of a dataflow: what it reads, how it may follow, what it puts out.

use serde::{Deserialize, Serialize};

use arqon_operators::{KERNEL_MODES, Kernel, KernelArguments, KernelMode};
use arqon_types::{Float, Type, Value};

/// Which rows of its output a kernel puts out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Emit {
    /// Those whose own inputs changed.
    Changed,
    /// Those whose keys are asked for.
    Pull,
    /// All of them.
    All,
    /// Those that are off by more than this.
    Eps(Float),
}

/// A kernel with all that is needed to feed and to read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelPlan {
    /// Which.
    pub kernel: Kernel,
    /// All of its arguments, in the order of its signature.
    pub arguments: Vec<Value>,
    /// What it reads, one for each input of the step, save those that ask.
    pub ports: Vec<PortPlan>,
    /// The modes that it may take.
    pub modes: Vec<KernelMode>,
    /// Which rows it puts out.
    pub emit: Emit,
    /// The largest error of an output; none for an exact kernel.
    pub error_bound: Option<Float>,
    /// The longest that one step may take.
    pub latency_nanos: Option<i64>,
    /// Of [`Emit::Pull`], where the key of the answers stands in the rows that ask for them: the
    /// step's input behind those of the ports.
    pub asked: Option<Vec<usize>>,
    /// Who asks for modes: the step's last input, of one row at most.
    pub control: Option<ControlPlan>,
    /// What the columns of its output are.
    pub columns: Vec<KernelColumn>,
}

impl KernelPlan {
    /// Its arguments by their names.
    pub fn named(&self) -> KernelArguments<'_> {
        KernelArguments { kernel: self.kernel, values: &self.arguments }
    }

    /// Whether its answers hang on the steps in which it followed its inputs, and not on these
    /// alone: time goes on with each step, or rows are left as they were last said.
    pub fn hangs_on_steps(&self) -> bool {
        match self.kernel {
            Kernel::DynamicGraph => !self.kernel.is_exact(&self.arguments),
            Kernel::PdeSolver => true,
            Kernel::TransformerAttn | Kernel::Nystrom | Kernel::LinearTransform => {
                !matches!(self.emit, Emit::All | Emit::Pull)
            }
        }
    }
}

/// What a kernel reads of one input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortPlan {
    /// The port's name.
    pub name: String,
    /// Positions of the key of its rows; empty for a multiset.
    pub key: Vec<usize>,
    /// Where the fields of the port's signature stand; none for one that is not there.
    pub fields: Vec<Option<usize>>,
}

/// Where modes are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlPlan {
    /// The column of the mode.
    pub column: usize,
    /// What each label of its enum asks for; none leaves the choice to the kernel.
    pub modes: Vec<Option<KernelMode>>,
}

/// A column of what a kernel puts out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelColumn {
    /// This column of the row that the output belongs to.
    Along(usize),
    /// This field of what the kernel computes.
    Made(usize),
}

/// What is told of each step of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The epoch.
    Epoch,
    /// The mode that was taken.
    Mode,
    /// The changed share of the input.
    Churn,
    /// Inputs that changed.
    Changed,
    /// Rows that were put out.
    Emitted,
    /// What no output is off by more than.
    ErrorBound,
    /// How long the step took; none where no clock was read.
    Latency,
    /// Whether state was computed anew.
    Refreshed,
    /// Whether no mode could keep the bounds.
    Violated,
}

/// What is told of a kernel's steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// The fields of a row, in order.
    pub metrics: Vec<Metric>,
    /// Positions of a key, whose last row alone stands; empty where every row does.
    pub key: Vec<usize>,
}

/// All metrics.
pub const METRICS: [Metric; 9] = [
    Metric::Epoch,
    Metric::Mode,
    Metric::Churn,
    Metric::Changed,
    Metric::Emitted,
    Metric::ErrorBound,
    Metric::Latency,
    Metric::Refreshed,
    Metric::Violated,
];

impl Metric {
    /// Its name as a field.
    pub fn name(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::Mode => "mode",
            Self::Churn => "churn",
            Self::Changed => "changed",
            Self::Emitted => "emitted",
            Self::ErrorBound => "error_bound",
            Self::Latency => "latency",
            Self::Refreshed => "refreshed",
            Self::Violated => "violated",
        }
    }

    /// Its type as a field.
    pub fn ty(self) -> Type {
        match self {
            Self::Epoch | Self::Changed | Self::Emitted => Type::Int64,
            Self::Mode => Type::Enum(KERNEL_MODES.map(|mode| mode.name().to_owned()).into()),
            Self::Churn | Self::ErrorBound => Type::Float64,
            Self::Latency => Type::Duration,
            Self::Refreshed | Self::Violated => Type::Bool,
        }
    }
}
