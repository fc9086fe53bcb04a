//! Typed nodes to the plan: one typed graph of topics, steps, operators and clients.
//!
//! The plan is built also of a circuit with faults, as far as names and types are known, so that
//! the checks on it report in the same run.

mod topics;
mod steps;
mod nodes;
mod declarations;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use arqon_grammar::Sources;
use arqon_grammar::Span;
use arqon_plan as plan;
use arqon_plan::{PlanBuilder, Port, TextRange, VertexId};
use arqon_types::{Schema, error_schema};
use indexmap::IndexMap;

use crate::resolve::Resolved;
use crate::row_type::RowType;
use crate::typed::{Input, LocalId, NodeId, OperatorId, TypedNode, TypedStep};
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
}

fn range(span: Span) -> TextRange {
    TextRange { start: span.start, end: span.end }
}
