//! Typed nodes to the steps of a dataflow plan, in dependency order, one step for each thing done.
//!
//! Later passes make it faster; this one only has to be right. A topic's collection is the union
//! of what is written to it and what clients publish. A keyed topic lets one row per key pass.

mod control;
mod kernel;
mod looped;
mod mocks;
mod retained;
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arqon_operators::{Expr, ExprKind, Function};
use arqon_plan::{
    ARRIVAL, Arm, DataflowPlan, Feedback, Frame, History, Latest, Loop, LoopId, MARK, Map,
    Operator, Output, PLACE_FIELD, Plan, Route, Stage, StageKind, Step, StepId, TopicPlan, Unnest,
    is_hidden, n_places,
};
use arqon_types::{Discipline, Edge, Field, Schema, TopicName, Type, Value, error_schema};

use crate::feeds::{Writers, history, is_control, is_fed_from_outside, watched, writers};
use crate::keys::{Keys, proves, step_keys};
use crate::marks::Marks;
use crate::mocks::Unanswered;
use crate::order::dependency_order;
use crate::placed::{FullStep, Placed};
use crate::resolve::Resolved;
use crate::row_type::RowType;
use crate::typed::{
    Input, LocalId, NodeId, Owner, TopicId, TypedNode, TypedSource, TypedStep, Verb,
};
use crate::typing::Flow;
use crate::walk::for_each_child_mut;

