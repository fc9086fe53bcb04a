//! Typed nodes to the plan: one typed graph of topics, steps, operators and clients.
//!
//! The plan is built also of a circuit with faults, as far as names and types are known, so that
//! the checks on it report in the same run.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use arqon_grammar::Sources;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::expr as syntax;
use arqon_plan as plan;
use arqon_plan::{PlanBuilder, Port, TextRange, VertexId};
use arqon_types::{Discipline, Edge, Schema, TopicName, error_schema};
use indexmap::IndexMap;
use smallvec::SmallVec;

use crate::resolve::{Resolved, Topic, TopicOrigin};
use crate::row_type::RowType;
use crate::typed::{
    Input, LocalId, NodeId, NodeLoop, OperatorId, Owner, ProjectVerb, Rounds, StepLoop, TopicId,
    TypedKernel, TypedNode, TypedPort, TypedSource, TypedStep, Verb,
};
use crate::typing::Flow;

/// What expressions refer to, for the list of declarations.
#[derive(Debug, Default)]
pub(crate) struct Used {
    /// Functions that are called.
    pub(crate) functions: BTreeSet<String>,
    /// Parameters that are named.
    pub(crate) params: BTreeSet<String>,
}

/// The plan of a circuit.
pub(crate) fn build(
    resolved: &Resolved<'_>,
    flow: &Flow,
    used: &Used,
    sources: &Sources,
) -> plan::Plan {
    let mut building = Building {
        resolved,
        flow,
        builder: PlanBuilder::new(&resolved.name, &resolved.namespace, &sources.main().name),
        schemas: IndexMap::new(),
        topics: Vec::new(),
        endpoints: Vec::new(),
        outputs: vec![Vec::new(); flow.nodes.len()],
        late: BTreeMap::new(),
        late_topics: BTreeMap::new(),
        inputs: Vec::new(),
        errors: BTreeMap::new(),
        locals: BTreeMap::new(),
        around: Vec::new(),
        n_loops: 0,
    };
    let n_steps: usize = flow.nodes.iter().map(|node| node.steps.len() + 1).sum();
    building.builder.reserve(resolved.topics.len() + resolved.operators.len() + n_steps);
    building.topics();
    building.endpoints();
    for id in 0..flow.nodes.len() {
        building.node(NodeId(id));
    }
    building.wire_inputs();
    building.roles();
    building.declarations(used, sources);
    building.builder.finish()
}

/// A named port: its name, the vertex that reads it, and the rows there.
type PortEnd<'r> = (&'r str, VertexId, Arc<Schema>);

/// A wire into a step, made when all nodes stand.
struct Pending {
    input: Input,
    to: VertexId,
    port: Port,
    span: Span,
}

struct Building<'r, 'a> {
    resolved: &'r Resolved<'a>,
    flow: &'r Flow,
    builder: PlanBuilder,
    /// One schema per row type and name, shared by all that have it.
    schemas: IndexMap<(usize, &'r str), Arc<Schema>>,
    topics: Vec<VertexId>,
    endpoints: Vec<VertexId>,
    /// What each node puts out: one vertex, or one per label, with the rows there.
    outputs: Vec<Vec<(VertexId, Arc<Schema>)>>,
    /// What came too late for each node that judges rows, by its name.
    late: BTreeMap<&'r str, (VertexId, Arc<Schema>)>,
    /// Late rows that a role may read.
    late_topics: BTreeMap<&'r str, VertexId>,
    inputs: Vec<Pending>,
    errors: BTreeMap<String, VertexId>,
    /// The names within loops.
    locals: BTreeMap<LocalId, (VertexId, Arc<Schema>)>,
    /// The loops around the present place.
    around: Vec<usize>,
    n_loops: usize,
}

impl<'r> Building<'r, '_> {
    /// As [`Building::schema`]; shared with the rows before where nothing has changed.
    fn schema_after(
        &mut self,
        before: &Arc<Schema>,
        node: &'r TypedNode,
        step: &TypedStep,
    ) -> Arc<Schema> {
        let is_same = before.name == node.name && step.row.has_fields(&before.fields);
        if is_same { Arc::clone(before) } else { self.schema(&step.row, &node.name) }
    }

