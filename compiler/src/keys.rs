//! Which columns of a collection are provably a key: at most one row has any combination.

use std::collections::BTreeMap;

use arqon_operators::{Expr, ExprKind};
use arqon_plan::{
    DataflowPlan, Frame, Join, JoinKind, JoinOutput, KernelColumn, KernelPlan, Map, Operator, Over,
    OverKind, StageKind, Step, Ties, Top, Window,
};
use arqon_types::{Discipline, TopicName};
use smallvec::{SmallVec, smallvec};

/// Positions of columns, in any order. Held in place, since every step has a few.
pub(crate) type Columns = SmallVec<[usize; 2]>;

/// Candidate keys of a collection, each a set of column positions; none where nothing is known.
/// The empty set says that there is at most one row in all.
pub(crate) type Keys = SmallVec<[Columns; 1]>;

/// Whether `columns` hold a proven key.
pub(crate) fn proves(keys: &Keys, columns: &[usize]) -> bool {
    keys.iter().any(|key| key.iter().all(|column| columns.contains(column)))
}

/// The candidate keys of each step.
pub(crate) fn plan_keys(plan: &DataflowPlan) -> Vec<Keys> {
    let declared: BTreeMap<&TopicName, &[usize]> = (plan.topics.iter())
        .filter(|topic| topic.discipline == Discipline::Full && !topic.key.is_empty())
        .map(|topic| (&topic.name, topic.key.as_slice()))
        .collect();
    let mut keys: Vec<Keys> = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let source_key = match &step.operator {
            Operator::Source(name) => declared.get(name).copied(),
            _ => None,
        };
        keys.push(step_keys(step, &plan.steps, &keys, source_key));
    }
    keys
}

/// The candidate keys of a step behind `steps`, whose keys are known. For a source, `source_key` is
/// what its topic guarantees.
pub(crate) fn step_keys(
    step: &Step,
    steps: &[Step],
    keys: &[Keys],
    source_key: Option<&[usize]>,
) -> Keys {
    let n_left = step.inputs.first().map_or(0, |id| steps[id.index()].schema.fields.len());
    let inputs: SmallVec<[&Keys; 2]> = step.inputs.iter().map(|id| &keys[id.index()]).collect();
    output_keys(&step.operator, &inputs, n_left, step.schema.fields.len(), source_key)
}

/// The candidate keys of an operator's output; `inputs` are those of its inputs, `n_left` is the
/// number of columns of the first one. For a source, `source_key` is what its topic guarantees.
pub(crate) fn output_keys(
    operator: &Operator,
    inputs: &[&Keys],
    n_left: usize,
    n_columns: usize,
    source_key: Option<&[usize]>,
) -> Keys {
    let input = || inputs.first().map_or_else(Keys::new, |keys| (*keys).clone());
    match operator {
        Operator::Source(_) => {
            source_key.map(|key| key.iter().copied().collect()).into_iter().collect()
        }
        Operator::Map(map) => map_keys(map, input(), n_left),
        Operator::Log(_) | Operator::Union | Operator::Errors(_) => Keys::new(),
        Operator::Route(_) | Operator::Arm(_) => input(),
        Operator::Join(join) => join_keys(join, inputs, n_left),
        Operator::Group(group) => smallvec![(0..group.keys.len()).collect()],
        Operator::Distinct => {
            let mut keys = input();
            keys.push((0..n_columns).collect());
            bounded(keys)
        }
        Operator::Top(top) => top_keys(top, input(), n_columns),
        Operator::Over(over) => over_keys(over, input(), n_left),
        Operator::Latest(latest) => smallvec![latest.key.iter().copied().collect()],
        // What a variable keeps to is its loop's merge; `lower` knows it.
        Operator::Variable(_) | Operator::Next(_) => Keys::new(),
        Operator::Leave(_) => input(),
        Operator::Unique { key } => {
            let mut keys = input();
            keys.push(key.iter().copied().collect());
            bounded(keys)
        }
        Operator::Window(window) => window_keys(window, input(), n_columns),
        // What is retracted once it was late was perhaps never there, so nothing is a key.
        Operator::Late(_) => Keys::new(),
        // Of a `full` topic only what is there is newer than what it replaces.
        Operator::Retain(_) => Keys::new(),
        Operator::Kernel(kernel) => kernel_keys(kernel, n_columns),
        Operator::Measured(measured) if !measured.key.is_empty() => {
            smallvec![measured.key.iter().copied().collect()]
        }
        Operator::Measured(_) => Keys::new(),
        // Each row is in one session, and keeps the place of its columns.
        Operator::Session(_) | Operator::Final(_) | Operator::Within(_) => input(),
    }
}

/// A row in several windows is told apart by their beginnings. What a closed window holds stays,
/// so that of a key that moved on there may be one row in each window.
fn window_keys(window: &Window, keys: Keys, n_columns: usize) -> Keys {
    match window.frame {
        Frame::Aligned { .. } => {
            let start = n_columns - 2 - usize::from(window.keeps_mark);
            keys.into_iter()
                .map(|mut key| {
                    key.push(start);
                    key
                })
                .collect()
        }
        Frame::Own { .. } => Keys::new(),
    }
}

