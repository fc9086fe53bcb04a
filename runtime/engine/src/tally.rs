//! Rows of few groups are added up before they travel: a state for each group of a batch, where
//! there was a packed row for each row.
//!
//! A state stands where else the values of a row do, and is told from those by its first byte. That
//! is possible where all that the aggregates remember adds up, and where no row begins so.

use arqon_operators::GroupPlan;
use arqon_types::{Column, ColumnBatch, PackedRow, Type};

use crate::evaluate::Faults;
use crate::kinds::kinds;
use crate::packed::Packed;

/// The byte that a state begins with.
const MARK: u8 = 0xFF;
/// Rows below which a batch is not worth it.
const ROWS_MIN: usize = 256;
/// Groups of a batch up to which they are.
const GROUPS_MAX: usize = 64;

/// Whether states of a plan can stand where the values of rows do.
pub(crate) fn can_tally(plan: &GroupPlan) -> bool {
    let is_word = |ty: &Type| matches!(ty, Type::Int64 | Type::Timestamp | Type::Duration);
    let first_differs = match plan.inputs().first().map(|first| &first.ty) {
        // Their first bytes are below the mark.
        None | Some(Type::Bool | Type::Decimal(_) | Type::String | Type::Option(_)) => true,
        // Their lengths are multiples of eight, and a state is a byte longer.
        Some(_) => plan.inputs().iter().all(|input| is_word(&input.ty)),
    };
    plan.adds_up() && first_differs
}

/// The state of many rows that stands in the place of a row, if it is one.
pub(crate) fn tally_in<R>(value: &impl Packed, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
    value.with_bytes(|bytes| match bytes {
        [MARK, state @ ..] if !state.is_empty() && state.len().is_multiple_of(8) => {
            Some(read(state))
        }
        _ => None,
    })
}

/// The groups of a batch, each with the place of its first row and the state of all its rows as
/// [`tally_in`] knows it; none if there are too many groups, or too few rows. `columns` are what
/// the aggregates read, and rows in the faults are not looked at.
pub(crate) fn tallied(
    plan: &GroupPlan,
    batch: &ColumnBatch,
    (keys, columns): (&Groups, &[&Column]),
    faults: &Faults,
) -> Vec<(usize, PackedRow)> {
    let mut states: Vec<_> = (0..keys.n_groups).map(|_| None).collect();
    let mut next_fault = faults.keys().copied().peekable();
    for (row_idx, (group, diff)) in keys.places.iter().zip(&batch.diffs).enumerate() {
        if next_fault.next_if(|at| *at as usize == row_idx).is_some() {
            continue;
        }
        let state = &mut states[usize::from(*group)];
        let (_, state) = state.get_or_insert_with(|| (row_idx, plan.new_state()));
        state.update(plan, columns, row_idx, *diff);
    }
    let packed = states.into_iter().flatten().map(|(row_idx, state)| {
        let mut packed = PackedRow::new();
        packed.push_bytes(&[MARK]);
        state.pack(&mut packed);
        (row_idx, packed)
    });
    packed.collect()
}

/// Which group each row of a batch is of.
pub(crate) struct Groups {
    places: Vec<u8>,
    n_groups: usize,
}

impl Groups {
    /// By the columns of a key, if there are few groups.
    pub(crate) fn of<'c>(n_rows: usize, columns: impl Iterator<Item = &'c Column>) -> Option<Self> {
        if n_rows < ROWS_MIN {
            return None;
        }
        let mut groups = Self { places: vec![0; n_rows], n_groups: 1 };
        for column in columns {
            let (n_kinds, places) = kinds_of(column)?;
            groups.n_groups *= n_kinds;
            if GROUPS_MAX < groups.n_groups {
                return None;
            }
            let n_kinds = u8::try_from(n_kinds).ok()?;
            for (group, place) in groups.places.iter_mut().zip(places) {
                *group = *group * n_kinds + place;
            }
        }
        Some(groups)
    }
}

/// How many kinds of values a column has, and the place of each value among them.
fn kinds_of(column: &Column) -> Option<(usize, Vec<u8>)> {
    fn counted<T: PartialEq>(values: impl ExactSizeIterator<Item = T>) -> Option<(usize, Vec<u8>)> {
        kinds(values).map(|(kinds, places)| (kinds.len(), places))
    }
    match column {
        Column::Int(values) => counted(values.iter()),
        Column::Decimal(values) => counted(values.iter()),
        Column::Bool(values) => counted(values.iter()),
        Column::String(texts) => counted((0..texts.len()).map(|row_idx| texts.bytes(row_idx))),
        Column::Option { present, values } => match &**values {
            Column::Int(values) => counted(present.iter().zip(values)),
            Column::Bool(values) => counted(present.iter().zip(values)),
            Column::String(texts) => {
                let texts = (0..texts.len()).map(|row_idx| texts.bytes(row_idx));
                counted(present.iter().zip(texts))
            }
            _ => None,
        },
        Column::Float(_)
        | Column::Uuid(_)
        | Column::Bytes(_)
        | Column::Tensor(_)
        | Column::List { .. }
        | Column::Struct { .. } => None,
    }
}
