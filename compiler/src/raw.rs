//! Values written in YAML, read by the type that a schema or a contract gives them.

use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::ZERO_HELP;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_grammar::without_zeros;
use arqon_types::{
    Dimension, Elements, Field, Tensor, TensorType, TimeUnit, TimeUnits, Type, Value, parse_base64,
    parse_date, parse_decimal, parse_duration, parse_timestamp, shape_text,
};

use crate::report::Report;

/// What is to be read.
#[derive(Debug)]
pub(crate) struct Wanted<'w, T: ?Sized> {
    /// Its type, or the fields of a row.
    pub(crate) ty: &'w T,
    /// In which units its timestamps may be integers.
    pub(crate) units: &'w TimeUnits,
    /// What it is called in diagnostics: `` `amount` ``.
    pub(crate) what: &'w str,
}

impl<T: ?Sized> Clone for Wanted<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Wanted<'_, T> {}

/// The value as the type that is wanted.
pub(crate) fn typed_value(
    value: &ast::Value,
    wanted: Wanted<'_, Type>,
    report: &mut Report,
) -> Option<Value> {
    let Wanted { ty, units, what } = wanted;
    if let Type::Option(inner) = ty {
        return if value.is_none() {
            Some(Value::None)
        } else {
            typed_value(value, Wanted { ty: inner, ..wanted }, report)
        };
    }
    match (&value.kind, ty) {
        (ast::ValueKind::Error | ast::ValueKind::Computed(_), _) => None,
        (ast::ValueKind::List(items), Type::List(inner)) => {
            let wanted = Wanted { ty: &**inner, ..wanted };
            let typed: Vec<Option<Value>> =
                items.iter().map(|item| typed_value(item, wanted, report)).collect();
            Some(Value::List(typed.into_iter().collect::<Option<Arc<[Value]>>>()?))
        }
        (ast::ValueKind::Map(entries), Type::Struct(fields)) => {
            typed_fields(entries, Wanted { ty: fields, units, what }, value.span, report)
                .map(|values| Value::Struct(values.into()))
        }
        (ast::ValueKind::Map(entries), Type::Map(inner)) => {
            let typed: Vec<Option<(Arc<str>, Value)>> = entries
                .iter()
                .map(|(key, value)| {
                    let wanted = Wanted { ty: &**inner, units, what: &format!("`{}`", key.node) };
                    Some((key.as_str().into(), typed_value(value, wanted, report)?))
                })
                .collect();
            Some(Value::map(typed.into_iter().collect::<Option<Vec<_>>>()?))
        }
        (_, Type::Tensor(tensor)) => typed_tensor(value, tensor, what, report),
        (ast::ValueKind::Scalar { text, .. }, _) if !value.is_none() => {
            match read_scalar(text, ty, units.own()) {
                Ok(value) => Some(value),
                Err(fault) => {
                    report_scalar(text, wanted, value.span, &fault, report);
                    None
                }
            }
        }
        (ast::ValueKind::Scalar { .. } | ast::ValueKind::List(_) | ast::ValueKind::Map(_), _) => {
            let found = match &value.kind {
                ast::ValueKind::List(_) => "a list",
                ast::ValueKind::Map(_) => "a map",
                _ => "nothing",
            };
            report.push(Diagnostic::new(
                names::VALUE,
                value.span,
                format!("{what} wants {ty}, found {found}"),
            ));
            None
        }
    }
}

/// Nested lists as a tensor: all lists of one depth are as long as each other.
fn typed_tensor(
    value: &ast::Value,
    ty: &TensorType,
    what: &str,
    report: &mut Report,
) -> Option<Value> {
    let mut sizes = vec![None; ty.dims.len()];
    let mut elements = Elements::with_capacity(ty.element, 0);
    let found = match gather(value, 0, &mut sizes, &mut elements) {
        Ok(()) => {
            let shape: Vec<u32> = sizes
                .iter()
                .zip(&ty.dims)
                .map(|(size, dim)| match (size, dim) {
                    (Some(size), _) => *size,
                    (None, Dimension::Fixed(size)) => u32::try_from(*size).unwrap_or(u32::MAX),
                    (None, Dimension::Symbol(_) | Dimension::Unknown) => 0,
                })
                .collect();
            if ty.has_shape(&shape)
                && let Ok(tensor) = Tensor::try_new(shape.clone(), elements)
            {
                return Some(Value::Tensor(tensor.into()));
            }
            (value.span, format!("the shape {}", shape_text(&shape)))
        }
        Err(Some(odd)) => odd,
        Err(None) => return None,
    };
    report.push(Diagnostic::new(
        names::VALUE,
        found.0,
        format!("{what} wants {ty}, found {}", found.1),
    ));
    None
}