    fn schema(&mut self, row: &Arc<RowType>, name: &'r str) -> Arc<Schema> {
        // Row types live as long as the flow does, so their addresses tell them apart.
        let key = (Arc::as_ptr(row) as usize, name);
        let made = self.schemas.entry(key).or_insert_with(|| Arc::new(row.known_schema(name)));
        Arc::clone(made)
    }

    fn topics(&mut self) {
        let resolved = self.resolved;
        for topic in &resolved.topics {
            let schema = self.schema(&topic.row, &topic.schema_name);
            let vertex = self.builder.topic(topic_vertex(topic, schema, resolved));
            self.topics.push(vertex);
        }
        // The errors of a node are a topic; it stands in the plan where somebody may read it.
        let grants = resolved.circuit.access.iter().flat_map(|role| &role.subscribe);
        for grant in grants {
            let Some(owner) = grant.target.node.strip_suffix(".errors") else { continue };
            if resolved.node_id(owner).is_some() {
                self.error_topic(owner);
            }
        }
        let grants = resolved.circuit.access.iter().flat_map(|role| &role.subscribe);
        for grant in grants {
            if let Some((node, before)) = self.granted_late(&grant.target.node)
                && !self.late_topics.contains_key(&*node.name)
                && let Ok(name) = TopicName::parse(&grant.target.node)
            {
                let schema = self.schema(before, &node.name);
                let vertex = self.late_topic(name, &node.name, schema);
                self.late_topics.insert(&node.name, vertex);
            }
        }
        for owner in self
            .flow
            .nodes
            .iter()
            .flat_map(TypedNode::reads)
            .filter_map(|(input, _)| input.owner_of_errors())
        {
            self.error_topic(resolved.owner_name(owner));
            if let (Owner::Topic(id), Some(errors)) =
                (owner, self.errors.get(resolved.owner_name(owner)))
            {
                let topic = resolved.topic(id);
                let schema = Arc::new(error_schema());
                let ends = (self.topics[id.0], *errors);
                self.builder.wire(ends, Port::Errors, &schema, range(topic.span));
            }
        }
    }

    /// The node whose late rows a grant names, and the rows before its window.
    fn granted_late(&self, target: &str) -> Option<(&'r TypedNode, &'r Arc<RowType>)> {
        let NodeId(id) = self.resolved.node_id(target.strip_suffix(".late")?)?;
        let node = &self.flow.nodes[id];
        Some((node, node.row_before(node.judging_step()?)))
    }

    fn late_topic(&mut self, name: TopicName, node: &str, schema: Arc<Schema>) -> VertexId {
        let origin = plan::TopicOrigin::Late { node: node.to_owned() };
        self.builder.topic(made_topic(name, origin, schema, Discipline::Events))
    }

    fn error_topic(&mut self, node: &str) {
        if self.errors.contains_key(node) {
            return;
        }
        let Ok(name) = TopicName::parse(&format!("{node}.errors")) else { return };
        let origin = plan::TopicOrigin::Errors { node: node.to_owned() };
        let schema = Arc::new(error_schema());
        let vertex = self.builder.topic(made_topic(name, origin, schema, Discipline::Delta));
        self.errors.insert(node.to_owned(), vertex);
    }

