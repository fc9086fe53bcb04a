//! What every kernel can do.
//!
//! A step is cut in two, so that whoever drives it is never held up: [`Kernel::begin`] takes the
//! change, and [`Kernel::advance`] does a bounded part of the work as often as it is called. The
//! driver reads the clock; a kernel does not, so that the same calls give the same bits.
//!
//! The laws, which `tests/laws` tries for each kernel: `itmd` then a read of all rows equals
//! `pass` within the two bounds; two steps equal one step of both changes; a change and its
//! reverse leave the output where it was, within the bound; [`Report::error_max`] is never below
//! the true error. What is saved and loaded goes on with the same bits.

use std::fmt;
use std::io;
use std::task::Poll;

use crate::churn::Churn;
use crate::emit::Emit;
use crate::mode::Mode;
use crate::prepared::Address;
use crate::snapshot::LoadError;
use crate::version::Version;

/// A transform whose output follows its input by differences.
///
/// More than the five methods of a small trait, since each is a different promise to the driver:
/// what a step would cost, what it did, what is still stale, and how state outlives the process.
pub trait Kernel: Sized + Send {
    /// What the kernel is compiled of: shapes, arguments, seeds.
    type Spec;
    /// A keyed change of its inputs, in columns: for each key the new value, or that it is gone.
    type Delta: Send;
    /// What measuring a change finds that a step which takes it can use.
    type Found: Send;
    /// The rows that a reader asks for.
    type Keys;
    /// Output rows in columns: their keys, and their values. What a step puts out is appended.
    type Output: Default;

    /// Computes all that does not depend on the inputs: features, factors, coefficients. The
    /// inputs are empty, and every answer that of empty inputs.
    ///
    /// # Errors
    /// [`SpecError`] if an argument is out of its range.
    fn compile(spec: &Self::Spec) -> Result<Self, SpecError>;

    /// Where that is held which [`Self::compile`] computed: kernels of one address share it. None
    /// where there is nothing to share.
    fn prepared(&self) -> Option<Address> {
        None
    }

    /// How much of the input would change, and the change with what was found on the way. Reads
    /// nothing but the change and what it replaces, in O(size of the change), and writes nothing.
    ///
    /// # Errors
    /// [`DeltaError`] if the change does not fit; a change that was measured can be taken.
    fn measure(&self, delta: Self::Delta) -> Result<Measured<Self>, DeltaError>;

    /// What a step of this mode would come to; none of a mode that the kernel does not have or
    /// that is closed to it in its present state.
    fn predict(&self, mode: Mode, churn: &Churn, emit: Emit) -> Option<Prediction>;

    /// Takes a change that was measured. The step before must have ended. If the kernel has moved
    /// on since, or was another one, the change is measured again.
    ///
    /// # Panics
    /// If a step is under way, or if the change does not fit any more.
    fn begin(&mut self, step: Step<Measured<Self>>);

    /// Goes on with the step for about this many [`Report::work`] units, appends the rows that
    /// are ready, and says when it has ended. A unit is a floating-point operation or a word
    /// moved; one call may exceed its units by at most [`WORK_GRAIN`]. However the work is cut,
    /// the bits are the same.
    ///
    /// # Panics
    /// If no step is under way.
    fn advance(&mut self, work: u64, output: &mut Self::Output) -> Poll<Report>;

    /// Appends the rows of these keys as they are now, computing what is stale of them; gives
    /// their error bound.
    fn read(&mut self, keys: &Self::Keys, output: &mut Self::Output) -> f64;

    /// The keys of all rows that there are.
    fn keys(&self) -> Self::Keys;

    /// Computes some outputs anew in `f64`, from the inputs, and compares.
    fn certify(&self, sample: Sample) -> Probe;

    /// Computes about this share of the state anew, round-robin; what drifted there is gone.
    fn refresh(&mut self, share: f64) -> Report;

    /// Bytes that the kernel's state takes.
    fn state_bytes(&self) -> usize;

    /// Writes the whole state, so that what is loaded goes on with the same bits.
    ///
    /// # Errors
    /// Those of the writer.
    ///
    /// # Panics
    /// If a step is under way.
    fn save(&self, out: &mut dyn io::Write) -> io::Result<()>;

    /// Reads what [`Kernel::save`] wrote.
    ///
    /// # Errors
    /// [`LoadError`] if it is of another kernel, damaged or cut off.
    fn load(input: &mut dyn io::Read) -> Result<Self, LoadError>;
}

/// Work that one call of [`Kernel::advance`] may do beyond what it was given: a block of a product
/// of matrices, about a millisecond; smaller blocks would copy more than they multiply. Work that
/// waits for memory is cut at [`WORK_GRAIN_MEMORY`].
pub const WORK_GRAIN: u64 = 1 << 27;

