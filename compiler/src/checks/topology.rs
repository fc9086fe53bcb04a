//! Topology: no way past the bus (E04xx), and the proof of it.
//!
//! The rules, each decided on vertices and wires:
//! 1. A wire of a client ends at a topic that has an edge in its direction (an operator's jobs
//!    and results and a node's errors are such topics by nature).
//! 2. A wire of an operator ends at its own `<operator>.jobs` or `<operator>.results`. So no way
//!    leads from a client or a step to an operator, or from operator to operator, without a
//!    topic between.
//! 3. Every operator is declared.
//! 4. A topic that is not `shared` has one writer: one node, one route, one operator, or clients.

mod proof;

use std::collections::BTreeSet;

use arqon_grammar::Diagnostic;
use arqon_grammar::code::topology;
use arqon_grammar::suggest::suggest;
use arqon_plan::{
    Endpoint, Plan, Port, TextRange, Topic, TopicOrigin, Verb, Vertex, VertexId, WireRef,
};

use super::paths::{name, shortest};
use super::span;
use crate::report::Suggestions;

pub use proof::no_bypass_proof;

pub(super) fn check(plan: &Plan) -> Vec<Diagnostic> {
    breaches(plan).into_iter().map(|breach| breach.diagnostic).collect()
}

/// A rule that is broken, and the wires that break it, in the order in which rows take them.
struct Breach<'p> {
    place: TextRange,
    diagnostic: Diagnostic,
    wires: Vec<WireRef<'p>>,
}

/// All breaches, in the order of the file.
fn breaches(plan: &Plan) -> Vec<Breach<'_>> {
    let mut found: Vec<Breach<'_>> = Vec::new();
    let chains = operator_chains(plan);
    for wire in plan.wires() {
        // A wire of a chain from operator to operator is reported with the chain.
        let is_chained = chains.iter().any(|chain| chain.ends().contains(&wire.wire.range));
        if is_chained && !matches!(plan.vertex(wire.from), Vertex::Client(_)) {
            continue;
        }
        if let Some(diagnostic) = bypass(plan, &wire) {
            found.push(Breach { place: wire.wire.range, diagnostic, wires: vec![wire] });
        }
    }
    found.extend(chains);
    let mut suggestions = Suggestions::default();
    for (id, endpoint) in plan.endpoints().filter(|(_, endpoint)| !endpoint.declared) {
        let wires = plan.inputs(id).chain(plan.outputs(id)).take(1).collect();
        let diagnostic = undeclared(plan, (id, endpoint), &mut suggestions);
        found.push(Breach { place: endpoint.range, diagnostic, wires });
    }
    for (id, topic) in plan.topics() {
        found.extend(second_writer(plan, id, topic));
    }
    found.sort_by_key(|breach| breach.place);
    found
}

impl Breach<'_> {
    /// The places of the first and the last wire.
    fn ends(&self) -> [TextRange; 2] {
        let place = |wire: Option<&WireRef<'_>>| wire.map_or(self.place, |wire| wire.wire.range);
        [place(self.wires.first()), place(self.wires.last())]
    }
}

/// Rules 1 and 2: what a single wire may not join.
fn bypass(plan: &Plan, wire: &WireRef<'_>) -> Option<Diagnostic> {
    let ends = (plan.vertex(wire.from), plan.vertex(wire.to));
    match ends {
        (Vertex::Client(_), Vertex::Topic(topic)) => {
            (!topic.admits_clients()).then(|| past_edge(plan, wire, wire.to, "publish to"))
        }
        (Vertex::Topic(topic), Vertex::Client(_)) => {
            (!topic.emits_to_clients()).then(|| past_edge(plan, wire, wire.from, "subscribe to"))
        }
        (Vertex::Client(_), Vertex::Step(_) | Vertex::Client(_)) => {
            Some(past_edge(plan, wire, wire.to, "publish to"))
        }
        (Vertex::Step(_), Vertex::Client(_)) => {
            Some(past_edge(plan, wire, wire.from, "subscribe to"))
        }
        (Vertex::Endpoint(one), Vertex::Endpoint(other)) => {
            Some(operators_joined(wire, one, other))
        }
        (Vertex::Client(_), Vertex::Endpoint(endpoint))
        | (Vertex::Endpoint(endpoint), Vertex::Client(_)) => {
            endpoint.declared.then(|| client_at_operator(plan, wire, endpoint))
        }
        (_, Vertex::Endpoint(endpoint)) => {
            let own = TopicOrigin::Jobs { operator: endpoint.name.clone() };
            let is_own = matches!(ends.0, Vertex::Topic(topic) if topic.origin == own);
            (!is_own && endpoint.declared).then(|| flow_at_operator(plan, wire, endpoint))
        }
        (Vertex::Endpoint(endpoint), _) => {
            let own = TopicOrigin::Results { operator: endpoint.name.clone() };
            let is_own = matches!(ends.1, Vertex::Topic(topic) if topic.origin == own);
            (!is_own && endpoint.declared).then(|| flow_at_operator(plan, wire, endpoint))
        }
        (Vertex::Topic(_) | Vertex::Step(_), Vertex::Topic(_) | Vertex::Step(_)) => None,
    }
}

