//! What replacing one plan by another means: for each topic, node and operator, whether it is kept,
//! built anew or refused, and which rows clients may see retracted.
//!
//! A node is kept if it does the same over the same. What a changed part can reach is built anew,
//! since its rows may differ. A change that clients of a topic cannot follow is refused. The
//! comparison errs on the side of building anew, never of keeping.

mod compatible;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Serialize;

use arqon_types::{Discipline, Field};

use crate::facts::State;
use crate::graph::{FlowNode, Plan};
use crate::text::{state_text, verb_text};
use crate::vertex::{Endpoint, Topic, TopicOrigin, Vertex, VertexId};

/// The difference between two plans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Topics, nodes and operators: those of the new plan in its order, then what is dropped.
    pub changes: Vec<Change>,
    /// What clients of topics that stay may see.
    pub effects: Vec<Effect>,
}

/// What becomes of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is.
    pub part: Part,
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why, for what is not kept as it is.
    pub reasons: Vec<String>,
    /// What must be held anew: the step's address, and the bound.
    pub state: Vec<Rebuilt>,
}

/// Kinds of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A topic of the circuit.
    Topic,
    /// A node of the flow.
    Node,
    /// An external operator.
    Operator,
}

/// What becomes of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It stays as it is, with what it holds.
    Keep,
    /// It is built anew from the topics it reads.
    Rebuild,
    /// It cannot be replaced under its clients.
    Refuse,
    /// It was not there before.
    New,
    /// It is not there any more.
    Drop,
}

/// A step whose state is built anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    /// `revenue[1]`.
    pub step: String,
    /// Its bound, as the plan prints it.
    pub holds: String,
}

/// What clients of a topic may see when the circuit is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// The topic.
    pub topic: String,
    /// Whether rows may be retracted; events that were sent stay.
    pub retracts: bool,
    /// The node or topic that brings it about.
    pub because: String,
}

impl Difference {
    /// Whether the new plan may take the old one's place.
    pub fn is_compatible(&self) -> bool {
        self.changes.iter().all(|change| change.verdict != Verdict::Refuse)
    }
}

/// Compares two plans.
pub fn difference(old: &Plan, new: &Plan) -> Difference {
    let mut comparing = Comparing { old, new, seeds: BTreeMap::new(), changes: Vec::new() };
    if old.namespace != new.namespace {
        comparing.other_namespace();
    }
    comparing.topics();
    comparing.operators();
    let nodes = comparing.own_changes();
    let reached = reach(new, &comparing.seeds);
    comparing.nodes(nodes, &reached);
    let effects = comparing.effects(&reached);
    let mut changes = comparing.changes;
    changes.sort_by_key(|change| match change.part {
        Part::Topic => 0,
        Part::Node => 1,
        Part::Operator => 2,
    });
    Difference { changes, effects }
}

struct Comparing<'p> {
    old: &'p Plan,
    new: &'p Plan,
    /// Vertices of the new plan that give other rows than before, with what has changed.
    seeds: BTreeMap<VertexId, String>,
    changes: Vec<Change>,
}

/// Vertices that a change reaches, each with the part from which it comes.
type Reached = BTreeMap<VertexId, String>;

/// What a change of the seeds can reach, by the wires of rows.
fn reach(plan: &Plan, seeds: &BTreeMap<VertexId, String>) -> Reached {
    let mut reached = seeds.clone();
    let mut waiting: Vec<VertexId> = seeds.keys().copied().collect();
    while let Some(at) = waiting.pop() {
        let because = name_of(plan, at);
        for wire in plan.outputs(at) {
            if !reached.contains_key(&wire.to) {
                let within = name_of(plan, wire.to) == because;
                let because = if within { reached[&at].clone() } else { because.clone() };
                reached.insert(wire.to, because);
                waiting.push(wire.to);
            }
        }
    }
    reached
}

/// What people call the part that a vertex belongs to.
fn name_of(plan: &Plan, id: VertexId) -> String {
    match plan.vertex(id) {
        Vertex::Client(client) => client.role.clone().unwrap_or_default(),
        Vertex::Topic(topic) => format!("topic `{}`", topic.name),
        Vertex::Step(step) => format!("node `{}`", step.node),
        Vertex::Endpoint(endpoint) => format!("operator `{}`", endpoint.name),
    }
}

