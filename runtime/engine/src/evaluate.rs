//! Expressions over batches: the values of all rows, and the faults of some.

use std::borrow::Cow;
use std::collections::BTreeMap;

use arqon_operators::{EvalError, Evaluated, Expr, Program, RowErrors, Rows, Selected};
use arqon_types::{Column, ColumnBatch, Type};

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
    program: Program,
}

impl Formula {
    /// Prepares `expr`.
    pub(crate) fn new(expr: &Expr) -> Self {
        Self { program: Program::new(expr) }
    }

    /// Prepares all of `exprs`.
    pub(crate) fn all<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Vec<Self> {
        exprs.into_iter().map(Self::new).collect()
    }

    /// The field that it is, if it is one as it stands.
    pub(crate) fn field(&self) -> Option<usize> {
        self.program.column()
    }

    /// The type of the values.
    pub(crate) fn ty(&self) -> &Type {
        self.program.ty()
    }

    /// The values of all rows; those of rows in `faults` mean nothing.
    pub(crate) fn column<'a>(
        &self,
        batch: &'a ColumnBatch,
        faults: &mut Faults,
    ) -> Cow<'a, Column> {
        let Evaluated { column, errors } = self.program.evaluate(Rows::all(batch));
        note(errors, faults);
        column
    }

    /// The rows for which this condition is true; rows that fail are not among them.
    pub(crate) fn select(&self, batch: &ColumnBatch, faults: &mut Faults) -> Vec<u32> {
        let Selected { selection, errors } = self.program.select(Rows::all(batch));
        note(errors, faults);
        selection
    }
}

fn note(errors: RowErrors, faults: &mut Faults) {
    for (row_idx, error) in errors {
        let at = u32::try_from(row_idx).expect("a batch has fewer than 2^32 rows");
        faults.entry(at).or_insert_with(|| error.into());
    }
}
