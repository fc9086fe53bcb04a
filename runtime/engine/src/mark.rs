//! Marks: how far the event time of each topic has come, row by row in log order.
//!
//! The feeder sees all rows of a topic in the order of its log, before they are divided among the
//! workers: each gets its mark there, so that neither the cut into epochs nor the number of
//! workers has a say in who is late.

use std::sync::Arc;

use arqon_plan::TopicPlan;
use arqon_types::{Change, Column, Value};

use crate::source::Changes;

/// The mark of a topic that has not said how far its time is: no window ends before it.
pub(crate) const NO_MARK: i64 = i64::MIN;
/// The mark of a topic that has ended: no window is open after it.
pub(crate) const END_MARK: i64 = i64::MAX;

/// The marks of all topics after an epoch, by place in the plan; behind them the greatest time of
/// epochs so far, where a topic lets go of rows some time after they came.
pub(crate) type Marks = Arc<[i64]>;

/// Keeps the mark of one topic.
#[derive(Debug, Clone)]
pub(crate) struct Marker {
    /// The event-time field; without one the mark stays where it is.
    time: Option<usize>,
    late: i64,
    mark: i64,
}

impl Marker {
    /// For a topic whose rows carry marks.
    pub(crate) fn new(topic: &TopicPlan) -> Option<Self> {
        Some(Self { time: topic.time, late: topic.lateness?, mark: NO_MARK })
    }

    /// How far the topic has come.
    pub(crate) fn mark(&self) -> i64 {
        self.mark
    }

    /// Says that the topic has ended.
    pub(crate) fn end(&mut self) {
        self.mark = END_MARK;
    }

    /// The mark of each change, in log order. What is taken away moves no mark.
    pub(crate) fn judge(&mut self, changes: &Changes) -> Vec<i64> {
        match changes {
            Changes::Rows(changes) => changes
                .iter()
                .map(|change| match (change, self.time) {
                    (Change::Insert(row) | Change::Upsert(row), Some(at)) => self.see(&row[at]),
                    (Change::Diff { row, diff }, Some(at)) if 0 < *diff => self.see(&row[at]),
                    (
                        Change::Insert(_)
                        | Change::Upsert(_)
                        | Change::Delete(_)
                        | Change::Diff { .. },
                        _,
                    ) => self.mark,
                })
                .collect(),
            Changes::Columns(batch) => match self.time.map(|at| &batch.columns[at]) {
                Some(Column::Int(times)) => times.iter().map(|time| self.advance(*time)).collect(),
                Some(other) => panic!("an event time is a timestamp, not {other:?}"),
                None => vec![self.mark; batch.len()],
            },
            Changes::Errors(_) => Vec::new(),
        }
    }

    fn see(&mut self, value: &Value) -> i64 {
        match value {
            Value::Timestamp(time) => self.advance(*time),
            other => panic!("an event time is a timestamp, not {other:?}"),
        }
    }

    fn advance(&mut self, time: i64) -> i64 {
        self.mark = self.mark.max(time.saturating_sub(self.late));
        self.mark
    }
}

/// The least mark of some topics.
pub(crate) fn least(marks: &[i64], topics: &[usize]) -> i64 {
    topics.iter().map(|topic| marks[*topic]).min().unwrap_or(NO_MARK)
}
