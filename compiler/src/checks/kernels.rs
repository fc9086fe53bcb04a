//! Kernels: each port's rows have a key, so that a change can be told from a new row (E0516).

use arqon_grammar::Diagnostic;
use arqon_grammar::code::operators;
use arqon_plan::{Extent, KernelStep, Plan, Port, Verb, VertexId};

use super::span;

pub(super) fn check(plan: &Plan) -> Vec<Diagnostic> {
    let kernels = plan.steps().filter_map(|(id, step)| match &step.verb {
        Verb::Kernel(kernel) => Some((id, kernel)),
        _ => None,
    });
    kernels.flat_map(|(id, kernel)| ports_without_key(plan, id, kernel)).collect()
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
