//! The topics of the bus: they come and go with the circuits that declare them.
//!
//! **Invariant:** a topic keeps its place as long as it is there; the place of one that has gone is
//! given to the next that comes, once nothing of the bus speaks of it any more.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use arqon_types::TopicName;

use crate::topic::Topic;

/// Topics by place and by name.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    places: Vec<Option<Topic>>,
    by_name: BTreeMap<TopicName, usize>,
}

impl Topics {
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Where a topic is.
    pub(crate) fn place(&self, name: &TopicName) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn get(&self, name: &TopicName) -> Option<&Topic> {
        self.place(name).map(|at| &self[at])
    }

    /// All of them with their places, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Topic)> {
        self.by_name.values().map(|at| (*at, &self[*at]))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Topic> {
        self.places.iter_mut().flatten()
    }

    /// Adds a topic of a new name.
    ///
    /// # Panics
    /// If there is one of that name.
    pub(crate) fn add(&mut self, topic: Topic) -> usize {
        let name = topic.spec.name.clone();
        let vacant = self.places.iter().position(Option::is_none);
        let at = vacant.unwrap_or(self.places.len());
        if at == self.places.len() {
            self.places.push(None);
        }
        self.places[at] = Some(topic);
        let before = self.by_name.insert(name, at);
        assert!(before.is_none(), "a topic comes once");
        at
    }

    /// Takes a topic away; its place is free.
    pub(crate) fn remove(&mut self, at: usize) {
        if let Some(topic) = self.places[at].take() {
            self.by_name.remove(&topic.spec.name);
        }
    }
}

impl Index<usize> for Topics {
    type Output = Topic;

    fn index(&self, at: usize) -> &Topic {
        self.places[at].as_ref().expect("what speaks of a topic goes with it")
    }
}

impl IndexMut<usize> for Topics {
    fn index_mut(&mut self, at: usize) -> &mut Topic {
        self.places[at].as_mut().expect("what speaks of a topic goes with it")
    }
}
