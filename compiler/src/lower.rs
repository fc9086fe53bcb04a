//! Typed nodes to the steps of a dataflow plan, in dependency order, one step for each thing done.
//!
//! Later passes make it faster; this one only has to be right. A topic's collection is the union
//! of what is written to it and what clients publish. A keyed topic lets one row per key pass.

mod hidden;
mod errors;
mod control;
mod kernel;
mod looped;
mod mocks;
mod retained;
mod windows;
mod topics;
mod steps;
mod nodes;

use std::collections::BTreeMap;
use std::sync::Arc;

use arqon_operators::Expr;
use arqon_plan::{
    DataflowPlan, Feedback, Latest, Loop, LoopId, Map, Operator, Output, Plan, Stage, StageKind,
    Step, StepId, TopicPlan,
};
use arqon_types::{Discipline, Field, Schema};

use crate::feeds::{Writers, history, is_control, watched, writers};
use crate::keys::{Keys, proves, step_keys};
use crate::marks::Marks;
use crate::mocks::Unanswered;
use crate::order::dependency_order;
use crate::placed::Placed;
use crate::resolve::Resolved;
use crate::typed::{Input, LocalId, NodeId, Owner, TopicId};
use crate::typing::Flow;

use self::hidden::{Kept, arrived, hidden_of, n_own, placed_schema, with_hidden};
use self::mocks::Mocks;
use self::nodes::node_schema;
use self::windows::marked;

/// Who answers the calls, kernels and capsules of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    /// Nobody: they do not run in this version.
    Missing,
    /// The mocks of tests.
    Mocked,
}

/// The dataflow plan of a circuit without faults; none if nobody answers what it asks, or if its
/// nodes stand in a circle. With it what mocks leave unanswered.
pub(crate) fn lower(
    resolved: &Resolved<'_>,
    flow: &Flow,
    (plan, marks): (&Plan, &Marks),
    (file, answers): (&str, Answers),
) -> Option<(DataflowPlan, Vec<Unanswered>)> {
    // Most verbs become one step, and most topics a source or an output.
    let n_steps =
        flow.nodes.iter().map(|node| node.steps.len() + 1).sum::<usize>() + resolved.topics.len();
    let mut lowering = Lowering {
        resolved,
        flow,
        loops: Vec::new(),
        around: Vec::new(),
        locals: BTreeMap::new(),
        steps: Vec::with_capacity(n_steps),
        keys: Vec::with_capacity(n_steps),
        outputs: Vec::new(),
        feedbacks: Vec::new(),
        placed: Placed::new(resolved, flow, plan),
        marks,
        sources: vec![None; resolved.topics.len()],
        logs: vec![None; resolved.topics.len()],
        shaped: BTreeMap::new(),
        collections: vec![None; resolved.topics.len()],
        whole: vec![None; resolved.topics.len()],
        errors: BTreeMap::new(),
        results: vec![Vec::new(); flow.nodes.len()],
        late: vec![None; flow.nodes.len()],
        told: BTreeMap::new(),
        mocks: (answers == Answers::Mocked).then(Mocks::default),
        writers: writers(resolved, flow),
        is_read: read_topics(resolved, flow),
        is_watched: watched(resolved, flow),
    };
    let n_nodes = flow.nodes.len();
    let order = dependency_order(&lowering.needs());
    if !order.cycles.is_empty() {
        return None;
    }
    for id in order.order {
        if id < n_nodes {
            lowering.node(NodeId(id))?;
        } else {
            lowering.topic(TopicId(id - n_nodes))?;
        }
    }
    let granted = lowering.granted_errors()?;
    let mut topics = resolved
        .topics
        .iter()
        .enumerate()
        .map(|(id, topic)| {
            let ast = topic.ast();
            let is_fed = lowering.sources[id].is_some() || lowering.logs[id].is_some();
            Some(TopicPlan {
                name: topic.name.clone(),
                schema: topic.schema()?,
                discipline: topic.discipline,
                key: topic.key.clone(),
                time: topic.time,
                edge: topic.edge,
                verified: ast.is_none_or(|ast| ast.unchecked.is_none()),
                lateness: (is_fed && marks.topics.contains(&id)).then_some(topic.late),
                arrival: is_fed && marks.arrivals.topics.contains(&id),
                history: history(resolved, TopicId(id)),
            })
        })
        .chain(granted.into_iter().map(Some))
        .collect::<Option<Vec<_>>>()?;
    topics.extend(lowering.late_topics());
    let Mocks { topics: mocked, unanswered, .. } = lowering.mocks.unwrap_or_default();
    topics.extend(mocked);
    let dataflow = DataflowPlan {
        circuit: resolved.name.clone(),
        namespace: resolved.namespace.clone(),
        file: file.to_owned(),
        topics,
        loops: lowering.loops,
        steps: lowering.steps,
        outputs: lowering.outputs,
        feedbacks: lowering.feedbacks,
        arrangements: Vec::new(),
        releases: Vec::new(),
        state_bytes_max: resolved.state_bytes_max,
    };
    Some((dataflow, unanswered))
}

