//! What a worker has to say about an epoch: counters, error rows and output rows.
//!
//! Operators write here as they work; the worker takes an epoch's record when its frontier has
//! passed. All of it belongs to one worker, hence the `Rc`s.

use std::borrow::Borrow;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use arqon_operators::Place;
use arqon_plan::is_hidden;
use arqon_types::{ColumnBatch, ErrorRow, Field, PackedRow, Schema, Value};

use crate::stats::{CounterKind, Counts};

/// A place in [`Layout::counters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CounterId(pub(crate) usize);

/// What is counted and collected, the same for all workers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layout {
    /// Node and address of each counter.
    pub(crate) counters: Vec<(Arc<str>, Arc<str>)>,
    /// What each counts.
    pub(crate) kinds: Vec<CounterKind>,
    /// How many output topics and feedbacks.
    pub(crate) n_outputs: usize,
}

impl Layout {
    /// A new counter.
    pub(crate) fn add(&mut self, node: &str, address: &str, kind: CounterKind) -> CounterId {
        self.counters.push((Arc::from(node), Arc::from(address)));
        self.kinds.push(kind);
        CounterId(self.counters.len() - 1)
    }
}

/// All that one worker recorded about one epoch.
#[derive(Debug, Default)]
pub(crate) struct EpochRecord {
    /// One per counter of the layout.
    pub(crate) counts: Vec<Counts>,
    /// Error rows with diffs.
    pub(crate) errors: Vec<(ErrorRow, i64)>,
    /// One collection per output topic, and then one per feedback.
    pub(crate) outputs: Vec<Vec<ColumnBatch>>,
    /// When a step, from now on, lets go of a row because of when it came; of steps of which the
    /// epoch has changed that.
    dues: Vec<(CounterId, Option<i64>)>,
    /// When the first of all steps does, after the epoch.
    pub(crate) due: Option<i64>,
}

/// The epochs that are not reported yet.
#[derive(Debug)]
pub(crate) struct Recorder {
    n_counters: usize,
    n_outputs: usize,
    epochs: BTreeMap<u64, EpochRecord>,
    /// When steps let go of a row, after the last epoch that was taken.
    dues: BTreeMap<CounterId, i64>,
}

impl Recorder {
    /// An empty recorder for a layout.
    pub(crate) fn new(layout: &Layout) -> Self {
        Self {
            n_counters: layout.counters.len(),
            n_outputs: layout.n_outputs,
            epochs: BTreeMap::new(),
            dues: BTreeMap::new(),
        }
    }

    /// The record of an epoch, to write to.
    pub(crate) fn epoch(&mut self, epoch: u64) -> &mut EpochRecord {
        self.epochs.entry(epoch).or_insert_with(|| EpochRecord {
            counts: vec![Counts::default(); self.n_counters],
            errors: Vec::new(),
            outputs: vec![Vec::new(); self.n_outputs],
            dues: Vec::new(),
            due: None,
        })
    }

    /// Takes the finished record of an epoch; epochs are taken in order.
    pub(crate) fn take(&mut self, epoch: u64) -> EpochRecord {
        self.epoch(epoch);
        let mut record = self.epochs.remove(&epoch).expect("the record was just made sure of");
        for (step, due) in std::mem::take(&mut record.dues) {
            match due {
                Some(due) => self.dues.insert(step, due),
                None => self.dues.remove(&step),
            };
        }
        record.due = self.dues.values().min().copied();
        record
    }
}

/// A step's or stage's way to its counters and errors.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    /// Where it is written.
    pub(crate) recorder: Rc<RefCell<Recorder>>,
    /// Its counter.
    pub(crate) counter: CounterId,
    /// The node that errors belong to.
    pub(crate) node: Arc<str>,
    /// The step's or stage's address.
    pub(crate) address: Arc<str>,
    /// The circuit file, for places.
    pub(crate) file: Arc<str>,
}

/// Why a row cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    /// A stable word.
    pub(crate) code: Cow<'static, str>,
    /// For people.
    pub(crate) message: String,
    /// Where in the circuit.
    pub(crate) place: Place,
}

impl Meter {
    /// Writes to the counters of an epoch.
    pub(crate) fn count(&self, epoch: u64, write: impl FnOnce(&mut Counts)) {
        write(&mut self.recorder.borrow_mut().epoch(epoch).counts[self.counter.0]);
    }

    /// Says when the step lets go of a row because of when it came.
    pub(crate) fn due(&self, epoch: u64, due: Option<i64>) {
        self.recorder.borrow_mut().epoch(epoch).dues.push((self.counter, due));
    }

    /// Sends a row to the node's errors, and counts it there.
    pub(crate) fn fault(&self, epoch: u64, fault: &Fault, row: String, diff: i64) {
        self.count(epoch, |counts| counts.errors.add(diff));
        self.note(epoch, fault, row, diff);
    }

    /// Sends a row to the node's errors that is counted otherwise.
    pub(crate) fn note(&self, epoch: u64, fault: &Fault, row: String, diff: i64) {
        let error = ErrorRow {
            node: self.node.to_string(),
            step: self.address.to_string(),
            code: fault.code.clone().into_owned(),
            message: fault.message.clone(),
            place: place_text(&self.file, fault.place),
            row,
        };
        self.recorder.borrow_mut().epoch(epoch).errors.push((error, diff));
    }
}

fn place_text(file: &str, place: Place) -> String {
    if place.line == 0 {
        file.to_owned()
    } else {
        format!("{file}:{}:{}", place.line, place.column)
    }
}

/// One row of a batch for people, `{ id: 10, amount: 30.00 }`.
pub(crate) fn row_text(schema: &Schema, batch: &ColumnBatch, row_idx: usize) -> String {
    let cells = schema.fields.iter().zip(&batch.columns);
    fields_text(cells.map(|(field, column)| (field, column.value(row_idx, &field.ty))))
}

/// The fields of a packed row for people.
pub(crate) fn packed_text(schema: &Schema, packed: &PackedRow) -> String {
    fields_text(schema.fields.iter().zip(packed.unpack(&schema.types()).iter()))
}

/// Fields with their values for people, without what rows bring along, which is ours.
pub(crate) fn fields_text<'f>(
    fields: impl Iterator<Item = (&'f Field, impl Borrow<Value>)>,
) -> String {
    let parts: Vec<String> = fields
        .filter(|(field, _)| !is_hidden(field))
        .map(|(field, value)| format!("{}: {}", field.name, value.borrow().display(&field.ty)))
        .collect();
    format!("{{ {} }}", parts.join(", "))
}
