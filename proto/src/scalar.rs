//! Scalar values between text and typed value, without a detour over `f64`.

use std::borrow::Cow;

use arqon_types::{
    Column, Float, TimeUnit, TimeUnits, Type, Value, parse_base64, parse_date, parse_decimal,
    parse_duration, parse_timestamp,
};

use crate::row_error::RowError;

/// A value that has no parts, borrowed where it can be.
#[derive(Debug)]
pub(crate) enum Scalar<'a> {
    Bool(bool),
    Int(i64),
    Float(f64),
    Decimal(i128),
    String(Cow<'a, str>),
    Bytes(Vec<u8>),
    Timestamp(i64),
    Date(i32),
    Duration(i64),
    Uuid(u128),
    Enum(u32),
}

impl Scalar<'_> {
    pub(crate) fn into_value(self) -> Value {
        match self {
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Float(value) => Value::Float(Float::new(value)),
            Self::Decimal(units) => Value::Decimal(units),
            Self::String(text) => Value::String(text.into()),
            Self::Bytes(bytes) => Value::Bytes(bytes.into()),
            Self::Timestamp(nanoseconds) => Value::Timestamp(nanoseconds),
            Self::Date(days) => Value::Date(days),
            Self::Duration(nanoseconds) => Value::Duration(nanoseconds),
            Self::Uuid(bits) => Value::Uuid(bits),
            Self::Enum(place) => Value::Enum(place),
        }
    }

    /// Appends the value to a column of its kind, or of options of it.
    pub(crate) fn push_to(self, column: &mut Column) {
        match (column, self) {
            (Column::Option { present, values }, scalar) => {
                present.push(true);
                scalar.push_to(values);
            }
            (Column::Bool(values), Self::Bool(value)) => values.push(value),
            (
                Column::Int(values),
                Self::Int(value) | Self::Timestamp(value) | Self::Duration(value),
            ) => {
                values.push(value);
            }
            (Column::Int(values), Self::Date(days)) => values.push(i64::from(days)),
            (Column::Int(values), Self::Enum(place)) => values.push(i64::from(place)),
            (Column::Float(values), Self::Float(value)) => values.push(Float::new(value).get()),
            (Column::Decimal(values), Self::Decimal(units)) => values.push(units),
            (Column::Uuid(values), Self::Uuid(bits)) => values.push(bits),
            (Column::String(values), Self::String(text)) => values.push(&text),
            (Column::Bytes(values), Self::Bytes(bytes)) => values.push(&bytes),
            (column, scalar) => panic!("{scalar:?} does not fit into {column:?}"),
        }
    }
}

/// Reads a bare text, as a CSV cell holds it, as a value of `ty`.
///
/// Lists, maps, tensors and structs are JSON and not read here; an option's text is its present
/// value, and a timestamp may be an integer in its unit.
///
/// # Errors
/// [`RowError`] with an empty field that says why the text is no such value.
pub fn parse_text(text: &str, ty: &Type, units: &TimeUnits) -> Result<Value, RowError> {
    scalar_from_text(Cow::Borrowed(text), ty.required(), units.own())
        .map(Scalar::into_value)
        .map_err(|reason| RowError::new("", reason))
}

/// Reads the content of a JSON string as a value of `ty`.
pub(crate) fn scalar_from_string<'a>(
    text: Cow<'a, str>,
    ty: &Type,
    unit: Option<TimeUnit>,
) -> Result<Scalar<'a>, String> {
    match ty {
        Type::Bool => Err(format!("expects bool, found the string {text:?}")),
        Type::Float32 | Type::Float64 => special_float(&text).map(Scalar::Float).ok_or_else(|| {
            format!(
                "expects {ty}, found the string {text:?}; \
                     only \"NaN\", \"Infinity\" and \"-Infinity\" are written as strings"
            )
        }),
        _ => scalar_from_text(text, ty, unit),
    }
}

/// Reads a number's own digits as a value of `ty`, which is a decimal or a float.
pub(crate) fn scalar_from_digits(text: &str, ty: &Type) -> Result<Scalar<'static>, String> {
    match ty {
        Type::Decimal(scale) => parse_decimal(text, *scale).map(Scalar::Decimal).map_err(reason),
        _ => float_of(text, ty).map(Scalar::Float),
    }
}

