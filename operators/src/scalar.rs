//! Arithmetic and casts on single values: the meaning of each operator, once.
//!
//! `float64` is IEEE 754 and never overflows into an error (it has infinities), but `/` and `%` by
//! zero are errors for floats as for all other numbers. `/` of integers and decimals divides the
//! nearest floats of both sides.

use arqon_types::{
    DAYS_RANGE, Type, Value, format_decimal, parse_date, parse_decimal, parse_duration,
    parse_timestamp, pow10, rescale, shape_text,
};

use crate::civil::DAY;
use crate::eval_error::{EvalCode, Failure};
use crate::expr::BinaryOp;

/// `+ - * / %` on two present values of the types that typing allows together.
pub(crate) fn arithmetic(op: BinaryOp, left: &Value, right: &Value) -> Result<Value, Failure> {
    use Value as V;
    Ok(match (left, right) {
        (V::Int(a), V::Int(b)) if op == BinaryOp::Divide => V::float(divide_int(*a, *b)?),
        (V::Int(a), V::Int(b)) => V::Int(int(op, *a, *b, &Type::Int64)?),
        (V::Float(a), V::Float(b)) => V::float(float(op, a.get(), b.get())?),
        (V::Decimal(a), V::Decimal(b)) if op == BinaryOp::Divide => {
            V::float(divide_decimal(*a, *b)?)
        }
        (V::Decimal(a), V::Decimal(b)) => V::Decimal(decimal(op, *a, *b)?),
        (V::Duration(a), V::Duration(b)) if op == BinaryOp::Divide => V::float(divide_int(*a, *b)?),
        (V::Duration(a), V::Duration(b) | V::Int(b)) | (V::Int(a), V::Duration(b)) => {
            V::Duration(int(op, *a, *b, &Type::Duration)?)
        }
        (V::Timestamp(a), V::Timestamp(b)) => V::Duration(int(op, *a, *b, &Type::Duration)?),
        (V::Timestamp(a), V::Duration(b)) | (V::Duration(a), V::Timestamp(b)) => {
            V::Timestamp(int(op, *a, *b, &Type::Timestamp)?)
        }
        (V::Date(a), V::Date(b)) => V::Duration(days_between(i64::from(*a), i64::from(*b))?),
        (V::Date(days), V::Duration(step)) | (V::Duration(step), V::Date(days)) => {
            let moved = move_days(op, i64::from(*days), *step)?;
            V::Date(i32::try_from(moved).expect("checked in move_days"))
        }
        (left, right) => unreachable!("typing lets no {left:?} meet {right:?} under {op:?}"),
    })
}

/// The integer operators; `ty` only names the type in messages.
pub(crate) fn int(op: BinaryOp, a: i64, b: i64, ty: &Type) -> Result<i64, Failure> {
    let result = match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Subtract => a.checked_sub(b),
        BinaryOp::Multiply => a.checked_mul(b),
        BinaryOp::Remainder if b == 0 => return Err(by_zero("%")),
        BinaryOp::Remainder => Some(a.wrapping_rem(b)),
        other => unreachable!("{other:?} is no integer operator"),
    };
    result.ok_or_else(|| Failure::overflow(&format!("`{}`", op.symbol()), ty))
}

/// The float operators.
pub(crate) fn float(op: BinaryOp, a: f64, b: f64) -> Result<f64, Failure> {
    Ok(match op {
        BinaryOp::Add => a + b,
        BinaryOp::Subtract => a - b,
        BinaryOp::Multiply => a * b,
        BinaryOp::Divide | BinaryOp::Remainder if b == 0.0 => return Err(by_zero(op.symbol())),
        BinaryOp::Divide => a / b,
        BinaryOp::Remainder => a % b,
        other => unreachable!("{other:?} is no float operator"),
    })
}

