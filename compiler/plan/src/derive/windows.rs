//! Windows: which columns are their bounds, and how many rows lie in windows that are open.
//!
//! A step whose keys name a bound holds the open windows only. That is kept from step to step as
//! long as nothing can change a closed window: a join passes it on only where both of its sides
//! are matched by a bound.

use std::collections::BTreeSet;
use std::sync::Arc;

use arqon_operators::Expr;
use arqon_types::{Discipline, TopicName, format_duration};
use smallvec::smallvec;

use super::keys::{self, path_of};
use crate::dataflow::{Join, JoinKind, JoinOutput};
use crate::facts::{ColumnPath, Extent, Facts, Held, Key, Keys, OpenWindows, State};
use crate::graph::Plan;
use crate::vertex::{FlowStep, Port, Verb, Vertex, VertexId, WindowFrame, WindowStep, WithinStep};

/// What a `window` step makes of its input.
pub(super) fn window(plan: &Plan, window: &WindowStep, input: &Facts, step: &FlowStep) -> Facts {
    let start = step.schema.fields.len().saturating_sub(2);
    let (windows, bounds) = match &window.frame {
        WindowFrame::Aligned { size, every } => {
            let n_windows = size.div_euclid(*every) + i64::from(size.rem_euclid(*every) != 0);
            let rows = rows_within(plan, &window.topics, *size);
            let rows = if n_windows == 1 { rows } else { format!("{n_windows} * {rows}").into() };
            (rows, vec![smallvec![start], smallvec![start + 1]])
        }
        WindowFrame::Session { .. } => {
            let rows: Vec<String> =
                window.topics.iter().map(|topic| format!("rows({topic}, open sessions)")).collect();
            (summed(&rows), vec![smallvec![start + 1]])
        }
    };
    let closes = !window.topics.is_empty();
    let open = closes.then(|| OpenWindows {
        bounds,
        rows: windows,
        topics: window.topics.clone(),
        at_once: window.is_final,
    });
    let is_session = matches!(window.frame, WindowFrame::Session { .. });
    let state = match (&open, &input.extent) {
        _ if !is_session && !window.is_final => State::Stateless,
        (_, Extent::Unknown) => State::Unknown,
        (Some(open), _) => State::Bounded(Arc::clone(&open.rows)),
        (None, Extent::Unbounded(topic)) => {
            State::Unbounded { topic: *topic, held: Held::Sessions }
        }
        (None, Extent::Rows(_) | Extent::Bounded(_)) => State::Bounded(input.extent.text()),
    };
    let discipline = match input.discipline {
        _ if window.is_final => Some(Discipline::Events),
        Some(_) if is_session => Some(Discipline::Delta),
        carried => carried,
    };
    // A closed window keeps its row of a key that has moved on, so the window is part of the key.
    let keyed = |key: &Key| {
        let mut key = key.clone();
        key.push(smallvec![start]);
        key
    };
    let windowed_keys = match window.frame {
        WindowFrame::Aligned { .. } => keys::capped(input.keys.iter().map(keyed).collect()),
        WindowFrame::Session { .. } => Keys::new(),
    };
    Facts {
        discipline,
        keys: windowed_keys,
        declared_key: input.declared_key.clone(),
        extent: window_extent(plan, window, input, &step.address),
        state,
        windows: open,
    }
}

/// A final window keeps what it said, so of a table it says more and more.
fn window_extent(plan: &Plan, window: &WindowStep, input: &Facts, address: &str) -> Extent {
    let source = window.topics.first().and_then(|topic| plan.named(topic.as_str()));
    match (&input.extent, source) {
        (Extent::Rows(_) | Extent::Bounded(_), Some(topic)) if window.is_final => {
            Extent::Unbounded(topic)
        }
        (extent, _) => match window.frame {
            WindowFrame::Aligned { size, every } if every < size => {
                let n_windows = size.div_euclid(every) + i64::from(size.rem_euclid(every) != 0);
                let n_windows = u64::try_from(n_windows).unwrap_or(u64::MAX);
                let factors = [Extent::Rows(n_windows), extent.clone()];
                Extent::product(factors.into_iter(), address)
            }
            WindowFrame::Aligned { .. } | WindowFrame::Session { .. } => extent.clone(),
        },
    }
}

