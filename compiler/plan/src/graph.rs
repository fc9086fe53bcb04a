//! The plan: a circuit as one typed graph, from the clients' edge to the operators' endpoints.
//!
//! Vertices are what stands still: roles of clients, topics, the steps of the flow, operators.
//! Wires are the ways that rows take between them; each knows its schema, and after
//! [`PlanBuilder::finish`] its discipline and key too. Everything a client, a step or an
//! operator can reach is a path in this graph, so the checks on it decide about the real thing.
//!
//! **Invariants:** vertices and wires stand in the order in which the builder made them, which is
//! the order of the file; equal circuits give equal plans. A wire never joins a vertex that does
//! not exist. The plan does not know text: places are byte ranges of the circuit file.

use std::sync::Arc;

use indexmap::IndexMap;
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use serde::{Deserialize, Serialize};

use arqon_operators::Expr;
use arqon_types::{Discipline, Edge, Schema, TopicName};

use crate::dataflow::{Group, Join, Top};

/// A half-open byte range of the circuit file.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct TextRange {
    /// First byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

/// A vertex of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VertexId(pub u32);

impl VertexId {
    /// Its place among [`Plan::vertices`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What stands at one place of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vertex {
    /// Clients, beyond the Shield.
    Client(Client),
    /// A named channel.
    Topic(Topic),
    /// One step of a node of the flow.
    Step(FlowStep),
    /// An external operator.
    Endpoint(Endpoint),
}

/// The clients of one role, on one side of the circuit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The role; none for clients whose grants come from outside the circuit.
    pub role: Option<String>,
    /// Whether rows come from them or go to them.
    pub side: Side,
    /// The role's name in the file.
    pub range: TextRange,
}

/// Which way rows pass at the clients' edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// From clients into the circuit.
    In,
    /// From the circuit to clients.
    Out,
}

/// A topic with all that the checks ask about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// Its name.
    pub name: TopicName,
    /// Who made it.
    pub origin: TopicOrigin,
    /// What a row is.
    pub schema: Arc<Schema>,
    /// What a message is.
    pub discipline: Discipline,
    /// Positions of the key's fields; empty without a key.
    pub key: Vec<usize>,
    /// Position of the event-time field.
    pub time: Option<usize>,
    /// Who may touch it from outside.
    pub edge: Edge,
    /// How long it keeps its rows; none where nothing was said.
    pub retain: Option<Retain>,
    /// A control input: one epoch of delay, so that it may close a cycle.
    pub control: bool,
    /// Several writers are allowed.
    pub shared: bool,
    /// False for `check: none`: retractions of this input are trusted.
    pub verified: bool,
    /// Places in the file.
    pub ranges: TopicRanges,
}

/// Who made a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TopicOrigin {
    /// The circuit's `topics`.
    Declared,
    /// `<node>.errors`, there for every node.
    Errors {
        /// The node.
        node: String,
    },
    /// `<operator>.jobs`, what the operator works on. Shared by its nature.
    Jobs {
        /// The operator.
        operator: String,
    },
    /// `<operator>.results`, what the operator answers.
    Results {
        /// The operator.
        operator: String,
    },
}

/// How long a topic keeps its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retain {
    /// For this many nanoseconds.
    Nanoseconds(i64),
    /// Up to this many bytes.
    Bytes(u64),
    /// `none`: not at all.
    Nothing,
}

/// Where the parts of a topic stand; the name's place for what was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TopicRanges {
    /// The name.
    pub name: TextRange,
    /// The value of `schema:`.
    pub schema: Option<TextRange>,
    /// The value of `carries:`.
    pub carries: Option<TextRange>,
    /// The value of `key:`.
    pub key: Option<TextRange>,
    /// The value of `edge:`.
    pub edge: Option<TextRange>,
    /// The value of `retain:`.
    pub retain: Option<TextRange>,
}

/// One step of a node, or the reading of its inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowStep {
    /// The node of the flow; `routes[0]` for the first chain of `routes`.
    pub node: String,
    /// `revenue` where the inputs are read, `revenue[1]` for a step. Parts of one step (`group`
    /// and the `where` on its result) share the address.
    pub address: String,
    /// What it does.
    pub verb: Verb,
    /// What its rows are.
    pub schema: Arc<Schema>,
    /// The node's name, or the step's verb, in the file.
    pub range: TextRange,
}

