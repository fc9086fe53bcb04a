//! Loops over numbers in the widest vectors that the machine has, found at run time.
//!
//! Each loop is plain code that the compiler turns into vectors once per instruction set; the
//! sums in it run over eight lanes, so that their order is the same on every one.

use pulp::{Arch, Simd, WithSimd};

/// The unit roundoff of `f64`.
pub(crate) const ROUNDOFF: f64 = f64::EPSILON / 2.0;

/// Arguments of [`exp`] below this give its value here: what is lost is at most [`TINY`].
const EXP_MIN: f64 = -700.0;

/// More than `exp` at [`EXP_MIN`].
pub(crate) const TINY: f64 = 1e-303;

/// Relative error of [`exp_sums`]: of values from 1 on a unit for the last rounding, of those from
/// 0.7 to 1 half of one, relative to them, and 0.3 of one for the terms before.
pub(crate) const EXP_SUM_ERROR: f64 = 1.25 * ROUNDOFF;

/// Relative error of [`exp`], and absolute error of [`sin_cos`] beyond that of its argument.
pub(crate) const FUNCTION_ERROR: f64 = 4.0 * ROUNDOFF;

/// `1 / n!`, from 13 down.
const EXP_SERIES: [f64; 14] = [
    1.605_904_383_682_161_5e-10,
    2.087_675_698_786_81e-9,
    2.505_210_838_544_172e-8,
    2.755_731_922_398_589e-7,
    2.755_731_922_398_589e-6,
    2.480_158_730_158_73e-5,
    1.984_126_984_126_984e-4,
    1.388_888_888_888_889e-3,
    8.333_333_333_333_333e-3,
    4.166_666_666_666_666_4e-2,
    1.666_666_666_666_666_6e-1,
    0.5,
    1.0,
    1.0,
];

/// Added and taken away again, it rounds to the nearest whole number, which then stands in the
/// low bits.
const TO_WHOLE: f64 = 6_755_399_441_055_744.0;

/// `ln 2` in two parts, the first with zeros at its end.
const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];

/// `pi / 2` in three parts.
const HALF_PI: [f64; 3] =
    [std::f64::consts::FRAC_PI_2, 6.123_233_995_736_766e-17, -1.497_384_904_859_169_8e-33];

/// Runs a loop that is compiled for the widest vectors of the machine.
pub(crate) fn wide<R>(work: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(Wide(work))
}

/// A closure by itself would be called, and not compiled, for the vectors that it is called with.
struct Wide<F>(F);

impl<R, F: FnOnce() -> R> WithSimd for Wide<F> {
    type Output = R;

    #[expect(clippy::inline_always, reason = "else it is no part of what is compiled for them")]
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> R {
        (self.0)()
    }
}

/// Asks for memory that will be read soon, where the machine can be asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead {
    #[cfg(target_arch = "x86_64")]
    vectors: Option<pulp::x86::V3>,
}

impl Ahead {
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            vectors: pulp::x86::V3::try_new(),
        }
    }

    /// The lines of these numbers come nearer. The last may be missing where they begin within one.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "part of inner loops")]
    pub(crate) fn fetch<T>(self, numbers: &[T]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(vectors) = self.vectors {
            for line in numbers.chunks(LINE_BYTES / size_of::<T>()) {
                vectors
                    .sse
                    ._mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.as_ptr().cast());
            }
        }
    }
}

/// Bytes that come from memory together.
const LINE_BYTES: usize = 64;

/// `exp(x)` for each number; below -700 its value there. Arguments are below 700.
///
/// Error: a relative `4u`. The argument is halved by `ln 2` (Cody and Waite), then Taylor's series.
pub(crate) fn exp(numbers: &mut [f64]) {
    wide(
        #[inline(always)]
        || {
            for number in numbers {
                *number = exp_of(*number);
            }
        },
    );
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it has to be compiled with its caller's vectors")]
fn exp_of(number: f64) -> f64 {
    let number = number.max(EXP_MIN);
    let shifted = number.mul_add(std::f64::consts::LOG2_E, TO_WHOLE);
    let whole = shifted - TO_WHOLE;
    let rest = whole.mul_add(-LN_2[1], whole.mul_add(-LN_2[0], number));
    let series = EXP_SERIES.iter().fold(0.0_f64, |sum, term| sum.mul_add(rest, *term));
    series * f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52))
}

