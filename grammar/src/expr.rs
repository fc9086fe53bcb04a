//! The syntax tree of expressions. Spans are places in the circuit file.
//!
//! **Invariant:** a tree is at most
//! [`EXPRESSION_DEPTH_MAX`](crate::limits::EXPRESSION_DEPTH_MAX) deep, so walking it by recursion
//! is safe. Long chains of `and` and `or` are kept balanced for that, in unchanged order.

use std::fmt;

use crate::span::Span;
use crate::span::Spanned;

/// An expression and its place; a bracketed expression's place includes its brackets.
#[derive(Clone, PartialEq, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// The forms of an expression.
#[derive(Clone, PartialEq, Debug)]
pub enum ExprKind {
    /// A value written out.
    Literal(Literal),
    /// A bare name: a field, an `as` name, a parameter, a lambda's variable.
    Name(String),
    /// `base.field`.
    Field {
        /// The value that has the field.
        base: Box<Expr>,
        /// The field's name.
        field: Spanned<String>,
    },
    /// `base[index]`.
    Index {
        /// The list.
        base: Box<Expr>,
        /// The position.
        index: Box<Expr>,
    },
    /// `function(arguments)`; functions are named, never computed.
    Call {
        /// The function's name.
        function: Spanned<String>,
        /// Its arguments as written.
        arguments: Vec<Argument>,
    },
    /// `x -> body`, `(x, y) -> body`; only as an argument.
    Lambda {
        /// The variables.
        params: Vec<Spanned<String>>,
        /// The value.
        body: Box<Expr>,
    },
    /// `[a, b]`.
    List(Vec<Expr>),
    /// An operator before its operand.
    Unary {
        /// The operator, at its own place.
        operator: Spanned<UnaryOperator>,
        /// What it is applied to.
        operand: Box<Expr>,
    },
    /// An operator between two operands.
    Binary {
        /// The operator, at its own place.
        operator: Spanned<BinaryOperator>,
        /// The left operand.
        left: Box<Expr>,
        /// The right operand.
        right: Box<Expr>,
    },
    /// `if condition then consequence else alternative`.
    If {
        /// The condition.
        condition: Box<Expr>,
        /// The value when it holds.
        consequence: Box<Expr>,
        /// The value when it does not.
        alternative: Box<Expr>,
    },
    /// Could not be read; a diagnostic says why, and nothing more is to be said about it.
    Error,
}

/// One argument of a call, with its name when one is written: `where=x > 0`.
#[derive(Clone, PartialEq, Debug)]
pub struct Argument {
    /// The name before `=`.
    pub name: Option<Spanned<String>>,
    /// The value.
    pub value: Expr,
}

/// A value written out. Numbers with a point keep their digits, because the other side of an
/// operator decides whether they are decimal or float.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Literal {
    /// Digits without a point: `42`, `1_000`.
    Integer(i128),
    /// Digits with a point or an exponent, underscores removed: `0.05`, `1e-3`.
    Number(String),
    /// `"text"`, unescaped.
    String(String),
    /// `true`, `false`.
    Bool(bool),
    /// `none`.
    None,
    /// `5m`, `1h30m`, in nanoseconds.
    Duration(i64),
    /// `d"1995-03-15"`: the text between the quotes, not yet checked.
    Date(String),
    /// `t"2026-01-01T00:00:00Z"`: the text between the quotes, not yet checked.
    Time(String),
}

/// Operators before their operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnaryOperator {
    /// `not`.
    Not,
    /// `-`.
    Negate,
}

/// Operators between two operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BinaryOperator {
    /// `or`.
    Or,
    /// `and`.
    And,
    /// `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `in`. (`x not in l` is `not (x in l)`.)
    In,
    /// `//`: the right side where the left is `none`.
    Default,
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `++`: strings and lists end to end.
    Concatenate,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `%`.
    Remainder,
}

impl Expr {
    /// An expression at its place.
    pub const fn new(kind: ExprKind, span: Span) -> Self {
        Self { kind, span }
    }

    /// The stand-in for an expression that could not be read.
    pub const fn error(span: Span) -> Self {
        Self { kind: ExprKind::Error, span }
    }

    /// Whether the expression itself could not be read.
    pub fn is_error(&self) -> bool {
        matches!(self.kind, ExprKind::Error)
    }

