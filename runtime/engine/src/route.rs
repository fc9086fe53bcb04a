//! A route: each row goes to the first arm whose condition is true.

use std::rc::Rc;
use std::sync::Arc;

use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use arqon_plan::Route;
use arqon_types::{ColumnBatch, Schema};

use crate::batch::{Batch, Batches};
use crate::evaluate::{Faults, Formula};
use crate::recorder::{Meter, row_text};

/// Renders a route; the result has a stream per condition, and one more for the rest.
pub(crate) fn render_route<'scope>(
    input: Batches<'scope>,
    schema: Arc<Schema>,
    route: &Route,
    meter: Meter,
) -> Vec<Batches<'scope>> {
    let n_arms = route.conditions.len() + usize::from(route.has_rest);
    let conditions = Formula::all(&route.conditions);
    let has_rest = route.has_rest;
    let mut builder = OperatorBuilder::new("Route".to_owned(), input.scope());
    let mut input = builder.new_input(input, Pipeline);
    let mut outputs = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..n_arms {
        let (output, stream) = builder.new_output::<Batch>();
        outputs.push(OutputBuilder::<u64, NoopBuilder<Batch>>::from(output));
        streams.push(stream);
    }
    builder.build(move |_| {
        move |_| {
            input.for_each(|capability, batch| {
                let batch = std::mem::take(batch);
                let arms = split(&conditions, has_rest, &schema, &meter, &batch);
                for (idx, rows) in arms.into_iter().enumerate() {
                    if rows.is_empty() {
                        continue;
                    }
                    let capability = capability.delayed(&batch.time, idx);
                    outputs[idx]
                        .activate()
                        .session_with_builder(&capability)
                        .give_container(&mut Batch { time: batch.time, rows: Rc::new(rows) });
                }
            });
        }
    });
    streams
}

/// The rows of each arm.
fn split(
    conditions: &[Formula],
    has_rest: bool,
    schema: &Schema,
    meter: &Meter,
    batch: &Batch,
) -> Vec<ColumnBatch> {
    let mut rest: Vec<u32> =
        (0..u32::try_from(batch.rows.len()).expect("batches are bounded")).collect();
    let mut arms = Vec::new();
    let mut n_faulty = 0;
    for condition in conditions {
        let rows = batch.rows.gather(&rest);
        let mut faults = Faults::new();
        let selected = condition.select(&rows, &mut faults);
        for (at, fault) in &faults {
            let origin = rest[*at as usize] as usize;
            let row = row_text(schema, &batch.rows, origin);
            meter.fault(batch.time, fault, row, batch.rows.diffs[origin]);
        }
        n_faulty += faults.len();
        arms.push(rows.gather(&selected));
        let mut selected = selected.into_iter().peekable();
        rest = (0_u32..)
            .zip(&rest)
            .filter(|(at, _)| selected.next_if_eq(at).is_none() && !faults.contains_key(at))
            .map(|(_, origin)| *origin)
            .collect();
    }
    let unmatched = batch.rows.gather(&rest);
    meter.count(batch.time, |counts| {
        counts.input.add_all(&batch.rows.diffs);
        counts.touched += batch.rows.len() as u64;
        for arm in &arms {
            counts.output.add_all(&arm.diffs);
        }
        if has_rest {
            counts.output.add_all(&unmatched.diffs);
        } else {
            counts.filtered.add_all(&unmatched.diffs);
        }
    });
    if has_rest {
        arms.push(unmatched);
    }
    let n_out: usize = arms.iter().map(ColumnBatch::len).sum();
    let n_filtered = if has_rest { 0 } else { rest.len() };
    assert_eq!(n_out + n_filtered + n_faulty, batch.rows.len(), "a route loses no row");
    arms
}