/// The decimal operators, on units of one scale (of any under `*`).
pub(crate) fn decimal(op: BinaryOp, a: i128, b: i128) -> Result<i128, Failure> {
    let result = match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Subtract => a.checked_sub(b),
        BinaryOp::Multiply => a.checked_mul(b),
        BinaryOp::Remainder if b == 0 => return Err(by_zero("%")),
        BinaryOp::Remainder => Some(a.wrapping_rem(b)),
        other => unreachable!("{other:?} is no decimal operator"),
    };
    result.ok_or_else(|| Failure::overflow(&format!("`{}`", op.symbol()), "decimal"))
}

#[expect(clippy::cast_precision_loss, reason = "`/` divides the nearest floats")]
pub(crate) fn divide_int(a: i64, b: i64) -> Result<f64, Failure> {
    if b == 0 { Err(by_zero("/")) } else { Ok(a as f64 / b as f64) }
}

#[expect(clippy::cast_precision_loss, reason = "`/` divides the nearest floats")]
pub(crate) fn divide_decimal(a: i128, b: i128) -> Result<f64, Failure> {
    if b == 0 { Err(by_zero("/")) } else { Ok(a as f64 / b as f64) }
}

pub(crate) fn by_zero(symbol: &str) -> Failure {
    Failure::new(EvalCode::DivisionByZero, format!("`{symbol}` divides by zero"))
}

/// Nanoseconds between two day numbers.
pub(crate) fn days_between(a: i64, b: i64) -> Result<i64, Failure> {
    (a - b).checked_mul(DAY).ok_or_else(|| Failure::overflow("`-`", Type::Duration))
}

/// A day number moved by a duration of whole days, within those that have a text.
pub(crate) fn move_days(op: BinaryOp, days: i64, step: i64) -> Result<i64, Failure> {
    if step % DAY != 0 {
        return Err(Failure::argument("a date moves by whole days only"));
    }
    let step = step / DAY;
    let moved = if op == BinaryOp::Subtract { days - step } else { days + step };
    if DAYS_RANGE.contains(&moved) {
        Ok(moved)
    } else {
        Err(Failure::overflow(&format!("`{}`", op.symbol()), Type::Date))
    }
}

/// `-x`
pub(crate) fn negate(value: &Value) -> Result<Value, Failure> {
    let overflow = |ty: &str| Failure::overflow("`-`", ty);
    Ok(match value {
        Value::Int(a) => Value::Int(a.checked_neg().ok_or_else(|| overflow("int64"))?),
        Value::Duration(a) => Value::Duration(a.checked_neg().ok_or_else(|| overflow("duration"))?),
        Value::Decimal(a) => Value::Decimal(a.checked_neg().ok_or_else(|| overflow("decimal"))?),
        Value::Float(a) => Value::float(-a.get()),
        other => unreachable!("typing lets no {other:?} be negated"),
    })
}

