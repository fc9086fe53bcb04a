//! Arguments of kernels that are fine one by one and do not go together, or not with the lengths
//! of the vectors: what no kernel of the library could be prepared of.

use arqon_types::Value;

use super::{Kernel, KernelArguments};

/// An argument that the kernel cannot be prepared of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The argument.
    pub argument: &'static str,
    /// What it has to be, as in `at most 700`.
    pub wanted: String,
}

impl Kernel {
    /// The first argument that the others, or the lengths of the vectors, do not admit; `length`
    /// gives those that are known, by the names that the signature has for them.
    pub fn unfit(self, values: &[Value], length: impl Fn(&str) -> Option<u64>) -> Option<Unfit> {
        let arguments = KernelArguments { kernel: self, values };
        match self {
            Self::TransformerAttn => attention(arguments, length("D"), length("E")),
            Self::Nystrom => nystrom(arguments),
            Self::DynamicGraph => at_least(arguments, "tolerance", 1e-10),
            Self::PdeSolver => grid(arguments),
            Self::LinearTransform => linear(arguments, length("N")),
        }
    }
}

fn unfit(argument: &'static str, wanted: impl Into<String>) -> Unfit {
    Unfit { argument, wanted: wanted.into() }
}

/// A number of any kind; what is missing or of another type has been told of.
#[expect(clippy::cast_precision_loss, reason = "limits are far below 2^53")]
fn number(arguments: KernelArguments<'_>, name: &str) -> Option<f64> {
    arguments.float(name).or_else(|| Some(arguments.integer(name)? as f64))
}

fn at_most(arguments: KernelArguments<'_>, name: &'static str, most: f64) -> Option<Unfit> {
    let is_above = most < number(arguments, name)?;
    is_above.then(|| unfit(name, format!("at most {most}")))
}

fn at_least(arguments: KernelArguments<'_>, name: &'static str, least: f64) -> Option<Unfit> {
    let is_below = number(arguments, name)? < least;
    is_below.then(|| unfit(name, format!("at least {least:e}")))
}

#[expect(clippy::cast_precision_loss, reason = "a length")]
fn attention(
    arguments: KernelArguments<'_>,
    key: Option<u64>,
    value: Option<u64>,
) -> Option<Unfit> {
    let counted = || {
        at_most(arguments, "heads", COUNT_MAX).or_else(|| at_most(arguments, "features", COUNT_MAX))
    };
    let even = || {
        let is_odd = number(arguments, "features")? % 2.0 != 0.0;
        let has_pairs = arguments.choice("feature_map")? == 1;
        (is_odd && has_pairs).then(|| unfit("features", "even: each frequency of `rff` gives two"))
    };
    let small = || {
        let (heads, features) = (number(arguments, "heads")?, number(arguments, "features")?);
        let entries = (key?.checked_add(value?)? as f64) / heads;
        let row_flops = 2.0 * features * (entries + 12.0) * heads;
        let most = (ROW_FLOPS_MAX / (row_flops / features)).floor();
        (ROW_FLOPS_MAX < row_flops)
            .then(|| unfit("features", format!("at most {most}, for vectors as long as these")))
    };
    let equal = || {
        let heads = u64::try_from(arguments.integer("heads")?).ok()?;
        let divides = |length: Option<u64>| length.is_none_or(|it| it.is_multiple_of(heads.max(1)));
        let is_equal = divides(key) && divides(value);
        (!is_equal).then(|| unfit("heads", "a divisor of the lengths of keys and values"))
    };
    counted().or_else(even).or_else(equal).or_else(small)
}

fn nystrom(arguments: KernelArguments<'_>) -> Option<Unfit> {
    at_most(arguments, "landmarks", 700.0).or_else(|| {
        ["gamma", "lambda"].into_iter().find_map(|name| {
            let is_extreme = !(1e-100..1e100).contains(&number(arguments, name)?);
            is_extreme.then(|| unfit(name, "between 1e-100 and 1e100"))
        })
    })
}

fn grid(arguments: KernelArguments<'_>) -> Option<Unfit> {
    let sides = ["width", "height", "steps"];
    let beyond = sides.into_iter().find_map(|name| at_most(arguments, name, COUNT_MAX));
    beyond.or_else(|| {
        let (width, height) = (number(arguments, "width")?, number(arguments, "height")?);
        let most = (CELLS_MAX / width).floor();
        if CELLS_MAX < width * height {
            return Some(unfit("height", format!("at most {most}, for a grid of 2^27 cells")));
        }
        stable(arguments)
    })
}

/// Whether the explicit scheme is stable.
fn stable(arguments: KernelArguments<'_>) -> Option<Unfit> {
    let (dt, dx) = (number(arguments, "dt")?, number(arguments, "dx")?);
    let coefficient = number(arguments, "coefficient")?;
    let spread = coefficient * dt / (dx * dx);
    let courant = coefficient * dt / dx;
    let (weight, weight_max, rule, dt_max) = match arguments.choice("equation")? {
        0 => (spread, 0.25, "dx^2 / (4 coefficient)", dx * dx / (4.0 * coefficient)),
        1 => {
            let most = dx / (coefficient * std::f64::consts::SQRT_2);
            (courant * courant, 0.5, "dx / (coefficient sqrt(2))", most)
        }
        _ => (spread, 0.24, "0.24 dx^2 / coefficient", 0.24 * dx * dx / coefficient),
    };
    if weight < f64::MIN_POSITIVE {
        return Some(unfit("dt", format!("so large that a step moves anything, below {rule}")));
    }
    let is_stable = weight <= weight_max;
    (!is_stable).then(|| unfit("dt", format!("at most {rule}, which is {dt_max}")))
}

#[expect(clippy::cast_precision_loss, reason = "a length")]
fn linear(arguments: KernelArguments<'_>, columns: Option<u64>) -> Option<Unfit> {
    let beyond = at_most(arguments, "rows", SIDE_MAX);
    beyond.or_else(|| at_most(arguments, "rank", 4096.0)).or_else(|| {
        let columns = columns? as f64;
        let most = (ENTRIES_MAX / columns).floor();
        let is_dense = arguments.choice("layout")? == 0;
        let is_above = is_dense && ENTRIES_MAX < number(arguments, "rows")? * columns;
        is_above
            .then(|| unfit("rows", format!("at most {most}, in a dense matrix of 2^31 entries")))
    })
}

/// More than this of anything is a mistake.
const COUNT_MAX: f64 = 65_536.0;

/// Rows or columns of a matrix.
const SIDE_MAX: f64 = 16_777_216.0;

/// Entries of a dense matrix.
const ENTRIES_MAX: f64 = 2_147_483_648.0;

/// Cells of a grid.
const CELLS_MAX: f64 = 134_217_728.0;

/// Operations of one row of attention: what a worker does without a pause.
const ROW_FLOPS_MAX: f64 = 134_217_728.0;
