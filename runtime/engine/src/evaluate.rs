//! Expressions over batches: the values of all rows, and the faults of some.

use std::collections::BTreeMap;

use arqon_operators::{BinaryOp, Expr, ExprKind};
use arqon_types::{Column, ColumnBatch, Type, Value};

use crate::recorder::Fault;

/// The first fault of each row that has one.
pub(crate) type Faults = BTreeMap<u32, Fault>;

/// The column of `expr` over all rows; rows in `faults` hold a default.
pub(crate) fn evaluate(expr: &Expr, batch: &ColumnBatch, faults: &mut Faults) -> Column {
    if let ExprKind::Column(idx) = &expr.kind {
        return batch.columns[*idx].clone();
    }
    let mut column = Column::with_capacity(&expr.ty, batch.len());
    for row_idx in 0..batch.len() {
        match evaluate_row(expr, batch, row_idx) {
            Ok(value) => column.push(&value),
            Err(fault) => {
                column.push_default();
                let at = u32::try_from(row_idx).expect("batches are bounded");
                faults.entry(at).or_insert(fault);
            }
        }
    }
    column
}

fn evaluate_row(expr: &Expr, batch: &ColumnBatch, row_idx: usize) -> Result<Value, Fault> {
    let overflow = || Fault {
        code: "overflow".into(),
        message: "the result is outside of int64".to_owned(),
        place: expr.place,
    };
    match &expr.kind {
        ExprKind::Column(idx) => Ok(batch.columns[*idx].value(row_idx, &expr.ty)),
        ExprKind::Literal(value) => Ok(value.clone()),
        ExprKind::Binary(op, left, right) => {
            let left = evaluate_row(left, batch, row_idx)?;
            let right = evaluate_row(right, batch, row_idx)?;
            match op {
                BinaryOp::Equal => return Ok(Value::Bool(left == right)),
                BinaryOp::NotEqual => return Ok(Value::Bool(left != right)),
                BinaryOp::Less => return Ok(Value::Bool(left < right)),
                BinaryOp::LessEqual => return Ok(Value::Bool(left <= right)),
                BinaryOp::Greater => return Ok(Value::Bool(left > right)),
                BinaryOp::GreaterEqual => return Ok(Value::Bool(left >= right)),
                _ => {}
            }
            let (Value::Int(left), Value::Int(right)) = (left, right) else {
                panic!("arithmetic is on integers here")
            };
            let result = match op {
                BinaryOp::Add => left.checked_add(right),
                BinaryOp::Subtract => left.checked_sub(right),
                BinaryOp::Multiply => left.checked_mul(right),
                BinaryOp::Remainder => left.checked_rem(right),
                other => panic!("{other:?} is not evaluated here"),
            };
            result.map(Value::Int).ok_or_else(overflow)
        }
        other => panic!("{other:?} is not evaluated here"),
    }
}

/// The truth of each row; a faulty row is false.
pub(crate) fn evaluate_condition(
    expr: &Expr,
    batch: &ColumnBatch,
    faults: &mut Faults,
) -> Vec<bool> {
    assert_eq!(expr.ty, Type::Bool, "a condition is a bool");
    match evaluate(expr, batch, faults) {
        Column::Bool(truth) => truth,
        other => panic!("a condition gave {other:?}"),
    }
}
