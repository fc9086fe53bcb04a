//! Kernels: their ports as keyed rows, who asks them for modes, and where what they cost is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use arqon_operators::{KERNEL_MODES, KernelOutput};
use arqon_plan::{
    ControlPlan, KernelColumn, KernelPlan, KernelPort, METRICS, Operator, PortPlan, Step, StepId,
};
use arqon_types::{Discipline, Schema, Type};

use super::{Label, Lowering, node_schema};
use crate::feeds::is_control;
use crate::mocks::{Mocked, is_mocked};
use crate::typed::{Input, NodeId, TopicId, TypedKernel, TypedNode, Verb};

impl Lowering<'_, '_> {
    /// What comes out of a kernel: of the kernel itself, or of what stands in for it in a test.
    /// `at` are the rows that come down the node; none where it reads named ports.
    pub(super) fn kernel(
        &mut self,
        (id, idx): (NodeId, usize),
        kernel: &TypedKernel,
        at: Option<StepId>,
    ) -> Option<StepId> {
        let flow = self.flow;
        let node = &flow.nodes[id.0];
        let address = &node.steps[idx].address;
        if self.mocks.is_some() && is_mocked(&self.resolved.circuit.tests, node, address) {
            return self.answers(Mocked::Step(id, idx));
        }
        let mut inputs = Vec::with_capacity(kernel.step.ports.len() + 2);
        let mut ports = Vec::with_capacity(kernel.step.ports.len());
        for port in &kernel.step.ports {
            let named = node.ports.iter().find(|named| named.name.as_str() == port.name);
            let rows = match (named, at) {
                (Some(named), _) => self.plain_sources(node, &named.sources, &named.row)?,
                (None, Some(at)) => self.plain(at)?,
                (None, None) => return None,
            };
            let key = self.port_key(kernel, port, address);
            let label = Label { node: &node.errors_of, address };
            let schema = Arc::clone(&self.steps[rows.index()].schema);
            inputs.push(if key.is_empty() { rows } else { self.unique(rows, &key, label, schema) });
            ports.push(PortPlan { name: port.name.clone(), key, fields: port.fields.clone() });
        }
        let asked = match kernel.asked {
            Some((topic, _)) => {
                let (step, key) = self.asked_in(topic, kernel, &ports, &inputs)?;
                inputs.push(step);
                Some(key)
            }
            None => None,
        };
        let control = match kernel.control {
            Some((topic, _)) => {
                let (step, control) = self.modes_of(topic, node, address)?;
                inputs.push(step);
                Some(control)
            }
            None => None,
        };
        let arguments: Vec<_> =
            kernel.step.arguments.iter().map(|(_, value)| value.clone()).collect();
        let schema = node_schema(node, &node.steps[idx].row)?;
        let KernelOutput { along, fields: made } = kernel.step.kernel.output(&arguments);
        let along = along.and_then(|along| ports.iter().position(|port| port.name == along));
        let along = along.map(|at| Arc::clone(&self.steps[inputs[at].index()].schema));
        let columns = schema
            .fields
            .iter()
            .map(|field| match made.iter().position(|(name, _)| *name == &*field.name) {
                Some(at) => Some(KernelColumn::Made(at)),
                None => along.as_ref()?.position(&field.name).map(KernelColumn::Along),
            })
            .collect::<Option<_>>()?;
        let step = self.push(Step {
            node: Arc::clone(&node.errors_of),
            address: Arc::clone(address),
            operator: Operator::Kernel(Box::new(KernelPlan {
                kernel: kernel.step.kernel,
                arguments,
                ports,
                modes: kernel.step.modes.clone(),
                emit: kernel.step.emit,
                error_bound: kernel.step.error_bound,
                latency_nanos: kernel.step.latency_nanos,
                asked,
                control,
                columns,
            })),
            inputs,
            schema,
        });
        if let Some((topic, _)) = kernel.metrics {
            self.measured(step, topic)?;
        }
        Some(step)
    }

