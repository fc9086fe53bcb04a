//! Accumulators: what a group remembers of one input, exact under retraction.
//!
//! Adding a value and taking it away leaves the state as it was in every respect that shows,
//! whatever came between: sums are integers of enough bits (floats included), and multisets drop
//! what cancels. `none` is skipped everywhere.

use std::hint::black_box;

use arqon_types::{Column, PackedRow, Type, Value};

use crate::ends::Ends;
use crate::exact::{Exact, ExactSum};
use crate::glance::Glance;
use crate::multiset::{Multiset, float_key, has_int_key, int_key};

/// What a group needs to remember of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SlotKind {
    /// How many values are present.
    Present,
    /// How many values are present and how many are true.
    Truth,
    /// The sum of integers or durations.
    Ints,
    /// The sum of decimals.
    Decimals,
    /// The sum of floats.
    Floats,
    /// The sums of values and of their squares.
    Moments,
    /// All values, in order.
    Values,
    /// All values, of which the first or the last is asked for. With another input they are in
    /// the order of that (the last one of the key is the value).
    Ends,
}

/// One accumulator. Small: what is not needed by most groups is boxed.
#[derive(Debug, Clone)]
pub(crate) enum Slot {
    Present(i64),
    Truth { n_true: i64, n: i64 },
    Ints { low: u64, high: i64, n: i64 },
    Decimals(Box<DecimalSum>),
    Floats(Box<FloatSum>),
    Moments(Box<Moments>),
    Ints64(Box<Multiset<i64>>),
    Packed(Box<Multiset<PackedRow>>),
    EndsInts64(Box<Ends<i64>>),
    EndsPacked(Box<Ends<PackedRow>>),
}

/// Sum of decimals in 192 bits: multiplicities of 63 bits times units of 127 bits fit.
#[derive(Debug, Clone, Default)]
pub(crate) struct DecimalSum {
    pub(crate) words: [u64; 3],
    pub(crate) n: i64,
}

/// Sum of floats; infinities and NaN are counted apart, so that they can be taken away again.
#[derive(Debug, Clone, Default)]
pub(crate) struct FloatSum {
    finite: ExactSum,
    specials: Specials,
    pub(crate) n: i64,
}

/// How many values are not finite.
#[derive(Debug, Clone, Default)]
struct Specials {
    nan: i64,
    infinite: i64,
    negative_infinite: i64,
}

/// Sums of values and of squares.
#[derive(Debug, Clone, Default)]
pub(crate) struct Moments {
    sum: ExactSum,
    squares: ExactSum,
    n_special: i64,
    pub(crate) n: i64,
}

/// Where an accumulator reads the inputs of a row: columns, or plain values.
pub(crate) trait Inputs {
    fn is_present(&self, idx: usize) -> bool;
    fn bool(&self, idx: usize) -> Option<bool>;
    fn int(&self, idx: usize) -> Option<i64>;
    fn float(&self, idx: usize) -> Option<f64>;
    fn decimal(&self, idx: usize) -> Option<i128>;
    /// The key of a type that has integer keys.
    fn key(&self, idx: usize) -> Option<i64>;
    fn pack(&self, idx: usize, ty: &Type, into: &mut PackedRow);
}

/// A row of columns, one column per input.
pub(crate) struct Cells<'a> {
    pub(crate) columns: &'a [&'a Column],
    pub(crate) row_idx: usize,
}

impl Cells<'_> {
    /// The column without its option, if the row is present.
    #[inline]
    fn plain(&self, idx: usize) -> Option<&Column> {
        match self.columns[idx] {
            Column::Option { present, values } => present[self.row_idx].then_some(values),
            plain => Some(plain),
        }
    }
}