    fn endpoints(&mut self) {
        let resolved = self.resolved;
        for (id, operator) in resolved.operators.iter().enumerate() {
            let vias = operator
                .ast
                .via
                .iter()
                .map(|via| plan::Via {
                    name: via.name.node.clone(),
                    transport: via
                        .transport
                        .as_ref()
                        .map_or_else(String::new, |transport| transport_text(&transport.node)),
                })
                .collect();
            let vertex = self.builder.endpoint(plan::Endpoint {
                name: operator.ast.name.node.clone(),
                contract: operator.contract_name.clone(),
                vias,
                selected: operator.selected,
                limited: operator.ast.limits.is_some(),
                declared: true,
                range: range(operator.ast.name.span),
            });
            self.endpoints.push(vertex);
            for topic_id in &resolved.operator_topics[id] {
                let topic = resolved.topic(*topic_id);
                let vertex_of = self.topics[topic_id.0];
                let schema = self.schema(&topic.row, &topic.schema_name);
                let span = range(operator.ast.name.span);
                match topic.origin {
                    TopicOrigin::Jobs(_) => {
                        self.builder.wire((vertex_of, vertex), Port::Jobs, &schema, span);
                    }
                    TopicOrigin::Results(_) => {
                        self.builder.wire((vertex, vertex_of), Port::Results, &schema, span);
                    }
                    TopicOrigin::Declared(_) => {}
                }
            }
        }
    }

    fn node(&mut self, id: NodeId) {
        let flow = self.flow;
        let node = &flow.nodes[id.0];
        let (at, schema) = self.node_steps(node);
        let outputs = if node.labels.is_empty() {
            vec![(at, Arc::clone(&schema))]
        } else {
            let mut arms = Vec::with_capacity(node.labels.len());
            for (idx, label) in node.labels.iter().enumerate() {
                let address = format!("{}.{}", node.name, label.node).into();
                let arm = self.vertex(node, &address, plan::Verb::Arm(idx), &schema, label.span);
                self.builder.wire((at, arm), Port::Main, &schema, range(label.span));
                arms.push((arm, Arc::clone(&schema)));
            }
            arms
        };
        for sink in &node.sinks {
            let Some((from, schema)) = outputs.get(sink.label.unwrap_or(0)) else { continue };
            let to = self.topics[sink.topic.0];
            self.builder.wire((*from, to), Port::Main, schema, range(sink.span));
        }
        for (OperatorId(operator), span) in &node.bypasses {
            let to = self.endpoints[*operator];
            self.builder.wire((outputs[0].0, to), Port::Main, &outputs[0].1, range(*span));
        }
        if let Some(errors) = self.errors.get(&*node.name).copied() {
            let error = Arc::new(error_schema());
            self.builder.wire((outputs[0].0, errors), Port::Errors, &error, range(node.span));
        }
        self.outputs[id.0] = outputs;
    }

    /// The vertices of a node; the last of them, and the rows there.
    fn node_steps(&mut self, node: &'r TypedNode) -> (VertexId, Arc<Schema>) {
        let ports: Vec<PortEnd<'r>> = node.ports.iter().map(|port| self.port(node, port)).collect();
        let (mut at, mut schema) = if let Some(repeated) = &node.repeated {
            self.node_loop(node, repeated)
        } else if let Some((_, at, schema)) = ports.first() {
            // The ports are read each for itself; their taker is the first step.
            (*at, Arc::clone(schema))
        } else {
            let schema = self.schema(&node.row_in, &node.name);
            let at = self.vertex(node, &node.name, plan::Verb::From, &schema, node.span);
            self.reads(&node.sources, at, &Port::Main);
            (at, schema)
        };
        for (idx, step) in node.steps.iter().enumerate() {
            let topics = match &step.verb {
                Verb::Window(window) => Some(&window.topics),
                Verb::Within(within) => Some(&within.topics),
                _ => None,
            };
            if let Some(topics) = topics {
                let verb = plan::Verb::Late(topics.clone());
                let address = format!("{}.late", node.name).into();
                let late = self.vertex(node, &address, verb, &schema, step.span);
                self.builder.wire((at, late), Port::Main, &schema, range(step.span));
                if let Some(topic) = self.late_topics.get(&*node.name) {
                    self.builder.wire((late, *topic), Port::Main, &schema, range(step.span));
                }
                self.late.insert(&node.name, (late, Arc::clone(&schema)));
            }
            let ports = if idx == 0 { ports.as_slice() } else { &[] };
            (at, schema) = self.step(node, step, (at, schema), ports);
        }
        (at, schema)
    }

    fn reads(&mut self, sources: &[TypedSource], to: VertexId, port: &Port) {
        for source in sources {
            let (input, span) = (source.input, source.span);
            self.inputs.push(Pending { input, to, port: port.clone(), span });
        }
    }

