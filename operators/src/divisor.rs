//! Division of many numbers by one, which multiplies: a processor divides several times as slowly.

/// A number that others are divided by.
///
/// It is multiplied with its reciprocal, rounded up to 64 significant bits (Granlund and
/// Montgomery, 1994). With magnitude d, 2^s < d <= 2^(s+1) and the reciprocal (2^(64+s) + e) / d,
/// e is less than d: of a number n up to 2^63 the product is n/d and less than 1/d more, which
/// never carries the fraction of n/d up to the next whole number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Divisor {
    value: i64,
    /// 2^(64 + shift) by its magnitude, rounded up.
    reciprocal: u64,
    shift: u32,
}

impl Divisor {
    /// None for 0, 1 and -1: they have no reciprocal of this kind, and some their own failures.
    pub(crate) fn new(value: i64) -> Option<Self> {
        let magnitude = value.unsigned_abs();
        if magnitude < 2 {
            return None;
        }
        let shift = (magnitude - 1).ilog2();
        let reciprocal = (1_u128 << (64 + shift)).div_ceil(magnitude.into());
        let reciprocal = u64::try_from(reciprocal).expect("the magnitude is above 2^shift");
        Some(Self { value, reciprocal, shift })
    }

    /// The quotient, truncated.
    #[inline]
    pub(crate) fn quotient(self, number: i64) -> i64 {
        let product = u128::from(number.unsigned_abs()) * u128::from(self.reciprocal);
        let high = u64::try_from(product >> 64).expect("the upper half of 128 bits");
        let magnitude = (high >> self.shift).cast_signed();
        // All ones where the signs differ: then this negates, without a branch.
        let sign = (number ^ self.value) >> (i64::BITS - 1);
        (magnitude ^ sign) - sign
    }

    /// What the quotient leaves, with the sign of the number.
    #[inline]
    pub(crate) fn remainder(self, number: i64) -> i64 {
        number - self.quotient(number) * self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn holds(number: i64, value: i64) {
        let divisor = Divisor::new(value).unwrap();
        assert_eq!(divisor.quotient(number), number / value, "{number} / {value}");
        assert_eq!(divisor.remainder(number), number % value, "{number} % {value}");
    }

    #[test]
    fn powers_of_two_and_their_neighbours_divide_each_other() {
        let powers = (0..=63).map(|at| i64::MIN >> at);
        let all: Vec<i64> = powers
            .flat_map(|power| [power, power.wrapping_neg()])
            .flat_map(|power| [power.wrapping_sub(1), power, power.wrapping_add(1)])
            .collect();
        for value in all.iter().copied().filter(|value| !(-1..=1).contains(value)) {
            for number in &all {
                // Where a quotient goes up by one, and one before.
                let multiple = number / value * value;
                let beside = [multiple.wrapping_sub(1), multiple, multiple.wrapping_add(1)];
                for number in beside.iter().chain([number]) {
                    holds(*number, value);
                }
            }
        }
    }

    #[test]
    fn small_numbers_divide_each_other() {
        for value in (-300..-1).chain(2..300) {
            (-2_000..2_000).for_each(|number| holds(number, value));
        }
    }

    #[test]
    fn nothing_is_divided_by_what_may_fail() {
        assert!([0, 1, -1].into_iter().all(|value| Divisor::new(value).is_none()));
    }

    proptest! {
        #[test]
        fn any_number_divides_any_other(
            number: i64,
            value in any::<i64>().prop_filter("no reciprocal", |value| !(-1..=1).contains(value)),
            n_lost in 0_u32..63,
        ) {
            holds(number, value);
            let smaller = value >> n_lost;
            if !(-1..=1).contains(&smaller) {
                holds(number, smaller);
            }
        }
    }
}
