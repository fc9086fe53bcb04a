//! Aggregation: one row per group, computed from accumulators that forget exactly.

use std::borrow::Cow;
use std::sync::Arc;

use arqon_operators::{Glance, GroupPlan, GroupState};
use arqon_plan::Group;
use arqon_types::{Column, Field, PackedRow, Row, Schema, Type, is_word};

use crate::deltas::Delta;
use crate::emitter::Emitter;
use crate::evaluate::Formula;
use crate::keyed::{AddUp, PackValue, pack_ints};
use crate::memory::{signed, table_bytes};
use crate::open::OpenKeys;
use crate::packed::{Packed, int};
use crate::recorder::{Fault, packed_text};
use crate::source::PackedMap;
use crate::stateful::KeyLogic;
use crate::tally::{Groups, can_tally, tallied, tally_in};

/// The value by which a group without keys comes to be: no packed row is this byte alone.
const TICK: &[u8] = &[0xFF];

/// What both back ends need to know about a group step.
#[derive(Debug, Clone)]
pub(crate) struct GroupShape {
    plan: GroupPlan,
    input_types: Vec<Type>,
    n_keys: usize,
    /// The keys' fields, for error rows.
    key_schema: Schema,
    types: Vec<Type>,
    /// Whether states may come in the place of rows.
    tallies: bool,
}

/// A group's row, or why it has none.
pub(crate) type GroupRow = Result<PackedRow, Fault>;

impl GroupShape {
    /// The shape of a step whose output is of `schema`.
    pub(crate) fn new(group: &Group, schema: &Schema) -> Self {
        let fields: Vec<Field> = schema.fields[..group.keys.len()].to_vec();
        let plan = GroupPlan::new(&group.aggregates);
        Self {
            input_types: plan.inputs().iter().map(|input| input.ty.clone()).collect(),
            plan,
            n_keys: group.keys.len(),
            key_schema: Schema::new(Arc::clone(&schema.name), fields),
            types: schema.types(),
            tallies: false,
        }
    }

    /// The same where states come in the place of rows, if they can.
    pub(crate) fn tallying(self) -> Self {
        let tallies = !self.is_keyless() && can_tally(&self.plan);
        Self { tallies, ..self }
    }

    /// Adds rows up that are of few groups.
    pub(crate) fn add_up<V: Packed>(&self) -> AddUp<V> {
        if !self.tallies {
            return Box::new(|_, _, _| None);
        }
        let (plan, formulas) = (self.plan.clone(), Formula::all(self.plan.inputs()));
        Box::new(move |keys, batch, faults| {
            let keys: Vec<&Column> = keys.iter().map(AsRef::as_ref).collect();
            let groups = Groups::of(batch.len(), &keys)?;
            let columns: Vec<Cow<'_, Column>> =
                formulas.iter().map(|formula| formula.column(batch, faults)).collect();
            let columns: Vec<&Column> = columns.iter().map(AsRef::as_ref).collect();
            let states = tallied(&plan, batch, (&groups, &columns), faults);
            Some(states.into_iter().map(|(row_idx, state)| (row_idx, V::from_row(state))).collect())
        })
    }

    /// The value of a row without a row behind it: makes the group without keys exist.
    pub(crate) fn tick() -> PackedRow {
        let mut tick = PackedRow::new();
        tick.push_bytes(TICK);
        tick
    }

    /// Whether there is one group, which always exists.
    pub(crate) fn is_keyless(&self) -> bool {
        self.n_keys == 0
    }

    /// Whether what the aggregates read is a number.
    pub(crate) fn reads_word(&self) -> bool {
        is_word(&self.input_types)
    }

    /// Packs what the aggregates read.
    pub(crate) fn pack_value<V: Packed>(&self) -> PackValue<V> {
        let types = self.input_types.clone();
        let formulas = Formula::all(self.plan.inputs());
        Box::new(move |batch, faults| {
            let columns: Vec<Cow<'_, Column>> =
                formulas.iter().map(|formula| formula.column(batch, faults)).collect();
            if let [only] = columns.as_slice()
                && let Some(values) = pack_ints(only, &types)
            {
                return values;
            }
            let pack = |row_idx| {
                let mut packed = PackedRow::new();
                for (column, formula) in columns.iter().zip(&formulas) {
                    packed.push_cell(column, row_idx, formula.ty());
                }
                V::from_row(packed)
            };
            (0..batch.len()).map(pack).collect()
        })
    }