impl Inputs for Cells<'_> {
    #[inline]
    fn is_present(&self, idx: usize) -> bool {
        self.plain(idx).is_some()
    }

    #[inline]
    fn bool(&self, idx: usize) -> Option<bool> {
        match self.plain(idx)? {
            Column::Bool(values) => Some(values[self.row_idx]),
            other => unreachable!("typing lets no {other:?} be a bool"),
        }
    }

    #[inline]
    fn int(&self, idx: usize) -> Option<i64> {
        match self.plain(idx)? {
            Column::Int(values) => Some(values[self.row_idx]),
            other => unreachable!("typing lets no {other:?} be an integer"),
        }
    }

    #[inline]
    fn float(&self, idx: usize) -> Option<f64> {
        match self.plain(idx)? {
            Column::Float(values) => Some(values[self.row_idx]),
            other => unreachable!("typing lets no {other:?} be a float"),
        }
    }

    #[inline]
    fn decimal(&self, idx: usize) -> Option<i128> {
        match self.plain(idx)? {
            Column::Decimal(values) => Some(values[self.row_idx]),
            other => unreachable!("typing lets no {other:?} be a decimal"),
        }
    }

    #[inline]
    fn key(&self, idx: usize) -> Option<i64> {
        match self.plain(idx)? {
            Column::Int(values) => Some(values[self.row_idx]),
            Column::Float(values) => Some(float_key(values[self.row_idx])),
            Column::Bool(values) => Some(i64::from(values[self.row_idx])),
            other => unreachable!("{other:?} has no integer key"),
        }
    }

    fn pack(&self, idx: usize, ty: &Type, into: &mut PackedRow) {
        into.push_cell(self.columns[idx], self.row_idx, ty);
    }
}

impl Inputs for &[Value] {
    fn is_present(&self, idx: usize) -> bool {
        self[idx] != Value::None
    }

    fn bool(&self, idx: usize) -> Option<bool> {
        match &self[idx] {
            Value::Bool(x) => Some(*x),
            _ => None,
        }
    }

    fn int(&self, idx: usize) -> Option<i64> {
        match &self[idx] {
            Value::Int(x) | Value::Duration(x) => Some(*x),
            _ => None,
        }
    }

    fn float(&self, idx: usize) -> Option<f64> {
        match &self[idx] {
            Value::Float(x) => Some(x.get()),
            _ => None,
        }
    }

    fn decimal(&self, idx: usize) -> Option<i128> {
        match &self[idx] {
            Value::Decimal(x) => Some(*x),
            _ => None,
        }
    }

    fn key(&self, idx: usize) -> Option<i64> {
        self.is_present(idx).then(|| int_key(&self[idx]))
    }

    fn pack(&self, idx: usize, ty: &Type, into: &mut PackedRow) {
        into.push_value(&self[idx], ty);
    }
}

impl Slot {
    /// An accumulator that has seen nothing; `types` are those of the inputs.
    pub(crate) fn new(kind: &SlotKind, types: &[Type]) -> Self {
        let has_int_key = matches!(types, [only] if has_int_key(only.required()));
        match kind {
            SlotKind::Present => Self::Present(0),
            SlotKind::Truth => Self::Truth { n_true: 0, n: 0 },
            SlotKind::Ints => Self::Ints { low: 0, high: 0, n: 0 },
            SlotKind::Decimals => Self::Decimals(Box::default()),
            SlotKind::Floats => Self::Floats(Box::default()),
            SlotKind::Moments => Self::Moments(Box::default()),
            SlotKind::Values if has_int_key => Self::Ints64(Box::default()),
            SlotKind::Values => Self::Packed(Box::default()),
            SlotKind::Ends if has_int_key => Self::EndsInts64(Box::default()),
            SlotKind::Ends => Self::EndsPacked(Box::default()),
        }
    }

    /// Takes in one row `diff` times. `inputs` are the places and types of what the slot reads: the
    /// value, preceded by its order if it has one.
    #[inline]
    pub(crate) fn update(&mut self, row: &impl Inputs, inputs: &[(usize, Type)], diff: i64) {
        let (idx, ty) = inputs.last().expect("a slot reads something");
        match self {
            Self::Present(n) => *n += if row.is_present(*idx) { diff } else { 0 },
            Self::Truth { n_true, n } => {
                if let Some(x) = row.bool(*idx) {
                    *n += diff;
                    *n_true += if x { diff } else { 0 };
                }
            }
            Self::Ints { low, high, n } => {
                if let Some(x) = row.int(*idx) {
                    let sum = join(*low, *high).wrapping_add(i128::from(x) * i128::from(diff));
                    (*low, *high) = split(sum);
                    *n += diff;
                }
            }
            Self::Decimals(sum) => {
                if let Some(x) = row.decimal(*idx) {
                    sum.add(x, diff);
                }
            }
            Self::Floats(sum) => {
                if let Some(x) = row.float(*idx) {
                    sum.add(x, diff);
                }
            }
            Self::Moments(moments) => moments.add(row, *idx, ty.required(), diff),
            Self::Ints64(values) => {
                if let Some(key) = row.key(*idx) {
                    values.add(key, diff);
                }
            }
            Self::EndsInts64(values) => {
                if let Some(key) = row.key(*idx) {
                    values.add(key, diff);
                }
            }
            Self::Packed(values) => {
                if row.is_present(*idx) {
                    values.add(packed_key(row, inputs), diff);
                }
            }
            Self::EndsPacked(values) => {
                if row.is_present(*idx) {
                    values.add(packed_key(row, inputs), diff);
                }
            }
        }
    }

