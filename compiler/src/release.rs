//! Pass `release`: what a step holds of a window goes when the window closes.
//!
//! Law: rows of a closed window change no more, so neither does what is computed of them, as long
//! as the window's bound is part of every key on the way. A join hands a bound on only where its
//! match names one on both sides; then neither side sees a closed window again.

use std::collections::BTreeSet;
use std::sync::Arc;

use arqon_operators::{Expr, ExprKind};
use arqon_plan::{
    DataflowPlan, Frame, Join, JoinKind, JoinOutput, Map, Operator, Over, Release, StageKind, Step,
    StepId, Top, Window,
};
use arqon_types::TopicName;
use smallvec::SmallVec;

use crate::reuse::without_released;

/// The same plan, whose steps let go of closed windows.
pub(crate) fn release(mut plan: DataflowPlan) -> DataflowPlan {
    let mut known: Vec<Vec<Bound>> = Vec::with_capacity(plan.steps.len());
    let mut releases = Vec::new();
    let sources = source_topics(&plan);
    for (idx, step) in plan.steps.iter().enumerate() {
        let inputs: SmallVec<[&[Bound]; 2]> =
            step.inputs.iter().map(|id| known[id.index()].as_slice()).collect();
        let (bounds, released) = match &step.operator {
            Operator::Window(window) => {
                let topics = closing_topics(&plan, &sources[idx]);
                (window_bounds(step, window, inputs[0], &topics), None)
            }
            _ => bounds(&plan, step, &inputs),
        };
        releases.extend(released.map(|(key, bound)| Release {
            step: StepId::at(idx),
            key,
            slack: bound.slack,
            topics: bound.topics,
        }));
        drop(inputs);
        known.push(bounds);
    }
    let released: BTreeSet<StepId> =
        releases.iter().map(|release: &Release| release.step).collect();
    plan.arrangements = without_released(plan.arrangements, &released);
    plan.releases = releases;
    plan
}

/// A column, or a field of one, that says which window a row belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    /// The column, then the field within it, and so on.
    path: Vec<usize>,
    /// The window is closed as soon as the bound and this are no later than the least mark.
    slack: i64,
    /// Whose marks count.
    topics: Vec<TopicName>,
}

/// The topics whose rows each step's rows with marks come from.
fn source_topics(plan: &DataflowPlan) -> Vec<Arc<[TopicName]>> {
    let mut all: Vec<Arc<[TopicName]>> = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        all.push(match (step.operator.source(), step.inputs.as_slice()) {
            (Some(topic), _) => Arc::new([topic.clone()]),
            (None, [one]) => Arc::clone(&all[one.index()]),
            (None, inputs) => {
                let topics = inputs.iter().flat_map(|id| all[id.index()].iter());
                topics.collect::<BTreeSet<_>>().into_iter().cloned().collect()
            }
        });
    }
    all
}

/// These topics, if all of them say how far their time is.
fn closing_topics(plan: &DataflowPlan, topics: &[TopicName]) -> Vec<TopicName> {
    let is_timed = |name: &TopicName| {
        plan.topics.iter().any(|topic| topic.name == *name && topic.time.is_some())
    };
    if topics.iter().all(is_timed) { topics.to_vec() } else { Vec::new() }
}

fn window_bounds(
    step: &Step,
    window: &Window,
    input: &[Bound],
    topics: &[TopicName],
) -> Vec<Bound> {
    let mut bounds = input.to_vec();
    if let (Frame::Aligned { size, .. }, false) = (window.frame, topics.is_empty()) {
        let start = step.schema.fields.len() - 2 - usize::from(window.keeps_mark);
        let bound = |column, slack| Bound { path: vec![column], slack, topics: topics.to_vec() };
        bounds.extend([bound(start + 1, 0), bound(start, size)]);
    }
    bounds
}

/// The bounds of a step's output, and the part of its key that is one.
fn bounds(
    plan: &DataflowPlan,
    step: &Step,
    inputs: &[&[Bound]],
) -> (Vec<Bound>, Option<(usize, Bound)>) {
    match &step.operator {
        Operator::Source(_)
        | Operator::Log(_)
        | Operator::Latest(_)
        | Operator::Variable(_)
        | Operator::Next(_)
        | Operator::Leave(_)
        | Operator::Errors(_)
        | Operator::Window(_)
        | Operator::Late(_)
        | Operator::Within(_)
        | Operator::Retain(_)
        | Operator::Kernel(_)
        | Operator::Measured(_) => (Vec::new(), None),
        Operator::Map(map) => (map_bounds(map, inputs[0].to_vec()), None),
        Operator::Union => (common(inputs), None),
        Operator::Route(_) | Operator::Arm(_) | Operator::Final(_) => (inputs[0].to_vec(), None),
        Operator::Session(session) if session.topics.is_empty() => (Vec::new(), None),
        Operator::Session(session) => {
            let end = step.schema.fields.len() - 1;
            let topics = session.topics.clone();
            (vec![Bound { path: vec![end], slack: session.gap, topics }], None)
        }
        Operator::Group(group) => {
            let found = among(inputs[0], &group.keys);
            (found.iter().map(at_key).collect(), found.into_iter().next())
        }
        Operator::Top(Top { per, .. }) | Operator::Over(Over { per, .. }) => {
            let found = among(inputs[0], per).into_iter().next();
            let bounds = if found.is_some() { inputs[0].to_vec() } else { Vec::new() };
            (bounds, found)
        }
        Operator::Distinct => {
            let whole = |bound: &&Bound| bound.path.len() == 1;
            let found = inputs[0].iter().find(whole).map(|bound| (bound.path[0], bound.clone()));
            let bounds = if found.is_some() { inputs[0].to_vec() } else { Vec::new() };
            (bounds, found)
        }
        Operator::Unique { key } => {
            let place = |bound: &Bound| {
                let [column] = bound.path.as_slice() else { return None };
                let place = key.iter().position(|at| at == column)?;
                Some((place, bound.clone()))
            };
            let found = inputs[0].iter().find_map(place);
            let bounds = if found.is_some() { inputs[0].to_vec() } else { Vec::new() };
            (bounds, found)
        }
        Operator::Join(join) => {
            let n_left = plan.steps[step.inputs[0].index()].schema.fields.len();
            join_bounds(join, inputs[0], inputs[1], n_left)
        }
    }
}

