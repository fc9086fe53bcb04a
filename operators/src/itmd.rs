//! Signatures of the ITMD kernels: the ports they read, their arguments, their modes, and what
//! they put out. The kernels themselves live on another floor.

mod arguments;
mod limits;

use serde::{Deserialize, Serialize};

use arqon_types::{ElementType, Type, Value};

pub use arguments::KernelArguments;
pub use limits::Unfit;

/// The closed set of kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// Linear attention over random features, in several heads, plain or causal.
    TransformerAttn,
    /// Kernel regression over landmarks.
    Nystrom,
    /// Reachability, shortest paths, components or ranks of a changing graph.
    DynamicGraph,
    /// An explicit scheme on a grid: heat, wave or Burgers' equation.
    PdeSolver,
    /// A linear map, dense or sparse, whose input and matrix both change.
    LinearTransform,
}

/// How a kernel follows its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelMode {
    /// Full application.
    Pass,
    /// The exact delta.
    Itmd,
    /// Reduced-rank reuse with a certified error.
    Rr,
}

/// A collection that a kernel reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSignature {
    /// The port's name in `from:`.
    pub name: &'static str,
    /// Whether the kernel runs without it.
    pub is_optional: bool,
    /// Whether its rows need a key, since a later row of a key replaces the one before.
    pub is_keyed: bool,
    /// The fields by which the kernel tells rows apart; none where any key will do.
    pub told_apart_by: &'static [&'static str],
    /// The fields that the kernel reads; others only come along.
    pub fields: Vec<FieldSignature>,
}

/// A field of a port's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSignature {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: FieldKind,
    /// Whether rows may lack it.
    pub is_optional: bool,
}

/// What a field of a port holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// A whole number.
    Int64,
    /// A number.
    Float64,
    /// A vector, `tensor<Nxf32>` or `tensor<Nxf64>`; vectors of one name have one length.
    Vector(&'static str),
}

impl FieldKind {
    /// Whether a field of this type holds it; of a vector, however long.
    pub fn admits(self, ty: &Type) -> bool {
        match (self, ty) {
            (Self::Int64, Type::Int64) | (Self::Float64, Type::Float64) => true,
            (Self::Vector(_), Type::Tensor(tensor)) => {
                tensor.dims.len() == 1
                    && matches!(tensor.element, ElementType::F32 | ElementType::F64)
            }
            (Self::Int64 | Self::Float64 | Self::Vector(_), _) => false,
        }
    }
}

/// An argument of a kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct ArgumentSignature {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub ty: Type,
    /// Its value when it is not written; none for a required one.
    pub default: Option<Value>,
}

/// What a kernel puts out: the fields of a port's rows that it does not read, and new ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelOutput {
    /// The port whose other fields come along.
    pub along: Option<&'static str>,
    /// The new fields.
    pub fields: Vec<(&'static str, OutputKind)>,
}

impl KernelOutput {
    /// The new fields that tell rows apart: of a graph's answers the vertex, of a grid's the place.
    /// None where rows belong to those of a port, by whose key they are told apart.
    pub fn places(&self) -> impl Iterator<Item = &'static str> {
        let is_own = self.along.is_none();
        let names = self.fields.iter().map(|(name, _)| *name);
        names.filter(move |name| is_own && ["id", "x", "y"].contains(name))
    }
}

/// How many rows a kernel puts out at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputRows {
    /// As many as this.
    Exactly(u64),
    /// As many for each row that comes in.
    PerInput(u64),
}

/// What a new field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// A whole number.
    Int64,
    /// A number.
    Float64,
    /// A vector as long, and of such elements, as this field of this port.
    Like(&'static str, &'static str),
    /// A vector of `float32` as long as this argument says.
    Sized(&'static str),
}

/// All kernels.
pub const KERNELS: [Kernel; 5] = [
    Kernel::TransformerAttn,
    Kernel::Nystrom,
    Kernel::DynamicGraph,
    Kernel::PdeSolver,
    Kernel::LinearTransform,
];

