//! Totals of floats, the obvious way: one long integer, and one rounding at the end.

use arqon_types::Float;

/// Bits of a digit.
const DIGIT: u32 = 32;
/// A float is a multiple of 2^-1074; one digit more is there for what a division leaves.
const UNIT: usize = DIGIT as usize;
/// Room for more than 2^60 of the greatest floats.
const N_DIGITS: usize = 70;

/// A sum of floats, each as often as is said.
#[derive(Debug, Clone)]
pub struct FloatTotal {
    /// The finite ones, in multiples of 2^-1106, the least digit first; any digit may be of either
    /// sign and larger than its place.
    digits: [i128; N_DIGITS],
    has_nan: bool,
    has_infinite: bool,
    has_negative_infinite: bool,
}

impl FloatTotal {
    /// The total of `values`, each with its count.
    pub fn of(values: impl Iterator<Item = (Float, i64)>) -> Self {
        let mut total = Self {
            digits: [0; N_DIGITS],
            has_nan: false,
            has_infinite: false,
            has_negative_infinite: false,
        };
        values.for_each(|(value, n)| total.add(value.get(), n));
        total
    }

    fn add(&mut self, number: f64, n: i64) {
        self.has_nan |= number.is_nan();
        self.has_infinite |= number == f64::INFINITY;
        self.has_negative_infinite |= number == f64::NEG_INFINITY;
        if !number.is_finite() {
            return;
        }
        let bits = number.to_bits();
        let exponent = usize::try_from((bits >> 52) & 0x7FF).expect("11 bits");
        let fraction = i128::from(bits & ((1 << 52) - 1));
        let mantissa = if exponent == 0 { fraction } else { fraction | (1 << 52) };
        let signed = if number < 0.0 { -mantissa } else { mantissa };
        let at = exponent.max(1) - 1 + UNIT;
        self.digits[at / UNIT] += (signed * i128::from(n)) << (at % UNIT);
    }

    /// The total divided by `n`, as the nearest float.
    pub fn over(&self, n: i64) -> f64 {
        match (self.has_nan, self.has_infinite, self.has_negative_infinite) {
            (false, false, false) => {}
            (false, true, false) => return f64::INFINITY,
            (false, false, true) => return f64::NEG_INFINITY,
            _ => return f64::NAN,
        }
        let (digits, is_negative) = self.normal();
        let mut rest = 0;
        let mut quotient = [0_u64; N_DIGITS];
        for (at, digit) in digits.iter().enumerate().rev() {
            let part = (rest << DIGIT) | i128::from(*digit);
            quotient[at] = u64::try_from(part / i128::from(n)).expect("a digit");
            rest = part % i128::from(n);
        }
        let magnitude = rounded(&quotient, rest != 0);
        if is_negative { -magnitude } else { magnitude }
    }

    /// The digits of the magnitude, each in its place, and the sign.
    fn normal(&self) -> ([u64; N_DIGITS], bool) {
        let carried = |sign: i128| {
            let mut carry = 0;
            let digits = self.digits.map(|digit| {
                let whole = digit * sign + carry;
                carry = whole.div_euclid(1 << DIGIT);
                u64::try_from(whole.rem_euclid(1 << DIGIT)).expect("a digit")
            });
            (digits, carry)
        };
        let (digits, carry) = carried(1);
        if carry < 0 { (carried(-1).0, true) } else { (digits, false) }
    }
}

/// The nearest float, the even one of two; `has_rest` says that there is something below the digits.
fn rounded(digits: &[u64; N_DIGITS], has_rest: bool) -> f64 {
    let bit = |at: usize| (digits[at / UNIT] >> (at % UNIT)) & 1;
    let Some(highest) = (0..N_DIGITS * UNIT).rev().find(|at| bit(*at) == 1) else {
        return 0.0;
    };
    let lowest = highest.saturating_sub(52).max(UNIT);
    let mantissa = (lowest..=highest).fold(0, |sum, at| sum | (bit(at) << (at - lowest)));
    let below = has_rest || (0..lowest - 1).any(|at| bit(at) == 1);
    let is_up = bit(lowest - 1) == 1 && (below || mantissa % 2 == 1);
    // A carry out of the mantissa is one more in the exponent, as it should be.
    let exponent = u64::try_from(lowest - UNIT).expect("few bits");
    let bits = mantissa + u64::from(is_up) + (exponent << 52);
    f64::from_bits(bits.min(f64::INFINITY.to_bits()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn total(numbers: &[f64]) -> f64 {
        FloatTotal::of(numbers.iter().map(|number| (Float::new(*number), 1))).over(1)
    }

    #[test]
    fn one_float_is_itself_and_two_are_their_sum() {
        let mut random = Random::new(1);
        for _ in 0..2_000 {
            let [a, b] = [f64::from_bits(random.bits()), f64::from_bits(random.bits() >> 12)];
            for number in [a, b, -b, a + b] {
                assert_eq!(Float::new(total(&[number])), Float::new(number), "{number:e}");
            }
            for other in [b, a * 3.0, -a / 5.0, a * 1e10] {
                assert_eq!(
                    Float::new(total(&[a, other])),
                    Float::new(a + other),
                    "{a:e} {other:e}"
                );
            }
        }
    }

    #[test]
    fn a_division_rounds_once() {
        let halves =
            |number: f64, n: i64| FloatTotal::of([(Float::new(number), 1)].into_iter()).over(n);
        let mut random = Random::new(2);
        for _ in 0..2_000 {
            let number = f64::from_bits(random.bits());
            let n = random.between(1, 1_000);
            let wanted = number / f64::from(i32::try_from(n).unwrap());
            assert_eq!(Float::new(halves(number, n)), Float::new(wanted), "{number:e} / {n}");
        }
        assert_eq!(halves(5e-324, 2).to_bits(), 0, "half of the least is even as 0");
        assert_eq!(halves(1.5e-323, 2).to_bits(), 2);
    }

    #[test]
    fn nothing_is_lost_on_the_way() {
        assert_eq!(total(&[1e300, 1.0, -1e300]).to_bits(), 1.0_f64.to_bits());
        assert_eq!(total(&[f64::MAX, f64::MAX, -f64::MAX]).to_bits(), f64::MAX.to_bits());
        assert_eq!(total(&[f64::MAX, f64::MAX]).to_bits(), f64::INFINITY.to_bits());
        assert!(total(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    }
}
