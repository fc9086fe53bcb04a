//! Cross products of two sides that may both have many rows (W0206).

use arqon_grammar::Diagnostic;
use arqon_grammar::code::warnings;
use arqon_plan::{Extent, FlowStep, Plan, Port, Verb, VertexId};

use super::span;

pub(super) fn check(plan: &Plan) -> Vec<Diagnostic> {
    plan.steps().filter_map(|(id, step)| cross_product(plan, id, step)).collect()
}

fn cross_product(plan: &Plan, id: VertexId, step: &FlowStep) -> Option<Diagnostic> {
    let Verb::Join(join) = &step.verb else { return None };
    let is_product = join.left_key.is_empty()
        && join.residual.is_none()
        && join.asof.is_none()
        && join.kind.pairs_up();
    if !is_product {
        return None;
    }
    let side = |port: Port| {
        let wire = plan.inputs(id).find(|wire| wire.wire.port == port)?;
        Some((&plan.facts(wire.from).extent, wire))
    };
    let (left, _) = side(Port::Main)?;
    let (right, wire) = side(Port::Right)?;
    let is_one = |extent: &Extent| matches!(extent, Extent::Rows(0 | 1) | Extent::Unknown);
    if is_one(left) || is_one(right) {
        return None;
    }
    let other = plan.label(wire.from);
    let other = other.split('[').next().unwrap_or(other);
    Some(
        Diagnostic::new(
            warnings::CROSS_PRODUCT,
            span(step.range),
            format!("`join` at `{}` puts every row beside every row of `{other}`", step.address),
        )
        .help("say what belongs together, as in `match: { customer: id }`")
        .help("or let `where` say which pairs count"),
    )
}