fn field(name: &'static str, kind: FieldKind) -> FieldSignature {
    FieldSignature { name, kind, is_optional: false }
}

fn port(name: &'static str, fields: &[(&'static str, FieldKind)]) -> PortSignature {
    let fields = fields.iter().map(|(name, kind)| field(name, *kind)).collect();
    PortSignature { name, is_optional: false, is_keyed: true, told_apart_by: &[], fields }
}

impl Kernel {
    /// The kernel of that name.
    pub fn parse(name: &str) -> Option<Self> {
        KERNELS.into_iter().find(|kernel| kernel.name() == name)
    }

    /// Its name in circuits.
    pub fn name(self) -> &'static str {
        match self {
            Self::TransformerAttn => "transformer_attn",
            Self::Nystrom => "nystrom",
            Self::DynamicGraph => "dynamic_graph",
            Self::PdeSolver => "pde_solver",
            Self::LinearTransform => "linear_transform",
        }
    }

    /// The collections that it reads.
    pub fn ports(self) -> Vec<PortSignature> {
        use FieldKind::{Float64, Int64, Vector};
        match self {
            Self::TransformerAttn => {
                let mut queries = port("q", &[("q", Vector("D"))]);
                let mut tokens = port("kv", &[("k", Vector("D")), ("v", Vector("E"))]);
                let place = FieldSignature { is_optional: true, ..field("pos", Int64) };
                queries.fields.push(place);
                tokens.fields.push(place);
                vec![queries, tokens]
            }
            Self::Nystrom => vec![
                port("data", &[("x", Vector("D")), ("y", Float64)]),
                port("query", &[("x", Vector("D"))]),
            ],
            Self::DynamicGraph => {
                let mut edges = port("edges", &[("src", Int64), ("dst", Int64)]);
                let weight = FieldSignature { is_optional: true, ..field("weight", Int64) };
                edges.fields.push(weight);
                // An edge may lie there several times, and is gone when the last one is.
                edges.is_keyed = false;
                let mut roots = port("roots", &[("id", Int64)]);
                (roots.is_optional, roots.is_keyed) = (true, false);
                vec![edges, roots]
            }
            Self::PdeSolver => {
                let cells = port("cells", &[("x", Int64), ("y", Int64), ("u", Float64)]);
                vec![PortSignature { told_apart_by: &["x", "y"], ..cells }]
            }
            Self::LinearTransform => {
                let rows = port("rows", &[("row", Int64), ("weights", Vector("N"))]);
                let rows = PortSignature { told_apart_by: &["row"], ..rows };
                vec![port("x", &[("x", Vector("N"))]), rows]
            }
        }
    }

    /// Its arguments.
    pub fn arguments(self) -> Vec<ArgumentSignature> {
        let required = |name, ty| ArgumentSignature { name, ty, default: None };
        let with = |name, ty, default| ArgumentSignature { name, ty, default: Some(default) };
        let int = |name, value| with(name, Type::Int64, Value::Int(value));
        let float = |name, value| with(name, Type::Float64, Value::float(value));
        let flag = |name| with(name, Type::Bool, Value::Bool(false));
        let one_of = |name, labels: &[&str]| with(name, choice(labels), Value::Enum(0));
        match self {
            Self::TransformerAttn => vec![
                required("features", Type::Int64),
                int("heads", 1),
                flag("causal"),
                one_of("feature_map", &["favor_plus", "rff"]),
                int("seed", 0),
            ],
            Self::Nystrom => vec![
                required("landmarks", Type::Int64),
                one_of("kernel", &["gaussian", "laplace"]),
                float("gamma", 1.0),
                float("lambda", 1e-3),
                int("seed", 0),
            ],
            Self::DynamicGraph => vec![
                required(
                    "algorithm",
                    choice(&["reachability", "shortest_paths", "components", "pagerank"]),
                ),
                float("damping", 0.85),
                float("tolerance", 1e-6),
            ],
            Self::PdeSolver => vec![
                required("equation", choice(&["heat", "wave", "burgers"])),
                required("width", Type::Int64),
                required("height", Type::Int64),
                float("dt", 0.1),
                float("dx", 1.0),
                float("coefficient", 1.0),
                int("steps", 1),
            ],
            Self::LinearTransform => vec![
                required("rows", Type::Int64),
                one_of("layout", &["dense", "sparse"]),
                int("rank", 32),
            ],
        }
    }

    /// What is wrong with the value of an argument that has the right type, as in `is below 1`.
    pub fn argument_fault(self, name: &str, value: &Value) -> Option<&'static str> {
        match value {
            Value::Int(count) if name != "seed" => (*count < 1).then_some("is below 1"),
            Value::Float(number) if name == "damping" => {
                let lies_between = 0.0 < number.get() && number.get() < 1.0;
                (!lies_between).then_some("does not lie between 0 and 1")
            }
            Value::Float(number) => {
                let is_positive = number.get().is_finite() && 0.0 < number.get();
                (!is_positive).then_some("is not above 0")
            }
            _ => None,
        }
    }

    /// Whether it has the mode under these arguments, or why it has not.
    ///
    /// # Errors
    /// The reason, for people.
    pub fn has_mode(self, mode: KernelMode, arguments: &[Value]) -> Result<(), &'static str> {
        if mode != KernelMode::Rr {
            return Ok(());
        }
        match self {
            Self::DynamicGraph => {
                Err("answers about paths and components are exact; there is no rank to reduce")
            }
            Self::Nystrom => Err("the landmarks are its reduced rank already"),
            Self::PdeSolver => {
                Err("how far a grid is from a basis is known only by stepping all of it")
            }
            Self::TransformerAttn => {
                let is = |name, value: &Value| self.argument(name, arguments) == Some(value);
                if is("causal", &Value::Bool(true)) {
                    return Err(
                        "each row of causal attention sees other sums, so no basis is theirs",
                    );
                }
                if is("feature_map", &Value::Enum(1)) {
                    return Err("Fourier features cancel, so nothing bounds what a basis leaves");
                }
                Ok(())
            }
            Self::LinearTransform => Ok(()),
        }
    }

    /// What comes out under these arguments, in the order of [`Self::arguments`].
    pub fn output(self, arguments: &[Value]) -> KernelOutput {
        let of = |along, fields: &[(&'static str, OutputKind)]| KernelOutput {
            along,
            fields: fields.to_vec(),
        };
        match self {
            Self::TransformerAttn => of(Some("q"), &[("o", OutputKind::Like("kv", "v"))]),
            Self::Nystrom => of(Some("query"), &[("y", OutputKind::Float64)]),
            Self::DynamicGraph => {
                let id = ("id", OutputKind::Int64);
                match arguments.first() {
                    Some(Value::Enum(1)) => of(None, &[id, ("distance", OutputKind::Int64)]),
                    Some(Value::Enum(2)) => of(None, &[id, ("component", OutputKind::Int64)]),
                    Some(Value::Enum(3)) => of(None, &[id, ("rank", OutputKind::Float64)]),
                    _ => of(None, &[id]),
                }
            }
            Self::PdeSolver => of(
                None,
                &[("x", OutputKind::Int64), ("y", OutputKind::Int64), ("u", OutputKind::Float64)],
            ),
            Self::LinearTransform => of(Some("x"), &[("y", OutputKind::Sized("rows"))]),
        }
    }

    /// How many rows come out, where they do not come along with those of a port.
    pub fn rows(self, arguments: &[Value]) -> OutputRows {
        match self {
            Self::PdeSolver => {
                let side = |name| match self.argument(name, arguments) {
                    Some(Value::Int(cells)) => u64::try_from(*cells).unwrap_or(0),
                    _ => 0,
                };
                OutputRows::Exactly(side("width").saturating_mul(side("height")))
            }
            // An edge has two ends; what is reached is a root, or the end of an edge.
            Self::DynamicGraph => match self.argument("algorithm", arguments) {
                Some(Value::Enum(2 | 3)) => OutputRows::PerInput(2),
                _ => OutputRows::PerInput(1),
            },
            Self::TransformerAttn | Self::Nystrom | Self::LinearTransform => {
                OutputRows::PerInput(1)
            }
        }
    }

    /// Whether a port is needed under these arguments although it is optional by itself.
    pub fn needs(self, port: &str, arguments: &[Value]) -> bool {
        match self {
            Self::DynamicGraph => {
                port == "roots"
                    && matches!(self.argument("algorithm", arguments), Some(Value::Enum(0 | 1)))
            }
            Self::TransformerAttn | Self::Nystrom | Self::PdeSolver | Self::LinearTransform => {
                false
            }
        }
    }

    /// Whether a field is needed under these arguments although it is optional by itself: causal
    /// attention looks at places.
    pub fn needs_field(self, field: &str, arguments: &[Value]) -> bool {
        match self {
            Self::TransformerAttn => {
                field == "pos" && self.argument("causal", arguments) == Some(&Value::Bool(true))
            }
            Self::Nystrom | Self::DynamicGraph | Self::PdeSolver | Self::LinearTransform => false,
        }
    }

    /// Whether an optional field is read under these arguments where rows have it: shortest ways go
    /// by weights. Other fields of such a name only come along.
    pub fn reads_field(self, field: &str, arguments: &[Value]) -> bool {
        let is_weighed = self == Self::DynamicGraph
            && field == "weight"
            && self.argument("algorithm", arguments) == Some(&Value::Enum(1));
        is_weighed || self.needs_field(field, arguments)
    }

    /// The error that every answer may have under these arguments, whatever the mode; none for
    /// answers that are exact in themselves.
    pub fn tolerance(self, arguments: &[Value]) -> Option<f64> {
        let is_ranked = self.argument("algorithm", arguments) == Some(&Value::Enum(3));
        match self.argument("tolerance", arguments) {
            Some(Value::Float(tolerance)) if is_ranked => Some(tolerance.get()),
            _ => None,
        }
    }

    /// Whether its answers are whole: there is nothing that could be off by a little.
    pub fn is_exact(self, arguments: &[Value]) -> bool {
        match self {
            Self::DynamicGraph => self.argument("algorithm", arguments) != Some(&Value::Enum(3)),
            Self::TransformerAttn | Self::Nystrom | Self::PdeSolver | Self::LinearTransform => {
                false
            }
        }
    }

    /// The value of an argument, by its name.
    pub fn argument<'v>(self, name: &str, arguments: &'v [Value]) -> Option<&'v Value> {
        arguments.get(self.arguments().iter().position(|argument| argument.name == name)?)
    }
}

