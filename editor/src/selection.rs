//! The parts of a circuit around a place, from the smallest to the whole text: what a growing
//! selection takes.

use arqon_grammar::Span;
use arqon_grammar::ast;

use crate::analysis::Analysis;

/// The places around an offset, each within the next.
pub(crate) fn around(analysis: &Analysis, offset: u32) -> Vec<Span> {
    let sources = &analysis.compiled.sources;
    let whole = sources.main().span;
    let mut found = vec![whole];
    let mut push = |span: Span| {
        if span.start <= offset && offset <= span.end && sources.is_main(span) {
            found.push(span);
        }
    };
    if let Some(circuit) = &analysis.facts.circuit {
        for schema in &circuit.schemas {
            push(schema.name.span.to(schema.span));
            schema.fields.iter().for_each(|field| push(field.name.span.to(field.ty.span)));
        }
        circuit.topics.iter().for_each(|topic| push(topic.name.span.to(topic.span)));
        circuit.operators.iter().for_each(|it| push(it.name.span.to(it.span)));
        circuit.for_each_node(&mut |node| {
            push(node.name.span.to(node.span));
            node.for_each_step(&mut |step| push(step.span));
        });
        circuit.for_each_expression(&mut |expr| expr.for_each(&mut |part| push(part.span)));
        for test in circuit.tests.iter().flat_map(|test| &test.steps) {
            push(match test {
                ast::TestStep::Example(example) => example.span,
                ast::TestStep::Law(law) => law.span,
            });
        }
    }
    analysis.everything().iter().for_each(|it| push(it.span));
    found.sort_by_key(|span| (span.len(), span.start));
    found.dedup();
    // Each has to hold the one before it.
    let mut inner: Option<Span> = None;
    found.retain(|span| {
        let holds = inner.is_none_or(|inner| span.start <= inner.start && inner.end <= span.end);
        if holds {
            inner = Some(*span);
        }
        holds
    });
    found
}