    /// A loop in the place of sources: its variables, its nodes, and its end.
    fn node_loop(
        &mut self,
        node: &'r TypedNode,
        repeated: &'r NodeLoop,
    ) -> (VertexId, Arc<Schema>) {
        let of = self.open_loop();
        for variable in &repeated.variables {
            let schema = self.schema(&variable.row, &node.name);
            let name = Some(variable.name.node.as_str());
            let verb = self.variable(of, name, &variable.merge, repeated.rounds);
            let address = format!("{}.{}", node.name, variable.name.node).into();
            let at = self.vertex(node, &address, verb, &schema, variable.name.span);
            self.reads(&variable.start, at, &Port::Main);
            self.locals.insert(variable.id, (at, schema));
        }
        for (id, body) in &repeated.nodes {
            let end = self.node_steps(body);
            self.locals.insert(*id, end);
        }
        for variable in &repeated.variables {
            let at = self.locals[&variable.id].0;
            self.reads(&variable.next, at, &Port::Next);
        }
        self.around.pop();
        let (out, span) = repeated.out;
        let (from, schema) = self.locals[&repeated.variables[out].id].clone();
        let at = self.vertex(node, &node.name, plan::Verb::Leave { of }, &schema, node.span);
        self.builder.wire((from, at), Port::Main, &schema, range(span));
        (at, schema)
    }

    /// A `loop` step: the rows so far as a variable, the steps over it, and the end.
    fn step_loop(
        &mut self,
        node: &'r TypedNode,
        step: &'r TypedStep,
        repeated: &'r StepLoop,
        (before, schema): (VertexId, Arc<Schema>),
    ) -> (VertexId, Arc<Schema>) {
        let of = self.open_loop();
        let span = range(step.span);
        let verb = self.variable(of, None, &repeated.merge, repeated.rounds);
        let variable = self.vertex(node, &step.address, verb, &schema, step.span);
        self.builder.wire((before, variable), Port::Main, &schema, span);
        let mut round = (variable, Arc::clone(&schema));
        for step in &repeated.body {
            round = self.step(node, step, round, &[]);
        }
        self.builder.wire((before, variable), Port::Next, &schema, span);
        self.builder.wire((round.0, variable), Port::Next, &round.1, span);
        self.around.pop();
        let verb = plan::Verb::Leave { of };
        let leave = self.vertex(node, &step.address, verb, &schema, step.span);
        self.builder.wire((variable, leave), Port::Main, &schema, span);
        (leave, schema)
    }

    fn open_loop(&mut self) -> usize {
        let of = self.n_loops;
        self.n_loops += 1;
        self.around.push(of);
        of
    }

    fn variable(
        &self,
        of: usize,
        name: Option<&str>,
        merge: &plan::Merge,
        rounds: Rounds,
    ) -> plan::Verb {
        let outer = self.around.iter().rev().nth(1).copied();
        plan::Verb::Variable(plan::LoopVariable {
            of,
            outer,
            name: name.map(str::to_owned),
            merge: merge.clone(),
            rounds: rounds.max,
            exact: rounds.exact,
            range: range(rounds.span),
        })
    }

