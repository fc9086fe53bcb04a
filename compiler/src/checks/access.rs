//! Access: roles name topics that exist, in directions that they have (E06xx, W0601).

use std::collections::BTreeSet;

use arqon_grammar::Diagnostic;
use arqon_grammar::code::{access, warnings};
use arqon_grammar::suggest::suggest;
use arqon_plan::{Grant, Plan, Port, Right, Role, Topic, TopicOrigin, Vertex};
use arqon_types::Edge;

use super::span;
use crate::report::Suggestions;

pub(super) fn check(plan: &Plan) -> Vec<Diagnostic> {
    let grants = plan.roles.iter().flat_map(|role| role.grants.iter().map(move |it| (role, it)));
    let mut suggestions = Suggestions::default();
    let mut seen = BTreeSet::new();
    grants
        .filter(|(role, grant)| seen.insert((&role.name, grant.right, &grant.target)))
        .filter_map(|(role, grant)| refused(plan, role, grant, &mut suggestions))
        .collect()
}

/// What is wrong with one entry. Nodes, operators and inner topics in it are the bypass check's
/// to report.
fn refused(
    plan: &Plan,
    role: &Role,
    grant: &Grant,
    suggestions: &mut Suggestions,
) -> Option<Diagnostic> {
    let (verb, allowed): (&str, fn(&Topic) -> bool) = match grant.right {
        Right::Publish => ("publish", Topic::admits_clients),
        Right::Subscribe => ("subscribe", Topic::emits_to_clients),
        Right::Execute => return None,
    };
    let Some(target) = plan.named(&grant.target) else {
        return (!is_errors_of(plan, grant)).then(|| unknown(plan, role, grant, suggestions));
    };
    match plan.vertex(target) {
        Vertex::Topic(topic) if !topic.is_inner() && !allowed(topic) => {
            Some(direction(role, grant, topic, verb))
        }
        Vertex::Topic(_) | Vertex::Client(_) | Vertex::Step(_) | Vertex::Endpoint(_) => None,
    }
}

/// `<node>.errors` and `<topic>.errors` are there for every node and topic, to be read.
fn is_errors_of(plan: &Plan, grant: &Grant) -> bool {
    let owner = grant.target.strip_suffix(".errors");
    grant.right == Right::Subscribe && owner.is_some_and(|owner| plan.named(owner).is_some())
}

fn unknown(plan: &Plan, role: &Role, grant: &Grant, suggestions: &mut Suggestions) -> Diagnostic {
    let topics = suggestions.candidates(plan.topics().map(|(_, topic)| topic.name.as_str()));
    let near = suggest(&grant.target, topics.iter().copied());
    Diagnostic::new(
        access::UNKNOWN_TOPIC,
        span(grant.range),
        format!("role `{}` names unknown topic `{}`", role.name, grant.target),
    )
    .did_you_mean(near)
    .fix_name(span(grant.range), &grant.target, near, topics)
}

fn direction(role: &Role, grant: &Grant, topic: &Topic, verb: &str) -> Diagnostic {
    let name = &topic.name;
    let has = match (&topic.origin, topic.edge) {
        (TopicOrigin::Declared, edge) => format!("whose `edge` is `{edge}`"),
        (TopicOrigin::Jobs { operator }, _) => format!("the jobs of operator `{operator}`"),
        (TopicOrigin::Results { operator }, _) => format!("the results of operator `{operator}`"),
        (TopicOrigin::Errors { node }, _) => format!("the errors of node `{node}`"),
        (TopicOrigin::Late { node }, _) => format!("what came too late for node `{node}`"),
    };
    let to = if verb == "publish" { "publish" } else { "subscribe" };
    let diagnostic = Diagnostic::new(
        access::DIRECTION,
        span(grant.range),
        format!("role `{}` may {to} to topic `{name}`, {has}", role.name),
    );
    if topic.origin != TopicOrigin::Declared {
        return match (&topic.origin, grant.right) {
            (TopicOrigin::Jobs { operator }, Right::Subscribe) => {
                diagnostic.help(format!("results are read from `{operator}.results`"))
            }
            _ => diagnostic,
        };
    }
    let place = topic.ranges.edge.unwrap_or(topic.ranges.name);
    let other = match (verb, topic.edge) {
        ("publish", Edge::Out) => Some("subscribe"),
        ("subscribe", Edge::In) => Some("publish"),
        _ => None,
    };
    let diagnostic = diagnostic.secondary(span(place), "the topic's side");
    let diagnostic = match other {
        Some(other) => diagnostic.help(format!("list it under `{other}`")),
        None => diagnostic,
    };
    diagnostic.help(format!("declare `{name}` with `edge: both`, if clients are to {verb}"))
}

/// Edge topics that no role may publish to; one warning for a circuit without any role.
pub(super) fn warnings(plan: &Plan) -> Vec<Diagnostic> {
    let grants = plan.roles.iter().flat_map(|role| &role.grants);
    let granted: BTreeSet<&str> = grants
        .filter(|grant| grant.right == Right::Publish)
        .map(|grant| grant.target.as_str())
        .collect();
    let closed: Vec<&Topic> = plan
        .topics()
        .map(|(_, topic)| topic)
        .filter(|topic| topic.origin == TopicOrigin::Declared && topic.edge.admits())
        .filter(|topic| !granted.contains(topic.name.as_str()))
        .collect();
    let place = |topic: &Topic| span(topic.ranges.edge.unwrap_or(topic.ranges.name));
    let first = closed.first().copied();
    match first {
        None => Vec::new(),
        Some(first) if plan.roles.is_empty() => {
            let names: Vec<String> =
                closed.iter().take(NAMES_MAX).map(|topic| format!("`{}`", topic.name)).collect();
            let more = closed.len().saturating_sub(NAMES_MAX);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let message = format!(
                "the circuit has no `access`, so no role may publish to {}{more}",
                names.join(", ")
            );
            vec![Diagnostic::new(warnings::NOBODY_MAY_PUBLISH, place(first), message).help(
                format!("add a role: `access: {{ writer: {{ publish: [{}] }} }}`", first.name),
            )]
        }
        Some(_) => closed
            .into_iter()
            .map(|topic| {
                Diagnostic::new(
                    warnings::NOBODY_MAY_PUBLISH,
                    place(topic),
                    format!("no role may publish to edge topic `{}`", topic.name),
                )
                .help(format!("list it under `publish` of a role: `publish: [{}]`", topic.name))
            })
            .collect(),
    }
}

/// Whether clients alone use a topic: they publish what they read.
pub(super) fn is_relayed(topic: &Topic) -> bool {
    match topic.edge {
        Edge::Both => true,
        Edge::None | Edge::In | Edge::Out => false,
    }
}

/// Whether the wire is a client's.
pub(super) fn is_of_clients(port: &Port) -> bool {
    match port {
        Port::Publish | Port::Subscribe => true,
        Port::Main
        | Port::Right
        | Port::Next
        | Port::Named(_)
        | Port::Errors
        | Port::Jobs
        | Port::Results
        | Port::Control
        | Port::Asked
        | Port::Metrics => false,
    }
}

/// Most names in one message.
const NAMES_MAX: usize = 4;
