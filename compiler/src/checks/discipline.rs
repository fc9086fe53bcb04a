//! Disciplines: changes never pass as facts, full state has a key, and where the last event of a
//! key is its state, it is known which one is last (E0301, E0303, E0317).

use arqon_grammar::Diagnostic;
use arqon_grammar::code::discipline;
use arqon_plan::{
    FlowStep, OrderLoss, Plan, Port, TextRange, Topic, Verb, Vertex, VertexId, WireRef,
};
use arqon_types::Discipline;

use super::span;

pub(super) fn check(plan: &Plan) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (_, topic) in plan.topics() {
        if topic.discipline == Discipline::Full && topic.key.is_empty() {
            found.push(topic_without_key(topic));
        }
    }
    for (id, step) in plan.steps() {
        if let Verb::Carries(discipline) = step.verb {
            found.extend(conversion(plan, id, step, discipline));
        }
    }
    found.extend(plan.wires().filter_map(|wire| sink(plan, &wire)));
    found.extend(plan.vertices().filter_map(|(id, vertex)| last_event(plan, id, vertex)));
    found
}

/// A step or topic that is to hold the last event of each key, where nobody can say which it is.
fn last_event(plan: &Plan, id: VertexId, vertex: &Vertex) -> Option<Diagnostic> {
    plan.last_event_key(id)?;
    let loss = plan.order_loss(id)?;
    let (place, what) = match vertex {
        Vertex::Step(step) => (step.range, format!("step `{}`", step.address)),
        Vertex::Topic(topic) => {
            let is_events = |wire: &WireRef<'_>| {
                wire.wire.port == Port::Main
                    && plan.facts(wire.from).discipline == Some(Discipline::Events)
            };
            let writer = plan.inputs(id).find(is_events)?;
            (writer.wire.range, format!("topic `{}`", topic.name))
        }
        Vertex::Client(_) | Vertex::Endpoint(_) => return None,
    };
    let diagnostic = Diagnostic::new(
        discipline::ORDER_LOST,
        span(place),
        format!("{what} is to hold the last event of each key, and nobody can say which is last"),
    );
    Some(match loss {
        OrderLoss::Step(step) => diagnostic
            .secondary(
                span(range_of(plan, step)),
                format!("`{}` puts events together, and the result has no place in the log", {
                    plan.label(step)
                }),
            )
            .help(
                "make the state before that step: write the events to a topic with `carries: \
                 full` and a `key`, and read that one",
            ),
        OrderLoss::Writer(writer) => diagnostic
            .secondary(span(range_of(plan, writer)), "this writes changes to the same topic")
            .help("let the events and the changes go to topics of their own"),
        OrderLoss::Outside => diagnostic
            .label("others write to the topic too")
            .help("let the events go to a topic that nobody else writes"),
    })
}

fn range_of(plan: &Plan, id: VertexId) -> TextRange {
    match plan.vertex(id) {
        Vertex::Client(client) => client.range,
        Vertex::Topic(topic) => topic.ranges.name,
        Vertex::Step(step) => step.range,
        Vertex::Endpoint(endpoint) => endpoint.range,
    }
}

fn topic_without_key(topic: &Topic) -> Diagnostic {
    let place = topic.ranges.carries.unwrap_or(topic.ranges.name);
    let fields: Vec<&str> = topic.schema.fields.iter().map(|f| &*f.name).collect();
    let diagnostic = Diagnostic::new(
        discipline::FULL_WITHOUT_KEY,
        span(place),
        format!("topic `{}` carries `full` state and has no `key`", topic.name),
    );
    match fields.as_slice() {
        [] => diagnostic,
        _ => diagnostic.help(format!(
            "add `key:` with the field, or the list of fields, that tells one state from \
             another: of `{}`",
            fields.join("`, `")
        )),
    }
}

