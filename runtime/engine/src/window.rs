//! Windows of single rows: each row meets its own mark, and goes into the windows that are open.

use std::rc::Rc;
use std::sync::Arc;

use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use arqon_operators::Place;
use arqon_plan::{Frame, Window};
use arqon_types::{Column, ColumnBatch, Schema};

use crate::batch::{Batch, Batches};
use crate::evaluate::{Faults, Formula};
use crate::recorder::{Fault, Meter, row_text};

/// Rows once for each window of theirs that is open, with its bounds.
pub(crate) fn render_window<'scope>(
    input: Batches<'scope>,
    schema: Arc<Schema>,
    window: &Window,
    meter: Meter,
) -> Batches<'scope> {
    let judge = Judge::new(window);
    let Window { keeps_rows, keeps_mark, .. } = *window;
    by_batch(input, "Window", move |epoch, rows| {
        let mut faults = Faults::new();
        let verdicts = judge.verdicts(rows, &mut faults);
        let places = judge.places(&verdicts, &mut faults);
        for (at, fault) in &faults {
            let row_idx = *at as usize;
            meter.fault(epoch, fault, row_text(&schema, rows, row_idx), rows.diffs[row_idx]);
        }
        if keeps_rows {
            for (row_idx, diff) in taken_back_late(&verdicts, &rows.diffs) {
                // The refusal is a fact, whatever the sign of what was refused.
                meter.note(epoch, &kept(), row_text(&schema, rows, row_idx), -diff);
            }
        }
        let output = judge.output(rows, &places, keeps_mark);
        meter.count(epoch, |counts| {
            counts.input.add_all(&rows.diffs);
            counts.output.add_all(&output.diffs);
            counts.touched += rows.len() as u64;
            for (verdict, diff) in verdicts.iter().zip(&rows.diffs) {
                if let Verdict::Late = verdict {
                    counts.late.add(*diff);
                }
            }
        });
        output
    })
}

/// The rows all of whose windows have closed.
pub(crate) fn render_late<'scope>(
    input: Batches<'scope>,
    window: &Window,
    meter: Meter,
) -> Batches<'scope> {
    let judge = Judge::new(window);
    by_batch(input, "Late", move |epoch, rows| {
        // The window itself sends rows with a fault to the errors.
        let verdicts = judge.verdicts(rows, &mut Faults::new());
        let late: Vec<u32> = (0_u32..)
            .zip(&verdicts)
            .zip(&rows.diffs)
            .filter(|((_, verdict), diff)| **verdict == Verdict::Late && **diff > 0)
            .map(|((at, _), _)| at)
            .collect();
        let mut output = rows.gather(&late);
        output.columns.pop();
        meter.count(epoch, |counts| {
            counts.input.add_all(&output.diffs);
            counts.output.add_all(&output.diffs);
        });
        output
    })
}

fn by_batch<'scope>(
    input: Batches<'scope>,
    name: &str,
    work: impl Fn(u64, &ColumnBatch) -> ColumnBatch + 'static,
) -> Batches<'scope> {
    input.unary::<NoopBuilder<Batch>, _, _, _>(Pipeline, name, move |_, _| {
        move |input, output| {
            input.for_each(|capability, batch| {
                let Batch { time: epoch, rows } = std::mem::take(batch);
                let rows = work(epoch, &rows);
                if !rows.is_empty() {
                    let capability = capability.delayed(&epoch, 0);
                    output
                        .session_with_builder(&capability)
                        .give_container(&mut Batch { time: epoch, rows: Rc::new(rows) });
                }
            });
        }
    })
}

/// How a row stands to its windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// At this time, with this mark.
    OnTime { time: i64, mark: i64 },
    /// All its windows had closed.
    Late,
    /// Its time could not be computed.
    Faulty,
}

/// A row of the output: where it stands in the input, and where its window begins.
type Placed = (u32, i64);

struct Judge {
    frame: Frame,
    time: Formula,
}

impl Judge {
    fn new(window: &Window) -> Self {
        Self { frame: window.frame, time: Formula::new(&window.time) }
    }