/// The bounds among expressions, with their places.
fn among(input: &[Bound], exprs: &[Expr]) -> Vec<(usize, Bound)> {
    let of = |expr: &Expr| {
        let path = path_of(expr)?;
        input.iter().find(|bound| bound.path == path).cloned()
    };
    exprs.iter().enumerate().filter_map(|(at, expr)| Some((at, of(expr)?))).collect()
}

fn at_key((at, bound): &(usize, Bound)) -> Bound {
    Bound { path: vec![*at], ..bound.clone() }
}

fn map_bounds(map: &Map, mut bounds: Vec<Bound>) -> Vec<Bound> {
    for stage in &map.stages {
        if bounds.is_empty() {
            break;
        }
        if let StageKind::Project(exprs) = &stage.kind {
            let copies: Vec<Option<Vec<usize>>> = exprs.iter().map(path_of).collect();
            bounds = bounds.iter().flat_map(|bound| moved(bound, &copies)).collect();
        }
    }
    bounds
}

/// Where a projection copies a bound to.
fn moved(bound: &Bound, copies: &[Option<Vec<usize>>]) -> Vec<Bound> {
    let to = |(column, copied): (usize, &Option<Vec<usize>>)| {
        let rest = bound.path.strip_prefix(copied.as_deref()?)?;
        let path = std::iter::once(column).chain(rest.iter().copied()).collect();
        Some(Bound { path, ..bound.clone() })
    };
    copies.iter().enumerate().filter_map(to).collect()
}

/// The bounds that all inputs of a union have, closed by the marks of all of them.
fn common(inputs: &[&[Bound]]) -> Vec<Bound> {
    let Some((first, rest)) = inputs.split_first() else { return Vec::new() };
    let in_all = |bound: &Bound| {
        let mut bound = bound.clone();
        for input in rest {
            let other = input
                .iter()
                .find(|other| other.path == bound.path && other.slack == bound.slack)?;
            bound.topics = together(&bound.topics, &other.topics);
        }
        Some(bound)
    };
    first.iter().filter_map(in_all).collect()
}

fn together(one: &[TopicName], other: &[TopicName]) -> Vec<TopicName> {
    let mut topics = [one, other].concat();
    topics.sort();
    topics.dedup();
    topics
}

fn join_bounds(
    join: &Join,
    left: &[Bound],
    right: &[Bound],
    n_left: usize,
) -> (Vec<Bound>, Option<(usize, Bound)>) {
    let of_right = among(right, &join.right_key);
    let both = among(left, &join.left_key).into_iter().find_map(|(at, one)| {
        let (_, other) = of_right.iter().find(|(place, _)| *place == at)?;
        let topics = together(&one.topics, &other.topics);
        let delay = one.slack.abs_diff(other.slack).try_into().unwrap_or(i64::MAX);
        Some((at, Bound { slack: one.slack.max(other.slack), topics, ..one }, delay))
    });
    let Some((at, released, delay)): Option<(usize, Bound, i64)> = both else {
        return (Vec::new(), None);
    };
    // Matched by beginning and end, a window closes for one side before it does for the other.
    let late = |bound: &Bound| Bound {
        slack: bound.slack.saturating_add(delay),
        topics: together(&bound.topics, &released.topics),
        ..bound.clone()
    };
    let [misses_left, _] = join.kind.may_miss();
    let mut bounds: Vec<Bound> =
        if misses_left { Vec::new() } else { left.iter().map(late).collect() };
    if join.kind == JoinKind::Inner {
        bounds.extend(right.iter().map(|bound| {
            let path = match join.output {
                JoinOutput::Nested | JoinOutput::LeftOnly => {
                    std::iter::once(n_left).chain(bound.path.iter().copied()).collect()
                }
                JoinOutput::Flat => {
                    let (first, rest) = bound.path.split_first().expect("a path has a column");
                    std::iter::once(first + n_left).chain(rest.iter().copied()).collect()
                }
            };
            late(&Bound { path, ..bound.clone() })
        }));
    }
    (bounds, Some((at, released)))
}

/// The place in its row that an expression only copies.
fn path_of(expr: &Expr) -> Option<Vec<usize>> {
    match &expr.kind {
        ExprKind::Column(column) => Some(vec![*column]),
        ExprKind::Field { of, idx } => {
            let mut path = path_of(of)?;
            path.push(*idx);
            Some(path)
        }
        _ => None,
    }
}