/// The present `value` of `from` as `to`, neither of them an option.
pub(crate) fn cast(value: &Value, from: &Type, to: &Type) -> Result<Value, Failure> {
    if from == to {
        return Ok(value.clone());
    }
    let fails = || {
        let shown = value.display(from);
        Failure::new(EvalCode::Conversion, format!("`{shown}` is no {to}"))
    };
    if from.may_be(to) {
        return if value.fits(to) { Ok(value.clone()) } else { Err(misshapen(value, to)) };
    }
    Ok(match (value, to) {
        (Value::Bytes(bytes), Type::String) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::string(text),
            Err(_) => return Err(Failure::new(EvalCode::Conversion, "the bytes are no UTF-8")),
        },
        (Value::String(text), Type::Bytes) => Value::Bytes(text.as_bytes().into()),
        (Value::Int(number), Type::Float32) => Value::float32(int_to_single(*number)),
        (Value::Float(number), Type::Float32) => Value::float32(number.to_f32()),
        (Value::Float(number), Type::Float64) => Value::Float(*number),
        (Value::Decimal(units), Type::Float32) => {
            let text = format_decimal(*units, scale_of(from));
            Value::float32(text.parse().expect("a decimal's text is a number"))
        }
        (value, Type::String) => Value::string(&value.display(from)),
        (Value::Int(number), Type::Float64) => Value::float(int_to_float(*number)),
        (Value::Int(number), Type::Decimal(scale)) => {
            Value::Decimal(rescale_checked(i128::from(*number), 0, *scale)?)
        }
        (Value::Decimal(units), Type::Decimal(to)) => {
            Value::Decimal(rescale_checked(*units, scale_of(from), *to)?)
        }
        (Value::Decimal(units), Type::Float64) => {
            Value::float(decimal_to_float(*units, scale_of(from)))
        }
        (Value::Decimal(units), Type::Int64) => {
            let divisor = pow10(u32::from(scale_of(from))).expect("38 digits at most");
            Value::Int(i64::try_from(units / divisor).map_err(|_| fails())?)
        }
        (Value::Float(number), Type::Int64) => {
            Value::Int(float_to_int(number.get()).ok_or_else(fails)?)
        }
        (Value::Float(number), Type::Decimal(scale)) if number.get().is_finite() => {
            // Formatting rounds the exact binary value half to even.
            let text = format!("{:.*}", usize::from(*scale), number.get());
            Value::Decimal(parse_decimal(&text, *scale).map_err(|_| fails())?)
        }
        (Value::Bool(value), Type::Int64) => Value::Int(i64::from(*value)),
        (Value::Timestamp(at) | Value::Duration(at), Type::Int64) => Value::Int(*at),
        (Value::Date(days), Type::Int64) => Value::Int(i64::from(*days)),
        (Value::Timestamp(at), Type::Date) => {
            Value::Date(i32::try_from(at.div_euclid(DAY)).expect("64 bits of nanoseconds"))
        }
        (Value::Date(days), Type::Timestamp) => {
            let at = i64::from(*days).checked_mul(DAY);
            Value::Timestamp(at.ok_or_else(|| Failure::overflow("timestamp(date)", to))?)
        }
        (Value::String(text), to) => parse(text, to).ok_or_else(fails)?,
        _ => return Err(fails()),
    })
}

/// A tensor, or something with tensors in it, of another shape than `to` has.
fn misshapen(value: &Value, to: &Type) -> Failure {
    let message = match value {
        Value::Tensor(tensor) => {
            format!("the shape {} is not that of {to}", shape_text(tensor.shape()))
        }
        _ => format!("a tensor in it has not the shape that {to} says"),
    };
    Failure::new(EvalCode::Conversion, message)
}

fn parse(text: &str, to: &Type) -> Option<Value> {
    match to {
        Type::Bool => match text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        Type::Int64 => text.parse().ok().map(Value::Int),
        Type::Float32 => text.parse().ok().map(Value::float32),
        Type::Float64 => text.parse().ok().map(Value::float),
        Type::Decimal(scale) => parse_decimal(text, *scale).ok().map(Value::Decimal),
        Type::Timestamp => parse_timestamp(text).ok().map(Value::Timestamp),
        Type::Date => parse_date(text).ok().map(Value::Date),
        Type::Duration => parse_duration(text).ok().map(Value::Duration),
        Type::Uuid => parse_uuid(text).map(Value::Uuid),
        Type::String
        | Type::Bytes
        | Type::Enum(_)
        | Type::List(_)
        | Type::Map(_)
        | Type::Tensor(_)
        | Type::Struct(_)
        | Type::Option(_) => None,
    }
}

/// 32 hexadecimal digits, plain or in groups of 8-4-4-4-12.
fn parse_uuid(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    let grouped = bytes.len() == 36 && [8, 13, 18, 23].iter().all(|at| bytes[*at] == b'-');
    let digits = if grouped { text.replace('-', "") } else { text.to_owned() };
    let well_formed = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    well_formed.then(|| u128::from_str_radix(&digits, 16).ok()).flatten()
}

fn scale_of(ty: &Type) -> u8 {
    match ty {
        Type::Decimal(scale) => *scale,
        other => unreachable!("{other} is no decimal"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "the nearest float is what is asked for")]
pub(crate) fn int_to_float(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "the nearest single is what is asked for")]
pub(crate) fn int_to_single(number: i64) -> f32 {
    number as f32
}

