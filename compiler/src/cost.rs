//! What steps are expected to cost: rows that they hold, and rows that they touch when rows change.
//!
//! Nothing is known of the data when a circuit is compiled, so all of this is by a rule of thumb,
//! the same for every circuit: good for comparing plans of one circuit, before and after a pass,
//! and for finding the step that costs most. The rules are the constants below; what is declared or
//! proven (keys, groups without keys, how many rows a `top` keeps) goes before them.

use std::collections::BTreeMap;

use arqon_operators::{Expr, ExprKind};
use arqon_plan::{
    DataflowPlan, Frame, Group, Join, JoinKind, JoinReader, JoinSide, Map, Operator, Over,
    StageKind, StepId, Top,
};

use crate::keys::{Keys, plain_columns, plan_keys, proves};

/// Rows of each topic that comes in.
pub const TOPIC_ROWS: f64 = 1000.0;

/// Which part of the rows each part of a condition keeps.
pub const KEPT: f64 = 1.0 / 3.0;

/// Rows of one key or group, where none is proven.
pub const ROWS_PER_KEY: f64 = 10.0;

/// Elements of a list.
pub const ELEMENTS: f64 = 5.0;

/// Which part of the left rows has a match, where that decides whether they come out.
pub const MATCHED: f64 = 0.5;

/// Rounds of a loop in which something still changes.
pub const ROUNDS: f64 = 3.0;

/// What the state of a step is made of, if the engine is left to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backing {
    /// Tables by hash: outside of loops, and in those that are
    /// [traversals](DataflowPlan::traversals), where an epoch is over before the next one begins.
    Hash,
    /// Arrangements, which keep apart what holds in which round: within other loops, where the
    /// rounds of several epochs are under way.
    Arrangements,
}

/// What a step is expected to cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Rows that it puts out.
    pub rows: f64,
    /// Rows that it holds.
    pub held: f64,
    /// Rows that it reads and puts out, and matches on the way, when one row of each topic changes.
    pub touched: f64,
    /// None for a step without state.
    pub backing: Option<Backing>,
}

/// The cost of each step.
pub(crate) fn costs(plan: &DataflowPlan) -> Vec<Cost> {
    let mut flows: Vec<Flow> = Vec::with_capacity(plan.steps.len());
    let mut costs = Vec::with_capacity(plan.steps.len());
    let keys = plan_keys(plan);
    let readers = plan.arrangement_readers();
    let traversals = plan.traversals();
    for ((step, region), keys) in plan.steps.iter().zip(plan.regions()).zip(keys) {
        let inputs: Vec<&Flow> = step.inputs.iter().map(|id| &flows[id.index()]).collect();
        let (flow, held) = flow(&step.operator, &inputs, keys);
        let came: f64 = inputs.iter().map(|input| input.changes).sum();
        let backing = match (is_stateless(&step.operator), region) {
            (true, _) => None,
            (false, None) => Some(Backing::Hash),
            (false, Some(region)) if traversals.contains_key(&region) => Some(Backing::Hash),
            (false, Some(_)) => Some(Backing::Arrangements),
        };
        let went = if backing.is_some() { flow.changes } else { 0.0 };
        let held = held - held_by_others(plan, &readers, StepId::at(costs.len()), &inputs);
        costs.push(Cost { rows: flow.rows, held, touched: came + went, backing });
        flows.push(flow);
    }
    costs
}

/// Rows of a join's sides that a join behind it holds for both.
fn held_by_others(
    plan: &DataflowPlan,
    readers: &BTreeMap<JoinReader, usize>,
    join: StepId,
    inputs: &[&Flow],
) -> f64 {
    let sides = JoinSide::BOTH.into_iter().zip(inputs);
    sides
        .filter_map(|(side, input)| {
            let arrangement = readers.get(&JoinReader { join, side })?;
            let last = plan.arrangements[*arrangement].readers.last()?.join;
            (last != join).then_some(input.rows)
        })
        .sum()
}

