//! What is read of the columns of each step, by the steps behind it and by who reads its topics.
//!
//! Joins, groups and unions compute each output column from the columns it names. Distinct, top,
//! latest and unique compare whole rows, and a loop goes round with whole rows, so they read all.
//! An expression that may fail for a row reads what it names although nobody reads it, because its
//! failure is an answer.

use arqon_operators::{ExprKind, Need};
use arqon_plan::{
    Arrangement, DataflowPlan, Group, Join, JoinOutput, JoinReader, Map, Operator, StageKind,
    Window,
};
use smallvec::{SmallVec, smallvec};

use crate::total::never_fails;

/// Of each input of a step, what is read of its columns.
pub(crate) type InputNeeds = SmallVec<[Vec<Need>; 2]>;

/// Of each input of a step, how many columns it has.
pub(crate) type Widths = SmallVec<[usize; 2]>;

/// What is read of the columns of each step.
pub(crate) fn needs(plan: &DataflowPlan) -> Vec<Vec<Need>> {
    let mut all: Vec<Vec<Need>> =
        plan.steps.iter().map(|step| vec![Need::Nothing; step.schema.fields.len()]).collect();
    for (_, end) in plan.ends() {
        all[end.index()].fill(Need::All);
    }
    for (at, step) in plan.steps.iter().enumerate().rev() {
        let mut need = std::mem::take(&mut all[at]);
        keep_one(&mut need);
        let widths: Widths =
            step.inputs.iter().map(|id| plan.steps[id.index()].schema.fields.len()).collect();
        let read_inputs = input_needs(&step.operator, &need, &widths);
        for (input, read) in step.inputs.iter().zip(read_inputs) {
            for (have, more) in all[input.index()].iter_mut().zip(&read) {
                have.add(more);
            }
        }
        all[at] = need;
    }
    all
}

/// What the readers of each arrangement read of it.
pub(crate) fn needs_together(plan: &DataflowPlan, needs: &[Vec<Need>]) -> Vec<Vec<Need>> {
    let read = |reader: &JoinReader| {
        let join = &plan.steps[reader.join.index()];
        let widths: Widths =
            join.inputs.iter().map(|id| plan.steps[id.index()].schema.fields.len()).collect();
        let mut inputs = input_needs(&join.operator, &needs[reader.join.index()], &widths);
        inputs.swap_remove(reader.side.index())
    };
    let add = |mut all: Vec<Need>, more: Vec<Need>| {
        all.iter_mut().zip(&more).for_each(|(all, more)| all.add(more));
        all
    };
    let all = |it: &Arrangement| it.readers.iter().map(read).reduce(add).unwrap_or_default();
    plan.arrangements.iter().map(all).collect()
}

/// What an operator reads of its inputs, when `need` is read of its output.
pub(crate) fn input_needs(operator: &Operator, need: &[Need], widths: &[usize]) -> InputNeeds {
    let mut inputs = plain_input_needs(operator, need, widths);
    for need in &mut inputs {
        keep_one(need);
    }
    inputs
}

/// Rows have at least one column, as long as they had one, so that there is something to count.
fn keep_one(need: &mut [Need]) {
    if need.iter().all(|need| *need == Need::Nothing)
        && let Some(first) = need.first_mut()
    {
        *first = Need::All;
    }
}

fn plain_input_needs(operator: &Operator, need: &[Need], widths: &[usize]) -> InputNeeds {
    match operator {
        Operator::Source(_) | Operator::Log(_) | Operator::Errors(_) => InputNeeds::new(),
        Operator::Map(map) => smallvec![map_needs(map, need, widths[0])],
        // A struct stays as it is on both sides of a union, so that they stay equal.
        Operator::Union => smallvec![whole(need); widths.len()],
        Operator::Route(route) => {
            let mut input = need.to_vec();
            for condition in &route.conditions {
                condition.add_needs(&mut input);
            }
            smallvec![input]
        }
        Operator::Arm(_) => smallvec![need.to_vec()],
        Operator::Join(join) => join_needs(join, need, widths),
        Operator::Group(group) => smallvec![group_needs(group, widths[0])],
        Operator::Window(window) => smallvec![window_needs(window, need, widths[0])],
        Operator::Session(session) => {
            let mut input = need[..widths[0]].to_vec();
            session.per.iter().for_each(|key| key.add_needs(&mut input));
            session.time.add_needs(&mut input);
            smallvec![whole(&input)]
        }
        Operator::Final(closing) | Operator::Within(closing) => {
            let mut input = need.to_vec();
            closing.time.add_needs(&mut input);
            smallvec![whole(&input)]
        }
        Operator::Distinct
        | Operator::Top(_)
        | Operator::Over(_)
        | Operator::Latest(_)
        | Operator::Unique { .. }
        | Operator::Measured(_)
        | Operator::Retain(_)
        | Operator::Variable(_)
        | Operator::Next(_)
        | Operator::Leave(_)
        | Operator::Late(_) => smallvec![vec![Need::All; widths[0]]],
        Operator::Kernel(_) => widths.iter().map(|width| vec![Need::All; *width]).collect(),
    }
}

