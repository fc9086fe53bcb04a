//! What is read of each step's output, from the outputs of the plan backward.

use arqon_operators::{Expr, ExprKind, Need, Program};
use arqon_plan::{DataflowPlan, Join, JoinOutput, Map, Operator, StageKind};

/// One per column.
pub(crate) type Needs = Vec<Need>;

/// What is read of the outputs of each step's stages: for a map one per stage, else one.
pub(crate) fn needs(plan: &DataflowPlan) -> Vec<Vec<Needs>> {
    let mut outputs: Vec<Needs> =
        plan.steps.iter().map(|step| vec![Need::Nothing; step.schema.fields.len()]).collect();
    for (_, end) in plan.ends() {
        outputs[end.index()].fill(Need::All);
    }
    let mut stages = vec![Vec::new(); plan.steps.len()];
    for (idx, step) in plan.steps.iter().enumerate().rev() {
        let needs = outputs[idx].clone();
        match &step.operator {
            Operator::Source(_) | Operator::Log(_) | Operator::Errors(_) => {}
            Operator::Map(map) => {
                let n_columns = plan.steps[step.inputs[0].index()].schema.fields.len();
                let (input, needs) = map_needs(map, n_columns, needs);
                add_all(&mut outputs[step.inputs[0].index()], &input);
                stages[idx] = needs;
                continue;
            }
            Operator::Join(join) => {
                let [left, right] = [0, 1].map(|side| step.inputs[side].index());
                let n_left = outputs[left].len();
                let n_right = outputs[right].len();
                let [mut left_needs, mut right_needs] = kept_needs(join, n_left, n_right, &needs);
                join.left_key.iter().for_each(|key| key.add_needs(&mut left_needs));
                join.right_key.iter().for_each(|key| key.add_needs(&mut right_needs));
                if let Some(asof) = &join.asof {
                    asof.left.add_needs(&mut left_needs);
                    asof.right.add_needs(&mut right_needs);
                }
                add_all(&mut outputs[left], &left_needs);
                add_all(&mut outputs[right], &right_needs);
            }
            Operator::Group(group) => {
                let input = &mut outputs[step.inputs[0].index()];
                group.keys.iter().for_each(|key| key.add_needs(input));
                for aggregate in &group.aggregates {
                    aggregate.args.iter().chain(&aggregate.filter).for_each(|e| e.add_needs(input));
                }
            }
            Operator::Union
            | Operator::Route(_)
            | Operator::Arm(_)
            | Operator::Distinct
            | Operator::Top(_)
            | Operator::Over(_)
            | Operator::Latest(_)
            | Operator::Unique { .. }
            | Operator::Kernel(_)
            | Operator::Measured(_)
            | Operator::Variable(_)
            | Operator::Next(_)
            | Operator::Leave(_)
            | Operator::Window(_)
            | Operator::Late(_)
            | Operator::Session(_)
            | Operator::Final(_)
            | Operator::Within(_)
            | Operator::Retain(_) => {
                for input in &step.inputs {
                    outputs[input.index()].fill(Need::All);
                }
            }
        }
        stages[idx] = vec![needs];
    }
    stages
}

fn add_all(needs: &mut Needs, more: &Needs) {
    for (need, more) in needs.iter_mut().zip(more) {
        need.add(more);
    }
}

/// From the needs of a map's output to those of its input and of each stage's output.
fn map_needs(map: &Map, n_columns: usize, output: Needs) -> (Needs, Vec<Needs>) {
    let mut before = vec![n_columns];
    for stage in &map.stages {
        let width = *before.last().expect("the input's width stands first");
        before.push(stage.kind.width(width));
    }
    let mut needs = output;
    let mut stages = Vec::new();
    for (stage, n_columns) in map.stages.iter().zip(&before).rev() {
        let input = match &stage.kind {
            StageKind::Filter(condition) => {
                let mut input = needs.clone();
                condition.add_needs(&mut input);
                input
            }
            StageKind::Unnest(list) => {
                let mut input = needs[..*n_columns].to_vec();
                list.add_needs(&mut input);
                input
            }
            StageKind::Project(exprs) => {
                let mut input = vec![Need::Nothing; *n_columns];
                for (expr, need) in exprs.iter().zip(&needs) {
                    match &expr.kind {
                        ExprKind::Column(at) => input[*at].add(need),
                        _ if stays(expr, need) => expr.add_needs(&mut input),
                        _ => {}
                    }
                }
                input
            }
        };
        stages.push(std::mem::replace(&mut needs, input));
    }
    stages.reverse();
    (needs, stages)
}

/// Whether a projected expression stays: it is read, or it may fail.
pub(crate) fn stays(expr: &Expr, need: &Need) -> bool {
    *need != Need::Nothing || can_fail(expr)
}

/// Whether there may be a row for which the expression has no value.
pub(crate) fn can_fail(expr: &Expr) -> bool {
    Program::new(expr).can_fail()
}

/// Whether an expression reads none of the columns behind the first ones.
pub(crate) fn reads_only(expr: &Expr, n_columns: usize) -> bool {
    match &expr.kind {
        ExprKind::Column(at) => *at < n_columns,
        _ => expr.children().into_iter().all(|child| reads_only(child, n_columns)),
    }
}

/// What a join keeps of each side: what is read of its output and by its residual.
pub(crate) fn kept_needs(join: &Join, n_left: usize, n_right: usize, output: &Needs) -> [Needs; 2] {
    let mut pair = vec![Need::Nothing; n_left + n_right];
    for (at, need) in output.iter().enumerate() {
        match join.output {
            JoinOutput::Nested if at == n_left => match need {
                Need::Nothing => {}
                Need::All => pair[n_left..].fill(Need::All),
                Need::Fields(fields) => {
                    for field in fields {
                        pair[n_left + field] = Need::All;
                    }
                }
            },
            JoinOutput::Flat | JoinOutput::Nested | JoinOutput::LeftOnly => pair[at].add(need),
        }
    }
    // A narrowed struct inside the right side would need a second rewriting of its types.
    for need in &mut pair[n_left..] {
        if *need != Need::Nothing {
            *need = Need::All;
        }
    }
    if let Some(residual) = &join.residual {
        if can_fail(residual) {
            // Its error rows show the pair as it came.
            pair.fill(Need::All);
        }
        residual.add_needs(&mut pair);
        for need in &mut pair[n_left..] {
            if *need != Need::Nothing {
                *need = Need::All;
            }
        }
    }
    if join.asof.is_some() {
        // Of right rows of one time all fields decide which is the last.
        pair[n_left..].fill(Need::All);
    }
    let right = pair.split_off(n_left);
    [pair, right]
}
