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
    /// Whether what editors ask about places is noted.
    pub keep_facts: bool,
}