/// What a kernel puts out is told apart as are the rows that it belongs to; vertices by their ids,
/// cells by their places.
fn kernel_keys(kernel: &KernelPlan, n_columns: usize) -> Keys {
    let output = kernel.kernel.output(&kernel.arguments);
    let column_of = |wanted: KernelColumn| kernel.columns.iter().position(|it| *it == wanted);
    let key: Option<Vec<usize>> = match output.along {
        Some(along) => kernel.ports.iter().find(|port| port.name == along).and_then(|port| {
            port.key.iter().map(|at| column_of(KernelColumn::Along(*at))).collect()
        }),
        None => output
            .places()
            .filter_map(|name| output.fields.iter().position(|(field, _)| *field == name))
            .map(|at| column_of(KernelColumn::Made(at)))
            .collect(),
    };
    let key = key.filter(|key| !key.is_empty() && key.iter().all(|at| *at < n_columns));
    key.map(|key| key.into_iter().collect()).into_iter().collect()
}

fn map_keys(map: &Map, mut keys: Keys, n_input: usize) -> Keys {
    let mut width = n_input;
    for stage in &map.stages {
        match &stage.kind {
            StageKind::Filter(_) => {}
            StageKind::Project(exprs) => {
                keys = keys.iter().filter_map(|key| moved(key, exprs)).collect();
            }
            // An element is told from the others of its row by its position.
            StageKind::Unnest(_) => keys.iter_mut().for_each(|key| {
                key.push(width);
            }),
        }
        width = stage.kind.width(width);
    }
    keys
}

/// The key over the columns of a projection, if all of it passes through.
fn moved(key: &[usize], exprs: &[Expr]) -> Option<Columns> {
    key.iter()
        .map(|column| exprs.iter().position(|expr| expr.kind == ExprKind::Column(*column)))
        .collect()
}

fn join_keys(join: &Join, inputs: &[&Keys], n_left: usize) -> Keys {
    let (left, right) = (inputs[0], inputs[1]);
    let pairs = || {
        let pair = |one: &[usize], other: &[usize]| {
            one.iter().copied().chain(other.iter().map(|column| column + n_left)).collect()
        };
        left.iter().flat_map(|one| right.iter().map(move |other| pair(one, other))).collect()
    };
    match join.kind {
        JoinKind::Semi | JoinKind::Anti => left.clone(),
        JoinKind::Inner | JoinKind::Left
            // Each left row meets at most one right row.
            if join.asof.is_some() || proves(right, &plain_columns(&join.right_key)) =>
        {
            bounded(with_equal_columns(join, left, n_left))
        }
        // The rows without a match have none on the other side, so pairs of keys tell all apart.
        JoinKind::Inner | JoinKind::Left | JoinKind::Full => match join.output {
            JoinOutput::Flat => bounded(pairs()),
            JoinOutput::Nested | JoinOutput::LeftOnly => Keys::new(),
        },
    }
}

/// The left keys, also over the right columns that an inner join makes equal to theirs.
fn with_equal_columns(join: &Join, left: &Keys, n_left: usize) -> Keys {
    let mut keys = left.clone();
    if join.kind != JoinKind::Inner || join.output != JoinOutput::Flat {
        return keys;
    }
    for (left_expr, right_expr) in join.left_key.iter().zip(&join.right_key) {
        let (ExprKind::Column(left_column), ExprKind::Column(right_column)) =
            (&left_expr.kind, &right_expr.kind)
        else {
            continue;
        };
        for key in left.iter().filter(|key| key.contains(left_column)) {
            let others = key.iter().copied().filter(|column| column != left_column);
            keys.push(others.chain([right_column + n_left]).collect());
        }
    }
    keys
}

fn top_keys(top: &Top, mut keys: Keys, n_columns: usize) -> Keys {
    let per = plain_columns(&top.per);
    if per.len() == top.per.len() && top.ties == Ties::Cut {
        if top.n == 1 {
            keys.push(per.iter().copied().collect());
        } else if top.rank {
            keys.push(per.iter().copied().chain([n_columns - 1]).collect());
        }
    }
    bounded(keys)
}

fn over_keys(over: &Over, mut keys: Keys, n_input: usize) -> Keys {
    let per = plain_columns(&over.per);
    let number = over.functions.iter().position(|it| it.kind == OverKind::RowNumber);
    if let Some(number) = number.filter(|_| per.len() == over.per.len()) {
        keys.push(per.into_iter().chain([n_input + number]).collect());
    }
    bounded(keys)
}

/// The columns among expressions.
pub(crate) fn plain_columns(exprs: &[Expr]) -> Vec<usize> {
    exprs
        .iter()
        .filter_map(|expr| match expr.kind {
            ExprKind::Column(column) => Some(column),
            _ => None,
        })
        .collect()
}

/// A few candidates are enough; the rest would only cost time.
fn bounded(mut keys: Keys) -> Keys {
    keys.truncate(KEYS_MAX);
    keys
}

const KEYS_MAX: usize = 8;
