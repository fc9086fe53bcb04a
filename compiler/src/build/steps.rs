//! A step as a vertex, with the wires that a call or a kernel has beside it.

use std::sync::Arc;

use arqon_grammar::Span;
use arqon_plan as plan;
use arqon_plan::{Port, VertexId};
use arqon_types::{Schema, error_schema};
use smallvec::SmallVec;

use super::{Building, Pending, PortEnd, range};
use crate::resolve::TopicOrigin;
use crate::typed::{Input, ProjectVerb, TopicId, TypedKernel, TypedNode, TypedStep, Verb};

impl<'r> Building<'r, '_> {
    pub(super) fn vertex(
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
    pub(super) fn step(
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

    /// Keys come from the topic of those who ask, modes from the control topic, and what
    /// steps cost goes to the metrics topic.
    pub(super) fn kernel_wires(&mut self, kernel: &'r TypedKernel, vertex: VertexId) {
        let resolved = self.resolved;
        for (topic, port) in [(kernel.asked, Port::Asked), (kernel.control, Port::Control)] {
            let Some((TopicId(id), span)) = topic else { continue };
            let schema = self.schema(&resolved.topics[id].row, &resolved.topics[id].schema_name);
            let ends = (self.topics[id], vertex);
            self.builder.wire(ends, port, &schema, range(span));
        }
        if let Some((TopicId(id), span)) = kernel.metrics {
            let schema = self.schema(&resolved.topics[id].row, &resolved.topics[id].schema_name);
            let ends = (vertex, self.topics[id]);
            self.builder.wire(ends, Port::Metrics, &schema, range(span));
        }
    }

    /// Jobs go to the operator's topic, results come from it, failures go where `errors` says.
    pub(super) fn call_wires(&mut self, step: &TypedStep, vertex: VertexId) {
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
}
