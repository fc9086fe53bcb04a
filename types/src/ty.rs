//! Types and schemas, and how they are written.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::tensor::TensorType;
use crate::unit::TimeUnits;

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// True or false.
    Bool,
    /// 64-bit signed integer; overflow is an error row.
    Int64,
    /// IEEE 754 single with one NaN and one zero.
    Float32,
    /// IEEE 754 double with one NaN and one zero.
    Float64,
    /// Exact decimal with this many digits after the point.
    Decimal(u8),
    /// UTF-8 text, ordered by bytes.
    String,
    /// Any bytes, ordered as such.
    Bytes,
    /// UTC nanoseconds since 1970.
    Timestamp,
    /// Days since 1970-01-01.
    Date,
    /// Signed nanoseconds.
    Duration,
    /// 128 bits, ordered as their text.
    Uuid,
    /// One of these labels, ordered by declaration. Types are copied for every column and
    /// expression, so the labels are shared.
    Enum(Arc<[String]>),
    /// Any number of one type.
    List(Box<Type>),
    /// Values of one type under strings, sorted by them.
    Map(Box<Type>),
    /// Numbers in a regular shape.
    Tensor(TensorType),
    /// Named fields.
    Struct(Vec<Field>),
    /// A value or `none`; never nested, since `option<option<T>>` collapses.
    Option(Box<Type>),
}

/// A named part of a schema or struct.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Field {
    /// The field's name, `[a-z][a-z0-9_]*`.
    pub name: Arc<str>,
    /// Its type.
    pub ty: Type,
}

impl Field {
    /// A field of `name` and `ty`.
    pub fn new(name: impl Into<Arc<str>>, ty: Type) -> Self {
        Self { name: name.into(), ty }
    }
}

/// The fields of a row, in order, under a name that users know it by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// As declared (`Order`), or the node's name for derived schemas.
    pub name: Arc<str>,
    /// In declaration order.
    pub fields: Vec<Field>,
    /// In which units integers are read where the fields hold timestamps.
    pub units: TimeUnits,
}

impl Type {
    /// `option<self>`; an option stays as it is.
    #[must_use]
    pub fn optional(self) -> Self {
        match self {
            Self::Option(_) => self,
            other => Self::Option(Box::new(other)),
        }
    }

    /// The type without its option, if it has one.
    pub fn required(&self) -> &Self {
        match self {
            Self::Option(inner) => inner,
            other => other,
        }
    }

    /// Whether the types differ in dimensions of tensors only, none of which is known to differ:
    /// a value of this type may then be one of `other`, and its shape says whether it is.
    pub fn may_be(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tensor(a), Self::Tensor(b)) => a.may_be(b),
            (Self::List(a), Self::List(b))
            | (Self::Map(a), Self::Map(b))
            | (Self::Option(a), Self::Option(b)) => a.may_be(b),
            (Self::Struct(a), Self::Struct(b)) => {
                a.len() == b.len()
                    && a.iter().zip(b).all(|(a, b)| a.name == b.name && a.ty.may_be(&b.ty))
            }
            (a, b) => a == b,
        }
    }

    /// Whether `none` is a value of the type.
    pub fn is_option(&self) -> bool {
        matches!(self, Self::Option(_))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Int64 => f.write_str("int64"),
            Self::Float32 => f.write_str("float32"),
            Self::Float64 => f.write_str("float64"),
            Self::Decimal(scale) => write!(f, "decimal<{scale}>"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Date => f.write_str("date"),
            Self::Duration => f.write_str("duration"),
            Self::Uuid => f.write_str("uuid"),
            Self::Enum(labels) => write!(f, "enum<{}>", labels.join("|")),
            Self::List(inner) => write!(f, "list<{inner}>"),
            Self::Map(inner) => write!(f, "map<{inner}>"),
            Self::Tensor(tensor) => tensor.fmt(f),
            Self::Option(inner) => write!(f, "option<{inner}>"),
            Self::Struct(fields) => {
                f.write_str("{ ")?;
                for (idx, field) in fields.iter().enumerate() {
                    let comma = if idx == 0 { "" } else { ", " };
                    write!(f, "{comma}{}: {}", field.name, field.ty)?;
                }
                f.write_str(" }")
            }
        }
    }
}

impl Schema {
    /// A schema of `name` and `fields`, whose timestamps are texts.
    pub fn new(name: impl Into<Arc<str>>, fields: Vec<Field>) -> Self {
        Self { name: name.into(), fields, units: TimeUnits::default() }
    }

    /// The same, whose timestamps may be integers in these units.
    #[must_use]
    pub fn with_units(self, units: TimeUnits) -> Self {
        Self { units, ..self }
    }

    /// Where the field of that name stands.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| *field.name == *name)
    }

    /// The types of the fields, in order.
    pub fn types(&self) -> Vec<Type> {
        self.fields.iter().map(|field| field.ty.clone()).collect()
    }
}
