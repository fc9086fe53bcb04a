//! Pass `push`: conditions move before the joins and groups that they do not need.
//!
//! Law: a condition that has a value for every row, and reads of a step's output only what came in
//! by one of its inputs unchanged, leaves out the same rows there as behind the step. The step must
//! not fail for rows that no longer reach it, since its failures are answers; and nobody else may
//! read what comes out. What is pushed keeps its node and address, so that it is counted as what
//! was written. A condition moves as far as it comes past a step that holds rows; past maps alone
//! nothing would be gained.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arqon_operators::{Expr, ExprKind};
use arqon_plan::{
    DataflowPlan, Group, Join, JoinKind, JoinOutput, Map, Operator, Stage, StageKind, Step, StepId,
};
use arqon_types::Type;

use crate::total::{always_has_value, is_certain, never_fails};
use crate::walk::measure;

/// An input of a step: the step, and which of its inputs.
type InputOf = (StepId, usize);

/// The same plan with conditions as early as they can be.
pub(crate) fn push(mut plan: DataflowPlan) -> DataflowPlan {
    let n_readers = plan.n_readers();
    let holds = leads_to_rows(&plan);
    // The new steps before each input, in the order in which rows meet them.
    let mut pushed: BTreeMap<InputOf, Vec<Step>> = BTreeMap::new();
    for at in (0..plan.steps.len()).map(StepId::at) {
        if let Operator::Join(join) = &plan.steps[at.index()].operator {
            let Some((parts, rest)) = sides_of_residual(join, &plan, at) else { continue };
            let address = Arc::clone(&plan.steps[at.index()].address);
            for (side, part) in parts {
                let targets = past_or_here(&plan, &n_readers, (at, side), part, STEPS_MAX);
                add(&mut pushed, &plan, (at, &address), targets);
            }
            if let Operator::Join(join) = &mut plan.steps[at.index()].operator {
                join.residual = rest;
            }
        } else if holds[at.index()] {
            while let Some((address, condition)) = first_part(&plan, at) {
                let targets = past(&plan, &n_readers, (at, 0), condition, STEPS_MAX);
                let Some(targets) = targets else { break };
                add(&mut pushed, &plan, (at, address), targets);
                if let Operator::Map(map) = &mut plan.steps[at.index()].operator {
                    drop_first_part(map);
                }
            }
        }
    }
    if pushed.is_empty() { plan } else { rebuilt(plan, pushed) }
}

/// Of each step whether it, or what is behind it past maps alone, holds rows.
fn leads_to_rows(plan: &DataflowPlan) -> Vec<bool> {
    let mut holds: Vec<bool> = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        holds.push(match (&step.operator, step.inputs.first()) {
            (Operator::Map(_), Some(input)) => holds[input.index()],
            (
                Operator::Join(_)
                | Operator::Group(_)
                | Operator::Distinct
                | Operator::Top(_)
                | Operator::Over(_),
                _,
            ) => true,
            (_, _) => false,
        });
    }
    holds
}

/// The part of a map's first condition that rows meet first, with its stage's address, if it has a
/// value for every row. Behind one that has not, the others see fewer rows.
fn first_part(plan: &DataflowPlan, at: StepId) -> Option<(&Arc<str>, &Expr)> {
    let Operator::Map(map) = &plan.steps[at.index()].operator else { return None };
    let Stage { address, kind: StageKind::Filter(condition) } = map.stages.first()? else {
        return None;
    };
    let part = match &condition.kind {
        ExprKind::And(parts) => parts.first()?,
        _ => condition,
    };
    never_fails(part).then_some((address, part))
}

/// Takes that part away.
fn drop_first_part(map: &mut Map) {
    let StageKind::Filter(condition) = &mut map.stages[0].kind else { return };
    match &mut condition.kind {
        ExprKind::And(parts) if parts.len() > 1 => {
            parts.remove(0);
            if let [_] = parts.as_slice() {
                *condition = parts.remove(0);
            }
        }
        _ => {
            map.stages.remove(0);
        }
    }
}

