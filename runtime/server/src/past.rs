//! What input topics hold, for a circuit that comes: their past, in parts of bounded size.

use std::collections::BTreeSet;

use arqon_engine::{Changes, Held, TopicInput};
use arqon_plan::DataflowPlan;
use arqon_spine::TopicSpec;
use arqon_types::{Change, ColumnBatch, Discipline, TopicName};

use crate::hub::Hub;
use crate::topics::topic_specs;

/// Rows that a new circuit takes in at a time.
const ROWS_AT_A_TIME: usize = 50_000;

impl Hub {
    /// What the input topics of a circuit hold now, on whichever circuit holds it, and those that
    /// have a past which nobody holds.
    pub(crate) fn held(&self, plan: &DataflowPlan) -> (Vec<Held>, Vec<TopicName>) {
        let mut wanted: BTreeSet<&TopicName> = plan
            .topics
            .iter()
            .map(|topic| &topic.name)
            .filter(|topic| plan.has_source(topic))
            .collect();
        let (mut found, specs) = (Vec::new(), topic_specs(plan));
        for circuit in self.circuits.values() {
            let Some(dataflow) = circuit.running() else { continue };
            if !circuit.inputs.iter().any(|topic| wanted.contains(topic)) {
                continue;
            }
            // One that stops at this moment holds nothing any more.
            for held in dataflow.held().unwrap_or_default() {
                let topic = &held.topic;
                let of = |specs: &[TopicSpec]| specs.iter().find(|it| it.name == *topic).cloned();
                let is_same = of(&specs).zip(of(&circuit.specs)).is_some_and(can_take);
                // Topics that no step reads are not fed, and what the flow wrote, it writes anew.
                let is_held = circuit.inputs.contains(topic) && !plan.is_fed_back(topic);
                if is_same && is_held && wanted.remove(topic) {
                    found.push(held);
                }
            }
        }
        let has_past = |topic: &TopicName| {
            let mut reports = self.bus.topics().into_iter();
            reports.any(|report| report.spec.name == *topic && report.n_messages > 0)
        };
        let without = wanted.into_iter().filter(|topic| has_past(topic)).cloned();
        (found, without.collect())
    }
}

/// Whether a topic's rows can be fed to another declaration of it.
fn can_take((spec, known): (TopicSpec, TopicSpec)) -> bool {
    spec.discipline == known.discipline
        && spec.schema.fields == known.schema.fields
        && spec.key == known.key
}

/// What a new circuit takes in at a time.
pub(crate) struct Part {
    pub(crate) time: i64,
    pub(crate) topics: Vec<TopicInput>,
}

/// Cuts what is held into parts of bounded size; at least one, if only an empty one, and the last
/// of them has the present time. Rows that go because of when they came have their own time.
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
    if parts.last().is_none_or(|part| part.time != now) {
        parts.push(Part { time: now, topics: Vec::new() });
    }
    parts
}

/// How many rows there are, each as often as it is there.
pub(crate) fn rows_of(rows: &ColumnBatch) -> u64 {
    rows.diffs.iter().sum::<i64>().unsigned_abs()
}
