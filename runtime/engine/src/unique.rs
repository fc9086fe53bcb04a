//! One row per key: the least passes, the others are error rows until it is alone.

use std::sync::Arc;

use arqon_operators::Place;
use arqon_types::{PackedRow, Schema};

use crate::deltas::Delta;
use crate::emitter::Emitter;
use crate::open::OpenKeys;
use crate::recorder::{Fault, packed_text};
use crate::sorted::SortedRows;
use crate::source::PackedMap;
use crate::stateful::KeyLogic;
use crate::top::emit_difference;

/// The row that passes, if any, and those that do not.
pub(crate) type Parted = (Option<PackedRow>, Vec<(PackedRow, i64)>);

/// Parts the rows of a key, which come in order.
pub(crate) fn part<'a>(rows: impl Iterator<Item = (&'a PackedRow, i64)>) -> Parted {
    let mut least = None;
    let mut others = Vec::new();
    for (row, multiplicity) in rows.filter(|(_, multiplicity)| *multiplicity > 0) {
        let n_others = if least.is_none() {
            least = Some(row.clone());
            multiplicity - 1
        } else {
            multiplicity
        };
        if n_others > 0 {
            others.push((row.clone(), n_others));
        }
    }
    (least, others)
}

/// Why a row does not pass.
pub(crate) fn duplicate() -> Fault {
    Fault {
        code: "duplicate_key".into(),
        message: "another row has the same key".to_owned(),
        place: Place::default(),
    }
}

/// Unique keys as a hash operator.
#[derive(Debug)]
pub(crate) struct UniqueLogic {
    schema: Arc<Schema>,
    keys: PackedMap<SortedRows>,
    open: OpenKeys,
}

impl UniqueLogic {
    /// No rows, of `schema`; `open` are the keys that go when their windows close.
    pub(crate) fn new(schema: Arc<Schema>, open: OpenKeys) -> Self {
        Self { schema, keys: PackedMap::default(), open }
    }
}

impl KeyLogic<1> for UniqueLogic {
    fn update(&mut self, key: &PackedRow, [deltas]: [&[Delta]; 1], out: &mut Emitter) {
        let mut rows = self.keys.remove(key).unwrap_or_default();
        let (least_before, others_before) = part(rows.iter());
        out.counts.held += rows.change(deltas);
        let (least_now, others_now) = part(rows.iter());
        out.counts.touched += rows.len() as u64;
        if least_before != least_now {
            if let Some(row) = &least_before {
                out.row(row, -1);
            }
            if let Some(row) = &least_now {
                out.row(row, 1);
            }
        }
        let fault = duplicate();
        emit_difference(others_before, others_now, |row, diff| {
            out.fault(&fault, packed_text(&self.schema, row), diff);
        });
        if !rows.is_empty() {
            self.open.add(key);
            self.keys.insert(key.clone(), rows);
        }
    }

    fn advance(&mut self, mark: i64, out: &mut Emitter) {
        for key in self.open.close(mark) {
            out.release(self.keys.remove(&key).map_or(0, |rows| rows.n()));
        }
    }
}