/// Adds steps that leave out rows before inputs, for a step of the plan that did it so far.
fn add(
    pushed: &mut BTreeMap<InputOf, Vec<Step>>,
    plan: &DataflowPlan,
    (of, address): (StepId, &Arc<str>),
    targets: Vec<(InputOf, Expr)>,
) {
    for (target, condition) in targets {
        let from = plan.steps[target.0.index()].inputs[target.1];
        let stage = Stage { address: Arc::clone(address), kind: StageKind::Filter(condition) };
        pushed.entry(target).or_default().push(Step {
            node: Arc::clone(&plan.steps[of.index()].node),
            address: Arc::clone(address),
            operator: Operator::Map(Map { stages: vec![stage] }),
            inputs: vec![from],
            schema: Arc::clone(&plan.steps[from.index()].schema),
        });
    }
}

/// Steps that a condition passes at most, so that the time to find its place hangs on no other.
const STEPS_MAX: usize = 64;

/// Parts of a condition that moves at most: before a map it may be twice what it is behind it.
const PARTS_MAX: usize = 256;

/// Where a condition goes that stands at an input, once it is past a step that holds rows; none if
/// it does not come past one.
fn past(
    plan: &DataflowPlan,
    n_readers: &[usize],
    (reader, input): InputOf,
    condition: &Expr,
    mut n_steps: usize,
) -> Option<Vec<(InputOf, Expr)>> {
    let (mut at, mut condition) = ((reader, input), Cow::Borrowed(condition));
    // Maps may be as many as a circuit has nodes, and are passed one after another.
    let from = loop {
        let from = plan.steps[at.0.index()].inputs[at.1];
        if n_readers[from.index()] != 1 || n_steps == 0 || PARTS_MAX < measure(&condition).0 {
            return None;
        }
        n_steps -= 1;
        let Operator::Map(map) = &plan.steps[from.index()].operator else { break from };
        condition = Cow::Owned(before_map(map, &condition)?);
        at = (from, 0);
    };
    let condition: &Expr = &condition;
    let step = &plan.steps[from.index()];
    let further =
        |input, condition| past_or_here(plan, n_readers, (from, input), condition, n_steps);
    let same = || Some(further(0, condition.clone()));
    match &step.operator {
        Operator::Join(join) => {
            let n_left = plan.steps[step.inputs[0].index()].schema.fields.len();
            let right = &plan.steps[step.inputs[1].index()].schema.types();
            let (side, condition) = before_join(join, n_left, right, condition)?;
            Some(further(side, condition))
        }
        Operator::Group(group) => Some(further(0, before_group(group, condition)?)),
        Operator::Distinct => same(),
        Operator::Top(top) if reads_keys(condition, &top.per) => {
            let by = top.by.iter().map(|key| &key.expr);
            top.per.iter().chain(by).all(never_fails).then(same)?
        }
        Operator::Over(over) if reads_keys(condition, &over.per) => {
            let by = over.by.iter().map(|key| &key.expr);
            let is_certain = over.functions.iter().all(|function| is_certain(&function.kind));
            (is_certain && over.per.iter().chain(by).all(never_fails)).then(same)?
        }
        Operator::Map(_)
        | Operator::Source(_)
        | Operator::Log(_)
        | Operator::Union
        | Operator::Route(_)
        | Operator::Arm(_)
        | Operator::Top(_)
        | Operator::Over(_)
        // Of what a key has before it, all rows decide; of too many rows with a key, errors tell.
        | Operator::Latest(_)
        | Operator::Unique { .. }
        | Operator::Kernel(_)
        | Operator::Measured(_)
        | Operator::Errors(_)
        | Operator::Variable(_)
        | Operator::Next(_)
        | Operator::Leave(_)
        // What comes late is told, whatever is asked of it later.
        | Operator::Window(_)
        | Operator::Late(_)
        | Operator::Session(_)
        | Operator::Final(_)
        | Operator::Within(_)
        | Operator::Retain(_) => None,
    }
}

