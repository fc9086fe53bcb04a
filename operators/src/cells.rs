//! Intermediate results of vectorised evaluation: cells of many rows, or one value for all.
//!
//! Every cell holds a valid value of its type, also where the row has failed or an option is
//! absent, so that kernels run over all rows without looking; what they find there is dropped.

use std::borrow::Cow;

use arqon_types::{Column, ColumnBatch, StringColumn, Type, Value};

use crate::divisor::Divisor;
use crate::eval_error::EvalError;

/// Failed rows by their position among the evaluated rows, ascending, one failure a row.
pub type RowErrors = Vec<(usize, EvalError)>;

/// The rows that an expression is evaluated on.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    columns: &'a [Column],
    count: usize,
    selection: Option<&'a [u32]>,
}

impl<'a> Rows<'a> {
    /// All rows of a batch.
    pub fn all(batch: &'a ColumnBatch) -> Self {
        Self { columns: &batch.columns, count: batch.len(), selection: None }
    }

    /// All rows of bare columns; the count is needed where there is no column.
    pub fn of_columns(columns: &'a [Column], n_rows: usize) -> Self {
        Self { columns, count: n_rows, selection: None }
    }

    /// The rows of a batch that `selection` names, in its order.
    pub fn selected(batch: &'a ColumnBatch, selection: &'a [u32]) -> Self {
        Self { columns: &batch.columns, count: selection.len(), selection: Some(selection) }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many rows, if they are all of a batch.
    pub(crate) fn n_unselected(&self) -> Option<u32> {
        let is_whole = self.selection.is_none();
        is_whole.then(|| index(self.count))
    }

    /// Where the row at `position` stands in the columns.
    pub(crate) fn row_idx(&self, position: usize) -> usize {
        self.selection.map_or(position, |selection| selection[position] as usize)
    }

    pub(crate) fn column(&self, idx: usize) -> Cells<'a> {
        let column = &self.columns[idx];
        Cells::Column(match self.selection {
            None => Cow::Borrowed(column),
            Some(selection) => Cow::Owned(column.gather(selection)),
        })
    }

    pub(crate) fn plain_columns(&self) -> &'a [Column] {
        self.columns
    }

    /// The row indices of these positions, for [`Rows::narrowed`].
    pub(crate) fn row_indices(&self, positions: &[u32]) -> Vec<u32> {
        match self.selection {
            None => positions.to_vec(),
            Some(selection) => positions.iter().map(|at| selection[*at as usize]).collect(),
        }
    }

    pub(crate) fn narrowed<'s>(&self, row_indices: &'s [u32]) -> Rows<'s>
    where
        'a: 's,
    {
        Rows { columns: self.columns, count: row_indices.len(), selection: Some(row_indices) }
    }
}

/// Values of all evaluated rows.
#[derive(Debug)]
pub(crate) enum Cells<'a> {
    /// The same for every row.
    Constant(Value),
    Column(Cow<'a, Column>),
}

/// Cells and the rows that have failed.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    pub(crate) cells: Cells<'a>,
    pub(crate) errors: RowErrors,
}

impl Output<'_> {
    pub(crate) fn of(column: Column, errors: RowErrors) -> Self {
        Output { cells: Cells::Column(Cow::Owned(column)), errors }
    }

    pub(crate) fn constant(value: Value, errors: RowErrors) -> Self {
        Output { cells: Cells::Constant(value), errors }
    }
}

/// Which rows have a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Presence<'a> {
    All,
    Nowhere,
    Mask(&'a [bool]),
}

/// Values without their option.
#[derive(Debug, Clone, Copy)]
pub(crate) enum View<'a> {
    Constant(&'a Value),
    Column(&'a Column),
}

impl<'a> Cells<'a> {
    /// As a column of `ty`.
    pub(crate) fn into_column(self, ty: &Type, n_rows: usize) -> Cow<'a, Column> {
        match self {
            Self::Column(column) => column,
            Self::Constant(value) => Cow::Owned(broadcast(&value, ty, n_rows)),
        }
    }

    /// The same cells, borrowed.
    pub(crate) fn reborrow(&self) -> Cells<'_> {
        match self {
            Self::Constant(value) => Cells::Constant(value.clone()),
            Self::Column(column) => Cells::Column(Cow::Borrowed(column)),
        }
    }

    /// Presence and plain values apart.
    pub(crate) fn split(&self) -> (Presence<'_>, View<'_>) {
        match self {
            Self::Constant(value @ Value::None) => (Presence::Nowhere, View::Constant(value)),
            Self::Constant(value) => (Presence::All, View::Constant(value)),
            Self::Column(column) => match column.as_ref() {
                Column::Option { present, values } => {
                    (Presence::Mask(present), View::Column(values))
                }
                plain => (Presence::All, View::Column(plain)),
            },
        }
    }

    /// The value of one row, read as `ty`.
    pub(crate) fn value(&self, position: usize, ty: &Type) -> Value {
        match self {
            Self::Constant(value) => value.clone(),
            Self::Column(column) => column.value(position, ty),
        }
    }
}

impl Presence<'_> {
    #[inline]
    pub(crate) fn at(self, position: usize) -> bool {
        match self {
            Self::All => true,
            Self::Nowhere => false,
            Self::Mask(mask) => mask[position],
        }
    }

    /// Rows that are present on both sides; none for all of them.
    pub(crate) fn and(self, other: Presence<'_>, n_rows: usize) -> Option<Vec<bool>> {
        match (self, other) {
            (Self::All, Presence::All) => None,
            (Self::Nowhere, _) | (_, Presence::Nowhere) => Some(vec![false; n_rows]),
            (Self::Mask(mask), Presence::All) => Some(mask.to_vec()),
            (Self::All, Presence::Mask(mask)) => Some(mask.to_vec()),
            (Self::Mask(a), Presence::Mask(b)) => {
                Some(a.iter().zip(b).map(|(a, b)| *a && *b).collect())
            }
        }
    }
}

