//! Why an expression has no value for a row: the row goes to the node's errors with this.

use std::borrow::Cow;

use crate::expr::Place;

/// A failed evaluation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// The stable word for error rows.
    pub code: EvalCode,
    /// What happened, for people.
    pub message: Cow<'static, str>,
    /// The operator or call that failed.
    pub place: Place,
}

/// The closed set of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvalCode {
    /// The result is beyond the range of its type.
    Overflow,
    /// `/`, `%` or `div` by zero, of any number type, floats included.
    DivisionByZero,
    /// A cast of a value that the target does not hold, or of a text that is none.
    Conversion,
    /// An argument for which the function has no value: an item that is not there, a position
    /// below 1, a negative length.
    Argument,
    /// A job came back without a result.
    JobFailed,
}

impl EvalCode {
    /// The word in error rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overflow => "overflow",
            Self::DivisionByZero => "division_by_zero",
            Self::Conversion => "conversion",
            Self::Argument => "argument",
            Self::JobFailed => "job_failed",
        }
    }
}

/// A failure that does not yet know where it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    code: EvalCode,
    message: Cow<'static, str>,
}

impl Failure {
    pub(crate) fn new(code: EvalCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn overflow(what: &str, ty: impl std::fmt::Display) -> Self {
        Self::new(EvalCode::Overflow, format!("{what} overflows {ty}"))
    }

    pub(crate) fn argument(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(EvalCode::Argument, message)
    }

    #[cold]
    pub(crate) fn at(self, place: Place) -> EvalError {
        EvalError { code: self.code, message: self.message, place }
    }
}