use self::mocks::Mocks;
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

    /// The errors of a topic or node, which all of its readers share.
    fn errors(&mut self, owner: Owner) -> Option<StepId> {
        if let Some(known) = self.errors.get(&owner) {
            return Some(*known);
        }
        if let Owner::Topic(id) = owner
            && is_control(self.resolved, id)
        {
            // Its steps stand before what reads their errors.
            self.control(id)?;
        }
        let name = self.resolved.owner_name(owner);
        let address: Arc<str> = format!("{name}.errors").into();
        let step = self.push(Step {
            node: address.clone(),
            address,
            operator: Operator::Errors(name.to_owned()),
            inputs: Vec::new(),
            schema: Arc::new(error_schema()),
        });
        self.errors.insert(owner, step);
        Some(step)
    }

    /// The errors that a role may subscribe to: outputs like any other, as far as clients see.
    fn granted_errors(&mut self) -> Option<Vec<TopicPlan>> {
        let resolved = self.resolved;
        let grants = resolved.circuit.access.iter().flat_map(|role| &role.subscribe);
        let mut granted: Vec<TopicPlan> = Vec::new();
        let mut known = BTreeSet::new();
        for grant in grants {
            let owner = grant.target.node.strip_suffix(".errors").and_then(|it| resolved.owner(it));
            let (Some(owner), Ok(name)) = (owner, TopicName::parse(&grant.target.node)) else {
                continue;
            };
            if !known.insert(name.clone()) {
                continue;
            }
            let step = self.errors(owner)?;
            self.outputs.push(Output { topic: name.clone(), step });
            granted.push(TopicPlan {
                name,
                schema: error_schema(),
                discipline: Discipline::Delta,
                key: Vec::new(),
                time: None,
                edge: Edge::Out,
                verified: true,
                lateness: None,
                arrival: false,
                history: History::All,
            });
        }
        Some(granted)
    }

    fn log(&mut self, id: TopicId) -> Option<StepId> {
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

    /// How many columns of a step's rows are their place in the log.
    fn n_places(&self, id: StepId) -> usize {
        n_places(&self.steps[id.index()].schema)
    }

    /// Whether the rows of a step carry marks.
    fn has_mark(&self, id: StepId) -> bool {
        let fields = &self.steps[id.index()].schema.fields;
        let before_places = fields.len() - self.n_places(id);
        fields[..before_places].last().is_some_and(|field| &*field.name == MARK)
    }

    /// Whether the rows of a step carry the time at which they came.
    fn has_arrival(&self, id: StepId) -> bool {
        let schema = &self.steps[id.index()].schema;
        hidden_fields(schema).iter().any(|field| &*field.name == ARRIVAL)
    }

    /// Whether the rows before a step of a node are to carry the time at which they came.
    fn brings_arrival(&self, node: NodeId, step: usize) -> bool {
        self.marks.arrivals.nodes.get(&node.0).is_some_and(|last| step <= *last)
    }

    /// The circuit's own columns of a step's rows.
    fn plain(&mut self, id: StepId) -> Option<StepId> {
        self.shaped(id, Kept { arrival: false, mark: false, places: false })
    }

    /// The rows of a step with at most these of the hidden columns.
    fn shaped(&mut self, id: StepId, wanted: Kept) -> Option<StepId> {
        if hidden_fields(&self.steps[id.index()].schema).is_empty() {
            return Some(id);
        }
        let n_places = self.n_places(id);
        let has =
            Kept { arrival: self.has_arrival(id), mark: self.has_mark(id), places: 0 < n_places };
        let kept = Kept {
            arrival: has.arrival && wanted.arrival,
            mark: has.mark && wanted.mark,
            places: has.places && wanted.places,
        };
        if kept == has {
            return Some(id);
        }
        if let Some(known) = self.shaped.get(&(id, kept)) {
            return Some(*known);
        }
        let step = &self.steps[id.index()];
        let shaped = if let (Operator::Log(name), false) = (&step.operator, kept.places) {
            let topic = self.resolved.topic_id(name.as_str())?;
            let source = self.source(topic)?;
            self.shaped(source, kept)?
        } else {
            let is_kept = |field: &Field| match &*field.name {
                ARRIVAL => kept.arrival,
                MARK => kept.mark,
                name => !name.starts_with(PLACE_FIELD) || kept.places,
            };
            let columns: Vec<usize> = (0..step.schema.fields.len())
                .filter(|at| is_kept(&step.schema.fields[*at]))
                .collect();
            let fields = columns.iter().map(|at| step.schema.fields[*at].clone()).collect();
            let schema = Arc::new(Schema::new(step.schema.name.clone(), fields));
            let column = |(at, field): (&usize, &Field)| Expr::column(*at, field.ty.clone());
            let exprs = columns.iter().zip(&schema.fields).map(column).collect();
            let (mut node, address) = (step.node.clone(), step.address.clone());
            // Whoever reads the errors of a node stands after all of its steps.
            if self.errors.keys().any(|owner| self.resolved.owner_name(*owner) == &*node) {
                node = format!("{node}.rows").into();
            }
            let operator = project(&address, exprs);
            self.push(Step { node, address, operator, inputs: vec![id], schema })
        };
        self.shaped.insert((id, kept), shaped);
        Some(shaped)
    }

    /// The rows of a step with `wanted` columns for their place, the missing ones 0.
    fn padded(&mut self, id: StepId, wanted: usize) -> StepId {
        let n_places = self.n_places(id);
        if n_places == wanted {
            return id;
        }
        let step = &self.steps[id.index()];
        let mut exprs = all_columns(&step.schema);
        exprs.resize(exprs.len() + wanted - n_places, Expr::literal(Value::Int(0), Type::Int64));
        let mut schema = Arc::clone(&step.schema);
        let fields = &mut Arc::make_mut(&mut schema).fields;
        fields.truncate(fields.len() - n_places);
        let (node, address) = (step.node.clone(), step.address.clone());
        let operator = project(&address, exprs);
        let schema = placed_schema(schema, wanted);
        self.push(Step { node, address, operator, inputs: vec![id], schema })
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

    fn source(&mut self, id: TopicId) -> Option<StepId> {
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
    fn topic_schema(&self, id: TopicId) -> Option<Arc<Schema>> {
        let topic = self.resolved.topic(id);
        let schema = Arc::new(topic.schema()?);
        let brings = self.marks.arrivals.topics.contains(&id.0);
        let schema = if brings { arrived(schema) } else { schema };
        Some(if self.marks.topics.contains(&id.0) { marked(schema) } else { schema })
    }

    /// The collection of a topic, for its readers and subscribers.
    fn topic(&mut self, id: TopicId) -> Option<()> {
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
    fn written(
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

    fn node(&mut self, id: NodeId) -> Option<()> {
        let flow = self.flow;
        let node = &flow.nodes[id.0];
        let mut at = match &node.repeated {
            Some(repeated) => self.node_loop(node, repeated)?,
            None if !node.ports.is_empty() => match &node.steps.first()?.verb {
                Verb::Kernel(kernel) => self.kernel((id, 0), kernel, None)?,
                _ => return None,
            },
            None => self.node_sources(id, node)?,
        };
        let mut row = Arc::clone(&node.row_in);
        let mut arms = None;
        for (idx, step) in node.steps.iter().enumerate() {
            if idx == 0 && !node.ports.is_empty() {
                row = Arc::clone(&step.row);
                continue;
            }
            let arrival = self.brings_arrival(id, idx);
            let places = idx < self.placed.n_steps[id.0];
            at = self.shaped(at, Kept { arrival, mark: true, places })?;
            at = match &step.verb {
                Verb::Window(window) => {
                    at = self.late(id, step, at, (&window.time, window.frame.frame()))?;
                    let n_marked = self.marks.nodes.get(&id.0);
                    let keeps_mark = n_marked.is_some_and(|n_marked| idx < *n_marked);
                    self.window(node, step, at, (window, keeps_mark))?
                }
                Verb::Within(within) => {
                    let frame = Frame::Own { length: within.last };
                    at = self.late(id, step, at, (&within.time, frame))?;
                    self.within(node, step, at, within)?
                }
                Verb::Call(call) => self.mocked_call((id, idx), call, at)?,
                Verb::Wasm(_) => self.mocked_capsule((id, idx), at)?,
                Verb::Kernel(kernel) => self.kernel((id, idx), kernel, Some(at))?,
                _ => self.step(node, step, at, &row)?,
            };
            if let Verb::Route(_) = &step.verb {
                arms = Some(self.arms(node, step, at)?);
            }
            row = Arc::clone(&step.row);
        }
        if arms.is_none() {
            let arrival = self.brings_arrival(id, node.steps.len());
            let places = self.placed.nodes[id.0];
            at = self.shaped(at, Kept { arrival, mark: true, places })?;
        }
        self.results[id.0] = arms.unwrap_or_else(|| vec![at]);
        Some(())
    }

    fn node_sources(&mut self, id: NodeId, node: &TypedNode) -> Option<StepId> {
        let mut inputs = Vec::with_capacity(node.sources.len());
        for source in &node.sources {
            let kept = Kept {
                arrival: self.brings_arrival(id, 0),
                mark: self.marks.nodes.contains_key(&id.0),
                places: self.placed.nodes[id.0] || 0 < self.placed.n_steps[id.0],
            };
            let whole = match source.input {
                Input::Topic(topic) if kept.mark || kept.places => {
                    if is_control(self.resolved, topic) {
                        self.control(topic)?;
                    }
                    self.whole[topic.0]
                }
                _ => None,
            };
            let input = match whole {
                Some(whole) => whole,
                None => self.input(source.input)?,
            };
            let input = self.shaped(input, kept)?;
            inputs.push(self.node_source(node, source, input, &node.row_in)?);
        }
        if inputs.is_empty() {
            return None;
        }
        let schema = node_schema(node, &node.row_in)?;
        Some(self.union(inputs, (&node.errors_of, &node.name), &schema))
    }

    /// What is read within a loop, whose rows have no place in the log.
    fn plain_sources(
        &mut self,
        node: &TypedNode,
        sources: &[TypedSource],
        row: &RowType,
    ) -> Option<StepId> {
        let mut inputs = Vec::with_capacity(sources.len());
        for source in sources {
            let input = self.input(source.input)?;
            let input = self.plain(input)?;
            inputs.push(self.node_source(node, source, input, row)?);
        }
        if inputs.is_empty() {
            return None;
        }
        let schema = node_schema(node, row)?;
        Some(self.union(inputs, (&node.errors_of, &node.name), &schema))
    }

    fn node_source(
        &mut self,
        node: &TypedNode,
        source: &TypedSource,
        step: StepId,
        row: &RowType,
    ) -> Option<StepId> {
        let Some(columns) = &source.columns else { return Some(step) };
        let schema = &self.steps[step.index()].schema;
        let fields = &schema.fields;
        let exprs: Vec<Expr> =
            columns.iter().map(|&at| Expr::column(at, fields[at].ty.clone())).collect();
        let exprs = exprs.into_iter().chain(hidden_of(schema)).collect();
        let schema = with_hidden(node_schema(node, row)?, schema);
        Some(self.push(Step {
            node: node.errors_of.clone(),
            address: node.name.clone(),
            operator: project(&node.name, exprs),
            inputs: vec![step],
            schema,
        }))
    }

    fn step(
        &mut self,
        node: &TypedNode,
        step: &TypedStep,
        at: StepId,
        before: &Arc<RowType>,
    ) -> Option<StepId> {
        let from = Arc::clone(&self.steps[at.index()].schema);
        let schema = schema_after(&from, node, &step.row)?;
        let hiding = || with_hidden(Arc::clone(&schema), &from);
        // What was asked for by name is a column of the rows.
        let came = step.asks_arrival.map(|_| n_own(&from));
        let address = step.address.clone();
        let made = |operator: Operator, inputs: Vec<StepId>, schema: Arc<Schema>| Step {
            node: node.errors_of.clone(),
            address: address.clone(),
            operator,
            inputs,
            schema,
        };
        Some(match &step.verb {
            Verb::Where(condition) => {
                let condition = with_arrival(condition, came);
                self.push(made(filter(&address, condition), vec![at], hiding()))
            }
            Verb::Project(_, exprs) => {
                let exprs = exprs.iter().map(|expr| with_arrival(expr, came));
                let exprs = exprs.chain(hidden_of(&from)).collect();
                self.push(made(project(&address, exprs), vec![at], hiding()))
            }
            Verb::Unnest(unnest) => {
                let list = with_arrival(&unnest.list, came);
                self.unnest(&Unnest { list, ..*unnest }, at, (&address, made), schema)?
            }
            Verb::Join { input, join, .. } => {
                let right = self.input(*input)?;
                let right = self.plain(right)?;
                self.push(made(Operator::Join((**join).clone()), vec![at, right], schema))
            }
            Verb::Group { group, having } => {
                let grouped =
                    self.push(made(Operator::Group(group.clone()), vec![at], Arc::clone(&schema)));
                match having {
                    None => grouped,
                    Some(condition) => self.push(made(
                        filter(&address, Expr::clone(condition)),
                        vec![grouped],
                        schema,
                    )),
                }
            }
            Verb::Distinct { fields } => {
                let input = match fields {
                    None => at,
                    Some(exprs) => self.push(made(
                        project(&address, exprs.to_vec()),
                        vec![at],
                        Arc::clone(&schema),
                    )),
                };
                self.push(made(Operator::Distinct, vec![input], schema))
            }
            Verb::Top(top) => self.push(made(Operator::Top(top.clone()), vec![at], schema)),
            Verb::Over(over) => self.push(made(Operator::Over(over.clone()), vec![at], schema)),
            Verb::Route(route) => {
                let schema = with_hidden(node_schema(node, before)?, &from);
                let conditions = route.conditions.iter();
                let conditions = conditions.map(|expr| with_arrival(expr, came)).collect();
                let route = Route { conditions, has_rest: route.has_rest };
                self.push(made(Operator::Route(route), vec![at], schema))
            }
            Verb::Carries(Discipline::Full) => {
                let label = Label { node: &node.errors_of, address: &address };
                let FullStep { key, is_last } = self.placed.full_steps.get(&*address)?.clone();
                if is_last {
                    self.latest(at, &key, label, schema)?
                } else {
                    self.unique(at, &key, label, schema)
                }
            }
            Verb::Loop(repeated) => {
                let at = self.plain(at)?;
                self.step_loop(node, step, repeated, at)?
            }
            Verb::Carries(Discipline::Events | Discipline::Delta) => at,
            // These are lowered where more is known of the node.
            Verb::Window(_)
            | Verb::Within(_)
            | Verb::Call(_)
            | Verb::Kernel(_)
            | Verb::Wasm(_)
            | Verb::Unknown => return None,
        })
    }

    /// The row with each element, and then its fields in their order. Elements of one event follow
    /// one another in the log.
    fn unnest(
        &mut self,
        Unnest { list, field }: &Unnest,
        at: StepId,
        (address, made): (&Arc<str>, impl Fn(Operator, Vec<StepId>, Arc<Schema>) -> Step),
        schema: Arc<Schema>,
    ) -> Option<StepId> {
        let before = &self.steps[at.index()].schema;
        let n_before = before.fields.len();
        let mut hidden = hidden_of(before);
        let n_places = n_places(before);
        let mut unnested = Arc::clone(before);
        let element = schema.fields.get(*field)?.ty.clone();
        let position = Field::new("$position", Type::Int64);
        Arc::make_mut(&mut unnested).fields.extend([position, Field::new("$element", element)]);
        let exprs = schema.fields.iter().enumerate().map(|(column, new)| {
            let from = if column == *field { n_before + 1 } else { column };
            Expr::column(from, new.ty.clone())
        });
        let mut exprs: Vec<Expr> = exprs.collect();
        let mut schema = with_hidden(schema, before);
        if n_places > 0 {
            hidden.push(Expr::column(n_before, Type::Int64));
            let place = Field::new(format!("{PLACE_FIELD}{n_places}"), Type::Int64);
            Arc::make_mut(&mut schema).fields.push(place);
        }
        exprs.extend(hidden);
        let unnest = stage(address, StageKind::Unnest(list.clone()));
        let unnested = self.push(made(unnest, vec![at], unnested));
        Some(self.push(made(project(address, exprs), vec![unnested], schema)))
    }

    fn arms(&mut self, node: &TypedNode, step: &TypedStep, route: StepId) -> Option<Vec<StepId>> {
        let schema = node_schema(node, &step.row)?;
        let schema = with_hidden(schema, &self.steps[route.index()].schema);
        let arms = node.labels.iter().enumerate().map(|(idx, label)| {
            self.push(Step {
                node: node.errors_of.clone(),
                address: format!("{}.{}", step.address, label.node).into(),
                operator: Operator::Arm(Arm { idx }),
                inputs: vec![route],
                schema: Arc::clone(&schema),
            })
        });
        Some(arms.collect())
    }
}

fn node_schema(node: &TypedNode, row: &RowType) -> Option<Arc<Schema>> {
    row.fields().map(|fields| Arc::new(Schema::new(node.name.clone(), fields)))
}

/// As [`node_schema`]; shared with the rows before where nothing has changed.
fn schema_after(before: &Arc<Schema>, node: &TypedNode, row: &RowType) -> Option<Arc<Schema>> {
    let is_same = before.name == node.name && row.has_fields(&before.fields);
    if is_same { Some(Arc::clone(before)) } else { node_schema(node, row) }
}

/// Which of the columns that are not the circuit's rows keep, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    arrival: bool,
    mark: bool,
    places: bool,
}

/// The node and address under which a step counts and errs.
#[derive(Clone, Copy)]
struct Label<'a> {
    node: &'a Arc<str>,
    address: &'a Arc<str>,
}

/// The schema of the same rows with `n_places` columns for their place in the log.
fn placed_schema(mut schema: Arc<Schema>, n_places: usize) -> Arc<Schema> {
    if n_places == 0 {
        return schema;
    }
    Arc::make_mut(&mut schema).fields.extend((0..n_places).map(|at| {
        let name = if at == 0 { PLACE_FIELD.to_owned() } else { format!("{PLACE_FIELD}{at}") };
        Field::new(name, Type::Int64)
    }));
    schema
}

/// The schema of rows with the time at which they came as last field.
fn arrived(mut schema: Arc<Schema>) -> Arc<Schema> {
    Arc::make_mut(&mut schema).fields.push(Field::new(ARRIVAL, Type::Timestamp));
    schema
}

/// The expression with the column `came` for `epoch_time()`, if it may ask for that.
fn with_arrival(expr: &Expr, came: Option<usize>) -> Expr {
    fn put(expr: &mut Expr, came: usize) {
        if let ExprKind::Call { function: Function::EpochTime, .. } = expr.kind {
            expr.kind = ExprKind::Column(came);
        }
        for_each_child_mut(expr, |child| put(child, came));
    }
    let mut expr = expr.clone();
    if let Some(came) = came {
        put(&mut expr, came);
    }
    expr
}

/// How many columns are the circuit's; behind them stand arrival, mark, and place in the log.
fn n_own(schema: &Schema) -> usize {
    let hidden = schema.fields.iter().rev().take_while(|field| is_hidden(field));
    schema.fields.len() - hidden.count()
}

/// The columns of a row that are not the circuit's.
fn hidden_fields(schema: &Schema) -> &[Field] {
    &schema.fields[n_own(schema)..]
}

/// The same as expressions.
fn hidden_of(schema: &Schema) -> Vec<Expr> {
    let hidden = n_own(schema)..schema.fields.len();
    hidden.map(|at| Expr::column(at, schema.fields[at].ty.clone())).collect()
}

/// The schema, followed by the hidden columns of another one.
fn with_hidden(mut schema: Arc<Schema>, from: &Schema) -> Arc<Schema> {
    let hidden = hidden_fields(from);
    if !hidden.is_empty() {
        Arc::make_mut(&mut schema).fields.extend_from_slice(hidden);
    }
    schema
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
