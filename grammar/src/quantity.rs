//! Numbers with units: sizes, rates, cores, energies. Durations are those of expressions.

use crate::ast::Rate;
use crate::expression::without_zeros;

/// Whole numbers: `64`, `1_000`; not `010`, which some readers of YAML take for 8.
pub(crate) fn whole(text: &str) -> Option<u64> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) || without_zeros(text).is_some() {
        return None;
    }
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// Bytes: `512B`, `40MiB`, `2GB`.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    scaled(
        text,
        &[
            ("B", 1),
            ("KB", 1_000),
            ("MB", 1_000_000),
            ("GB", 1_000_000_000),
            ("TB", 1_000_000_000_000),
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
            ("TiB", 1 << 40),
        ],
    )
}

/// A count: `100`, `5k`, `10M`.
pub(crate) fn count(text: &str) -> Option<u64> {
    scaled(text, &[("", 1), ("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)])
}

/// A count per time: `5k/s`, `100/h`.
pub(crate) fn count_rate(text: &str) -> Option<Rate> {
    rate(text, count)
}

/// Bytes per time: `40MiB/s`.
pub(crate) fn byte_rate(text: &str) -> Option<Rate> {
    rate(text, bytes)
}

/// Thousandths of a core: `1` is 1000, `0.5` is 500.
pub(crate) fn cores(text: &str) -> Option<u64> {
    thousandths(text)
}

/// Millijoules: `50J`, `500mJ`, `1.5kJ`.
pub(crate) fn energy(text: &str) -> Option<u64> {
    if let Some(number) = text.strip_suffix("mJ") {
        whole(number)
    } else if let Some(number) = text.strip_suffix("kJ") {
        thousandths(number)?.checked_mul(1_000)
    } else {
        thousandths(text.strip_suffix('J')?)
    }
}

/// A duration whose unit is a word, as the language writes it: `1 day` is `1d`.
pub(crate) fn spelt_duration(text: &str) -> Option<String> {
    let n_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = text.split_at(n_digits);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        unit @ ("ms" | "s" | "m" | "h" | "d") => unit.to_owned(),
        "msec" | "millisecond" | "milliseconds" => "ms".to_owned(),
        "sec" | "secs" | "second" | "seconds" => "s".to_owned(),
        "min" | "mins" | "minute" | "minutes" => "m".to_owned(),
        "hr" | "hrs" | "hour" | "hours" => "h".to_owned(),
        "day" | "days" => "d".to_owned(),
        _ => return None,
    };
    (0 < n_digits).then(|| format!("{digits}{unit}"))
}

/// A size whose unit is spelt otherwise, as the language writes it: `10 mb` is `10MB`.
pub(crate) fn spelt_bytes(text: &str) -> Option<String> {
    let n_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = text.split_at(n_digits);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "b" | "byte" | "bytes" => "B",
        "k" | "kb" | "kilobyte" | "kilobytes" => "KB",
        "mb" | "megabyte" | "megabytes" => "MB",
        "g" | "gb" | "gigabyte" | "gigabytes" => "GB",
        "t" | "tb" | "terabyte" | "terabytes" => "TB",
        "ki" | "kib" => "KiB",
        "mi" | "mib" => "MiB",
        "gi" | "gib" => "GiB",
        "ti" | "tib" => "TiB",
        _ => return None,
    };
    (0 < n_digits).then(|| format!("{digits}{unit}"))
}

fn rate(text: &str, count: impl Fn(&str) -> Option<u64>) -> Option<Rate> {
    let (count_text, unit) = text.split_once('/')?;
    let per_nanos = match unit.trim() {
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    Some(Rate { count: count(count_text.trim())?, per_nanos })
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let n_digits = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'_').count();
    let (digits, unit) = text.split_at(n_digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    whole(digits)?.checked_mul(*factor)
}

/// A number with at most three digits after the point, times 1000.
fn thousandths(text: &str) -> Option<u64> {
    let (integer, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || 3 < fraction.len() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<3}").parse().ok()?;
    whole(integer)?.checked_mul(1_000)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read() {
        assert_eq!(whole("1_000"), Some(1_000));
        assert_eq!(whole("_1"), None);
        assert_eq!(whole("-1"), None);
        assert_eq!(bytes("40MiB"), Some(40 << 20));
        assert_eq!(bytes("40"), None);
        assert_eq!(bytes("99999999TB"), None);
        assert_eq!(spelt_bytes("10 mb").as_deref(), Some("10MB"));
        assert_eq!(spelt_bytes("2gib").as_deref(), Some("2GiB"));
        assert_eq!(spelt_bytes("mb"), None);
        assert_eq!(spelt_bytes("10XB"), None);
        assert_eq!(count_rate("5k/s"), Some(Rate { count: 5_000, per_nanos: 1_000_000_000 }));
        assert_eq!(count_rate("5k/y"), None);
        assert_eq!(byte_rate("1KB/m"), Some(Rate { count: 1_000, per_nanos: 60_000_000_000 }));
        assert_eq!(cores("0.5"), Some(500));
        assert_eq!(energy("50J"), Some(50_000));
        assert_eq!(energy("1.5kJ"), Some(1_500_000));
        assert_eq!(energy("50"), None);
    }
}
