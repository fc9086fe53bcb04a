//! What a circuit is given of an epoch, and what others wrote in the form of input.

use std::collections::BTreeSet;

use arqon_engine::{Changes, Dataflow, EpochInput, FeedError, TopicInput};
use arqon_plan::TopicPlan;
use arqon_types::{Change, DeltaBatch, Discipline, Epoch, Row, Update};

use crate::circuit::Circuit;

/// What a circuit is given of an epoch, beside what other circuits write for it.
#[derive(Debug)]
pub(crate) enum Portion {
    /// What came for it from outside, or that it is time to let go of rows.
    Input(Vec<TopicInput>),
    /// What it wrote to control topics.
    Feedback,
    /// That event time has come to its end.
    EndOfTime,
    /// Nothing: it has a part in the epoch only if another circuit writes something for it.
    Nothing,
}

impl Portion {
    /// Gives it to the engine with what others wrote; none if that is nothing at all.
    pub(crate) fn give(
        self,
        dataflow: &Dataflow,
        (epoch, time): (Epoch, i64),
        written: Vec<TopicInput>,
    ) -> Option<Result<(), FeedError>> {
        let topics = match self {
            Self::EndOfTime => return Some(dataflow.end_time(epoch)),
            Self::Feedback if written.is_empty() => return Some(dataflow.feed_back(epoch)),
            Self::Nothing if written.is_empty() => return None,
            Self::Feedback | Self::Nothing => written,
            Self::Input(own) => own.into_iter().chain(written).collect(),
        };
        Some(dataflow.feed(EpochInput { epoch, time, topics }))
    }
}

/// Of what circuits wrote in an epoch, what another one reads, as input.
pub(crate) fn written_for<'a>(
    circuit: &Circuit,
    deltas: impl Iterator<Item = &'a DeltaBatch>,
) -> Vec<TopicInput> {
    let read = deltas.filter(|delta| circuit.reads.contains(&delta.topic));
    let input = |delta: &DeltaBatch| {
        let declared = circuit.plan.topics.iter().find(|topic| topic.name == delta.topic);
        let declared = declared.expect("what a circuit reads it declares");
        let changes = Changes::Rows(as_changes(declared, &delta.updates));
        TopicInput { topic: delta.topic.clone(), changes }
    };
    read.map(input).collect()
}

/// Updates of a topic in the form in which messages to it come.
fn as_changes(topic: &TopicPlan, updates: &[Update]) -> Vec<Change> {
    match topic.discipline {
        Discipline::Events => {
            let copies = |update: &Update| {
                let n = usize::try_from(update.diff).unwrap_or(0);
                std::iter::repeat_n(Change::Insert(update.row.clone()), n)
            };
            updates.iter().flat_map(copies).collect()
        }
        Discipline::Delta => {
            let change = |it: &Update| Change::Diff { row: it.row.clone(), diff: it.diff };
            updates.iter().map(change).collect()
        }
        Discipline::Full => {
            let key = |row: &Row| -> Row { topic.key.iter().map(|at| row[*at].clone()).collect() };
            let (come, gone): (Vec<&Update>, Vec<&Update>) =
                updates.iter().partition(|update| 0 < update.diff);
            let renewed: BTreeSet<Row> = come.iter().map(|update| key(&update.row)).collect();
            let gone = gone.into_iter().map(|update| key(&update.row));
            let gone = gone.filter(|key| !renewed.contains(key)).map(Change::Delete);
            gone.chain(come.into_iter().map(|it| Change::Upsert(it.row.clone()))).collect()
        }
    }
}