/// What a step does, over the rows that its [`Port::Main`] wire brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Reads the node's inputs, all of one schema; multiplicities add. First of every node.
    From,
    /// `where`, and the `where` on a group's result.
    Where(Expr),
    /// `select`, `with`, `drop`, and the fields of a `distinct`.
    Project(Projection),
    /// `join`; the other side comes by a [`Port::Right`] wire.
    Join(Join),
    /// `group`
    Group(Group),
    /// `distinct`
    Distinct,
    /// `top`
    Top(Top),
    /// `route`; each label leaves by a [`Port::Label`] wire.
    Route(RouteStep),
    /// `carries`
    Carries(Discipline),
    /// `call`; jobs leave by a [`Port::Jobs`] wire, results come by a [`Port::Results`] wire.
    Call(Call),
    /// A step that could not be typed; a diagnostic says why, and the checks stay silent on it.
    Unknown,
}

/// New rows, computed from old ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Projection {
    /// As the user wrote it.
    pub word: ProjectionWord,
    /// One per field of the new row, over the old one.
    pub fields: Vec<Expr>,
}

/// The words that make a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectionWord {
    /// `select`
    Select,
    /// `with`
    With,
    /// `drop`
    Drop,
    /// The fields of `distinct`.
    Distinct,
}

/// `route`: the first true condition takes the row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStep {
    /// In order; `None` for `else`, which comes last.
    pub branches: Vec<(String, Option<Expr>)>,
}

/// `call`: one job per row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The operator's name.
    pub operator: String,
    /// The job's fields.
    pub job: Vec<(String, Expr)>,
    /// Fields of the row that are kept, over the old row; they come first in the new one.
    pub keep: Vec<Expr>,
}

/// An external operator: a worker that is reached over the bus only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// `arqonbus.nvm@1`; empty for a contract of the circuit's own.
    pub contract: String,
    /// How it can be reached.
    pub vias: Vec<Via>,
    /// The index into `vias` of the one in use.
    pub selected: Option<usize>,
    /// Whether `limits` were given.
    pub limited: bool,
    /// False for one that stands in a wire but not under `operators`.
    pub declared: bool,
    /// The name in the file.
    pub range: TextRange,
}

/// One implementation of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Via {
    /// Its name.
    pub name: String,
    /// How it is reached: `builtin nvm`, `remote nvm`, `http http://127.0.0.1:7443/run`.
    pub transport: String,
}

/// A way from one vertex to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wire {
    /// Where it arrives, and for labels and errors where it leaves.
    pub port: Port,
    /// What the rows are.
    pub schema: Arc<Schema>,
    /// What the rows say; written by [`PlanBuilder::finish`].
    pub discipline: Discipline,
    /// Positions of a proven key of the rows; empty without one. Written by
    /// [`PlanBuilder::finish`].
    pub key: Vec<usize>,
    /// The name in the file that makes this wire: in `from`, `to`, `join`, `routes`, `access`.
    pub range: TextRange,
}

/// The ends of a wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Port {
    /// A step's only or left input; a topic's writer.
    Main,
    /// The other side of a join.
    Right,
    /// A named input of a node.
    Named(String),
    /// Rows that one label of a `route` took.
    Label(String),
    /// Rows that failed, on their way to `<node>.errors`.
    Errors,
    /// Jobs, from a `call` to `<operator>.jobs` and on to the operator.
    Jobs,
    /// Results, from the operator to `<operator>.results` and on to the `call`.
    Results,
    /// A client publishes.
    Publish,
    /// A client subscribes.
    Subscribe,
}

/// What a role may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub range: TextRange,
    /// In the order of the file.
    pub grants: Vec<Grant>,
}

/// One entry of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// What may be done.
    pub right: Right,
    /// The topic, for [`Right::Execute`] the operator.
    pub target: String,
    /// Where it stands.
    pub range: TextRange,
}

