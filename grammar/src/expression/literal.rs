//! Literals: numbers, durations, dates and times, strings.

use std::ops::Range;

use crate::expr::Literal;

/// The value of digits and underscores; none past 38 digits.
pub(super) fn integer(text: &str) -> Option<i128> {
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    let value: i128 = digits.parse().ok()?;
    (value < 10_i128.pow(38)).then_some(value)
}

/// What a whole number means that is written with zeros before it, as eights are in C and YAML
/// 1.1; none of any other text.
pub fn without_zeros(text: &str) -> Option<&str> {
    let is_whole = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    if !is_whole || text.len() < 2 || !text.starts_with('0') {
        return None;
    }
    Some(match text.trim_start_matches(['0', '_']) {
        "" => "0",
        number => number,
    })
}

/// Why such a number is refused.
pub const ZERO_HELP: &str =
    "numbers are decimal, and other readers of YAML take zeros before one for base 8";

/// Nanoseconds of `1h30m`; none when the text is no duration or too long a one.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let n_digits = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'_').count();
        let digits: String = rest[..n_digits].chars().filter(|c| *c != '_').collect();
        let count: i64 = digits.parse().ok()?;
        rest = &rest[n_digits..];
        let (unit, nanos) = DURATION_UNITS.iter().find(|(unit, _)| {
            rest.starts_with(unit)
                && !rest[unit.len()..].starts_with(|c: char| c.is_ascii_alphabetic())
        })?;
        rest = &rest[unit.len()..];
        total = total.checked_add(count.checked_mul(*nanos)?)?;
    }
    (!text.is_empty()).then_some(total)
}

/// Units of durations in nanoseconds.
pub(crate) const DURATION_UNITS: [(&str, i64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Whether `text` is a date of the calendar: `1995-03-15`.
pub(super) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let (Some(year), Some(month), Some(day)) =
        (digits(&text[..4]), digits(&text[5..7]), digits(&text[8..]))
    else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return false,
    };
    1 <= day && day <= last
}

/// Whether `text` is a time with its zone: `2026-01-01T00:00:00.5Z`, `…+01:00` (RFC 3339).
pub(super) fn is_time(text: &str) -> bool {
    let Some((date, rest)) = text.split_once('T') else { return false };
    let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    let zone_fits = match zone.strip_prefix(['+', '-']) {
        Some(offset) => is_clock(offset, &[24, 60]),
        None => zone == "Z",
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let fraction_fits =
        (1..=9).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
    is_date(date) && is_clock(clock, &[24, 60, 60]) && fraction_fits && zone_fits
}

/// Two-digit parts between colons, each below its limit.
fn is_clock(text: &str, limits: &[u32]) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    parts.len() == limits.len()
        && parts.iter().zip(limits).all(|(part, limit)| {
            part.len() == 2 && digits(part).is_some_and(|value| value < *limit)
        })
}

fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A string's text without its quotes, escapes resolved. `scan` has checked the escapes.
pub(super) fn unescape(quoted: &str) -> String {
    let inner = &quoted[1..quoted.len() - 1];
    if !inner.contains('\\') {
        return inner.to_owned();
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        match escape(&rest[at..]) {
            Some((character, len)) => {
                out.push(character);
                rest = &rest[at + len..];
            }
            None => rest = &rest[at + 1..],
        }
    }
    out.push_str(rest);
    out
}

/// Where bytes of a text's value stand in the text as it is written, quotes included; none where
/// it is written otherwise, as behind an escape of YAML.
pub fn bytes_of_text(written: &str, value: &str, part: Range<usize>) -> Option<Range<usize>> {
    if !written.starts_with('"') || !written.ends_with('"') || written.len() < 2 {
        return None;
    }
    if unescape(written) != value {
        return None;
    }
    let mut places = Vec::with_capacity(value.len() + 1);
    let mut at = 1;
    for character in value.chars() {
        places.extend(std::iter::repeat_n(at, character.len_utf8()));
        at += match escape(&written[at..]) {
            Some((_, len)) if written[at..].starts_with('\\') => len,
            _ => character.len_utf8(),
        };
    }
    places.push(at);
    Some(*places.get(part.start)?..*places.get(part.end)?)
}

/// The character of an escape at the beginning of `text`, and the escape's length.
pub(super) fn escape(text: &str) -> Option<(char, usize)> {
    let simple = match text.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let rest = text[2..].strip_prefix('{')?;
            let len = rest.find('}').filter(|len| (1..=6).contains(len))?;
            let number = u32::from_str_radix(&rest[..len], 16).ok()?;
            return Some((char::from_u32(number)?, len + 4));
        }
        _ => return None,
    };
    Some((simple, 2))
}

/// The literal with its sign turned; none for what has no sign.
pub(super) fn negate(literal: Literal) -> Option<Literal> {
    match literal {
        Literal::Integer(value) => Some(Literal::Integer(-value)),
        Literal::Number(digits) => Some(Literal::Number(format!("-{digits}"))),
        Literal::Duration(nanos) => Some(Literal::Duration(-nanos)),
        Literal::String(_)
        | Literal::Bool(_)
        | Literal::None
        | Literal::Date(_)
        | Literal::Time(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_add_their_parts() {
        assert_eq!(duration("1h30m"), Some(5_400_000_000_000));
        assert_eq!(duration("500ms"), Some(500_000_000));
        assert_eq!(duration("1d"), Some(86_400_000_000_000));
        assert_eq!(duration("5min"), None);
        assert_eq!(duration("5"), None);
        assert_eq!(duration(""), None);
        assert_eq!(duration("200000d"), None);
    }

    #[test]
    fn dates_and_times_are_of_the_calendar() {
        assert!(is_date("2024-02-29") && is_date("2000-02-29"));
        assert!(!is_date("2023-02-29") && !is_date("1900-02-29") && !is_date("2023-13-01"));
        assert!(!is_date("23-01-01") && !is_date("2023-1-01") && !is_date("2023-01-00"));
        assert!(is_time("2026-01-01T00:00:00Z") && is_time("2026-01-01T23:59:59.123456789+01:00"));
        assert!(!is_time("2026-01-01T00:00:00") && !is_time("2026-01-01 00:00:00Z"));
        assert!(!is_time("2026-01-01T24:00:00Z") && !is_time("2026-01-01T00:00:00.Z"));
    }

    #[test]
    fn a_part_of_a_text_has_its_place() {
        let written = r#""a\\(\u{e9}é)""#;
        let value = "a\\(éé)";
        let part = |start, end| bytes_of_text(written, value, start..end).map(|it| &written[it]);
        assert_eq!(part(2, 3), Some("("));
        assert_eq!(part(1, 2), Some("\\\\"));
        assert_eq!(part(3, 5), Some("\\u{e9}"));
        assert_eq!(part(7, 8), Some(")"));
        assert_eq!(part(8, 8), Some(""));
        assert_eq!(part(8, 9), None);
        assert_eq!(bytes_of_text("\\\"a\\\"", "a", 0..1), None);
        assert_eq!(bytes_of_text("pattern", "a(", 1..2), None);
    }

    #[test]
    fn escapes_are_resolved() {
        assert_eq!(unescape(r#""a\"b\\c\n\u{e9}""#), "a\"b\\c\né");
        assert_eq!(escape(r"\q"), None);
        assert_eq!(escape(r"\u{d800}"), None);
        assert_eq!(escape(r"\u{é}"), None);
    }
}
