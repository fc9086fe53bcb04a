//! Errors that a flow reads: what a node recorded comes back as rows of the same epoch.
//!
//! Errors are recorded beside the dataflow, not in it. A step that reads them has an input of its
//! own, which the worker feeds with what it recorded of an epoch once every step of the node, on
//! every worker, is done with that epoch.

use timely::Container;
use timely::container::NoopBuilder;
use timely::dataflow::operators::Probe;
use timely::dataflow::{InputHandle, ProbeHandle, Scope, Stream};

use std::rc::Rc;
use std::sync::Arc;

use arqon_types::{ColumnBatch, error_schema};

use crate::batch::{Batch, Batches};
use crate::recorder::Meter;

/// The input of one step that reads errors.
pub(crate) struct ErrorFeed {
    node: Arc<str>,
    meter: Meter,
    input: InputHandle<u64, NoopBuilder<Batch>>,
    probe: ProbeHandle<u64>,
    /// Epochs before this one are fed.
    next: u64,
}

impl ErrorFeed {
    /// A feed that waits for nothing yet, with the stream that it feeds; `meter` is the reader's.
    pub(crate) fn new<'scope>(
        scope: Scope<'scope, u64>,
        node: &str,
        meter: Meter,
    ) -> (Self, Batches<'scope>) {
        let mut input = InputHandle::<u64, NoopBuilder<Batch>>::new_with_builder();
        let stream = input.to_stream(scope);
        let (node, probe) = (Arc::from(node), ProbeHandle::new());
        (Self { node, meter, input, probe, next: 0 }, stream)
    }

    /// Waits for the step with this output, too.
    pub(crate) fn wait_for<C: Container>(&self, rows: Stream<'_, u64, C>) {
        rows.probe_with(&self.probe);
    }

    /// Feeds the errors of those `epochs`, in order, with which the node is done.
    pub(crate) fn feed(&mut self, epochs: impl Iterator<Item = u64>) {
        for epoch in epochs {
            if epoch < self.next {
                continue;
            }
            if self.probe.less_equal(&epoch) {
                return;
            }
            let rows = self.recorded(epoch);
            self.input.advance_to(epoch);
            if !rows.is_empty() {
                self.meter.count(epoch, |counts| {
                    counts.input.add_all(&rows.diffs);
                    counts.output.add_all(&rows.diffs);
                    counts.touched += rows.len() as u64;
                });
                self.input.send_batch(&mut Batch { time: epoch, rows: Rc::new(rows) });
            }
            self.next = epoch + 1;
            self.input.advance_to(self.next);
        }
    }

    fn recorded(&self, epoch: u64) -> ColumnBatch {
        let mut rows = ColumnBatch::empty(&error_schema().types());
        let mut recorder = self.meter.recorder.borrow_mut();
        let errors = &recorder.epoch(epoch).errors;
        for (error, diff) in errors.iter().filter(|(error, _)| *error.node == *self.node) {
            rows.push(&error.to_row(), *diff);
        }
        rows
    }
}
