//! Rows that are held until a moment of event time: to be said then, or to be taken back then.

use std::collections::BTreeMap;

use arqon_types::{PackedRow, Type};

use crate::deltas::Delta;
use crate::emitter::Emitter;
use crate::evaluate::Formula;
use crate::keyed::PackValue;
use crate::mark::END_MARK;
use crate::packed::int;
use crate::stateful::KeyLogic;

/// When held rows show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// From their moment on: `final`.
    After,
    /// Up to their moment: `within`.
    Before,
}

/// Holds whole rows by their moment.
#[derive(Debug)]
pub(crate) struct HoldLogic {
    shown: Shown,
    slack: i64,
    moments: BTreeMap<i64, BTreeMap<PackedRow, i64>>,
}

impl HoldLogic {
    /// Holds rows until `slack` after their time.
    pub(crate) fn new(shown: Shown, slack: i64) -> Self {
        Self { shown, slack, moments: BTreeMap::new() }
    }
}

/// A timestamp as the value beside the key.
pub(crate) fn pack_time(time: Formula) -> PackValue {
    Box::new(move |batch, faults| {
        let times = time.column(batch, faults);
        let pack = |row_idx| {
            let mut packed = PackedRow::new();
            packed.push_cell(&times, row_idx, &Type::Timestamp);
            packed
        };
        (0..batch.len()).map(pack).collect()
    })
}

impl KeyLogic<1> for HoldLogic {
    fn update(&mut self, row: &PackedRow, [deltas]: [&[Delta]; 1], out: &mut Emitter) {
        for ((_, time), diff) in deltas {
            let moment = int(time).saturating_add(self.slack);
            let rows = self.moments.entry(moment).or_default();
            let multiplicity = rows.entry(row.clone()).or_insert(0);
            *multiplicity += diff;
            if *multiplicity == 0 {
                rows.remove(row);
            }
            out.counts.held += diff;
            if self.shown == Shown::Before {
                out.row(row, *diff);
            }
        }
    }

    fn advance(&mut self, mark: i64, out: &mut Emitter) {
        // The end of time closes windows; what counts as the last day stays what it was.
        if mark == END_MARK && self.shown == Shown::Before {
            return;
        }
        while let Some(first) = self.moments.first_entry() {
            if mark < *first.key() {
                break;
            }
            for (row, n) in first.remove() {
                match self.shown {
                    Shown::After => out.row(&row, n),
                    Shown::Before => out.row(&row, -n),
                }
                out.release(n);
                out.counts.touched += 1;
            }
        }
    }
}
