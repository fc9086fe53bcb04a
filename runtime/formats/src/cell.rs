//! CSV cells: a bare text for a scalar, base64 for bytes, JSON for a list, map, tensor or struct,
//! nothing for `none`.
//!
//! `some("")` of an `option<string>` or `option<bytes>` and `none` are one text in CSV, and read
//! as `none`; NDJSON keeps them apart.

use arqon_proto::{RowError, decode_value, encode_value, parse_text};
use arqon_types::{
    Column, Float, TimeUnits, Type, Value, format_base64, format_date, format_decimal,
    format_duration, format_timestamp,
};

/// Appends the cell to the column; on a fault the column is as before.
pub(crate) fn push_cell(
    column: &mut Column,
    ty: &Type,
    units: &TimeUnits,
    cell: &[u8],
) -> Result<(), RowError> {
    match (column, ty) {
        (Column::Option { present, values }, Type::Option(inner)) => {
            if cell.is_empty() {
                present.push(false);
                values.push_default();
            } else {
                push_cell(values, inner, units, cell)?;
                present.push(true);
            }
            Ok(())
        }
        (Column::String(values), Type::String) => {
            values.push(utf8(cell)?);
            Ok(())
        }
        (column @ Column::Bytes(_), Type::Bytes) => {
            column.push(&parse_text(utf8(cell)?, ty, units)?);
            Ok(())
        }
        (column, Type::Int64) => {
            let number = match short_int(cell) {
                Some(number) => Value::Int(number),
                None => value_of(cell, ty, units)?,
            };
            column.push(&number);
            Ok(())
        }
        (column, ty) => {
            column.push(&value_of(cell, ty, units)?);
            Ok(())
        }
    }
}

/// The value of a cell that has no faster way.
fn value_of(cell: &[u8], ty: &Type, units: &TimeUnits) -> Result<Value, RowError> {
    let text = utf8(cell)?;
    if text.is_empty() {
        return Err(RowError::new("", format!("is empty, and {ty} is no option")));
    }
    match ty {
        Type::List(_) | Type::Map(_) | Type::Tensor(_) | Type::Struct(_) => {
            decode_value(text, ty, units)
        }
        Type::Float64 => match text.parse::<f64>() {
            // The quick way for what is plainly a finite number.
            Ok(number)
                if number.is_finite() && text.as_bytes()[text.len() - 1].is_ascii_digit() =>
            {
                Ok(Value::Float(Float::new(number)))
            }
            _ => parse_text(text, ty, units),
        },
        _ => parse_text(text, ty, units),
    }
}

fn utf8(cell: &[u8]) -> Result<&str, RowError> {
    std::str::from_utf8(cell).map_err(|_| RowError::new("", "is not UTF-8"))
}

/// An integer of at most 15 digits, which covers most cells of most files.
fn short_int(cell: &[u8]) -> Option<i64> {
    let (digits, negative) = match cell {
        [b'-', digits @ ..] => (digits, true),
        digits => (digits, false),
    };
    if digits.is_empty() || digits.len() > 15 {
        return None;
    }
    let mut number = 0_i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(digit - b'0');
    }
    Some(if negative { -number } else { number })
}

