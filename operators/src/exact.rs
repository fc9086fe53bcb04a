//! Exact sums: integers of any length times a power of two, rounded to a float once at the end.
//!
//! A finite `float64` is an integer times a power of two, so a sum that keeps every bit does not
//! depend on the order of its terms, and what is added and then taken away leaves nothing behind.
//! Most groups have terms of like size, and then two or three words hold the sum.

use smallvec::SmallVec;

/// Sum of `magnitude * 2^exponent`, kept as two's complement words of 64 bits.
///
/// Word `i` counts multiples of `2^(64 * (base + i))`. The last word is a guard that only takes
/// carries, so that 2^63 terms are needed to overflow it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ExactSum {
    words: SmallVec<[u64; 3]>,
    base: i16,
}

/// Above this many words a sum is trimmed after each change.
const WORDS_KEPT: usize = 6;

impl ExactSum {
    /// Adds `diff * number`, a finite float.
    #[inline]
    pub(crate) fn add_float(&mut self, number: f64, diff: i64) {
        let (magnitude, exponent, negative) = parts(number);
        self.add(u128::from(magnitude), exponent, diff.unsigned_abs(), negative != (diff < 0));
    }

    /// Adds `diff * number^2`, a finite float.
    pub(crate) fn add_float_square(&mut self, number: f64, diff: i64) {
        let (magnitude, exponent, _) = parts(number);
        let magnitude = u128::from(magnitude);
        self.add(magnitude * magnitude, 2 * exponent, diff.unsigned_abs(), diff < 0);
    }

    /// Adds `diff * number`.
    pub(crate) fn add_int(&mut self, number: i128, diff: i64) {
        self.add(number.unsigned_abs(), 0, diff.unsigned_abs(), (number < 0) != (diff < 0));
    }

    /// Adds `diff * number^2`.
    pub(crate) fn add_int_square(&mut self, number: i128, diff: i64) {
        let magnitude = number.unsigned_abs();
        let (high, low) = (magnitude >> 64, magnitude & u128::from(u64::MAX));
        let (times, negative) = (diff.unsigned_abs(), diff < 0);
        self.add(low * low, 0, times, negative);
        self.add(high * low, 65, times, negative);
        self.add(high * high, 128, times, negative);
    }

    /// Adds another sum.
    pub(crate) fn merge(&mut self, other: &Self) {
        let (words, negative) = other.magnitude();
        for (idx, word) in words.iter().enumerate() {
            let idx = i32::try_from(idx).expect("a sum has few words");
            self.add(u128::from(*word), 64 * (i32::from(other.base) + idx), 1, negative);
        }
    }

    /// Adds or takes away `magnitude * times * 2^exponent`.
    #[inline]
    fn add(&mut self, magnitude: u128, exponent: i32, times: u64, negative: bool) {
        if magnitude == 0 || times == 0 {
            return;
        }
        let low = (magnitude & u128::from(u64::MAX)) * u128::from(times);
        let high = (magnitude >> 64) * u128::from(times) + (low >> 64);
        let product = [word(low), word(high), word(high >> 64)];
        let shift = exponent.rem_euclid(64).unsigned_abs();
        let mut term = [0; 4];
        for (idx, part) in product.into_iter().enumerate() {
            let shifted = u128::from(part) << shift;
            term[idx] |= word(shifted);
            term[idx + 1] |= word(shifted >> 64);
        }
        let used = 4 - term.iter().rev().take_while(|word| **word == 0).count();
        let at = i16::try_from(exponent.div_euclid(64)).expect("exponents are small");
        let start = self.make_room(at, used);
        let mut carry = false;
        for (idx, word) in self.words[start..].iter_mut().enumerate() {
            let part = if idx < used { term[idx] } else { 0 };
            if idx >= used && !carry {
                break;
            }
            let (partial, first, second);
            if negative {
                (partial, first) = word.overflowing_sub(part);
                (*word, second) = partial.overflowing_sub(u64::from(carry));
            } else {
                (partial, first) = word.overflowing_add(part);
                (*word, second) = partial.overflowing_add(u64::from(carry));
            }
            carry = first || second;
        }
        if self.words.len() > WORDS_KEPT {
            self.trim();
        }
    }

