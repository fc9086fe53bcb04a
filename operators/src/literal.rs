//! Literals that take the type of what stands beside them.
//!
//! A number is `int64`, or `float64` if it has a point or an exponent, unless a decimal or a float
//! is wanted; a string is `string`, unless an enum is wanted. No string turns into a time or a
//! uuid by itself.

use arqon_types::{SCALE_MAX, Type, Value, parse_decimal};

use crate::expr::{Expr, ExprKind, Place};
use crate::fault::{FaultKind, TypeFault, Typed};

/// The literal `text` in its own type: `int64`, or `float64` with a point or an exponent.
///
/// # Errors
/// [`FaultKind::OutOfRange`] for an integer beyond 64 bits or a float beyond its range.
pub fn number(text: &str, place: Place) -> Typed {
    let wanted = if is_integer_text(text) { Type::Int64 } else { Type::Float64 };
    adapt_number(text, &wanted, place)
}

/// The literal `text` as `wanted`, or as the type in the option `wanted`.
///
/// A decimal has the wanted scale, or more where the text has more digits after the point.
///
/// # Errors
/// [`FaultKind::OutOfRange`] if the type does not hold the number, [`FaultKind::Mismatch`] if
/// `wanted` is no number type or an `int64` is wanted of a text with a point.
pub fn adapt_number(text: &str, wanted: &Type, place: Place) -> Typed {
    let out_of_range = |ty: &Type| {
        TypeFault::new(FaultKind::OutOfRange, place, format!("`{text}` is out of range of {ty}"))
    };
    let mismatch = || {
        let natural = if is_integer_text(text) { Type::Int64 } else { Type::Float64 };
        let mut fault = TypeFault::new(
            FaultKind::Mismatch,
            place,
            format!("expected {wanted}, found {natural}"),
        );
        fault.expected = Some(wanted.to_string());
        fault.found = Some(natural);
        fault
    };
    let (value, ty) = match wanted.required() {
        Type::Int64 if is_integer_text(text) => {
            let number = text.parse().map_err(|_| out_of_range(&Type::Int64))?;
            (Value::Int(number), Type::Int64)
        }
        Type::Float32 => {
            let number: f32 = text.parse().map_err(|_| mismatch())?;
            if number.is_infinite() {
                return Err(out_of_range(&Type::Float32));
            }
            (Value::float32(number), Type::Float32)
        }
        Type::Float64 => {
            let number: f64 = text.parse().map_err(|_| mismatch())?;
            if number.is_infinite() {
                return Err(out_of_range(&Type::Float64));
            }
            (Value::float(number), Type::Float64)
        }
        Type::Decimal(scale) => {
            let scale = (*scale).max(scale_of(text).ok_or_else(|| out_of_range(wanted))?);
            let ty = Type::Decimal(scale);
            let units = parse_decimal(text, scale).map_err(|_| out_of_range(&ty))?;
            (Value::Decimal(units), ty)
        }
        _ => return Err(mismatch()),
    };
    Ok(Expr { kind: ExprKind::Literal(value), ty, place })
}

/// The string literal `text` as `wanted`, or as the type in the option `wanted`.
///
/// # Errors
/// [`FaultKind::UnknownLabel`] with all labels if an enum is wanted that has no such label;
/// [`FaultKind::Mismatch`] if neither a string nor an enum is wanted.
pub fn adapt_string(text: &str, wanted: &Type, place: Place) -> Typed {
    let (value, ty) = match wanted.required() {
        Type::String => (Value::string(text), Type::String),
        Type::Enum(labels) => {
            let Some(idx) = labels.iter().position(|label| label == text) else {
                let message = format!("`{text}` is no label of {}", wanted.required());
                let mut fault = TypeFault::new(FaultKind::UnknownLabel, place, message)
                    .with_help(format!("the labels are {}", labels.join(", ")))
                    .with_candidates(text, labels.to_vec());
                fault.expected = Some(wanted.required().to_string());
                return Err(fault);
            };
            let idx = u32::try_from(idx).expect("an enum has at most 65,536 labels");
            (Value::Enum(idx), wanted.required().clone())
        }
        other => {
            let mut fault = TypeFault::new(
                FaultKind::Mismatch,
                place,
                format!("expected {other}, found a string"),
            );
            fault.expected = Some(other.to_string());
            fault.found = Some(Type::String);
            fault.help = literal_help(other, text);
            return Err(fault);
        }
    };
    Ok(Expr { kind: ExprKind::Literal(value), ty, place })
}

/// How a constant of `ty` is written.
pub(crate) fn literal_help(ty: &Type, text: &str) -> Option<String> {
    match ty {
        Type::Timestamp => Some(format!("a timestamp is written t\"{text}\"")),
        Type::Date => Some(format!("a date is written d\"{text}\"")),
        Type::Bytes => Some("bytes are made by bytes(s), from_hex(s) or from_base64(s)".to_owned()),
        Type::Uuid => Some(format!("a uuid is written uuid(\"{text}\")")),
        Type::Duration => Some("a duration is written without quotes, 5m".to_owned()),
        _ => None,
    }
}

