//! Stateless stages, fused into one operator and evaluated column by column.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use timely::container::NoopBuilder;
use timely::dataflow::Scope;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::operator::Operator;
use timely::progress::operate::FrontierInterest;

use arqon_plan::{Map, StageKind};
use arqon_types::{Column, ColumnBatch, Schema};

use crate::batch::{Batch, Batches, Moment};
use crate::evaluate::{Faults, Formula};
use crate::recorder::{Meter, row_text};
use crate::stats::Count;

/// The stages of a map, ready to run.
pub(crate) struct Stages {
    stages: Vec<(Work, Meter)>,
    /// Of the rows that come in.
    schema: Arc<Schema>,
}

impl Stages {
    /// Those of a map over rows of this schema; `meters` are those of the stages.
    pub(crate) fn new(map: &Map, schema: Arc<Schema>, meters: Vec<Meter>) -> Self {
        let stages = map.stages.iter().map(|stage| Work::new(&stage.kind)).zip(meters).collect();
        Self { stages, schema }
    }

    /// What rows of one epoch come to.
    ///
    /// An error row shows the row as it came to the step, whose fields have names.
    pub(crate) fn run(&self, epoch: u64, rows: Rc<ColumnBatch>) -> Rc<ColumnBatch> {
        self.trace(epoch, rows).rows
    }

    /// The same, and what became of which row.
    pub(crate) fn trace(&self, epoch: u64, rows: Rc<ColumnBatch>) -> Traced {
        run_stages(&self.stages, &self.schema, epoch, rows)
    }

    /// Which rows pass, ascending, where no stage but chooses; nothing is counted or said of them.
    ///
    /// # Panics
    /// If a stage makes other rows.
    pub(crate) fn passing(&self, rows: &ColumnBatch) -> Vec<u32> {
        let n_rows = u32::try_from(rows.len()).expect("batches are bounded");
        let mut passing: Vec<u32> = (0..n_rows).collect();
        for (work, _) in &self.stages {
            let Work::Filter(condition) = work else { panic!("a stage makes other rows") };
            let chosen = condition.select(rows, &mut Faults::new());
            passing.retain(|at| chosen.binary_search(at).is_ok());
        }
        passing
    }
}

/// What rows came to.
pub(crate) struct Traced {
    pub(crate) rows: Rc<ColumnBatch>,
    /// Of which row each has become; of all of them in order if not said.
    pub(crate) origin: Option<Vec<u32>>,
    /// Whether any row failed.
    pub(crate) has_failed: bool,
}