/// As [`past`], or where it stands.
fn past_or_here(
    plan: &DataflowPlan,
    n_readers: &[usize],
    here: InputOf,
    condition: Expr,
    n_steps: usize,
) -> Vec<(InputOf, Expr)> {
    past(plan, n_readers, here, &condition, n_steps).unwrap_or_else(|| vec![(here, condition)])
}

/// The parts of a residual that ask one side alone, each with the side and over its rows, and what
/// remains.
type Parted = (Vec<(usize, Expr)>, Option<Expr>);

/// A join's residual in parts; none if there is nothing to part.
fn sides_of_residual(join: &Join, plan: &DataflowPlan, at: StepId) -> Option<Parted> {
    let residual = join.residual.as_ref()?;
    // A row of the left side without a match has its place in the others.
    let (takes_left, takes_right) = match join.kind {
        JoinKind::Inner | JoinKind::Semi => (true, true),
        JoinKind::Left | JoinKind::Anti => (false, true),
        JoinKind::Full => (false, false),
    };
    let keys = join.left_key.iter().chain(&join.right_key);
    if join.asof.is_some() || !keys.chain([residual]).all(never_fails) {
        return None;
    }
    let n_left = plan.steps[plan.steps[at.index()].inputs[0].index()].schema.fields.len();
    let parts = match &residual.kind {
        ExprKind::And(parts) => parts.clone(),
        _ => vec![residual.clone()],
    };
    let mut sides = Vec::new();
    let mut rest = Vec::new();
    for part in parts {
        let left = if takes_left { of_left(&part, n_left) } else { None };
        let right = if takes_right { of_right(&part, n_left) } else { None };
        match (left, right) {
            (Some(part), None) => sides.push((0, part)),
            (None, Some(part)) => sides.push((1, part)),
            // One that reads no column says the same of all.
            (Some(_), Some(_)) | (None, None) => rest.push(part),
        }
    }
    let rest = match rest.len() {
        0 | 1 => rest.pop(),
        _ => Some(Expr { kind: ExprKind::And(rest), ..residual.clone() }),
    };
    Some((sides, rest))
}

/// A condition over left and right columns, over the left row, if it asks that alone.
fn of_left(condition: &Expr, n_left: usize) -> Option<Expr> {
    replaced(condition, &|part| match part.kind {
        ExprKind::Column(at) if at < n_left => Part::Is(part.clone()),
        ExprKind::Column(_) => Part::Elsewhere,
        _ => Part::Unknown,
    })
}

/// The same over the right row.
fn of_right(condition: &Expr, n_left: usize) -> Option<Expr> {
    replaced(condition, &|part| match part.kind {
        ExprKind::Column(at) if n_left <= at => {
            Part::Is(Expr::column(at - n_left, part.ty.clone()))
        }
        ExprKind::Column(_) => Part::Elsewhere,
        _ => Part::Unknown,
    })
}

/// The condition over the input of a map that fails for no row.
fn before_map(map: &Map, condition: &Expr) -> Option<Expr> {
    let mut condition = condition.clone();
    for stage in map.stages.iter().rev() {
        match &stage.kind {
            StageKind::Filter(other) => never_fails(other).then_some(())?,
            StageKind::Project(exprs) => {
                exprs.iter().all(never_fails).then_some(())?;
                condition = replaced(&condition, &|part| match part.kind {
                    ExprKind::Column(at) => Part::Is(exprs[at].clone()),
                    _ => Part::Unknown,
                })?;
            }
            StageKind::Unnest(_) => return None,
        }
    }
    Some(condition)
}

