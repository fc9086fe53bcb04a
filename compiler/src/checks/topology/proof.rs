//! The proof that nothing passes by the bus, as text: `arqon check --explain no-bypass`.

use std::fmt::Write as _;

use arqon_plan::{Plan, Port, Side, TopicOrigin, Vertex, VertexId, WireRef};

use super::{Breach, breaches};
use crate::checks::paths::{drawn, shortest};

/// Rule by rule, what was looked at and what holds; at the end, the verdict.
///
/// The text lists the wires of every client and operator, the ways from clients to operators
/// with the topics on them, and the writers of every topic, so that a reader can check it by
/// hand against the picture of the circuit. Of each breach it draws the way on which rows come to
/// it, from a client where one leads there.
pub fn no_bypass_proof(plan: &Plan) -> String {
    let mut text = String::new();
    let found = breaches(plan);
    let verdict = if found.is_empty() { "holds" } else { "does NOT hold" };
    line(&mut text, format_args!("no bypass in `{}`: {verdict}", plan.circuit));
    clients(plan, &mut text);
    operators(plan, &mut text);
    ways(plan, &mut text);
    writers(plan, &mut text);
    for breach in &found {
        let Breach { diagnostic, .. } = breach;
        line(&mut text, format_args!("\n  VIOLATED [{}] {}", diagnostic.code, diagnostic.message));
        if !breach.wires.is_empty() {
            line(&mut text, format_args!("     way: {}", drawn(plan, &way(plan, breach))));
        }
    }
    text
}

/// The wires of a breach behind the shortest way from a client to the first of them.
fn way<'p>(plan: &'p Plan, breach: &Breach<'p>) -> Vec<WireRef<'p>> {
    let start = breach.wires.first().map(|wire| wire.from);
    let is_client = |id: VertexId| matches!(plan.vertex(id), Vertex::Client(_));
    let before = start.filter(|start| !is_client(*start)).and_then(|start| {
        let clients = plan.vertices().map(|(id, _)| id).filter(|id| is_client(*id));
        let outputs = |at| plan.outputs(at);
        let way = |client| shortest(plan.n_vertices(), client, |at| at == start, outputs);
        let ways = clients.filter_map(way);
        ways.min_by_key(Vec::len)
    });
    before.into_iter().flatten().chain(breach.wires.iter().copied()).collect()
}

fn clients(plan: &Plan, text: &mut String) {
    let mut lines = Vec::new();
    for (id, vertex) in plan.vertices() {
        let Vertex::Client(client) = vertex else { continue };
        let wires: Vec<WireRef<'_>> = match client.side {
            Side::In => plan.outputs(id).collect(),
            Side::Out => plan.inputs(id).collect(),
        };
        for wire in wires {
            let inside = if wire.from == id { wire.to } else { wire.from };
            lines.push(format!("{}   {}", drawn(plan, &[wire]), nature(plan, inside)));
        }
    }
    let n_wires = lines.len();
    section(text, "1", &format!("each of the {n_wires} wires of clients ends at an edge topic"));
    items(text, &lines, "no clients");
}

fn nature(plan: &Plan, id: VertexId) -> String {
    match plan.vertex(id) {
        Vertex::Topic(topic) => match &topic.origin {
            TopicOrigin::Declared => format!("topic, edge: {}", topic.edge),
            TopicOrigin::Errors { node } => format!("topic, errors of `{node}`"),
            TopicOrigin::Late { node } => format!("topic, late rows of `{node}`"),
            TopicOrigin::Jobs { operator } => format!("topic, jobs of `{operator}`"),
            TopicOrigin::Results { operator } => format!("topic, results of `{operator}`"),
        },
        Vertex::Client(_) => "NOT a topic: clients".to_owned(),
        Vertex::Step(step) => format!("NOT a topic: step `{}`", step.address),
        Vertex::Endpoint(endpoint) => format!("NOT a topic: operator `{}`", endpoint.name),
    }
}

fn operators(plan: &Plan, text: &mut String) {
    let mut lines = Vec::new();
    for (id, endpoint) in plan.endpoints() {
        let name = |ids: Vec<VertexId>| {
            let names: Vec<&str> = ids.into_iter().map(|id| plan.label(id)).collect();
            if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
        };
        let reads = name(plan.inputs(id).map(|wire| wire.from).collect());
        let writes = name(plan.outputs(id).map(|wire| wire.to).collect());
        let declared = if endpoint.declared { "declared" } else { "NOT declared" };
        lines.push(format!("{} ({declared}) reads {reads}; writes {writes}", endpoint.name));
    }
    section(text, "2", "each operator is declared, and touches only its own jobs and results");
    items(text, &lines, "no operators");
}

/// The shortest way from each client to each operator, and the topics it leads through.
fn ways(plan: &Plan, text: &mut String) {
    let mut lines = Vec::new();
    for (id, vertex) in plan.vertices() {
        if !matches!(vertex, Vertex::Client(_)) {
            continue;
        }
        for (endpoint, _) in plan.endpoints() {
            let outputs = |at| plan.outputs(at).filter(|wire| wire.wire.port != Port::Results);
            let way = shortest(plan.n_vertices(), id, |at| at == endpoint, outputs);
            let Some(way) = way else { continue };
            let topics: Vec<&str> = way
                .iter()
                .filter(|wire| matches!(plan.vertex(wire.to), Vertex::Topic(_)))
                .map(|wire| plan.label(wire.to))
                .collect();
            let through = match topics.as_slice() {
                [] => "through NO topic".to_owned(),
                topics => format!("through {}", topics.join(", ")),
            };
            lines.push(format!("{}   {through}", drawn(plan, &way)));
        }
    }
    section(text, "3", "each way from a client to an operator leads through topics");
    items(text, &lines, "no such way");
}

fn writers(plan: &Plan, text: &mut String) {
    let mut lines = Vec::new();
    for (id, topic) in plan.topics() {
        let mut names: Vec<String> = Vec::new();
        for wire in plan.inputs(id) {
            let name = super::writer(plan, &wire);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let shared = match topic.origin {
            TopicOrigin::Jobs { .. } => " (shared: jobs)",
            TopicOrigin::Declared if topic.shared => " (shared)",
            TopicOrigin::Declared
            | TopicOrigin::Errors { .. }
            | TopicOrigin::Late { .. }
            | TopicOrigin::Results { .. } => "",
        };
        let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
        lines.push(format!("{}{shared}: {names}", topic.name));
    }
    section(text, "4", "each topic has one writer, unless it is shared");
    items(text, &lines, "no topics");
}

fn section(text: &mut String, number: &str, title: &str) {
    line(text, format_args!("\n  {number}. {title}"));
}

fn items(text: &mut String, lines: &[String], none: &str) {
    if lines.is_empty() {
        line(text, format_args!("     ({none})"));
    }
    for item in lines {
        line(text, format_args!("     {item}"));
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("writing to a String cannot fail");
}
