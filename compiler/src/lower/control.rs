//! Control topics: what the flow writes to one in an epoch stands in its log in the next.
//!
//! **Invariant:** the rows of a control topic come from its own log, so whoever reads them needs
//! none of the nodes that write them.

use std::sync::Arc;

use arqon_plan::{Feedback, Output, StepId};
use arqon_types::Discipline;

use super::{Kept, Label, Lowering};
use crate::feeds::is_fed_from_outside;
use crate::typed::TopicId;

impl Lowering<'_, '_> {
    /// The collection of a control topic, as its readers see it.
    pub(super) fn control(&mut self, id: TopicId) -> Option<StepId> {
        if let Some(known) = self.collections[id.0] {
            return Some(known);
        }
        let topic = self.resolved.topic(id);
        let mut step = self.fed(id)?;
        self.whole[id.0] = Some(step);
        if let Some(expiry) = self.expiry(id) {
            step = self.retained(id, step, expiry)?;
        }
        let is_written = !self.writers[id.0].is_empty();
        if topic.discipline == Discipline::Delta && !topic.key.is_empty() && is_written {
            let name: &Arc<str> = &topic.name.as_str().into();
            let schema = Arc::clone(&self.steps[step.index()].schema);
            step = self.unique(step, &topic.key, Label { node: name, address: name }, schema);
        }
        self.collections[id.0] = Some(step);
        Some(step)
    }

    /// What the flow writes to a control topic goes back to it; its subscribers see the rows that
    /// its readers see.
    pub(super) fn control_topic(&mut self, id: TopicId) -> Option<()> {
        let topic = self.resolved.topic(id);
        let is_written = !self.writers[id.0].is_empty() || !self.told_to(id).is_empty();
        if !is_written && !topic.edge.emits() {
            return Some(());
        }
        if is_written {
            let step = self.written_together(id)?;
            self.feedbacks.push(Feedback {
                topic: topic.name.clone(),
                step,
                is_shared: is_fed_from_outside(self.resolved, id, self.writers[id.0].len()),
            });
        }
        let retained = self.control(id)?;
        let is_said = topic.discipline == Discipline::Events;
        let step = self.plain(if is_said { self.whole[id.0]? } else { retained })?;
        self.outputs.push(Output { topic: topic.name.clone(), step });
        Some(())
    }

    /// All that the flow writes to a control topic; of a `full` one, a row for each key.
    fn written_together(&mut self, id: TopicId) -> Option<StepId> {
        let topic = self.resolved.topic(id);
        let schema = Arc::new(topic.schema()?);
        let is_latest = self.placed.latest_topics[id.0];
        let mut node: Arc<str> = topic.name.as_str().into();
        let mut address = Arc::clone(&node);
        let writers = self.writers[id.0].clone();
        if let Some((writer, _)) = writers.first() {
            // Of two rows for one key one is an error of the node that is named first. It is not
            // the topic's: who reads those waits for nothing that is written.
            let writer = &self.flow.nodes[writer.0];
            node = Arc::clone(&writer.errors_of);
            address = format!("{}.to", writer.name).into();
        }
        let mut written = Vec::with_capacity(writers.len());
        for writer in writers {
            let kept = Kept { arrival: false, mark: false, places: is_latest };
            written.push(self.written(writer, &schema, kept)?);
        }
        written.extend(self.told_to(id));
        let mut step = self.union(written, (&node, &address), &schema);
        let label = Label { node: &node, address: &address };
        if is_latest {
            step = self.latest(step, &topic.key, label, schema)?;
        } else if topic.discipline == Discipline::Full {
            step = self.unique(step, &topic.key, label, schema);
        }
        self.plain(step)
    }
}