/// The rows of a step's output.
#[derive(Debug, Clone)]
struct Flow {
    rows: f64,
    /// How many change when one row of each topic does.
    changes: f64,
    /// Which part conditions have left of the rows that there would be.
    kept: f64,
    keys: Keys,
}

impl Flow {
    /// The same keys, and this part of the rows, by a condition.
    fn filtered(&self, part: f64, keys: Keys) -> Self {
        Self { rows: self.rows * part, changes: self.changes * part, kept: self.kept * part, keys }
    }

    /// Groups by these expressions.
    fn groups(&self, per: &[Expr]) -> f64 {
        if per.is_empty() {
            1.0
        } else if self.proves(per) {
            self.rows
        } else {
            self.rows / ROWS_PER_KEY
        }
    }

    /// Whether at most one row has each value of these expressions.
    fn proves(&self, exprs: &[Expr]) -> bool {
        proves(&self.keys, &plain_columns(exprs))
    }

    /// Rows that match one of another collection, by a key of this one.
    fn matches(&self, key: &[Expr]) -> f64 {
        if key.is_empty() {
            self.rows
        } else if self.proves(key) {
            self.kept
        } else {
            self.kept * ROWS_PER_KEY
        }
    }
}

/// What comes out of a step, and how many rows it holds.
fn flow(operator: &Operator, inputs: &[&Flow], keys: Keys) -> (Flow, f64) {
    let stateless = |flow: Flow| (flow, 0.0);
    let same = |keys| Flow { keys, ..inputs[0].clone() };
    match operator {
        Operator::Source(_) | Operator::Log(_) => {
            stateless(Flow { rows: TOPIC_ROWS, changes: 1.0, kept: 1.0, keys })
        }
        // Rows that went wrong are few.
        Operator::Errors(_) | Operator::Late(_) => {
            stateless(Flow { rows: 0.0, changes: 0.0, kept: 1.0, keys })
        }
        Operator::Map(map) => stateless(map_flow(map, inputs[0], keys)),
        Operator::Union => {
            let sum = |of: fn(&Flow) -> f64| inputs.iter().map(|input| of(input)).sum();
            let kept = inputs.iter().map(|input| input.kept).fold(0.0, f64::max);
            stateless(Flow { rows: sum(|it| it.rows), changes: sum(|it| it.changes), kept, keys })
        }
        Operator::Route(_) | Operator::Next(_) => stateless(same(keys)),
        Operator::Arm(_) => stateless(inputs[0].filtered(KEPT, keys)),
        Operator::Join(join) => join_flow(join, [inputs[0], inputs[1]], keys),
        Operator::Group(group) => group_flow(group, inputs[0], keys),
        Operator::Distinct => {
            let input = inputs[0];
            let rows = if input.keys.is_empty() { input.rows / ROWS_PER_KEY } else { input.rows };
            let changes = if input.rows > 0.0 { input.changes * rows / input.rows } else { 0.0 };
            (Flow { rows, changes, kept: input.kept, keys }, rows)
        }
        Operator::Top(top) => top_flow(top, inputs[0], keys),
        Operator::Over(over) => over_flow(over, inputs[0], keys),
        Operator::Latest(_) => {
            let rows = inputs[0].rows / ROWS_PER_KEY;
            let changes = replaced(inputs[0].changes);
            (Flow { rows, changes, kept: inputs[0].kept, keys }, inputs[0].rows)
        }
        Operator::Kernel(_) => {
            let held = inputs.iter().map(|input| input.rows).sum();
            (Flow { changes: replaced(inputs[0].changes), ..same(keys) }, held)
        }
        Operator::Measured(_) => (Flow { rows: 1.0, changes: 1.0, kept: 1.0, keys }, 1.0),
        Operator::Unique { .. } | Operator::Final(_) => (same(keys), inputs[0].rows),
        Operator::Variable(_) => {
            let (rows, changes) = (inputs[0].rows * ROUNDS, inputs[0].changes * ROUNDS);
            stateless(Flow { rows, changes, kept: inputs[0].kept, keys })
        }
        Operator::Leave(_) => stateless(same(keys)),
        Operator::Window(window) => {
            let times = match window.frame {
                #[expect(clippy::cast_precision_loss, reason = "an estimate")]
                Frame::Aligned { size, every } => size as f64 / every as f64,
                Frame::Own { .. } => 1.0,
            };
            let (rows, changes) = (inputs[0].rows * times, inputs[0].changes * times);
            stateless(Flow { rows, changes, kept: inputs[0].kept, keys })
        }
        // A session's rows change as it grows; held rows come, and go again.
        Operator::Session(_) | Operator::Within(_) | Operator::Retain(_) => {
            let changes = replaced(inputs[0].changes);
            (Flow { changes, ..same(keys) }, inputs[0].rows)
        }
    }
}