/// Renders the stages of a map.
pub(crate) fn render_map<T: Moment>(input: Batches<'_, T>, stages: Stages) -> Batches<'_, T> {
    input.unary::<NoopBuilder<Batch<T>>, _, _, _>(Pipeline, "Map", move |_, _| {
        move |input, output| {
            input.for_each(|capability, batch| {
                let Batch { time, rows } = std::mem::take(batch);
                let rows = stages.run(time.epoch(), rows);
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
    Unnest(Formula),
}

impl Work {
    fn new(kind: &StageKind) -> Self {
        match kind {
            StageKind::Filter(condition) => Self::Filter(Formula::new(condition)),
            StageKind::Project(exprs) => Self::Project(Formula::all(exprs)),
            StageKind::Unnest(list) => Self::Unnest(Formula::new(list)),
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
    has_failed: bool,
}

fn run_stages(
    stages: &[(Work, Meter)],
    schema: &Schema,
    epoch: u64,
    input: Rc<ColumnBatch>,
) -> Traced {
    let rows = Rc::clone(&input);
    let mut passage = Passage { epoch, schema, input, origin: None, rows, has_failed: false };
    for (work, meter) in stages {
        if passage.rows.is_empty() {
            break;
        }
        let mut faults = Faults::new();
        let n_rows = passage.rows.len();
        let mut input = Count::default();
        input.add_all(&passage.rows.diffs);
        let errors = match work {
            Work::Filter(condition) => {
                let selected = condition.select(&passage.rows, &mut faults);
                let errors = passage.refuse(meter, &faults);
                if selected.len() < n_rows {
                    passage.select(&selected);
                }
                errors
            }
            Work::Project(formulas) => {
                let columns = formulas
                    .iter()
                    .map(|it| Projected::new(it.column(&passage.rows, &mut faults), &passage.rows))
                    .collect();
                let errors = passage.refuse(meter, &faults);
                passage.project(columns);
                if !faults.is_empty() {
                    let n_rows = u32::try_from(n_rows).expect("batches are bounded");
                    let sound: Vec<u32> =
                        (0..n_rows).filter(|at| !faults.contains_key(at)).collect();
                    passage.select(&sound);
                }
                errors
            }
            Work::Unnest(list) => {
                let rows = Rc::clone(&passage.rows);
                let lists = list.column(&rows, &mut faults);
                passage.refuse(meter, &faults);
                let Elements { row_of, positions, items, without } = elements(&lists, &faults);
                passage.select(&row_of);
                let mut unnested = ColumnBatch::clone(&passage.rows);
                unnested.columns.extend([Column::Int(positions), items]);
                passage.rows = Rc::new(unnested);
                count_unnested(meter, epoch, &rows, &passage.rows, &without);
                continue;
            }
        };
        meter.count(epoch, |counts| {
            let mut output = Count::default();
            output.add_all(&passage.rows.diffs);
            counts.input.merge(input);
            counts.output.merge(output);
            counts.filtered.merge(input.less(output).less(errors));
            counts.touched += input.changes;
        });
    }
    let Passage { rows, origin, has_failed, .. } = passage;
    Traced { rows, origin, has_failed }
}

/// A column of a projection.
enum Projected {
    /// As it stands at this place.
    Same(usize),
    New(Column),
}

impl Projected {
    fn new(column: Cow<'_, Column>, rows: &ColumnBatch) -> Self {
        match column {
            Cow::Owned(column) => Self::New(column),
            Cow::Borrowed(column) => {
                let place = rows.columns.iter().position(|it| std::ptr::eq(it, column));
                place.map_or_else(|| Self::New(column.clone()), Self::Same)
            }
        }
    }
}

/// The elements of the lists of all rows, one after another.
struct Elements {
    /// The row of each element.
    row_of: Vec<u32>,
    /// Where each stands in its list, from 0.
    positions: Vec<i64>,
    items: Column,
    /// The sound rows without elements.
    without: Vec<u32>,
}

/// Takes lists, or options of lists, apart; rows in `faults` have none.
fn elements(lists: &Column, faults: &Faults) -> Elements {
    let (present, lists) = match lists {
        Column::Option { present, values } => (Some(present), &**values),
        plain => (None, plain),
    };
    let Column::List { ends, items } = lists else { panic!("only lists are unnested") };
    let mut row_of = Vec::new();
    let mut positions = Vec::new();
    let mut selection: Vec<u32> = Vec::new();
    let mut without = Vec::new();
    let mut start = 0;
    for (row_idx, end) in (0_u32..).zip(ends) {
        let range = std::mem::replace(&mut start, *end)..*end;
        if faults.contains_key(&row_idx) {
            continue;
        }
        let is_there = present.is_none_or(|present| present[row_idx as usize]);
        if range.is_empty() || !is_there {
            without.push(row_idx);
            continue;
        }
        for (position, item) in (0..).zip(range) {
            row_of.push(row_idx);
            positions.push(position);
            selection.push(item);
        }
    }
    Elements { row_of, positions, items: items.gather(&selection), without }
}

/// What came in has elements, has none, or is an error, which is counted where it is told; what
/// goes out are elements.
fn count_unnested(
    meter: &Meter,
    epoch: u64,
    before: &ColumnBatch,
    after: &ColumnBatch,
    without: &[u32],
) {
    meter.count(epoch, |counts| {
        counts.input.add_all(&before.diffs);
        counts.output.add_all(&after.diffs);
        for at in without {
            counts.filtered.add(before.diffs[*at as usize]);
        }
        counts.touched += (before.len() + after.len()) as u64;
    });
}

impl Passage<'_> {
    fn select(&mut self, selection: &[u32]) {
        self.rows = Rc::new(self.rows.gather(selection));
        self.origin = Some(match &self.origin {
            None => selection.to_vec(),
            Some(origin) => selection.iter().map(|at| origin[*at as usize]).collect(),
        });
    }

    /// The rows with these columns. Those that stay, and that nobody else reads, are not copied.
    fn project(&mut self, columns: Vec<Projected>) {
        let (mut before, diffs) = match Rc::try_unwrap(std::mem::take(&mut self.rows)) {
            Ok(ColumnBatch { columns, diffs }) => (columns, diffs),
            Err(shared) => {
                let copied = columns.into_iter().map(|column| match column {
                    Projected::Same(at) => shared.columns[at].clone(),
                    Projected::New(column) => column,
                });
                let (columns, diffs) = (copied.collect(), shared.diffs.clone());
                self.rows = Rc::new(ColumnBatch { columns, diffs });
                return;
            }
        };
        let mut n_uses = vec![0_u32; before.len()];
        for column in &columns {
            if let Projected::Same(at) = column {
                n_uses[*at] += 1;
            }
        }
        let projected = columns.into_iter().map(|column| match column {
            Projected::New(column) => column,
            Projected::Same(at) => {
                n_uses[at] -= 1;
                match n_uses[at] {
                    0 => std::mem::replace(&mut before[at], Column::Bool(Vec::new())),
                    _ => before[at].clone(),
                }
            }
        });
        let columns = projected.collect();
        self.rows = Rc::new(ColumnBatch { columns, diffs });
    }

    /// Sends the rows with a fault to the errors, and counts them.
    fn refuse(&mut self, meter: &Meter, faults: &Faults) -> Count {
        let mut errors = Count::default();
        self.has_failed |= !faults.is_empty();
        for (at, fault) in faults {
            let diff = self.rows.diffs[*at as usize];
            let origin = self.origin.as_ref().map_or(*at, |origin| origin[*at as usize]);
            let row = row_text(self.schema, &self.input, origin as usize);
            meter.fault(self.epoch, fault, row, diff);
            errors.add(diff);
        }
        errors
    }
}

/// Passes the rows of all inputs on and counts them, in one operator.
pub(crate) fn unite<'scope, T: Moment>(
    scope: Scope<'scope, T>,
    inputs: Vec<Batches<'scope, T>>,
    meter: Meter,
) -> Batches<'scope, T> {
    let mut builder = OperatorBuilder::new("Union".to_owned(), scope);
    let mut inputs: Vec<_> =
        inputs.into_iter().map(|rows| builder.new_input(rows, Pipeline)).collect();
    for idx in 0..inputs.len() {
        builder.set_notify_for(idx, FrontierInterest::Never);
    }
    let (output, stream) = builder.new_output::<Batch<T>>();
    let mut output = OutputBuilder::<T, NoopBuilder<Batch<T>>>::from(output);
    builder.build(move |capabilities| {
        drop(capabilities);
        move |_| {
            let mut output = output.activate();
            for input in &mut inputs {
                input.for_each(|capability, batch| {
                    let mut passed = Count::default();
                    passed.add_all(&batch.rows.diffs);
                    meter.count(batch.time.epoch(), |counts| counts.pass(passed));
                    let capability = capability.delayed(&batch.time, 0);
                    output.session_with_builder(&capability).give_container(batch);
                });
            }
        }
    });
    stream
}
