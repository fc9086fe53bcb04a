//! What is known of the thing under the cursor, in Markdown.

use std::fmt::Write as _;

use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::expr::ExprKind;
use arqon_plan::Vertex;

use crate::analysis::Analysis;
use crate::cursor::{Cursor, Place, cursor};
use crate::describe;
use crate::names::{self, Kind, Occurrence};
use crate::navigation::same;
use crate::reference;
use crate::shape;
use crate::words;

/// What to show, and for which place.
pub(crate) fn hover(analysis: &Analysis, offset: u32) -> Option<(Span, String)> {
    let circuit = analysis.facts.circuit.as_ref()?;
    if let Some(found) = function_call(circuit, offset) {
        return Some(found);
    }
    let occurrence = names::at(analysis.everything(), offset);
    if let Some(occurrence) = occurrence
        && let Some(text) = named(analysis, circuit, occurrence)
    {
        return Some((occurrence.span, text));
    }
    verb(analysis, offset)
        .or_else(|| expression(analysis, offset))
        .or_else(|| written(analysis, circuit, offset))
        .or_else(|| {
            let occurrence = occurrence?;
            Some((occurrence.span, declared(analysis, circuit, occurrence)?))
        })
}

/// What is declared under a name that stands in no expression.
fn declared(analysis: &Analysis, circuit: &ast::Circuit, it: &Occurrence) -> Option<String> {
    if it.kind == Kind::Variable {
        let ty = same(analysis, it).find_map(|it| analysis.facts.type_of(it.span))?;
        return Some(describe::ty(&it.name, ty));
    }
    let mut places = same(analysis, it).filter(|it| it.is_declaration).map(|it| it.span);
    places.find_map(|place| {
        let (schema, field) = all_fields(circuit).find(|(_, field)| field.name.span == place)?;
        let ty = field.ty.span.slice(analysis.compiled.sources.text());
        let code = describe::code(&format!("{}: {ty}", it.name));
        Some(match schema {
            Some(schema) => format!("{code}\n\nfield of schema `{schema}`"),
            None => code,
        })
    })
}

/// The fields that a circuit declares, with the schema if it is of one; those of nested structs
/// too.
fn all_fields(circuit: &ast::Circuit) -> impl Iterator<Item = (Option<&str>, &ast::Field)> {
    fn within(ty: &ast::TypeExpr) -> impl Iterator<Item = &ast::Field> {
        ty.parts().into_iter().flat_map(|part| match &part.kind {
            ast::TypeKind::Struct(fields) => fields.as_slice(),
            _ => &[],
        })
    }
    let of_schemas = circuit.schemas.iter().flat_map(|schema| {
        let own = schema.fields.iter().map(|field| (Some(schema.name.as_str()), field));
        let nested = schema.fields.iter().flat_map(|field| within(&field.ty));
        own.chain(nested.map(|field| (None, field)))
    });
    let of_topics = circuit.topics.iter().flat_map(|topic| &topic.schema);
    of_schemas.chain(of_topics.flat_map(within).map(|field| (None, field)))
}

/// What the reference says of the function whose name stands there, unless it is the circuit's own.
fn function_call(circuit: &ast::Circuit, offset: u32) -> Option<(Span, String)> {
    let mut found = None;
    circuit.for_each_expression(&mut |expr| {
        if offset < expr.span.start || expr.span.end < offset {
            return;
        }
        expr.for_each(&mut |part| {
            let ExprKind::Call { function, .. } = &part.kind else { return };
            let is_there = function.span.start <= offset && offset <= function.span.end;
            let is_own = circuit.functions.iter().any(|it| it.name.node == function.node);
            if is_there && !is_own {
                found = reference::function(function.as_str()).map(|text| (function.span, text));
            }
        });
    });
    found
}

/// The step whose verb stands there.
fn verb(analysis: &Analysis, offset: u32) -> Option<(Span, String)> {
    let (span, id) = analysis.verb(offset)?;
    let verb = span.slice(analysis.compiled.sources.text());
    let meaning = words::verb(verb)?;
    let rows = describe::step(analysis.plan()?, id);
    Some((span, format!("**{verb}**: {meaning}\n\n{rows}")))
}

fn expression(analysis: &Analysis, offset: u32) -> Option<(Span, String)> {
    let (span, ty) = analysis.facts.expression_at(offset)?;
    let text = span.slice(analysis.compiled.sources.text());
    let first = text.lines().next().unwrap_or("");
    Some((span, describe::ty(first, ty)))
}

/// A field that a step adds, or a word of the language.
fn written(analysis: &Analysis, circuit: &ast::Circuit, offset: u32) -> Option<(Span, String)> {
    let text = analysis.compiled.sources.main_text();
    let span = words::word_at(text, offset)?;
    let word = span.slice(text);
    let found = field(analysis, circuit, span, word).or_else(|| {
        let at = cursor(text, span.start as usize);
        let meaning = meaning(&at, word)?;
        Some(format!("**{word}**: {meaning}"))
    });
    found.map(|text| (span, text))
}

