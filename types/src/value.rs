//! One value of a row.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bytes::format_base64;
use crate::decimal::format_decimal;
use crate::float::Float;
use crate::tensor::{Elements, Tensor};
use crate::time::{format_date, format_duration, format_timestamp};
use crate::ty::Type;

/// A value; its type is known from the schema, so a decimal has no scale and an enum no labels.
///
/// The derived order is the language's: `none` first, strings by bytes, enums by declaration.
/// Only values of one type are ever compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    /// The absent value of an option; a present one is the plain value.
    None,
    /// `bool`
    Bool(bool),
    /// `int64`
    Int(i64),
    /// `float64`, and `float32` as the double of the same value.
    Float(Float),
    /// `decimal<S>`: units of 10^-S.
    Decimal(i128),
    /// `string`
    String(Arc<str>),
    /// `bytes`
    Bytes(Arc<[u8]>),
    /// `timestamp`: nanoseconds since 1970, UTC.
    Timestamp(i64),
    /// `date`: days since 1970-01-01.
    Date(i32),
    /// `duration`: nanoseconds.
    Duration(i64),
    /// `uuid`, most significant byte first.
    Uuid(u128),
    /// `enum<…>`: the label's place in the declaration.
    Enum(u32),
    /// `list<T>`
    List(Arc<[Value]>),
    /// `map<T>`: entries by key, ascending, each key once.
    Map(Arc<[(Arc<str>, Value)]>),
    /// `tensor<…>`
    Tensor(Arc<Tensor>),
    /// Fields of a struct in order.
    Struct(Arc<[Value]>),
}

impl Value {
    /// What an integer of a column stands for.
    ///
    /// # Panics
    /// If values of the type do not travel as integers, or not as this one.
    pub fn of_integer(number: i64, ty: &Type) -> Self {
        match ty {
            Type::Int64 => Self::Int(number),
            Type::Timestamp => Self::Timestamp(number),
            Type::Duration => Self::Duration(number),
            Type::Date => Self::Date(i32::try_from(number).expect("days were pushed as i32")),
            Type::Enum(_) => Self::Enum(u32::try_from(number).expect("labels were pushed as u32")),
            other => panic!("a column of integers for {other}"),
        }
    }

    /// A string value.
    pub fn string(text: &str) -> Self {
        Self::String(Arc::from(text))
    }

    /// A float value, normalised.
    pub fn float(number: f64) -> Self {
        Self::Float(Float::new(number))
    }

    /// A `float32` value, normalised.
    pub fn float32(number: f32) -> Self {
        Self::float(f64::from(number))
    }

    /// A map of these entries; of several with one key the last one stays.
    pub fn map(entries: impl IntoIterator<Item = (Arc<str>, Self)>) -> Self {
        let sorted: BTreeMap<Arc<str>, Self> = entries.into_iter().collect();
        Self::Map(sorted.into_iter().collect())
    }

    /// The value under `key` of a map's entries.
    pub fn entry<'a>(entries: &'a [(Arc<str>, Self)], key: &str) -> Option<&'a Self> {
        let at = entries.binary_search_by(|(known, _)| known.as_ref().cmp(key)).ok()?;
        Some(&entries[at].1)
    }

    /// Whether the value may stand where `ty` is declared.
    pub fn fits(&self, ty: &Type) -> bool {
        match (self, ty) {
            (Self::None, Type::Option(_)) => true,
            (value, Type::Option(inner)) => value.fits(inner),
            (Self::Bool(_), Type::Bool)
            | (Self::Int(_), Type::Int64)
            | (Self::Float(_), Type::Float64)
            | (Self::Decimal(_), Type::Decimal(_))
            | (Self::String(_), Type::String)
            | (Self::Bytes(_), Type::Bytes)
            | (Self::Timestamp(_), Type::Timestamp)
            | (Self::Date(_), Type::Date)
            | (Self::Duration(_), Type::Duration)
            | (Self::Uuid(_), Type::Uuid) => true,
            (Self::Float(number), Type::Float32) => is_single(*number),
            (Self::Enum(idx), Type::Enum(labels)) => (*idx as usize) < labels.len(),
            (Self::List(items), Type::List(inner)) => items.iter().all(|item| item.fits(inner)),
            (Self::Map(entries), Type::Map(inner)) => {
                entries.windows(2).all(|pair| pair[0].0 < pair[1].0)
                    && entries.iter().all(|(_, value)| value.fits(inner))
            }
            (Self::Tensor(tensor), Type::Tensor(ty)) => tensor.fits(ty),
            (Self::Struct(values), Type::Struct(fields)) => {
                values.len() == fields.len()
                    && values.iter().zip(fields).all(|(value, field)| value.fits(&field.ty))
            }
            _ => false,
        }
    }

    /// The value as a person writes it in an expression's place: `paid`, `30.00`, `none`.
    pub fn display(&self, ty: &Type) -> String {
        match (self, ty.required()) {
            (Self::None, _) => "none".to_owned(),
            (Self::Bool(value), _) => value.to_string(),
            (Self::Int(value), _) => value.to_string(),
            (Self::Float(value), Type::Float32) => format!("{:?}", value.to_f32()),
            (Self::Float(value), _) => format!("{:?}", value.get()),
            (Self::Decimal(units), Type::Decimal(scale)) => format_decimal(*units, *scale),
            (Self::Decimal(units), _) => units.to_string(),
            (Self::String(text), _) => text.to_string(),
            (Self::Bytes(bytes), _) => format_base64(bytes),
            (Self::Timestamp(nanoseconds), _) => format_timestamp(*nanoseconds),
            (Self::Date(days), _) => format_date(*days),
            (Self::Duration(nanoseconds), _) => format_duration(*nanoseconds),
            (Self::Uuid(bits), _) => uuid::Uuid::from_u128(*bits).to_string(),
            (Self::Enum(idx), Type::Enum(labels)) => {
                labels.get(*idx as usize).cloned().unwrap_or_else(|| format!("#{idx}"))
            }
            (Self::Enum(idx), _) => format!("#{idx}"),
            (Self::List(items), Type::List(inner)) => {
                let items: Vec<String> = items.iter().map(|item| item.display(inner)).collect();
                format!("[{}]", items.join(", "))
            }
            (Self::Map(entries), Type::Map(inner)) => {
                let parts: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| format!("{key:?}: {}", value.display(inner)))
                    .collect();
                format!("{{{}}}", parts.join(", "))
            }
            (Self::Tensor(tensor), _) => {
                let mut out = String::new();
                tensor.write(&mut out, &mut display_element);
                out
            }
            (Self::Struct(values), Type::Struct(fields)) => {
                let parts: Vec<String> = values
                    .iter()
                    .zip(fields)
                    .map(|(value, field)| format!("{}: {}", field.name, value.display(&field.ty)))
                    .collect();
                format!("{{ {} }}", parts.join(", "))
            }
            (Self::List(_) | Self::Map(_) | Self::Struct(_), _) => format!("{self:?}"),
        }
    }
}

/// Whether a `float32` has this value.
fn is_single(number: Float) -> bool {
    Float::new(f64::from(number.to_f32())) == number
}

fn display_element(elements: &Elements, at: usize, out: &mut String) {
    use std::fmt::Write as _;
    let written = match elements {
        Elements::F32(values) => write!(out, "{:?}", values[at]),
        Elements::F64(values) => write!(out, "{:?}", values[at]),
        Elements::I64(values) => write!(out, "{}", values[at]),
        Elements::U8(values) => write!(out, "{}", values[at]),
        Elements::Bool(values) => write!(out, "{}", values[at]),
    };
    written.expect("writing to a string cannot fail");
}