    /// The reading of a port's sources, `attn.from.q`.
    fn port(&mut self, node: &'r TypedNode, port: &'r TypedPort) -> PortEnd<'r> {
        let schema = self.schema(&port.row, &node.name);
        let address = format!("{}.from.{}", node.name, port.name.node).into();
        let vertex = self.vertex(node, &address, plan::Verb::From, &schema, port.name.span);
        self.reads(&port.sources, vertex, &Port::Main);
        (port.name.as_str(), vertex, schema)
    }

    fn vertex(
        &mut self,
        node: &'r TypedNode,
        address: &Arc<str>,
        verb: plan::Verb,
        schema: &Arc<Schema>,
        span: Span,
    ) -> VertexId {
        self.builder.step(plan::FlowStep {
            node: node.owner.clone(),
            address: Arc::clone(address),
            verb,
            schema: Arc::clone(schema),
            range: range(span),
        })
    }

    /// The vertices of one step after `at`, or after named ports; the last of them, and the rows
    /// there.
    fn step(
        &mut self,
        node: &'r TypedNode,
        step: &'r TypedStep,
        (at, before): (VertexId, Arc<Schema>),
        ports: &[PortEnd<'_>],
    ) -> (VertexId, Arc<Schema>) {
        if let Verb::Loop(repeated) = &step.verb {
            return self.step_loop(node, step, repeated, (at, before));
        }
        let after = self.schema_after(&before, node, step);
        let mut parts: SmallVec<[plan::Verb; 2]> = SmallVec::new();
        match &step.verb {
            Verb::Where(condition) => parts.push(plan::Verb::Where(Arc::clone(condition))),
            Verb::Project(word, fields) => {
                let word = match word {
                    ProjectVerb::Select => plan::ProjectionWord::Select,
                    ProjectVerb::With => plan::ProjectionWord::With,
                    ProjectVerb::Drop => plan::ProjectionWord::Drop,
                };
                let fields = Arc::clone(fields);
                parts.push(plan::Verb::Project(plan::Projection { word, fields }));
            }
            Verb::Unnest(unnest) => parts.push(plan::Verb::Unnest(unnest.clone())),
            Verb::Join { join, .. } => parts.push(plan::Verb::Join((**join).clone())),
            Verb::Group { group, having } => {
                parts.push(plan::Verb::Group(group.clone()));
                parts.extend(having.clone().map(plan::Verb::Where));
            }
            Verb::Distinct { fields } => {
                let word = plan::ProjectionWord::Distinct;
                parts.extend(
                    fields
                        .clone()
                        .map(|fields| plan::Verb::Project(plan::Projection { word, fields })),
                );
                parts.push(plan::Verb::Distinct);
            }
            Verb::Top(top) => parts.push(plan::Verb::Top(top.clone())),
            Verb::Over(over) => parts.push(plan::Verb::Over(over.clone())),
            Verb::Window(window) => parts.push(plan::Verb::Window((**window).clone())),
            Verb::Within(within) => parts.push(plan::Verb::Within(within.clone())),
            Verb::Route(route) => {
                let mut conditions = route.conditions.iter().cloned();
                let branches = node
                    .labels
                    .iter()
                    .map(|label| (label.node.clone(), conditions.next()))
                    .collect();
                parts.push(plan::Verb::Route(plan::RouteStep { branches }));
            }
            Verb::Carries(discipline) => parts.push(plan::Verb::Carries(*discipline)),
            Verb::Call(call) => {
                let operator = self.resolved.operator(call.operator);
                let names = operator.contract.iter().flat_map(|contract| &contract.job);
                let job = names
                    .map(|field| field.name.to_string())
                    .zip(call.job.iter().cloned())
                    .collect();
                parts.push(plan::Verb::Call(plan::Call {
                    operator: operator.ast.name.node.clone(),
                    job,
                    keep: call.keep.clone(),
                }));
            }
            // A loop has a chain of its own.
            Verb::Loop(_) | Verb::Unknown => parts.push(plan::Verb::Unknown),
            Verb::Kernel(kernel) => parts.push(plan::Verb::Kernel(kernel.step.clone())),
            Verb::Wasm(wasm) => parts.push(plan::Verb::Wasm(wasm.clone())),
        }
        let mut at = at;
        let mut schema = before;
        for verb in parts {
            let is_call = matches!(verb, plan::Verb::Call(_));
            let vertex = self.vertex(node, &step.address, verb, &after, step.span);
            match &step.verb {
                Verb::Kernel(kernel) if ports.is_empty() => {
                    let name = kernel.step.ports.first().map_or("", |port| port.name.as_str());
                    let port = Port::Named(name.to_owned());
                    self.builder.wire((at, vertex), port, &schema, range(step.span));
                }
                _ if ports.is_empty() => {
                    self.builder.wire((at, vertex), Port::Main, &schema, range(step.span));
                }
                _ => {
                    for (name, from, schema) in ports {
                        let port = Port::Named((*name).to_owned());
                        self.builder.wire((*from, vertex), port, schema, range(step.span));
                    }
                }
            }
            if let Verb::Kernel(kernel) = &step.verb {
                self.kernel_wires(kernel, vertex);
            }
            if let Verb::Join { input, input_span, .. } = &step.verb {
                let (input, span) = (*input, *input_span);
                self.inputs.push(Pending { input, to: vertex, port: Port::Right, span });
            } else if let Some((id, span)) = step.operator {
                let input = Input::Operator(id);
                self.inputs.push(Pending { input, to: vertex, port: Port::Right, span });
            }
            if is_call {
                self.call_wires(step, vertex);
            }
            at = vertex;
            schema = Arc::clone(&after);
        }
        (at, schema)
    }

    /// Modes come from the control topic, and what steps cost goes to the metrics topic.
    fn kernel_wires(&mut self, kernel: &'r TypedKernel, vertex: VertexId) {
        let resolved = self.resolved;
        if let Some((TopicId(id), span)) = kernel.control {
            let schema = self.schema(&resolved.topics[id].row, &resolved.topics[id].schema_name);
            let ends = (self.topics[id], vertex);
            self.builder.wire(ends, Port::Control, &schema, range(span));
        }
        if let Some((TopicId(id), span)) = kernel.metrics {
            let schema = self.schema(&resolved.topics[id].row, &resolved.topics[id].schema_name);
            let ends = (vertex, self.topics[id]);
            self.builder.wire(ends, Port::Metrics, &schema, range(span));
        }
    }

    /// Jobs go to the operator's topic, results come from it, failures go where `errors` says.
    fn call_wires(&mut self, step: &TypedStep, vertex: VertexId) {
        let Verb::Call(call) = &step.verb else { return };
        let resolved = self.resolved;
        for topic_id in &resolved.operator_topics[call.operator.0] {
            let topic = resolved.topic(*topic_id);
            let id = topic_id.0;
            let schema = self.schema(&topic.row, &topic.schema_name);
            match topic.origin {
                TopicOrigin::Jobs(_) => {
                    let ends = (vertex, self.topics[id]);
                    self.builder.wire(ends, Port::Jobs, &schema, range(call.span));
                }
                TopicOrigin::Results(_) => {
                    let ends = (self.topics[id], vertex);
                    self.builder.wire(ends, Port::Results, &schema, range(call.span));
                }
                TopicOrigin::Declared(_) => {}
            }
        }
        if let Some(topic) = call.errors {
            let errors = Arc::new(error_schema());
            let ends = (vertex, self.topics[topic.0]);
            self.builder.wire(ends, Port::Errors, &errors, range(call.span));
        }
    }

    fn wire_inputs(&mut self) {
        for pending in std::mem::take(&mut self.inputs) {
            let (from, schema) = match pending.input {
                Input::Topic(id) => {
                    let topic = self.resolved.topic(id);
                    (self.topics[id.0], self.schema(&topic.row, &topic.schema_name))
                }
                Input::Node(NodeId(id)) => self.outputs[id][0].clone(),
                Input::Local(id) => self.locals[&id].clone(),
                Input::Late(NodeId(id)) => match self.late.get(&*self.flow.nodes[id].name) {
                    Some(late) => late.clone(),
                    // The window could not be typed; a diagnostic says why.
                    None => self.outputs[id][0].clone(),
                },
                Input::Label(NodeId(id), label) => {
                    let outputs = &self.outputs[id];
                    outputs[label.min(outputs.len() - 1)].clone()
                }
                Input::Errors(owner) => {
                    let name = self.resolved.owner_name(owner);
                    let Some(errors) = self.errors.get(name) else { continue };
                    (*errors, Arc::new(error_schema()))
                }
                Input::Operator(OperatorId(id)) => {
                    (self.endpoints[id], Arc::new(Schema::new("unknown", Vec::new())))
                }
            };
            self.builder.wire((from, pending.to), pending.port, &schema, range(pending.span));
        }
    }

    fn roles(&mut self) {
        for role in &self.resolved.circuit.access {
            let rights = [
                (plan::Right::Publish, &role.publish),
                (plan::Right::Subscribe, &role.subscribe),
                (plan::Right::Execute, &role.execute),
            ];
            let grants = rights
                .into_iter()
                .flat_map(|(right, grants)| {
                    grants.iter().map(move |grant| plan::Grant {
                        right,
                        target: grant.target.node.clone(),
                        range: range(grant.target.span),
                    })
                })
                .collect();
            self.builder.role(plan::Role {
                name: role.name.node.clone(),
                range: range(role.name.span),
                grants,
            });
        }
    }

    fn declarations(&mut self, used: &Used, sources: &Sources) {
        let circuit = self.resolved.circuit;
        let mut schemas = BTreeSet::new();
        let mut symbols = BTreeSet::new();
        let types = circuit
            .topics
            .iter()
            .filter_map(|topic| topic.schema.as_ref())
            .chain(circuit.schemas.iter().flat_map(|it| &it.fields).map(|field| &field.ty))
            .chain(circuit.operators.iter().flat_map(contract_types))
            .chain(circuit.returned_types());
        for part in types.flat_map(ast::TypeExpr::parts) {
            if let ast::TypeKind::Named(name) = &part.kind {
                schemas.insert(name.as_str());
            }
            if let ast::TypeKind::Tensor { dims, .. } = &part.kind {
                symbols.extend(dims.iter().filter_map(|dim| match &dim.node {
                    ast::Dimension::Symbol(symbol) => Some(symbol.as_str()),
                    ast::Dimension::Fixed(_) | ast::Dimension::Unknown => None,
                }));
            }
        }
        // What is declared for others is used by them.
        let is_offered = |name: &ast::Name| circuit.is_library || !sources.is_main(name.span);
        let mut add = |kind, name: &ast::Name, used: bool| {
            self.builder.declaration(plan::Declaration {
                kind,
                name: name.node.clone(),
                range: range(name.span),
                used: used || is_offered(name),
            });
        };
        for schema in &circuit.schemas {
            let is_used = schemas.contains(schema.name.as_str());
            add(plan::DeclarationKind::Schema, &schema.name, is_used);
        }
        for function in &circuit.functions {
            let is_used = used.functions.contains(function.name.as_str());
            add(plan::DeclarationKind::Function, &function.name, is_used);
        }
        let mut in_functions = BTreeSet::new();
        for function in &circuit.functions {
            names_in(&function.body, &mut in_functions);
        }
        for param in &circuit.params {
            let name = param.name.as_str();
            let is_used =
                used.params.contains(name) || symbols.contains(name) || in_functions.contains(name);
            add(plan::DeclarationKind::Param, &param.name, is_used);
        }
    }
}