    /// By what the rows of a port are told apart: by what the kernel calls them, or by their key.
    fn port_key(&self, kernel: &TypedKernel, port: &KernelPort, address: &Arc<str>) -> Vec<usize> {
        let known = kernel.step.kernel.ports().into_iter().find(|known| known.name == port.name);
        let Some(known) = known.filter(|known| known.is_keyed) else { return Vec::new() };
        let named = known.fields.iter().zip(&port.fields);
        let named = named.filter(|(field, _)| known.told_apart_by.contains(&field.name));
        let columns: Vec<usize> = named.filter_map(|(_, column)| *column).collect();
        if !columns.is_empty() {
            return columns;
        }
        let key = self.placed.kernel_keys.get(&(Arc::clone(address), port.name.clone()));
        key.cloned().unwrap_or_default()
    }

    /// The rows that ask for answers, and where they have the key of those.
    fn asked_in(
        &mut self,
        id: TopicId,
        kernel: &TypedKernel,
        ports: &[PortPlan],
        inputs: &[StepId],
    ) -> Option<(StepId, Vec<usize>)> {
        if is_control(self.resolved, id) {
            self.control(id)?;
        }
        let step = self.input(Input::Topic(id))?;
        let step = self.plain(step)?;
        let rows = Arc::clone(&self.steps[step.index()].schema);
        let arguments: Vec<_> =
            kernel.step.arguments.iter().map(|(_, value)| value.clone()).collect();
        let output = kernel.step.kernel.output(&arguments);
        let key: Option<Vec<usize>> = match output.along {
            Some(along) => {
                let at = ports.iter().position(|port| port.name == along)?;
                let along = &self.steps[inputs[at].index()].schema;
                let columns = ports[at].key.iter().map(|column| &*along.fields[*column].name);
                columns.map(|name| rows.position(name)).collect()
            }
            None => output.places().map(|name| rows.position(name)).collect(),
        };
        Some((step, key?))
    }

    /// The last row of a topic that asks for modes.
    fn modes_of(
        &mut self,
        id: TopicId,
        node: &TypedNode,
        address: &Arc<str>,
    ) -> Option<(StepId, ControlPlan)> {
        let topic = self.resolved.topic(id);
        if is_control(self.resolved, id) {
            self.control(id)?;
        }
        let mut step = self.input(Input::Topic(id))?;
        let schema = Arc::new(topic.schema()?);
        if topic.discipline == Discipline::Events {
            step = self.whole[id.0].unwrap_or(step);
            let label = Label { node: &node.errors_of, address };
            step = self.latest(step, &[], label, Arc::clone(&schema))?;
        } else {
            step = self.plain(step)?;
        }
        let column = schema.position("mode")?;
        let Type::Enum(labels) = &schema.fields[column].ty else { return None };
        let asked = |label: &String| KERNEL_MODES.into_iter().find(|mode| mode.name() == *label);
        Some((step, ControlPlan { column, modes: labels.iter().map(asked).collect() }))
    }

    /// Tells what a kernel's steps cost.
    fn measured(&mut self, kernel: StepId, id: TopicId) -> Option<()> {
        let topic = self.resolved.topic(id);
        let schema: Schema = topic.schema()?;
        let of = |name: &str| METRICS.into_iter().find(|metric| metric.name() == name);
        let metrics = schema.fields.iter().map(|field| of(&field.name)).collect::<Option<_>>()?;
        let step = &self.steps[kernel.index()];
        let (node, address) = (Arc::clone(&step.node), Arc::clone(&step.address));
        let key = match topic.discipline {
            Discipline::Full => topic.key.clone(),
            Discipline::Events | Discipline::Delta => Vec::new(),
        };
        let operator = Operator::Measured(arqon_plan::Measured { metrics, key });
        let inputs = vec![kernel];
        let step = self.push(Step { node, address, operator, inputs, schema: Arc::new(schema) });
        self.told.entry(id).or_default().push(step);
        Some(())
    }
}

/// The topics that kernels tell their costs to, each with the nodes that do.
pub(super) fn measured_by(nodes: &[TypedNode]) -> BTreeMap<TopicId, Vec<usize>> {
    let mut found: BTreeMap<TopicId, Vec<usize>> = BTreeMap::new();
    for (at, node) in nodes.iter().enumerate() {
        for step in &node.steps {
            if let Verb::Kernel(kernel) = &step.verb
                && let Some((topic, _)) = kernel.metrics
            {
                found.entry(topic).or_default().push(at);
            }
        }
    }
    found
}