/// Rows that came too late stay, also those of a table.
pub(super) fn late(plan: &Plan, topics: &[TopicName], input: &Facts) -> Facts {
    let source = topics.first().and_then(|topic| plan.named(topic.as_str()));
    Facts {
        discipline: Some(Discipline::Events),
        keys: Keys::new(),
        extent: source.map_or_else(|| input.extent.clone(), Extent::Unbounded),
        state: State::Stateless,
        windows: None,
        declared_key: input.declared_key.clone(),
    }
}

/// Whether rows that a step reads come to a `window` or a `within` by steps that take them one by
/// one. Both close by themselves, so such a step sees all rows of a topic, whatever it retains.
pub(super) fn are_led_to(plan: &Plan, id: VertexId) -> bool {
    let mut seen = BTreeSet::from([id]);
    let mut waiting = vec![id];
    while let Some(at) = waiting.pop() {
        let leads_on = match plan.vertex(at) {
            Vertex::Step(step) => match &step.verb {
                Verb::Window(_) | Verb::Within(_) => return true,
                verb => goes_row_by_row(verb),
            },
            Vertex::Topic(topic) => !topic.control,
            Vertex::Client(_) | Vertex::Endpoint(_) => false,
        };
        let next = plan.outputs(at).filter(|wire| leads_on && wire.wire.port == Port::Main);
        waiting.extend(next.map(|wire| wire.to).filter(|to| seen.insert(*to)));
    }
    false
}

fn goes_row_by_row(verb: &Verb) -> bool {
    match verb {
        Verb::From
        | Verb::Where(_)
        | Verb::Project(_)
        | Verb::Unnest(_)
        | Verb::Route(_)
        | Verb::Arm(_)
        | Verb::Carries(Discipline::Events | Discipline::Delta) => true,
        Verb::Window(_)
        | Verb::Within(_)
        | Verb::Late(_)
        | Verb::Carries(Discipline::Full)
        | Verb::Join(_)
        | Verb::Group(_)
        | Verb::Distinct
        | Verb::Over(_)
        | Verb::Top(_)
        | Verb::Variable(_)
        | Verb::Leave { .. }
        | Verb::Call(_)
        | Verb::Kernel(_)
        | Verb::Wasm(_)
        | Verb::Unknown => false,
    }
}

/// What a `within` step makes of its input: rows come, and go by themselves.
pub(super) fn within(plan: &Plan, within: &WithinStep, input: &Facts) -> Facts {
    let rows = rows_within(plan, &within.topics, within.last);
    Facts {
        discipline: Some(Discipline::Delta),
        extent: Extent::Bounded(Arc::clone(&rows)),
        state: State::Bounded(rows),
        keys: Keys::new(),
        windows: None,
        ..input.clone()
    }
}

/// `rows(bids, last 1m5s)`: what may lie within a length of the marks of these topics.
fn rows_within(plan: &Plan, topics: &[TopicName], length: i64) -> Arc<str> {
    let rows: Vec<String> = topics
        .iter()
        .map(|name| {
            let late = plan.named(name.as_str()).map_or(0, |id| match plan.vertex(id) {
                Vertex::Topic(topic) => topic.late,
                Vertex::Client(_) | Vertex::Step(_) | Vertex::Endpoint(_) => 0,
            });
            format!("rows({name}, last {})", format_duration(length.saturating_add(late)))
        })
        .collect();
    summed(&rows)
}

fn summed(rows: &[String]) -> Arc<str> {
    match rows {
        [one] => one.as_str().into(),
        _ => format!("({})", rows.join(" + ")).into(),
    }
}

/// Through a projection: the bounds that it copies.
pub(super) fn project(input: &Facts, fields: &[Expr]) -> Option<OpenWindows> {
    let open = input.windows.as_ref()?;
    let bounds: Vec<ColumnPath> = open
        .bounds
        .iter()
        .filter_map(|path| keys::project(&[smallvec![path.clone()]], fields).pop()?.pop())
        .collect();
    (!bounds.is_empty()).then(|| OpenWindows { bounds, ..open.clone() })
}

/// The bounds among these expressions, by their places; none without one.
pub(super) fn among(input: &Facts, keys: &[Expr]) -> Option<OpenWindows> {
    let open = input.windows.as_ref()?;
    let is_bound = |expr: &Expr| path_of(expr).is_some_and(|path| open.bounds.contains(&path));
    let bounds: Vec<ColumnPath> = keys
        .iter()
        .enumerate()
        .filter(|(_, key)| is_bound(key))
        .map(|(place, _)| smallvec![place])
        .collect();
    (!bounds.is_empty()).then(|| OpenWindows { bounds, ..open.clone() })
}

