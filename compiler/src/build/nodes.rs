//! Nodes and loops: the steps of one after another, and what they read.

use std::sync::Arc;

use arqon_plan as plan;
use arqon_plan::{Port, VertexId};
use arqon_types::{Schema, error_schema};

use super::{Building, Pending, PortEnd, range};
use crate::typed::{
    NodeId, NodeLoop, OperatorId, Rounds, StepLoop, TypedNode, TypedPort, TypedSource, TypedStep,
    Verb,
};

impl<'r> Building<'r, '_> {
    pub(super) fn node(&mut self, id: NodeId) {
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
    pub(super) fn node_steps(&mut self, node: &'r TypedNode) -> (VertexId, Arc<Schema>) {
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

    pub(super) fn reads(&mut self, sources: &[TypedSource], to: VertexId, port: &Port) {
        for source in sources {
            let (input, span) = (source.input, source.span);
            self.inputs.push(Pending { input, to, port: port.clone(), span });
        }
    }

    /// A loop in the place of sources: its variables, its nodes, and its end.
    pub(super) fn node_loop(
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
    pub(super) fn step_loop(
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

    pub(super) fn open_loop(&mut self) -> usize {
        let of = self.n_loops;
        self.n_loops += 1;
        self.around.push(of);
        of
    }

    pub(super) fn variable(
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
    pub(super) fn port(&mut self, node: &'r TypedNode, port: &'r TypedPort) -> PortEnd<'r> {
        let schema = self.schema(&port.row, &node.name);
        let address = format!("{}.from.{}", node.name, port.name.node).into();
        let vertex = self.vertex(node, &address, plan::Verb::From, &schema, port.name.span);
        self.reads(&port.sources, vertex, &Port::Main);
        (port.name.as_str(), vertex, schema)
    }
}