/// A topic that is there for a node, without being declared.
fn made_topic(
    name: TopicName,
    origin: plan::TopicOrigin,
    schema: Arc<Schema>,
    discipline: Discipline,
) -> plan::Topic {
    plan::Topic {
        name,
        origin,
        schema,
        discipline,
        key: Vec::new(),
        time: None,
        late: 0,
        edge: Edge::None,
        retain: None,
        control: false,
        shared: false,
        verified: true,
        ranges: plan::TopicRanges::default(),
    }
}

fn topic_vertex(topic: &Topic<'_>, schema: Arc<Schema>, resolved: &Resolved<'_>) -> plan::Topic {
    let ast = topic.ast();
    let operator = |id: OperatorId| resolved.operator(id).ast.name.node.clone();
    let is_set = |flag: Option<&arqon_grammar::Spanned<bool>>| flag.is_some_and(|flag| flag.node);
    plan::Topic {
        name: topic.name.clone(),
        origin: match topic.origin {
            TopicOrigin::Declared(_) => plan::TopicOrigin::Declared,
            TopicOrigin::Jobs(id) => plan::TopicOrigin::Jobs { operator: operator(id) },
            TopicOrigin::Results(id) => plan::TopicOrigin::Results { operator: operator(id) },
        },
        key: plan_key(topic),
        schema,
        discipline: topic.discipline,
        time: topic.time,
        late: topic.late,
        edge: topic.edge,
        retain: topic.retain,
        control: is_set(ast.and_then(|ast| ast.control.as_ref())),
        shared: is_set(ast.and_then(|ast| ast.shared.as_ref())),
        verified: ast.is_none_or(|ast| ast.unchecked.is_none()),
        ranges: plan::TopicRanges {
            name: range(topic.span),
            schema: ast.and_then(|ast| ast.schema.as_ref()).map(|it| range(it.span)),
            carries: ast.and_then(|ast| ast.carries.as_ref()).map(|it| range(it.span)),
            key: ast.and_then(|ast| ast.key.as_ref()).map(|it| range(it.span)),
            edge: ast.and_then(|ast| ast.edge.as_ref()).map(|it| range(it.span)),
            retain: ast.and_then(|ast| ast.retain.as_ref()).map(|it| range(it.span)),
        },
    }
}

