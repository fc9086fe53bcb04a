//! Expressions over batches: the values of all rows, and the faults of some.

use std::collections::BTreeMap;

use arqon_operators::{EvalError, Expr, eval};
use arqon_types::{Column, ColumnBatch, Row, Type, Value};

use crate::recorder::Fault;

/// The first fault of each row that has one.
pub(crate) type Faults = BTreeMap<u32, Fault>;

impl From<EvalError> for Fault {
    fn from(error: EvalError) -> Self {
        Self {
            code: error.code.as_str().into(),
            message: error.message.into_owned(),
            place: error.place,
        }
    }
}

/// An expression ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Formula {
    expr: Expr,
}

impl Formula {
    /// Prepares `expr`.
    pub(crate) fn new(expr: &Expr) -> Self {
        Self { expr: expr.clone() }
    }

    /// Prepares all of `exprs`.
    pub(crate) fn all<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Vec<Self> {
        exprs.into_iter().map(Self::new).collect()
    }

    /// The type of the values.
    pub(crate) fn ty(&self) -> &Type {
        &self.expr.ty
    }

    /// The values of all rows; those of rows in `faults` mean nothing.
    pub(crate) fn column(&self, batch: &ColumnBatch, faults: &mut Faults) -> Column {
        let mut column = Column::with_capacity(&self.expr.ty, batch.len());
        for row_idx in 0..batch.len() {
            match eval(&self.expr, &row_of(&self.expr, batch, row_idx)) {
                Ok(value) => column.push(&value),
                Err(error) => {
                    column.push_default();
                    let at = u32::try_from(row_idx).expect("batches are bounded");
                    faults.entry(at).or_insert_with(|| error.into());
                }
            }
        }
        column
    }

    /// The rows for which this condition is true; rows in `faults` are not among them.
    pub(crate) fn select(&self, batch: &ColumnBatch, faults: &mut Faults) -> Vec<u32> {
        let mut own = Faults::new();
        let Column::Bool(truth) = self.column(batch, &mut own) else {
            panic!("a condition is a bool")
        };
        let selected = (0_u32..).zip(truth).filter(|(_, truth)| *truth).map(|(at, _)| at).collect();
        for (at, fault) in own {
            faults.entry(at).or_insert(fault);
        }
        selected
    }
}

fn row_of(expr: &Expr, batch: &ColumnBatch, row_idx: usize) -> Row {
    let mut values = vec![Value::None; batch.columns.len()];
    fill(expr, batch, row_idx, &mut values);
    values.into()
}

fn fill(expr: &Expr, batch: &ColumnBatch, row_idx: usize, values: &mut [Value]) {
    use arqon_operators::ExprKind as K;
    let mut go = |expr: &Expr| fill(expr, batch, row_idx, values);
    match &expr.kind {
        K::Column(idx) => values[*idx] = batch.columns[*idx].value(row_idx, &expr.ty),
        K::Local(_) | K::Literal(_) => {}
        K::Field { of, .. } | K::Unary(_, of) | K::Try(of) | K::Cast(of) => go(of),
        K::Binary(_, a, b) => {
            go(a);
            go(b);
        }
        K::And(items) | K::Or(items) | K::List(items) | K::Struct(items) => {
            items.iter().for_each(go);
        }
        K::If { condition, then, otherwise } => {
            go(condition);
            go(then);
            go(otherwise);
        }
        K::In { of, items } => {
            go(of);
            items.iter().for_each(go);
        }
        K::Default { of, otherwise } => {
            go(of);
            go(otherwise);
        }
        K::Call { args, .. } => args.iter().for_each(go),
        K::Lambda { body, .. } => go(body),
    }
}