/// A `carries` step.
fn conversion(plan: &Plan, id: VertexId, step: &FlowStep, to: Discipline) -> Option<Diagnostic> {
    let input = plan.inputs(id).find(|wire| wire.wire.port == Port::Main)?;
    let from = plan.facts(input.from).discipline?;
    match (from, to) {
        (Discipline::Full | Discipline::Delta, Discipline::Events) => {
            let diagnostic = Diagnostic::new(
                discipline::CHANGES_AS_FACTS,
                span(step.range),
                format!("step `{}` turns changes into `events`", step.address),
            );
            Some(
                explained(plan, input.from, diagnostic)
                    .help("let the rows go on as `delta`, so that readers see what is retracted"),
            )
        }
        (_, Discipline::Full) if plan.carries_key(id).is_none() => Some(
            Diagnostic::new(
                discipline::FULL_WITHOUT_KEY,
                span(step.range),
                format!("step `{}` carries `full` state, and its rows have no key", step.address),
            )
            .help("write a topic with a `key` right after it, or group by the key before"),
        ),
        (_, Discipline::Events | Discipline::Full | Discipline::Delta) => None,
    }
}

/// A wire that ends at a topic.
fn sink(plan: &Plan, wire: &WireRef<'_>) -> Option<Diagnostic> {
    let Vertex::Topic(topic) = plan.vertex(wire.to) else { return None };
    match wire.wire.port {
        Port::Main | Port::Right | Port::Next | Port::Named(_) => {}
        // Clients are held to the topic's discipline by the Spine, errors have a topic of their
        // own, a retracted job replays its result negated, and what a step cost is a fact.
        Port::Errors
        | Port::Jobs
        | Port::Results
        | Port::Control
        | Port::Asked
        | Port::Metrics
        | Port::Publish
        | Port::Subscribe => return None,
    }
    let from = plan.facts(wire.from).discipline?;
    if topic.discipline != Discipline::Events || from == Discipline::Events {
        return None;
    }
    let source = match plan.vertex(wire.from) {
        Vertex::Step(step) => format!("node `{}`", step.node),
        Vertex::Client(_) | Vertex::Topic(_) | Vertex::Endpoint(_) => {
            format!("topic `{}`", plan.label(wire.from))
        }
    };
    let diagnostic = Diagnostic::new(
        discipline::CHANGES_AS_FACTS,
        span(wire.wire.range),
        format!("{source} yields changes, and topic `{}` carries `events`", topic.name),
    )
    .label("retractions would pass as facts here");
    let declared = topic.ranges.carries.unwrap_or(topic.ranges.name);
    let said = match topic.ranges.carries {
        Some(_) => "declared as `events` here",
        None => "declared here; `events` is what a topic carries unless it says otherwise",
    };
    let name = &topic.name;
    let diagnostic = explained(plan, wire.from, diagnostic).secondary(span(declared), said);
    let facts = plan.facts(wire.from);
    let diagnostic = if facts.is_windowed() && !facts.is_final() {
        diagnostic.help(
            "let the window be `final: true`: what is computed of it comes once, when it closes",
        )
    } else {
        diagnostic
    };
    Some(
        diagnostic
            .help(format!("declare `{name}` with `carries: delta`, so that readers see changes"))
            .help("or with `carries: full` and a `key`, so that they see the state of each key"),
    )
}

/// Adds where the rows become changes: the first vertex, upwards, that makes changes of events,
/// or the topic that carries them.
fn explained(plan: &Plan, from: VertexId, diagnostic: Diagnostic) -> Diagnostic {
    let mut at = from;
    for _ in 0..plan.n_vertices() {
        match plan.vertex(at) {
            Vertex::Topic(topic) => {
                let place = topic.ranges.carries.unwrap_or(topic.ranges.name);
                return diagnostic.secondary(
                    span(place),
                    format!("topic `{}` carries `{}`", topic.name, topic.discipline),
                );
            }
            Vertex::Client(_) | Vertex::Endpoint(_) => return diagnostic,
            Vertex::Step(step) => {
                let before = plan.inputs(at).find(|wire| {
                    plan.facts(wire.from).discipline.is_some_and(|it| it != Discipline::Events)
                });
                match before {
                    Some(wire) => at = wire.from,
                    None => {
                        return diagnostic.secondary(
                            span(step.range),
                            format!("`{}` replaces what it said before", step.address),
                        );
                    }
                }
            }
        }
    }
    diagnostic
}