/// The key over the fields that are known; nothing if one of the key's has no type.
fn plan_key(topic: &Topic<'_>) -> Vec<usize> {
    let known_before =
        |at: usize| topic.row.columns[..at].iter().filter(|column| column.ty.is_some()).count();
    let is_known = topic.key.iter().all(|&at| topic.row.columns[at].ty.is_some());
    if is_known { topic.key.iter().map(|&at| known_before(at)).collect() } else { Vec::new() }
}

fn transport_text(transport: &ast::Transport) -> String {
    match transport {
        ast::Transport::Builtin(name) => format!("builtin {}", name.node),
        ast::Transport::Remote(wanted) => {
            let parts: Vec<String> = wanted
                .iter()
                .map(|(name, value)| match &value.kind {
                    ast::ValueKind::Scalar { text, .. } => format!("{}={text}", name.node),
                    _ => name.node.clone(),
                })
                .collect();
            format!("remote {}", parts.join(" "))
        }
        ast::Transport::Http { url, .. } => {
            format!("http {}", url.as_ref().map_or("", |url| url.node.as_str()))
        }
        ast::Transport::Process { command, .. } => {
            let words: Vec<&str> = command.iter().map(|word| word.node.as_str()).collect();
            format!("process {}", words.join(" "))
        }
    }
}

