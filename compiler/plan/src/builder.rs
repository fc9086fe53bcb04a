//! How a plan is made: vertex by vertex, wire by wire; clients and facts come at the end.

use std::sync::Arc;

use indexmap::IndexMap;
use petgraph::graph::DiGraph;

use arqon_types::{Discipline, Schema};

use crate::graph::{Plan, node_index, vertex_id};
use crate::vertex::{
    Client, Declaration, Endpoint, FlowStep, Grant, Port, Right, Role, Side, TextRange, Topic,
    TopicOrigin, Verb, Vertex, VertexId, Wire,
};

/// Makes a [`Plan`], vertex by vertex and wire by wire, in the order of the file.
///
/// Topics come first, then operators, then nodes with their steps; [`PlanBuilder::finish`] adds
/// the clients, from the topics' edges and the roles' grants.
#[derive(Debug, Clone)]
pub struct PlanBuilder {
    plan: Plan,
    has_clients: bool,
}

impl PlanBuilder {
    /// An empty plan.
    pub fn new(circuit: &str, namespace: &str, file: &str) -> Self {
        Self {
            plan: Plan {
                circuit: circuit.to_owned(),
                namespace: namespace.to_owned(),
                file: file.to_owned(),
                roles: Vec::new(),
                declarations: Vec::new(),
                graph: DiGraph::new(),
                names: IndexMap::new(),
                facts: Vec::new(),
            },
            has_clients: false,
        }
    }

    /// Makes room for so many vertices, and about as many wires.
    pub fn reserve(&mut self, n_vertices: usize) {
        self.plan.graph.reserve_nodes(n_vertices);
        self.plan.graph.reserve_edges(n_vertices);
        self.plan.names.reserve(n_vertices);
    }

    /// Adds a topic.
    pub fn topic(&mut self, topic: Topic) -> VertexId {
        let name = Arc::from(topic.name.as_str());
        let id = self.add(Vertex::Topic(topic));
        self.plan.names.entry(name).or_insert(id);
        id
    }

    /// Adds an operator.
    pub fn endpoint(&mut self, endpoint: Endpoint) -> VertexId {
        let name = Arc::from(endpoint.name.as_str());
        let id = self.add(Vertex::Endpoint(endpoint));
        self.plan.names.entry(name).or_insert(id);
        id
    }

    /// Adds a step; the steps of a node follow one another, [`Verb::From`] first.
    ///
    /// Steps are not wired by this; each input of a step, also the one from the step before it,
    /// is a wire of its own.
    pub fn step(&mut self, step: FlowStep) -> VertexId {
        let name = match step.verb {
            Verb::Arm(_) | Verb::Late(_) => step.address.clone(),
            Verb::From
            | Verb::Where(_)
            | Verb::Project(_)
            | Verb::Unnest(_)
            | Verb::Join(_)
            | Verb::Group(_)
            | Verb::Distinct
            | Verb::Top(_)
            | Verb::Over(_)
            | Verb::Window(_)
            | Verb::Within(_)
            | Verb::Route(_)
            | Verb::Carries(_)
            | Verb::Variable(_)
            | Verb::Leave { .. }
            | Verb::Call(_)
            | Verb::Kernel(_)
            | Verb::Wasm(_)
            | Verb::Unknown => step.node.clone(),
        };
        let id = self.add(Vertex::Step(step));
        match self.plan.names.get(&*name) {
            Some(known) if !matches!(self.plan.vertex(*known), Vertex::Step(_)) => {}
            Some(_) | None => {
                self.plan.names.insert(name, id);
            }
        }
        id
    }

    /// Adds a client by hand. [`PlanBuilder::finish`] makes those that the circuit declares.
    pub fn client(&mut self, client: Client) -> VertexId {
        self.add(Vertex::Client(client))
    }

    /// Adds a wire; what an operator's name in `from`, `to`, `join` or `routes` means is wired
    /// to the operator itself, so that the check on bypasses sees it.
    pub fn wire(
        &mut self,
        (from, to): (VertexId, VertexId),
        port: Port,
        schema: &Arc<Schema>,
        range: TextRange,
    ) {
        let wire = Wire {
            port,
            schema: Arc::clone(schema),
            discipline: Discipline::Delta,
            key: Vec::new(),
            range,
        };
        self.plan.graph.add_edge(node_index(from), node_index(to), wire);
    }

    /// Adds a role.
    pub fn role(&mut self, role: Role) {
        self.plan.roles.push(role);
    }

    /// Adds a schema, function or param, and whether anything uses it.
    pub fn declaration(&mut self, declaration: Declaration) {
        self.plan.declarations.push(declaration);
    }

