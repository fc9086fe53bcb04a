//! The plan as plain lists, for files: vertices, and wires by the numbers of their ends.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::builder::PlanBuilder;
use crate::graph::{Plan, node_index};
use crate::vertex::{Declaration, Role, Vertex, VertexId, Wire};

#[derive(Serialize)]
struct Parts<'a> {
    circuit: &'a str,
    namespace: &'a str,
    file: &'a str,
    roles: &'a [Role],
    declarations: &'a [Declaration],
    vertices: Vec<&'a Vertex>,
    wires: Vec<(VertexId, VertexId, &'a Wire)>,
}

#[derive(Deserialize)]
struct OwnedParts {
    circuit: String,
    namespace: String,
    file: String,
    roles: Vec<Role>,
    declarations: Vec<Declaration>,
    vertices: Vec<Vertex>,
    wires: Vec<(VertexId, VertexId, Wire)>,
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Parts {
            circuit: &self.circuit,
            namespace: &self.namespace,
            file: &self.file,
            roles: &self.roles,
            declarations: &self.declarations,
            vertices: self.vertices().map(|(_, vertex)| vertex).collect(),
            wires: self.wires().map(|wire| (wire.from, wire.to, wire.wire)).collect(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Plan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = OwnedParts::deserialize(deserializer)?;
        let n_vertices = parts.vertices.len();
        let mut plan =
            PlanBuilder::new(&parts.circuit, &parts.namespace, &parts.file).into_unfinished();
        plan.roles = parts.roles;
        plan.declarations = parts.declarations;
        let mut builder = PlanBuilder::from(plan);
        for vertex in parts.vertices {
            match vertex {
                Vertex::Client(client) => builder.client(client),
                Vertex::Topic(topic) => builder.topic(topic),
                Vertex::Step(step) => builder.step(step),
                Vertex::Endpoint(endpoint) => builder.endpoint(endpoint),
            };
        }
        let mut plan = builder.into_unfinished();
        for (from, to, wire) in parts.wires {
            if n_vertices <= from.index() || n_vertices <= to.index() {
                return Err(serde::de::Error::custom("a wire leads to a vertex that is not there"));
            }
            plan.graph.add_edge(node_index(from), node_index(to), wire);
        }
        Ok(PlanBuilder::from(plan).finish())
    }
}
