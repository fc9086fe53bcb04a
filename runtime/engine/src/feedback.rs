//! What the flow writes to control topics: the changes of one epoch go back into the topics' logs
//! in the next, before all that comes from outside.
//!
//! The order is the canonical one of deltas, retractions first, so that neither worker nor back end
//! has a say in it. **Invariant:** no epoch begins before the one before is complete.

use std::collections::BTreeSet;

use arqon_plan::{DataflowPlan, TopicPlan};
use arqon_types::{Change, Discipline, ErrorRow, Row, TopicName, Update};

use crate::recorder::fields_text;
use crate::source::Changes;

/// Epochs in a row to which nothing comes from outside, while the flow goes on writing to control
/// topics. A circuit that has not settled by then waits for its next input, and says so.
pub const FEEDBACK_EPOCHS_MAX: u64 = 1_000;

/// Whether an epoch leaves something to go back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Feedback {
    /// Nothing goes back.
    #[default]
    Settled,
    /// Changes wait for the next epoch.
    Pending,
    /// After [`FEEDBACK_EPOCHS_MAX`] epochs these topics still change; an error row of each says
    /// so, and the changes wait until something comes from outside.
    Endless(Vec<TopicName>),
}

/// What an epoch is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Something from outside, be it nothing.
    Outside,
    /// Only what goes back.
    Feedback,
}

/// Changes that go back, by place of the topic in the plan.
pub(crate) type Returning = Vec<(usize, Vec<Change>)>;

/// Adds what changed in what the flow writes to a topic.
pub(crate) fn go_back(
    returning: &mut Returning,
    plan: &DataflowPlan,
    at: usize,
    updates: Vec<Update>,
) {
    if updates.is_empty() {
        return;
    }
    let topic = position(plan, &plan.feedbacks[at].topic);
    let changes = changes(&plan.topics[topic], updates);
    match returning.iter_mut().find(|(known, _)| *known == topic) {
        Some((_, waiting)) => waiting.extend(changes),
        None => returning.push((topic, changes)),
    }
}

fn position(plan: &DataflowPlan, name: &TopicName) -> usize {
    let place = plan.topics.iter().position(|topic| topic.name == *name);
    place.expect("the plan was verified: what goes back goes to one of its topics")
}

/// Consolidated updates as changes of the topic's log.
fn changes(topic: &TopicPlan, updates: Vec<Update>) -> Vec<Change> {
    let key = |row: &Row| -> Row { topic.key.iter().map(|at| row[*at].clone()).collect() };
    match topic.discipline {
        Discipline::Events => {
            let copies = |update: Update| {
                let n = usize::try_from(update.diff).expect("facts are not taken back");
                std::iter::repeat_n(Change::Insert(update.row), n)
            };
            updates.into_iter().flat_map(copies).collect()
        }
        Discipline::Delta => {
            updates.into_iter().map(|Update { row, diff, .. }| Change::Diff { row, diff }).collect()
        }
        Discipline::Full => {
            let (there, gone): (Vec<Update>, Vec<Update>) =
                updates.into_iter().partition(|update| 0 < update.diff);
            let replaced: BTreeSet<Row> = there.iter().map(|update| key(&update.row)).collect();
            let gone = gone.iter().map(|update| key(&update.row));
            gone.filter(|key| !replaced.contains(key))
                .map(Change::Delete)
                .chain(there.into_iter().map(|update| Change::Upsert(update.row)))
                .collect()
        }
    }
}

/// What is said of topics that do not settle, as changes of theirs.
pub(crate) fn endless(plan: &DataflowPlan, returning: &Returning) -> Vec<(usize, Changes)> {
    let said = |(at, changes): &(usize, Vec<Change>)| {
        let topic = &plan.topics[*at];
        let name = topic.name.as_str();
        let error = ErrorRow {
            node: name.to_owned(),
            step: name.to_owned(),
            code: "feedback".to_owned(),
            message: format!(
                "what the flow writes here still changes after {FEEDBACK_EPOCHS_MAX} epochs \
                 without input; it waits for the next one"
            ),
            place: plan.file.clone(),
            row: changes.first().map_or_else(String::new, |change| change_text(topic, change)),
        };
        (*at, Changes::Errors(vec![error]))
    };
    returning.iter().map(said).collect()
}

fn change_text(topic: &TopicPlan, change: &Change) -> String {
    let fields = &topic.schema.fields;
    match change {
        Change::Insert(row) | Change::Upsert(row) | Change::Diff { row, .. } => {
            fields_text(fields.iter().zip(row.iter()))
        }
        Change::Delete(key) => fields_text(topic.key.iter().map(|at| &fields[*at]).zip(key.iter())),
    }
}