    /// What has been built so far, for looking things up while building.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The plan, with its clients, and with the discipline and key of every wire.
    pub fn finish(mut self) -> Plan {
        if !self.has_clients {
            self.add_clients();
        }
        self.plan.derive();
        self.plan
    }

    /// What has been built, without clients and facts.
    pub(crate) fn into_unfinished(self) -> Plan {
        self.plan
    }

    fn add(&mut self, vertex: Vertex) -> VertexId {
        vertex_id(self.plan.graph.add_node(vertex))
    }

    /// A vertex per role and side, and one per side for edge topics that no role names.
    ///
    /// A grant on a node, an operator or an inner topic is wired to it as it stands, for the
    /// bypass check; a grant on an unknown name, or in a direction that its topic's edge does not
    /// have, is not wired, since the access check reports it.
    fn add_clients(&mut self) {
        let roles = self.plan.roles.clone();
        for role in &roles {
            let mut sides: [Option<VertexId>; 2] = [None, None];
            for grant in &role.grants {
                let Some((side, target)) = self.granted(grant) else { continue };
                let slot = match side {
                    Side::In => 0,
                    Side::Out => 1,
                };
                let client = match sides[slot] {
                    Some(client) => client,
                    None => self.client(Client {
                        role: Some(role.name.clone()),
                        side,
                        range: role.range,
                    }),
                };
                sides[slot] = Some(client);
                self.connect(client, side, target, grant.range);
            }
        }
        self.add_nameless_clients();
    }

    /// The side and the vertex that a grant reaches. An operator to be executed that the circuit
    /// does not declare becomes a vertex of its own, so that the bypass check sees it.
    fn granted(&mut self, grant: &Grant) -> Option<(Side, VertexId)> {
        if grant.right == Right::Execute {
            let jobs = self.plan.named(&format!("{}.jobs", grant.target));
            return Some((Side::In, jobs.unwrap_or_else(|| self.undeclared(grant))));
        }
        let target = self.plan.named(&grant.target)?;
        let (publishes, subscribes) = match self.plan.vertex(target) {
            Vertex::Topic(topic) if topic.is_inner() => (true, true),
            Vertex::Topic(topic) => (topic.admits_clients(), topic.emits_to_clients()),
            Vertex::Client(_) | Vertex::Step(_) | Vertex::Endpoint(_) => (true, true),
        };
        match grant.right {
            Right::Publish | Right::Execute => publishes.then_some((Side::In, target)),
            Right::Subscribe => subscribes.then_some((Side::Out, target)),
        }
    }

    fn undeclared(&mut self, grant: &Grant) -> VertexId {
        let known = self.plan.endpoints().find(|(_, known)| known.name == grant.target);
        if let Some((id, _)) = known {
            return id;
        }
        self.endpoint(Endpoint {
            name: grant.target.clone(),
            contract: String::new(),
            vias: Vec::new(),
            selected: None,
            limited: false,
            declared: false,
            range: grant.range,
        })
    }

    fn add_nameless_clients(&mut self) {
        for side in [Side::In, Side::Out] {
            let free: Vec<(VertexId, TextRange)> = self
                .plan
                .topics()
                .filter(|(id, topic)| match side {
                    Side::In => topic.edge.admits() && !self.touched(*id, &Port::Publish),
                    Side::Out => topic.edge.emits() && !self.touched(*id, &Port::Subscribe),
                })
                .filter(|(_, topic)| topic.origin == TopicOrigin::Declared)
                .map(|(id, topic)| (id, topic.ranges.edge.unwrap_or(topic.ranges.name)))
                .collect();
            if let Some((_, range)) = free.first() {
                let client = self.client(Client { role: None, side, range: *range });
                for (topic, range) in free {
                    self.connect(client, side, topic, range);
                }
            }
        }
    }

    fn touched(&self, topic: VertexId, port: &Port) -> bool {
        self.plan.inputs(topic).chain(self.plan.outputs(topic)).any(|wire| wire.wire.port == *port)
    }

    fn connect(&mut self, client: VertexId, side: Side, target: VertexId, range: TextRange) {
        let schema = match self.plan.vertex(target) {
            Vertex::Topic(topic) => Arc::clone(&topic.schema),
            Vertex::Step(step) => Arc::clone(&step.schema),
            Vertex::Client(_) | Vertex::Endpoint(_) => {
                Arc::new(Schema::new(self.plan.label(target), Vec::new()))
            }
        };
        match side {
            Side::In => self.wire((client, target), Port::Publish, &schema, range),
            Side::Out => self.wire((target, client), Port::Subscribe, &schema, range),
        }
    }
}

impl From<Plan> for PlanBuilder {
    /// Goes on building where a plan ended; its clients stay.
    fn from(plan: Plan) -> Self {
        Self { plan, has_clients: true }
    }
}
