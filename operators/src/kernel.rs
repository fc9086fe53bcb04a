//! Loops over whole columns: arithmetic and comparisons, without a branch per row.
//!
//! A kernel that can fail computes all rows first and only notes whether any failed; the failures
//! are looked for in a second pass, which good data never takes.

use std::cell::Cell;
use std::cmp::Ordering;

use arqon_types::{Column, Type, Value, compare_decimals};

use crate::cells::{Operand, Output, Presence, RowErrors, View, merge_errors, with_presence};
use crate::eval_error::Failure;
use crate::expr::{BinaryOp, Place};
use crate::scalar;

/// `f` of each pair.
#[inline]
pub(crate) fn zip<A: Copy, B: Copy, R: Clone>(
    n_rows: usize,
    a: Operand<'_, A>,
    b: Operand<'_, B>,
    f: impl Fn(A, B) -> R,
) -> Vec<R> {
    match (a, b) {
        (Operand::Slice(a), Operand::Slice(b)) => a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect(),
        (Operand::Slice(a), Operand::Constant(b)) => a.iter().map(|a| f(*a, b)).collect(),
        (Operand::Constant(a), Operand::Slice(b)) => b.iter().map(|b| f(a, *b)).collect(),
        (Operand::Constant(a), Operand::Constant(b)) => vec![f(a, b); n_rows],
    }
}

/// `f` of each pair, which gives a valid value also where it says that it failed; and whether any
/// did.
#[inline]
fn zip_checked<A: Copy, B: Copy, R: Clone>(
    n_rows: usize,
    a: Operand<'_, A>,
    b: Operand<'_, B>,
    f: impl Fn(A, B) -> (R, bool),
) -> (Vec<R>, bool) {
    let failed = Cell::new(false);
    let values = zip(n_rows, a, b, |a, b| {
        let (value, bad) = f(a, b);
        failed.set(failed.get() | bad);
        value
    });
    (values, failed.get())
}

/// What a kernel over two operands needs to know.
pub(crate) struct Frame<'a> {
    pub(crate) n_rows: usize,
    pub(crate) ty: &'a Type,
    pub(crate) place: Place,
}

impl Frame<'_> {
    /// The second pass of a kernel that failed somewhere: the failures of rows that count, and a
    /// plain value in place of what could not be computed.
    pub(crate) fn failures<R: Default>(
        &self,
        values: &mut [R],
        present: Option<&[bool]>,
        check: impl Fn(usize) -> Option<Failure>,
    ) -> RowErrors {
        let mut errors = Vec::new();
        for (position, value) in values.iter_mut().enumerate() {
            let Some(failure) = check(position) else { continue };
            *value = R::default();
            if present.is_none_or(|present| present[position]) {
                errors.push((position, failure.at(self.place)));
            }
        }
        errors
    }
}

/// `+ - * / %` on columns.
pub(crate) fn arithmetic<'a>(
    op: BinaryOp,
    left: Output<'_>,
    right: Output<'_>,
    types: (&Type, &Type),
    frame: &Frame<'_>,
) -> Output<'a> {
    let (left_presence, left_view) = left.cells.split();
    let (right_presence, right_view) = right.cells.split();
    let absent =
        matches!(left_presence, Presence::Nowhere) || matches!(right_presence, Presence::Nowhere);
    if absent {
        return Output::constant(Value::None, merge_errors(left.errors, right.errors));
    }
    let present = left_presence.and(right_presence, frame.n_rows);
    let mask = present.as_deref();
    let (values, own) = arithmetic_values(op, (left_view, right_view), types, mask, frame);
    let errors = merge_errors(merge_errors(left.errors, right.errors), own);
    Output::of(with_presence(values, present, frame.ty), errors)
}

fn arithmetic_values(
    op: BinaryOp,
    views: (View<'_>, View<'_>),
    types: (&Type, &Type),
    present: Option<&[bool]>,
    frame: &Frame<'_>,
) -> (Column, RowErrors) {
    let (left, right) = views;
    if let (Some(a), Some(b)) = (left.floats(), right.floats()) {
        return float_arithmetic(op, a, b, present, frame);
    }
    if let (Some(a), Some(b)) = (left.decimals(), right.decimals()) {
        return decimal_arithmetic(op, a, b, present, frame);
    }
    let (Some(a), Some(b)) = (left.ints(), right.ints()) else {
        unreachable!("typing lets only numbers and times under {op:?}")
    };
    match (types.0.required(), types.1.required()) {
        (Type::Date, Type::Date) => by_row(a, b, frame, present, scalar::days_between),
        (Type::Date, Type::Duration) => {
            by_row(a, b, frame, present, |days, step| scalar::move_days(op, days, step))
        }
        (Type::Duration, Type::Date) => {
            by_row(a, b, frame, present, |step, days| scalar::move_days(op, days, step))
        }
        _ => int_arithmetic(op, a, b, present, frame),
    }
}

