//! What a caller may choose about an input.

/// How an input is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InputOptions {
    /// CSV columns that are no field are skipped; else they are a fault of the file.
    pub ignore_extra: bool,
}
