//! What becomes of an output row.

/// What became of an output row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It has its value, within the bound.
    Value,
    /// There is nothing that it could be computed of.
    #[default]
    Empty,
    /// Its denominator cannot be told from zero, or its value is beyond what numbers hold; no value
    /// is given, and none is bounded.
    Lost,
}

/// As a byte of a snapshot.
pub(crate) fn code(outcome: Option<Outcome>) -> u8 {
    match outcome {
        None => 0,
        Some(Outcome::Value) => 1,
        Some(Outcome::Empty) => 2,
        Some(Outcome::Lost) => 3,
    }
}

/// What is not known was not said.
pub(crate) fn decode(code: u8) -> Option<Outcome> {
    match code {
        1 => Some(Outcome::Value),
        2 => Some(Outcome::Empty),
        3 => Some(Outcome::Lost),
        _ => None,
    }
}