/// Truncated; none for what is no number or beyond 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
pub(crate) fn float_to_int(number: f64) -> Option<i64> {
    let limit = 2_f64.powi(63);
    (-limit..limit).contains(&number).then_some(number as i64)
}

/// Powers of ten that a float holds exactly.
const FLOAT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// The nearest float to `units / 10^scale`.
pub(crate) fn decimal_to_float(units: i128, scale: u8) -> f64 {
    // Both exact below 2^53 and 10^22, so that the quotient is rounded once.
    if units.unsigned_abs() < 1 << 53 && scale <= 22 {
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        let units = units as f64;
        return units / FLOAT_POWERS[usize::from(scale)];
    }
    format_decimal(units, scale).parse().expect("a decimal's text is a number")
}

pub(crate) fn rescale_checked(units: i128, from: u8, to: u8) -> Result<i128, Failure> {
    rescale(units, from, to).ok_or_else(|| {
        if to >= from {
            Failure::overflow("a conversion", Type::Decimal(to))
        } else {
            let shown = format_decimal(units, from);
            let message =
                format!("`{shown}` has more than {to} digits after the point; use round(x, {to})");
            Failure::new(EvalCode::Conversion, message)
        }
    })
}

/// `units` of scale `from` rounded half to even to scale `to`.
pub(crate) fn round_decimal(units: i128, from: u8, to: u8) -> Result<i128, Failure> {
    if to >= from {
        return rescale_checked(units, from, to);
    }
    let divisor = pow10(u32::from(from - to)).expect("38 digits at most");
    Ok(divide_half_even(units, divisor))
}

/// `number / divisor` rounded half to even; the divisor is above 0.
pub(crate) fn divide_half_even(number: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (number.div_euclid(divisor), number.rem_euclid(divisor));
    let over = rest - (divisor - rest);
    if over > 0 || over == 0 && quotient & 1 == 1 { quotient + 1 } else { quotient }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_even() {
        for (units, expected) in [(5, 0), (15, 2), (25, 2), (-5, 0), (-15, -2), (16, 2), (-16, -2)]
        {
            assert_eq!(round_decimal(units, 1, 0), Ok(expected), "{units}");
        }
    }

    #[test]
    fn casts_say_what_is_lost() {
        let text = |s: &str| Value::string(s);
        let good = [
            (Value::float(2.9), Type::Float64, Type::Int64, Value::Int(2)),
            (Value::Decimal(-299), Type::Decimal(2), Type::Int64, Value::Int(-2)),
            (Value::float(0.125), Type::Float64, Type::Decimal(2), Value::Decimal(12)),
            (Value::Decimal(1), Type::Decimal(1), Type::Float64, Value::float(0.1)),
            (Value::Decimal(3000), Type::Decimal(2), Type::String, text("30.00")),
            (Value::Date(1), Type::Date, Type::Timestamp, Value::Timestamp(DAY)),
            (Value::Timestamp(-1), Type::Timestamp, Type::Date, Value::Date(-1)),
            (text("1e3"), Type::String, Type::Float64, Value::float(1000.0)),
            (
                text("00000000-0000-0000-0000-0000000000ff"),
                Type::String,
                Type::Uuid,
                Value::Uuid(255),
            ),
        ];
        for (value, from, to, expected) in good {
            assert_eq!(cast(&value, &from, &to), Ok(expected), "{value:?} to {to}");
        }
        let bad = [
            (Value::float(f64::NAN), Type::Float64, Type::Int64),
            (Value::float(9.3e18), Type::Float64, Type::Int64),
            (Value::float(f64::INFINITY), Type::Float64, Type::Decimal(2)),
            (Value::Decimal(255), Type::Decimal(2), Type::Decimal(1)),
            (text("1.5"), Type::String, Type::Int64),
            (text("yes"), Type::String, Type::Bool),
            (text("-0000000-0000-0000-0000-0000000000ff"), Type::String, Type::Uuid),
        ];
        for (value, from, to) in bad {
            assert!(cast(&value, &from, &to).is_err(), "{value:?} to {to}");
        }
    }
}
