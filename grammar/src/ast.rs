//! The syntax tree of a circuit: what the file says, before any name is looked up.
//!
//! Every part carries its place. What was missing or could not be read is `None`, an `Error`
//! variant, or left out; a diagnostic has then been made, and a reader of the tree stays silent.
//! Names within one map are unique: a second one is reported and left out.

mod flow;
mod bus;
mod example;
mod walk;

pub use bus::*;
pub use example::*;
pub use flow::*;

use crate::expr::Expr;
use crate::expr::Literal;
use crate::span::Span;
use crate::span::Spanned;

/// A name with its place.
pub type Name = Spanned<String>;

/// One circuit file.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Circuit {
    /// `arqon:`, the language version.
    pub version: Option<Spanned<u64>>,
    /// `circuit:`, the circuit's name.
    pub name: Option<Name>,
    /// `description:`.
    pub description: Option<Spanned<String>>,
    /// `namespace:`; the circuit's name when it is not written.
    pub namespace: Option<Name>,
    /// `params:`.
    pub params: Vec<Param>,
    /// `import:`, paths from the file's folder.
    pub imports: Vec<Spanned<String>>,
    /// Whether an import could not be read, so that names that seem to be unknown may come from
    /// it.
    pub is_incomplete: bool,
    /// Whether the file only declares what others import, and has no flow of its own.
    pub is_library: bool,
    /// `schemas:`.
    pub schemas: Vec<Schema>,
    /// `functions:`.
    pub functions: Vec<Function>,
    /// `topics:`.
    pub topics: Vec<Topic>,
    /// `operators:`.
    pub operators: Vec<Operator>,
    /// `flow:`.
    pub flow: Vec<Node>,
    /// `routes:`.
    pub routes: Vec<RouteChain>,
    /// `limits:`.
    pub limits: Option<Limits>,
    /// `access:`.
    pub access: Vec<Role>,
    /// `profiles:`.
    pub profiles: Vec<Profile>,
    /// `tests:`.
    pub tests: Vec<Test>,
}

/// A named constant, or a symbolic dimension.
#[derive(Clone, PartialEq, Debug)]
pub struct Param {
    /// Its name.
    pub name: Name,
    /// Its value: a number, duration, date, time or bool as expressions write them; any other
    /// text is a string.
    pub value: Spanned<Literal>,
}

/// A record type.
#[derive(Clone, PartialEq, Debug)]
pub struct Schema {
    /// Its name.
    pub name: Name,
    /// Its fields, in order.
    pub fields: Vec<Field>,
    /// Whether all its fields could be read. Where not, a field that seems to be missing may be
    /// one of those, and nothing is to be said about it.
    pub is_whole: bool,
    /// The whole body.
    pub span: Span,
}

/// A field of a schema or struct.
#[derive(Clone, PartialEq, Debug)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeExpr,
    /// From `{ type: timestamp, unit: ms }`: integers are accepted, in this unit.
    pub unit: Option<Spanned<TimeUnit>>,
}

/// The unit in which integers stand for a timestamp.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

/// The units by their words.
pub const TIME_UNITS: [(&str, TimeUnit); 4] = [
    ("s", TimeUnit::Seconds),
    ("ms", TimeUnit::Milliseconds),
    ("us", TimeUnit::Microseconds),
    ("ns", TimeUnit::Nanoseconds),
];

/// A type as written.
#[derive(Clone, PartialEq, Debug)]
pub struct TypeExpr {
    /// What it is.
    pub kind: TypeKind,
    /// Where it stands.
    pub span: Span,
}

impl TypeExpr {
    /// The type and all types within it, in the order of the text.
    pub fn parts(&self) -> Vec<&TypeExpr> {
        let mut parts = Vec::new();
        self.collect_parts(&mut parts);
        parts
    }

