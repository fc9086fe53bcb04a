//! Aggregation: one row per group, computed from accumulators that forget exactly.

use std::borrow::Cow;

use arqon_operators::Aggregate;
use arqon_plan::Group;
use arqon_types::{Column, ColumnBatch, Field, PackedRow, Row, Schema, Type, Value};

use crate::accumulate::GroupState;
use crate::evaluate::{Faults, Formula};
use crate::keyed::PackValue;
use crate::recorder::{Fault, packed_text};
use crate::source::PackedMap;
use crate::stateful::{Delta, Emitter, KeyLogic};

/// The value by which a group without keys comes to be: no packed row is this byte alone.
const TICK: &[u8] = &[0xFF];

/// What both back ends need to know about a group step.
#[derive(Debug, Clone)]
pub(crate) struct GroupShape {
    aggregates: Vec<Aggregate>,
    key_types: Vec<Type>,
    /// The keys' fields, for error rows.
    key_schema: Schema,
    types: Vec<Type>,
}

/// A group's row, or why it has none.
pub(crate) type GroupRow = Result<PackedRow, Fault>;

impl GroupShape {
    /// The shape of a step whose output is of `schema`.
    pub(crate) fn new(group: &Group, schema: &Schema) -> Self {
        let fields: Vec<Field> = schema.fields[..group.keys.len()].to_vec();
        Self {
            aggregates: group.aggregates.clone(),
            key_types: group.keys.iter().map(|key| key.ty.clone()).collect(),
            key_schema: Schema::new(schema.name.clone(), fields),
            types: schema.types(),
        }
    }

    /// The value of a row without a row behind it: makes the group without keys exist.
    pub(crate) fn tick() -> PackedRow {
        let mut tick = PackedRow::new();
        tick.push_bytes(TICK);
        tick
    }

    /// Whether there is one group, which always exists.
    pub(crate) fn is_keyless(&self) -> bool {
        self.key_types.is_empty()
    }

    /// How the aggregates' arguments are packed: for each aggregate with a filter whether the
    /// row passes it, and the arguments if it does.
    pub(crate) fn pack_value(&self) -> PackValue {
        let inputs: Vec<AggregateInput> = self.aggregates.iter().map(AggregateInput::new).collect();
        Box::new(move |batch, faults| {
            let mut values = vec![PackedRow::new(); batch.len()];
            for input in &inputs {
                input.pack(batch, faults, &mut values);
            }
            values
        })
    }

    /// The arguments again: none for an aggregate whose filter the row does not pass.
    fn unpack(&self, value: &PackedRow) -> Vec<Option<Vec<Value>>> {
        let mut bytes = value.as_bytes();
        self.aggregates
            .iter()
            .map(|aggregate| {
                if aggregate.filter.is_some() {
                    let (passes, rest) = bytes.split_at(1);
                    bytes = rest;
                    if passes == [0] {
                        return None;
                    }
                }
                Some(aggregate.args.iter().map(|arg| take_value(&mut bytes, &arg.ty)).collect())
            })
            .collect()
    }

    /// The row of a group that exists.
    pub(crate) fn finish(&self, key: &PackedRow, state: &GroupState) -> GroupRow {
        let row: Row = state.finish()?;
        let mut packed = key.clone();
        for (value, ty) in row.iter().zip(&self.types[self.key_types.len()..]) {
            packed.push_value(value, ty);
        }
        Ok(packed)
    }

    /// A group's fields for an error row.
    pub(crate) fn key_text(&self, key: &PackedRow) -> String {
        packed_text(&self.key_schema, key)
    }

    /// An accumulator over no rows.
    pub(crate) fn empty(&self) -> GroupState {
        GroupState::new(&self.aggregates)
    }

    /// Takes a packed value into the accumulator; a tick changes nothing.
    pub(crate) fn accumulate(&self, state: &mut GroupState, value: &PackedRow, diff: i64) {
        if value.as_bytes() != TICK {
            state.update(&self.unpack(value), diff);
        }
    }
}