/// The side of a join to which all that a condition reads belongs, and the condition over its rows.
fn before_join(
    join: &Join,
    n_left: usize,
    right: &[Type],
    condition: &Expr,
) -> Option<(usize, Expr)> {
    let times = join.asof.iter().flat_map(|asof| [&asof.left, &asof.right]);
    let exprs = join.left_key.iter().chain(&join.right_key).chain(&join.residual).chain(times);
    // Of a full join a row that one side lacks comes out by the other.
    if join.kind == JoinKind::Full || !exprs.into_iter().all(never_fails) {
        return None;
    }
    if let Some(left) = of_left(condition, n_left) {
        return Some((0, left));
    }
    // The latest of the right rows is another one, if some of them are left out.
    if join.kind != JoinKind::Inner || join.asof.is_some() {
        return None;
    }
    let right = match join.output {
        JoinOutput::Flat => of_right(condition, n_left),
        JoinOutput::Nested => replaced(condition, &|part| match &part.kind {
            ExprKind::Field { of, idx } => match of.kind {
                ExprKind::Column(at) if at == n_left => {
                    Part::Is(Expr::column(*idx, right[*idx].clone()))
                }
                _ => Part::Unknown,
            },
            ExprKind::Column(_) => Part::Elsewhere,
            _ => Part::Unknown,
        }),
        JoinOutput::LeftOnly => None,
    };
    right.map(|right| (1, right))
}

/// The condition over the rows of groups that come and go whole.
fn before_group(group: &Group, condition: &Expr) -> Option<Expr> {
    let aggregates = &group.aggregates;
    let exprs = aggregates.iter().flat_map(|it| it.args.iter().chain(&it.filter));
    // A group without keys is always there. One whose sum is too large is an error.
    let is_certain = aggregates.iter().all(|it| always_has_value(it.function));
    if group.keys.is_empty() || !is_certain || !group.keys.iter().chain(exprs).all(never_fails) {
        return None;
    }
    replaced(condition, &|part| match part.kind {
        ExprKind::Column(at) => {
            group.keys.get(at).map_or(Part::Elsewhere, |key| Part::Is(key.clone()))
        }
        _ => Part::Unknown,
    })
}

/// Whether a condition reads only columns that are keys of the groups, as they came.
fn reads_keys(condition: &Expr, per: &[Expr]) -> bool {
    let is_key =
        |at: usize| per.iter().any(|key| matches!(key.kind, ExprKind::Column(key) if key == at));
    let mut all = !matches!(condition.kind, ExprKind::Column(at) if !is_key(at));
    condition.for_each_child(|child| all = all && reads_keys(child, per));
    all
}

/// What becomes of a part of a condition.
enum Part {
    /// It is this before the step.
    Is(Expr),
    /// It is not there before the step.
    Elsewhere,
    /// Its own parts decide.
    Unknown,
}

/// A condition before a step, if all of it is there.
fn replaced(condition: &Expr, of: &dyn Fn(&Expr) -> Part) -> Option<Expr> {
    match of(condition) {
        Part::Is(expr) => Some(expr),
        Part::Elsewhere => None,
        Part::Unknown => {
            let mut copy = condition.clone();
            let mut is_whole = true;
            copy.for_each_child_mut(|child| match replaced(child, of) {
                Some(expr) => *child = expr,
                None => is_whole = false,
            });
            is_whole.then_some(copy)
        }
    }
}

/// The plan with the new steps, and without maps that have nothing left to do.
fn rebuilt(mut plan: DataflowPlan, mut pushed: BTreeMap<InputOf, Vec<Step>>) -> DataflowPlan {
    let mut steps: Vec<Step> = Vec::with_capacity(plan.steps.len() + pushed.len());
    let mut places: Vec<StepId> = Vec::with_capacity(plan.steps.len());
    for (at, mut step) in std::mem::take(&mut plan.steps).into_iter().enumerate() {
        for (input, of) in step.inputs.iter_mut().enumerate() {
            *of = places[of.index()];
            for mut new in pushed.remove(&(StepId::at(at), input)).into_iter().flatten() {
                new.inputs = vec![*of];
                *of = StepId::at(steps.len());
                steps.push(new);
            }
        }
        if matches!(&step.operator, Operator::Map(map) if map.stages.is_empty()) {
            places.push(step.inputs[0]);
        } else {
            places.push(StepId::at(steps.len()));
            steps.push(step);
        }
    }
    plan.with_steps(steps, |end| places[end.index()])
}
