//! Why an expression has no type: data, of which the compiler makes a diagnostic.

use std::ops::Range;

use arqon_types::Type;

use crate::expr::{Expr, Place};

/// One fault of typing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeFault {
    /// What kind of fault, for the diagnostic's code.
    pub kind: FaultKind,
    /// Where the text stands that must change.
    pub place: Place,
    /// Which operand or argument is at fault, from 0; none for the operator or call as a whole.
    pub operand: Option<usize>,
    /// One line, lower case, for people.
    pub message: String,
    /// What would have been right: a type, or words such as `a number`.
    pub expected: Option<String>,
    /// The type that was found.
    pub found: Option<Type>,
    /// What to write instead.
    pub help: Option<String>,
    /// Names that would have been known, for a suggestion: functions, fields, labels.
    pub candidates: Vec<String>,
    /// The name that was not known.
    pub unknown: Option<String>,
    /// The operand's constant text, and which of its bytes are at fault.
    pub within: Option<(String, Range<usize>)>,
}

/// Kinds of typing faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// An operand has another type than its operator or function takes.
    Mismatch,
    /// No function of this name.
    UnknownFunction,
    /// No aggregate of this name.
    UnknownAggregate,
    /// No field of this name in the struct.
    UnknownField,
    /// No label of this name in the enum.
    UnknownLabel,
    /// Too few or too many arguments.
    ArgumentCount,
    /// An argument that must be a constant is none.
    NotConstant,
    /// Dimensions of tensors that should be equal are not.
    Shape,
    /// A constant is outside what its type or its parameter takes.
    OutOfRange,
    /// A constant pattern is no regular expression.
    Pattern,
    /// A constant template or format of times is none.
    Format,
}

/// A typed expression, or why there is none.
pub type Typed<T = Expr> = Result<T, Box<TypeFault>>;

impl TypeFault {
    /// A fault of `kind` at `place`.
    pub fn new(kind: FaultKind, place: Place, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            kind,
            place,
            operand: None,
            message: message.into(),
            expected: None,
            found: None,
            help: None,
            candidates: Vec::new(),
            unknown: None,
            within: None,
        })
    }

    /// `expr`, the operand `operand`, should have been `expected`.
    pub fn mismatch(
        expr: &Expr,
        operand: usize,
        what: impl std::fmt::Display,
        expected: impl Into<String>,
    ) -> Box<Self> {
        let expected = expected.into();
        let message = format!("{what} wants {expected}, found {}", expr.ty);
        let mut fault = Self::new(FaultKind::Mismatch, expr.place, message);
        fault.operand = Some(operand);
        fault.expected = Some(expected);
        fault.found = Some(expr.ty.clone());
        fault
    }

    /// The same fault with advice.
    #[must_use]
    pub fn with_help(mut self: Box<Self>, help: impl Into<String>) -> Box<Self> {
        self.help = Some(help.into());
        self
    }

    /// The same fault, about operand `operand`.
    #[must_use]
    pub fn at_operand(mut self: Box<Self>, operand: usize) -> Box<Self> {
        self.operand = Some(operand);
        self
    }

    /// The same fault, of these bytes of the operand's `text`.
    #[must_use]
    pub(crate) fn within(mut self: Box<Self>, text: &str, part: Option<Range<usize>>) -> Box<Self> {
        self.within = part.map(|part| (text.to_owned(), part));
        self
    }

    /// The same fault with the name that is not known and those that are.
    #[must_use]
    pub fn with_candidates(
        mut self: Box<Self>,
        unknown: &str,
        candidates: Vec<String>,
    ) -> Box<Self> {
        self.unknown = Some(unknown.to_owned());
        self.candidates = candidates;
        self
    }
}
