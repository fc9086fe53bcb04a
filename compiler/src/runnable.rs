//! What a circuit says that this version checks and draws, but does not do.
//!
//! What would change answers keeps the circuit from running, with its place; what only tunes is
//! told. Nothing is passed over in silence.

use arqon_grammar::Span;
use arqon_types::{Dimension, Type};

use crate::resolve::{Resolved, TopicOrigin};
use crate::typed::{Input, TypedKernel, TypedNode, Verb};
use crate::typing::Flow;

/// A part of a circuit that is checked and drawn, and not done in this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRunnable {
    /// Where it stands.
    pub span: Span,
    /// Why: `` `call: nvm` is checked and drawn, and does not run in this version ``.
    pub message: String,
    /// Whether a test can say what it would answer.
    pub is_mockable: bool,
}

/// Parts without which the answers would be others; such a circuit does not run.
pub(crate) fn not_runnable(resolved: &Resolved<'_>, flow: &Flow) -> Vec<NotRunnable> {
    let mut found = Vec::new();
    for node in &flow.nodes {
        operators_of(resolved, node, &mut found);
    }
    found.sort_by_key(|part| part.span);
    found
}

/// Parts that only tune: rates, sizes, durability.
pub(crate) fn not_honoured(resolved: &Resolved<'_>) -> Vec<NotRunnable> {
    let mut found = Vec::new();
    let mut add = |span: Span, what: &str| {
        found.push(NotRunnable {
            span,
            message: format!("{what} is checked, and has no effect in this version"),
            is_mockable: false,
        });
    };
    for topic in &resolved.topics {
        let Some(ast) = topic.ast() else { continue };
        let queue = ast.queue.as_ref().and_then(|queue| queue.max.as_ref());
        if let Some(max) = queue {
            add(max.span, "`queue`");
        }
        if let Some(durable) = &ast.durable {
            add(durable.span, "`durable`");
        }
    }
    if let Some(limits) = &resolved.circuit.limits {
        let rates = [limits.messages.as_ref(), limits.bytes.as_ref()].into_iter().flatten();
        let spans = rates.map(|rate| rate.span).chain(limits.cpu_milli.as_ref().map(|it| it.span));
        if let Some(span) = spans.min() {
            add(span, "what `limits` say of messages, bytes and cpu");
        }
    }
    let grants = resolved
        .circuit
        .access
        .iter()
        .flat_map(|role| role.publish.iter().chain(&role.subscribe).chain(&role.execute));
    for grant in grants {
        if let Some(caps) = &grant.caps {
            add(caps.span, "a cap of a role");
        }
    }
    found.sort_by_key(|part| part.span);
    found
}

/// Calls, and the topics through which operators get jobs and give results.
fn operators_of(resolved: &Resolved<'_>, node: &TypedNode, found: &mut Vec<NotRunnable>) {
    for (step_idx, step) in node.steps.iter().enumerate() {
        let (span, what) = match &step.verb {
            Verb::Call(call) => {
                let name = &resolved.operator(call.operator).ast.name.node;
                (call.span, format!("`call: {name}`"))
            }
            Verb::Kernel(kernel) if has_unknown_length(node, kernel, step_idx) => {
                let name = kernel.step.kernel.name();
                (kernel.span, format!("`kernel: {name}` over vectors of unknown length"))
            }
            Verb::Wasm(wasm) => (step.span, format!("`wasm: {}`", wasm.capsule)),
            _ => continue,
        };
        let message = format!("{what} is checked and drawn, and does not run in this version");
        found.push(NotRunnable { span, message, is_mockable: true });
    }
    let sinks = node.sinks.iter().map(|sink| (Input::Topic(sink.topic), sink.span));
    for (input, span) in node.reads().into_iter().chain(sinks) {
        let Input::Topic(id) = input else { continue };
        let topic = resolved.topic(id);
        if matches!(topic.origin, TopicOrigin::Jobs(_) | TopicOrigin::Results(_)) {
            found.push(NotRunnable {
                span,
                message: format!(
                    "topic `{}` belongs to an operator, and operators do not run in this version",
                    topic.name
                ),
                is_mockable: true,
            });
        }
    }
}

/// Whether a vector that the kernel reads has a length that the circuit does not say.
fn has_unknown_length(node: &TypedNode, kernel: &TypedKernel, step_idx: usize) -> bool {
    kernel.step.ports.iter().any(|port| {
        let named = node.ports.iter().find(|named| named.name.as_str() == port.name);
        let row = named.map_or_else(|| node.row_before(step_idx), |named| &named.row);
        let types = port.fields.iter().flatten().filter_map(|at| row.columns[*at].ty.as_ref());
        let is_open = |ty: &Type| match ty {
            Type::Tensor(tensor) => !matches!(tensor.dims.as_slice(), [Dimension::Fixed(_)]),
            _ => false,
        };
        types.into_iter().any(is_open)
    })
}