    /// Bytes that it has elsewhere in memory.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Present(_) | Self::Truth { .. } | Self::Ints { .. } => 0,
            Self::Decimals(_) => size_of::<DecimalSum>(),
            Self::Floats(_) => size_of::<FloatSum>(),
            Self::Moments(_) => size_of::<Moments>(),
            Self::Ints64(values) => size_of::<Multiset<i64>>() + values.heap_bytes(),
            Self::Packed(values) => size_of::<Multiset<PackedRow>>() + values.heap_bytes(),
            Self::EndsInts64(ends) => size_of::<Ends<i64>>() + ends.heap_bytes(),
            Self::EndsPacked(ends) => size_of::<Ends<PackedRow>>() + ends.heap_bytes(),
        }
    }

    /// Reads what the next [`Slot::update`] will, one step further than the last glance.
    #[inline]
    pub(crate) fn look_ahead(&self, glance: Glance) {
        match self {
            _ if glance == Glance::Slots => {
                black_box(matches!(self, Self::Present(_)));
            }
            Self::EndsInts64(values) => values.look_ahead(glance),
            Self::EndsPacked(values) => values.look_ahead(glance),
            _ if glance != Glance::Values => {}
            Self::Decimals(sum) => {
                black_box(sum.n);
            }
            Self::Floats(sum) => {
                black_box(sum.n);
            }
            Self::Moments(moments) => {
                black_box(moments.n);
            }
            Self::Ints64(values) => {
                black_box(values.n_distinct());
            }
            Self::Packed(values) => {
                black_box(values.n_distinct());
            }
            Self::Present(_) | Self::Truth { .. } | Self::Ints { .. } => {}
        }
    }

    /// Adds what another slot of the same kind has seen.
    pub(crate) fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Present(n), Self::Present(more)) => *n += more,
            (Self::Truth { n_true, n }, Self::Truth { n_true: more_true, n: more }) => {
                *n_true += more_true;
                *n += more;
            }
            (Self::Ints { low, high, n }, Self::Ints { low: l, high: h, n: more }) => {
                (*low, *high) = split(join(*low, *high).wrapping_add(join(*l, *h)));
                *n += more;
            }
            (Self::Decimals(sum), Self::Decimals(more)) => {
                sum.add_words(more.words);
                sum.n += more.n;
            }
            (Self::Floats(sum), Self::Floats(more)) => sum.merge(more),
            (Self::Moments(moments), Self::Moments(more)) => {
                moments.sum.merge(&more.sum);
                moments.squares.merge(&more.squares);
                moments.n_special += more.n_special;
                moments.n += more.n;
            }
            (Self::Ints64(values), Self::Ints64(more)) => values.merge(more),
            (Self::Packed(values), Self::Packed(more)) => values.merge(more),
            (Self::EndsInts64(values), Self::EndsInts64(more)) => values.merge(more),
            (Self::EndsPacked(values), Self::EndsPacked(more)) => values.merge(more),
            (slot, other) => unreachable!("{slot:?} and {other:?} are of different plans"),
        }
    }
}

fn packed_key(row: &impl Inputs, inputs: &[(usize, Type)]) -> PackedRow {
    let mut key = PackedRow::new();
    for (idx, ty) in inputs {
        row.pack(*idx, ty, &mut key);
    }
    key
}

/// Two words as one number.
#[inline]
pub(crate) fn join(low: u64, high: i64) -> i128 {
    i128::from(high) << 64 | i128::from(low)
}

#[inline]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "split into words")]
fn split(number: i128) -> (u64, i64) {
    (number as u64, (number >> 64) as i64)
}

impl DecimalSum {
    pub(crate) fn add(&mut self, units: i128, diff: i64) {
        let magnitude = units.unsigned_abs();
        let times = u128::from(diff.unsigned_abs());
        let (low, high) = (magnitude & u128::from(u64::MAX), magnitude >> 64);
        let low = low * times;
        let high = high * times + (low >> 64);
        let mut words = [low, high, high >> 64].map(low_word);
        if (units < 0) != (diff < 0) {
            let mut carry = true;
            for word in &mut words {
                (*word, carry) = (!*word).overflowing_add(u64::from(carry));
            }
        }
        self.add_words(words);
        self.n += diff;
    }

