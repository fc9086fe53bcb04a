//! Rows of few groups are added up before they travel: a state for each group of a batch, where
//! there was a packed row for each row. Few are a quarter of the rows; where there are some dozens,
//! their kinds of values tell them apart, and else a table does.
//!
//! A state stands where else the values of a row do, and is told from those by its first byte. That
//! is possible where all that the aggregates remember adds up, and where no row begins so.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use arqon_operators::{GroupPlan, GroupState, TallyRows};
use arqon_types::{Column, ColumnBatch, PackedRow, Type};

use crate::evaluate::Faults;
use crate::kinds::{Kind, kinds, texts};
use crate::packed::Packed;

/// The byte that a state begins with.
const MARK: u8 = 0xFF;
/// Rows below which a batch is not worth it.
const ROWS_MIN: usize = 256;
/// Groups of a batch up to which the kinds of their values tell them apart.
const KINDS_MAX: usize = 64;
/// Rows of a group, in the mean, from which a state for all of them is worth it.
const GROUP_ROWS_MIN: usize = 4;
/// Rows after which groups are counted for the first time.
const TRIED_ROWS: usize = 1024;

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
    let states = if faults.is_empty() {
        let rows = TallyRows { columns, diffs: &batch.diffs, groups: &keys.places };
        plan.tally(rows, keys.n_groups)
    } else {
        one_by_one(plan, batch, (keys, columns), faults)
    };
    let packed = states.into_iter().flatten().map(|(row_idx, state)| {
        let mut packed = PackedRow::new();
        packed.push_bytes(&[MARK]);
        state.pack(&mut packed);
        (row_idx, packed)
    });
    packed.collect()
}

/// The same state by state, where some rows are not looked at.
fn one_by_one(
    plan: &GroupPlan,
    batch: &ColumnBatch,
    (keys, columns): (&Groups, &[&Column]),
    faults: &Faults,
) -> Vec<Option<(usize, GroupState)>> {
    let mut states: Vec<_> = (0..keys.n_groups).map(|_| None).collect();
    let mut next_fault = faults.keys().copied().peekable();
    for (row_idx, (group, diff)) in keys.places.iter().zip(&batch.diffs).enumerate() {
        if next_fault.next_if(|at| *at as usize == row_idx).is_some() {
            continue;
        }
        let state = &mut states[*group as usize];
        let (_, state) = state.get_or_insert_with(|| (row_idx, plan.new_state()));
        state.update(plan, columns, row_idx, *diff);
    }
    states
}

/// Which group each row of a batch is of.
pub(crate) struct Groups {
    places: Vec<u32>,
    n_groups: usize,
}

impl Groups {
    /// By the columns of a key, if there are few groups.
    pub(crate) fn of(n_rows: usize, columns: &[&Column]) -> Option<Self> {
        if n_rows < ROWS_MIN {
            return None;
        }
        Self::by_kinds(n_rows, columns).or_else(|| Self::by_hash(n_rows, columns))
    }

    /// The kinds of one column times those of the others.
    fn by_kinds(n_rows: usize, columns: &[&Column]) -> Option<Self> {
        let mut groups = Self { places: vec![0; n_rows], n_groups: 1 };
        for column in columns {
            let (n_kinds, places) = kinds_of(column)?;
            groups.n_groups *= n_kinds;
            if KINDS_MAX < groups.n_groups {
                return None;
            }
            let n_kinds = u32::try_from(n_kinds).ok()?;
            for (group, place) in groups.places.iter_mut().zip(places) {
                *group = *group * n_kinds + u32::from(place);
            }
        }
        Some(groups)
    }

    fn by_hash(n_rows: usize, columns: &[&Column]) -> Option<Self> {
        if !columns.iter().all(|column| has_hash(column)) {
            return None;
        }
        let hash = |row_idx: u32| {
            let mut hasher = FixedState::default().build_hasher();
            for column in columns {
                hash_cell(column, row_idx as usize, &mut hasher);
            }
            hasher.finish()
        };
        let is_same = |a: u32, b: u32| {
            columns.iter().all(|column| column.compare(a as usize, b as usize).is_eq())
        };
        let mut firsts: Vec<u32> = Vec::new();
        let mut table: HashTable<u32> = HashTable::new();
        let mut places = Vec::with_capacity(n_rows);
        for row_idx in 0..u32::try_from(n_rows).ok()? {
            let is_group = |group: &u32| is_same(firsts[*group as usize], row_idx);
            let again = |group: &u32| hash(firsts[*group as usize]);
            let group = match table.entry(hash(row_idx), is_group, again) {
                Entry::Occupied(group) => *group.get(),
                Entry::Vacant(place) => {
                    let group = u32::try_from(firsts.len()).ok()?;
                    place.insert(group);
                    firsts.push(row_idx);
                    group
                }
            };
            places.push(group);
            if places.len() == TRIED_ROWS && firsts.len() > TRIED_ROWS * 3 / 4 {
                return None;
            }
        }
        let n_groups = firsts.len();
        (n_groups * GROUP_ROWS_MIN <= n_rows).then_some(Self { places, n_groups })
    }
}

