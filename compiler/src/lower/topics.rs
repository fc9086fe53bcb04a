//! Topics: what comes from outside and what the flow writes is one collection, of which a key has
//! one row.

use std::sync::Arc;

use arqon_plan::{Operator, Output, Step, StepId};
use arqon_types::{Discipline, Schema};

use super::hidden::{Kept, arrived, hidden_of, placed_schema, with_hidden};
use super::windows::marked;
use super::{Label, Lowering, project};
use crate::feeds::{is_control, is_fed_from_outside};
use crate::typed::{NodeId, TopicId};

impl Lowering<'_, '_> {
    pub(super) fn log(&mut self, id: TopicId) -> Option<StepId> {
        let topic = self.resolved.topic(id);
        if let Some(known) = self.logs[id.0] {
            return Some(known);
        }
        let name: Arc<str> = topic.name.as_str().into();
        let schema = self.topic_schema(id)?;
        let step = self.push(Step {
            node: Arc::clone(&name),
            address: name,
            operator: Operator::Log(topic.name.clone()),
            inputs: Vec::new(),
            schema: placed_schema(schema, 1),
        });
        self.logs[id.0] = Some(step);
        Some(step)
    }

    pub(super) fn source(&mut self, id: TopicId) -> Option<StepId> {
        let topic = self.resolved.topic(id);
        if let Some(known) = self.sources[id.0] {
            return Some(known);
        }
        let name: Arc<str> = topic.name.as_str().into();
        let step = self.push(Step {
            node: Arc::clone(&name),
            address: name,
            operator: Operator::Source(topic.name.clone()),
            inputs: Vec::new(),
            schema: self.topic_schema(id)?,
        });
        self.sources[id.0] = Some(step);
        Some(step)
    }

    /// What the rows of a topic's source are, with what they bring along.
    pub(super) fn topic_schema(&self, id: TopicId) -> Option<Arc<Schema>> {
        let topic = self.resolved.topic(id);
        let schema = Arc::new(topic.schema()?);
        let brings = self.marks.arrivals.topics.contains(&id.0);
        let schema = if brings { arrived(schema) } else { schema };
        Some(if self.marks.topics.contains(&id.0) { marked(schema) } else { schema })
    }

    /// The collection of a topic, for its readers and subscribers.
    pub(super) fn topic(&mut self, id: TopicId) -> Option<()> {
        if is_control(self.resolved, id) {
            return self.control_topic(id);
        }
        let topic = self.resolved.topic(id);
        let name: Arc<str> = topic.name.as_str().into();
        let schema = Arc::new(topic.schema()?);
        let writers = self.writers[id.0].clone();
        let mut written = Vec::with_capacity(writers.len() + 1);
        let mut owner = Arc::clone(&name);
        let mut address = Arc::clone(&name);
        for (node_id, sink_idx) in &writers {
            let node = &self.flow.nodes[node_id.0];
            if writers.len() == 1 {
                owner = Arc::clone(&node.errors_of);
                address = format!("{}.to", node.name).into();
            }
            let kept = Kept {
                arrival: self.marks.arrivals.topics.contains(&id.0),
                mark: self.marks.topics.contains(&id.0),
                places: self.placed.topics[id.0] || self.placed.latest_topics[id.0],
            };
            written.push(self.written((*node_id, *sink_idx), &schema, kept)?);
        }
        let told = self.told_to(id);
        let is_told = !told.is_empty();
        // What a kernel tells has no place in a log, and nobody else tells it.
        let is_measured = told
            .iter()
            .any(|step| matches!(self.steps[step.index()].operator, Operator::Measured(_)));
        let n_writers = writers.len() + usize::from(is_measured);
        written.extend(told);
        for step in &mut written {
            *step = self.beside_log(id, *step)?;
        }
        // Of a topic that nobody writes here or outside, and nobody reads, there is no collection.
        let is_wanted = !writers.is_empty() || topic.edge.admits() || self.is_read[id.0] || is_told;
        if is_wanted && is_fed_from_outside(self.resolved, id, n_writers) {
            written.push(self.fed(id)?);
        }
        if written.is_empty() {
            return Some(());
        }
        let is_only = written.len() == 1;
        let mut step = self.union(written, (&name, &name), &schema);
        let node = if is_only { &owner } else { &name };
        let label = Label { node, address: &address };
        let is_latest = self.placed.latest_topics[id.0] && !is_measured;
        if is_latest {
            step = self.latest(step, &topic.key, label, Arc::clone(&schema))?;
        }
        let whole = step;
        if let Some(expiry) = self.expiry(id) {
            self.whole[id.0] = Some(whole);
            step = self.retained(id, step, expiry)?;
        }
        let is_keyed = topic.discipline != Discipline::Events && !topic.key.is_empty();
        if is_keyed && !is_latest && !writers.is_empty() {
            // A key that has been let go is free for another row.
            step = self.unique(step, &topic.key, label, schema);
        }
        if !writers.is_empty() || topic.edge.emits() || is_told {
            // What events have said is said; of a collection, rows go.
            let said = if topic.discipline == Discipline::Events { whole } else { step };
            let step = self.plain(said)?;
            self.outputs.push(Output { topic: topic.name.clone(), step });
        }
        self.collections[id.0] = Some(step);
        Some(())
    }

    /// What a node writes to a topic, as rows of the topic.
    pub(super) fn written(
        &mut self,
        (node_id, sink_idx): (NodeId, usize),
        schema: &Arc<Schema>,
        kept: Kept,
    ) -> Option<StepId> {
        let node = &self.flow.nodes[node_id.0];
        let sink = &node.sinks[sink_idx];
        let mut result = *self.results[node_id.0].get(sink.label.unwrap_or(0))?;
        result = self.shaped(result, kept)?;
        let Some(fields) = &sink.fields else { return Some(result) };
        let address: Arc<str> = format!("{}.to", node.name).into();
        let from = &self.steps[result.index()].schema;
        let exprs = fields.iter().cloned().chain(hidden_of(from)).collect();
        let schema = with_hidden(Arc::clone(schema), from);
        Some(self.push(Step {
            node: node.errors_of.clone(),
            operator: project(&address, exprs),
            address,
            inputs: vec![result],
            schema,
        }))
    }
}
