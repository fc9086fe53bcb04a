//! What a hash operator has to say about an epoch.

use std::cell::RefCell;

use arqon_operators::Place;
use arqon_types::{ColumnBatch, PackedRow, Type};

use crate::batch::BATCH_ROWS;
use crate::recorder::{Fault, Meter};
use crate::source::push_packed;
use crate::stats::Counts;

/// Where an operator puts what it has to say about an epoch.
pub(crate) struct Emitter {
    epoch: u64,
    types: Vec<Type>,
    meter: Meter,
    rows: ColumnBatch,
    ready: Vec<ColumnBatch>,
    faults: RefCell<Vec<(Fault, String, i64)>>,
    /// What goes beside the operator's own rows, if anything does.
    pub(crate) aside: Option<Aside>,
    /// What the operator counts of its state.
    pub(crate) counts: Counts,
}

/// What goes beside an operator's own rows.
pub(crate) struct Aside {
    /// Of the rows.
    pub(crate) types: Vec<Type>,
    /// So far.
    pub(crate) rows: ColumnBatch,
}

/// All that an operator had to say about an epoch.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// Rows on their way out.
    pub(crate) batches: Vec<ColumnBatch>,
    /// What it counted.
    pub(crate) counts: Counts,
    /// What failed, with the row as text, and how often it is there.
    pub(crate) faults: Vec<(Fault, String, i64)>,
}

impl Said {
    /// The same of a step whose expressions stand elsewhere.
    pub(crate) fn moved(mut self, from: &[Place], to: &[Place]) -> Self {
        for (fault, ..) in &mut self.faults {
            if let Some(at) = from.iter().position(|place| *place == fault.place) {
                fault.place = to[at];
            }
        }
        self
    }
}

impl Emitter {
    /// Nothing yet; rows have these types.
    pub(crate) fn new(types: Vec<Type>, meter: Meter) -> Self {
        let rows = ColumnBatch::empty(&types);
        let (ready, faults, aside) = (Vec::new(), RefCell::default(), None);
        Self { epoch: 0, types, meter, rows, ready, faults, aside, counts: Counts::default() }
    }

    /// From now on it is this epoch.
    pub(crate) fn begin(&mut self, epoch: u64) {
        self.epoch = epoch;
    }

    /// Sends a packed row on.
    pub(crate) fn row(&mut self, row: &PackedRow, diff: i64) {
        push_packed(&mut self.rows, row, &self.types, diff);
        if self.rows.len() >= BATCH_ROWS {
            let rows = std::mem::replace(&mut self.rows, ColumnBatch::empty(&self.types));
            self.ready.push(rows);
        }
    }

    /// Sends rows on that are columns already.
    pub(crate) fn batch(&mut self, batch: ColumnBatch) {
        if !batch.is_empty() {
            self.ready.push(batch);
        }
    }

    /// The epoch that is worked on.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Sends a packed row by the way beside the operator's own rows, if there is one.
    pub(crate) fn aside(&mut self, row: &PackedRow, diff: i64) {
        if let Some(Aside { types, rows }) = &mut self.aside {
            push_packed(rows, row, types, diff);
        }
    }

    /// Counts rows that leave the state because their window has closed.
    pub(crate) fn release(&mut self, n_rows: i64) {
        self.counts.held -= n_rows;
        self.counts.released += n_rows;
    }

    /// Says when, from now on, a row goes because of when it came.
    pub(crate) fn due(&self, due: Option<i64>) {
        self.meter.due(self.epoch, due);
    }

    /// Sends a row to the node's errors.
    pub(crate) fn fault(&self, fault: &Fault, row: String, diff: i64) {
        self.faults.borrow_mut().push((fault.clone(), row, diff));
    }

    /// What is ready, before the end of the epoch.
    pub(crate) fn take_ready(&mut self) -> Vec<ColumnBatch> {
        for batch in &self.ready {
            self.counts.output.add_all(&batch.diffs);
        }
        std::mem::take(&mut self.ready)
    }

    /// What is left at the end of the epoch, not told to anybody yet.
    pub(crate) fn take(&mut self) -> Said {
        let rows = std::mem::replace(&mut self.rows, ColumnBatch::empty(&self.types));
        self.batch(rows);
        let batches = self.take_ready();
        let counts = std::mem::take(&mut self.counts);
        Said { batches, counts, faults: self.faults.take() }
    }

    /// Tells the meter what was said about the epoch, and gives the rows.
    pub(crate) fn tell(&self, said: Said) -> Vec<ColumnBatch> {
        let Said { batches, counts, faults } = said;
        self.meter.count(self.epoch, |sum| sum.merge(&counts));
        for (fault, row, diff) in faults {
            self.meter.fault(self.epoch, &fault, row, diff);
        }
        batches
    }
}
