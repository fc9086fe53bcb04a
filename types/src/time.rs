//! Texts of timestamps (UTC nanoseconds), dates (days since 1970-01-01), durations (nanoseconds).

use jiff::Timestamp;
use jiff::civil::Date;

/// Why a text is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// No RFC 3339 timestamp with a zone.
    #[error("`{0}` is not a timestamp; write it as 2026-01-01T00:00:00Z")]
    Timestamp(String),
    /// No ISO date.
    #[error("`{0}` is not a date; write it as 2026-01-31")]
    Date(String),
    /// No duration.
    #[error("`{0}` is not a duration; write it as 250ms, 5m or 1h30m")]
    Duration(String),
    /// Outside what 64 bits of nanoseconds hold (1677 to 2262).
    #[error("`{0}` is out of range")]
    OutOfRange(String),
}

const EPOCH_DATE: Date = Date::constant(1970, 1, 1);

/// The first and last day that have a text: those of the years -9999 and 9999.
pub const DAYS_RANGE: std::ops::RangeInclusive<i64> = -4_371_587..=2_932_896;

const UNITS: [(&str, i64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Nanoseconds since 1970 of an RFC 3339 text with a zone.
///
/// # Errors
/// [`TimeError`] if the text is none, has no zone, or is out of range.
pub fn parse_timestamp(text: &str) -> Result<i64, TimeError> {
    let timestamp: Timestamp = text.parse().map_err(|_| TimeError::Timestamp(text.to_owned()))?;
    i64::try_from(timestamp.as_nanosecond()).map_err(|_| TimeError::OutOfRange(text.to_owned()))
}

/// RFC 3339 in UTC, with as many digits after the second as are needed.
pub fn format_timestamp(nanoseconds: i64) -> String {
    Timestamp::from_nanosecond(i128::from(nanoseconds))
        .expect("64 bits of nanoseconds lie within jiff's range")
        .to_string()
}

/// Days since 1970-01-01 of `2026-01-31`.
///
/// # Errors
/// [`TimeError::Date`] if the text is no such date.
pub fn parse_date(text: &str) -> Result<i32, TimeError> {
    let well_formed = text.len() >= 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let date: Date = well_formed
        .then(|| text.parse().ok())
        .flatten()
        .ok_or_else(|| TimeError::Date(text.to_owned()))?;
    let span = EPOCH_DATE.until(date).map_err(|_| TimeError::OutOfRange(text.to_owned()))?;
    Ok(span.get_days())
}

/// `2026-01-31`. Days outside the years -9999 to 9999 are written as a day number.
pub fn format_date(days: i32) -> String {
    jiff::Span::new()
        .try_days(days)
        .and_then(|span| EPOCH_DATE.checked_add(span))
        .map_or_else(|_| format!("day {days}"), |date| date.to_string())
}

/// Nanoseconds of `1h30m`, `250ms`, `-5s`.
///
/// # Errors
/// [`TimeError`] if a number or a unit is missing, or the sum is out of range.
pub fn parse_duration(text: &str) -> Result<i64, TimeError> {
    let fault = || TimeError::Duration(text.to_owned());
    let out_of_range = || TimeError::OutOfRange(text.to_owned());
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.is_empty() {
        return Err(fault());
    }
    // Downwards, for the least number has no counterpart.
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(fault)?;
        let number: i64 = rest[..digits].parse().map_err(|_| fault())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = &rest[..letters];
        rest = &rest[letters..];
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(fault)?;
        total = number
            .checked_mul(*factor)
            .and_then(|part| total.checked_sub(part))
            .ok_or_else(out_of_range)?;
    }
    if negative { Ok(total) } else { total.checked_neg().ok_or_else(out_of_range) }
}

/// The shortest sum of units: `1h30m`, `0s`.
pub fn format_duration(nanoseconds: i64) -> String {
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    let mut text = if nanoseconds < 0 { "-".to_owned() } else { String::new() };
    let mut rest = nanoseconds.unsigned_abs();
    for (unit, factor) in UNITS {
        let factor = factor.unsigned_abs();
        if rest >= factor {
            text.push_str(&(rest / factor).to_string());
            text.push_str(unit);
            rest %= factor;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_utc_and_shortest() {
        let noon = parse_timestamp("2026-01-01T13:00:00+01:00").unwrap();
        assert_eq!(format_timestamp(noon), "2026-01-01T12:00:00Z");
        let fine = parse_timestamp("1969-12-31T23:59:59.250Z").unwrap();
        assert_eq!(fine, -750_000_000);
        assert_eq!(format_timestamp(fine), "1969-12-31T23:59:59.25Z");
        assert!(parse_timestamp("2026-01-01T13:00:00").is_err());
        assert!(matches!(parse_timestamp("9000-01-01T00:00:00Z"), Err(TimeError::OutOfRange(_))));
        assert_eq!(parse_timestamp(&format_timestamp(i64::MIN)), Ok(i64::MIN));
    }

    #[test]
    fn dates_count_from_1970() {
        assert_eq!(parse_date("1970-01-02"), Ok(1));
        assert_eq!(parse_date("1995-03-15"), Ok(9204));
        assert_eq!(format_date(9204), "1995-03-15");
        assert_eq!(format_date(-1), "1969-12-31");
        for (end, text) in
            [(*DAYS_RANGE.start(), "-009999-01-01"), (*DAYS_RANGE.end(), "9999-12-31")]
        {
            let days = i32::try_from(end).unwrap();
            assert_eq!((format_date(days).as_str(), parse_date(text)), (text, Ok(days)));
        }
        assert!(format_date(2_932_897).starts_with("day"));
        for odd in ["1995-3-15", "1995-02-30", "today", "1995-03-15T00:00:00Z", ""] {
            assert!(parse_date(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn durations_are_sums_of_units() {
        assert_eq!(parse_duration("1h30m"), Ok(5_400_000_000_000));
        assert_eq!(parse_duration("250ms"), Ok(250_000_000));
        assert_eq!(format_duration(5_400_000_000_000), "1h30m");
        assert_eq!(format_duration(-1_000_001), "-1ms1ns");
        for end in [i64::MIN, i64::MAX] {
            assert_eq!(parse_duration(&format_duration(end)), Ok(end));
        }
        for odd in ["", "5", "m", "5x", "-", "5m3"] {
            assert!(parse_duration(odd).is_err(), "{odd}");
        }
    }
}