impl KernelMode {
    /// Its name in circuits.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Itmd => "itmd",
            Self::Rr => "rr",
        }
    }
}

/// All modes, the plainest first.
pub const KERNEL_MODES: [KernelMode; 3] = [KernelMode::Pass, KernelMode::Itmd, KernelMode::Rr];

fn choice(labels: &[&str]) -> Type {
    Type::Enum(labels.iter().map(|&label| label.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_hold_together() {
        for kernel in KERNELS {
            assert_eq!(Kernel::parse(kernel.name()), Some(kernel));
            let arguments: Vec<Value> = kernel
                .arguments()
                .into_iter()
                .map(|argument| argument.default.unwrap_or(Value::Enum(1)))
                .collect();
            let output = kernel.output(&arguments);
            let ports = kernel.ports();
            let port = |name| ports.iter().find(|port| port.name == name);
            assert!(output.along.is_none_or(|along| port(along).is_some()), "{kernel:?}");
            for (_, kind) in &output.fields {
                if let OutputKind::Like(of, field) = kind {
                    let port = port(of).unwrap();
                    assert!(port.fields.iter().any(|it| it.name == *field), "{kernel:?} {field}");
                }
                if let OutputKind::Sized(name) = kind {
                    assert!(kernel.arguments().iter().any(|it| it.name == *name), "{kernel:?}");
                }
            }
            let can = kernel.has_mode(KernelMode::Pass, &arguments);
            assert!(can.is_ok(), "every kernel can start over");
        }
    }
}
