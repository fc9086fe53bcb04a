//! On the way to a stateful operator: rows are projected to a packed key and a packed value.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use arqon_operators::Expr;
use arqon_plan::{JoinSide, NoneInKey};
use arqon_types::{Column, ColumnBatch, PackedRow, Schema, Type, is_word};

use crate::batch::{Batches, Keyed, KeyedRows, Moment};
use crate::evaluate::{Faults, Formula};
use crate::packed::Packed;
use crate::recorder::{Meter, row_text};

/// The expressions of a key, and the types in which it is packed.
#[derive(Debug, Clone)]
pub(crate) struct KeyShape {
    /// Over the input row.
    pub(crate) formulas: Vec<Formula>,
    /// An option here packs a plain value as a present one. A plain type packs the value of an
    /// option as a plain one, where rows with `none` are dropped.
    pub(crate) types: Vec<Type>,
    /// What becomes of a row with `none` in its key.
    pub(crate) none: NoneInKey,
}

impl KeyShape {
    /// A key that is packed as its expressions are typed, with `none` as a value.
    pub(crate) fn plain(exprs: &[Expr]) -> Self {
        Self {
            formulas: Formula::all(exprs),
            types: exprs.iter().map(|expr| expr.ty.clone()).collect(),
            none: NoneInKey::Value,
        }
    }

    /// Whether the key of every row is a number.
    pub(crate) fn is_word(&self) -> bool {
        is_word(&self.types) && self.formulas.iter().all(|formula| !formula.ty().is_option())
    }

    /// Whether the key is this field of the row.
    pub(crate) fn is_field(&self, idx: usize) -> bool {
        matches!(self.formulas.as_slice(), [only] if only.field() == Some(idx))
    }

    /// The columns of the key.
    fn columns<'b>(&self, rows: &'b ColumnBatch, faults: &mut Faults) -> Vec<Cow<'b, Column>> {
        self.formulas.iter().map(|formula| formula.column(rows, faults)).collect()
    }

    /// The key of a row; none where `none` drops it.
    fn pack(&self, columns: &[Cow<'_, Column>], row_idx: usize) -> Option<PackedRow> {
        let mut packed = PackedRow::new();
        let mut has_none = false;
        for ((column, formula), ty) in columns.iter().zip(&self.formulas).zip(&self.types) {
            if let Column::Option { present, values } = &**column {
                has_none |= !present[row_idx];
                // Where such rows are dropped, a value that is there is packed as a plain one.
                if !ty.is_option() {
                    packed.push_cell(values, row_idx, ty);
                    continue;
                }
            }
            if ty.is_option() && !formula.ty().is_option() {
                packed.push_bytes(&[1]);
            }
            packed.push_cell(column, row_idx, formula.ty());
        }
        match self.none {
            NoneInKey::Drop if has_none => return None,
            // A key that only rows of this side have.
            NoneInKey::Apart(JoinSide::Left) if has_none => packed.push_bytes(&[0]),
            NoneInKey::Apart(JoinSide::Right) if has_none => packed.push_bytes(&[1]),
            NoneInKey::Value | NoneInKey::Drop | NoneInKey::Apart(_) => {}
        }
        Some(packed)
    }

    /// Fields of the row as key.
    pub(crate) fn fields(fields: &[usize], types: &[Type]) -> Self {
        let exprs: Vec<Expr> =
            fields.iter().map(|at| Expr::column(*at, types[*at].clone())).collect();
        Self::plain(&exprs)
    }
}

/// How a row becomes the value beside its key: one packed row per row of the batch; rows in the
/// faults get any.
pub(crate) type PackValue<V = PackedRow> = Box<dyn Fn(&ColumnBatch, &mut Faults) -> Vec<V>>;

/// The whole row as value.
pub(crate) fn pack_whole(types: Vec<Type>) -> PackValue {
    Box::new(move |batch, _| {
        (0..batch.len()).map(|row_idx| pack_columns(&batch.columns, &types, row_idx)).collect()
    })
}

/// Some fields of the row as value.
pub(crate) fn pack_fields<V: Packed>(fields: Vec<usize>, types: Vec<Type>) -> PackValue<V> {
    if fields.is_empty() {
        return pack_nothing();
    }
    Box::new(move |batch, _| {
        if let [only] = fields.as_slice()
            && let Some(values) = pack_ints(&batch.columns[*only], &types)
        {
            return values;
        }
        let pack = |row_idx| {
            let mut packed = PackedRow::new();
            for (at, ty) in fields.iter().zip(&types) {
                packed.push_cell(&batch.columns[*at], row_idx, ty);
            }
            V::from_row(packed)
        };
        (0..batch.len()).map(pack).collect()
    })
}

/// No value.
pub(crate) fn pack_nothing<V: Packed>() -> PackValue<V> {
    Box::new(|batch, _| vec![V::default(); batch.len()])
}

/// One row of columns of `types`, packed.
pub(crate) fn pack_columns(columns: &[Column], types: &[Type], row_idx: usize) -> PackedRow {
    let mut packed = PackedRow::new();
    for (column, ty) in columns.iter().zip(types) {
        packed.push_cell(column, row_idx, ty);
    }
    packed
}

/// A column of integers, where those make rows of this form.
pub(crate) fn pack_ints<V: Packed>(column: &Column, types: &[Type]) -> Option<Vec<V>> {
    match column {
        Column::Int(values) if is_word(types) => V::from_ints(values),
        _ => None,
    }
}

