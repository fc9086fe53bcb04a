//! The parts of a circuit as a tree, for outlines and breadcrumbs.

use arqon_grammar::Span;
use arqon_grammar::ast::{Circuit, Node};

use crate::analysis::Analysis;

/// What an entry is, so that editors choose a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Picture {
    /// A section.
    Section,
    /// A parameter.
    Constant,
    /// A record type.
    Schema,
    /// A field of one.
    Field,
    /// A function.
    Function,
    /// A topic.
    Topic,
    /// An operator.
    Operator,
    /// A node of the flow.
    Node,
    /// A step of one.
    Step,
    /// A role.
    Role,
    /// A test.
    Test,
}

/// An entry of the outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name.
    pub(crate) name: String,
    /// What stands beside it, in grey.
    pub(crate) detail: Option<String>,
    /// What it is.
    pub(crate) picture: Picture,
    /// The whole of it.
    pub(crate) span: Span,
    /// Its name's place.
    pub(crate) name_span: Span,
    /// Its parts.
    pub(crate) parts: Vec<Entry>,
}

/// The outline of the circuit itself; what it imports is left out.
pub(crate) fn outline(analysis: &Analysis) -> Vec<Entry> {
    let Some(circuit) = &analysis.facts.circuit else { return Vec::new() };
    let sources = &analysis.compiled.sources;
    let text = sources.text();
    let mut sections = sections(circuit, text);
    for section in &mut sections {
        section.parts.retain(|part| sources.is_main(part.name_span));
    }
    sections.retain(|section| !section.parts.is_empty());
    for section in &mut sections {
        let mut parts = section.parts.iter();
        section.name_span = parts.next().map_or(Span::default(), |part| part.name_span);
        section.span = section.parts.iter().map(|it| it.span).fold(section.name_span, Span::to);
    }
    sections.sort_by_key(|section| section.span);
    sections
}

/// What a circuit declares, by section; `text` is what its places are in.
pub(crate) fn sections(circuit: &Circuit, text: &str) -> Vec<Entry> {
    let slice = |span: Span| {
        let first = span.slice(text).lines().next().unwrap_or("");
        Some(first.chars().take(DETAIL_CHARACTERS_MAX).collect::<String>())
    };
    vec![
        section(
            "params",
            circuit.params.iter().map(|param| {
                let name = &param.name;
                entry(
                    name.as_str(),
                    slice(param.value.span),
                    Picture::Constant,
                    name.span,
                    param.value.span,
                )
            }),
        ),
        section(
            "schemas",
            circuit.schemas.iter().map(|schema| {
                let fields = schema.fields.iter().map(|field| {
                    let name = &field.name;
                    entry(
                        name.as_str(),
                        slice(field.ty.span),
                        Picture::Field,
                        name.span,
                        field.ty.span,
                    )
                });
                let name = &schema.name;
                let whole = entry(name.as_str(), None, Picture::Schema, name.span, schema.span);
                Entry { parts: fields.collect(), ..whole }
            }),
        ),
        section(
            "functions",
            circuit.functions.iter().map(|function| {
                let name = &function.name;
                let body = function.body.span;
                entry(name.as_str(), slice(body), Picture::Function, name.span, body)
            }),
        ),
        section(
            "topics",
            circuit.topics.iter().map(|topic| {
                let schema = topic.schema.as_ref().and_then(|ty| slice(ty.span));
                let name = &topic.name;
                entry(name.as_str(), schema, Picture::Topic, name.span, topic.span)
            }),
        ),
        section(
            "operators",
            circuit.operators.iter().map(|operator| {
                let contract = operator.contract.as_ref().and_then(|it| slice(it.span));
                let name = &operator.name;
                entry(name.as_str(), contract, Picture::Operator, name.span, operator.span)
            }),
        ),
        section("flow", circuit.flow.iter().map(|it| node(it, text))),
        section(
            "access",
            circuit.access.iter().map(|role| {
                let grants = role.publish.iter().chain(&role.subscribe).chain(&role.execute);
                let span = grants.map(|grant| grant.target.span).fold(role.name.span, Span::to);
                entry(role.name.as_str(), None, Picture::Role, role.name.span, span)
            }),
        ),
        section(
            "tests",
            circuit.tests.iter().map(|test| {
                entry(test.name.as_str(), None, Picture::Test, test.name.span, test.name.span)
            }),
        ),
    ]
}

fn node(node: &Node, text: &str) -> Entry {
    let steps = node.steps.iter().filter(|step| step.verb != step.span).map(|step| {
        let written = step.span.slice(text).lines().next().unwrap_or("");
        let detail = written.split_once(':').map(|(_, value)| value.trim());
        let detail = detail.map(|it| it.chars().take(DETAIL_CHARACTERS_MAX).collect());
        entry(step.verb.slice(text), detail, Picture::Step, step.verb, step.span)
    });
    let whole = entry(node.name.as_str(), None, Picture::Node, node.name.span, node.span);
    Entry { parts: steps.collect(), ..whole }
}

fn section(name: &str, parts: impl Iterator<Item = Entry>) -> Entry {
    let whole = entry(name, None, Picture::Section, Span::default(), Span::default());
    Entry { parts: parts.collect(), ..whole }
}

fn entry(
    name: &str,
    detail: Option<String>,
    picture: Picture,
    name_span: Span,
    body: Span,
) -> Entry {
    let span = name_span.to(body);
    Entry { name: name.to_owned(), detail, picture, span, name_span, parts: Vec::new() }
}

/// Longer details are cut.
const DETAIL_CHARACTERS_MAX: usize = 60;