    /// Makes the words reach from `at` over `used` words and a guard; returns where `at` stands.
    #[inline]
    fn make_room(&mut self, at: i16, used: usize) -> usize {
        if self.words.is_empty() {
            self.base = at;
        }
        if at < self.base {
            let n_missing = usize::from((self.base - at).unsigned_abs());
            self.words.insert_many(0, std::iter::repeat_n(0, n_missing));
            self.base = at;
        }
        let start = usize::from((at - self.base).unsigned_abs());
        if self.words.len() < start + used + 1 {
            let sign = self.sign_word();
            self.words.resize(start + used + 1, sign);
        }
        start
    }

    fn sign_word(&self) -> u64 {
        match self.words.last() {
            Some(last) if *last >> 63 == 1 => u64::MAX,
            _ => 0,
        }
    }

    /// Drops words that say nothing: zeros below, copies of the sign above.
    fn trim(&mut self) {
        let sign = self.sign_word();
        while self.words.len() > 1
            && self.words[self.words.len() - 1] == sign
            && self.words[self.words.len() - 2] >> 63 == sign >> 63
        {
            self.words.pop();
        }
        let n_zeros = self.words.iter().take_while(|word| **word == 0).count();
        if n_zeros == self.words.len() {
            self.words.clear();
            self.words.shrink_to_fit();
        } else if n_zeros > 0 {
            self.words.drain(..n_zeros);
            self.base += i16::try_from(n_zeros).expect("a sum has few words");
        }
    }

    /// The absolute value, least word first, and whether the sum is below zero.
    fn magnitude(&self) -> (Words, bool) {
        let negative = self.sign_word() != 0;
        let mut words = Words::from_slice(&self.words);
        if negative {
            let mut carry = true;
            for word in &mut words {
                (*word, carry) = (!*word).overflowing_add(u64::from(carry));
            }
        }
        (words, negative)
    }

    /// As a plain number with its exponent.
    pub(crate) fn to_exact(&self) -> Exact {
        let (words, negative) = self.magnitude();
        Exact { words, exponent: 64 * i32::from(self.base), negative }
    }

    /// The sum, rounded once, half to even.
    pub(crate) fn to_float(&self) -> f64 {
        self.to_exact().divided_to_float(&[])
    }
}

/// Magnitudes: most fit without an allocation.
type Words = SmallVec<[u64; 8]>;

/// A signed integer of any length times a power of two.
#[derive(Debug, Clone)]
pub(crate) struct Exact {
    words: Words,
    exponent: i32,
    negative: bool,
}

impl Exact {
    /// `number` itself.
    pub(crate) fn from_int(number: i128) -> Self {
        let magnitude = number.unsigned_abs();
        Self {
            words: Words::from_slice(&[word(magnitude), word(magnitude >> 64)]),
            exponent: 0,
            negative: number < 0,
        }
    }

    /// From two's complement words, least first.
    pub(crate) fn from_words(words: &[u64]) -> Self {
        ExactSum { words: SmallVec::from_slice(words), base: 0 }.to_exact()
    }

    pub(crate) fn times(&self, other: &Self) -> Self {
        let mut words = Words::from_elem(0, self.words.len() + other.words.len());
        for (i, a) in self.words.iter().enumerate() {
            let mut carry = 0;
            for (j, b) in other.words.iter().enumerate() {
                let sum =
                    u128::from(*a) * u128::from(*b) + u128::from(words[i + j]) + u128::from(carry);
                words[i + j] = word(sum);
                carry = word(sum >> 64);
            }
            words[i + other.words.len()] = carry;
        }
        Self {
            words,
            exponent: self.exponent + other.exponent,
            negative: self.negative != other.negative,
        }
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        let mut sum = ExactSum::default();
        for (number, flip) in [(self, false), (other, true)] {
            for (idx, part) in number.words.iter().enumerate() {
                let exponent =
                    number.exponent + 64 * i32::try_from(idx).expect("a sum has few words");
                sum.add(u128::from(*part), exponent, 1, number.negative != flip);
            }
        }
        sum.to_exact()
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.negative
    }