/// Writes the value into `cell`, which is emptied before.
pub(crate) fn write_cell(value: &Value, ty: &Type, cell: &mut Vec<u8>) {
    cell.clear();
    let text = match (value, ty.required()) {
        (Value::None, _) => return,
        (Value::String(text), _) => return cell.extend_from_slice(text.as_bytes()),
        (Value::Bool(value), _) => value.to_string(),
        (Value::Int(value), _) => value.to_string(),
        (Value::Decimal(units), Type::Decimal(scale)) => format_decimal(*units, *scale),
        (Value::Bytes(bytes), _) => format_base64(bytes),
        (Value::Timestamp(nanoseconds), _) => format_timestamp(*nanoseconds),
        (Value::Date(days), _) => format_date(*days),
        (Value::Duration(nanoseconds), _) => format_duration(*nanoseconds),
        (Value::Float(number), _) if number.get().is_nan() => "NaN".to_owned(),
        (Value::Float(number), _) if number.get() == f64::INFINITY => "Infinity".to_owned(),
        (Value::Float(number), _) if number.get() == f64::NEG_INFINITY => "-Infinity".to_owned(),
        (Value::Uuid(_) | Value::Enum(_), ty) => value.display(ty),
        (
            Value::Float(_)
            | Value::Decimal(_)
            | Value::List(_)
            | Value::Map(_)
            | Value::Tensor(_)
            | Value::Struct(_),
            ty,
        ) => return encode_value(value, ty, cell),
    };
    cell.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use arqon_types::TimeUnit;

    use super::*;

    fn read(ty: &Type, cell: &str) -> Result<Value, String> {
        let mut column = Column::empty(ty);
        match push_cell(&mut column, ty, TimeUnits::none(), cell.as_bytes()) {
            Ok(()) => Ok(column.value(0, ty)),
            Err(error) => {
                assert!(column.is_empty(), "a refused cell leaves nothing behind");
                Err(error.reason)
            }
        }
    }

    #[test]
    fn scalars_are_bare_texts() {
        assert_eq!(read(&Type::Int64, "-17"), Ok(Value::Int(-17)));
        assert_eq!(read(&Type::Int64, "9223372036854775807"), Ok(Value::Int(i64::MAX)));
        assert_eq!(read(&Type::Float64, "12"), Ok(Value::float(12.0)));
        assert_eq!(
            read(&Type::Float64, "10.357019999999999"),
            Ok(Value::float(10.357_019_999_999_999))
        );
        assert_eq!(read(&Type::Float64, "NaN"), Ok(Value::float(f64::NAN)));
        assert_eq!(read(&Type::Decimal(2), "0.5"), Ok(Value::Decimal(50)));
        assert_eq!(read(&Type::String, ""), Ok(Value::string("")));
        assert_eq!(read(&Type::Int64.optional(), ""), Ok(Value::None));
        let list = Type::List(Box::new(Type::Int64));
        assert_eq!(read(&list, "[1, 2]"), Ok(Value::List([Value::Int(1), Value::Int(2)].into())));
    }

    #[test]
    fn integers_are_times_in_the_unit_of_their_field() {
        let read = |unit, ty: &Type, cell: &str| {
            let mut column = Column::empty(ty);
            let pushed = push_cell(&mut column, ty, &TimeUnits::of(unit), cell.as_bytes());
            pushed.map(|()| column.value(0, ty)).map_err(|error| error.reason)
        };
        let at = Ok(Value::Timestamp(1_500_000_000));
        assert_eq!(read(TimeUnit::Milliseconds, &Type::Timestamp, "1500"), at);
        assert_eq!(read(TimeUnit::Seconds, &Type::Timestamp, "1970-01-01T00:00:01.5Z"), at);
        assert_eq!(read(TimeUnit::Microseconds, &Type::Timestamp.optional(), "1500000"), at);
        let list = Type::List(Box::new(Type::Timestamp));
        let items = [Value::Timestamp(-1), Value::Timestamp(0)];
        let found = read(TimeUnit::Nanoseconds, &list, "[-1, \"1970-01-01T00:00:00Z\"]");
        assert_eq!(found, Ok(Value::List(items.into())));
        let reason = read(TimeUnit::Seconds, &Type::Timestamp, "9223372037").unwrap_err();
        assert_eq!(reason, "does not fit: 9223372037 s is out of the range of timestamp");
        assert!(read(TimeUnit::Seconds, &Type::Timestamp, "1.5").is_err());
    }

    #[test]
    fn what_is_no_value_is_refused_with_its_reason() {
        assert_eq!(read(&Type::Int64, "").unwrap_err(), "is empty, and int64 is no option");
        for (ty, odd) in [
            (Type::Int64, "1.5"),
            (Type::Int64, "9223372036854775808"),
            (Type::Int64, " 1"),
            (Type::Float64, "inf"),
            (Type::Float64, "1e999"),
            (Type::Bool, "yes"),
            (Type::Decimal(2), "0.005"),
            (Type::Timestamp, "2026-01-01"),
            (Type::Enum(vec!["open".into()].into()), "shut"),
            (Type::List(Box::new(Type::Int64)), "1;2"),
            (Type::Int64.optional(), "NA"),
        ] {
            let reason = read(&ty, odd).unwrap_err();
            assert!(!reason.is_empty(), "{ty} {odd}");
        }
    }
}