fn read_topics(resolved: &Resolved<'_>, flow: &Flow) -> Vec<bool> {
    let mut is_read = vec![false; resolved.topics.len()];
    for node in &flow.nodes {
        for (input, _) in node.reads() {
            if let Input::Topic(id) | Input::Errors(Owner::Topic(id)) = input {
                is_read[id.0] = true;
            }
        }
    }
    is_read
}

struct Lowering<'r, 'a> {
    resolved: &'r Resolved<'a>,
    flow: &'r Flow,
    loops: Vec<Loop>,
    /// The loops around the present place.
    around: Vec<LoopId>,
    /// What the names within loops stand for.
    locals: BTreeMap<LocalId, StepId>,
    steps: Vec<Step>,
    /// Candidate keys of each step.
    keys: Vec<Keys>,
    outputs: Vec<Output>,
    /// What goes back to control topics.
    feedbacks: Vec<Feedback>,
    /// Which rows bring their place in the log.
    placed: Placed,
    /// Which rows bring their mark.
    marks: &'r Marks,
    /// The source of each topic that has one.
    sources: Vec<Option<StepId>>,
    /// The log of each topic that has one.
    logs: Vec<Option<StepId>>,
    /// Steps whose rows bring more than is wanted, and the same rows with what is.
    shaped: BTreeMap<(StepId, Kept), StepId>,
    /// What a reader of each topic reads.
    collections: Vec<Option<StepId>>,
    /// Of topics whose rows go after a time: all rows, for windows, which close by themselves.
    whole: Vec<Option<StepId>>,
    /// The errors that are read.
    errors: BTreeMap<Owner, StepId>,
    /// What each node puts out: one step, or one per label.
    results: Vec<Vec<StepId>>,
    /// The rows that came too late for each node that judges rows.
    late: Vec<Option<StepId>>,
    /// What calls and kernels put into topics beside their results, a step for each.
    told: BTreeMap<TopicId, Vec<StepId>>,
    /// What stands in for operators, kernels and capsules in a test.
    mocks: Option<Mocks>,
    writers: Writers,
    /// Whether a node reads the topic.
    is_read: Vec<bool>,
    /// Whether somebody sees that rows of the topic go.
    is_watched: Vec<bool>,
}

impl Lowering<'_, '_> {
    /// What each node, and after them each topic, needs to stand before it.
    fn needs(&self) -> Vec<Vec<usize>> {
        let n_nodes = self.flow.nodes.len();
        let mut needs: Vec<Vec<usize>> = Vec::with_capacity(n_nodes + self.resolved.topics.len());
        let place = |input: Input| match input {
            // A control topic is read one epoch later, as a source.
            Input::Topic(id) | Input::Errors(Owner::Topic(id)) if is_control(self.resolved, id) => {
                Vec::new()
            }
            Input::Topic(TopicId(id)) | Input::Errors(Owner::Topic(TopicId(id))) => {
                vec![n_nodes + id]
            }
            Input::Node(NodeId(id)) | Input::Label(NodeId(id), _) | Input::Late(NodeId(id)) => {
                vec![id]
            }
            // What goes wrong on the way to a topic is the node's error, too.
            Input::Errors(Owner::Node(NodeId(id))) => {
                let written = self.flow.nodes[id].sinks.iter().map(|sink| n_nodes + sink.topic.0);
                std::iter::once(id).chain(written).collect()
            }
            Input::Local(_) | Input::Operator(_) => Vec::new(),
        };
        for node in &self.flow.nodes {
            needs.push(node.reads().into_iter().flat_map(|(input, _)| place(input)).collect());
        }
        let callers = self.callers();
        let measured = kernel::measured_by(&self.flow.nodes);
        for (topic, writers) in self.writers.iter().enumerate() {
            let nodes = writers.iter().map(|(NodeId(id), _)| *id);
            let called = callers.get(&TopicId(topic)).into_iter().flatten().copied();
            let measured = measured.get(&TopicId(topic)).into_iter().flatten().copied();
            needs.push(nodes.chain(called).chain(measured).collect());
        }
        needs
    }