/// What a grant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Publish to a topic.
    Publish,
    /// Subscribe to a topic.
    Subscribe,
    /// Send jobs to an operator.
    Execute,
}

/// A name that the circuit declares, and whether anything uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declaration {
    /// What it names.
    pub kind: DeclarationKind,
    /// The name.
    pub name: String,
    /// Where it stands.
    pub range: TextRange,
    /// Whether anything in the circuit uses it.
    pub used: bool,
}

/// What a declaration names. Topics, nodes and operators are vertices instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclarationKind {
    /// Under `schemas`.
    Schema,
    /// Under `functions`.
    Function,
    /// Under `params`.
    Param,
}

/// A circuit as one typed graph.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The circuit's name.
    pub circuit: String,
    /// Its isolation domain.
    pub namespace: String,
    /// The file's name as the user gave it.
    pub file: String,
    /// What each role may do, in the order of the file.
    pub roles: Vec<Role>,
    /// Schemas, functions and params, in the order of the file.
    pub declarations: Vec<Declaration>,
    pub(crate) graph: DiGraph<Vertex, Wire>,
    pub(crate) names: IndexMap<String, VertexId>,
}

/// A wire with both of its ends.
#[derive(Debug, Clone, Copy)]
pub struct WireRef<'a> {
    /// Where rows come from.
    pub from: VertexId,
    /// Where rows go.
    pub to: VertexId,
    /// The wire itself.
    pub wire: &'a Wire,
}

/// A node of the flow: its vertices in order, the reading of its inputs first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowNode<'a> {
    /// Its name.
    pub name: &'a str,
    /// In order; never empty.
    pub steps: Vec<VertexId>,
}

impl Plan {
    /// All vertices, in order.
    pub fn vertices(&self) -> impl Iterator<Item = (VertexId, &Vertex)> {
        self.graph.node_indices().map(|index| (vertex_id(index), &self.graph[index]))
    }

    /// How many vertices there are; their ids are the numbers below.
    pub fn n_vertices(&self) -> usize {
        self.graph.node_count()
    }

    /// The vertex of that id.
    ///
    /// # Panics
    /// If the id is another plan's.
    pub fn vertex(&self, id: VertexId) -> &Vertex {
        &self.graph[node_index(id)]
    }

