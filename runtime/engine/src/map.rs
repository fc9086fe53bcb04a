//! Stateless stages, fused into one operator and evaluated column by column.

use std::rc::Rc;

use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use arqon_plan::{Map, StageKind};
use arqon_types::{ColumnBatch, Schema};

use crate::batch::{Batch, Batches, Moment};
use crate::evaluate::{Faults, Formula};
use crate::recorder::{Meter, row_text};
use crate::stats::Count;

/// Renders the stages of a map; `meters` are those of the stages.
///
/// An error row shows the row as it came to the step, whose fields have names.
pub(crate) fn render_map<'scope, T: Moment>(
    input: Batches<'scope, T>,
    input_schema: Schema,
    map: &Map,
    meters: Vec<Meter>,
) -> Batches<'scope, T> {
    let stages: Vec<(Work, Meter)> =
        map.stages.iter().map(|stage| Work::new(&stage.kind)).zip(meters).collect();
    input.unary::<NoopBuilder<Batch<T>>, _, _, _>(Pipeline, "Map", move |_, _| {
        move |input, output| {
            input.for_each(|capability, batch| {
                let Batch { time, rows } = std::mem::take(batch);
                let rows = run_stages(&stages, &input_schema, time.epoch(), rows);
                if !rows.is_empty() {
                    let capability = capability.delayed(&time, 0);
                    output
                        .session_with_builder(&capability)
                        .give_container(&mut Batch { time, rows });
                }
            });
        }
    })
}

/// A stage ready to run.
enum Work {
    Filter(Formula),
    Project(Vec<Formula>),
}

impl Work {
    fn new(kind: &StageKind) -> Self {
        match kind {
            StageKind::Filter(condition) => Self::Filter(Formula::new(condition)),
            StageKind::Project(exprs) => Self::Project(Formula::all(exprs)),
        }
    }
}

/// Rows on their way through the stages.
struct Passage<'a> {
    epoch: u64,
    schema: &'a Schema,
    input: Rc<ColumnBatch>,
    /// Where each present row stands in `input`; all rows in order if absent.
    origin: Option<Vec<u32>>,
    rows: Rc<ColumnBatch>,
}

fn run_stages(
    stages: &[(Work, Meter)],
    schema: &Schema,
    epoch: u64,
    input: Rc<ColumnBatch>,
) -> Rc<ColumnBatch> {
    let rows = Rc::clone(&input);
    let mut passage = Passage { epoch, schema, input, origin: None, rows };
    for (work, meter) in stages {
        if passage.rows.is_empty() {
            break;
        }
        let mut faults = Faults::new();
        let rows = Rc::clone(&passage.rows);
        match work {
            Work::Filter(condition) => {
                let selected = condition.select(&rows, &mut faults);
                passage.refuse(meter, &faults);
                if selected.len() < rows.len() {
                    passage.select(&selected);
                }
            }
            Work::Project(formulas) => {
                let columns = formulas
                    .iter()
                    .map(|formula| formula.column(&rows, &mut faults).into_owned())
                    .collect();
                passage.refuse(meter, &faults);
                let diffs = rows.diffs.clone();
                passage.rows = Rc::new(ColumnBatch { columns, diffs });
                if !faults.is_empty() {
                    let n_rows = u32::try_from(rows.len()).expect("batches are bounded");
                    let sound: Vec<u32> =
                        (0..n_rows).filter(|at| !faults.contains_key(at)).collect();
                    passage.select(&sound);
                }
            }
        }
        meter.count(epoch, |counts| {
            let (mut input, mut output, mut errors) =
                (Count::default(), Count::default(), Count::default());
            input.add_all(&rows.diffs);
            output.add_all(&passage.rows.diffs);
            for at in faults.keys() {
                errors.add(rows.diffs[*at as usize]);
            }
            counts.input.merge(input);
            counts.output.merge(output);
            counts.filtered.merge(input.less(output).less(errors));
            counts.touched += input.changes;
        });
    }
    passage.rows
}

impl Passage<'_> {
    fn select(&mut self, selection: &[u32]) {
        self.rows = Rc::new(self.rows.gather(selection));
        self.origin = Some(match &self.origin {
            None => selection.to_vec(),
            Some(origin) => selection.iter().map(|at| origin[*at as usize]).collect(),
        });
    }

    fn refuse(&self, meter: &Meter, faults: &Faults) {
        for (at, fault) in faults {
            let diff = self.rows.diffs[*at as usize];
            let origin = self.origin.as_ref().map_or(*at, |origin| origin[*at as usize]);
            let row = row_text(self.schema, &self.input, origin as usize);
            meter.fault(self.epoch, fault, row, diff);
        }
    }
}

/// Passes rows on and counts them.
pub(crate) fn count_through<T: Moment>(input: Batches<'_, T>, meter: Meter) -> Batches<'_, T> {
    input.unary::<NoopBuilder<Batch<T>>, _, _, _>(Pipeline, "Union", move |_, _| {
        move |input, output| {
            input.for_each(|capability, batch| {
                meter.count(batch.time.epoch(), |counts| {
                    counts.input.add_all(&batch.rows.diffs);
                    counts.output.add_all(&batch.rows.diffs);
                    counts.touched += batch.rows.len() as u64;
                });
                let capability = capability.delayed(&batch.time, 0);
                output.session_with_builder(&capability).give_container(batch);
            });
        }
    })
}