/// `exp` of sums of two numbers each, of which the second is small beside the first, in the place
/// of the first; below -700 its value there. Sums are below 700.
///
/// Error: a relative [`EXP_SUM_ERROR`], since what the first terms of the series and the reduction
/// are rounded by is added to the rest of it, which is less than a fourteenth.
pub(crate) fn exp_sums(high: &mut [f64], low: &[f64]) {
    wide(
        #[inline(always)]
        || {
            for (high, low) in high.iter_mut().zip(low) {
                *high = exp_of_sum(*high, *low);
            }
        },
    );
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it has to be compiled with its caller's vectors")]
fn exp_of_sum(high: f64, low: f64) -> f64 {
    let low = if high > EXP_MIN { low } else { 0.0 };
    let high = high.max(EXP_MIN);
    let shifted = high.mul_add(std::f64::consts::LOG2_E, TO_WHOLE);
    let whole = shifted - TO_WHOLE;
    let (most, little) = (whole.mul_add(-LN_2[0], high), whole * LN_2[1]);
    let rest = most - little;
    let lost = ((most - rest) - little) + low;
    let (series, _) = EXP_SERIES.split_at(12);
    let tail = series.iter().fold(0.0_f64, |sum, term| sum.mul_add(rest, *term));
    let tail = (rest * rest) * tail;
    let first = 1.0 + rest;
    let first_lost = rest - (first - 1.0);
    let value = first + (first_lost + (first + tail).mul_add(lost, tail));
    value * f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52))
}

/// Cosines of the angles into `cos`, and their sines in the place of the angles.
///
/// Error: an absolute `4u` for angles below `2^50`, if they are taken as exact.
pub(crate) fn sin_cos(angles: &mut [f64], cos: &mut [f64]) {
    assert_eq!(angles.len(), cos.len());
    wide(
        #[inline(always)]
        || {
            for (angle, cos) in angles.iter_mut().zip(cos) {
                let shifted = angle.mul_add(std::f64::consts::FRAC_2_PI, TO_WHOLE);
                let whole = shifted - TO_WHOLE;
                let rest = HALF_PI.iter().fold(*angle, |rest, part| whole.mul_add(-part, rest));
                let quarter = shifted.to_bits();
                let (sin_rest, cos_rest) = sin_cos_of(rest);
                let is_odd = quarter & 1 == 1;
                let (s, c) = if is_odd { (cos_rest, sin_rest) } else { (sin_rest, cos_rest) };
                let sin_sign = (quarter & 2) << 62;
                let cos_sign = (quarter.wrapping_add(1) & 2) << 62;
                *angle = f64::from_bits(s.to_bits() ^ sin_sign);
                *cos = f64::from_bits(c.to_bits() ^ cos_sign);
            }
        },
    );
}

/// Taylor's series up to the 17th power, for angles up to a quarter of `pi`.
#[inline(always)]
fn sin_cos_of(angle: f64) -> (f64, f64) {
    const SIN: [f64; 8] = [
        -7.647_163_731_819_816e-13,
        1.605_904_383_682_161_5e-10,
        -2.505_210_838_544_172e-8,
        2.755_731_922_398_589_3e-6,
        -1.984_126_984_126_984e-4,
        8.333_333_333_333_333e-3,
        -1.666_666_666_666_666_6e-1,
        0.0,
    ];
    const COS: [f64; 9] = [
        4.779_477_332_387_385e-14,
        -1.147_074_559_772_972_5e-11,
        2.087_675_698_786_81e-9,
        -2.755_731_922_398_589e-7,
        2.480_158_730_158_73e-5,
        -1.388_888_888_888_889e-3,
        4.166_666_666_666_666_4e-2,
        -0.5,
        0.0,
    ];
    let square = angle * angle;
    let sin = SIN.iter().fold(0.0_f64, |sum, term| sum.mul_add(square, *term));
    let cos = COS.iter().fold(0.0_f64, |sum, term| sum.mul_add(square, *term));
    (sin.mul_add(angle, angle), cos + 1.0)
}

