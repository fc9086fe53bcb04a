//! `decimal<S>`: an `i128` count of units of 10^-S. The scale lives in the type, not in the value.

use std::cmp::Ordering;

/// Digits after the point that a decimal type may have.
pub const SCALE_MAX: u8 = 38;

/// Why a text is no decimal of the wanted scale.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecimalError {
    /// No number at all.
    #[error("`{0}` is not a decimal number")]
    NotANumber(String),
    /// More digits after the point than the type holds.
    #[error("`{text}` has {found} digits after the point, the type holds {scale}")]
    TooManyDigits {
        /// What was read.
        text: String,
        /// Significant digits after the point.
        found: usize,
        /// Digits that the type holds.
        scale: u8,
    },
    /// Beyond the range of an `i128` at that scale.
    #[error("`{0}` is out of range")]
    OutOfRange(String),
}

/// 10^`exponent`, none beyond 38.
pub fn pow10(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

/// `units` of scale `from` as units of scale `to`; none on overflow, or if digits would be lost.
pub fn rescale(units: i128, from: u8, to: u8) -> Option<i128> {
    if to >= from {
        units.checked_mul(pow10(u32::from(to - from))?)
    } else {
        let divisor = pow10(u32::from(from - to))?;
        (units % divisor == 0).then(|| units / divisor)
    }
}

/// Orders two decimals of any scales by their values: exact, where [`rescale`] would overflow too.
pub fn compare_decimals((a, a_scale): (i128, u8), (b, b_scale): (i128, u8)) -> Ordering {
    if a_scale > b_scale {
        return compare_decimals((b, b_scale), (a, a_scale)).reverse();
    }
    match rescale(a, a_scale, b_scale) {
        Some(a) => a.cmp(&b),
        // Beyond all that an i128 holds, so its sign decides.
        None => a.cmp(&0),
    }
}

/// Reads `30`, `-0.05`, `1e-3` exactly at `scale`. Trailing zeros beyond the scale are accepted.
///
/// # Errors
/// [`DecimalError`] if it is no number, has digits that the scale cannot hold, or is out of range.
pub fn parse_decimal(text: &str, scale: u8) -> Result<i128, DecimalError> {
    let not_a_number = || DecimalError::NotANumber(text.to_owned());
    let out_of_range = || DecimalError::OutOfRange(text.to_owned());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, exponent.parse::<i32>().map_err(|_| not_a_number())?)
        }
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.as_bytes().first() {
        Some(b'-') => (true, &mantissa[1..]),
        Some(b'+') => (false, &mantissa[1..]),
        _ => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty()
        || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
    {
        return Err(not_a_number());
    }
    // Zeros at the end of a fraction say nothing, however many there are.
    let fraction = fraction.trim_end_matches('0');
    // Downwards, for the least number has no counterpart.
    let mut units: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        units = units
            .checked_mul(10)
            .and_then(|u| u.checked_sub(i128::from(digit - b'0')))
            .ok_or_else(out_of_range)?;
    }
    if !negative {
        units = units.checked_neg().ok_or_else(out_of_range)?;
    }
    if units == 0 {
        return Ok(0);
    }
    // The digits stand for units * 10^(exponent - fraction digits).
    let shift = i64::from(exponent) - i64::try_from(fraction.len()).map_err(|_| out_of_range())?
        + i64::from(scale);
    if shift >= 0 {
        let factor = u32::try_from(shift).ok().and_then(pow10).ok_or_else(out_of_range)?;
        return units.checked_mul(factor).ok_or_else(out_of_range);
    }
    let mut lost = -shift;
    while lost > 0 && units % 10 == 0 {
        units /= 10;
        lost -= 1;
    }
    if lost > 0 {
        let found = usize::from(scale).saturating_add(usize::try_from(lost).unwrap_or(usize::MAX));
        return Err(DecimalError::TooManyDigits { text: text.to_owned(), found, scale });
    }
    Ok(units)
}

/// All digits of the scale, so that equal values have equal texts: `30.00`.
pub fn format_decimal(units: i128, scale: u8) -> String {
    let digits = units.unsigned_abs().to_string();
    let sign = if units < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_exactly_or_refused() {
        assert_eq!(parse_decimal("30", 2), Ok(3000));
        assert_eq!(parse_decimal("-0.05", 2), Ok(-5));
        assert_eq!(parse_decimal("1.5e2", 0), Ok(150));
        assert_eq!(parse_decimal("2.500", 1), Ok(25));
        assert_eq!(parse_decimal(".5", 1), Ok(5));
        assert_eq!(parse_decimal(&format!("1.5{}", "0".repeat(60)), 1), Ok(15));
        let beyond = (i128::MAX.unsigned_abs() + 1).to_string();
        assert!(matches!(parse_decimal(&beyond, 0), Err(DecimalError::OutOfRange(_))));
        assert!(matches!(parse_decimal("2.51", 1), Err(DecimalError::TooManyDigits { .. })));
        assert!(matches!(parse_decimal("1e999", 2), Err(DecimalError::OutOfRange(_))));
        for odd in ["", "-", ".", "1.2.3", "0x1", "1e", "NaN", "١"] {
            assert!(matches!(parse_decimal(odd, 2), Err(DecimalError::NotANumber(_))), "{odd}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for units in [0, 1, -1, 99, -100, 123_456_789, i128::MAX, i128::MIN] {
            for scale in [0, 1, 2, 9, 38] {
                assert_eq!(parse_decimal(&format_decimal(units, scale), scale), Ok(units));
            }
        }
    }

    #[test]
    fn rescaling_loses_nothing() {
        assert_eq!(rescale(150, 2, 3), Some(1500));
        assert_eq!(rescale(150, 2, 1), Some(15));
        assert_eq!(rescale(151, 2, 1), None);
        assert_eq!(rescale(i128::MAX, 0, 1), None);
    }

    #[test]
    fn decimals_compare_where_rescaling_overflows() {
        let huge = (i128::MAX, 0);
        let least = (i128::MIN, 0);
        assert_eq!(compare_decimals((150, 2), (15, 1)), Ordering::Equal);
        assert_eq!(compare_decimals((15, 1), (151, 2)), Ordering::Less);
        assert_eq!(compare_decimals(huge, (i128::MAX, 38)), Ordering::Greater);
        assert_eq!(compare_decimals((i128::MAX, 38), huge), Ordering::Less);
        assert_eq!(compare_decimals(least, (i128::MIN, 1)), Ordering::Less);
        assert_eq!(compare_decimals((0, 0), (0, 38)), Ordering::Equal);
    }
}