/// What is written as a word: NaN and the infinities.
pub(crate) fn special_float(word: &str) -> Option<f64> {
    match word {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Reads an integer as a time in the field's unit.
pub(crate) fn timestamp_from_integer(
    number: i64,
    unit: Option<TimeUnit>,
) -> Result<Scalar<'static>, String> {
    let Some(unit) = unit else {
        let unit = TimeUnit::guess(number);
        return Err(format!(
            "expects timestamp, found the integer {number}; write it as 2026-01-01T00:00:00Z, or \
             declare the field as {{ type: timestamp, unit: {unit} }}"
        ));
    };
    unit.nanoseconds(number)
        .map(Scalar::Timestamp)
        .ok_or_else(|| format!("does not fit: {number} {unit} is out of the range of timestamp"))
}

fn timestamp_from_text(text: &str, unit: Option<TimeUnit>) -> Result<Scalar<'static>, String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return parse_timestamp(text).map(Scalar::Timestamp).map_err(reason);
    }
    match text.parse() {
        Ok(number) => timestamp_from_integer(number, unit),
        Err(_) => Err(format!("does not fit: {text} is out of the range of timestamp")),
    }
}

fn scalar_from_text<'a>(
    text: Cow<'a, str>,
    ty: &Type,
    unit: Option<TimeUnit>,
) -> Result<Scalar<'a>, String> {
    match ty {
        Type::Bool => match text.as_ref() {
            "true" => Ok(Scalar::Bool(true)),
            "false" => Ok(Scalar::Bool(false)),
            _ => Err(format!("expects true or false, found {text:?}")),
        },
        Type::Int64 => int_from_text(&text).map(Scalar::Int),
        Type::Float32 | Type::Float64 => match special_float(&text) {
            Some(number) => Ok(Scalar::Float(number)),
            None => float_of(&text, ty).map(Scalar::Float),
        },
        Type::Decimal(scale) => parse_decimal(&text, *scale).map(Scalar::Decimal).map_err(reason),
        Type::String => Ok(Scalar::String(text)),
        Type::Bytes => parse_base64(&text)
            .map(Scalar::Bytes)
            .ok_or_else(|| format!("expects bytes in base64, found {text:?}")),
        Type::Timestamp => timestamp_from_text(&text, unit),
        Type::Date => parse_date(&text).map(Scalar::Date).map_err(reason),
        Type::Duration => parse_duration(&text).map(Scalar::Duration).map_err(reason),
        Type::Uuid => uuid::Uuid::try_parse(&text)
            .map(|uuid| Scalar::Uuid(uuid.as_u128()))
            .map_err(|_| format!("expects a uuid, found {text:?}")),
        Type::Enum(labels) => labels
            .iter()
            .position(|label| *label == text)
            .and_then(|place| u32::try_from(place).ok())
            .map(Scalar::Enum)
            .ok_or_else(|| format!("expects one of {}, found {text:?}", labels.join(", "))),
        Type::List(_) | Type::Map(_) | Type::Tensor(_) | Type::Struct(_) | Type::Option(_) => {
            Err(format!("expects {ty}, found the string {text:?}"))
        }
    }
}

fn reason(error: impl std::fmt::Display) -> String {
    format!("does not fit: {error}")
}

fn int_from_text(text: &str) -> Result<i64, String> {
    text.parse().map_err(|error: std::num::ParseIntError| match error.kind() {
        std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
            format!("does not fit: {text} is out of the range of int64")
        }
        _ => format!("expects int64, found {text:?}"),
    })
}

/// A number of the float type `ty`, which a single holds as the double of the same value.
fn float_of(text: &str, ty: &Type) -> Result<f64, String> {
    let number = float_from_digits(text, &ty.to_string())?;
    if *ty != Type::Float32 {
        return Ok(number);
    }
    // Read as a single from the digits: by way of a double it might be rounded twice.
    match text.parse::<f32>() {
        Ok(single) if single.is_finite() => Ok(f64::from(single)),
        _ => Err(format!("does not fit: {text} is out of the range of {ty}")),
    }
}

/// The double that these digits stand for; `ty` names what is wanted.
pub(crate) fn float_from_digits(text: &str, ty: &str) -> Result<f64, String> {
    // `f64::from_str` also knows `inf` and `nan` in many spellings; only digits may pass.
    let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
    let number: f64 = digits
        .then(|| text.parse().ok())
        .flatten()
        .ok_or_else(|| format!("expects {ty}, found {text:?}"))?;
    if number.is_finite() {
        Ok(number)
    } else {
        Err(format!("does not fit: {text} is out of the range of {ty}"))
    }
}
