//! Which rows must bring their place in the log: those that become the last event of their key.

use std::collections::BTreeMap;
use std::sync::Arc;

use arqon_plan::{Plan, Port, Verb, Vertex};
use arqon_types::Discipline;

use crate::feeds::is_control;
use crate::resolve::Resolved;
use crate::typed::{self, Input, NodeId, TopicId, TypedStep};
use crate::typing::Flow;

/// Where rows bring their place in the log, and where the last of them wins.
#[derive(Debug)]
pub(crate) struct Placed {
    /// Of each node: how many of its steps, from the first on, get rows with their place.
    pub(crate) n_steps: Vec<usize>,
    /// Whether a node puts out rows with their place.
    pub(crate) nodes: Vec<bool>,
    /// Whether the rows of a topic have their place.
    pub(crate) topics: Vec<bool>,
    /// The `carries: full` steps, by address.
    pub(crate) full_steps: BTreeMap<Arc<str>, FullStep>,
    /// The keys of the rows that kernels read, by the step's address and the port.
    pub(crate) kernel_keys: BTreeMap<(Arc<str>, String), Vec<usize>>,
    /// Whether in a topic the last event wins.
    pub(crate) latest_topics: Vec<bool>,
}

/// A step whose rows are the state of a key.
#[derive(Debug, Clone)]
pub(crate) struct FullStep {
    /// The key.
    pub(crate) key: Vec<usize>,
    /// Whether the last event of each key wins; else there is one row for each key, or an error.
    pub(crate) is_last: bool,
}

impl Placed {
    /// What `plan`, which has no faults, needs of the nodes and topics.
    pub(crate) fn new(resolved: &Resolved<'_>, flow: &Flow, plan: &Plan) -> Self {
        let mut placed = Self {
            n_steps: vec![0; flow.nodes.len()],
            nodes: vec![false; flow.nodes.len()],
            topics: vec![false; resolved.topics.len()],
            full_steps: BTreeMap::new(),
            kernel_keys: BTreeMap::new(),
            latest_topics: vec![false; resolved.topics.len()],
        };
        for (id, vertex) in plan.vertices() {
            let is_last = plan.last_event_key(id).is_some();
            match vertex {
                Vertex::Step(step) => {
                    if let Verb::Kernel(_) = &step.verb {
                        for wire in plan.inputs(id) {
                            let Port::Named(port) = &wire.wire.port else { continue };
                            let key = plan.facts(wire.from).key().unwrap_or_default();
                            placed.kernel_keys.insert((step.address.clone(), port.clone()), key);
                        }
                    }
                    if let Verb::Carries(Discipline::Full) = &step.verb
                        && let Some(key) = plan.carries_key(id)
                    {
                        let full = FullStep { key, is_last };
                        placed.full_steps.insert(Arc::clone(&step.address), full);
                    }
                }
                Vertex::Topic(topic) if is_last => {
                    if let Some(TopicId(id)) = resolved.topic_id(topic.name.as_str()) {
                        placed.latest_topics[id] = true;
                    }
                }
                Vertex::Topic(_) | Vertex::Client(_) | Vertex::Endpoint(_) => {}
            }
        }
        placed.spread(resolved, flow);
        placed
    }

    /// From where the place is needed back to where it comes from.
    fn spread(&mut self, resolved: &Resolved<'_>, flow: &Flow) {
        let mut waiting: Vec<Input> = Vec::new();
        for (idx, node) in flow.nodes.iter().enumerate() {
            let is_latest = |step: &TypedStep| {
                self.full_steps.get(&*step.address).is_some_and(|full| full.is_last)
            };
            // The last event that asks for a mode is the one that counts.
            waiting.extend(node.steps.iter().filter_map(|step| match &step.verb {
                typed::Verb::Kernel(kernel) => kernel.control.map(|(topic, _)| Input::Topic(topic)),
                _ => None,
            }));
            if let Some(at) = node.steps.iter().position(is_latest) {
                self.n_steps[idx] = at + 1;
                waiting.extend(node.sources.iter().map(|source| source.input));
            }
        }
        let writers = |topic: usize| {
            flow.nodes.iter().enumerate().filter_map(move |(idx, node)| {
                let writes = node.sinks.iter().any(|sink| sink.topic == TopicId(topic));
                writes.then_some(Input::Node(NodeId(idx)))
            })
        };
        for topic in 0..self.topics.len() {
            if self.latest_topics[topic] {
                waiting.extend(writers(topic));
            }
        }
        while let Some(input) = waiting.pop() {
            match input {
                Input::Topic(TopicId(id)) => {
                    let is_new = !std::mem::replace(&mut self.topics[id], true);
                    // What goes back to a control topic has its place in the topic's own log.
                    if is_new && !is_control(resolved, TopicId(id)) {
                        waiting.extend(writers(id));
                    }
                }
                Input::Node(NodeId(id)) | Input::Label(NodeId(id), _) => {
                    if !std::mem::replace(&mut self.nodes[id], true) {
                        let node = &flow.nodes[id];
                        self.n_steps[id] = node.steps.len();
                        waiting.extend(node.sources.iter().map(|source| source.input));
                    }
                }
                // What came too late was judged; it has no place any more.
                Input::Errors(_) | Input::Late(_) | Input::Local(_) | Input::Operator(_) => {}
            }
        }
    }
}
