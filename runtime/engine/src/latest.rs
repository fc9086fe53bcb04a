//! The last row of each key in log order.
//!
//! The place of a row in the log stands at its end; as a value it is packed in front, so that the
//! greatest value is the last row. Events are not taken back, and what expires does so in log
//! order, so the operator holds one row for each key.

use arqon_plan::Latest;
use arqon_types::{PackedRow, Type};

use crate::deltas::Delta;
use crate::emitter::Emitter;
use crate::keyed::{PackValue, pack_fields};
use crate::memory::{signed, table_bytes};
use crate::source::PackedMap;
use crate::stateful::KeyLogic;

/// Bytes of a packed int64, of which places are made.
const PLACE_BYTES: usize = 8;

/// What both back ends need to know about the step.
#[derive(Debug, Clone)]
pub(crate) struct LatestShape {
    n_places: usize,
    types: Vec<Type>,
}

impl LatestShape {
    /// The shape of a step over rows of `types`, their place included.
    pub(crate) fn new(latest: &Latest, types: Vec<Type>) -> Self {
        Self { n_places: latest.n_places, types }
    }

    /// Packs the place and then the rest of the row.
    pub(crate) fn pack_value(&self) -> PackValue {
        let n_rest = self.types.len() - self.n_places;
        let order: Vec<usize> = (n_rest..self.types.len()).chain(0..n_rest).collect();
        let types = order.iter().map(|at| self.types[*at].clone()).collect();
        pack_fields(order, types)
    }

    /// The row without its place.
    pub(crate) fn row(&self, value: &PackedRow) -> PackedRow {
        let mut row = PackedRow::new();
        row.push_bytes(&value.as_bytes()[self.n_places * PLACE_BYTES..]);
        row
    }
}

/// The last rows as a hash operator.
#[derive(Debug)]
pub(crate) struct LatestLogic {
    shape: LatestShape,
    /// The last value of each key.
    held: PackedMap<PackedRow>,
    /// What keys and values take beside the table.
    n_bytes: i64,
}

impl LatestLogic {
    /// No rows.
    pub(crate) fn new(shape: LatestShape) -> Self {
        Self { shape, held: PackedMap::default(), n_bytes: 0 }
    }
}

impl KeyLogic<1> for LatestLogic {
    fn update(&mut self, key: &PackedRow, [deltas]: [&[Delta]; 1], out: &mut Emitter) {
        let before = self.held.remove(key);
        let is_gone =
            |value: &PackedRow| deltas.iter().any(|((_, gone), diff)| *diff < 0 && gone == value);
        let kept = before.as_ref().filter(|value| !is_gone(value));
        let come = deltas.iter().rev().find(|(_, diff)| *diff > 0).map(|((_, value), _)| value);
        let now = kept.max(come).cloned();
        out.counts.held += i64::from(now.is_some()) - i64::from(before.is_some());
        let row = |value: &Option<PackedRow>| value.as_ref().map(|value| self.shape.row(value));
        let (row_before, row_now) = (row(&before), row(&now));
        if row_before != row_now {
            if let Some(row) = &row_before {
                out.row(row, -1);
            }
            if let Some(row) = &row_now {
                out.row(row, 1);
            }
        }
        let bytes = |value: &Option<PackedRow>| {
            value.as_ref().map_or(0, |value| signed(key.heap_bytes() + value.heap_bytes()))
        };
        self.n_bytes += bytes(&now) - bytes(&before);
        if let Some(value) = now {
            self.held.insert(key.clone(), value);
        }
    }

    fn state_bytes(&self) -> Option<i64> {
        Some(table_bytes(&self.held) + self.n_bytes)
    }
}
