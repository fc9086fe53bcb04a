//! What a caller may choose when a circuit is compiled.

use std::collections::BTreeMap;

/// Choices from outside the circuit file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// `--set name=value`: other values for parameters.
    pub set: Vec<(String, String)>,
    /// `--profile`: which overrides of the circuit apply.
    pub profile: Option<String>,
    /// `--use operator=implementation`.
    pub uses: Vec<(String, String)>,
    /// Values for `${NAME}` in text values.
    pub variables: BTreeMap<String, String>,
    /// `--allow unbounded`: state without a bound is accepted.
    pub allow_unbounded: bool,
    /// Keep the steps as each pass leaves them, for people to look at.
    pub keep_passes: bool,
    /// What the result is for.
    pub purpose: Purpose,
}

/// What a compiled circuit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// It runs.
    #[default]
    Run,
    /// It is edited: what is known of places is noted, and no steps are made of the plan. The
    /// diagnostics are the same.
    Edit,
}
