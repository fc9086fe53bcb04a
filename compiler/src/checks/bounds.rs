//! State: whatever a step holds has a bound that can be printed (E0302).

use arqon_grammar::Diagnostic;
use arqon_grammar::code::{discipline, warnings};
use arqon_plan::{FlowStep, Held, Plan, State, Topic, Vertex, VertexId};
use arqon_types::Discipline;

use super::span;

/// The first step on each way that would hold events without end. What comes after it only
/// inherits the fault, and is not reported.
pub(super) fn check(plan: &Plan) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut cause: Vec<Option<VertexId>> = vec![None; plan.n_vertices()];
    for id in plan.walk() {
        let inherited: Vec<VertexId> =
            plan.inputs(id).filter_map(|wire| cause[wire.from.index()]).collect();
        cause[id.index()] = inherited.first().copied();
        let (Vertex::Step(step), State::Unbounded { topic, held }) =
            (plan.vertex(id), &plan.facts(id).state)
        else {
            continue;
        };
        let inherits = inherited.contains(topic);
        cause[id.index()] = Some(*topic);
        if let (false, Vertex::Topic(source)) = (inherits, plan.vertex(*topic)) {
            found.push((step.range, report(step, source, held)));
        }
    }
    found.sort_by_key(|(range, _)| *range);
    found.into_iter().map(|(_, diagnostic)| diagnostic).collect()
}

/// Topics that keep every event for late subscribers.
pub(super) fn growing_topics(plan: &Plan) -> Vec<Diagnostic> {
    let growing = |(id, topic)| match &plan.facts(id).state {
        State::Unbounded { topic: source, held: Held::Topic } => {
            Some(grows(plan, (id, topic), *source))
        }
        State::Stateless | State::Bounded(_) | State::Unbounded { .. } | State::Unknown => None,
    };
    plan.topics().filter_map(growing).collect()
}

fn grows(plan: &Plan, (id, topic): (VertexId, &Topic), source: VertexId) -> Diagnostic {
    let held = match plan.vertex(source) {
        Vertex::Topic(source) => ever(source),
        Vertex::Step(_) | Vertex::Client(_) | Vertex::Endpoint(_) => "every row".to_owned(),
    };
    let source = plan.label(source);
    let place = topic.ranges.carries.unwrap_or(topic.ranges.name);
    if plan.facts(id).is_windowed() {
        let message = format!(
            "topic `{}` keeps what is said of every window of `{source}`, for late subscribers",
            topic.name
        );
        let remedy = if plan.facts(id).is_final() {
            format!("let `{}` carry `events`: each window comes once", topic.name)
        } else {
            format!(
                "let the window be `final: true` and `{}` carry `events`: then each window comes \
                 once",
                topic.name
            )
        };
        return Diagnostic::new(warnings::GROWING_TOPIC, span(place), message).help(remedy);
    }
    Diagnostic::new(
        warnings::GROWING_TOPIC,
        span(place),
        format!("topic `{}` keeps {held}, for late subscribers", topic.name),
    )
    .help(format!("let `{}` carry `events`: its rows are never retracted", topic.name))
    .help(format!("or give `{source}` a bound, as in `retain: 1h`"))
}

fn report(step: &FlowStep, source: &Topic, held: &Held) -> Diagnostic {
    let (address, topic) = (&step.address, &source.name);
    let rows = ever(source);
    let (message, remedy) = match held {
        Held::JoinLeft | Held::JoinRight => (format!("`join` at `{address}` holds {rows}"), None),
        Held::Groups(keys) => (
            format!("`group` at `{address}` holds a group for every {} of `{topic}`", listed(keys)),
            Some(match source.key.as_slice() {
                [] => "or group by fields of type `bool` or `enum`, or by the topic's `key`, \
                       once it is declared"
                    .to_owned(),
                _ => format!("or group by the topic's key (`{}`)", source.key_names()),
            }),
        ),
        Held::Values(aggregates) => (
            format!(
                "`group` at `{address}` holds every value that {} saw of `{topic}`",
                listed(aggregates)
            ),
            Some(
                "or use aggregates that hold a number: `count`, `sum`, `avg`, `any`, `all`, \
                 `stddev`, `variance`"
                    .to_owned(),
            ),
        ),
        Held::Distinct => (
            format!("`distinct` at `{address}` holds every row of `{topic}`"),
            Some("or take only fields of type `bool` or `enum`".to_owned()),
        ),
        Held::Loop => (format!("`loop` at `{address}` holds {rows}"), None),
        Held::Sessions => {
            (format!("`window` at `{address}` holds {rows}: no session closes"), None)
        }
        Held::Over => (format!("`over` at `{address}` holds {rows}"), None),
        Held::Top => (format!("`top` at `{address}` holds {rows}"), None),
        Held::Kernel(port) => {
            (format!("`kernel` at `{address}` holds {rows} (port `{port}`)"), None)
        }
        Held::Topic => (format!("`{address}` holds {rows}"), None),
    };
    let keyed = match source.key.as_slice() {
        [] => "and a `key`".to_owned(),
        _ => format!("(its key is `{}`)", source.key_names()),
    };
    let mut diagnostic = Diagnostic::new(discipline::UNBOUNDED_STATE, span(step.range), message)
        .label("this state has no bound")
        .secondary(
            span(source.ranges.carries.unwrap_or(source.ranges.name)),
            match source.discipline {
                Discipline::Events => {
                    format!("`{topic}` carries `events`, which are never retracted")
                }
                Discipline::Full | Discipline::Delta => {
                    format!("what is in a window of `{topic}` when it closes is never retracted")
                }
            },
        );
    if source.discipline == Discipline::Events {
        diagnostic = diagnostic.help(format!(
            "let `{topic}` carry what can be replaced: `carries: full` {keyed}; or what its \
             producers retract: `carries: delta`"
        ));
    }
    if let Some(remedy) = remedy {
        diagnostic = diagnostic.help(remedy);
    }
    if !matches!(held, Held::Kernel(_)) {
        diagnostic = diagnostic.help(match source.time {
            Some(_) if source.discipline != Discipline::Events => match held {
                Held::JoinLeft | Held::JoinRight => {
                    "join within windows: both sides of `match` name `window_end`"
                }
                _ => "count per window: `window_end` among its keys",
            }
            .to_owned(),
            Some(_) => "or count in windows: a `window` before it, and `window_end` among its keys"
                .to_owned(),
            None => format!(
                "or count in windows: `time` on topic `{topic}`, a `window` before it, and \
                 `window_end` among its keys"
            ),
        });
    }
    // A window holds its rows whatever its topic retains.
    if source.discipline == Discipline::Events && source.retained_text().is_none() {
        diagnostic = diagnostic
            .help(format!("or say how long events count: `retain: 1h` on topic `{topic}`"));
    }
    diagnostic.note("`--allow unbounded` accepts it as it is")
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What is held of a topic whose rows are not taken back. Rows that can be replaced are held for
/// good where a window closes over them.
fn ever(source: &Topic) -> String {
    match source.discipline {
        Discipline::Events => format!("every event of `{}`", source.name),
        Discipline::Full | Discipline::Delta => {
            format!("every row that `{}` ever had", source.name)
        }
    }
}
