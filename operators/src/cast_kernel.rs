//! Casts on columns.

use std::borrow::Cow;

use arqon_types::{Column, Float, Type, Value};

use crate::cells::{Cells, Operand, Output, Presence, RowErrors, merge_errors, with_presence};
use crate::kernel::{Frame, normal, zip};
use crate::scalar;

/// A cast on a column; `frame.ty` is the target.
pub(crate) fn cast<'a>(operand: Output<'a>, from: &Type, frame: &Frame<'_>) -> Output<'a> {
    let (source, target) = (from.required(), frame.ty.required());
    if source == target {
        return with_option(operand, frame);
    }
    let (presence, view) = operand.cells.split();
    if matches!(presence, Presence::Nowhere) {
        return Output::constant(Value::None, operand.errors);
    }
    let present = presence.and(Presence::All, frame.n_rows);
    let mask = present.as_deref();
    let n_rows = frame.n_rows;
    let unit = Operand::Constant(());
    let (values, own) = match (source, target) {
        (Type::Int64, Type::Float64) => {
            let x = view.ints().expect("int64 is a column of integers");
            (Column::Float(zip(n_rows, x, unit, |x, ()| scalar::int_to_float(x))), Vec::new())
        }
        (Type::Float32, Type::Float64) => {
            let x = view.floats().expect("float32 is a column of floats");
            (Column::Float(zip(n_rows, x, unit, |x, ()| x)), Vec::new())
        }
        (Type::Float64, Type::Float32) => {
            let x = view.floats().expect("float64 is a column of floats");
            let nearest = |x, ()| f64::from(Float::new(x).to_f32()) + 0.0;
            (Column::Float(zip(n_rows, x, unit, nearest)), Vec::new())
        }
        (Type::Int64, Type::Decimal(to)) => {
            let x = view.ints().expect("int64 is a column of integers");
            rescale(n_rows, |at| i128::from(x.at(at)), (0, *to), mask, frame)
        }
        (Type::Decimal(from), Type::Decimal(to)) => {
            let x = view.decimals().expect("a decimal is a column of decimals");
            rescale(n_rows, |at| x.at(at), (*from, *to), mask, frame)
        }
        (Type::Decimal(scale), Type::Float64) => {
            let x = view.decimals().expect("a decimal is a column of decimals");
            let to_float = |x, ()| normal(scalar::decimal_to_float(x, *scale));
            (Column::Float(zip(n_rows, x, unit, to_float)), Vec::new())
        }
        _ => {
            let mut values = Column::with_capacity(target, n_rows);
            let mut own = Vec::new();
            let mut failed = operand.errors.iter().map(|(position, _)| *position).peekable();
            for position in 0..n_rows {
                let has_failed = failed.next_if_eq(&position).is_some();
                if has_failed || !presence.at(position) {
                    values.push_default();
                    continue;
                }
                match scalar::cast(&view.value(position, source), source, target) {
                    Ok(value) => values.push(&value),
                    Err(failure) => {
                        values.push_default();
                        own.push((position, failure.at(frame.place)));
                    }
                }
            }
            (values, own)
        }
    };
    let errors = merge_errors(operand.errors, own);
    Output::of(with_presence(values, present, frame.ty), errors)
}

fn rescale(
    n_rows: usize,
    units: impl Fn(usize) -> i128,
    (from, to): (u8, u8),
    present: Option<&[bool]>,
    frame: &Frame<'_>,
) -> (Column, RowErrors) {
    let factor = arqon_types::pow10(u32::from(to.abs_diff(from))).expect("38 digits at most");
    let mut failed = false;
    let mut values: Vec<i128> = (0..n_rows)
        .map(|at| {
            let units = units(at);
            let (value, bad) = if to < from {
                (units / factor, units % factor != 0)
            } else {
                match (i64::try_from(units), i64::try_from(factor)) {
                    (Ok(a), Ok(b)) => (i128::from(a) * i128::from(b), false),
                    _ => units.overflowing_mul(factor),
                }
            };
            failed |= bad;
            value
        })
        .collect();
    let check = |at: usize| scalar::rescale_checked(units(at), from, to).err();
    let errors = if failed { frame.failures(&mut values, present, check) } else { Vec::new() };
    (Column::Decimal(values), errors)
}

/// A plain column becomes an option; nothing else changes.
fn with_option<'a>(operand: Output<'a>, frame: &Frame<'_>) -> Output<'a> {
    let Cells::Column(column) = operand.cells else { return operand };
    let cells = match column.as_ref() {
        Column::Option { .. } => Cells::Column(column),
        _ => Cells::Column(Cow::Owned(with_presence(column.into_owned(), None, frame.ty))),
    };
    Output { cells, errors: operand.errors }
}
