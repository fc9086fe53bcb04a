//! Times as texts of other forms: `format_time` and `parse_time`, with `%Y`, `%m`, `%d`, `%H`,
//! `%M`, `%S`, `%f` (a fraction's digits), `%j`, `%a`, `%b`, `%p`, `%I`, `%z` and their like, as
//! in `strftime`. Everything is UTC unless the text says its offset.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

use arqon_types::{Type, Value};

use crate::civil;
use crate::eval_error::{EvalCode, Failure};

/// Why a format is none, and which of its bytes are at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormatFault {
    pub(crate) message: String,
    pub(crate) within: Option<Range<usize>>,
}

/// A format has at most this many bytes.
const FORMAT_BYTES_MAX: usize = 256;

/// Whether `format_time` can write a date or timestamp so.
pub(crate) fn check_format(format: &str, of: &Type) -> Result<(), FormatFault> {
    if format.len() > FORMAT_BYTES_MAX {
        let message = format!("a format of times has at most {FORMAT_BYTES_MAX} bytes");
        return Err(FormatFault { message, within: None });
    }
    let sample = sample(of);
    if sample.to_string(format).is_ok() {
        return Ok(());
    }
    let within = directives(format).find(|part| sample.to_string(&format[part.clone()]).is_err());
    let shown = within.clone().map_or(format, |part| &format[part]);
    Err(FormatFault { message: format!("`{shown}` is no part of a {of}"), within })
}

/// Whether `parse_time` can read times of this form.
pub(crate) fn check_parse_format(format: &str) -> Result<(), FormatFault> {
    check_format(format, &Type::Timestamp)?;
    let written = sample(&Type::Timestamp).to_string(format).expect("checked before");
    match parse_time(&written, format) {
        Ok(_) => Ok(()),
        Err(_) => Err(FormatFault {
            message: format!("`{format}` does not say the year, month and day of a time"),
            within: None,
        }),
    }
}

/// A time that has all parts.
fn sample(of: &Type) -> BrokenDownTime {
    let date = Date::constant(2026, 11, 25);
    if *of == Type::Date {
        return BrokenDownTime::from(date);
    }
    let at = date.at(13, 45, 6, 123_456_789).to_zoned(TimeZone::UTC);
    BrokenDownTime::from(at.expect("UTC has no gaps").timestamp())
}

/// The parts of a format that begin with `%`, each up to its letter.
fn directives(format: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + format[at..].find('%')?;
        let rest = &format[start + 1..];
        let end = rest.find(|c: char| c.is_ascii_alphabetic() || c == '%');
        at = end.map_or(format.len(), |end| start + end + 2);
        Some(start..at)
    })
}

/// A date or timestamp as a text.
pub(crate) fn format_time(at: &Value, format: &str) -> Result<String, Failure> {
    let parts = match at {
        Value::Timestamp(nanoseconds) => {
            let at = Timestamp::from_nanosecond(i128::from(*nanoseconds));
            BrokenDownTime::from(at.expect("64 bits of nanoseconds lie within jiff's range"))
        }
        Value::Date(days) => BrokenDownTime::from(date(*days)?),
        other => unreachable!("typing lets no {other:?} be a time"),
    };
    parts.to_string(format).map_err(|_| {
        Failure::argument(format!("`{format}` is no format of times such as \"%Y-%m-%d\""))
    })
}

fn date(days: i32) -> Result<Date, Failure> {
    let civil = civil::from_days(i64::from(days));
    let year = i16::try_from(civil.year).ok();
    let [month, day] = [civil.month, civil.day].map(|part| i8::try_from(part).unwrap_or(0));
    year.and_then(|year| Date::new(year, month, day).ok())
        .ok_or_else(|| Failure::overflow("`format_time` of a year past 9999", Type::Date))
}

/// The nanoseconds since 1970 of a text of this form.
pub(crate) fn parse_time(text: &str, format: &str) -> Result<i64, Failure> {
    let parsed = BrokenDownTime::parse(format, text).and_then(|parts| {
        if parts.offset().is_some() || parts.timestamp().is_some() {
            return parts.to_timestamp();
        }
        Ok(parts.to_datetime()?.to_zoned(TimeZone::UTC)?.timestamp())
    });
    let at = parsed.map_err(|_| {
        Failure::new(EvalCode::Conversion, format!("`{text}` is no time of the form `{format}`"))
    })?;
    i64::try_from(at.as_nanosecond())
        .map_err(|_| Failure::overflow("`parse_time`", Type::Timestamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_checked_when_they_are_known() {
        let stamp = Type::Timestamp;
        for format in ["%Y-%m-%d", "%d %B %Y, %H:%M:%S.%f %z", "%a %j", "plain", "%%"] {
            assert_eq!(check_format(format, &stamp), Ok(()), "{format}");
        }
        let refused = |format: &str, of: &Type| check_format(format, of).unwrap_err();
        assert_eq!(refused("%Y %K", &stamp).within, Some(3..5));
        assert_eq!(refused("%Y %K", &stamp).message, "`%K` is no part of a timestamp");
        assert_eq!(refused("%Y %H", &Type::Date).message, "`%H` is no part of a date");
        assert_eq!(refused("50%", &stamp).within, Some(2..3));
        assert_eq!(check_parse_format("%Y-%m-%d"), Ok(()));
        assert_eq!(check_parse_format("%d.%m.%y %H:%M"), Ok(()));
        assert!(check_parse_format("%H:%M").is_err());
        assert!(check_parse_format("%Y-%m").is_err());
        assert!(check_format(&"%Y".repeat(200), &stamp).is_err());
    }

    #[test]
    fn texts_come_back() {
        let day = 86_400_000_000_000_i64;
        for (text, format, expected) in [
            ("1970-01-02", "%Y-%m-%d", Some(day)),
            ("02.01.1970 12:00", "%d.%m.%Y %H:%M", Some(day * 3 / 2)),
            ("1970-01-02T00:00:00+0100", "%Y-%m-%dT%H:%M:%S%z", Some(day - day / 24)),
            ("1970-02-30", "%Y-%m-%d", None),
            ("1970-01-02 ", "%Y-%m-%d", None),
            ("soon", "%Y-%m-%d", None),
            ("9999-01-02", "%Y-%m-%d", None),
        ] {
            assert_eq!(parse_time(text, format).ok(), expected, "{text} {format}");
        }
        for at in [0, -1, day * 20_000 + 123_456_789, i64::MAX, i64::MIN] {
            let format = "%Y-%m-%d %H:%M:%S.%9f";
            let text = format_time(&Value::Timestamp(at), format).unwrap();
            assert_eq!(parse_time(&text, format), Ok(at), "{text}");
        }
        assert!(format_time(&Value::Date(i32::MAX), "%Y").is_err());
        assert_eq!(format_time(&Value::Date(0), "%d/%m/%Y"), Ok("01/01/1970".to_owned()));
    }
}
