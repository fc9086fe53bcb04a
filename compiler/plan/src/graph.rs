//! The plan: a circuit as one typed graph, from the clients' edge to the operators' endpoints.
//!
//! Vertices are what stands still: roles of clients, topics, the steps of the flow, operators.
//! Wires are the ways that rows take between them; each knows its schema, its discipline and a
//! key. Everything a client, a step or an operator can reach is a path in this graph, so the
//! checks on it decide about the real thing.
//!
//! **Invariants:** vertices and wires stand in the order in which the builder made them, which is
//! the order of the file; equal circuits give equal plans. A wire never joins a vertex that does
//! not exist.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use indexmap::IndexMap;
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use smallvec::SmallVec;

use crate::facts::Facts;
use crate::vertex::{
    Declaration, Endpoint, FlowStep, Port, Role, Topic, Verb, Vertex, VertexId, Wire,
};

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
    pub(crate) names: IndexMap<Arc<str>, VertexId>,
    pub(crate) facts: Vec<Facts>,
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

    /// The vertex that a name of the circuit means: a topic, an operator, the last step of a
    /// node, or an arm of a route (`node.label`). Of equal names the first one made counts.
    pub fn named(&self, name: &str) -> Option<VertexId> {
        self.names.get(name).copied()
    }

    /// All names that [`Plan::named`] knows, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(|name| &**name)
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

    /// The vertices such that sources stand before what reads them, in the plan's order
    /// otherwise: a loop's variables after all that its rounds read from outside. A control topic
    /// waits for nobody who writes it, and a call for no results: they are of its own jobs. What
    /// lies on a cycle comes last, its topics first.
    pub fn walk(&self) -> Vec<VertexId> {
        let is_way = |wire: &WireRef<'_>| {
            let is_control = matches!(self.vertex(wire.to), Vertex::Topic(topic) if topic.control);
            !is_control && !matches!(wire.wire.port, Port::Next | Port::Results)
        };
        let mut needs: BTreeMap<VertexId, Vec<VertexId>> = BTreeMap::new();
        for (from, to) in self.loop_needs() {
            needs.entry(from).or_default().push(to);
        }
        let mut waiting: Vec<usize> = vec![0; self.n_vertices()];
        for wire in self.wires().filter(is_way) {
            waiting[wire.to.index()] += 1;
        }
        for to in needs.values().flatten() {
            waiting[to.index()] += 1;
        }
        let mut is_left: Vec<bool> = waiting.iter().map(|count| 0 < *count).collect();
        let mut ready: BinaryHeap<Reverse<VertexId>> =
            self.ids().filter(|id| !is_left[id.index()]).map(Reverse).collect();
        let mut order = Vec::with_capacity(self.n_vertices());
        while order.len() < self.n_vertices() {
            let next = match ready.pop() {
                Some(Reverse(next)) => next,
                None => self.first_left(&is_left),
            };
            is_left[next.index()] = false;
            order.push(next);
            let ways = self.outputs(next).filter(is_way).map(|wire| wire.to);
            for to in ways.chain(needs.remove(&next).unwrap_or_default()) {
                let count = &mut waiting[to.index()];
                *count = count.saturating_sub(1);
                if *count == 0 && std::mem::take(&mut is_left[to.index()]) {
                    ready.push(Reverse(to));
                }
            }
        }
        order
    }

    /// The vertices that are repeated with each loop: its variables, and what hangs on them within
    /// the loop.
    pub fn loops(&self) -> BTreeMap<usize, BTreeSet<VertexId>> {
        let mut variables: BTreeMap<usize, Vec<VertexId>> = BTreeMap::new();
        for (id, step) in self.steps() {
            if let Verb::Variable(variable) = &step.verb {
                variables.entry(variable.of).or_default().push(id);
            }
        }
        let members = |(of, variables)| (of, self.members(variables, of));
        variables.into_iter().map(members).collect()
    }

    fn members(&self, mut waiting: Vec<VertexId>, of: usize) -> BTreeSet<VertexId> {
        let mut members: BTreeSet<VertexId> = waiting.iter().copied().collect();
        while let Some(at) = waiting.pop() {
            for wire in self.outputs(at) {
                let stays = match self.vertex(wire.to) {
                    Vertex::Step(step) => {
                        !matches!(&step.verb, Verb::Leave { of: left } if *left == of)
                    }
                    Vertex::Client(_) | Vertex::Topic(_) | Vertex::Endpoint(_) => false,
                };
                if stays && members.insert(wire.to) {
                    waiting.push(wire.to);
                }
            }
        }
        members
    }

    /// What the rounds of each loop read from outside, with each variable of the loop: what is
    /// known of a variable hangs on all of it.
    fn loop_needs(&self) -> Vec<(VertexId, VertexId)> {
        let mut needs = Vec::new();
        for (of, members) in self.loops() {
            let is_variable = |id: &VertexId| match self.vertex(*id) {
                Vertex::Step(step) => {
                    matches!(&step.verb, Verb::Variable(variable) if variable.of == of)
                }
                Vertex::Client(_) | Vertex::Topic(_) | Vertex::Endpoint(_) => false,
            };
            let variables: Vec<VertexId> = members.iter().copied().filter(is_variable).collect();
            for wire in members.iter().flat_map(|id| self.inputs(*id)) {
                if !members.contains(&wire.from) {
                    needs.extend(variables.iter().map(|variable| (wire.from, *variable)));
                }
            }
        }
        needs
    }

    /// Where a walk goes on when all that is left lies on a cycle or behind one.
    fn first_left(&self, is_left: &[bool]) -> VertexId {
        let left = || self.ids().filter(|id| is_left[id.index()]);
        let is_topic = |id: &VertexId| matches!(self.vertex(*id), Vertex::Topic(_));
        left().find(is_topic).or_else(|| left().next()).expect("some are left")
    }

    fn ids(&self) -> impl Iterator<Item = VertexId> {
        self.graph.node_indices().map(vertex_id)
    }

    fn adjacent(&self, id: VertexId, direction: Direction) -> impl Iterator<Item = WireRef<'_>> {
        // petgraph lists the newest edge first; the plan's order is that of making.
        let mut edges: SmallVec<[_; 4]> =
            self.graph.edges_directed(node_index(id), direction).collect();
        edges.reverse();
        edges.into_iter().map(|edge| WireRef {
            from: vertex_id(edge.source()),
            to: vertex_id(edge.target()),
            wire: edge.weight(),
        })
    }
}

pub(crate) fn vertex_id(index: NodeIndex) -> VertexId {
    VertexId(u32::try_from(index.index()).expect("petgraph's indices are 32 bits"))
}

pub(crate) fn node_index(id: VertexId) -> NodeIndex {
    NodeIndex::new(id.index())
}
