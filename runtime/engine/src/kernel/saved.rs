//! What the kernels of a dataflow hold after an epoch, as bytes, so that another dataflow of the
//! same plan goes on from there.
//!
//! A snapshot has the hash of the plan, the epoch, and a section for each kernel that had rows:
//! what its rows are known by, what was said of them, the state of the kernel itself and what its
//! controller has learnt. Every section has a checksum.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use arqon_kernels::{LoadError, SnapshotReader, SnapshotWriter};
use arqon_plan::{DataflowPlan, EncodeError, StepId, plan_hash};
use arqon_types::PackedRow;

use super::follower::Follower;
use super::rows::{put_rows, take_rows};
use super::{Pace, driver, inputs, kernels};

/// The frame of a snapshot and its version.
const KERNELS: &str = "arqon.kernels.1";

/// That of a kernel in it.
const KERNEL: &str = "arqon.kernel.1";

/// A snapshot of kernels is none that a dataflow of this plan can go on from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// It is damaged, cut off, or of another version.
    #[error("the snapshot of kernels cannot be read: {0}")]
    Snapshot(#[from] LoadError),
    /// It is of another circuit, or of one that keeps other fields of its topics.
    #[error("the snapshot of kernels is of another plan")]
    OtherPlan,
    /// The state of a kernel cannot be read.
    #[error("what the snapshot has of kernel `{address}` cannot be read: {error}")]
    Kernel {
        /// The step.
        address: String,
        /// Why.
        error: LoadError,
    },
    /// The plan has no such kernel, or the snapshot has it twice.
    #[error("the snapshot has kernel `{0}`, and not the plan, or has it twice")]
    Stray(String),
    /// The plan cannot be told from others.
    #[error(transparent)]
    Plan(#[from] EncodeError),
}

/// A kernel's step as it was saved.
#[derive(Debug)]
pub(crate) struct SavedKernel {
    address: Arc<str>,
    bytes: Vec<u8>,
}

/// A kernel that goes on from a snapshot.
pub(crate) struct Kept {
    /// The last epoch of which it has taken all changes.
    pub(crate) epoch: u64,
    pub(crate) follower: Box<Follower>,
    /// Rows that stand of what was told of its steps.
    pub(crate) told: Vec<PackedRow>,
}

/// What the kernels of a dataflow go on from; each is taken by the worker that has it.
#[derive(Clone, Default)]
pub(crate) struct Keeping(Arc<Mutex<BTreeMap<StepId, Kept>>>);

impl Keeping {
    /// These kernels.
    pub(crate) fn of(kernels: BTreeMap<StepId, Kept>) -> Self {
        Self(Arc::new(Mutex::new(kernels)))
    }

    /// The kernel of a step.
    pub(crate) fn take(&self, id: StepId) -> Option<Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }
}

impl fmt::Debug for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeping").finish_non_exhaustive()
    }
}

impl SavedKernel {
    /// What a follower holds, and the rows that stand of what was told of its steps.
    pub(crate) fn new(address: &Arc<str>, follower: &Follower, told: &[&PackedRow]) -> Self {
        let mut bytes = Vec::new();
        let mut save = || -> io::Result<()> {
            let mut out = SnapshotWriter::new(&mut bytes, KERNEL)?;
            follower.save(&mut out)?;
            put_rows(&mut out, "told", told.iter().map(|row| row.as_bytes()))
        };
        save().expect("memory takes all that is written");
        Self { address: Arc::clone(address), bytes }
    }
}

/// The snapshot of these kernels after an epoch.
///
/// # Errors
/// If the plan has no hash.
pub(crate) fn encode(
    plan: &DataflowPlan,
    epoch: u64,
    mut kernels: Vec<SavedKernel>,
) -> Result<Vec<u8>, EncodeError> {
    kernels.sort_by(|a, b| a.address.cmp(&b.address));
    let hash = plan_hash(plan)?;
    let mut bytes = Vec::new();
    let mut save = || -> io::Result<()> {
        let mut out = SnapshotWriter::new(&mut bytes, KERNELS)?;
        out.bytes("plan", hash.to_string().as_bytes())?;
        out.number("epoch", epoch)?;
        out.number("kernels", kernels.len() as u64)?;
        for SavedKernel { address, bytes } in &kernels {
            out.bytes("address", address.as_bytes())?;
            out.bytes("kernel", bytes)?;
        }
        Ok(())
    };
    save().expect("memory takes all that is written");
    Ok(bytes)
}

/// The epoch of a snapshot, and its kernels by their steps in the plan.
///
/// # Errors
/// [`SnapshotError`] if it is of another plan, damaged or cut off. No bytes make it panic.
pub(crate) fn decode(
    plan: &DataflowPlan,
    mut bytes: &[u8],
) -> Result<(u64, BTreeMap<StepId, Kept>), SnapshotError> {
    let mut input = SnapshotReader::new(&mut bytes, KERNELS)?;
    if input.bytes("plan")? != plan_hash(plan)?.to_string().as_bytes() {
        return Err(SnapshotError::OtherPlan);
    }
    let epoch = input.number("epoch")?;
    let n_kernels: u64 = input.number("kernels")?;
    let mut found = BTreeMap::new();
    for _ in 0..n_kernels {
        let address = input.bytes("address")?;
        let address = String::from_utf8_lossy(&address).into_owned();
        let bytes = input.bytes("kernel")?;
        let of_plan = kernels(plan).find(|(_, step, _)| *step.address == *address);
        let Some((id, ..)) = of_plan else { return Err(SnapshotError::Stray(address)) };
        // What was not written by a kernel may be anything.
        let kept = catch_unwind(AssertUnwindSafe(|| kept(plan, id, epoch, &bytes)));
        let kept = kept.unwrap_or_else(|payload: Box<dyn Any + Send>| {
            drop(payload);
            Err(LoadError::Damaged { section: "kernel" })
        });
        match kept {
            Ok(kept) => {
                if found.insert(id, kept).is_some() {
                    return Err(SnapshotError::Stray(address));
                }
            }
            Err(error) => return Err(SnapshotError::Kernel { address, error }),
        }
    }
    Ok((epoch, found))
}

fn kept(plan: &DataflowPlan, id: StepId, epoch: u64, mut bytes: &[u8]) -> Result<Kept, LoadError> {
    let damaged = || LoadError::Damaged { section: "kernel" };
    let (_, step, kernel) = kernels(plan).find(|(known, ..)| *known == id).ok_or_else(damaged)?;
    let driver = driver(kernel, &inputs(plan, step), &step.schema).map_err(|_| damaged())?;
    let mut input = SnapshotReader::new(&mut bytes, KERNEL)?;
    let named = (Arc::clone(&step.address), Pace::default());
    let mut follower = Follower::new(kernel, driver, named);
    follower.load(&mut input)?;
    let told = take_rows(&mut input, "told")?;
    Ok(Kept { epoch, follower: Box::new(follower), told })
}