/// Ways from operator to operator over steps alone.
fn operator_chains(plan: &Plan) -> Vec<Breach<'_>> {
    let is_operator = |id: VertexId| matches!(plan.vertex(id), Vertex::Endpoint(_));
    let mut found: Vec<Breach<'_>> = Vec::new();
    for (id, one) in plan.endpoints() {
        for first in plan.outputs(id) {
            if !matches!(plan.vertex(first.to), Vertex::Step(_)) {
                continue;
            }
            let is_step = |wire: &WireRef<'_>| {
                !matches!(plan.vertex(wire.to), Vertex::Topic(_) | Vertex::Client(_))
            };
            let over_steps = |at| plan.outputs(at).filter(is_step);
            let way = shortest(plan.n_vertices(), first.to, is_operator, over_steps);
            let Some(way) = way else { continue };
            let Some(&last) = way.last() else { continue };
            let Vertex::Endpoint(other) = plan.vertex(last.to) else { continue };
            let ends = [first.wire.range, last.wire.range];
            if one.declared && other.declared && !found.iter().any(|chain| chain.ends() == ends) {
                let diagnostic = operators_joined(&last, one, other)
                    .secondary(span(ends[0]), "what it answers is read here");
                let wires = std::iter::once(first).chain(way).collect();
                found.push(Breach { place: ends[1], diagnostic, wires });
            }
        }
    }
    found
}

fn past_edge(plan: &Plan, wire: &WireRef<'_>, inside: VertexId, verb: &str) -> Diagnostic {
    let client = if inside == wire.to { wire.from } else { wire.to };
    let who = match plan.vertex(client) {
        Vertex::Client(client) => match &client.role {
            Some(role) => format!("role `{role}`"),
            None => "clients".to_owned(),
        },
        Vertex::Topic(_) | Vertex::Step(_) | Vertex::Endpoint(_) => "clients".to_owned(),
    };
    let (what, edge) = match plan.vertex(inside) {
        Vertex::Step(step) => {
            (format!("node `{}`, past every topic", step.node), edge_topics(plan, wire, inside))
        }
        Vertex::Topic(topic) if topic.is_inner() => {
            (format!("topic `{}`, which has no `edge`", topic.name), Vec::new())
        }
        Vertex::Topic(topic) => {
            (format!("topic `{}`, which is no edge for that", topic.name), Vec::new())
        }
        Vertex::Client(_) | Vertex::Endpoint(_) => ("clients, past every topic".into(), Vec::new()),
    };
    let may = if who.starts_with("role") { "may" } else { "can" };
    let diagnostic = Diagnostic::new(
        topology::CLIENT_PAST_EDGE,
        span(wire.wire.range),
        format!("{who} {may} {verb} {what}"),
    );
    match (edge.first(), plan.vertex(inside)) {
        (Some(topic), _) => diagnostic.help(format!("grant topic `{topic}` instead")),
        (None, Vertex::Topic(topic)) => {
            let side = if inside == wire.to { "in" } else { "out" };
            diagnostic
                .secondary(span(topic.ranges.name), "a topic within the bus")
                .help(format!("declare `{}` with `edge: {side}`, if it is for clients", topic.name))
        }
        (None, Vertex::Client(_) | Vertex::Step(_) | Vertex::Endpoint(_)) => {
            diagnostic.help("grant a topic that has an `edge` in this direction")
        }
    }
}

