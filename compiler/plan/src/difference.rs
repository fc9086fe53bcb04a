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
use crate::vertex::{Endpoint, Side, Topic, TopicOrigin, Vertex, VertexId};

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
    /// Whether subscriptions to it end, since its rows have another schema now. Whoever subscribes
    /// again follows the new one.
    pub ends: bool,
    /// Whether rows may be retracted; events that were sent stay.
    pub retracts: bool,
    /// What brings it about, as in ``node `big` changes``.
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
    comparing.reports();
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
            let (mut verdict, mut reasons) = compatible::topic(was, topic);
            let lost = if was.edge == topic.edge { self.lost(name) } else { Vec::new() };
            if !lost.is_empty() {
                verdict = Verdict::Refuse;
                reasons.extend(lost);
            }
            // Of rows with one key some go to the errors, or are the past of others.
            let is_read_otherwise = was.schema.fields != topic.schema.fields
                || was.discipline != topic.discipline
                || was.key_names() != topic.key_names()
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

    /// Topics that come with nodes and operators, as `<node>.errors`, and that roles of the old
    /// plan use: those that they cannot use any more.
    fn reports(&mut self) {
        for (_, topic) in self.old.topics() {
            let name = topic.name.as_str();
            if topic.origin == TopicOrigin::Declared || self.old.namespace != self.new.namespace {
                continue;
            }
            let lost = self.lost(name);
            if !lost.is_empty() {
                self.change(Part::Topic, name, Verdict::Refuse, lost);
            }
        }
    }

    /// What the roles of the old plan may not do any more with a topic.
    fn lost(&self, topic: &str) -> Vec<String> {
        // Errors that nobody reads are in no plan, and there all the same.
        let owner = topic.strip_suffix(".errors");
        let is_there = self.new.named(owner.unwrap_or(topic)).is_some()
            || self.new.nodes().iter().any(|node| Some(node.name) == owner);
        let now = grants(self.new, topic);
        let lost = grants(self.old, topic).into_iter().filter(|grant| !now.contains(grant));
        lost.map(|(role, side)| match (side, is_there) {
            (Side::In, true) => format!("role `{role}` may not publish to it any more"),
            (Side::Out, true) => format!("role `{role}` may not read it any more"),
            (Side::In | Side::Out, false) => {
                format!("role `{role}` uses it, and it is not there any more")
            }
        })
        .collect()
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
        let is_same = |(old, new): &(&Does<'_>, &Does<'_>)| old.text == new.text;
        let n_first = before.iter().zip(&after).take_while(is_same).count();
        // What follows the first difference follows from it, most of the time.
        let differ = before[..n_first].iter().zip(&after).find_map(|(old, new)| {
            let change = compatible::first_change(old.fields, new.fields)?;
            Some(format!("the rows of `{}` differ: {change}", new.text))
        });
        if let Some(reason) = differ {
            return vec![reason];
        }
        let (gone, come) = (&before[n_first..], &after[n_first..]);
        let n_last = gone.iter().rev().zip(come.iter().rev()).take_while(is_same).count();
        let (gone, come) = (&gone[..gone.len() - n_last], &come[..come.len() - n_last]);
        if let (Some(old), Some(new)) = (gone.first(), come.first()) {
            return vec![format!("`{}` becomes `{}`", old.text, new.text)];
        }
        let gone = gone.iter().map(|old| format!("`{}` goes away", old.text));
        gone.chain(come.iter().map(|new| format!("`{}` is added", new.text))).collect()
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
        let stays = |name: &str| {
            let is_refused = |it: &Change| it.name == name && it.verdict == Verdict::Refuse;
            self.old.named(name).is_some() && !self.changes.iter().any(is_refused)
        };
        let read = self.new.topics().filter(|(id, topic)| {
            let has_readers = || {
                let granted = grants(self.new, topic.name.as_str());
                granted.into_iter().any(|(_, side)| side == Side::Out)
            };
            (topic.edge.emits() || self.new.outputs(*id).count() > 0 && has_readers())
                && stays(topic.name.as_str())
        });
        let mut effects = Vec::new();
        for (id, topic) in read {
            let name = topic.name.as_str();
            // Rows that clients put in themselves are theirs to change.
            let is_computed = self.new.inputs(id).any(|wire| self.is_step(wire.from));
            let own = format!("topic `{name}`");
            let ends = self.has_other_schema(topic);
            let because = reached
                .get(&id)
                .filter(|because| is_computed || ends || **because != own)
                .cloned()
                // A node that wrote a topic and does so no more takes its rows with it.
                .or_else(|| (&writers(self.old, name) - &writers(self.new, name)).pop_first())
                .or_else(|| ends.then_some(own));
            if let Some(because) = because {
                let topic_name = name.to_owned();
                let retracts = topic.discipline != Discipline::Events;
                let because = self.told(&because);
                effects.push(Effect { topic: topic_name, ends, retracts, because });
            }
        }
        effects
    }

    /// Whether readers of a topic that stays get rows of another form.
    fn has_other_schema(&self, topic: &Topic) -> bool {
        let rows = |topic: &Topic| (topic.schema.fields.clone(), topic.schema.units.clone());
        match self.old.named(topic.name.as_str()).map(|id| self.old.vertex(id)) {
            Some(Vertex::Topic(was)) => rows(was) != rows(topic),
            Some(Vertex::Step(_) | Vertex::Client(_) | Vertex::Endpoint(_)) | None => false,
        }
    }

    fn is_step(&self, id: VertexId) -> bool {
        matches!(self.new.vertex(id), Vertex::Step(_))
    }

    /// What happens to a part, as ``node `big` goes away``.
    fn told(&self, part: &str) -> String {
        let has = |plan: &Plan| plan.nodes().iter().any(|it| part == format!("node `{}`", it.name));
        let how = match (has(self.old), has(self.new)) {
            (true, false) => "goes away",
            (false, true) => "is new",
            (true, true) | (false, false) => "changes",
        };
        format!("{part} {how}")
    }
}

/// Which roles may do what with a topic.
fn grants(plan: &Plan, topic: &str) -> BTreeSet<(String, Side)> {
    let Some(id) = plan.named(topic) else { return BTreeSet::new() };
    let clients =
        (plan.inputs(id).map(|wire| wire.from)).chain(plan.outputs(id).map(|wire| wire.to));
    let grant = |id| match plan.vertex(id) {
        Vertex::Client(client) => Some((client.role.clone()?, client.side)),
        Vertex::Topic(_) | Vertex::Step(_) | Vertex::Endpoint(_) => None,
    };
    clients.filter_map(grant).collect()
}

/// The nodes that write a topic.
fn writers(plan: &Plan, topic: &str) -> BTreeSet<String> {
    let Some(id) = plan.named(topic) else { return BTreeSet::new() };
    plan.inputs(id)
        .filter(|wire| matches!(plan.vertex(wire.from), Vertex::Step(_)))
        .map(|wire| name_of(plan, wire.from))
        .collect()
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