/// A rare operator on integers, row by row.
fn by_row(
    a: Operand<'_, i64>,
    b: Operand<'_, i64>,
    frame: &Frame<'_>,
    present: Option<&[bool]>,
    f: impl Fn(i64, i64) -> Result<i64, Failure>,
) -> (Column, RowErrors) {
    let mut values = vec![0; frame.n_rows];
    let mut errors = Vec::new();
    for (position, value) in values.iter_mut().enumerate() {
        match f(a.at(position), b.at(position)) {
            Ok(result) => *value = result,
            Err(failure) if present.is_none_or(|present| present[position]) => {
                errors.push((position, failure.at(frame.place)));
            }
            Err(_) => {}
        }
    }
    (Column::Int(values), errors)
}

fn int_arithmetic(
    op: BinaryOp,
    a: Operand<'_, i64>,
    b: Operand<'_, i64>,
    present: Option<&[bool]>,
    frame: &Frame<'_>,
) -> (Column, RowErrors) {
    let n_rows = frame.n_rows;
    if op == BinaryOp::Divide {
        let (mut values, failed) = zip_checked(n_rows, a, b, |a, b| {
            let bad = b == 0;
            let quotient = scalar::int_to_float(a) / scalar::int_to_float(b);
            (if bad { 0.0 } else { normal(quotient) }, bad)
        });
        let check = |at: usize| scalar::divide_int(a.at(at), b.at(at)).err();
        let errors = if failed { frame.failures(&mut values, present, check) } else { Vec::new() };
        return (Column::Float(values), errors);
    }
    let (mut values, failed) = match op {
        BinaryOp::Add => zip_checked(n_rows, a, b, i64::overflowing_add),
        BinaryOp::Subtract => zip_checked(n_rows, a, b, i64::overflowing_sub),
        BinaryOp::Multiply => zip_checked(n_rows, a, b, i64::overflowing_mul),
        BinaryOp::Remainder => match b.divisor() {
            Some(b) => (zip(n_rows, a, b, |a, b| b.remainder(a)), false),
            None => zip_checked(n_rows, a, b, |a, b| {
                if b == 0 { (0, true) } else { (a.wrapping_rem(b), false) }
            }),
        },
        other => unreachable!("{other:?} is no integer operator"),
    };
    let check = |at: usize| scalar::int(op, a.at(at), b.at(at), frame.ty.required()).err();
    let errors = if failed { frame.failures(&mut values, present, check) } else { Vec::new() };
    (Column::Int(values), errors)
}

/// One zero and one NaN, as columns have them.
#[inline]
pub(crate) fn normal(x: f64) -> f64 {
    if x.is_nan() { f64::NAN } else { x + 0.0 }
}

fn float_arithmetic(
    op: BinaryOp,
    a: Operand<'_, f64>,
    b: Operand<'_, f64>,
    present: Option<&[bool]>,
    frame: &Frame<'_>,
) -> (Column, RowErrors) {
    let n_rows = frame.n_rows;
    let (mut values, failed) = match op {
        BinaryOp::Add => (zip(n_rows, a, b, |a, b| normal(a + b)), false),
        BinaryOp::Subtract => (zip(n_rows, a, b, |a, b| normal(a - b)), false),
        BinaryOp::Multiply => (zip(n_rows, a, b, |a, b| normal(a * b)), false),
        BinaryOp::Divide => zip_checked(n_rows, a, b, |a, b| (normal(a / b), b == 0.0)),
        BinaryOp::Remainder => zip_checked(n_rows, a, b, |a, b| (normal(a % b), b == 0.0)),
        other => unreachable!("{other:?} is no float operator"),
    };
    let check = |at: usize| scalar::float(op, a.at(at), b.at(at)).err();
    let errors = if failed { frame.failures(&mut values, present, check) } else { Vec::new() };
    (Column::Float(values), errors)
}