/// What is computed of windows changes, unless their rows come all at once.
pub(super) fn said_once(windows: Option<&OpenWindows>) -> Discipline {
    match windows {
        Some(windows) if windows.at_once => Discipline::Events,
        Some(_) | None => Discipline::Delta,
    }
}

/// Through a union: what all inputs have in common.
pub(super) fn union(inputs: &[&Facts]) -> Option<OpenWindows> {
    let mut open = inputs.iter().map(|input| input.windows.as_ref());
    let first = open.next()??;
    let mut rows = vec![first.rows.to_string()];
    let mut result = first.clone();
    for other in open {
        let other = other.filter(|other| other.bounds == first.bounds)?;
        rows.push(other.rows.to_string());
        result = together(&result, other);
    }
    Some(OpenWindows { rows: summed(&rows), ..result })
}

/// The first windows, closed by the marks of both.
fn together(one: &OpenWindows, other: &OpenWindows) -> OpenWindows {
    let mut topics = [one.topics.as_slice(), other.topics.as_slice()].concat();
    topics.sort();
    topics.dedup();
    let is_same = one.topics == other.topics;
    OpenWindows { topics, at_once: one.at_once && other.at_once && is_same, ..one.clone() }
}

/// The sides of a join whose match names a bound on both; what it holds then, and the windows of
/// its rows.
pub(super) fn join(
    join: &Join,
    (left, right): (&Facts, &Facts),
    n_left: usize,
    address: &str,
) -> Option<(State, OpenWindows)> {
    let (left, right) = (left.windows.as_ref()?, right.windows.as_ref()?);
    let is_bound = |open: &OpenWindows, key: &Expr| {
        path_of(key).is_some_and(|path| open.bounds.contains(&path))
    };
    let matched = join
        .left_key
        .iter()
        .zip(&join.right_key)
        .any(|(one, other)| is_bound(left, one) && is_bound(right, other));
    if !matched {
        return None;
    }
    let state = State::Bounded(format!("{} + {}", left.rows, right.rows).into());
    let moved = |path: &ColumnPath| -> ColumnPath {
        match (join.output, path.split_first()) {
            (JoinOutput::Flat, Some((first, rest))) => {
                std::iter::once(first + n_left).chain(rest.iter().copied()).collect()
            }
            (JoinOutput::Nested | JoinOutput::LeftOnly, _) | (JoinOutput::Flat, None) => {
                std::iter::once(n_left).chain(path.iter().copied()).collect()
            }
        }
    };
    let open = match join.kind {
        JoinKind::Semi | JoinKind::Anti => together(left, right),
        JoinKind::Inner | JoinKind::Left | JoinKind::Full => {
            // The bounds of a side that is missing are none.
            let [misses_left, _] = join.kind.may_miss();
            let mut bounds = if misses_left { Vec::new() } else { left.bounds.clone() };
            if join.kind == JoinKind::Inner {
                bounds.extend(right.bounds.iter().map(moved));
            }
            let rows = format!("rows({address}, open windows)").into();
            OpenWindows { bounds, rows, ..together(left, right) }
        }
    };
    Some((state, open))
}

/// What a topic that only the flow writes keeps of its one writer's windows.
pub(super) fn topic(plan: &Plan, id: VertexId, known: &[Option<Facts>]) -> Option<OpenWindows> {
    let Vertex::Topic(topic) = plan.vertex(id) else { return None };
    let mut wires = plan.inputs(id);
    let (wire, None) = (wires.next()?, wires.next()) else { return None };
    if topic.edge.admits() || topic.shared || topic.control {
        return None;
    }
    let open = known[wire.from.index()].as_ref()?.windows.as_ref()?;
    let bounds: Vec<ColumnPath> = open
        .bounds
        .iter()
        .filter_map(|path| match path.as_slice() {
            [column] => {
                let field = wire.wire.schema.fields.get(*column)?;
                Some(smallvec![topic.schema.position(&field.name)?])
            }
            _ => None,
        })
        .collect();
    // Where one row per key passes, a key without the window is about all windows.
    let in_key = |bound: &ColumnPath| topic.key.iter().any(|column| bound.as_slice() == [*column]);
    let is_told = topic.key.is_empty() || bounds.iter().any(in_key);
    (is_told && !bounds.is_empty()).then(|| OpenWindows { bounds, ..open.clone() })
}
