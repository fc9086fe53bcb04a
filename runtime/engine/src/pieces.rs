//! Large batches in pieces, so that what packs their rows holds the worker for a short time only.

use std::collections::VecDeque;

use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

use arqon_types::{ColumnBatch, Type};

use crate::batch::{Batch, Batches};
use crate::keyed::pack_columns;

/// The same rows in batches of about so many bytes, one at a time: between them the worker turns to
/// other operators.
pub(crate) fn in_pieces(rows: Batches<'_>, types: Vec<Type>, n_bytes: usize) -> Batches<'_> {
    let scope = rows.scope();
    rows.unary::<NoopBuilder<Batch>, _, _, _>(Pipeline, "Pieces", move |_, info| {
        let activator = scope.activator_for(info.address);
        let mut waiting: VecDeque<(Capability<u64>, Batch, usize)> = VecDeque::new();
        move |input, output| {
            input.for_each(|capability, batch| {
                let batch = std::mem::take(batch);
                if !batch.rows.is_empty() {
                    waiting.push_back((capability.delayed(&batch.time, 0), batch, 0));
                }
            });
            let Some((capability, batch, start)) = waiting.front_mut() else { return };
            let n_rows = (n_bytes / row_bytes(&batch.rows, &types)).max(1);
            let end = batch.rows.len().min(*start + n_rows);
            let mut piece = if end - *start == batch.rows.len() {
                std::mem::take(batch)
            } else {
                Batch { time: batch.time, rows: part(&batch.rows, *start, end).into() }
            };
            let is_whole = batch.rows.len() <= end;
            *start = end;
            output.session_with_builder(capability).give_container(&mut piece);
            if is_whole {
                waiting.pop_front();
            }
            if !waiting.is_empty() {
                activator.activate();
            }
        }
    })
}

/// What the first row takes when it is packed; rows of kernels are as long as each other.
fn row_bytes(rows: &ColumnBatch, types: &[Type]) -> usize {
    pack_columns(&rows.columns, types, 0).as_bytes().len().max(1)
}

fn part(rows: &ColumnBatch, start: usize, end: usize) -> ColumnBatch {
    let place = |at| u32::try_from(at).expect("a batch has fewer than 2^32 rows");
    rows.gather(&(place(start)..place(end)).collect::<Vec<_>>())
}
