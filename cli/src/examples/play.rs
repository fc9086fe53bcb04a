//! A circuit's engine, run over given epochs in this process.
//!
//! Where the flow writes to control topics, an epoch stands for itself and for those in which
//! nothing comes but what goes back, until nothing does.

use std::collections::BTreeMap;
use std::sync::mpsc;

use arqon_engine::{Dataflow, EngineOptions, EpochInput, Feedback, RowOutput, TopicInput};
use arqon_plan::DataflowPlan;
use arqon_types::{DeltaBatch, Epoch, Schema, TopicName, error_schema};

use super::difference::Changes;
use crate::exit::Failure;

/// When tests run: 2026-01-01T00:00:00Z.
pub(super) const TEST_TIME: i64 = 1_767_225_600_000_000_000;

/// What each epoch comes to, all of them at [`TEST_TIME`].
///
/// # Errors
/// A [`Failure`] with exit code 70 if the engine stops.
pub(super) fn play(
    plan: &DataflowPlan,
    options: EngineOptions,
    epochs: Vec<Vec<TopicInput>>,
) -> Result<Vec<RowOutput>, Failure> {
    play_at(plan, options, epochs.into_iter().map(|topics| (TEST_TIME, topics)).collect())
}

/// As [`play`], each epoch at its time.
///
/// # Errors
/// A [`Failure`] with exit code 70 if the engine stops.
pub(super) fn play_at(
    plan: &DataflowPlan,
    options: EngineOptions,
    epochs: Vec<(i64, Vec<TopicInput>)>,
) -> Result<Vec<RowOutput>, Failure> {
    let stopped = |error: &dyn std::error::Error| Failure::internal(Failure::chain(error));
    let (sender, receiver) = mpsc::channel();
    let dataflow = Dataflow::start(plan.clone(), options, move |output| {
        // The receiver outlives the dataflow.
        let _ = sender.send(output.into_rows());
    })
    .map_err(|error| stopped(&error))?;
    let n_epochs = epochs.len();
    let mut outputs: Vec<RowOutput> = Vec::new();
    let mut epoch = Epoch(0);
    for (time, topics) in epochs {
        epoch = epoch.next();
        dataflow.feed(EpochInput { epoch, time, topics }).map_err(|error| stopped(&error))?;
        if plan.feedbacks.is_empty() {
            continue;
        }
        // Who has stopped says so when it is finished.
        let Ok(mut output) = receiver.recv() else { break };
        while output.feedback == Feedback::Pending {
            epoch = epoch.next();
            dataflow.feed_back(epoch).map_err(|error| stopped(&error))?;
            let Ok(later) = receiver.recv() else { break };
            output.take_in(later);
        }
        outputs.push(output);
    }
    dataflow.finish().map_err(|error| stopped(&error))?;
    outputs.extend(receiver.iter());
    assert_eq!(outputs.len(), n_epochs, "every epoch comes out once");
    Ok(outputs)
}

/// The changes that one topic made.
pub(super) fn changes_of(deltas: &[DeltaBatch], topic: &TopicName) -> Changes {
    let mut changes = Changes::new();
    for update in
        deltas.iter().filter(|delta| delta.topic == *topic).flat_map(|delta| &delta.updates)
    {
        *changes.entry(update.row.clone()).or_insert(0) += update.diff;
    }
    changes.retain(|_, diff| *diff != 0);
    changes
}

/// What a topic's rows are; those of `<node>.errors` are error rows.
pub(super) fn schema_of(plan: &DataflowPlan, topic: &TopicName) -> Schema {
    let declared = plan.topics.iter().find(|declared| declared.name == *topic);
    declared.map_or_else(error_schema, |topic| topic.schema.clone())
}

/// Rows by topic.
pub(super) type State = BTreeMap<TopicName, Changes>;

/// Adds the deltas of an epoch; rows that cancel out are gone.
pub(super) fn add(state: &mut State, output: &RowOutput) {
    for delta in &output.deltas {
        let rows = state.entry(delta.topic.clone()).or_default();
        for update in &delta.updates {
            *rows.entry(update.row.clone()).or_insert(0) += update.diff;
        }
        rows.retain(|_, diff| *diff != 0);
    }
    state.retain(|_, rows| !rows.is_empty());
}
