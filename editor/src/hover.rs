//! What is known of the thing under the cursor, in Markdown.

use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::expr::ExprKind;
use arqon_operators::{aggregate_signature_text, signature_text};
use arqon_plan::Vertex;

use crate::analysis::Analysis;
use crate::describe;
use crate::names::{self, Kind, Occurrence};
use crate::words;

/// What to show, and for which place.
pub(crate) fn hover(analysis: &Analysis, offset: u32) -> Option<(Span, String)> {
    let circuit = analysis.facts.circuit.as_ref()?;
    if let Some(found) = function_call(circuit, offset) {
        return Some(found);
    }
    if let Some(occurrence) = names::at(&analysis.occurrences, offset)
        && let Some(text) = named(analysis, circuit, occurrence)
    {
        return Some((occurrence.span, text));
    }
    if let Some((address, step)) = step_at(circuit, offset) {
        let verb = step.verb.slice(analysis.compiled.sources.text());
        let meaning = words::verb(verb).unwrap_or("a step of the flow");
        let plan = analysis.plan()?;
        let rows = analysis.step(&address).map(|id| describe::step(plan, id));
        let text = format!("**{verb}**: {meaning}\n\n{}", rows.unwrap_or_default());
        return Some((step.verb, text));
    }
    let (span, ty) = analysis.facts.expression_at(offset)?;
    let text = span.slice(analysis.compiled.sources.text());
    let first = text.lines().next().unwrap_or("");
    Some((span, describe::ty(first, ty)))
}

/// The signature of a function of the language whose name stands there.
fn function_call(circuit: &ast::Circuit, offset: u32) -> Option<(Span, String)> {
    let mut found = None;
    circuit.for_each_expression(&mut |expr| {
        if offset < expr.span.start || expr.span.end < offset {
            return;
        }
        expr.for_each(&mut |part| {
            let ExprKind::Call { function, .. } = &part.kind else { return };
            let is_there = function.span.start <= offset && offset <= function.span.end;
            let name = function.as_str();
            let is_own = circuit.functions.iter().any(|it| it.name.node == name);
            let signatures: Vec<&str> = [signature_text(name), aggregate_signature_text(name)]
                .into_iter()
                .flatten()
                .collect();
            if is_there && !is_own && !signatures.is_empty() {
                found = Some((function.span, describe::code(&signatures.join("\n"))));
            }
        });
    });
    found
}

/// The step whose verb stands there, with its address.
fn step_at(circuit: &ast::Circuit, offset: u32) -> Option<(String, &ast::Step)> {
    let after = circuit.flow.partition_point(|node| node.name.span.start <= offset);
    let node = circuit.flow.get(after.checked_sub(1)?)?;
    let is_there = |step: &ast::Step| {
        step.verb != step.span && step.verb.start <= offset && offset <= step.verb.end
    };
    let idx = node.steps.iter().position(is_there)?;
    Some((format!("{}[{idx}]", node.name.node), &node.steps[idx]))
}

fn named(analysis: &Analysis, circuit: &ast::Circuit, it: &Occurrence) -> Option<String> {
    let plan = analysis.plan()?;
    let source = |span: Span| span.slice(analysis.compiled.sources.text());
    match it.kind {
        Kind::Topic => {
            let id = plan.named(&it.name)?;
            match plan.vertex(id) {
                Vertex::Topic(topic) => Some(describe::topic(plan, id, topic)),
                Vertex::Client(_) | Vertex::Step(_) | Vertex::Endpoint(_) => None,
            }
        }
        Kind::Node => {
            let rows = describe::step(plan, analysis.node(&it.name)?);
            Some(format!("**node** `{}`\n\n{rows}", it.name))
        }
        Kind::Label => {
            let (node, label) = it.name.rsplit_once('.')?;
            let rows = describe::step(plan, analysis.node(node)?);
            Some(format!("**label** `{label}` of node `{node}`\n\n{rows}"))
        }
        Kind::Schema => {
            let schema = circuit.schemas.iter().find(|schema| schema.name.node == it.name)?;
            let fields: String = schema
                .fields
                .iter()
                .map(|field| format!("  {}: {}\n", field.name.node, source(field.ty.span)))
                .collect();
            Some(format!("**schema**\n\n{}", describe::code(&format!("{}:\n{fields}", it.name))))
        }
        Kind::Function => {
            let function = circuit.functions.iter().find(|known| known.name.node == it.name)?;
            let params: Vec<&str> = function.params.iter().map(ast::Name::as_str).collect();
            let body = source(function.body.span);
            let text = format!("{}({}): {body}", it.name, params.join(", "));
            Some(format!("**function**\n\n{}", describe::code(&text)))
        }
        Kind::Param => {
            let param = circuit.params.iter().find(|param| param.name.node == it.name)?;
            let text = format!("{}: {}", it.name, source(param.value.span));
            Some(format!("**parameter**\n\n{}", describe::code(&text)))
        }
        Kind::Operator => {
            let operator = circuit.operators.iter().find(|known| known.name.node == it.name)?;
            let contract = operator.contract.as_ref().map_or("", |it| source(it.span));
            let vias: Vec<String> =
                operator.via.iter().map(|via| format!("`{}`", via.name.node)).collect();
            Some(format!(
                "**operator** `{}` of contract `{contract}`, reached by {}",
                it.name,
                vias.join(", ")
            ))
        }
    }
}