/// The same for work that waits for memory: about a millisecond.
pub const WORK_GRAIN_MEMORY: u64 = 1 << 22;

/// A change, and what [`Kernel::measure`] found of it.
pub struct Measured<K: Kernel> {
    delta: K::Delta,
    churn: Churn,
    found: K::Found,
    version: Version,
}

impl<K: Kernel> Measured<K> {
    /// What was found of a change by a kernel in this version.
    pub(crate) fn new(delta: K::Delta, (churn, found): (Churn, K::Found), at: &Version) -> Self {
        Self { delta, churn, found, version: at.clone() }
    }

    /// How much of the input it changes.
    pub fn churn(&self) -> &Churn {
        &self.churn
    }

    /// The change alone, for a kernel in this version: one that was measured in another is by
    /// `measure`.
    pub(crate) fn known(
        self,
        now: &Version,
        measure: impl FnOnce(&K::Delta) -> Result<(Churn, K::Found), DeltaError>,
    ) -> (K::Delta, Churn, K::Found) {
        let Self { delta, churn, found, version } = self;
        if version.is(now) {
            return (delta, churn, found);
        }
        match measure(&delta) {
            Ok((churn, found)) => (delta, churn, found),
            Err(fault) => panic!("the change does not fit any more: {fault}"),
        }
    }
}

impl<K: Kernel> fmt::Debug for Measured<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measured").field("churn", &self.churn).finish_non_exhaustive()
    }
}

/// One change and how to follow it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<D> {
    /// The change.
    pub delta: D,
    /// How.
    pub mode: Mode,
    /// What to put out.
    pub emit: Emit,
    /// How far an output may be off, absolutely, in the max norm. A step of `rr` that would
    /// exceed it passes the residual instead, and learns from it.
    pub error_max: f64,
}

/// What a step would come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Units of work, as in [`Report::work`].
    pub work: u64,
    /// Bound of the absolute error of every output after the step.
    pub error_max: f64,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// How the output was computed.
    pub mode: Mode,
    /// How much of the input changed.
    pub churn: Churn,
    /// Bound of the absolute error of every output that was said, now or earlier, against exact
    /// arithmetic on the present inputs; under [`Emit::Changed`] and [`Emit::Pull`] of those that
    /// were put out or are read.
    pub error_max: f64,
    /// Rows that were put out.
    pub n_emitted: usize,
    /// Floating-point operations and words moved.
    pub work: u64,
    /// Whether a step of `rr` found its input in the basis.
    pub reuse: Option<Reuse>,
    /// Whether the step computed state anew to shed what drifted.
    pub is_refreshed: bool,
}

/// What a step of `rr` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// The basis was enough.
    Hit,
    /// The residual was passed, and the basis learnt it.
    Miss,
}

/// Outputs to compute anew: how many, and the seed that chooses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// How many rows at most.
    pub n_rows: usize,
    /// What chooses them.
    pub seed: u64,
}

/// What computing anew found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// Rows that were computed.
    pub n_rows: usize,
    /// The largest true error among them, absolute.
    pub error: f64,
    /// What the kernel says that it is at most.
    pub error_max: f64,
}

/// A kernel cannot be compiled of this.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// An argument is out of its range.
    #[error("`{name}` is {found}, and wants to be {wanted}")]
    Argument {
        /// The argument.
        name: &'static str,
        /// Its value.
        found: f64,
        /// Its range, as in `at least 1`.
        wanted: &'static str,
    },
}

/// A change does not fit the kernel; nothing was taken of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeltaError {
    /// An array has another length than it should.
    #[error("{what} has {found} entries, and not {wanted}")]
    Shape {
        /// The array, as in `a key`.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length that it should have.
        wanted: usize,
    },
    /// A key is out of its range.
    #[error("{what} {found} is not among {n_keys}")]
    Key {
        /// What the key is of, as in `row`.
        what: &'static str,
        /// The key.
        found: i64,
        /// How many there are.
        n_keys: usize,
    },
    /// A number is infinite or no number.
    #[error("{what} has an entry that is no finite number")]
    NotFinite {
        /// The array.
        what: &'static str,
    },
    /// A number is outside of its range.
    #[error("{what} has an entry that is not {wanted}")]
    Range {
        /// The array.
        what: &'static str,
        /// The range, as in `at least 0`.
        wanted: &'static str,
    },
    /// What is taken back is not there.
    #[error("{what} {found} is taken back, and is not there")]
    NotThere {
        /// What the key is of.
        what: &'static str,
        /// The key.
        found: i64,
    },
}
