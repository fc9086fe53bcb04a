//! What is sent to a circuit in order, its cuts into epochs, and the plain reading of it: what
//! each input topic holds at the end.

use std::collections::BTreeMap;

use arqon_engine::{Changes as Input, TopicInput};
use arqon_plan::{DataflowPlan, TopicPlan};
use arqon_types::{Change, Discipline, Row, TopicName};

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    /// Where it is sent.
    pub(super) topic: TopicName,
    /// What it says.
    pub(super) change: Change,
    /// Whether an epoch begins with it, where epochs are cut.
    pub(super) begins: bool,
}

/// Messages by epoch.
pub(super) type Epochs = Vec<Vec<Message>>;

/// The topics that the circuit reads and nobody in it writes.
pub(super) fn inputs(plan: &DataflowPlan) -> Vec<&TopicPlan> {
    plan.topics
        .iter()
        .filter(|topic| plan.has_source(&topic.name))
        .filter(|topic| plan.outputs.iter().all(|output| output.topic != topic.name))
        .collect()
}

/// As the engine takes it, message by message, so that their order stays.
pub(super) fn fed(epochs: &Epochs) -> Vec<Vec<TopicInput>> {
    let input = |message: &Message| TopicInput {
        topic: message.topic.clone(),
        changes: Input::Rows(vec![message.change.clone()]),
    };
    epochs.iter().map(|messages| messages.iter().map(input).collect()).collect()
}

/// The messages, cut where they say. The place is theirs, so that it stays when others go.
pub(super) fn cut(messages: &[Message]) -> Epochs {
    let mut epochs: Epochs = vec![Vec::new()];
    for message in messages {
        if message.begins {
            epochs.push(Vec::new());
        }
        epochs.last_mut().expect("there is a first epoch").push(message.clone());
    }
    epochs
}

/// What a topic holds: rows by key where it has `full` state, else rows with multiplicities.
#[derive(Debug, Clone, Default)]
struct Holding {
    by_key: BTreeMap<Row, Row>,
    by_row: BTreeMap<Row, i64>,
}

/// The plain reading of messages.
#[derive(Debug, Clone)]
pub(super) struct Holdings<'p> {
    topics: BTreeMap<&'p TopicName, (&'p TopicPlan, Holding)>,
}

impl<'p> Holdings<'p> {
    /// Nothing yet.
    pub(super) fn new(plan: &'p DataflowPlan) -> Self {
        let topics = inputs(plan).into_iter();
        Self { topics: topics.map(|topic| (&topic.name, (topic, Holding::default()))).collect() }
    }

    /// Takes a message; false if it retracts what is not there, and so changes nothing.
    pub(super) fn take(&mut self, message: &Message) -> bool {
        let Some((topic, holding)) = self.topics.get_mut(&message.topic) else { return false };
        match &message.change {
            Change::Insert(row) => *holding.by_row.entry(row.clone()).or_insert(0) += 1,
            Change::Upsert(row) => {
                let key: Row = topic.key.iter().map(|&at| row[at].clone()).collect();
                holding.by_key.insert(key, row.clone());
            }
            Change::Delete(key) => {
                holding.by_key.remove(key);
            }
            Change::Diff { row, diff } => {
                let copies = holding.by_row.entry(row.clone()).or_insert(0);
                if *copies + diff < 0 && topic.verified {
                    return false;
                }
                *copies += diff;
            }
        }
        true
    }

    /// How many rows a topic holds, copies counted.
    pub(super) fn n_rows(&self, topic: &TopicName) -> i64 {
        let Some((_, holding)) = self.topics.get(topic) else { return 0 };
        let n_keys = i64::try_from(holding.by_key.len()).expect("few generated rows");
        n_keys + holding.by_row.values().sum::<i64>()
    }

    /// Messages that take everything away that can be taken away: all but events.
    pub(super) fn deletions(&self) -> Vec<Message> {
        let mut messages = Vec::new();
        for (name, (topic, holding)) in &self.topics {
            let mut add = |change: Change| {
                let begins = messages.len() % 3 == 2;
                messages.push(Message { topic: (*name).clone(), change, begins });
            };
            match topic.discipline {
                Discipline::Events => {}
                Discipline::Full => {
                    holding.by_key.keys().for_each(|key| add(Change::Delete(key.clone())));
                }
                Discipline::Delta => {
                    for (row, copies) in holding.by_row.iter().filter(|(_, copies)| **copies != 0) {
                        add(Change::Diff { row: row.clone(), diff: -copies });
                    }
                }
            }
        }
        messages
    }
}