/// What was there goes, and something else comes.
fn replaced(changes: f64) -> f64 {
    2.0 * changes
}

fn is_stateless(operator: &Operator) -> bool {
    match operator {
        Operator::Source(_)
        | Operator::Log(_)
        | Operator::Errors(_)
        | Operator::Map(_)
        | Operator::Union
        | Operator::Route(_)
        | Operator::Arm(_)
        | Operator::Variable(_)
        | Operator::Next(_)
        | Operator::Leave(_)
        | Operator::Window(_)
        | Operator::Late(_) => true,
        Operator::Join(_)
        | Operator::Group(_)
        | Operator::Distinct
        | Operator::Top(_)
        | Operator::Over(_)
        | Operator::Latest(_)
        | Operator::Unique { .. }
        | Operator::Kernel(_)
        | Operator::Measured(_)
        | Operator::Session(_)
        | Operator::Final(_)
        | Operator::Within(_)
        | Operator::Retain(_) => false,
    }
}

fn map_flow(map: &Map, input: &Flow, keys: Keys) -> Flow {
    let mut flow = Flow { keys, ..input.clone() };
    for stage in &map.stages {
        match &stage.kind {
            StageKind::Filter(condition) => {
                flow = flow.filtered(kept(condition), flow.keys.clone());
            }
            StageKind::Unnest(_) => {
                flow.rows *= ELEMENTS;
                flow.changes *= ELEMENTS;
            }
            StageKind::Project(_) => {}
        }
    }
    flow
}

/// Which part of the rows a condition keeps.
fn kept(condition: &Expr) -> f64 {
    match &condition.kind {
        ExprKind::And(parts) => parts.iter().map(kept).product(),
        _ => KEPT,
    }
}

fn join_flow(join: &Join, [left, right]: [&Flow; 2], keys: Keys) -> (Flow, f64) {
    let part = join.residual.as_ref().map_or(1.0, kept);
    let most = if join.asof.is_some() { 1.0 } else { f64::INFINITY };
    // Of each left row, and of each right row.
    let matches = right.matches(&join.right_key).min(most) * part;
    let pairs = left.rows * matches;
    let backward = if right.rows > 0.0 { pairs / right.rows } else { 0.0 };
    let alone = |matches: f64| 1.0 - matches.min(1.0);
    let pair_changes = left.changes * matches + right.changes * backward;
    let matched = MATCHED * matches.min(1.0);
    let (rows, changes, kept) = match join.kind {
        JoinKind::Inner => (pairs, pair_changes, left.kept * matches.min(1.0)),
        JoinKind::Left => {
            let alone = alone(matches);
            (pairs + left.rows * alone, pair_changes + left.changes * alone, left.kept)
        }
        JoinKind::Full => {
            let (left_alone, right_alone) = (alone(matches), alone(backward));
            let rows = pairs + left.rows * left_alone + right.rows * right_alone;
            let changes = left.changes * left_alone + right.changes * right_alone;
            (rows, pair_changes + changes, 1.0)
        }
        JoinKind::Semi | JoinKind::Anti => {
            let part = if join.kind == JoinKind::Semi { matched } else { 1.0 - matched };
            let changes = left.changes * part + right.changes * backward * part;
            (left.rows * part, changes, left.kept * part)
        }
    };
    (Flow { rows, changes, kept, keys }, left.rows + right.rows)
}