/// Appends the elements of nested lists; else what is wrong and where, unless it was reported.
fn gather(
    value: &ast::Value,
    axis: usize,
    sizes: &mut [Option<u32>],
    elements: &mut Elements,
) -> Result<(), Option<(Span, String)>> {
    match &value.kind {
        ast::ValueKind::Error | ast::ValueKind::Computed(_) => Err(None),
        ast::ValueKind::List(items) if axis < sizes.len() => {
            let n = u32::try_from(items.len()).unwrap_or(u32::MAX);
            match sizes[axis].replace(n) {
                Some(first) if first != n => {
                    let words = format!("lists of {first} and of {n} items beside each other");
                    return Err(Some((value.span, words)));
                }
                _ => {}
            }
            items.iter().try_for_each(|item| gather(item, axis + 1, sizes, elements))
        }
        ast::ValueKind::Scalar { text, .. } if axis == sizes.len() => {
            let odd = || Some((value.span, format!("`{text}`")));
            match elements {
                Elements::F32(values) => values.push(text.parse().map_err(|_| odd())?),
                Elements::F64(values) => values.push(text.parse().map_err(|_| odd())?),
                Elements::I64(values) => values.push(text.parse().map_err(|_| odd())?),
                Elements::U8(values) => values.push(text.parse().map_err(|_| odd())?),
                Elements::Bool(values) => values.push(text.parse().map_err(|_| odd())?),
            }
            Ok(())
        }
        ast::ValueKind::List(_) => Err(Some((value.span, "a list among its elements".to_owned()))),
        ast::ValueKind::Map(_) => Err(Some((value.span, "a map".to_owned()))),
        ast::ValueKind::Scalar { text, .. } => {
            let words = format!("`{text}` where a list of depth {} is wanted", axis + 1);
            Err(Some((value.span, words)))
        }
    }
}

/// The entries of a map as the fields of a row or struct, in the order of the fields.
pub(crate) fn typed_fields(
    entries: &[(ast::Name, ast::Value)],
    wanted: Wanted<'_, [Field]>,
    span: Span,
    report: &mut Report,
) -> Option<Vec<Value>> {
    let Wanted { ty: fields, units, what } = wanted;
    let mut values: Vec<Option<Value>> = vec![None; fields.len()];
    let mut complete = true;
    for (name, value) in entries {
        let Some(at) = fields.iter().position(|field| *field.name == *name.node) else {
            report.unknown(
                names::UNKNOWN_FIELD,
                name.span,
                format!("{what} has no field `{}`", name.node),
                name.as_str(),
                fields.iter().map(|field| &*field.name),
            );
            complete = false;
            continue;
        };
        let wanted = Wanted {
            ty: &fields[at].ty,
            units: units.field(name.as_str()),
            what: &format!("`{}`", name.node),
        };
        values[at] = typed_value(value, wanted, report);
        complete &= values[at].is_some();
    }
    if !complete {
        return None;
    }
    for (field, value) in fields.iter().zip(&mut values) {
        if value.is_none() && field.ty.is_option() {
            *value = Some(Value::None);
        }
    }
    let missing: Vec<String> = fields
        .iter()
        .zip(&values)
        .filter(|(_, value)| value.is_none())
        .map(|(field, _)| format!("`{}`", field.name))
        .collect();
    if !missing.is_empty() {
        report.push(Diagnostic::new(
            names::MISSING_FIELD,
            span,
            format!("{what} lacks {}", missing.join(", ")),
        ));
        return None;
    }
    values.into_iter().collect()
}

/// Why a scalar is no value of its type.
struct ScalarFault {
    reason: Option<String>,
}

fn unsigned(number: &str) -> &str {
    number.trim_start_matches(['-', '+'])
}

fn read_scalar(text: &str, ty: &Type, unit: Option<TimeUnit>) -> Result<Value, ScalarFault> {
    let because = |reason: String| ScalarFault { reason: Some(reason) };
    let plain = || ScalarFault { reason: None };
    match ty {
        Type::Bool => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(plain()),
        },
        Type::Int64 if without_zeros(unsigned(text)).is_some() => Err(plain()),
        Type::Int64 => text.parse().map(Value::Int).map_err(|_| plain()),
        Type::Float32 => text.parse().map(Value::float32).map_err(|_| plain()),
        Type::Float64 => text.parse().map(Value::float).map_err(|_| plain()),
        Type::Decimal(scale) => parse_decimal(text, *scale)
            .map(Value::Decimal)
            .map_err(|error| because(error.to_string())),
        Type::String => Ok(Value::string(text)),
        Type::Bytes => parse_base64(text)
            .map(|bytes| Value::Bytes(bytes.into()))
            .ok_or_else(|| because("bytes are written in base64".to_owned())),
        Type::Timestamp => match (text.parse::<i64>(), unit) {
            (Ok(count), Some(unit)) => unit
                .nanoseconds(count)
                .map(Value::Timestamp)
                .ok_or_else(|| because(format!("{count} {unit} is out of the range of timestamp"))),
            (Ok(_), None) => Err(plain()),
            (Err(_), _) => parse_timestamp(text)
                .map(Value::Timestamp)
                .map_err(|error| because(error.to_string())),
        },
        Type::Date => parse_date(text).map(Value::Date).map_err(|error| because(error.to_string())),
        Type::Duration => {
            parse_duration(text).map(Value::Duration).map_err(|error| because(error.to_string()))
        }
        Type::Uuid => read_uuid(text).map(Value::Uuid).ok_or_else(plain),
        Type::Enum(labels) => labels
            .iter()
            .position(|label| label == text)
            .and_then(|at| u32::try_from(at).ok())
            .map(Value::Enum)
            .ok_or_else(plain),
        Type::List(_) | Type::Map(_) | Type::Tensor(_) | Type::Struct(_) => Err(plain()),
        Type::Option(inner) => read_scalar(text, inner, unit),
    }
}