    fn verdicts(&self, rows: &ColumnBatch, faults: &mut Faults) -> Vec<Verdict> {
        let times = self.time.column(rows, faults);
        let (times, marks) = match (&*times, rows.columns.last()) {
            (Column::Int(times), Some(Column::Int(marks))) => (times, marks),
            (times, marks) => panic!("times {times:?} and marks {marks:?} are whole numbers"),
        };
        let verdict = |(at, (time, mark)): (u32, (&i64, &i64))| {
            if faults.contains_key(&at) {
                return Verdict::Faulty;
            }
            match self.frame.last_end(*time) {
                // Nothing is later than the last moment that a timestamp can say.
                None if *mark < i64::MAX => Verdict::OnTime { time: *time, mark: *mark },
                Some(end) if *mark < end => Verdict::OnTime { time: *time, mark: *mark },
                None | Some(_) => Verdict::Late,
            }
        };
        (0_u32..).zip(times.iter().zip(marks)).map(verdict).collect()
    }

    /// The rows on time, once for each window that is open; those whose window has a bound that
    /// no timestamp can say become faults.
    fn places(&self, verdicts: &[Verdict], faults: &mut Faults) -> Vec<Placed> {
        let mut places = Vec::with_capacity(verdicts.len());
        for (at, verdict) in (0_u32..).zip(verdicts) {
            let Verdict::OnTime { time, mark } = verdict else { continue };
            if !self.place(at, *time, *mark, &mut places) {
                faults.insert(at, beyond());
            }
        }
        places
    }

    /// Whether all bounds of the row's windows can be said; if not, it has no place.
    fn place(&self, at: u32, time: i64, mark: i64, places: &mut Vec<Placed>) -> bool {
        let (size, every) = match self.frame {
            Frame::Aligned { size, every } => (size, every),
            Frame::Own { length } => {
                places.push((at, time));
                return time.checked_add(length).is_some() || places.pop().is_none();
            }
        };
        let n_before = places.len();
        let mut start = time.checked_sub(time.rem_euclid(every));
        while let Some(begin) = start {
            let Some(end) = begin.checked_add(size) else { break };
            if end <= time || end <= mark {
                return true;
            }
            places.push((at, begin));
            start = begin.checked_sub(every);
        }
        places.truncate(n_before);
        false
    }

    fn output(&self, rows: &ColumnBatch, places: &[Placed], keeps_mark: bool) -> ColumnBatch {
        let is_all = places.len() == rows.len() && (0_u32..).zip(places).all(|(at, it)| at == it.0);
        let mut output = if is_all {
            rows.clone()
        } else {
            rows.gather(&places.iter().map(|(at, _)| *at).collect::<Vec<u32>>())
        };
        let mark = output.columns.pop();
        if let Frame::Aligned { size, .. } = self.frame {
            let starts: Vec<i64> = places.iter().map(|(_, start)| *start).collect();
            let ends = starts.iter().map(|start| start + size).collect();
            output.columns.extend([Column::Int(starts), Column::Int(ends)]);
        }
        output.columns.extend(mark.filter(|_| keeps_mark));
        output
    }
}

/// Rows that are taken back after their windows have closed, with their diffs.
fn taken_back_late(verdicts: &[Verdict], diffs: &[i64]) -> impl Iterator<Item = (usize, i64)> {
    let late = |(row_idx, (verdict, diff)): (usize, (&Verdict, &i64))| {
        (*verdict == Verdict::Late && *diff < 0).then_some((row_idx, *diff))
    };
    verdicts.iter().zip(diffs).enumerate().filter_map(late)
}

fn kept() -> Fault {
    Fault {
        code: "closed_window".into(),
        message: "the row is taken back after its windows have closed, and what they say stands"
            .to_owned(),
        place: Place::default(),
    }
}

fn beyond() -> Fault {
    Fault {
        code: "overflow".into(),
        message: "a bound of the row's window is out of range".to_owned(),
        place: Place::default(),
    }
}