/// One value for all rows, or a slice with one for each.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operand<'a, T> {
    Constant(T),
    Slice(&'a [T]),
}

impl<T: Copy> Operand<'_, T> {
    #[inline]
    pub(crate) fn at(&self, position: usize) -> T {
        match self {
            Self::Constant(value) => *value,
            Self::Slice(values) => values[position],
        }
    }
}

impl Operand<'_, i64> {
    /// What all rows are divided by, if that is one number with a reciprocal.
    pub(crate) fn divisor(self) -> Option<Operand<'static, Divisor>> {
        match self {
            Self::Constant(value) => Divisor::new(value).map(Operand::Constant),
            Self::Slice(_) => None,
        }
    }
}

/// Texts of all rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Texts<'a> {
    Constant(&'a str),
    Column(&'a StringColumn),
}

impl<'a> Texts<'a> {
    #[inline]
    pub(crate) fn bytes(&self, position: usize) -> &'a [u8] {
        match self {
            Self::Constant(text) => text.as_bytes(),
            Self::Column(column) => column.bytes(position),
        }
    }

    #[inline]
    pub(crate) fn text(&self, position: usize) -> &'a str {
        match self {
            Self::Constant(text) => text,
            Self::Column(column) => column.get(position),
        }
    }
}

impl<'a> View<'a> {
    pub(crate) fn ints(self) -> Option<Operand<'a, i64>> {
        match self {
            Self::Column(Column::Int(values)) => Some(Operand::Slice(values)),
            Self::Constant(Value::Int(x) | Value::Timestamp(x) | Value::Duration(x)) => {
                Some(Operand::Constant(*x))
            }
            Self::Constant(Value::Date(days)) => Some(Operand::Constant(i64::from(*days))),
            Self::Constant(Value::Enum(idx)) => Some(Operand::Constant(i64::from(*idx))),
            _ => None,
        }
    }

    pub(crate) fn floats(self) -> Option<Operand<'a, f64>> {
        match self {
            Self::Column(Column::Float(values)) => Some(Operand::Slice(values)),
            Self::Constant(Value::Float(x)) => Some(Operand::Constant(x.get())),
            _ => None,
        }
    }

    pub(crate) fn decimals(self) -> Option<Operand<'a, i128>> {
        match self {
            Self::Column(Column::Decimal(values)) => Some(Operand::Slice(values)),
            Self::Constant(Value::Decimal(x)) => Some(Operand::Constant(*x)),
            _ => None,
        }
    }

    pub(crate) fn uuids(self) -> Option<Operand<'a, u128>> {
        match self {
            Self::Column(Column::Uuid(values)) => Some(Operand::Slice(values)),
            Self::Constant(Value::Uuid(x)) => Some(Operand::Constant(*x)),
            _ => None,
        }
    }

    pub(crate) fn bools(self) -> Option<Operand<'a, bool>> {
        match self {
            Self::Column(Column::Bool(values)) => Some(Operand::Slice(values)),
            Self::Constant(Value::Bool(x)) => Some(Operand::Constant(*x)),
            _ => None,
        }
    }

    pub(crate) fn texts(self) -> Option<Texts<'a>> {
        match self {
            Self::Column(Column::String(values)) => Some(Texts::Column(values)),
            Self::Constant(Value::String(text)) => Some(Texts::Constant(text)),
            _ => None,
        }
    }

    /// The value of one row; `ty` is no option.
    pub(crate) fn value(self, position: usize, ty: &Type) -> Value {
        match self {
            Self::Constant(value) => value.clone(),
            Self::Column(column) => column.value(position, ty),
        }
    }
}

/// `n_rows` times the same value.
pub(crate) fn broadcast(value: &Value, ty: &Type, n_rows: usize) -> Column {
    let mut column = Column::with_capacity(ty, n_rows);
    for _ in 0..n_rows {
        column.push(value);
    }
    column
}

/// `values` as a column of an option if `present` says so.
pub(crate) fn with_presence(values: Column, present: Option<Vec<bool>>, ty: &Type) -> Column {
    match (present, ty.is_option()) {
        (Some(present), _) => Column::Option { present, values: Box::new(values) },
        (None, true) => {
            Column::Option { present: vec![true; values.len()], values: Box::new(values) }
        }
        (None, false) => values,
    }
}

/// Both lists of failures; where a row stands in both, the first list's.
pub(crate) fn merge_errors(first: RowErrors, second: RowErrors) -> RowErrors {
    if second.is_empty() {
        return first;
    }
    if first.is_empty() {
        return second;
    }
    let mut merged = Vec::with_capacity(first.len() + second.len());
    let mut rest = second.into_iter().peekable();
    for (position, error) in first {
        while let Some(earlier) = rest.next_if(|(other, _)| *other < position) {
            merged.push(earlier);
        }
        rest.next_if(|(other, _)| *other == position);
        merged.push((position, error));
    }
    merged.extend(rest);
    merged
}

/// A row's index as selections hold it.
pub(crate) fn index(row_idx: usize) -> u32 {
    u32::try_from(row_idx).expect("a batch has fewer than 2^32 rows")
}