fn contract_types(operator: &ast::Operator) -> Vec<&ast::TypeExpr> {
    match operator.contract.as_ref().map(|contract| &contract.node) {
        Some(ast::Contract::Own { job, result }) => job.iter().chain(result.iter()).collect(),
        Some(ast::Contract::Named { .. }) | None => Vec::new(),
    }
}

/// The names that an expression reads, those of its own lambdas too.
fn names_in<'e>(expr: &'e syntax::Expr, found: &mut BTreeSet<&'e str>) {
    match &expr.kind {
        syntax::ExprKind::Name(name) => {
            found.insert(name);
        }
        syntax::ExprKind::Literal(_) | syntax::ExprKind::Error => {}
        syntax::ExprKind::Field { base, .. } => names_in(base, found),
        syntax::ExprKind::Index { base, index } => {
            names_in(base, found);
            names_in(index, found);
        }
        syntax::ExprKind::Call { arguments, .. } => {
            for argument in arguments {
                names_in(&argument.value, found);
            }
        }
        syntax::ExprKind::Lambda { body, .. } => names_in(body, found),
        syntax::ExprKind::List(items) => {
            for item in items {
                names_in(item, found);
            }
        }
        syntax::ExprKind::Unary { operand, .. } => names_in(operand, found),
        syntax::ExprKind::Binary { left, right, .. } => {
            names_in(left, found);
            names_in(right, found);
        }
        syntax::ExprKind::If { condition, consequence, alternative } => {
            for part in [condition, consequence, alternative] {
                names_in(part, found);
            }
        }
    }
}

fn range(span: Span) -> TextRange {
    TextRange { start: span.start, end: span.end }
}
