//! Numbers of twice the precision, for the few that hang on all others: how alike landmarks are.
//!
//! Sums and products without error are Dekker's and Knuth's (Ogita, Rump and Oishi, *Accurate Sum
//! and Dot Product*, algorithms 3.1 and 3.5).

use crate::vector::ROUNDOFF;

/// `high + low`, where `low` is at most half a unit in the last place of `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Double {
    pub(super) high: f64,
    pub(super) low: f64,
}

impl Double {
    pub(super) const ZERO: Self = Self::of(0.0);

    pub(super) const fn of(high: f64) -> Self {
        Self { high, low: 0.0 }
    }

    /// `a + b`, exactly.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it has to be compiled with its caller's vectors")]
    pub(super) fn sum(a: f64, b: f64) -> Self {
        let high = a + b;
        let part = high - a;
        Self { high, low: (a - (high - part)) + (b - part) }
    }

    /// `a - b`, exactly.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it has to be compiled with its caller's vectors")]
    pub(super) fn difference(a: f64, b: f64) -> Self {
        Self::sum(a, -b)
    }

    /// `a * b`, exactly where its low part is not subnormal.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it has to be compiled with its caller's vectors")]
    pub(super) fn product(a: f64, b: f64) -> Self {
        let high = a * b;
        Self { high, low: a.mul_add(b, -high) }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        let sum = Self::sum(self.high, other.high);
        Self::sum(sum.high, sum.low + (self.low + other.low))
    }

    pub(super) fn times(self, other: Self) -> Self {
        let Self { high, low } = Self::product(self.high, other.high);
        Self::sum(high, low + (self.high * other.low + self.low * other.high))
    }

    pub(super) fn scaled(self, factor: f64) -> Self {
        self.times(Self::of(factor))
    }

    pub(super) fn abs(self) -> Self {
        if self.high < 0.0 { self.scaled(-1.0) } else { self }
    }

    /// `exp` of a number that is not above 0; 0 below -700, and of what is no number.
    ///
    /// Error: a relative [`DOUBLE_ERROR`], of numbers whose low part is not subnormal. The argument
    /// is halved by `ln 2` and divided by 1024, then Taylor's series.
    pub(super) fn exp(self) -> Self {
        if self.high.is_nan() || self.high < EXP_MIN {
            return Self::ZERO;
        }
        let shifted = self.high.mul_add(std::f64::consts::LOG2_E, TO_WHOLE);
        let whole = shifted - TO_WHOLE;
        let small = self.plus(LN_2.scaled(-whole)).scaled(1.0 / 1024.0);
        let (mut power, mut sum) = (Self::of(1.0), Self::of(1.0));
        for inverse in FACTORIALS {
            power = power.times(small);
            sum = sum.plus(power.times(inverse));
        }
        let root = (0..10).fold(sum, |x, _| x.times(x));
        root.scaled(f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52)))
    }
}

const EXP_MIN: f64 = -700.0;

/// Added, it rounds to the nearest whole number, which then stands in the low bits.
const TO_WHOLE: f64 = 6_755_399_441_055_744.0;

/// More than what a sum in two parts is rounded by for each number that is added.
pub(super) const TWICE: f64 = 8.0 * ROUNDOFF * ROUNDOFF;

/// Above the relative error of [`Double::exp`]: 1,024 times some units of `2^-104`.
pub(super) const DOUBLE_ERROR: f64 = 1e-26;

const LN_2: Double = Double { high: std::f64::consts::LN_2, low: 2.319_046_813_846_299_6e-17 };

/// `1 / n!` from 1 to 9. What is left out is `(0.35 / 1024)^10 / 10!`.
const FACTORIALS: [Double; 9] = [
    Double::of(1.0),
    Double::of(0.5),
    Double { high: 1.666_666_666_666_666_6e-1, low: 9.251_858_538_542_97e-18 },
    Double { high: 4.166_666_666_666_666_4e-2, low: 2.312_964_634_635_742_7e-18 },
    Double { high: 8.333_333_333_333_333e-3, low: 1.156_482_317_317_871_4e-19 },
    Double { high: 1.388_888_888_888_889e-3, low: -5.300_543_954_373_577e-20 },
    Double { high: 1.984_126_984_126_984e-4, low: 1.720_955_829_342_070_5e-22 },
    Double { high: 2.480_158_730_158_73e-5, low: 2.151_194_786_677_588_2e-23 },
    Double { high: 2.755_731_922_398_589_3e-6, low: -1.858_393_274_046_472e-22 },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::{self, EXP_SUM_ERROR};

    #[test]
    fn exp_of_twice_the_precision_is_a_power_of_e() {
        // 1 / e, and e^-0.5 by its square.
        let inverse = Double::of(-1.0).exp();
        let wanted = Double { high: 0.367_879_441_171_442_33, low: -1.242_875_367_278_836_4e-17 };
        let off = inverse.plus(wanted.scaled(-1.0));
        assert!(off.high.abs() < 1e-28, "{off:?}");
        for at in 1..600 {
            let exponent = Double::difference(0.0, f64::from(at) * 0.999_7);
            let half = exponent.scaled(0.5).exp();
            let (off, whole) = (half.times(half), exponent.exp());
            let off = off.plus(whole.scaled(-1.0)).high / whole.high;
            assert!(off.abs() < DOUBLE_ERROR, "{at}: {off:e}");
        }
        assert_eq!(Double::ZERO.exp(), Double::of(1.0));
    }

    #[test]
    fn exp_of_numbers_keeps_its_error_against_twice_the_precision() {
        let arguments: Vec<f64> = (0..400_000).map(|at| -f64::from(at) * 1.73e-3).collect();
        let rests: Vec<f64> = arguments.iter().map(|x| x * 0.7 * ROUNDOFF).collect();
        let mut values = arguments.clone();
        vector::exp_sums(&mut values, &rests);
        let mut most = 0.0_f64;
        for ((argument, rest), value) in arguments.iter().zip(rests).zip(values) {
            let wanted = Double { high: *argument, low: rest }.exp();
            let off = Double::difference(value, wanted.high).plus(Double::of(-wanted.low));
            most = most.max(off.high.abs() / wanted.high);
        }
        assert!(most <= EXP_SUM_ERROR, "{:.3} units", most / ROUNDOFF);
        let mut ends = [f64::NEG_INFINITY, -0.0];
        vector::exp_sums(&mut ends, &[f64::NAN, 0.0]);
        assert!(0.0 < ends[0] && ends[0] < vector::TINY);
        assert_eq!(ends[1].to_bits(), 1.0_f64.to_bits());
    }
}
