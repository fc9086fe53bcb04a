//! The `tests:` of a circuit: examples and laws.

use super::Name;
use super::Value;
use crate::span::Span;
use crate::span::Spanned;

/// One named test; its steps run one after another on the same state.
#[derive(Clone, PartialEq, Debug)]
pub struct Test {
    /// What it shows, in words.
    pub name: Spanned<String>,
    /// Its steps.
    pub steps: Vec<TestStep>,
}

/// One step of a test: one epoch, or a law.
#[derive(Clone, PartialEq, Debug)]
pub enum TestStep {
    /// Send rows, expect changes.
    Example(Example),
    /// `law: name`.
    Law(LawCheck),
}

/// `send:`, `expect:`, `cost:`, and what holds from there on: `mocks:` and `time:`.
#[derive(Clone, PartialEq, Debug)]
pub struct Example {
    /// `mocks:`, what operators, kernels and capsules answer from here on.
    pub mocks: Vec<Mock>,
    /// `time:`, when this epoch and those after it come, as written.
    pub time: Option<Spanned<String>>,
    /// `send:`, rows for topics, in order.
    pub send: Vec<(Name, Vec<TestRow>)>,
    /// `expect:`, all changes of each topic named, in any order.
    pub expect: Vec<(Name, Vec<TestRow>)>,
    /// `cost:`.
    pub cost: Option<Cost>,
    /// `within:`, how far apart floats may be, as written.
    pub within: Option<Spanned<String>>,
    /// The whole step.
    pub span: Span,
}

/// What stands in for an operator, a kernel or a capsule.
#[derive(Clone, PartialEq, Debug)]
pub struct Mock {
    /// The operator, the node, or the step: `pulses[1]`.
    pub name: Spanned<String>,
    /// Maps, typed by what they stand in for.
    pub entries: Vec<Value>,
}

/// A row sent or expected. Its values are raw text, typed by the topic's schema.
#[derive(Clone, PartialEq, Debug)]
pub struct TestRow {
    /// What happens to it.
    pub change: TestChange,
    /// The row, or the key to delete.
    pub row: Value,
    /// The whole entry.
    pub span: Span,
}

/// What happens to a row of a test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TestChange {
    /// `{ … }`: an event, an upsert, or one insertion.
    Plain,
    /// `[+1, { … }]`: a signed change.
    Signed(i64),
    /// `{ $delete: { … } }`: a key of a `full` topic goes.
    Delete,
}

/// What a step may cost.
#[derive(Clone, PartialEq, Debug)]
pub struct Cost {
    /// `updates:`, how many updates the circuit may handle.
    pub updates: Option<Spanned<Bound>>,
}

/// `<= 8`, `== 3`: a comparison with a whole number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bound {
    /// How to compare.
    pub comparison: BoundComparison,
    /// With what.
    pub value: u64,
}

/// Comparisons of a cost with its bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BoundComparison {
    /// `<`.
    Less,
    /// `<=`.
    AtMost,
    /// `==`.
    Exactly,
    /// `>=`.
    AtLeast,
    /// `>`.
    More,
}

/// A law to be checked with generated inputs.
#[derive(Clone, PartialEq, Debug)]
pub struct LawCheck {
    /// The law's name.
    pub law: Name,
    /// `within:`, the tolerance, as written.
    pub within: Option<Spanned<String>>,
    /// The whole step.
    pub span: Span,
}

impl Bound {
    /// Whether a measured value keeps to it.
    pub fn holds(self, measured: u64) -> bool {
        match self.comparison {
            BoundComparison::Less => measured < self.value,
            BoundComparison::AtMost => measured <= self.value,
            BoundComparison::Exactly => measured == self.value,
            BoundComparison::AtLeast => measured >= self.value,
            BoundComparison::More => measured > self.value,
        }
    }
}