    /// The number divided by all `divisors`, rounded once, half to even. No divisor is 0.
    pub(crate) fn divided_to_float(&self, divisors: &[u64]) -> f64 {
        // Enough zero words below that the quotient keeps two whole words.
        let n_extra = if divisors.is_empty() { 0 } else { divisors.len() + 2 };
        let mut quotient = Words::from_elem(0, n_extra);
        quotient.extend_from_slice(&self.words);
        let mut inexact = false;
        for divisor in divisors {
            inexact |= divide(&mut quotient, *divisor) != 0;
        }
        let Some(top) = quotient.iter().rposition(|word| *word != 0) else {
            return 0.0;
        };
        let lead = quotient[top].leading_zeros();
        let mut bits = quotient[top] << lead;
        let mut below = top;
        if top > 0 && lead > 0 {
            bits |= quotient[top - 1] >> (64 - lead);
            inexact |= quotient[top - 1] << lead != 0;
            below = top - 1;
        }
        inexact |= quotient[..below].iter().any(|word| *word != 0);
        let place = i32::try_from(top).expect("a sum has few words")
            - i32::try_from(n_extra).expect("a few divisors");
        let exponent = self.exponent + 64 * place - lead.cast_signed();
        let magnitude = compose(bits, exponent, inexact);
        if self.negative { -magnitude } else { magnitude }
    }
}

/// Divides in place; the remainder is returned.
fn divide(words: &mut [u64], divisor: u64) -> u64 {
    let mut remainder = 0_u64;
    for part in words.iter_mut().rev() {
        let dividend = u128::from(remainder) << 64 | u128::from(*part);
        *part = word(dividend / u128::from(divisor));
        remainder = word(dividend % u128::from(divisor));
    }
    remainder
}

/// `bits * 2^exponent` rounded half to even, where the highest of `bits` is set and `inexact`
/// says that a little more stands below them.
fn compose(bits: u64, exponent: i32, inexact: bool) -> f64 {
    let highest = exponent + 63;
    if highest > 1023 {
        return f64::INFINITY;
    }
    // 53 bits stay, fewer for subnormal numbers.
    let drop = (11 + (-1022 - highest).max(0)).min(66);
    let wide = u128::from(bits);
    let mut kept = wide >> drop;
    let rest = wide & ((1 << drop) - 1);
    let half = 1_u128 << (drop - 1);
    if rest > half || rest == half && (inexact || kept & 1 == 1) {
        kept += 1;
    }
    if kept == 0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "at most 53 bits are kept")]
    let kept = kept as f64;
    kept * power_of_two(exponent + drop)
}

fn power_of_two(exponent: i32) -> f64 {
    if exponent >= -1022 {
        f64::from_bits(u64::from((exponent + 1023).unsigned_abs()) << 52)
    } else {
        f64::from_bits(1 << (exponent + 1074))
    }
}

/// Magnitude, exponent and sign of a finite float.
#[inline]
fn parts(number: f64) -> (u64, i32, bool) {
    let bits = number.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let exponent = i32::from(u16::try_from(bits >> 52 & 0x7FF).expect("11 bits"));
    let negative = bits >> 63 == 1;
    if exponent == 0 {
        (fraction, -1074, negative)
    } else {
        (fraction | 1 << 52, exponent - 1075, negative)
    }
}

/// The low 64 bits.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low word is what is asked for")]
fn word(number: u128) -> u64 {
    number as u64
}