    /// The parts of a bare path, `c.region` as `c`, `region`; none for anything else.
    pub fn as_path(&self) -> Option<Vec<Spanned<&str>>> {
        let mut parts = Vec::new();
        let mut expr = self;
        loop {
            match &expr.kind {
                ExprKind::Name(name) => {
                    parts.push(Spanned::new(name.as_str(), expr.span));
                    parts.reverse();
                    return Some(parts);
                }
                ExprKind::Field { base, field } => {
                    parts.push(Spanned::new(field.node.as_str(), field.span));
                    expr = base;
                }
                ExprKind::Literal(_)
                | ExprKind::Index { .. }
                | ExprKind::Call { .. }
                | ExprKind::Lambda { .. }
                | ExprKind::List(_)
                | ExprKind::Unary { .. }
                | ExprKind::Binary { .. }
                | ExprKind::If { .. }
                | ExprKind::Error => return None,
            }
        }
    }
}

impl UnaryOperator {
    /// As it is written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Not => "not",
            Self::Negate => "-",
        }
    }
}

impl BinaryOperator {
    /// As it is written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::Default => "//",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Concatenate => "++",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }

    /// Whether it compares its operands (`==` to `>=`, and `in`).
    pub const fn is_comparison(self) -> bool {
        match self {
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::LessOrEqual
            | Self::Greater
            | Self::GreaterOrEqual
            | Self::In => true,
            Self::Or
            | Self::And
            | Self::Default
            | Self::Add
            | Self::Subtract
            | Self::Concatenate
            | Self::Multiply
            | Self::Divide
            | Self::Remainder => false,
        }
    }
}

impl fmt::Display for UnaryOperator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.symbol())
    }
}

impl fmt::Display for BinaryOperator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.symbol())
    }
}

/// Fully bracketed, for tests and messages: `(and (== status "paid") (> amount 0))`.
impl fmt::Display for Expr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Literal(literal) => literal.fmt(out),
            ExprKind::Name(name) => out.write_str(name),
            ExprKind::Field { base, field } => write!(out, "{base}.{}", field.node),
            ExprKind::Index { base, index } => write!(out, "{base}[{index}]"),
            ExprKind::Call { function, arguments } => {
                write!(out, "{}(", function.node)?;
                for (at, argument) in arguments.iter().enumerate() {
                    out.write_str(if at == 0 { "" } else { ", " })?;
                    if let Some(name) = &argument.name {
                        write!(out, "{}=", name.node)?;
                    }
                    write!(out, "{}", argument.value)?;
                }
                out.write_str(")")
            }
            ExprKind::Lambda { params, body } => {
                let names: Vec<&str> = params.iter().map(Spanned::as_str).collect();
                write!(out, "(({}) -> {body})", names.join(", "))
            }
            ExprKind::List(items) => {
                out.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(out, "{}{item}", if at == 0 { "" } else { ", " })?;
                }
                out.write_str("]")
            }
            ExprKind::Unary { operator, operand } => write!(out, "({} {operand})", operator.node),
            ExprKind::Binary { operator, left, right } => {
                write!(out, "({} {left} {right})", operator.node)
            }
            ExprKind::If { condition, consequence, alternative } => {
                write!(out, "(if {condition} {consequence} {alternative})")
            }
            ExprKind::Error => out.write_str("<error>"),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(out, "{value}"),
            Self::Number(digits) => out.write_str(digits),
            Self::String(text) => write!(out, "{text:?}"),
            Self::Bool(value) => write!(out, "{value}"),
            Self::None => out.write_str("none"),
            Self::Duration(nanos) => write!(out, "{nanos}ns"),
            Self::Date(text) => write!(out, "d{text:?}"),
            Self::Time(text) => write!(out, "t{text:?}"),
        }
    }
}

impl Expr {
    /// Hands the expression and every part of it to `visit`, the whole before its parts.
    pub fn for_each<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        visit(self);
        self.for_each_child(&mut |child| child.for_each(visit));
    }

    /// Hands the direct parts to `visit`, in the order of the text.
    pub fn for_each_child<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match &self.kind {
            ExprKind::Literal(_) | ExprKind::Name(_) | ExprKind::Error => {}
            ExprKind::Field { base, .. } => visit(base),
            ExprKind::Index { base, index } => {
                visit(base);
                visit(index);
            }
            ExprKind::Call { arguments, .. } => {
                for argument in arguments {
                    visit(&argument.value);
                }
            }
            ExprKind::Lambda { body, .. } => visit(body),
            ExprKind::List(items) => items.iter().for_each(visit),
            ExprKind::Unary { operand, .. } => visit(operand),
            ExprKind::Binary { left, right, .. } => {
                visit(left);
                visit(right);
            }
            ExprKind::If { condition, consequence, alternative } => {
                visit(condition);
                visit(consequence);
                visit(alternative);
            }
        }
    }
}