fn group_flow(group: &Group, input: &Flow, keys: Keys) -> (Flow, f64) {
    let rows = input.groups(&group.keys);
    let holds_values = group.aggregates.iter().any(|it| it.function.holds_values());
    let held = if holds_values { rows + input.rows } else { rows };
    let changes = replaced(input.changes);
    (Flow { rows, changes, kept: input.kept, keys }, held)
}

fn top_flow(top: &Top, input: &Flow, keys: Keys) -> (Flow, f64) {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let rows = (input.groups(&top.per) * top.n as f64).min(input.rows);
    let part = if input.rows > 0.0 { rows / input.rows } else { 0.0 };
    let changes = replaced(input.changes * part);
    (Flow { rows, changes, kept: input.kept, keys }, input.rows)
}

/// Of a group's rows, those change that stand behind the one that did.
fn over_flow(over: &Over, input: &Flow, keys: Keys) -> (Flow, f64) {
    let groups = input.groups(&over.per).max(1.0);
    let behind = input.rows / groups / 2.0;
    let changes = input.changes * replaced(behind.max(0.5));
    (Flow { rows: input.rows, changes, kept: input.kept, keys }, input.rows)
}

#[cfg(test)]
mod tests {
    use arqon_operators::{BinaryOp, Expr};
    use arqon_types::{Type, Value};
    use smallvec::smallvec;

    use super::*;

    fn condition() -> Expr {
        let (id, one) = (Expr::column(0, Type::Int64), Expr::literal(Value::Int(1), Type::Int64));
        let kind = ExprKind::Binary(BinaryOp::Greater, Box::new(id), Box::new(one));
        Expr { kind, ..Expr::column(0, Type::Bool) }
    }

    fn table() -> Flow {
        let keys: Keys = smallvec![smallvec![0]];
        Flow { rows: TOPIC_ROWS, changes: 1.0, kept: 1.0, keys }
    }

    fn joined(kind: JoinKind, right: &Flow, right_key: usize) -> Flow {
        let join = Join {
            kind,
            left_key: vec![Expr::column(1, Type::Int64)],
            right_key: vec![Expr::column(right_key, Type::Int64)],
            residual: None,
            asof: None,
            output: arqon_plan::JoinOutput::Nested,
        };
        join_flow(&join, [&table(), right], Keys::new()).0
    }

    #[track_caller]
    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }

    #[test]
    fn a_declared_key_matches_once() {
        near(joined(JoinKind::Inner, &table(), 0).rows, 1000.0);
        near(joined(JoinKind::Inner, &table(), 1).rows, 10_000.0);
        let narrowed = table().filtered(KEPT, table().keys);
        near(joined(JoinKind::Inner, &narrowed, 0).rows, 1000.0 / 3.0);
        near(joined(JoinKind::Left, &narrowed, 0).rows, 1000.0);
    }

    #[test]
    fn a_change_of_the_right_side_meets_as_many_rows_as_there_are_pairs() {
        // One of the left side brings one row, and one of the right side the row of its key.
        near(joined(JoinKind::Inner, &table(), 0).changes, 1.0 + 1.0);
        near(joined(JoinKind::Inner, &table(), 1).changes, 10.0 + 10.0);
    }

    #[test]
    fn a_condition_in_parts_keeps_what_the_parts_keep() {
        let both = Expr { kind: ExprKind::And(vec![condition(), condition()]), ..condition() };
        near(kept(&both), KEPT * kept(&condition()));
    }

    #[test]
    fn groups_are_as_many_as_a_key_says() {
        near(table().groups(&[Expr::column(0, Type::Int64)]), 1000.0);
        near(table().groups(&[Expr::column(1, Type::Int64)]), 100.0);
        near(table().groups(&[]), 1.0);
    }
}