    fn collect_parts<'t>(&'t self, parts: &mut Vec<&'t TypeExpr>) {
        parts.push(self);
        match &self.kind {
            TypeKind::List(inner) | TypeKind::Map(inner) | TypeKind::Option(inner) => {
                inner.collect_parts(parts);
            }
            TypeKind::Struct(fields) => {
                for field in fields {
                    field.ty.collect_parts(parts);
                }
            }
            TypeKind::Bool
            | TypeKind::Int64
            | TypeKind::Float32
            | TypeKind::Float64
            | TypeKind::Decimal { .. }
            | TypeKind::String
            | TypeKind::Bytes
            | TypeKind::Timestamp
            | TypeKind::Duration
            | TypeKind::Date
            | TypeKind::Uuid
            | TypeKind::Enum(_)
            | TypeKind::Tensor { .. }
            | TypeKind::Named(_)
            | TypeKind::Error => {}
        }
    }
}

/// The forms of a type. All types of the language are read; which of them this version can
/// compute with is the compiler's to say.
#[derive(Clone, PartialEq, Debug)]
pub enum TypeKind {
    /// `bool`.
    Bool,
    /// `int64`.
    Int64,
    /// `float32`.
    Float32,
    /// `float64`.
    Float64,
    /// `decimal<S>`.
    Decimal {
        /// Digits after the point, at most 38.
        scale: u8,
    },
    /// `string`.
    String,
    /// `bytes`.
    Bytes,
    /// `timestamp`.
    Timestamp,
    /// `duration`.
    Duration,
    /// `date`.
    Date,
    /// `uuid`.
    Uuid,
    /// `enum<a|b>`, variants in order of declaration, unique.
    Enum(Vec<Spanned<String>>),
    /// `list<T>`.
    List(Box<TypeExpr>),
    /// `map<T>`.
    Map(Box<TypeExpr>),
    /// `option<T>`.
    Option(Box<TypeExpr>),
    /// `tensor<NxDxf32>`.
    Tensor {
        /// The dimensions, outermost first.
        dims: Vec<Spanned<Dimension>>,
        /// The element type's name.
        element: Spanned<TensorElement>,
    },
    /// A schema's name.
    Named(String),
    /// A nested map.
    Struct(Vec<Field>),
    /// Could not be read; a diagnostic says why.
    Error,
}

/// A dimension of a tensor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Dimension {
    /// A number.
    Fixed(u64),
    /// Capitals: from `params`, or free.
    Symbol(String),
    /// `_`.
    Unknown,
}

/// The element type of a tensor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TensorElement {
    /// `f32`.
    F32,
    /// `f64`.
    F64,
    /// `i64`.
    I64,
    /// `u8`.
    U8,
    /// `bool`.
    Bool,
}

/// A named expression: `net(price, off): price * (1 - off)`.
#[derive(Clone, PartialEq, Debug)]
pub struct Function {
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<Name>,
    /// Its value.
    pub body: Expr,
}

/// A value typed later, by a schema or a contract: the raw text of scalars, lists and maps.
#[derive(Clone, PartialEq, Debug)]
pub struct Value {
    /// What it is.
    pub kind: ValueKind,
    /// Where it stands.
    pub span: Span,
}

/// The forms of a raw value.
#[derive(Clone, PartialEq, Debug)]
pub enum ValueKind {
    /// A scalar's text, `${NAME}` already replaced. Unquoted `null`, `~` and nothing at all
    /// stand for `none`.
    Scalar {
        /// The text.
        text: String,
        /// Whether it was written in quotes or as a block.
        quoted: bool,
    },
    /// `[a, b]`.
    List(Vec<Value>),
    /// `{ a: x }`, keys unique.
    Map(Vec<(Name, Value)>),
    /// `=expression`; only in `job` and `args`.
    Computed(Expr),
    /// Could not be read; a diagnostic says why.
    Error,
}

/// A profile of overrides, chosen with `--profile`.
#[derive(Clone, PartialEq, Debug)]
pub struct Profile {
    /// Its name.
    pub name: Name,
    /// `use:`, operator -> implementation.
    pub uses: Vec<(Name, Name)>,
    /// `params:`.
    pub params: Vec<Param>,
    /// `limits:`.
    pub limits: Option<Limits>,
}

impl Value {
    /// Whether it is an unquoted `null`, `~` or nothing: `none`.
    pub fn is_none(&self) -> bool {
        match &self.kind {
            ValueKind::Scalar { text, quoted } => {
                !quoted && matches!(text.as_str(), "" | "~" | "null")
            }
            ValueKind::List(_) | ValueKind::Map(_) | ValueKind::Computed(_) | ValueKind::Error => {
                false
            }
        }
    }
}