fn decimal_arithmetic(
    op: BinaryOp,
    a: Operand<'_, i128>,
    b: Operand<'_, i128>,
    present: Option<&[bool]>,
    frame: &Frame<'_>,
) -> (Column, RowErrors) {
    let n_rows = frame.n_rows;
    if op == BinaryOp::Divide {
        let quotient = |a, b| scalar::divide_decimal(a, b).ok();
        let (mut values, failed) = zip_checked(n_rows, a, b, |a, b| {
            quotient(a, b).map_or((0.0, true), |x| (normal(x), false))
        });
        let check = |at: usize| scalar::divide_decimal(a.at(at), b.at(at)).err();
        let errors = if failed { frame.failures(&mut values, present, check) } else { Vec::new() };
        return (Column::Float(values), errors);
    }
    let (mut values, failed) =
        match op {
            BinaryOp::Add => zip_checked(n_rows, a, b, i128::overflowing_add),
            BinaryOp::Subtract => zip_checked(n_rows, a, b, i128::overflowing_sub),
            // The checked product of two 128-bit numbers is slow; nearly all fit 64 bits.
            BinaryOp::Multiply => {
                zip_checked(n_rows, a, b, |a, b| match (i64::try_from(a), i64::try_from(b)) {
                    (Ok(a), Ok(b)) => (i128::from(a) * i128::from(b), false),
                    _ => a.overflowing_mul(b),
                })
            }
            BinaryOp::Remainder => zip_checked(n_rows, a, b, |a, b| {
                if b == 0 { (0, true) } else { (a.wrapping_rem(b), false) }
            }),
            other => unreachable!("{other:?} is no decimal operator"),
        };
    let check = |at: usize| scalar::decimal(op, a.at(at), b.at(at)).err();
    let errors = if failed { frame.failures(&mut values, present, check) } else { Vec::new() };
    (Column::Decimal(values), errors)
}

/// `-x` on a column.
pub(crate) fn negate<'a>(operand: Output<'_>, frame: &Frame<'_>) -> Output<'a> {
    let (presence, view) = operand.cells.split();
    if matches!(presence, Presence::Nowhere) {
        return Output::constant(Value::None, operand.errors);
    }
    let present = presence.and(Presence::All, frame.n_rows);
    let ty = frame.ty.required();
    let overflow = || {
        Failure::overflow(
            "`-`",
            if matches!(ty, Type::Decimal(_)) { "decimal".to_owned() } else { ty.to_string() },
        )
    };
    let zero_int = Operand::Constant(0_i64);
    let (values, own) = if let Some(x) = view.floats() {
        (Column::Float(zip(frame.n_rows, x, zero_int, |x, _| normal(-x))), Vec::new())
    } else if let Some(x) = view.decimals() {
        let (mut values, failed) =
            zip_checked(frame.n_rows, x, zero_int, |x, _| x.overflowing_neg());
        let check = |at: usize| (x.at(at) == i128::MIN).then(overflow);
        let own = if failed {
            frame.failures(&mut values, present.as_deref(), check)
        } else {
            Vec::new()
        };
        (Column::Decimal(values), own)
    } else if let Some(x) = view.ints() {
        let (mut values, failed) =
            zip_checked(frame.n_rows, x, zero_int, |x, _| x.overflowing_neg());
        let check = |at: usize| (x.at(at) == i64::MIN).then(overflow);
        let own = if failed {
            frame.failures(&mut values, present.as_deref(), check)
        } else {
            Vec::new()
        };
        (Column::Int(values), own)
    } else {
        unreachable!("typing lets only numbers be negated")
    };
    let errors = merge_errors(operand.errors, own);
    Output::of(with_presence(values, present, frame.ty), errors)
}

/// `not x` on a column.
pub(crate) fn not<'a>(operand: Output<'_>, frame: &Frame<'_>) -> Output<'a> {
    let (presence, view) = operand.cells.split();
    let Some(x) = view.bools() else {
        return Output::constant(Value::None, operand.errors);
    };
    let values = zip(frame.n_rows, x, Operand::Constant(()), |x, ()| !x);
    let present = presence.and(Presence::All, frame.n_rows);
    Output::of(with_presence(Column::Bool(values), present, frame.ty), operand.errors)
}

/// `== != < <= > >=` on columns of one type, or of two decimal types.
pub(crate) fn compare<'a>(
    op: BinaryOp,
    left: Output<'_>,
    right: Output<'_>,
    (left_ty, right_ty): (&Type, &Type),
    frame: &Frame<'_>,
) -> Output<'a> {
    let errors = merge_errors(left.errors, right.errors);
    let (left_presence, left_view) = left.cells.split();
    let (right_presence, right_view) = right.cells.split();
    let is_equality = matches!(op, BinaryOp::Equal | BinaryOp::NotEqual);
    let n_rows = frame.n_rows;
    let nowhere =
        matches!(left_presence, Presence::Nowhere) || matches!(right_presence, Presence::Nowhere);
    if nowhere && !is_equality {
        return Output::constant(Value::None, errors);
    }
    let mut values = if nowhere {
        vec![false; n_rows]
    } else {
        let types = (left_ty.required(), right_ty.required());
        compare_values(op, (left_view, right_view), types, n_rows)
    };
    let both_plain = matches!((left_presence, right_presence), (Presence::All, Presence::All));
    if !is_equality {
        let present = left_presence.and(right_presence, n_rows);
        return Output::of(with_presence(Column::Bool(values), present, frame.ty), errors);
    }
    if !both_plain {
        for (position, value) in values.iter_mut().enumerate() {
            let (a, b) = (left_presence.at(position), right_presence.at(position));
            if !(a && b) {
                *value = (a == b) == (op == BinaryOp::Equal);
            }
        }
    }
    Output::of(Column::Bool(values), errors)
}