fn take_value(bytes: &mut &[u8], ty: &Type) -> Value {
    let mut column = Column::empty(ty);
    column.push_packed(bytes, ty);
    column.value(0, ty)
}

/// What an aggregate reads.
struct AggregateInput {
    filter: Option<Formula>,
    args: Vec<Formula>,
}

impl AggregateInput {
    fn new(aggregate: &Aggregate) -> Self {
        Self {
            filter: aggregate.filter.as_ref().map(Formula::new),
            args: Formula::all(&aggregate.args),
        }
    }

    /// Arguments are evaluated only for rows that pass the filter.
    fn pack(&self, batch: &ColumnBatch, faults: &mut Faults, values: &mut [PackedRow]) {
        let Some(filter) = &self.filter else {
            let columns = self.columns(batch, faults);
            for (row_idx, value) in values.iter_mut().enumerate() {
                self.push(value, &columns, row_idx);
            }
            return;
        };
        let passing = filter.select(batch, faults);
        let sub_batch = batch.gather(&passing);
        let mut sub_faults = Faults::new();
        let columns = self.columns(&sub_batch, &mut sub_faults);
        for (at, fault) in sub_faults {
            faults.entry(passing[at as usize]).or_insert(fault);
        }
        let mut passing = passing.into_iter().enumerate().peekable();
        for (at, value) in (0_u32..).zip(values) {
            let sub_idx = passing.next_if(|(_, passing)| *passing == at).map(|(idx, _)| idx);
            value.push_bytes(&[u8::from(sub_idx.is_some())]);
            if let Some(sub_idx) = sub_idx {
                self.push(value, &columns, sub_idx);
            }
        }
    }

    fn columns<'a>(&self, batch: &'a ColumnBatch, faults: &mut Faults) -> Vec<Cow<'a, Column>> {
        self.args.iter().map(|arg| arg.column(batch, faults)).collect()
    }

    fn push(&self, value: &mut PackedRow, columns: &[Cow<'_, Column>], row_idx: usize) {
        for (column, arg) in columns.iter().zip(&self.args) {
            value.push_cell(column, row_idx, arg.ty());
        }
    }
}

/// Aggregation as a hash operator.
#[derive(Debug)]
pub(crate) struct GroupLogic {
    shape: GroupShape,
    groups: PackedMap<Held>,
}

/// One group.
#[derive(Debug)]
struct Held {
    state: GroupState,
    /// The sum of the multiplicities of its rows.
    n_rows: i64,
}

impl GroupLogic {
    /// No groups.
    pub(crate) fn new(shape: GroupShape) -> Self {
        Self { shape, groups: PackedMap::default() }
    }
}

impl KeyLogic<1> for GroupLogic {
    fn update(&mut self, key: &PackedRow, [deltas]: [&[Delta]; 1], out: &mut Emitter) {
        let shape = &self.shape;
        let keyless = shape.is_keyless();
        let mut before = None;
        if let Some(held) = self.groups.get(key) {
            before = (keyless || held.n_rows > 0).then(|| shape.finish(key, &held.state));
        } else {
            let held = Held { state: shape.empty(), n_rows: 0 };
            self.groups.insert(key.clone(), held);
        }
        let held = self.groups.get_mut(key).expect("the group was just made sure of");
        let mut is_new_keyless = false;
        for ((_, value), diff) in deltas {
            if value.as_bytes() == TICK {
                is_new_keyless = true;
                continue;
            }
            held.n_rows += diff;
            out.counts.held += diff;
            shape.accumulate(&mut held.state, value, *diff);
        }
        assert!(!is_new_keyless || before.is_none(), "the group without keys begins once");
        let exists = keyless || held.n_rows > 0;
        let now = exists.then(|| shape.finish(key, &held.state));
        if !keyless && held.n_rows == 0 {
            self.groups.remove(key);
        }
        if before == now {
            return;
        }
        for (row, diff) in [(before, -1), (now, 1)] {
            match row {
                None => {}
                Some(Ok(row)) => out.row(&row, diff),
                Some(Err(fault)) => out.fault(&fault, shape.key_text(key), diff),
            }
        }
    }
}