    fn push(&mut self, step: Step) -> StepId {
        let source_key = match &step.operator {
            Operator::Source(name) => self.resolved.topic_id(name.as_str()).and_then(|id| {
                let topic = self.resolved.topic(id);
                let is_keyed = topic.discipline == Discipline::Full && !topic.key.is_empty();
                is_keyed.then_some(topic.key.as_slice())
            }),
            _ => None,
        };
        let keys = step_keys(&step, &self.steps, &self.keys, source_key);
        let id = StepId::at(self.steps.len());
        self.keys.push(keys);
        self.steps.push(step);
        id
    }

    /// What a reader of the input reads.
    fn input(&mut self, input: Input) -> Option<StepId> {
        match input {
            Input::Topic(id) if is_control(self.resolved, id) => self.control(id),
            Input::Topic(id) => self.collections[id.0],
            Input::Node(NodeId(id)) => self.results[id].first().copied(),
            Input::Label(NodeId(id), label) => self.results[id].get(label).copied(),
            Input::Errors(owner) => self.errors(owner),
            Input::Local(id) => self.locals.get(&id).copied(),
            Input::Late(NodeId(id)) => self.late[id],
            Input::Operator(_) => None,
        }
    }

    /// All inputs as one collection of rows of `schema`.
    fn union(
        &mut self,
        inputs: Vec<StepId>,
        (node, address): (&Arc<str>, &Arc<str>),
        schema: &Arc<Schema>,
    ) -> StepId {
        if let [one] = inputs.as_slice() {
            return *one;
        }
        let n_places = inputs.iter().map(|id| self.n_places(*id)).max().unwrap_or(0);
        let schema = Arc::clone(schema);
        let schema = if self.has_arrival(inputs[0]) { arrived(schema) } else { schema };
        let schema = if self.has_mark(inputs[0]) { marked(schema) } else { schema };
        let inputs = inputs.into_iter().map(|id| self.padded(id, n_places)).collect();
        self.push(Step {
            node: Arc::clone(node),
            address: Arc::clone(address),
            operator: Operator::Union,
            inputs,
            schema: placed_schema(schema, n_places),
        })
    }

    /// The last row of each key.
    fn latest(
        &mut self,
        input: StepId,
        key: &[usize],
        label: Label<'_>,
        schema: Arc<Schema>,
    ) -> Option<StepId> {
        let input = self.shaped(input, Kept { arrival: false, mark: false, places: true })?;
        let n_places = self.n_places(input);
        Some(self.push(Step {
            node: Arc::clone(label.node),
            address: Arc::clone(label.address),
            operator: Operator::Latest(Latest { key: key.to_vec(), n_places }),
            inputs: vec![input],
            schema,
        }))
    }

    /// The rows, one for each key, where that is not proved; the others are error rows.
    fn unique(
        &mut self,
        input: StepId,
        key: &[usize],
        label: Label<'_>,
        schema: Arc<Schema>,
    ) -> StepId {
        if proves(&self.keys[input.index()], key) {
            return input;
        }
        self.push(Step {
            node: Arc::clone(label.node),
            address: Arc::clone(label.address),
            operator: Operator::Unique { key: key.to_vec() },
            inputs: vec![input],
            schema,
        })
    }
}

/// The node and address under which a step counts and errs.
#[derive(Clone, Copy)]
struct Label<'a> {
    node: &'a Arc<str>,
    address: &'a Arc<str>,
}

fn all_columns(schema: &Schema) -> Vec<Expr> {
    let column = |(at, field): (usize, &Field)| Expr::column(at, field.ty.clone());
    schema.fields.iter().enumerate().map(column).collect()
}

fn filter(address: &Arc<str>, condition: Expr) -> Operator {
    stage(address, StageKind::Filter(condition))
}

fn project(address: &Arc<str>, exprs: Vec<Expr>) -> Operator {
    stage(address, StageKind::Project(exprs))
}

fn stage(address: &Arc<str>, kind: StageKind) -> Operator {
    Operator::Map(Map { stages: vec![Stage { address: Arc::clone(address), kind }] })
}