/// `5d1c8b1e-0000-4000-8000-000000000001`, in either case.
fn read_uuid(text: &str) -> Option<u128> {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    if lengths != [8, 4, 4, 4, 12] || !text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&groups.concat(), 16).ok()
}

fn report_scalar(
    text: &str,
    Wanted { ty, what, .. }: Wanted<'_, Type>,
    span: Span,
    fault: &ScalarFault,
    report: &mut Report,
) {
    if let Type::Enum(labels) = ty {
        report.unknown(
            names::UNKNOWN_VARIANT,
            span,
            format!("{what} is one of `{}`, not `{text}`", labels.join("`, `")),
            text,
            labels.iter().map(String::as_str),
        );
        return;
    }
    let mut diagnostic =
        Diagnostic::new(names::VALUE, span, format!("{what} wants {ty}, found `{text}`"));
    if let Some(reason) = &fault.reason {
        diagnostic = diagnostic.note(reason.clone());
    }
    // What was read and is too large has been explained.
    let is_explained = fault.reason.is_some() && *ty.required() == Type::Timestamp;
    if let Some((help, meant)) = meant_scalar(text, ty).filter(|_| !is_explained) {
        diagnostic = diagnostic.help(help);
        if let Some(meant) = meant {
            let title = format!("write `{meant}`");
            diagnostic = diagnostic.fix(span, meant, title);
        }
    }
    report.push(diagnostic);
}

/// What a scalar in another language's form is here, and how it is written if that is certain.
fn meant_scalar(text: &str, ty: &Type) -> Option<(String, Option<String>)> {
    let inner = match ty {
        Type::Option(inner) => inner,
        other => other,
    };
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    match inner {
        Type::Int64 if text.starts_with("0x") => {
            let number = i64::from_str_radix(&text[2..], 16).ok()?.to_string();
            Some((format!("numbers are decimal: it is `{number}`"), Some(number)))
        }
        Type::Int64 if without_zeros(unsigned(text)).is_some() => {
            let digits = without_zeros(unsigned(text))?;
            let sign = if text.starts_with('-') { "-" } else { "" };
            Some((ZERO_HELP.to_owned(), Some(format!("{sign}{digits}"))))
        }
        Type::Int64 | Type::Float64 | Type::Float32 | Type::Decimal(_) if text.contains('_') => {
            let number: String = text.chars().filter(|c| *c != '_').collect();
            let is_number = number.parse::<f64>().is_ok();
            is_number.then(|| ("a value has no `_` between its digits".to_owned(), Some(number)))
        }
        Type::Float64 | Type::Float32 if text.trim_start_matches(['-', '+']) == ".inf" => {
            let meant = if text.starts_with('-') { "-Infinity" } else { "Infinity" };
            Some((format!("it is written `{meant}`"), None))
        }
        Type::Float64 | Type::Float32 if text.eq_ignore_ascii_case(".nan") => {
            Some(("it is written `NaN`".to_owned(), Some("NaN".to_owned())))
        }
        Type::Bool if ["yes", "on", "y", "1"].contains(&text.to_ascii_lowercase().as_str()) => {
            Some(("it is `true` or `false`".to_owned(), Some("true".to_owned())))
        }
        Type::Bool if ["no", "off", "n", "0"].contains(&text.to_ascii_lowercase().as_str()) => {
            Some(("it is `true` or `false`".to_owned(), Some("false".to_owned())))
        }
        Type::List(_) if is_plain => {
            Some((format!("a list stands in brackets: `[{text}]`"), Some(format!("[{text}]"))))
        }
        Type::Timestamp if text.parse::<i64>().is_ok() => {
            let unit = text.parse().map_or(TimeUnit::Nanoseconds, TimeUnit::guess);
            let help = format!(
                "write it as 2026-01-01T00:00:00Z, or declare the field as \
                 `{{ type: timestamp, unit: {unit} }}`"
            );
            Some((help, None))
        }
        Type::Map(_) => Some(("a map is written `{ key: value }`".to_owned(), None)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_read_in_their_one_form() {
        assert_eq!(read_uuid("00000000-0000-0000-0000-0000000000fF"), Some(255));
        assert_eq!(read_uuid("000000000000000000000000000000ff"), None);
        assert_eq!(read_uuid("0000000g-0000-0000-0000-000000000000"), None);
    }
}