fn compare_values(
    op: BinaryOp,
    (left, right): (View<'_>, View<'_>),
    (ty, right_ty): (&Type, &Type),
    n_rows: usize,
) -> Vec<bool> {
    if let (Some(a), Some(b)) = (left.ints(), right.ints()) {
        return compare_ordered(op, a, b, n_rows);
    }
    if let (Some(a), Some(b)) = (left.floats(), right.floats()) {
        return compare_floats(op, a, b, n_rows);
    }
    if let (Some(a), Some(b)) = (left.decimals(), right.decimals()) {
        return match (ty, right_ty) {
            (Type::Decimal(a_scale), Type::Decimal(b_scale)) if a_scale != b_scale => {
                let order = |a, b| compare_decimals((a, *a_scale), (b, *b_scale));
                zip(n_rows, a, b, |a, b| holds(op, &order(a, b), &Ordering::Equal))
            }
            _ => compare_ordered(op, a, b, n_rows),
        };
    }
    if let (Some(a), Some(b)) = (left.bools(), right.bools()) {
        return compare_ordered(op, a, b, n_rows);
    }
    if let (Some(a), Some(b)) = (left.uuids(), right.uuids()) {
        return compare_ordered(op, a, b, n_rows);
    }
    if let (Some(a), Some(b)) = (left.texts(), right.texts()) {
        return (0..n_rows).map(|at| holds(op, a.bytes(at), b.bytes(at))).collect();
    }
    (0..n_rows).map(|at| holds(op, &left.value(at, ty), &right.value(at, ty))).collect()
}

#[inline]
fn holds<T: Ord + ?Sized>(op: BinaryOp, a: &T, b: &T) -> bool {
    match op {
        BinaryOp::Equal => a == b,
        BinaryOp::NotEqual => a != b,
        BinaryOp::Less => a < b,
        BinaryOp::LessEqual => a <= b,
        BinaryOp::Greater => a > b,
        BinaryOp::GreaterEqual => a >= b,
        other => unreachable!("{other:?} is no comparison"),
    }
}

fn compare_ordered<T: Ord + Copy>(
    op: BinaryOp,
    a: Operand<'_, T>,
    b: Operand<'_, T>,
    n_rows: usize,
) -> Vec<bool> {
    match op {
        BinaryOp::Equal => zip(n_rows, a, b, |a, b| a == b),
        BinaryOp::NotEqual => zip(n_rows, a, b, |a, b| a != b),
        BinaryOp::Less => zip(n_rows, a, b, |a, b| a < b),
        BinaryOp::LessEqual => zip(n_rows, a, b, |a, b| a <= b),
        BinaryOp::Greater => zip(n_rows, a, b, |a, b| a > b),
        BinaryOp::GreaterEqual => zip(n_rows, a, b, |a, b| a >= b),
        other => unreachable!("{other:?} is no comparison"),
    }
}

/// NaN is equal to itself and above all numbers. No part is left out where another one decides:
/// that would be a branch a row.
fn compare_floats(
    op: BinaryOp,
    a: Operand<'_, f64>,
    b: Operand<'_, f64>,
    n_rows: usize,
) -> Vec<bool> {
    #[expect(clippy::float_cmp, reason = "the language's `==` on floats is exact")]
    fn equal(a: f64, b: f64) -> bool {
        (a == b) | (a.is_nan() & b.is_nan())
    }
    fn less(a: f64, b: f64) -> bool {
        !((b <= a) | a.is_nan())
    }
    match op {
        BinaryOp::Equal => zip(n_rows, a, b, equal),
        BinaryOp::NotEqual => zip(n_rows, a, b, |a, b| !equal(a, b)),
        BinaryOp::Less => zip(n_rows, a, b, less),
        BinaryOp::LessEqual => zip(n_rows, a, b, |a, b| !less(b, a)),
        BinaryOp::Greater => zip(n_rows, a, b, |a, b| less(b, a)),
        BinaryOp::GreaterEqual => zip(n_rows, a, b, |a, b| !less(a, b)),
        other => unreachable!("{other:?} is no comparison"),
    }
}
