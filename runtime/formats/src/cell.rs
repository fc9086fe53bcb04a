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
        (column, ty) => {
            if !push_quickly(column, ty, cell) {
                column.push(&value_of(cell, ty, units)?);
            }
            Ok(())
        }
    }
}

/// Appends what most cells of most files are; false if the cell is none of it.
fn push_quickly(column: &mut Column, ty: &Type, cell: &[u8]) -> bool {
    match (column, ty) {
        (Column::Int(values), Type::Int64) => short_int(cell).map(|number| values.push(number)),
        (Column::Int(values), Type::Date) => plain_date(cell).map(|days| values.push(days)),
        (Column::Decimal(values), Type::Decimal(scale)) => {
            short_decimal(cell, *scale).map(|units| values.push(units.into()))
        }
        _ => None,
    }
    .is_some()
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

/// A decimal of at most 15 digits, of which no more stand behind the point than `scale`.
fn short_decimal(cell: &[u8], scale: u8) -> Option<i64> {
    let (digits, is_negative) = match cell {
        [b'-', digits @ ..] => (digits, true),
        digits => (digits, false),
    };
    let (mut units, mut n_digits, mut point) = (0_i64, 0_usize, None);
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                units = units.checked_mul(10)? + i64::from(byte - b'0');
                n_digits += 1;
            }
            b'.' if point.is_none() && at > 0 && at + 1 < digits.len() => point = Some(n_digits),
            _ => return None,
        }
    }
    let n_behind = n_digits - point.unwrap_or(n_digits);
    let n_missing = usize::from(scale).checked_sub(n_behind)?;
    if n_digits == 0 || n_digits + n_missing > 15 {
        return None;
    }
    units *= 10_i64.pow(u32::try_from(n_missing).ok()?);
    Some(if is_negative { -units } else { units })
}

/// Days since 1970 of a date as `2026-11-26`.
fn plain_date(cell: &[u8]) -> Option<i64> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = *cell else { return None };
    let number = |digits: &[u8]| {
        let is_number = digits.iter().all(u8::is_ascii_digit);
        is_number.then(|| digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (number(&[y0, y1, y2, y3])?, number(&[m0, m1])?, number(&[d0, d1])?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let n_days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        _ => return None,
    };
    if !(1..=n_days).contains(&day) {
        return None;
    }
    // Years begin with March, so that the leap day is their last; 146,097 days are 400 years, and
    // 719,468 lie between March of the year 0 and 1970.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
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
    fn what_is_read_quickly_is_what_it_is() {
        let slow = |ty: &Type, cell: &str| parse_text(cell, ty, TimeUnits::none()).ok();
        let texts =
            ["0", "-0", "1.5", "-12.34", "12.", ".5", "1.2.3", "", "-", "+1", "1e3", "007.10"];
        let long = ["123456789012345", "1234567890123456", "99999999999999999999", "0.000000001"];
        for (cell, scale) in
            texts.iter().chain(&long).flat_map(|cell| [(cell, 0), (cell, 2), (cell, 9)])
        {
            let ty = Type::Decimal(scale);
            if let Some(units) = short_decimal(cell.as_bytes(), scale) {
                assert_eq!(slow(&ty, cell), Some(Value::Decimal(units.into())), "{cell} {scale}");
            }
        }
        assert_eq!(short_decimal(b"-12.5", 2), Some(-1250));
        let mut cells = vec!["2023-02-29".to_owned(), "2000-13-01".into(), "2000-00-10".into()];
        for days in (-719_528..=2_932_896).step_by(97).chain(-720..720).chain(-719_600..-719_400) {
            cells.push(format_date(days));
        }
        for cell in cells {
            if cell.len() == 10 {
                let quick = plain_date(cell.as_bytes());
                let date = quick.map(|days| Value::Date(i32::try_from(days).unwrap()));
                assert_eq!(date, slow(&Type::Date, &cell), "{cell}");
            }
        }
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
