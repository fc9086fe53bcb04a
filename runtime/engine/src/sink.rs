//! The end of a collection: its changes are written down per epoch for the output topic.

use std::cell::RefCell;
use std::rc::Rc;

use timely::container::NoopBuilder;
use timely::dataflow::ProbeHandle;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::generic::operator::Operator;

use crate::batch::{Batch, Batches};
use crate::recorder::Recorder;

/// Writes a stream of rows to an output; `probe` then knows when an epoch is complete.
pub(crate) fn render_sink(
    input: Batches<'_>,
    output_idx: usize,
    recorder: Rc<RefCell<Recorder>>,
    probe: &ProbeHandle<u64>,
) {
    input
        .unary::<NoopBuilder<Batch>, _, _, _>(Pipeline, "Sink", move |_, _| {
            move |input, _output| {
                input.for_each(|_, batch| {
                    let rows = Rc::unwrap_or_clone(std::mem::take(&mut batch.rows));
                    recorder.borrow_mut().epoch(batch.time).outputs[output_idx].push(rows);
                });
            }
        })
        .probe_with(probe);
}