fn declared(plan: &Plan) -> BTreeMap<&str, (VertexId, &Topic)> {
    let topics = plan.topics().filter(|(_, topic)| topic.origin == TopicOrigin::Declared);
    topics.map(|(id, topic)| (topic.name.as_str(), (id, topic))).collect()
}

impl<'p> Comparing<'p> {
    fn change(&mut self, part: Part, name: &str, verdict: Verdict, reasons: Vec<String>) {
        let state = Vec::new();
        self.changes.push(Change { part, name: name.to_owned(), verdict, reasons, state });
    }

    /// Topics of another namespace are other topics.
    fn other_namespace(&mut self) {
        let reason = format!(
            "the namespace changes from `{}` to `{}`, and with it the topic itself",
            self.old.namespace, self.new.namespace
        );
        let edges = self.old.topics().filter(|(_, topic)| is_at_edge(topic));
        let names: Vec<String> = edges.map(|(_, topic)| topic.name.as_str().to_owned()).collect();
        for name in names {
            self.change(Part::Topic, &name, Verdict::Refuse, vec![reason.clone()]);
        }
    }

    fn topics(&mut self) {
        let (before, after) = (declared(self.old), declared(self.new));
        let is_decided = |changes: &[Change], name: &str| changes.iter().any(|it| it.name == name);
        for (id, topic) in self.new.topics() {
            let name = topic.name.as_str();
            if topic.origin != TopicOrigin::Declared || is_decided(&self.changes, name) {
                continue;
            }
            let Some((_, was)) = before.get(name) else {
                self.change(Part::Topic, name, Verdict::New, Vec::new());
                continue;
            };
            let (verdict, reasons) = compatible::topic(was, topic);
            let is_read_otherwise = was.schema.fields != topic.schema.fields
                || was.discipline != topic.discipline
                || !compatible::readings(was, topic).is_empty();
            if is_read_otherwise {
                self.seeds.insert(id, format!("topic `{name}`"));
            }
            self.change(Part::Topic, name, verdict, reasons);
        }
        for (_, topic) in self.old.topics() {
            let name = topic.name.as_str();
            let is_gone = topic.origin == TopicOrigin::Declared && !after.contains_key(name);
            if !is_gone || is_decided(&self.changes, name) {
                continue;
            }
            if is_at_edge(topic) {
                let mut reasons = vec!["clients use it, and it is not there any more".to_owned()];
                reasons.extend(self.renamed(topic, &before));
                self.change(Part::Topic, name, Verdict::Refuse, reasons);
            } else {
                self.change(Part::Topic, name, Verdict::Drop, Vec::new());
            }
        }
    }

    /// What to say of a topic that is gone, if one that is new holds the same.
    fn renamed(&self, gone: &Topic, before: &BTreeMap<&str, (VertexId, &Topic)>) -> Option<String> {
        let is_like = |topic: &&Topic| {
            topic.origin == TopicOrigin::Declared
                && !before.contains_key(topic.name.as_str())
                && topic.schema.fields == gone.schema.fields
                && topic.discipline == gone.discipline
                && topic.key == gone.key
                && topic.edge == gone.edge
        };
        let mut alike = self.new.topics().map(|(_, topic)| topic).filter(is_like);
        let (Some(one), None) = (alike.next(), alike.next()) else { return None };
        Some(format!(
            "`{}` is new and holds the same rows: if it is the same topic under another name, keep \
             the old name too until its clients have moved",
            one.name
        ))
    }

