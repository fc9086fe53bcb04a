//! What input topics hold, for a circuit that comes: their past, in parts of bounded size.

use arqon_engine::{Changes, Held, TopicInput};
use arqon_plan::DataflowPlan;
use arqon_types::{Change, ColumnBatch, Discipline};

/// Rows that a new circuit takes in at a time.
const ROWS_AT_A_TIME: usize = 50_000;

/// What a new circuit takes in at a time.
pub(crate) struct Part {
    pub(crate) time: i64,
    pub(crate) topics: Vec<TopicInput>,
}

/// Cuts what is held into parts of bounded size. Rows of which it is known when they came have that
/// time, the oldest first.
pub(crate) fn parts(plan: &DataflowPlan, held: Vec<Held>, now: i64) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut later = Vec::new();
    for Held { topic, rows, arrivals } in held {
        let Some(declared) = plan.topics.iter().find(|it| it.name == topic) else { continue };
        let types = declared.schema.types();
        let mut order: Vec<u32> = (0..).take(rows.len()).collect();
        if let Some(at) = declared.time {
            // The past comes in the order of its own time, so that none of it is late.
            order.sort_by_cached_key(|row| rows.columns[at].value(*row as usize, &types[at]));
        }
        let arrivals = arrivals.unwrap_or_default();
        let arrival = |row: &u32| arrivals.get(*row as usize).copied();
        order.sort_by_key(arrival);
        for run in order.chunk_by(|one, other| arrival(one) == arrival(other)) {
            for chosen in run.chunks(ROWS_AT_A_TIME) {
                let rows = rows.gather(chosen);
                let changes = if declared.discipline == Discipline::Full {
                    Changes::Columns(ColumnBatch { diffs: vec![1; rows.len()], ..rows })
                } else {
                    let row = |at| Change::Diff { row: rows.row(at, &types), diff: rows.diffs[at] };
                    Changes::Rows((0..rows.len()).map(row).collect())
                };
                let topics = vec![TopicInput { topic: topic.clone(), changes }];
                match arrival(&chosen[0]) {
                    Some(time) => parts.push(Part { time, topics }),
                    None => later.push(Part { time: now, topics }),
                }
            }
        }
    }
    parts.sort_by_key(|part| part.time);
    parts.append(&mut later);
    parts
}

/// How many rows there are, each as often as it is there.
pub(crate) fn rows_of(rows: &ColumnBatch) -> u64 {
    rows.diffs.iter().sum::<i64>().unsigned_abs()
}
