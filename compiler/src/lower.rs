//! Typed nodes to the steps of a dataflow plan, in dependency order, one step for each thing done.
//!
//! Later passes make it faster; this one only has to be right. A topic's collection is the union
//! of what is written to it and what clients publish. A keyed topic lets one row per key pass.

mod looped;

use std::collections::BTreeMap;
use std::sync::Arc;

use arqon_operators::Expr;
use arqon_plan::{
    Arm, DataflowPlan, Latest, Loop, LoopId, Map, Operator, Output, PLACE_FIELD, Plan, Stage,
    StageKind, Step, StepId, TopicPlan, n_places,
};
use arqon_types::{Discipline, Edge, Field, Schema, TopicName, Type, Value, error_schema};

use crate::keys::{Keys, output_keys, proves};
use crate::order::dependency_order;
use crate::placed::{FullStep, Placed};
use crate::resolve::Resolved;
use crate::row_type::RowType;
use crate::typed::{
    Input, LocalId, NodeId, Owner, TopicId, TypedNode, TypedSource, TypedStep, Verb,
};
use crate::typing::Flow;

/// The dataflow plan of a circuit without faults; none if it calls an operator, since calls do
/// not run in this version, or if its nodes stand in a circle.
pub(crate) fn lower(
    resolved: &Resolved<'_>,
    flow: &Flow,
    plan: &Plan,
    file: &str,
) -> Option<DataflowPlan> {
    let mut lowering = Lowering {
        resolved,
        flow,
        loops: Vec::new(),
        around: Vec::new(),
        locals: BTreeMap::new(),
        steps: Vec::new(),
        keys: Vec::new(),
        outputs: Vec::new(),
        placed: Placed::new(resolved, flow, plan),
        sources: vec![None; resolved.topics.len()],
        logs: vec![None; resolved.topics.len()],
        plain: BTreeMap::new(),
        collections: vec![None; resolved.topics.len()],
        errors: BTreeMap::new(),
        results: vec![Vec::new(); flow.nodes.len()],
        writers: writers(resolved, flow),
        is_read: read_topics(resolved, flow),
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
    let granted = lowering.granted_errors();
    let topics = resolved
        .topics
        .iter()
        .map(|topic| {
            let ast = topic.ast();
            Some(TopicPlan {
                name: topic.name.clone(),
                schema: Schema::new(topic.schema_name.clone(), topic.row.fields()?),
                discipline: topic.discipline,
                key: topic.key.clone(),
                time: topic.time,
                edge: topic.edge,
                verified: ast.is_none_or(|ast| ast.unchecked.is_none()),
            })
        })
        .chain(granted.into_iter().map(Some))
        .collect::<Option<Vec<_>>>()?;
    Some(DataflowPlan {
        circuit: resolved.name.clone(),
        namespace: resolved.namespace.clone(),
        file: file.to_owned(),
        topics,
        loops: lowering.loops,
        steps: lowering.steps,
        outputs: lowering.outputs,
    })
}

/// Whether clients, other circuits or an operator put rows into the topic, or nobody here does.
pub(crate) fn is_fed_from_outside(resolved: &Resolved<'_>, id: TopicId, n_writers: usize) -> bool {
    let topic = resolved.topic(id);
    let is_shared =
        topic.ast().is_some_and(|ast| ast.shared.as_ref().is_some_and(|shared| shared.node));
    n_writers == 0 || topic.edge.admits() || is_shared
}

/// Whether the topic is a control input, which its readers see one epoch later.
fn is_control(resolved: &Resolved<'_>, id: TopicId) -> bool {
    resolved
        .topic(id)
        .ast()
        .is_some_and(|ast| ast.control.as_ref().is_some_and(|control| control.node))
}

/// Who writes each topic: the node, and which of its sinks.
fn writers(resolved: &Resolved<'_>, flow: &Flow) -> Vec<Vec<(NodeId, usize)>> {
    let mut writers = vec![Vec::new(); resolved.topics.len()];
    for (node_idx, node) in flow.nodes.iter().enumerate() {
        for (sink_idx, sink) in node.sinks.iter().enumerate() {
            writers[sink.topic.0].push((NodeId(node_idx), sink_idx));
        }
    }
    writers
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
    /// Which rows bring their place in the log.
    placed: Placed,
    /// The source of each topic that has one.
    sources: Vec<Option<StepId>>,
    /// The log of each topic that has one.
    logs: Vec<Option<StepId>>,
    /// Steps whose rows bring their place, and the same rows without it.
    plain: BTreeMap<StepId, StepId>,
    /// What a reader of each topic reads.
    collections: Vec<Option<StepId>>,
    /// The errors that are read.
    errors: BTreeMap<Owner, StepId>,
    /// What each node puts out: one step, or one per label.
    results: Vec<Vec<StepId>>,
    writers: Vec<Vec<(NodeId, usize)>>,
    /// Whether a node reads the topic.
    is_read: Vec<bool>,
}

impl Lowering<'_, '_> {
    /// What each node, and after them each topic, needs to stand before it.
    fn needs(&self) -> Vec<Vec<usize>> {
        let n_nodes = self.flow.nodes.len();
        let mut needs: Vec<Vec<usize>> = Vec::with_capacity(n_nodes + self.resolved.topics.len());
        let place = |input: Input| match input {
            // A control topic is read one epoch later, as a source.
            Input::Topic(id) if is_control(self.resolved, id) => Vec::new(),
            Input::Topic(TopicId(id)) | Input::Errors(Owner::Topic(TopicId(id))) => {
                vec![n_nodes + id]
            }
            Input::Node(NodeId(id)) | Input::Label(NodeId(id), _) => vec![id],
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
        for writers in &self.writers {
            needs.push(writers.iter().map(|(NodeId(id), _)| *id).collect());
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
        let inputs: Vec<&Keys> = step.inputs.iter().map(|id| &self.keys[id.index()]).collect();
        let n_left = step.inputs.first().map_or(0, |id| self.steps[id.index()].schema.fields.len());
        let n_columns = step.schema.fields.len();
        let keys = output_keys(&step.operator, &inputs, n_left, n_columns, source_key);
        let id = StepId(u32::try_from(self.steps.len()).expect("a file has fewer steps"));
        self.keys.push(keys);
        self.steps.push(step);
        id
    }

    /// What a reader of the input reads.
    fn input(&mut self, input: Input) -> Option<StepId> {
        match input {
            Input::Topic(id) if is_control(self.resolved, id) => self.fed(id),
            Input::Topic(id) => self.collections[id.0],
            Input::Node(NodeId(id)) => self.results[id].first().copied(),
            Input::Label(NodeId(id), label) => self.results[id].get(label).copied(),
            Input::Errors(owner) => Some(self.errors(owner)),
            Input::Local(id) => self.locals.get(&id).copied(),
            Input::Operator(_) => None,
        }
    }

    /// The errors of a topic or node, which all of its readers share.
    fn errors(&mut self, owner: Owner) -> StepId {
        if let Some(known) = self.errors.get(&owner) {
            return *known;
        }
        let name = self.resolved.owner_name(owner);
        let address = format!("{name}.errors");
        let step = self.push(Step {
            node: address.clone(),
            address,
            operator: Operator::Errors(name.to_owned()),
            inputs: Vec::new(),
            schema: error_schema(),
        });
        self.errors.insert(owner, step);
        step
    }

    /// The errors that a role may subscribe to: outputs like any other, as far as clients see.
    fn granted_errors(&mut self) -> Vec<TopicPlan> {
        let resolved = self.resolved;
        let grants = resolved.circuit.access.iter().flat_map(|role| &role.subscribe);
        let mut granted: Vec<TopicPlan> = Vec::new();
        for grant in grants {
            let owner = grant.target.node.strip_suffix(".errors").and_then(|it| resolved.owner(it));
            let (Some(owner), Ok(name)) = (owner, TopicName::parse(&grant.target.node)) else {
                continue;
            };
            if granted.iter().any(|topic| topic.name == name) {
                continue;
            }
            let step = self.errors(owner);
            self.outputs.push(Output { topic: name.clone(), step });
            granted.push(TopicPlan {
                name,
                schema: error_schema(),
                discipline: Discipline::Delta,
                key: Vec::new(),
                time: None,
                edge: Edge::Out,
                verified: true,
            });
        }
        granted
    }

    /// What clients, files and other circuits put into a topic, with its place where it is needed.
    fn fed(&mut self, id: TopicId) -> Option<StepId> {
        if self.placed.topics[id.0] { self.log(id) } else { self.source(id) }
    }

    fn log(&mut self, id: TopicId) -> Option<StepId> {
        let topic = self.resolved.topic(id);
        if let Some(known) = self.logs[id.0] {
            return Some(known);
        }
        let name = topic.name.as_str().to_owned();
        let schema = Schema::new(topic.schema_name.clone(), topic.row.fields()?);
        let step = self.push(Step {
            node: name.clone(),
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

    /// The rows of a step without their place in the log.
    fn plain(&mut self, id: StepId) -> Option<StepId> {
        let n_places = self.n_places(id);
        if n_places == 0 {
            return Some(id);
        }
        if let Some(known) = self.plain.get(&id) {
            return Some(*known);
        }
        let step = &self.steps[id.index()];
        let plain = if let Operator::Log(name) = &step.operator {
            let topic = self.resolved.topic_id(name.as_str())?;
            self.source(topic)?
        } else {
            let mut schema = step.schema.clone();
            schema.fields.truncate(schema.fields.len() - n_places);
            let (node, address) = (step.node.clone(), step.address.clone());
            let operator = project(&address, all_columns(&schema));
            self.push(Step { node, address, operator, inputs: vec![id], schema })
        };
        self.plain.insert(id, plain);
        Some(plain)
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
        let mut schema = step.schema.clone();
        schema.fields.truncate(schema.fields.len() - n_places);
        let (node, address) = (step.node.clone(), step.address.clone());
        let operator = project(&address, exprs);
        let schema = placed_schema(schema, wanted);
        self.push(Step { node, address, operator, inputs: vec![id], schema })
    }

    /// All inputs as one collection of rows of `schema`.
    fn union(
        &mut self,
        inputs: Vec<StepId>,
        (node, address): (&str, &str),
        schema: &Schema,
    ) -> StepId {
        if let [one] = inputs.as_slice() {
            return *one;
        }
        let n_places = inputs.iter().map(|id| self.n_places(*id)).max().unwrap_or(0);
        let inputs = inputs.into_iter().map(|id| self.padded(id, n_places)).collect();
        self.push(Step {
            node: node.to_owned(),
            address: address.to_owned(),
            operator: Operator::Union,
            inputs,
            schema: placed_schema(schema.clone(), n_places),
        })
    }

    /// The last row of each key.
    fn latest(&mut self, input: StepId, key: &[usize], label: Label<'_>, schema: Schema) -> StepId {
        let n_places = self.n_places(input);
        self.push(Step {
            node: label.node.to_owned(),
            address: label.address.to_owned(),
            operator: Operator::Latest(Latest { key: key.to_vec(), n_places }),
            inputs: vec![input],
            schema,
        })
    }

    /// The rows, one for each key, where that is not proved; the others are error rows.
    fn unique(&mut self, input: StepId, key: &[usize], label: Label<'_>, schema: Schema) -> StepId {
        if proves(&self.keys[input.index()], key) {
            return input;
        }
        self.push(Step {
            node: label.node.to_owned(),
            address: label.address.to_owned(),
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
        let name = topic.name.as_str().to_owned();
        let step = self.push(Step {
            node: name.clone(),
            address: name,
            operator: Operator::Source(topic.name.clone()),
            inputs: Vec::new(),
            schema: Schema::new(topic.schema_name.clone(), topic.row.fields()?),
        });
        self.sources[id.0] = Some(step);
        Some(step)
    }

    /// The collection of a topic, for its readers and subscribers.
    fn topic(&mut self, id: TopicId) -> Option<()> {
        let topic = self.resolved.topic(id);
        let name = topic.name.as_str();
        let schema = Schema::new(topic.schema_name.clone(), topic.row.fields()?);
        let writers = self.writers[id.0].clone();
        let mut written = Vec::with_capacity(writers.len() + 1);
        let mut owner = name.to_owned();
        let mut address = owner.clone();
        for (node_id, sink_idx) in &writers {
            let node = &self.flow.nodes[node_id.0];
            if writers.len() == 1 {
                owner.clone_from(&node.errors_of);
                address = format!("{}.to", node.name);
            }
            written.push(self.written(*node_id, *sink_idx, &schema)?);
        }
        let control = is_control(self.resolved, id);
        // Of a topic that nobody writes here or outside, and nobody reads, there is no collection.
        let is_wanted = !writers.is_empty() || topic.edge.admits() || self.is_read[id.0];
        if !control && is_wanted && is_fed_from_outside(self.resolved, id, writers.len()) {
            written.push(self.fed(id)?);
        }
        if written.is_empty() {
            return Some(());
        }
        let is_only = written.len() == 1;
        let mut step = self.union(written, (name, name), &schema);
        let node = if is_only { &owner } else { name };
        let label = Label { node, address: &address };
        if self.placed.latest_topics[id.0] {
            step = self.latest(step, &topic.key, label, schema);
        } else if topic.discipline != Discipline::Events
            && !topic.key.is_empty()
            && !writers.is_empty()
        {
            step = self.unique(step, &topic.key, label, schema);
        }
        if !writers.is_empty() || topic.edge.emits() {
            let step = self.plain(step)?;
            self.outputs.push(Output { topic: topic.name.clone(), step });
        }
        self.collections[id.0] = Some(step);
        Some(())
    }

    /// What a node writes to a topic, as rows of the topic.
    fn written(&mut self, node_id: NodeId, sink_idx: usize, schema: &Schema) -> Option<StepId> {
        let node = &self.flow.nodes[node_id.0];
        let sink = &node.sinks[sink_idx];
        let mut result = *self.results[node_id.0].get(sink.label.unwrap_or(0))?;
        let TopicId(topic) = sink.topic;
        if !self.placed.topics[topic] && !self.placed.latest_topics[topic] {
            result = self.plain(result)?;
        }
        let Some(fields) = &sink.fields else { return Some(result) };
        let address = format!("{}.to", node.name);
        let places = places_of(&self.steps[result.index()].schema);
        let n_places = places.len();
        let exprs = fields.iter().cloned().chain(places).collect();
        Some(self.push(Step {
            node: node.errors_of.clone(),
            operator: project(&address, exprs),
            address,
            inputs: vec![result],
            schema: placed_schema(schema.clone(), n_places),
        }))
    }

    fn node(&mut self, id: NodeId) -> Option<()> {
        let flow = self.flow;
        let node = &flow.nodes[id.0];
        let mut at = match &node.repeated {
            Some(repeated) => self.node_loop(node, repeated)?,
            None => self.node_sources(id, node)?,
        };
        let mut row = Arc::clone(&node.row_in);
        let mut arms = None;
        for (idx, step) in node.steps.iter().enumerate() {
            if self.placed.n_steps[id.0] <= idx {
                at = self.plain(at)?;
            }
            at = self.step(node, step, at, &row)?;
            if let Verb::Route(_) = &step.verb {
                arms = Some(self.arms(node, step, at)?);
            }
            row = Arc::clone(&step.row);
        }
        if !self.placed.nodes[id.0] && arms.is_none() {
            at = self.plain(at)?;
        }
        self.results[id.0] = arms.unwrap_or_else(|| vec![at]);
        Some(())
    }

    fn node_sources(&mut self, id: NodeId, node: &TypedNode) -> Option<StepId> {
        let mut inputs = Vec::with_capacity(node.sources.len());
        for source in &node.sources {
            let mut input = self.input(source.input)?;
            if !self.placed.nodes[id.0] && self.placed.n_steps[id.0] == 0 {
                input = self.plain(input)?;
            }
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
        let places = places_of(schema);
        let n_places = places.len();
        Some(self.push(Step {
            node: node.errors_of.clone(),
            address: node.name.clone(),
            operator: project(&node.name, exprs.into_iter().chain(places).collect()),
            inputs: vec![step],
            schema: placed_schema(node_schema(node, row)?, n_places),
        }))
    }

    fn step(
        &mut self,
        node: &TypedNode,
        step: &TypedStep,
        at: StepId,
        before: &Arc<RowType>,
    ) -> Option<StepId> {
        let places = places_of(&self.steps[at.index()].schema);
        let n_places = places.len();
        let schema = node_schema(node, &step.row)?;
        let placed = || placed_schema(schema.clone(), n_places);
        let address = step.address.clone();
        let made = |operator: Operator, inputs: Vec<StepId>, schema: Schema| Step {
            node: node.errors_of.clone(),
            address: address.clone(),
            operator,
            inputs,
            schema,
        };
        Some(match &step.verb {
            Verb::Where(condition) => {
                self.push(made(filter(&address, condition.clone()), vec![at], placed()))
            }
            Verb::Project(_, exprs) => {
                let exprs = exprs.iter().cloned().chain(places).collect();
                self.push(made(project(&address, exprs), vec![at], placed()))
            }
            Verb::Join { input, join, .. } => {
                let right = self.input(*input)?;
                let right = self.plain(right)?;
                self.push(made(Operator::Join(join.clone()), vec![at, right], schema))
            }
            Verb::Group { group, having } => {
                let grouped =
                    self.push(made(Operator::Group(group.clone()), vec![at], schema.clone()));
                match having {
                    None => grouped,
                    Some(condition) => {
                        self.push(made(filter(&address, condition.clone()), vec![grouped], schema))
                    }
                }
            }
            Verb::Distinct { fields } => {
                let input = match fields {
                    None => at,
                    Some(exprs) => {
                        self.push(made(project(&address, exprs.clone()), vec![at], schema.clone()))
                    }
                };
                self.push(made(Operator::Distinct, vec![input], schema))
            }
            Verb::Top(top) => self.push(made(Operator::Top(top.clone()), vec![at], schema)),
            Verb::Route(route) => {
                let schema = placed_schema(node_schema(node, before)?, n_places);
                self.push(made(Operator::Route(route.clone()), vec![at], schema))
            }
            Verb::Carries(Discipline::Full) => {
                let label = Label { node: &node.errors_of, address: &address };
                let FullStep { key, is_last } = self.placed.full_steps.get(&address)?.clone();
                if is_last {
                    self.latest(at, &key, label, schema)
                } else {
                    self.unique(at, &key, label, schema)
                }
            }
            Verb::Loop(repeated) => {
                let at = self.plain(at)?;
                self.step_loop(node, step, repeated, at)?
            }
            Verb::Carries(Discipline::Events | Discipline::Delta) => at,
            Verb::Call(_) | Verb::Unknown => return None,
        })
    }

    fn arms(&mut self, node: &TypedNode, step: &TypedStep, route: StepId) -> Option<Vec<StepId>> {
        let schema = node_schema(node, &step.row)?;
        let schema = placed_schema(schema, self.n_places(route));
        let arms = node.labels.iter().enumerate().map(|(idx, label)| {
            self.push(Step {
                node: node.errors_of.clone(),
                address: format!("{}.{}", step.address, label.node),
                operator: Operator::Arm(Arm { idx }),
                inputs: vec![route],
                schema: schema.clone(),
            })
        });
        Some(arms.collect())
    }
}

fn node_schema(node: &TypedNode, row: &RowType) -> Option<Schema> {
    row.fields().map(|fields| Schema::new(node.name.clone(), fields))
}

/// The node and address under which a step counts and errs.
#[derive(Clone, Copy)]
struct Label<'a> {
    node: &'a str,
    address: &'a str,
}

/// The schema of the same rows with `n_places` columns for their place in the log.
fn placed_schema(mut schema: Schema, n_places: usize) -> Schema {
    schema.fields.extend((0..n_places).map(|at| {
        let name = if at == 0 { PLACE_FIELD.to_owned() } else { format!("{PLACE_FIELD}{at}") };
        Field::new(name, Type::Int64)
    }));
    schema
}

/// The columns of a row that are its place in the log.
fn places_of(schema: &Schema) -> Vec<Expr> {
    let all = all_columns(schema);
    all[all.len() - n_places(schema)..].to_vec()
}

fn all_columns(schema: &Schema) -> Vec<Expr> {
    let column = |(at, field): (usize, &Field)| Expr::column(at, field.ty.clone());
    schema.fields.iter().enumerate().map(column).collect()
}

fn filter(address: &str, condition: Expr) -> Operator {
    stage(address, StageKind::Filter(condition))
}

fn project(address: &str, exprs: Vec<Expr>) -> Operator {
    stage(address, StageKind::Project(exprs))
}

fn stage(address: &str, kind: StageKind) -> Operator {
    Operator::Map(Map { stages: vec![Stage { address: address.to_owned(), kind }] })
}