/// Takes this from each number.
pub(crate) fn shift(numbers: &mut [f64], by: f64) {
    wide(
        #[inline(always)]
        || {
            for number in numbers {
                *number -= by;
            }
        },
    );
}

/// Takes each number times this.
pub(crate) fn scale(numbers: &mut [f64], factor: f64) {
    wide(
        #[inline(always)]
        || {
            for number in numbers {
                *number *= factor;
            }
        },
    );
}

/// Adds `factor * |row|` to `sums`, entry by entry.
pub(crate) fn add_magnitudes(sums: &mut [f64], row: &[f64], factor: f64) {
    wide(
        #[inline(always)]
        || {
            for (sum, number) in sums.iter_mut().zip(row) {
                *sum = number.abs().mul_add(factor, *sum);
            }
        },
    );
}

/// The sum of products, added up in order.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The sum of `|a_i| b_i`.
pub(crate) fn magnitude_dot(a: &[f64], b: &[f64]) -> f64 {
    wide(
        #[inline(always)]
        || {
            let mut lanes = [0.0_f64; 8];
            // Arrays of a known length are one vector each.
            let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
            for (a, b) in a.iter().zip(b) {
                for at in 0..8 {
                    lanes[at] = a[at].abs().mul_add(b[at], lanes[at]);
                }
            }
            let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a.abs() * b).sum();
            lanes.iter().sum::<f64>() + rest
        },
    )
}

/// Adds `other` to `sums`, entry by entry.
pub(crate) fn add(sums: &mut [f64], other: &[f64]) {
    wide(
        #[inline(always)]
        || {
            for (sum, number) in sums.iter_mut().zip(other) {
                *sum += number;
            }
        },
    );
}

/// The largest number.
pub(crate) fn largest(numbers: &[f64]) -> f64 {
    wide(
        #[inline(always)]
        || {
            let mut lanes = [f64::NEG_INFINITY; 8];
            let (chunks, rest) = numbers.as_chunks::<8>();
            for chunk in chunks {
                for at in 0..8 {
                    lanes[at] = if chunk[at] > lanes[at] { chunk[at] } else { lanes[at] };
                }
            }
            lanes.iter().chain(rest).fold(f64::NEG_INFINITY, |most, number| most.max(*number))
        },
    )
}

/// `gamma_n` of Higham, *Accuracy and Stability of Numerical Algorithms*, section 3.1: the
/// relative error of a sum of n products, against the sum of their magnitudes.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(crate) fn gamma(n_terms: usize) -> f64 {
    let n = (n_terms + 1) as f64 * ROUNDOFF;
    n / (1.0 - n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_keeps_its_error() {
        let arguments: Vec<f64> =
            (-699_000..699_000).map(|at| f64::from(at) * 1e-3 + 1e-7).collect();
        let mut values = arguments.clone();
        exp(&mut values);
        for (argument, value) in arguments.iter().zip(&values) {
            let wanted = argument.exp();
            assert!((value - wanted).abs() <= FUNCTION_ERROR * wanted, "{argument}");
        }
        let mut ends = [-1e300, 0.0, -0.0];
        exp(&mut ends);
        assert!(ends[0] > 0.0 && ends[0] < TINY);
        assert_eq!(&ends[1..], &[1.0, 1.0]);
    }

    #[test]
    fn sin_cos_keep_their_error() {
        for scale in [1e-9, 1e-3, 0.1, 1.0, 1e3, 1e9] {
            let angles: Vec<f64> = (-20_000..20_000).map(|at| f64::from(at) * scale).collect();
            let (mut sin, mut cos) = (angles.clone(), vec![0.0; angles.len()]);
            sin_cos(&mut sin, &mut cos);
            for (at, angle) in angles.iter().enumerate() {
                assert!((sin[at] - angle.sin()).abs() <= FUNCTION_ERROR, "sin {angle}");
                assert!((cos[at] - angle.cos()).abs() <= FUNCTION_ERROR, "cos {angle}");
            }
        }
    }
}
