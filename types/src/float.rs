//! `float64` with one NaN, one zero and a total order, so that rows can be compared and hashed.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

/// A normalised `f64`: NaN is one value, equal to itself and greatest; -0.0 is 0.0.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(from = "f64", into = "f64")]
pub struct Float(f64);

const SIGN: u64 = 1 << 63;

impl Float {
    /// Normalises `number`.
    pub fn new(number: f64) -> Self {
        if number.is_nan() {
            Self(f64::NAN)
        } else if number == 0.0 {
            Self(0.0)
        } else {
            Self(number)
        }
    }

    /// The plain number.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The nearest single; exact for what stands under `float32`.
    #[expect(clippy::cast_possible_truncation, reason = "the nearest single is what is asked for")]
    pub fn to_f32(self) -> f32 {
        self.0 as f32
    }

    /// Bits whose unsigned order is the order of the numbers, NaN last.
    pub fn to_sortable(self) -> u64 {
        let bits = self.0.to_bits();
        if bits & SIGN == 0 { bits | SIGN } else { !bits }
    }

    /// The inverse of [`Float::to_sortable`].
    pub fn from_sortable(key: u64) -> Self {
        Self(f64::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN }))
    }
}

impl From<f64> for Float {
    fn from(number: f64) -> Self {
        Self::new(number)
    }
}

impl From<Float> for f64 {
    fn from(float: Float) -> Self {
        float.0
    }
}

impl PartialEq for Float {
    fn eq(&self, other: &Self) -> bool {
        self.to_sortable() == other.to_sortable()
    }
}

impl Eq for Float {}

impl PartialOrd for Float {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Float {
    fn cmp(&self, other: &Self) -> Ordering {
        self.to_sortable().cmp(&other.to_sortable())
    }
}

impl Hash for Float {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.to_sortable());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_total_with_nan_last() {
        let in_order = [f64::NEG_INFINITY, -1.5, -0.0, 1e-300, 2.0, f64::INFINITY, f64::NAN];
        for pair in in_order.windows(2) {
            assert!(Float::new(pair[0]) < Float::new(pair[1]), "{pair:?}");
        }
        assert_eq!(Float::new(-f64::NAN), Float::new(f64::NAN));
        assert_eq!(Float::new(-0.0), Float::new(0.0));
        for number in in_order {
            let float = Float::new(number);
            assert_eq!(Float::from_sortable(float.to_sortable()), float);
        }
    }
}