/// A field of the rows that leave the step around a word, if its key is one.
fn field(analysis: &Analysis, circuit: &ast::Circuit, span: Span, word: &str) -> Option<String> {
    let step = step_around(&circuit.flow, span)?;
    let (_, id) = analysis.verb(step.verb.start)?;
    let Vertex::Step(vertex) = analysis.plan()?.vertex(id) else { return None };
    let field = vertex.schema.fields.iter().find(|field| *field.name == *word)?;
    Some(describe::ty(word, &field.ty))
}

/// The innermost step around a place.
fn step_around(flow: &[ast::Node], span: Span) -> Option<&ast::Step> {
    fn among(steps: &[ast::Step], span: Span) -> Option<&ast::Step> {
        let step =
            steps.iter().find(|it| it.span.start <= span.start && span.end <= it.span.end)?;
        match &step.kind {
            ast::StepKind::Loop(looped) => among(&looped.body, span).or(Some(step)),
            _ => Some(step),
        }
    }
    flow.iter().find_map(|node| {
        let repeated = node.repeated.as_ref().and_then(|it| step_around(&it.flow, span));
        repeated.or_else(|| among(&node.steps, span))
    })
}

/// What a key, or a word behind one, means at its place.
fn meaning(at: &Cursor, word: &str) -> Option<&'static str> {
    let names = at.names();
    if let Place::Value(_) = at.place {
        return words::word(names.last()?, word);
    }
    let known = shape::keys(&names);
    known.into_iter().find(|(key, _)| *key == word).and_then(|(_, meaning)| meaning)
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
        Kind::Local => {
            let rows = describe::step(plan, analysis.node(&it.name)?);
            Some(format!("`{}` **of a loop**\n\n{rows}", names::written(it.kind, &it.name)))
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
            let mut text = format!("{}:\n", it.name);
            for field in &schema.fields {
                let _ = writeln!(text, "  {}: {}", field.name.node, source(field.ty.span));
            }
            Some(format!("**schema**\n\n{}", describe::code(&text)))
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
        Kind::Variant => {
            let variants = same(analysis, it).find(|it| it.is_declaration)?;
            let (_, field) = all_fields(circuit).find(|(_, field)| {
                field.ty.span.start <= variants.span.start && variants.span.end <= field.ty.span.end
            })?;
            let ty = source(field.ty.span);
            Some(format!(
                "**variant** `{}` of\n\n{}",
                it.name,
                describe::code(&format!("{}: {ty}", field.name.node))
            ))
        }
        Kind::Argument => {
            let is_of = |function: &&ast::Function| {
                function.params.iter().any(|param| param.span.start == it.owner)
            };
            let function = circuit.functions.iter().find(is_of)?;
            Some(format!("**parameter** `{}` of function `{}`", it.name, function.name.node))
        }
        Kind::Implementation => {
            let (operator, via) = it.name.rsplit_once('.')?;
            let known = circuit.operators.iter().find(|known| known.name.node == operator)?;
            let known = known.via.iter().find(|known| known.name.node == via)?;
            let transport = known.transport.as_ref().map_or("", |it| source(it.span));
            Some(format!(
                "**implementation** `{via}` of operator `{operator}`\n\n{}",
                describe::code(&format!("{via}: {transport}"))
            ))
        }
        Kind::Port => Some(format!("**port** `{}` of the kernel that is the first step", it.name)),
        Kind::Profile => Some(format!("**profile** `{0}`, chosen with `--profile {0}`", it.name)),
        Kind::Role => {
            let role = circuit.access.iter().find(|role| role.name.node == it.name)?;
            let listed = |word: &str, grants: &[ast::Grant]| {
                let names: Vec<&str> = grants.iter().map(|it| it.target.as_str()).collect();
                (!names.is_empty()).then(|| format!("may {word} `{}`", names.join("`, `")))
            };
            let may: Vec<String> = [
                listed("publish", &role.publish),
                listed("subscribe", &role.subscribe),
                listed("execute", &role.execute),
            ]
            .into_iter()
            .flatten()
            .collect();
            Some(format!("**role** `{}`: {}", it.name, may.join(", ")))
        }
        Kind::Test => {
            let test = circuit.tests.iter().find(|test| test.name.node == it.name)?;
            let n = test.steps.len();
            let steps = if n == 1 { "step" } else { "steps" };
            Some(format!("**test** of {n} {steps}, run by `arqon test`"))
        }
        // These are expressions, or declared in one place of many.
        Kind::Field | Kind::Variable => None,
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
