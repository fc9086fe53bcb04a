//! The end of a collection: its changes are written down per epoch for the output topic.

use std::cell::RefCell;
use std::rc::Rc;

use timely::container::NoopBuilder;
use timely::dataflow::ProbeHandle;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::generic::operator::Operator;

use arqon_types::Type;

use crate::batch::{Batch, Batches};
use crate::keyed::pack_columns;
use crate::recorder::Recorder;

/// Writes a stream of rows of `types` to an output; `probe` then knows when an epoch is complete.
pub(crate) fn render_sink(
    input: Batches<'_>,
    types: Vec<Type>,
    output_idx: usize,
    recorder: Rc<RefCell<Recorder>>,
    probe: &ProbeHandle<u64>,
) {
    input
        .unary::<NoopBuilder<Batch>, _, _, _>(Pipeline, "Sink", move |_, _| {
            move |input, _output| {
                input.for_each(|_, batch| {
                    let rows = std::mem::take(&mut batch.rows);
                    let mut recorder = recorder.borrow_mut();
                    let output = &mut recorder.epoch(batch.time).outputs[output_idx];
                    output.extend(rows.diffs.iter().enumerate().map(|(row_idx, diff)| {
                        (pack_columns(&rows.columns, &types, row_idx), *diff)
                    }));
                });
            }
        })
        .probe_with(probe);
}