/// How the rows of a batch become few, each with the place of a row that has its key; none where
/// they stay as they are. Given are the columns of the key.
pub(crate) type AddUp<V> =
    Box<dyn Fn(&[Cow<'_, Column>], &ColumnBatch, &mut Faults) -> Option<Vec<(usize, V)>>>;

/// How rows become keys and values.
pub(crate) struct Packer<K, V> {
    schema: Arc<Schema>,
    key: KeyShape,
    value: PackValue<V>,
    add_up: AddUp<V>,
    meter: Meter,
    of: PhantomData<K>,
}

impl<K: Packed, V: Packed> Packer<K, V> {
    /// For rows of this schema.
    pub(crate) fn new(
        schema: Arc<Schema>,
        key: KeyShape,
        value: PackValue<V>,
        meter: Meter,
    ) -> Self {
        let add_up: AddUp<V> = Box::new(|_, _, _| None);
        Self { schema, key, value, add_up, meter, of: PhantomData }
    }

    /// The same of rows that are added up where that pays.
    pub(crate) fn adding_up(self, add_up: AddUp<V>) -> Self {
        Self { add_up, ..self }
    }

    /// Evaluates keys and values, and gives them with their diffs; rows with a fault go to the
    /// node's errors.
    pub(crate) fn pack(&self, epoch: u64, rows: &ColumnBatch, mut give: impl FnMut((K, V), i64)) {
        let mut faults = Faults::new();
        let columns = self.key.columns(rows, &mut faults);
        let added = (self.add_up)(&columns, rows, &mut faults);
        let values = match added {
            Some(_) => Vec::new(),
            None => (self.value)(rows, &mut faults),
        };
        for (at, fault) in &faults {
            let row_idx = *at as usize;
            let row = row_text(&self.schema, rows, row_idx);
            self.meter.fault(epoch, fault, row, rows.diffs[row_idx]);
        }
        self.meter.count(epoch, |counts| counts.input.add_all(&rows.diffs));
        if let Some(added) = added {
            self.meter.count(epoch, |counts| counts.touched += rows.len() as u64);
            for (row_idx, value) in added {
                if let Some(key) = self.key.pack(&columns, row_idx) {
                    give((K::from_row(key), value), 1);
                }
            }
            return;
        }
        let (ints, present): (Option<Vec<K>>, Option<&[bool]>) = match columns.as_slice() {
            [only] => match &**only {
                Column::Option { present, values } => {
                    (pack_ints(values, &self.key.types), Some(present))
                }
                plain => (pack_ints(plain, &self.key.types), None),
            },
            _ => (None, None),
        };
        let is_there = |row_idx: usize| present.is_none_or(|present| present[row_idx]);
        let mut next_fault = faults.keys().copied().peekable();
        for ((row_idx, value), diff) in values.into_iter().enumerate().zip(&rows.diffs) {
            if next_fault.next_if(|at| *at as usize == row_idx).is_some() {
                continue;
            }
            let key = match &ints {
                Some(keys) => is_there(row_idx).then(|| keys[row_idx].clone()),
                None => self.key.pack(&columns, row_idx).map(K::from_row),
            };
            if let Some(key) = key {
                give((key, value), *diff);
            }
        }
    }

    /// As a stream of its own.
    pub(crate) fn render<T: Moment>(self, input: Batches<'_, T>) -> KeyedRows<'_, T, K, V> {
        input.unary::<CapacityContainerBuilder<Vec<Keyed<T, K, V>>>, _, _, _>(
            Pipeline,
            "Key",
            move |_, _| {
                move |input, output| {
                    input.for_each(|capability, batch| {
                        let time = batch.time.clone();
                        let rows = std::mem::take(&mut batch.rows);
                        let capability = capability.delayed(&time, 0);
                        let mut session = output.session(&capability);
                        self.pack(time.epoch(), &rows, |row, diff| {
                            session.give((row, time.clone(), diff));
                        });
                    });
                }
            },
        )
    }
}

/// Evaluates keys and values; rows with a fault go to the node's errors.
pub(crate) fn key_rows<T: Moment, K: Packed, V: Packed>(
    input: Batches<'_, T>,
    schema: Arc<Schema>,
    key: KeyShape,
    value: PackValue<V>,
    meter: Meter,
) -> KeyedRows<'_, T, K, V> {
    Packer::new(schema, key, value, meter).render(input)
}

/// Rows on their way to a stateful operator.
pub(crate) enum Incoming<'scope, K = PackedRow, V = PackedRow> {
    /// Columns, and how they are packed.
    Columns(Batches<'scope>, Packer<K, V>),
    /// Packed rows.
    Packed(KeyedRows<'scope, u64, K, V>),
}

impl<'scope, K: Packed, V: Packed> Incoming<'scope, K, V> {
    /// The same with other columns, where they are not packed yet.
    pub(crate) fn map_columns(self, map: impl FnOnce(Batches<'scope>) -> Batches<'scope>) -> Self {
        match self {
            Self::Columns(rows, packer) => Self::Columns(map(rows), packer),
            Self::Packed(rows) => Self::Packed(rows),
        }
    }

    /// All of them packed.
    pub(crate) fn packed(self) -> KeyedRows<'scope, u64, K, V> {
        match self {
            Self::Columns(rows, packer) => packer.render(rows),
            Self::Packed(rows) => rows,
        }
    }
}