    fn operators(&mut self) {
        let find = |plan: &'p Plan, name: &str| {
            plan.endpoints().map(|(_, it)| it).find(|it| it.declared && it.name == name)
        };
        for (id, endpoint) in self.new.endpoints().filter(|(_, it)| it.declared) {
            let Some(was) = find(self.old, &endpoint.name) else {
                self.change(Part::Operator, &endpoint.name, Verdict::New, Vec::new());
                continue;
            };
            let reasons = operator_reasons(was, endpoint);
            let verdict = if reasons.is_empty() { Verdict::Keep } else { Verdict::Rebuild };
            if verdict == Verdict::Rebuild {
                self.seeds.insert(id, format!("operator `{}`", endpoint.name));
            }
            self.change(Part::Operator, &endpoint.name, verdict, reasons);
        }
        for (_, endpoint) in self.old.endpoints().filter(|(_, it)| it.declared) {
            if find(self.new, &endpoint.name).is_none() {
                self.change(Part::Operator, &endpoint.name, Verdict::Drop, Vec::new());
            }
        }
    }

    /// What has changed within each node of the new plan; none for a node that is new.
    fn own_changes(&mut self) -> Vec<(FlowNode<'p>, Option<Vec<String>>)> {
        let before: BTreeMap<&str, FlowNode<'_>> =
            self.old.nodes().into_iter().map(|node| (node.name, node)).collect();
        let mut all = Vec::new();
        for node in self.new.nodes() {
            let reasons = before.get(node.name).map(|was| self.node_reasons(was, &node));
            if reasons.as_ref().is_none_or(|reasons| !reasons.is_empty()) {
                for id in &node.steps {
                    self.seeds.insert(*id, format!("node `{}`", node.name));
                }
            }
            all.push((node, reasons));
        }
        all
    }

    fn node_reasons(&self, was: &FlowNode<'_>, now: &FlowNode<'_>) -> Vec<String> {
        let (before, after) = (does(self.old, was), does(self.new, now));
        for at in 0..before.len().max(after.len()) {
            let reason = match (before.get(at), after.get(at)) {
                (Some(old), Some(new)) if old.text != new.text => {
                    format!("`{}` becomes `{}`", old.text, new.text)
                }
                (Some(old), Some(new)) => match compatible::first_change(old.fields, new.fields) {
                    Some(change) => format!("the rows of `{}` differ: {change}", new.text),
                    None => continue,
                },
                (Some(old), None) => format!("`{}` goes away", old.text),
                (None, Some(new)) => format!("`{}` is added", new.text),
                (None, None) => continue,
            };
            // What follows the first difference follows from it, most of the time.
            return vec![reason];
        }
        Vec::new()
    }

    fn nodes(&mut self, nodes: Vec<(FlowNode<'p>, Option<Vec<String>>)>, reached: &Reached) {
        for (node, reasons) in nodes {
            let because = node.steps.iter().find_map(|id| reached.get(id));
            let (verdict, reasons) = match (reasons, because) {
                (None, _) => (Verdict::New, Vec::new()),
                (Some(own), _) if !own.is_empty() => (Verdict::Rebuild, own),
                (Some(_), Some(because)) => {
                    (Verdict::Rebuild, vec![format!("it reads {because}, which changes")])
                }
                (Some(_), None) => (Verdict::Keep, Vec::new()),
            };
            let is_built = matches!(verdict, Verdict::Rebuild | Verdict::New);
            let state = if is_built { self.state(&node) } else { Vec::new() };
            let name = node.name.to_owned();
            self.changes.push(Change { part: Part::Node, name, verdict, reasons, state });
        }
        let names: BTreeSet<&str> = self.new.nodes().into_iter().map(|node| node.name).collect();
        for node in self.old.nodes() {
            if !names.contains(node.name) {
                self.change(Part::Node, node.name, Verdict::Drop, Vec::new());
            }
        }
    }

    /// What the steps of a node hold.
    fn state(&self, node: &FlowNode<'_>) -> Vec<Rebuilt> {
        let held = node.steps.iter().filter_map(|id| {
            let state = &self.new.facts(*id).state;
            match self.new.vertex(*id) {
                Vertex::Step(step) if *state != State::Stateless => {
                    let holds = state_text(self.new, state);
                    Some(Rebuilt { step: step.address.to_string(), holds })
                }
                Vertex::Step(_) | Vertex::Client(_) | Vertex::Topic(_) | Vertex::Endpoint(_) => {
                    None
                }
            }
        });
        held.collect()
    }

    /// Topics that were there and stay, and that clients read, with other rows from now on.
    fn effects(&self, reached: &Reached) -> Vec<Effect> {
        let before = declared(self.old);
        let refused = |name: &str| {
            let mut changes = self.changes.iter();
            changes.any(|it| it.name == name && it.verdict == Verdict::Refuse)
        };
        let mut effects: Vec<Effect> = self
            .new
            .topics()
            .filter(|(_, topic)| topic.edge.emits() && before.contains_key(topic.name.as_str()))
            .filter(|(_, topic)| !refused(topic.name.as_str()))
            .filter_map(|(id, topic)| {
                let because = reached.get(&id)?.clone();
                let topic_name = topic.name.as_str().to_owned();
                let retracts = topic.discipline != Discipline::Events;
                // Rows that clients put in themselves are theirs to change.
                let mut sources = self.new.inputs(id).map(|wire| self.new.vertex(wire.from));
                let is_computed = sources.any(|it| matches!(it, Vertex::Step(_)));
                (is_computed || because != format!("topic `{topic_name}`")).then_some(Effect {
                    topic: topic_name,
                    retracts,
                    because,
                })
            })
            .collect();
        // A node that wrote a topic and does so no more takes its rows with it.
        let writers = |plan: &Plan, name: &str| -> BTreeSet<String> {
            let Some((id, _)) = declared(plan).get(name).copied() else { return BTreeSet::new() };
            plan.inputs(id)
                .filter(|wire| matches!(plan.vertex(wire.from), Vertex::Step(_)))
                .map(|wire| name_of(plan, wire.from))
                .collect()
        };
        for (name, (_, topic)) in
            declared(self.new).into_iter().filter(|(_, (_, it))| it.edge.emits())
        {
            let gone = &writers(self.old, name) - &writers(self.new, name);
            let known = effects.iter().any(|effect| effect.topic == name);
            if let (Some(because), false, false) = (gone.into_iter().next(), known, refused(name)) {
                let retracts = topic.discipline != Discipline::Events;
                effects.push(Effect { topic: name.to_owned(), retracts, because });
            }
        }
        effects
    }
}