    /// All wires, in order.
    pub fn wires(&self) -> impl Iterator<Item = WireRef<'_>> {
        self.graph.edge_references().map(|edge| WireRef {
            from: vertex_id(edge.source()),
            to: vertex_id(edge.target()),
            wire: edge.weight(),
        })
    }

    /// The wires that arrive at a vertex, in order.
    pub fn inputs(&self, id: VertexId) -> impl Iterator<Item = WireRef<'_>> {
        self.adjacent(id, Direction::Incoming)
    }

    /// The wires that leave a vertex, in order.
    pub fn outputs(&self, id: VertexId) -> impl Iterator<Item = WireRef<'_>> {
        self.adjacent(id, Direction::Outgoing)
    }

    /// The topics, in order.
    pub fn topics(&self) -> impl Iterator<Item = (VertexId, &Topic)> {
        self.vertices().filter_map(|(id, vertex)| match vertex {
            Vertex::Topic(topic) => Some((id, topic)),
            Vertex::Client(_) | Vertex::Step(_) | Vertex::Endpoint(_) => None,
        })
    }

    /// The steps of all nodes, in order.
    pub fn steps(&self) -> impl Iterator<Item = (VertexId, &FlowStep)> {
        self.vertices().filter_map(|(id, vertex)| match vertex {
            Vertex::Step(step) => Some((id, step)),
            Vertex::Client(_) | Vertex::Topic(_) | Vertex::Endpoint(_) => None,
        })
    }

    /// The operators, in order.
    pub fn endpoints(&self) -> impl Iterator<Item = (VertexId, &Endpoint)> {
        self.vertices().filter_map(|(id, vertex)| match vertex {
            Vertex::Endpoint(endpoint) => Some((id, endpoint)),
            Vertex::Client(_) | Vertex::Topic(_) | Vertex::Step(_) => None,
        })
    }

    /// The nodes of the flow with their steps, in order.
    pub fn nodes(&self) -> Vec<FlowNode<'_>> {
        let mut nodes: IndexMap<&str, Vec<VertexId>> = IndexMap::new();
        for (id, step) in self.steps() {
            nodes.entry(&step.node).or_default().push(id);
        }
        nodes.into_iter().map(|(name, steps)| FlowNode { name, steps }).collect()
    }

    /// The vertex that a name of the circuit means: a topic, an operator, or the last step of a
    /// node. Topics come before operators of the same name.
    pub fn named(&self, name: &str) -> Option<VertexId> {
        self.names.get(name).copied()
    }

    /// All names that [`Plan::named`] knows, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// The name of a vertex as people know it: topic, step address, operator, role.
    pub fn label(&self, id: VertexId) -> &str {
        match self.vertex(id) {
            Vertex::Client(client) => client.role.as_deref().unwrap_or("clients"),
            Vertex::Topic(topic) => topic.name.as_str(),
            Vertex::Step(step) => &step.address,
            Vertex::Endpoint(endpoint) => &endpoint.name,
        }
    }

    fn adjacent(&self, id: VertexId, direction: Direction) -> impl Iterator<Item = WireRef<'_>> {
        // petgraph lists the newest edge first; the plan's order is that of making.
        let mut edges: Vec<_> = self.graph.edges_directed(node_index(id), direction).collect();
        edges.reverse();
        edges.into_iter().map(|edge| WireRef {
            from: vertex_id(edge.source()),
            to: vertex_id(edge.target()),
            wire: edge.weight(),
        })
    }
}

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
            },
            has_clients: false,
        }
    }

    /// Adds a topic.
    pub fn topic(&mut self, topic: Topic) -> VertexId {
        let name = topic.name.as_str().to_owned();
        let id = self.add(Vertex::Topic(topic));
        self.plan.names.entry(name).or_insert(id);
        id
    }

    /// Adds an operator.
    pub fn endpoint(&mut self, endpoint: Endpoint) -> VertexId {
        let name = endpoint.name.clone();
        let id = self.add(Vertex::Endpoint(endpoint));
        self.plan.names.entry(name).or_insert(id);
        id
    }

    /// Adds a step; the steps of a node follow one another, [`Verb::From`] first.
    ///
    /// Steps are not wired by this; each input of a step, also the one from the step before it,
    /// is a wire of its own.
    pub fn step(&mut self, step: FlowStep) -> VertexId {
        let node = step.node.clone();
        let id = self.add(Vertex::Step(step));
        match self.plan.names.get(&node) {
            Some(known) if !matches!(self.plan.vertex(*known), Vertex::Step(_)) => {}
            Some(_) | None => {
                self.plan.names.insert(node, id);
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
        self.plan
    }

    fn add(&mut self, vertex: Vertex) -> VertexId {
        vertex_id(self.plan.graph.add_node(vertex))
    }

    /// A vertex per role and side, and one per side for edge topics that no role names.
    ///
    /// A grant on a node or an operator is wired to it as it stands, for the bypass check; a
    /// grant on an unknown name, or in a direction that its topic does not have, is not wired,
    /// since the access check reports it.
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

    fn granted(&self, grant: &Grant) -> Option<(Side, VertexId)> {
        let name = match grant.right {
            Right::Publish | Right::Subscribe => grant.target.clone(),
            Right::Execute => format!("{}.jobs", grant.target),
        };
        let target = self.plan.named(&name)?;
        let edge = match self.plan.vertex(target) {
            Vertex::Topic(topic) => Some(topic.edge),
            Vertex::Client(_) | Vertex::Step(_) | Vertex::Endpoint(_) => None,
        };
        match grant.right {
            Right::Execute => Some((Side::In, target)),
            Right::Publish => edge.is_none_or(Edge::admits).then_some((Side::In, target)),
            Right::Subscribe => edge.is_none_or(Edge::emits).then_some((Side::Out, target)),
        }
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

fn vertex_id(index: NodeIndex) -> VertexId {
    VertexId(u32::try_from(index.index()).expect("petgraph's indices are 32 bits"))
}

fn node_index(id: VertexId) -> NodeIndex {
    NodeIndex::new(id.index())
}