/// All of every column of which anything is read.
fn whole(need: &[Need]) -> Vec<Need> {
    need.iter().map(|need| if *need == Need::Nothing { Need::Nothing } else { Need::All }).collect()
}

/// A window reads the time and the mark, which is the last column of `n_input`.
fn window_needs(window: &Window, need: &[Need], n_input: usize) -> Vec<Need> {
    let mut input = whole(&need[..n_input - 1]);
    input.push(Need::All);
    window.time.add_needs(&mut input);
    whole(&input)
}

fn map_needs(map: &Map, need: &[Need], n_input: usize) -> Vec<Need> {
    let mut need = need.to_vec();
    for (idx, stage) in map.stages.iter().enumerate().rev() {
        match &stage.kind {
            StageKind::Filter(condition) => condition.add_needs(&mut need),
            StageKind::Project(exprs) => {
                let mut before = vec![Need::Nothing; width_before(map, idx, n_input)];
                for (expr, need) in exprs.iter().zip(&need) {
                    match &expr.kind {
                        ExprKind::Column(at) => before[*at].add(need),
                        _ if *need == Need::Nothing && never_fails(expr) => {}
                        _ => expr.add_needs(&mut before),
                    }
                }
                need = before;
            }
            StageKind::Unnest(list) => {
                need.truncate(width_before(map, idx, n_input));
                list.add_needs(&mut need);
            }
        }
    }
    need
}

/// What is read of the columns that each stage of a map yields.
pub(crate) fn stage_needs(map: &Map, need: &[Need], n_input: usize) -> Vec<Vec<Need>> {
    let mut all = vec![need.to_vec()];
    for idx in (1..map.stages.len()).rev() {
        let rest = Map { stages: map.stages[idx..=idx].to_vec() };
        let after = all.last().expect("it begins with one").clone();
        all.push(map_needs(&rest, &after, width_before(map, idx, n_input)));
    }
    all.reverse();
    all
}

/// How many columns the stage of a map sees.
fn width_before(map: &Map, idx: usize, n_input: usize) -> usize {
    map.stages[..idx].iter().fold(n_input, |width, stage| stage.kind.width(width))
}

/// What is read of the rows that a join holds, beside their keys.
pub(crate) fn held_needs(join: &Join, need: &[Need], [n_left, n_right]: [usize; 2]) -> InputNeeds {
    let mut both = vec![Need::Nothing; n_left + n_right];
    both[..n_left].clone_from_slice(&need[..n_left]);
    match join.output {
        JoinOutput::Flat => both[n_left..].clone_from_slice(&need[n_left..]),
        JoinOutput::Nested => match &need[n_left] {
            Need::Nothing => {}
            Need::Fields(fields) => {
                for field in fields {
                    both[n_left + field] = Need::All;
                }
            }
            Need::All => both[n_left..].fill(Need::All),
        },
        JoinOutput::LeftOnly => {}
    }
    if let Some(residual) = &join.residual {
        residual.add_needs(&mut both);
    }
    if join.asof.is_some() {
        // Of right rows of one time all fields decide which is the last.
        both[n_left..].fill(Need::All);
    }
    let right = both.split_off(n_left);
    smallvec![both, right]
}

fn join_needs(join: &Join, need: &[Need], widths: &[usize]) -> InputNeeds {
    let mut needs = held_needs(join, need, [widths[0], widths[1]]);
    let asof = join.asof.iter().map(|asof| &asof.left);
    join.left_key.iter().chain(asof).for_each(|key| key.add_needs(&mut needs[0]));
    join.right_key.iter().for_each(|key| key.add_needs(&mut needs[1]));
    needs
}

fn group_needs(group: &Group, n_input: usize) -> Vec<Need> {
    let mut need = vec![Need::Nothing; n_input];
    let aggregates = group.aggregates.iter().flat_map(|it| it.args.iter().chain(&it.filter));
    for expr in group.keys.iter().chain(aggregates) {
        expr.add_needs(&mut need);
    }
    need
}