/// `expr` as `wanted`, if it is a literal whose type is not yet bound; else as it is.
///
/// # Errors
/// As [`adapt_number`] and [`adapt_string`]; a literal that has no business there stays as it is,
/// so that the operator says what is wrong.
pub(crate) fn adapt_literal(expr: Expr, wanted: &Type) -> Typed {
    let place = expr.place;
    match (&expr.kind, wanted.required()) {
        (
            ExprKind::Literal(Value::Int(number)),
            Type::Float32 | Type::Float64 | Type::Decimal(_),
        ) => adapt_number(&number.to_string(), wanted, place),
        (ExprKind::Literal(Value::Float(number)), Type::Float32 | Type::Decimal(_))
            if expr.ty != *wanted.required() && number.get().is_finite() =>
        {
            adapt_number(&format!("{:?}", number.get()), wanted, place)
        }
        (ExprKind::Literal(Value::String(text)), Type::Enum(_)) => {
            adapt_string(text, wanted, place)
        }
        (ExprKind::Literal(Value::None), required) => Ok(Expr {
            kind: ExprKind::Literal(Value::None),
            ty: required.clone().optional(),
            place,
        }),
        (ExprKind::List(_), Type::List(inner)) => {
            let ExprKind::List(items) = expr.kind else { unreachable!("matched above") };
            let items: Vec<Expr> = items
                .into_iter()
                .map(|item| adapt_literal(item, inner))
                .collect::<Result<_, _>>()?;
            let ty = items.first().map_or_else(
                || wanted.required().clone(),
                |item| Type::List(Box::new(item.ty.clone())),
            );
            Ok(Expr { kind: ExprKind::List(items), ty, place })
        }
        _ => Ok(expr),
    }
}

fn is_integer_text(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.bytes().all(|b| b.is_ascii_digit())
}

/// Digits after the point that hold the number exactly as it is written.
fn scale_of(text: &str) -> Option<u8> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let fraction = mantissa.split_once('.').map_or("", |(_, fraction)| fraction);
    // `2.0` is what a whole float prints as; its zero is no digit that anyone asked for.
    let fraction = if fraction == "0" { "" } else { fraction };
    let n_digits = i64::try_from(fraction.len()).ok()? - exponent;
    u8::try_from(n_digits.max(0)).ok().filter(|scale| *scale <= SCALE_MAX)
}

/// Whether a value is written out, or all of a list.
pub(crate) fn is_literal(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(_) => true,
        ExprKind::List(items) => items.iter().all(is_literal),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_and_type(typed: Typed) -> (Value, Type) {
        let expr = typed.unwrap();
        let ExprKind::Literal(value) = expr.kind else { panic!("no literal") };
        (value, expr.ty)
    }

    #[test]
    fn numbers_take_the_type_that_is_wanted() {
        let at = Place::default();
        assert_eq!(value_and_type(number("7", at)), (Value::Int(7), Type::Int64));
        assert_eq!(value_and_type(number("7.5", at)), (Value::float(7.5), Type::Float64));
        let cents = Type::Decimal(2);
        let cases = [
            ("1", &cents, Value::Decimal(100), Type::Decimal(2)),
            ("0.05", &cents, Value::Decimal(5), Type::Decimal(2)),
            ("0.005", &cents, Value::Decimal(5), Type::Decimal(3)),
            ("1e-3", &cents, Value::Decimal(1), Type::Decimal(3)),
            ("3", &Type::Float64, Value::float(3.0), Type::Float64),
        ];
        for (text, wanted, value, ty) in cases {
            assert_eq!(value_and_type(adapt_number(text, wanted, at)), (value, ty), "{text}");
        }
        for (text, wanted) in [
            ("9223372036854775808", Type::Int64),
            ("1e400", Type::Float64),
            ("1e-99", Type::Decimal(2)),
        ] {
            let fault = adapt_number(text, &wanted, at).unwrap_err();
            assert_eq!(fault.kind, FaultKind::OutOfRange, "{text}");
        }
        assert_eq!(adapt_number("1.5", &Type::Int64, at).unwrap_err().kind, FaultKind::Mismatch);
        assert_eq!(adapt_number("1", &Type::String, at).unwrap_err().kind, FaultKind::Mismatch);
    }

    #[test]
    fn strings_become_labels_but_not_times() {
        let at = Place::default();
        let status = Type::Enum(vec!["open".into(), "paid".into()].into());
        let (value, ty) = value_and_type(adapt_string("paid", &status, at));
        assert_eq!((value, ty), (Value::Enum(1), status.clone()));
        let fault = adapt_string("payed", &status.optional(), at).unwrap_err();
        assert_eq!(fault.kind, FaultKind::UnknownLabel);
        assert_eq!(fault.candidates, ["open", "paid"]);
        let fault = adapt_string("2026-01-01", &Type::Date, at).unwrap_err();
        assert_eq!(fault.help.as_deref(), Some("a date is written d\"2026-01-01\""));
    }
}
