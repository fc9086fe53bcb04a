//! Rows that are near: equal but for floats, which are no further apart than a law allows.
//!
//! Two sets of changes agree if their rows can be paired so that the rows of each pair are near; a
//! row that goes and a near one that comes have changed nothing. Left out on purpose: nearness of
//! integers and decimals, which are exact.

use std::collections::BTreeMap;
use std::sync::Arc;

use arqon_types::{Elements, Float, Row, Tensor, Value};

use super::difference::Changes;

/// Rows a side beyond which no partner is looked for: pairing is cubic.
const PAIRED_MAX: usize = 1_000;

/// Leaves of both sides the rows that have no partner on the other one.
pub(super) fn leave_far(expected: &mut Changes, found: &mut Changes, within: Float) {
    if 0.0 < within.get() && expected != found {
        let far = without_partner(expected, found, within);
        expected.retain(|row, _| far.binary_search(row).is_ok());
        found.retain(|row, _| far.binary_search(row).is_ok());
    }
}

/// The rows of both sides that have no partner.
fn without_partner(expected: &Changes, found: &Changes, within: Float) -> Vec<Row> {
    let mut rest = expected.clone();
    for (row, diff) in found {
        *rest.entry(row.clone()).or_insert(0) -= diff;
    }
    rest.retain(|_, diff| *diff != 0);
    let mut groups: BTreeMap<Row, [Vec<&Row>; 2]> = BTreeMap::new();
    for (row, diff) in &rest {
        let exact = row.iter().map(without_floats).collect();
        let side = &mut groups.entry(exact).or_default()[usize::from(*diff < 0)];
        let n_copies = usize::try_from(diff.unsigned_abs()).unwrap_or(usize::MAX);
        side.extend(std::iter::repeat_n(row, n_copies.min(PAIRED_MAX + 1)));
    }
    let mut alone: Vec<Row> = groups.values().flat_map(|sides| unpaired(sides, within)).collect();
    alone.sort();
    alone.dedup();
    alone
}

/// The rows that are left when as many as possible are paired.
fn unpaired([left, right]: &[Vec<&Row>; 2], within: Float) -> Vec<Row> {
    if PAIRED_MAX < left.len().max(right.len()) {
        return left.iter().chain(right).copied().cloned().collect();
    }
    let mut partner_of: Vec<Option<usize>> = vec![None; right.len()];
    let mut alone = Vec::new();
    for (at, row) in left.iter().enumerate() {
        let mut seen = vec![false; right.len()];
        if !pair(at, (left, right), within, &mut seen, &mut partner_of) {
            alone.push(Row::clone(row));
        }
    }
    let free = right.iter().zip(&partner_of).filter(|(_, partner)| partner.is_none());
    alone.extend(free.map(|(row, _)| Row::clone(row)));
    alone
}

/// Finds a partner, if need be by giving another row another one.
fn pair(
    at: usize,
    (left, right): (&[&Row], &[&Row]),
    within: Float,
    seen: &mut [bool],
    partner_of: &mut [Option<usize>],
) -> bool {
    for (to, row) in right.iter().enumerate() {
        if seen[to] || !are_near(left[at], row, within) {
            continue;
        }
        seen[to] = true;
        let is_free = match partner_of[to] {
            None => true,
            Some(other) => pair(other, (left, right), within, seen, partner_of),
        };
        if is_free {
            partner_of[to] = Some(at);
            return true;
        }
    }
    false
}

/// The value with 0 for every float.
fn without_floats(value: &Value) -> Value {
    let all = |values: &[Value]| values.iter().map(without_floats).collect::<Arc<[Value]>>();
    match value {
        Value::Float(_) => Value::float(0.0),
        Value::List(items) => Value::List(all(items)),
        Value::Struct(parts) => Value::Struct(all(parts)),
        Value::Map(entries) => {
            let zeroed =
                |(key, value): &(Arc<str>, Value)| (Arc::clone(key), without_floats(value));
            Value::Map(entries.iter().map(zeroed).collect())
        }
        Value::Tensor(tensor) => match tensor.elements() {
            Elements::F32(values) => zeros(tensor, Elements::F32(vec![0.0; values.len()])),
            Elements::F64(values) => zeros(tensor, Elements::F64(vec![0.0; values.len()])),
            Elements::I64(_) | Elements::U8(_) | Elements::Bool(_) => value.clone(),
        },
        Value::None
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Decimal(_)
        | Value::String(_)
        | Value::Bytes(_)
        | Value::Timestamp(_)
        | Value::Date(_)
        | Value::Duration(_)
        | Value::Uuid(_)
        | Value::Enum(_) => value.clone(),
    }
}

