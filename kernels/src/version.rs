//! Which inputs a kernel has: what was found of them holds as long as they stay.

use std::sync::Arc;

/// Inputs of one kernel from one change to the next; a copy of the kernel shares it until either
/// moves on. It says nothing about the inputs themselves and is not saved.
#[derive(Debug, Clone, Default)]
pub(crate) struct Version(Arc<()>);

impl Version {
    /// The inputs change: what was found of them no longer holds.
    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }

    /// Whether both are of the same inputs: whoever holds one keeps its place in memory from being
    /// given again.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
