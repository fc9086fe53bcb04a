//! Loops that walk a graph: from number to number along the edges that a join looks up.

use std::collections::{BTreeMap, BTreeSet};

use arqon_operators::ExprKind;
use arqon_types::is_word;

use super::{
    DataflowPlan, Join, JoinKind, JoinSide, LoopId, Map, Operator, StageKind, Step, StepId,
};

/// A loop that reaches nodes of a graph: its rows are numbers, a join with rows from outside leads
/// from one to others, and each is kept once.
///
/// What such a loop makes of a row hangs on nothing but the row and its edges, so that an epoch's
/// changes can go through the rounds one after another, before those of the next epoch begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traversal {
    /// The variable.
    pub variable: StepId,
    /// Where it starts, outside.
    pub start: StepId,
    /// Steps outside whose rows are among what the variable becomes, whatever it was.
    pub seeds: Vec<StepId>,
    /// The way from row to row.
    pub hop: Hop,
    /// What puts seeds and what is hopped to together, if there are seeds.
    pub union: Option<StepId>,
    /// What keeps each row once.
    pub distinct: StepId,
    /// What goes back.
    pub next: StepId,
    /// Whether the rows leave after the last round as the variable was in it; else as it would be
    /// in the one behind.
    pub leaves_variable: bool,
}

/// A way from row to row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// The join: the variable's rows at the left, by themselves, and the edges at the right.
    pub join: StepId,
    /// The map behind it.
    pub map: StepId,
    /// Of which side the only field is that is left of a pair.
    pub side: JoinSide,
}

impl DataflowPlan {
    /// The loops that are walks of a graph and no more.
    pub fn traversals(&self) -> BTreeMap<LoopId, Traversal> {
        let regions = self.regions();
        let loops: BTreeSet<LoopId> = regions.iter().copied().flatten().collect();
        loops.into_iter().filter_map(|of| Some((of, self.traversal(of, &regions)?))).collect()
    }

    fn traversal(&self, of: LoopId, regions: &[Option<LoopId>]) -> Option<Traversal> {
        let it = &self.loops[of.index()];
        if it.outer.is_some() || it.n_variables != 1 {
            return None;
        }
        let is_within = |id: StepId| regions[id.index()].is_some();
        let ids = (0..self.steps.len()).map(StepId::at);
        let members: Vec<StepId> = ids.filter(|id| regions[id.index()] == Some(of)).collect();
        let find = |wanted: &dyn Fn(&Operator) -> bool| {
            members.iter().copied().find(|id| wanted(&self.steps[id.index()].operator))
        };
        let variable = find(&|operator| matches!(operator, Operator::Variable(_)))?;
        let next = find(&|operator| matches!(operator, Operator::Next(_)))?;
        let distinct = self.input(next, 0);
        if !matches!(self.step(distinct).operator, Operator::Distinct)
            || !is_word(&self.step(distinct).schema.types())
        {
            return None;
        }
        let merged = self.input(distinct, 0);
        let (union, parts) = match self.step(merged).operator {
            Operator::Union if is_within(merged) => {
                (Some(merged), self.step(merged).inputs.clone())
            }
            _ => (None, vec![merged]),
        };
        let (within, seeds): (Vec<_>, Vec<_>) = parts.into_iter().partition(|id| is_within(*id));
        let [map] = within.as_slice() else { return None };
        let hop = self.hop(*map, variable, &is_within)?;
        // A variable, a join, a map, a distinct and a next, and no step but those that were found.
        let n_found = 5 + usize::from(union.is_some());
        let left = self.left_by(of)?;
        let leaves_variable = left == variable;
        let is_whole = members.len() == n_found && (leaves_variable || left == distinct);
        is_whole.then(|| Traversal {
            start: self.input(variable, 0),
            variable,
            seeds,
            hop,
            union,
            distinct,
            next,
            leaves_variable,
        })
    }

    fn step(&self, id: StepId) -> &Step {
        &self.steps[id.index()]
    }

    fn input(&self, id: StepId, idx: usize) -> StepId {
        self.step(id).inputs[idx]
    }

    /// The step whose rows alone leave a loop.
    fn left_by(&self, of: LoopId) -> Option<StepId> {
        let leaves = |step: &&Step| matches!(step.operator, Operator::Leave(left) if left == of);
        let mut all = self.steps.iter().filter(leaves);
        let only = all.next().filter(|_| all.next().is_none())?;
        Some(only.inputs[0])
    }

    /// The hop that ends in a map.
    fn hop(
        &self,
        map: StepId,
        variable: StepId,
        is_within: &dyn Fn(StepId) -> bool,
    ) -> Option<Hop> {
        let Operator::Map(chosen) = &self.step(map).operator else { return None };
        let id = self.input(map, 0);
        let Operator::Join(join) = &self.step(id).operator else { return None };
        let [left, right] = [self.input(id, 0), self.input(id, 1)];
        if left != variable || is_within(right) || !is_by_itself(join) {
            return None;
        }
        // Both are read once only, or others than the hop would need their rows.
        let n_readers = |of: StepId| self.steps.iter().filter(|it| it.inputs.contains(&of)).count();
        if n_readers(id) != 1 || n_readers(map) != 1 {
            return None;
        }
        Some(Hop { join: id, map, side: chosen_side(join, 1, chosen)? })
    }
}

/// Whether a join's left rows, numbers, are looked for as they are.
fn is_by_itself(join: &Join) -> bool {
    let is_row = matches!(join.left_key.as_slice(), [only] if only.kind == ExprKind::Column(0));
    is_row && join.kind == JoinKind::Inner && join.asof.is_none() && is_word(&join.key_types())
}

/// Of which side the only field is that a map keeps of the pairs of a join, a number, if it does no
/// more. `n_left` fields are kept of the left rows.
pub fn chosen_side(join: &Join, n_left: usize, map: &Map) -> Option<JoinSide> {
    let [stage] = map.stages.as_slice() else { return None };
    let StageKind::Project(exprs) = &stage.kind else { return None };
    let [only] = exprs.as_slice() else { return None };
    if join.residual.is_some() || !is_word(std::slice::from_ref(&only.ty)) {
        return None;
    }
    match &only.kind {
        ExprKind::Column(at) if *at < n_left => Some(JoinSide::Left),
        ExprKind::Column(_) => Some(JoinSide::Right),
        ExprKind::Field { of, .. } if matches!(of.kind, ExprKind::Column(at) if n_left <= at) => {
            Some(JoinSide::Right)
        }
        _ => None,
    }
}