/// Edge topics right behind (or before) the node that a client reaches.
fn edge_topics<'p>(plan: &'p Plan, wire: &WireRef<'_>, inside: VertexId) -> Vec<&'p str> {
    let node = name(plan, inside);
    let steps = plan.steps().filter(|(_, step)| *step.node == *node).map(|(id, _)| id);
    let near: Vec<VertexId> = if inside == wire.to {
        steps.flat_map(|id| plan.inputs(id).map(|wire| wire.from)).collect()
    } else {
        steps.flat_map(|id| plan.outputs(id).map(|wire| wire.to)).collect()
    };
    near.into_iter()
        .filter(|id| match plan.vertex(*id) {
            Vertex::Topic(topic) if inside == wire.to => topic.edge.admits(),
            Vertex::Topic(topic) => topic.edge.emits(),
            Vertex::Client(_) | Vertex::Step(_) | Vertex::Endpoint(_) => false,
        })
        .map(|id| plan.label(id))
        .collect()
}

fn client_at_operator(plan: &Plan, wire: &WireRef<'_>, endpoint: &Endpoint) -> Diagnostic {
    let name = &endpoint.name;
    let client = match plan.vertex(wire.from) {
        Vertex::Client(client) => Some(client),
        Vertex::Topic(_) | Vertex::Step(_) | Vertex::Endpoint(_) => None,
    };
    let sends = client.is_some();
    let role = client.and_then(|client| client.role.as_deref()).map_or_else(
        || if sends { "clients".to_owned() } else { name_of_reader(plan, wire) },
        |role| format!("role `{role}`"),
    );
    let diagnostic = Diagnostic::new(
        topology::CLIENT_TO_OPERATOR,
        span(wire.wire.range),
        format!("{role} reaches operator `{name}` without a topic between"),
    )
    .secondary(span(endpoint.range), "the operator");
    if sends {
        diagnostic.help(format!("let the role send jobs with `execute: [{name}]`"))
    } else {
        diagnostic.help(format!("let the role read results with `subscribe: [{name}.results]`"))
    }
}

fn name_of_reader(plan: &Plan, wire: &WireRef<'_>) -> String {
    match plan.vertex(wire.to) {
        Vertex::Client(client) => {
            client.role.as_ref().map_or("clients".to_owned(), |role| format!("role `{role}`"))
        }
        Vertex::Topic(_) | Vertex::Step(_) | Vertex::Endpoint(_) => "clients".to_owned(),
    }
}

fn flow_at_operator(plan: &Plan, wire: &WireRef<'_>, endpoint: &Endpoint) -> Diagnostic {
    let name = &endpoint.name;
    let (other, verb, own) = match plan.vertex(wire.to) {
        Vertex::Endpoint(_) => (wire.from, "writes to", format!("{name}.jobs")),
        Vertex::Client(_) | Vertex::Topic(_) | Vertex::Step(_) => {
            (wire.to, "reads from", format!("{name}.results"))
        }
    };
    let what = match plan.vertex(other) {
        Vertex::Step(step) if step.node.contains(' ') || step.node.contains('[') => {
            "a route".to_owned()
        }
        Vertex::Step(step) => format!("node `{}`", step.node),
        Vertex::Topic(topic) => format!("topic `{}`", topic.name),
        Vertex::Client(_) | Vertex::Endpoint(_) => "something".to_owned(),
    };
    Diagnostic::new(
        topology::FLOW_TO_OPERATOR,
        span(wire.wire.range),
        format!("{what} {verb} operator `{name}` without a topic between"),
    )
    .secondary(span(endpoint.range), "the operator")
    .help(format!(
        "use a `call: {name}` step, which goes through `{name}.jobs` and `{name}.results`"
    ))
    .help(format!("or name its topic: `{own}`"))
}

fn operators_joined(wire: &WireRef<'_>, one: &Endpoint, other: &Endpoint) -> Diagnostic {
    Diagnostic::new(
        topology::OPERATOR_TO_OPERATOR,
        span(wire.wire.range),
        format!(
            "operator `{}` writes to operator `{}` without a topic between",
            one.name, other.name
        ),
    )
    .secondary(span(one.range), "the first operator")
    .secondary(span(other.range), "the second operator")
    .help(format!(
        "chain two steps, `call: {}` and then `call: {}` with a job made of the result",
        one.name, other.name
    ))
}