/// Whether equal values of a column are told apart by few bytes.
fn has_hash(column: &Column) -> bool {
    match column {
        Column::Int(_)
        | Column::Decimal(_)
        | Column::Bool(_)
        | Column::Uuid(_)
        | Column::Bytes(_)
        | Column::String(_) => true,
        Column::Option { values, .. } => has_hash(values),
        Column::Float(_) | Column::Tensor(_) | Column::List { .. } | Column::Struct { .. } => false,
    }
}

fn hash_cell(column: &Column, row_idx: usize, hasher: &mut impl Hasher) {
    match column {
        Column::Int(values) => hasher.write_i64(values[row_idx]),
        Column::Decimal(values) => hasher.write_i128(values[row_idx]),
        Column::Bool(values) => hasher.write_u8(u8::from(values[row_idx])),
        Column::Uuid(values) => hasher.write_u128(values[row_idx]),
        Column::Bytes(values) => hasher.write(values.get(row_idx)),
        Column::String(texts) => hasher.write(texts.bytes(row_idx)),
        Column::Option { present, values } if present[row_idx] => {
            hash_cell(values, row_idx, hasher);
        }
        Column::Option { .. } => hasher.write_u8(0),
        Column::Float(_) | Column::Tensor(_) | Column::List { .. } | Column::Struct { .. } => {
            unreachable!("such columns have no hash")
        }
    }
}

/// How many kinds of values a column has, and the place of each value among them.
fn kinds_of(column: &Column) -> Option<(usize, Vec<u8>)> {
    fn counted<T: Kind>(values: impl ExactSizeIterator<Item = T>) -> Option<(usize, Vec<u8>)> {
        kinds(values).map(|(kinds, places)| (kinds.len(), places))
    }
    match column {
        Column::Int(values) => counted(values.iter()),
        Column::Decimal(values) => counted(values.iter()),
        Column::Bool(values) => counted(values.iter()),
        Column::String(column) => counted(texts(column)),
        Column::Option { present, values } => match &**values {
            Column::Int(values) => counted(present.iter().zip(values)),
            Column::Bool(values) => counted(present.iter().zip(values)),
            Column::String(column) => counted(present.iter().zip(texts(column))),
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use arqon_types::Value;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Rows are of one group where their keys are equal, however many groups there are.
        #[test]
        fn groups_are_those_of_equal_keys(
            n_kinds in prop::sample::select(vec![1_i64, 5, 40, 300, 5000]),
            seeds in prop::collection::vec((0_i64..5000, any::<bool>()), 0..2000),
        ) {
            let keys: Vec<(String, Option<i64>)> = seeds
                .iter()
                .map(|(seed, is_there)| {
                    let kind = seed % n_kinds;
                    (format!("k{}", kind / 3), is_there.then_some(kind % 3))
                })
                .collect();
            let mut texts = Column::empty(&Type::String);
            let mut numbers = Column::empty(&Type::Int64.optional());
            for (text, number) in &keys {
                texts.push(&Value::string(text));
                numbers.push(&number.map_or(Value::None, Value::Int));
            }
            let n_groups = keys.iter().collect::<BTreeSet<_>>().len();
            match Groups::of(keys.len(), &[&texts, &numbers]) {
                None => prop_assert!(
                    keys.len() < ROWS_MIN || keys.len() < GROUP_ROWS_MIN * n_groups
                ),
                Some(groups) => {
                    let mut group_of = BTreeMap::new();
                    for (key, place) in keys.iter().zip(&groups.places) {
                        prop_assert_eq!(*group_of.entry(key).or_insert(*place), *place);
                    }
                    let places: BTreeSet<&u32> = group_of.values().collect();
                    prop_assert_eq!(places.len(), group_of.len(), "no two keys are one group");
                }
            }
        }
    }
}