/// The sum by another road, for tests: floats that do not overlap (by two-sum) stand for the exact
/// sum; adding them from the greatest, with care for a tie at the end, rounds it once.
#[cfg(test)]
pub(crate) fn expansion_sum(terms: &[f64]) -> f64 {
    let mut partials: Vec<f64> = Vec::new();
    for term in terms {
        let mut x = *term;
        let mut kept = 0;
        for idx in 0..partials.len() {
            let mut y = partials[idx];
            if x.abs() < y.abs() {
                std::mem::swap(&mut x, &mut y);
            }
            let high = x + y;
            let low = y - (high - x);
            if low != 0.0 {
                partials[kept] = low;
                kept += 1;
            }
            x = high;
        }
        partials.truncate(kept);
        partials.push(x);
    }
    let Some(mut high) = partials.pop() else { return 0.0 };
    let mut low = 0.0;
    while let Some(y) = partials.pop() {
        let x = high;
        high = x + y;
        low = y - (high - x);
        if low != 0.0 {
            break;
        }
    }
    if let Some(next) = partials.last()
        && ((low < 0.0 && *next < 0.0) || (low > 0.0 && *next > 0.0))
    {
        let y = low * 2.0;
        let x = high + y;
        #[expect(clippy::float_cmp, reason = "a tie is exact")]
        if y == x - high {
            high = x;
        }
    }
    high
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "exact sums are compared exactly")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finite() -> impl Strategy<Value = f64> {
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |x| x.is_finite())
    }

    proptest! {
        #[test]
        fn what_is_added_and_taken_away_leaves_nothing(
            terms in prop::collection::vec((finite(), -3_i64..4), 0..20),
            extra in prop::collection::vec((finite(), 1_i64..5), 0..20),
        ) {
            let mut sum = ExactSum::default();
            for (x, diff) in &terms {
                sum.add_float(*x, *diff);
            }
            let before = sum.to_float();
            for (x, diff) in &extra {
                sum.add_float(*x, *diff);
            }
            extra.iter().rev().for_each(|(x, diff)| sum.add_float(*x, -*diff));
            prop_assert_eq!(sum.to_float().to_bits(), before.to_bits());
        }

        #[test]
        fn sums_are_rounded_once(
            terms in prop::collection::vec((-1e9_f64..1e9, -30_i32..30), 0..30)
        ) {
            let terms: Vec<f64> = terms.iter().map(|(x, e)| x * 2_f64.powi(*e)).collect();
            let mut sum = ExactSum::default();
            for x in &terms {
                sum.add_float(*x, 1);
            }
            prop_assert_eq!(sum.to_float(), expansion_sum(&terms));
        }

        #[test]
        fn one_float_is_itself(x in finite()) {
            let mut sum = ExactSum::default();
            sum.add_float(x, 7);
            sum.add_float(x, -6);
            prop_assert_eq!(sum.to_float(), x);
        }

        #[test]
        fn merging_is_adding(
            a in prop::collection::vec(finite(), 0..9),
            b in prop::collection::vec(finite(), 0..9),
        ) {
            let of = |terms: &[f64]| {
                let mut sum = ExactSum::default();
                for x in terms {
                    sum.add_float(*x, 1);
                }
                sum
            };
            let mut merged = of(&a);
            merged.merge(&of(&b));
            prop_assert_eq!(merged.to_float(), of(&[a, b].concat()).to_float());
        }

        #[test]
        fn quotients_of_small_numbers_are_ieee(n in -(1_i64 << 53)..1 << 53, d in 1_u64..1 << 53) {
            #[expect(clippy::cast_precision_loss, reason = "both are below 2^53")]
            let expected = n as f64 / d as f64;
            prop_assert_eq!(Exact::from_int(i128::from(n)).divided_to_float(&[d]), expected);
        }

        #[test]
        fn products_and_differences_are_exact(
            a in any::<i64>(),
            b in any::<i64>(),
            c in any::<i128>(),
        ) {
            let c = c >> 2;
            let exact = Exact::from_int(i128::from(a)).times(&Exact::from_int(i128::from(b)));
            let exact = exact.minus(&Exact::from_int(c));
            #[expect(clippy::cast_precision_loss, reason = "the cast rounds half to even")]
            let expected = (i128::from(a) * i128::from(b) - c) as f64;
            prop_assert_eq!(exact.divided_to_float(&[]), expected);
        }

        #[test]
        fn squares_are_exact(x in any::<i128>(), y in -1e150_f64..1e150) {
            let mut sum = ExactSum::default();
            sum.add_int_square(x, 3);
            sum.add_int_square(x, -2);
            let product = Exact::from_int(x).times(&Exact::from_int(x));
            prop_assert_eq!(sum.to_float(), product.divided_to_float(&[]));
            let mut sum = ExactSum::default();
            sum.add_float_square(y, 1);
            prop_assert_eq!(sum.to_float(), y * y);
        }
    }

    #[test]
    fn huge_terms_cancel_and_small_ones_remain() {
        let mut sum = ExactSum::default();
        for x in [1e308, 1e308, 5e-324, -1e308, 1.0, -1e308, -1.0] {
            sum.add_float(x, 1);
        }
        assert_eq!(sum.to_float(), 5e-324);
        sum.add_float(f64::MAX, 2);
        assert_eq!(sum.to_float(), f64::INFINITY);
        sum.add_float(f64::MAX, -2);
        sum.add_float(5e-324, -1);
        assert_eq!(sum.to_float(), 0.0);
        assert!(sum.words.len() <= WORDS_KEPT);
    }
}