/// Rule 3.
fn undeclared(
    plan: &Plan,
    (id, endpoint): (VertexId, &Endpoint),
    suggestions: &mut Suggestions,
) -> Diagnostic {
    let place = plan
        .inputs(id)
        .chain(plan.outputs(id))
        .map(|wire| wire.wire.range)
        .find(|range| range.start < range.end)
        .unwrap_or(endpoint.range);
    let declared = plan.endpoints().filter(|(_, it)| it.declared);
    let declared = suggestions.candidates(declared.map(|(_, it)| it.name.as_str()));
    let near = suggest(&endpoint.name, declared.iter().copied());
    Diagnostic::new(
        topology::UNDECLARED_OPERATOR,
        span(place),
        format!("operator `{}` is not declared under `operators`", endpoint.name),
    )
    .did_you_mean(near)
    .fix_name(span(place), &endpoint.name, near, declared)
}

/// Rule 4: who else writes the topic.
fn second_writer<'p>(plan: &'p Plan, id: VertexId, topic: &Topic) -> Vec<Breach<'p>> {
    let shared = match topic.origin {
        TopicOrigin::Declared => topic.shared,
        TopicOrigin::Jobs { .. } => true,
        TopicOrigin::Errors { .. } | TopicOrigin::Late { .. } | TopicOrigin::Results { .. } => {
            false
        }
    };
    if shared {
        return Vec::new();
    }
    let mut writers: Vec<(WireRef<'p>, String)> = Vec::new();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for wire in plan.inputs(id) {
        let own = match (&topic.origin, plan.vertex(wire.from)) {
            (TopicOrigin::Results { operator }, Vertex::Endpoint(it)) => it.name == *operator,
            (TopicOrigin::Errors { .. }, _) => wire.wire.port == Port::Errors,
            (TopicOrigin::Late { .. }, Vertex::Step(step)) => matches!(step.verb, Verb::Late(_)),
            _ => false,
        };
        // Clients that reach it although no edge admits them are reported as that.
        let is_bypass = bypass(plan, &wire).is_some();
        let writer = writer(plan, &wire);
        if !is_bypass && known.insert(writer.clone()) {
            writers.push((wire, if own { String::new() } else { writer }));
        }
    }
    let has_owner = !matches!(topic.origin, TopicOrigin::Declared);
    writers
        .iter()
        .enumerate()
        .filter(|(at, (_, writer))| !writer.is_empty() && (has_owner || 0 < *at))
        .map(|(_, (wire, writer))| {
            let place = wire.wire.range;
            let first = match (&topic.origin, writers.first()) {
                (TopicOrigin::Declared, Some((wire, first))) => {
                    Some((wire.wire.range, first.clone()))
                }
                (TopicOrigin::Results { operator }, _) => {
                    Some((topic.ranges.name, format!("operator `{operator}`")))
                }
                (TopicOrigin::Errors { node } | TopicOrigin::Late { node }, _) => {
                    Some((topic.ranges.name, format!("node `{node}`")))
                }
                (TopicOrigin::Declared | TopicOrigin::Jobs { .. }, _) => None,
            };
            let diagnostic = written_twice(topic, place, writer, first);
            Breach { place, diagnostic, wires: vec![*wire] }
        })
        .collect()
}

fn writer(plan: &Plan, wire: &WireRef<'_>) -> String {
    match plan.vertex(wire.from) {
        Vertex::Client(_) => "clients".to_owned(),
        Vertex::Topic(topic) => format!("topic `{}`", topic.name),
        Vertex::Step(step) => format!("node `{}`", step.node),
        Vertex::Endpoint(endpoint) => format!("operator `{}`", endpoint.name),
    }
}

fn written_twice(
    topic: &Topic,
    range: TextRange,
    writer: &str,
    first: Option<(TextRange, String)>,
) -> Diagnostic {
    let name = &topic.name;
    let verb = if writer == "clients" { "write" } else { "writes" };
    let diagnostic = match first {
        Some((place, first)) => Diagnostic::new(
            topology::SECOND_WRITER,
            span(range),
            format!(
                "{writer} {verb} topic `{name}`, which {first} {} already",
                if first == "clients" { "write" } else { "writes" }
            ),
        )
        .secondary(span(place), first),
        None => Diagnostic::new(
            topology::SECOND_WRITER,
            span(range),
            format!("{writer} {verb} topic `{name}`, which has its own writer"),
        ),
    };
    match topic.origin {
        TopicOrigin::Declared => {
            diagnostic.help("bring the rows together in one node, with `from: [a, b]`").help(
                format!("or declare `{name}` with `shared: true`, if both are meant to write it"),
            )
        }
        TopicOrigin::Errors { .. }
        | TopicOrigin::Late { .. }
        | TopicOrigin::Jobs { .. }
        | TopicOrigin::Results { .. } => diagnostic.help("write a topic of the circuit's own"),
    }
}
