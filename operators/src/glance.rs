//! How far ahead of a change its memory is read.
//!
//! What a change needs lies behind pointers, each of which is known only once the one before has
//! come from the memory. What other changes need hangs on none of that: where each glance goes one
//! pointer further for many changes, the memory is asked for all of them at once.

/// One step on the way from a group to what a change of it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glance {
    /// The accumulators.
    Slots,
    /// What they hold elsewhere.
    Values,
    /// Few values, or those of many that have changed last.
    Ends,
}

impl Glance {
    /// All, each one step further.
    pub const ALL: [Self; 3] = [Self::Slots, Self::Values, Self::Ends];
}
