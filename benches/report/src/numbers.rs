//! What is said of many numbers.

/// The middle of `numbers`, of an even count the upper one; NaN of none.
pub fn median(numbers: &[f64]) -> f64 {
    percentile(numbers, 50)
}

/// What `percent` of `numbers` do not pass; NaN of none.
pub fn percentile(numbers: &[f64], percent: usize) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

/// The sum by the count; NaN of none.
#[expect(clippy::cast_precision_loss, reason = "a small count")]
pub fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// The middle of ratios, with the least and the greatest if there are others.
pub fn spread(ratios: &[f64]) -> String {
    spread_in("", ratios)
}

/// The same with a unit behind the middle.
pub(crate) fn spread_in(unit: &str, numbers: &[f64]) -> String {
    let middle = shown(median(numbers));
    let (least, greatest) = range(numbers);
    if numbers.len() < 2 {
        return format!("{middle}{unit}");
    }
    format!("{middle}{unit} ({} to {})", shown(least), shown(greatest))
}

/// The least and the greatest.
pub fn range(numbers: &[f64]) -> (f64, f64) {
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    (least, numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

/// With three digits that count, or all of those before the point.
pub fn shown(number: f64) -> String {
    let n_decimals = match number.abs() {
        0.0 => 0,
        size if size < 0.1 => 3,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    format!("{number:.n_decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_count_is_the_upper_one() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]).to_string(), "3");
        assert_eq!(median(&[2.0, 1.0, 9.0]).to_string(), "2");
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_percentile_is_one_of_the_numbers() {
        let numbers: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&numbers, 99).to_string(), "199");
        assert_eq!(percentile(&[5.0], 99).to_string(), "5");
    }

    #[test]
    fn ratios_are_shown_with_the_digits_that_count() {
        assert_eq!(spread(&[0.0312, 0.9, 0.5]), "0.50 (0.031 to 0.90)");
        assert_eq!(spread(&[12.34]), "12.3");
        assert_eq!(spread(&[0.0]), "0");
        assert_eq!(spread(&[1234.5, 99.96]), "1234 (100.0 to 1234)");
    }
}