    /// What the aggregates read, as columns again; ticks and states have no row there.
    pub(crate) fn unpack<'a, V: Packed>(&self, values: impl Iterator<Item = &'a V>) -> Vec<Column> {
        let values = values.filter(|value| !is_tick(*value) && !self.is_state(*value));
        if self.reads_word() {
            return vec![Column::Int(values.map(int).collect())];
        }
        let mut columns: Vec<Column> = self.input_types.iter().map(Column::empty).collect();
        for value in values {
            value.with_bytes(|mut bytes| {
                for (column, ty) in columns.iter_mut().zip(&self.input_types) {
                    column.push_packed(&mut bytes, ty);
                }
            });
        }
        columns
    }

    /// Whether a value is the state of many rows.
    fn is_state(&self, value: &impl Packed) -> bool {
        self.tallies && tally_in(value, |_| ()).is_some()
    }

    /// Takes in the state of many rows, if the value is one, so many times; how many rows that are.
    fn merge(&self, state: &mut GroupState, (value, diff): (&impl Packed, i64)) -> Option<i64> {
        if !self.tallies {
            return None;
        }
        tally_in(value, |tally| (0..diff).map(|_| state.merge_packed(tally)).sum())
    }

    /// The row of a group that exists.
    pub(crate) fn finish(&self, key: &impl Packed, state: &GroupState) -> GroupRow {
        let values = state.finish(&self.plan)?;
        let mut packed = key.to_row();
        for (value, ty) in values.iter().zip(&self.types[self.n_keys..]) {
            packed.push_value(value, ty);
        }
        Ok(packed)
    }

    /// Whether a group of this state exists.
    pub(crate) fn exists(&self, state: &GroupState) -> bool {
        self.is_keyless() || state.n_rows() > 0
    }

    /// A group's fields for an error row.
    pub(crate) fn key_text(&self, key: &impl Packed) -> String {
        packed_text(&self.key_schema, &key.to_row())
    }

    /// The types of what the aggregates read.
    pub(crate) fn input_types(&self) -> &[Type] {
        &self.input_types
    }

    /// Takes what the aggregates read of a row into a state.
    pub(crate) fn add(&self, state: &mut GroupState, values: &Row, diff: i64) {
        state.update_values(&self.plan, values, diff);
    }

    /// The state of a group without rows.
    pub(crate) fn empty(&self) -> GroupState {
        self.plan.new_state()
    }

    /// Takes row `row_idx` of unpacked columns into a state.
    pub(crate) fn accumulate(
        &self,
        state: &mut GroupState,
        columns: &[&Column],
        row_idx: usize,
        diff: i64,
    ) {
        state.update(&self.plan, columns, row_idx, diff);
    }
}

/// Whether a value has no row behind it.
pub(crate) fn is_tick(value: &impl Packed) -> bool {
    value.with_bytes(|bytes| bytes == TICK)
}

/// Aggregation as a hash operator.
#[derive(Debug)]
pub(crate) struct GroupLogic<K> {
    shape: GroupShape,
    groups: PackedMap<Held, K>,
    /// What keys, accumulators and rows take beside the table.
    n_bytes: i64,
    open: OpenKeys,
    /// What the aggregates read in the present epoch, in the order of its deltas.
    columns: Vec<Column>,
    /// How many rows of `columns` are taken in.
    n_taken: usize,
}

/// A group, and what was last said of it.
#[derive(Debug)]
struct Held {
    state: GroupState,
    said: Option<Result<PackedRow, Box<Fault>>>,
}

impl Held {
    /// What it takes beside its place in the table.
    fn heap_bytes(&self) -> i64 {
        let said = match &self.said {
            Some(Ok(row)) => row.heap_bytes(),
            Some(Err(_)) => size_of::<Fault>(),
            None => 0,
        };
        signed(self.state.heap_bytes() + said)
    }
}

impl<K> GroupLogic<K> {
    /// No groups; `open` are the keys that go when their windows close.
    pub(crate) fn new(shape: GroupShape, open: OpenKeys) -> Self {
        Self {
            shape,
            groups: PackedMap::default(),
            n_bytes: 0,
            open,
            columns: Vec::new(),
            n_taken: 0,
        }
    }
}

impl<K: Packed> GroupLogic<K> {
    fn forget(&mut self, key: &K) -> Option<Held> {
        let held = self.groups.remove(key)?;
        self.n_bytes -= held.heap_bytes() + signed(key.heap_bytes());
        Some(held)
    }
}

impl<K: Packed, V: Packed> KeyLogic<1, K, V> for GroupLogic<K> {
    fn open(&mut self, [deltas]: [&[Delta<K, V>]; 1], _: Option<i64>) {
        self.columns = self.shape.unpack(deltas.iter().map(|delta| &delta.0.1));
        self.n_taken = 0;
    }

    fn look_ahead(&self, deltas: &[Delta<K, V>]) {
        let groups: Vec<&Held> =
            deltas.iter().filter_map(|((key, _), _)| self.groups.get(key)).collect();
        for glance in Glance::ALL {
            for held in &groups {
                held.state.look_ahead(glance);
            }
        }
    }

    fn update(&mut self, key: &K, [deltas]: [&[Delta<K, V>]; 1], out: &mut Emitter) {
        let shape = &self.shape;
        let held = if let Some(held) = self.groups.get_mut(key) {
            held
        } else {
            self.open.add(key);
            let held = Held { state: shape.empty(), said: None };
            self.n_bytes += held.heap_bytes() + signed(key.heap_bytes());
            self.groups.entry(key.clone()).or_insert(held)
        };
        let n_bytes = held.heap_bytes();
        let Held { state, said } = held;
        let columns: Vec<&Column> = self.columns.iter().collect();
        for ((_, value), diff) in deltas {
            if is_tick(value) {
                continue;
            }
            if let Some(n_rows) = shape.merge(state, (value, *diff)) {
                out.counts.held += n_rows;
                continue;
            }
            out.counts.held += diff;
            shape.accumulate(state, &columns, self.n_taken, *diff);
            self.n_taken += 1;
        }
        let now = shape.exists(state).then(|| shape.finish(key, state).map_err(Box::new));
        if *said != now {
            for (row, diff) in [(&*said, -1), (&now, 1)] {
                match row {
                    None => {}
                    Some(Ok(row)) => out.row(row, diff),
                    Some(Err(fault)) => out.fault(fault, shape.key_text(key), diff),
                }
            }
            *said = now;
        }
        let is_gone = state.is_empty() && !shape.is_keyless();
        self.n_bytes += held.heap_bytes() - n_bytes;
        if is_gone {
            self.forget(key);
        }
    }

    fn advance(&mut self, mark: i64, out: &mut Emitter) {
        for key in self.open.close(mark) {
            if let Some(held) = self.forget(&K::from_row(key)) {
                out.release(held.state.n_rows());
            }
        }
    }

    fn state_bytes(&self) -> Option<i64> {
        Some(table_bytes(&self.groups) + self.n_bytes)
    }
}
