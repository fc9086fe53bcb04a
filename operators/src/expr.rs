//! Typed expressions over the columns of a row.
//!
//! What the compiler leaves to the evaluator is small: every name is a position, every operand
//! has the type its operator wants (casts are explicit), and options are lifted by one rule.
//!
//! **Lifting:** where an operator or a function takes `T` and an operand is `option<T>`, the
//! result is an option, and `none` if any such operand is `none`. `==`, `!=`, `in`, `//`,
//! `is_some` and aggregates look at options themselves. `ty` of the expression says which.

use serde::{Deserialize, Serialize};

use arqon_types::{Type, Value};

use crate::function::Function;

/// Where an expression stands in its circuit file; lines and columns from 1, in characters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Place {
    /// Line, from 1; 0 where there is no text behind the expression.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// An expression that is known to be of type `ty`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Expr {
    /// What it computes.
    pub kind: ExprKind,
    /// The type of its value.
    pub ty: Type,
    /// Where it stands, for error rows.
    pub place: Place,
}

/// The closed set of expression forms.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExprKind {
    /// A column of the input row.
    Column(usize),
    /// A parameter of an enclosing lambda; 0 is the innermost.
    Local(usize),
    /// A constant.
    Literal(Value),
    /// A field of a struct; lifts over an optional struct.
    Field {
        /// The struct.
        of: Box<Expr>,
        /// The field's place.
        idx: usize,
    },
    /// `not x`, `-x`
    Unary(UnaryOp, Box<Expr>),
    /// Arithmetic and comparison on operands of one type (decimals of one scale, except under
    /// `*`); comparisons of equality look at options, all others lift.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// True if all are; later operands are evaluated only while all before are true.
    And(Vec<Expr>),
    /// True if any is; later operands are evaluated only while all before are false.
    Or(Vec<Expr>),
    /// `if c then x else y`; only the taken branch is evaluated.
    If {
        /// `bool`
        condition: Box<Expr>,
        /// Taken if true.
        then: Box<Expr>,
        /// Taken if false.
        otherwise: Box<Expr>,
    },
    /// `x in [a, b]`: equal to any of them.
    In {
        /// What is looked for.
        of: Box<Expr>,
        /// Of its type.
        items: Vec<Expr>,
    },
    /// `x // y`: the value of option `x`, else `y`.
    Default {
        /// An option.
        of: Box<Expr>,
        /// Evaluated only for `none`.
        otherwise: Box<Expr>,
    },
    /// `try(x)`: `none` where `x` fails.
    Try(Box<Expr>),
    /// A change of type that may fail for a value: between the decimal scales, `int64` to
    /// `decimal`, and the casts that the user writes. Lifts.
    Cast(Box<Expr>),
    /// A function of the catalogue; lifts over options in all its parameters.
    Call {
        /// Which.
        function: Function,
        /// In the order of its parameters.
        args: Vec<Expr>,
    },
    /// `[a, b]`
    List(Vec<Expr>),
    /// A struct's fields in order.
    Struct(Vec<Expr>),
    /// A function value, only as an argument of a function that takes one.
    Lambda {
        /// How many parameters; the last is `Local(0)` in the body.
        n_params: usize,
        /// The body.
        body: Box<Expr>,
    },
}

/// Operators on one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnaryOp {
    /// `not x`
    Not,
    /// `-x`; the least integer overflows.
    Negate,
}

/// Operators on two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BinaryOp {
    /// `+` on numbers; timestamp, date or duration plus duration.
    Add,
    /// `-` on numbers; timestamp minus timestamp or duration.
    Subtract,
    /// `*`; decimals add their scales.
    Multiply,
    /// `/`: always `float64`.
    Divide,
    /// `%`: takes the dividend's sign.
    Remainder,
    /// `++` on strings and lists.
    Concat,
    /// `==`, total: `none == none`.
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

impl Expr {
    /// Column `idx` of type `ty`, with no text behind it.
    pub fn column(idx: usize, ty: Type) -> Self {
        Self { kind: ExprKind::Column(idx), ty, place: Place::default() }
    }

    /// A constant of type `ty`, with no text behind it.
    pub fn literal(value: Value, ty: Type) -> Self {
        Self { kind: ExprKind::Literal(value), ty, place: Place::default() }
    }

    /// Visits its operands, in the order in which they are evaluated; the body of a lambda is one.
    pub fn for_each_child<'e>(&'e self, mut visit: impl FnMut(&'e Self)) {
        match &self.kind {
            ExprKind::Column(_) | ExprKind::Local(_) | ExprKind::Literal(_) => {}
            ExprKind::Field { of, .. } => visit(of),
            ExprKind::Unary(_, of) | ExprKind::Try(of) | ExprKind::Cast(of) => visit(of),
            ExprKind::Binary(_, left, right) => {
                visit(left);
                visit(right);
            }
            ExprKind::And(parts)
            | ExprKind::Or(parts)
            | ExprKind::List(parts)
            | ExprKind::Struct(parts) => parts.iter().for_each(visit),
            ExprKind::If { condition, then, otherwise } => {
                visit(condition);
                visit(then);
                visit(otherwise);
            }
            ExprKind::In { of, items } => {
                visit(of);
                items.iter().for_each(visit);
            }
            ExprKind::Default { of, otherwise } => {
                visit(of);
                visit(otherwise);
            }
            ExprKind::Call { args, .. } => args.iter().for_each(visit),
            ExprKind::Lambda { body, .. } => visit(body),
        }
    }

    /// The same, to change them.
    pub fn for_each_child_mut(&mut self, mut visit: impl FnMut(&mut Self)) {
        match &mut self.kind {
            ExprKind::Column(_) | ExprKind::Local(_) | ExprKind::Literal(_) => {}
            ExprKind::Field { of, .. } => visit(of),
            ExprKind::Unary(_, of) | ExprKind::Try(of) | ExprKind::Cast(of) => visit(of),
            ExprKind::Binary(_, left, right) => {
                visit(left);
                visit(right);
            }
            ExprKind::And(parts)
            | ExprKind::Or(parts)
            | ExprKind::List(parts)
            | ExprKind::Struct(parts) => parts.iter_mut().for_each(visit),
            ExprKind::If { condition, then, otherwise } => {
                visit(condition);
                visit(then);
                visit(otherwise);
            }
            ExprKind::In { of, items } => {
                visit(of);
                items.iter_mut().for_each(visit);
            }
            ExprKind::Default { of, otherwise } => {
                visit(of);
                visit(otherwise);
            }
            ExprKind::Call { args, .. } => args.iter_mut().for_each(visit),
            ExprKind::Lambda { body, .. } => visit(body),
        }
    }

    /// Those operands, together.
    pub fn children(&self) -> Vec<&Self> {
        let mut children = Vec::new();
        self.for_each_child(|child| children.push(child));
        children
    }
}

impl BinaryOp {
    /// As it is written: `+`, `==`.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Concat => "++",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
        }
    }
}