    fn add_words(&mut self, words: [u64; 3]) {
        let mut carry = false;
        for (word, part) in self.words.iter_mut().zip(words) {
            let (partial, first) = word.overflowing_add(part);
            let (sum, second) = partial.overflowing_add(u64::from(carry));
            *word = sum;
            carry = first || second;
        }
    }

    /// The sum, if it fits a decimal.
    pub(crate) fn units(&self) -> Option<i128> {
        let [low, middle, high] = self.words;
        let sum = join(low, middle.cast_signed());
        let sign = if sum < 0 { u64::MAX } else { 0 };
        (high == sign).then_some(sum)
    }

    pub(crate) fn exact(&self) -> Exact {
        Exact::from_words(&self.words)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low word is what is asked for")]
fn low_word(number: u128) -> u64 {
    number as u64
}

impl FloatSum {
    #[inline]
    fn add(&mut self, x: f64, diff: i64) {
        if x.is_finite() {
            self.finite.add_float(x, diff);
        } else if x.is_nan() {
            self.specials.nan += diff;
        } else if x > 0.0 {
            self.specials.infinite += diff;
        } else {
            self.specials.negative_infinite += diff;
        }
        self.n += diff;
    }

    fn merge(&mut self, other: &Self) {
        self.finite.merge(&other.finite);
        self.specials.nan += other.specials.nan;
        self.specials.infinite += other.specials.infinite;
        self.specials.negative_infinite += other.specials.negative_infinite;
        self.n += other.n;
    }

    /// What the sum is if not all values are finite: NaN, or an infinity.
    pub(crate) fn special(&self) -> Option<f64> {
        let Specials { nan, infinite, negative_infinite } = self.specials;
        match (nan != 0, infinite != 0, negative_infinite != 0) {
            (false, false, false) => None,
            (false, true, false) => Some(f64::INFINITY),
            (false, false, true) => Some(f64::NEG_INFINITY),
            _ => Some(f64::NAN),
        }
    }

    /// The sum, rounded once.
    pub(crate) fn to_float(&self) -> f64 {
        self.special().unwrap_or_else(|| self.finite.to_float())
    }

    pub(crate) fn exact(&self) -> Exact {
        self.finite.to_exact()
    }
}

impl Moments {
    fn add(&mut self, row: &impl Inputs, idx: usize, ty: &Type, diff: i64) {
        match ty {
            Type::Float64 => {
                let Some(x) = row.float(idx) else { return };
                if x.is_finite() {
                    self.sum.add_float(x, diff);
                    self.squares.add_float_square(x, diff);
                } else {
                    self.n_special += diff;
                }
            }
            Type::Decimal(_) => {
                let Some(x) = row.decimal(idx) else { return };
                self.sum.add_int(x, diff);
                self.squares.add_int_square(x, diff);
            }
            _ => {
                let Some(x) = row.int(idx) else { return };
                self.sum.add_int(i128::from(x), diff);
                self.squares.add_int_square(i128::from(x), diff);
            }
        }
        self.n += diff;
    }

    /// The variance of the sample times `10^(2 * scale)` undone, rounded once; none under two rows.
    ///
    /// `(n * sum of squares - square of the sum) / (n * (n - 1))`, all but the division exact.
    pub(crate) fn variance(&self, scale: u8) -> Option<f64> {
        if self.n < 2 {
            return None;
        }
        if self.n_special != 0 {
            return Some(f64::NAN);
        }
        let sum = self.sum.to_exact();
        let n = Exact::from_int(i128::from(self.n));
        let numerator = n.times(&self.squares.to_exact()).minus(&sum.times(&sum));
        if numerator.is_negative() {
            return Some(0.0);
        }
        let n = self.n.unsigned_abs();
        let mut divisors = vec![n, n - 1];
        divisors.extend(powers_of_ten(2 * u32::from(scale)));
        Some(numerator.divided_to_float(&divisors))
    }
}

/// Factors of `10^exponent` that fit a word.
pub(crate) fn powers_of_ten(exponent: u32) -> impl Iterator<Item = u64> {
    const LARGEST: u32 = 19;
    let whole = std::iter::repeat_n(10_u64.pow(LARGEST), (exponent / LARGEST) as usize);
    whole.chain(std::iter::once(10_u64.pow(exponent % LARGEST)))
}
