//! Kernels: each port's rows have a key, so that a change can be told from a new row (E0516), and
//! who asks for answers has their key (E0515).

use arqon_grammar::Diagnostic;
use arqon_grammar::code::operators;
use arqon_plan::{Extent, KernelStep, Plan, Port, Verb, Vertex, VertexId};
use arqon_types::{Type, Value};

use super::span;

pub(super) fn check(plan: &Plan) -> Vec<Diagnostic> {
    let kernels = plan.steps().filter_map(|(id, step)| match &step.verb {
        Verb::Kernel(kernel) => Some((id, kernel)),
        _ => None,
    });
    let faults = |(id, kernel)| {
        let mut found = ports_without_key(plan, id, kernel);
        found.extend(asked_by_another_key(plan, id, kernel));
        found
    };
    kernels.flat_map(faults).collect()
}

/// Rows that ask have each field of the key of the answers, of the same type.
fn asked_by_another_key(plan: &Plan, id: VertexId, kernel: &KernelStep) -> Option<Diagnostic> {
    let asked = plan.inputs(id).find(|wire| wire.wire.port == Port::Asked)?;
    let Vertex::Topic(topic) = plan.vertex(asked.from) else { return None };
    let key = answer_key(plan, id, kernel)?;
    let missing = key.iter().find(|(name, ty)| {
        let found = topic.schema.position(name).map(|at| &topic.schema.fields[at].ty);
        found != Some(ty)
    });
    let (name, ty) = missing?;
    let fields: Vec<String> = key.iter().map(|(name, ty)| format!("`{name}: {ty}`")).collect();
    let (them, key) = match fields.as_slice() {
        [one] => ("it", one.clone()),
        _ => ("all of them", fields.join(", ")),
    };
    let message = match topic.schema.position(name) {
        None => format!("topic `{}` cannot ask for answers: it has no `{name}`", topic.name),
        Some(at) => format!(
            "topic `{}` cannot ask for answers: its `{name}` is `{}`, and theirs `{ty}`",
            topic.name, topic.schema.fields[at].ty
        ),
    };
    Some(
        Diagnostic::new(operators::KERNEL_TOPIC, span(asked.wire.range), message)
            .secondary(span(topic.ranges.name), "declared here")
            .help(format!("answers are told apart by {key}: let its rows have {them}")),
    )
}

/// The fields by which answers are told apart; none where they have no proven key.
fn answer_key(plan: &Plan, id: VertexId, kernel: &KernelStep) -> Option<Vec<(String, Type)>> {
    let values: Vec<Value> = kernel.arguments.iter().map(|(_, value)| value.clone()).collect();
    let output = kernel.kernel.output(&values);
    let Some(along) = output.along else {
        return Some(output.places().map(|name| (name.to_owned(), Type::Int64)).collect());
    };
    let is_along = |port: &Port| matches!(port, Port::Named(name) if name == along);
    let wire = plan.inputs(id).find(|wire| is_along(&wire.wire.port))?;
    let key = plan.facts(wire.from).key()?;
    let Vertex::Step(step) = plan.vertex(wire.from) else { return None };
    let field = |column: &usize| {
        let field = step.schema.fields.get(*column)?;
        Some((field.name.to_string(), field.ty.clone()))
    };
    key.iter().map(field).collect()
}

fn ports_without_key(plan: &Plan, id: VertexId, kernel: &KernelStep) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for wire in plan.inputs(id) {
        let Port::Named(port) = &wire.wire.port else { continue };
        let signature = kernel.kernel.ports().into_iter().find(|known| known.name == *port);
        if signature.is_none_or(|signature| !signature.is_keyed) {
            continue;
        }
        let facts = plan.facts(wire.from);
        // Of rows that are never retracted more is wrong than that they have no key.
        let is_unbounded = matches!(facts.extent, Extent::Unbounded(_));
        if facts.discipline.is_none() || facts.key().is_some() || is_unbounded {
            continue;
        }
        // The place that the user knows is where the port names its source.
        let source = plan.inputs(wire.from).next();
        let place = source.map_or(wire.wire.range, |source| source.wire.range);
        found.push(
            Diagnostic::new(
                operators::KERNEL_KEY,
                span(place),
                format!(
                    "port `{port}` of kernel `{}` reads rows without a proven key",
                    kernel.kernel.name()
                ),
            )
            .help("read a topic that carries `full` state with a `key`, or group by a key before"),
        );
    }
    found
}