fn zeros(like: &Tensor, elements: Elements) -> Value {
    let tensor = Tensor::try_new(like.shape().to_vec(), elements);
    Value::Tensor(tensor.expect("as many elements in the same shape").into())
}

fn are_near(left: &[Value], right: &[Value], within: Float) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| is_near(left, right, within))
}

fn is_near(left: &Value, right: &Value, within: Float) -> bool {
    match (left, right) {
        (Value::Float(left), Value::Float(right)) => are_close(*left, *right, within),
        (Value::List(left), Value::List(right)) | (Value::Struct(left), Value::Struct(right)) => {
            are_near(left, right, within)
        }
        (Value::Map(left), Value::Map(right)) => {
            left.len() == right.len()
                && left.iter().zip(right.iter()).all(|((key, left), (other, right))| {
                    key == other && is_near(left, right, within)
                })
        }
        (Value::Tensor(left), Value::Tensor(right)) => {
            left.shape() == right.shape()
                && match (left.elements(), right.elements()) {
                    (Elements::F32(left), Elements::F32(right)) => {
                        let wide = |value: &f32| Float::new(f64::from(*value));
                        let mut pairs = left.iter().zip(right);
                        pairs.all(|(left, right)| are_close(wide(left), wide(right), within))
                    }
                    (Elements::F64(left), Elements::F64(right)) => left
                        .iter()
                        .zip(right)
                        .all(|(a, b)| are_close(Float::new(*a), Float::new(*b), within)),
                    (left, right) => left == right,
                }
        }
        (left, right) => left == right,
    }
}

/// Equal, which NaN and the infinities are to themselves, or no further apart.
fn are_close(left: Float, right: Float, within: Float) -> bool {
    left == right || (left.get() - right.get()).abs() <= within.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(rows: &[(&str, f64, i64)]) -> Changes {
        let row = |(key, x, diff): &(&str, f64, i64)| {
            (Row::from(vec![Value::string(key), Value::float(*x)]), *diff)
        };
        rows.iter().map(row).collect()
    }

    fn alone(expected: &[(&str, f64, i64)], found: &[(&str, f64, i64)], within: f64) -> usize {
        without_partner(&changes(expected), &changes(found), Float::new(within)).len()
    }

    #[test]
    fn near_rows_are_partners() {
        assert_eq!(alone(&[("a", 1.0, 1)], &[("a", 1.25, 1)], 0.25), 0);
        assert_eq!(alone(&[("a", 1.0, 1)], &[("a", 1.25, 1)], 0.125), 2);
        assert_eq!(alone(&[("a", 1.0, 1)], &[("b", 1.0, 1)], 9.0), 2);
        assert_eq!(alone(&[("a", 1.0, 2)], &[("a", 1.25, 1)], 0.5), 1);
        let infinite = f64::INFINITY;
        assert_eq!(alone(&[("a", f64::NAN, 1)], &[("a", f64::NAN, 1)], 0.5), 0);
        assert_eq!(alone(&[("a", f64::NAN, 1)], &[("a", 1.0, 1)], 0.5), 2);
        assert_eq!(alone(&[("a", infinite, 1)], &[("a", -infinite, 1)], 0.5), 2);
    }

    #[test]
    fn partners_are_found_wherever_there_are_any() {
        // The first row must leave its first choice to the second.
        let left = [("a", 1.0, 1), ("a", 0.0, 1)];
        assert_eq!(alone(&left, &[("a", 0.75, 1), ("a", 1.75, 1)], 0.75), 0);
        assert_eq!(alone(&left, &[("a", 1.75, 1), ("a", 2.5, 1)], 0.75), 2);
    }

    #[test]
    fn what_goes_and_comes_back_near_has_changed_nothing() {
        assert_eq!(alone(&[], &[("a", 1.0, -1), ("a", 1.25, 1)], 0.25), 0);
        assert_eq!(alone(&[], &[("a", 1.0, -1), ("a", 1.25, 1)], 0.0), 2);
    }
}
