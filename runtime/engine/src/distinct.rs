//! Set semantics: every row that is there has multiplicity 1.

use std::hint::black_box;

use arqon_types::PackedRow;

use crate::deltas::Delta;
use crate::emitter::Emitter;
use crate::memory::{signed, table_bytes};
use crate::open::OpenKeys;
use crate::source::PackedMap;
use crate::stateful::KeyLogic;

/// How often each row is there.
#[derive(Debug)]
pub(crate) struct DistinctLogic {
    held: PackedMap<i64>,
    /// What the rows take beside the table.
    n_bytes: i64,
    open: OpenKeys,
}

impl DistinctLogic {
    /// No rows; `open` are those that go when their windows close.
    pub(crate) fn new(open: OpenKeys) -> Self {
        Self { held: PackedMap::default(), n_bytes: 0, open }
    }
}

impl KeyLogic<1> for DistinctLogic {
    fn look_ahead(&self, deltas: &[Delta]) {
        for ((row, _), _) in deltas {
            black_box(self.held.get(row));
        }
    }

    fn update(&mut self, row: &PackedRow, [deltas]: [&[Delta]; 1], out: &mut Emitter) {
        let diff: i64 = deltas.iter().map(|delta| delta.1).sum();
        let before = self.held.get(row).copied().unwrap_or(0);
        let now = before + diff;
        out.counts.held += diff;
        let is_held = |n: i64| if n == 0 { 0 } else { signed(row.heap_bytes()) };
        self.n_bytes += is_held(now) - is_held(before);
        if now == 0 {
            self.held.remove(row);
        } else {
            self.open.add(row);
            self.held.insert(row.clone(), now);
        }
        match (before > 0, now > 0) {
            (false, true) => out.row(row, 1),
            (true, false) => out.row(row, -1),
            (false, false) | (true, true) => {}
        }
    }

    fn advance(&mut self, mark: i64, out: &mut Emitter) {
        for row in self.open.close(mark) {
            if let Some(n) = self.held.remove(&row) {
                self.n_bytes -= signed(row.heap_bytes());
                out.release(n);
            }
        }
    }

    fn state_bytes(&self) -> Option<i64> {
        Some(table_bytes(&self.held) + self.n_bytes)
    }
}