/// What a node does, part by part: a step with its rows, or where the rows go.
struct Does<'p> {
    text: String,
    fields: &'p [Field],
}

fn does<'p>(plan: &'p Plan, node: &FlowNode<'_>) -> Vec<Does<'p>> {
    let step = |id: &VertexId| match plan.vertex(*id) {
        Vertex::Step(step) => {
            Some(Does { text: verb_text(plan, *id, step), fields: &step.schema.fields })
        }
        Vertex::Client(_) | Vertex::Topic(_) | Vertex::Endpoint(_) => None,
    };
    let mut all: Vec<Does<'_>> = node.steps.iter().filter_map(step).collect();
    all.extend(writes(plan, node).into_iter().map(|text| Does { text, fields: &[] }));
    all
}

/// Where the rows of a node go.
fn writes(plan: &Plan, node: &FlowNode<'_>) -> Vec<String> {
    let targets = node.steps.iter().flat_map(|id| plan.outputs(*id));
    let names = targets.filter_map(|wire| match plan.vertex(wire.to) {
        Vertex::Topic(topic) if topic.origin == TopicOrigin::Declared => {
            Some(format!("to {}", topic.name))
        }
        Vertex::Topic(_) | Vertex::Client(_) | Vertex::Step(_) | Vertex::Endpoint(_) => None,
    });
    let names: BTreeSet<String> = names.collect();
    names.into_iter().collect()
}

/// Whether clients may publish to a topic or read it.
fn is_at_edge(topic: &Topic) -> bool {
    topic.origin == TopicOrigin::Declared && (topic.edge.admits() || topic.edge.emits())
}

fn operator_reasons(was: &Endpoint, now: &Endpoint) -> Vec<String> {
    let used = |endpoint: &Endpoint| -> Option<String> {
        let via = endpoint.vias.get(endpoint.selected?)?;
        Some(format!("{}: {}", via.name, via.transport))
    };
    let mut reasons = Vec::new();
    if was.contract != now.contract {
        reasons.push(format!("its contract `{}` becomes `{}`", was.contract, now.contract));
    }
    if used(was) != used(now) {
        let text = |endpoint| used(endpoint).unwrap_or_else(|| "nothing".to_owned());
        reasons.push(format!("`{}` runs instead of `{}`, so jobs are new", text(now), text(was)));
    }
    reasons
}
