//! Loops that walk a graph: from node to node along the edges that a join looks up.

use std::collections::{BTreeMap, BTreeSet};

use arqon_operators::{Expr, ExprKind};
use arqon_types::{Type, is_word};

use super::isotone::{holds_before, is_isotone};
use super::{
    DataflowPlan, Join, JoinKind, JoinOutput, JoinSide, LoopId, Map, Operator, Order, Stage,
    StageKind, Step, StepId, Ties, Top,
};

/// A loop that walks a graph: a join with rows from outside leads from a row to others. Either its
/// rows are numbers, each of which is kept once, or nodes with a value, of which each keeps its
/// best.
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
    /// What chooses the rows of the variable that go along edges, if not all do.
    pub sieve: Option<StepId>,
    /// The join: the variable's rows at the left, and the edges at the right.
    pub join: StepId,
    /// The map behind it.
    pub map: StepId,
    /// What puts seeds and what is hopped to together, if there are seeds.
    pub union: Option<StepId>,
    /// What keeps of each node one row.
    pub keeper: StepId,
    /// Which row that is.
    pub kept: Kept,
    /// What goes back.
    pub next: StepId,
    /// Whether the rows leave after the last round as the variable was in it; else as it would be
    /// in the one behind.
    pub leaves_variable: bool,
}

/// Which row of a node is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The node itself, a number, if it is there at all; of a pair the only field of this side is
    /// left.
    Once(JoinSide),
    /// The row whose value is best.
    Best(Best),
}

/// Rows of two fields, of which a node keeps one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Best {
    /// The field that is the node.
    pub node: usize,
    /// The field that is its value, whose type packs to eight bytes.
    pub value: usize,
    /// Which end of the values is best.
    pub order: Order,
    /// Whether nodes may be settled one after another, the best values first, as long as no edge
    /// makes a value better: what a better value comes to is never worse, and the variable starts
    /// with rows that come in any case.
    pub in_order: bool,
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
        let keeper = self.input(next, 0);
        let merged = self.input(keeper, 0);
        let (union, parts) = match self.step(merged).operator {
            Operator::Union if is_within(merged) => {
                (Some(merged), self.step(merged).inputs.clone())
            }
            _ => (None, vec![merged]),
        };
        let (within, seeds): (Vec<_>, Vec<_>) = parts.into_iter().partition(|id| is_within(*id));
        let [map] = within.as_slice() else { return None };
        let start = self.input(variable, 0);
        let (join, chosen) = self.hop(*map, &is_within)?;
        let sieve = Some(self.input(join, 0)).filter(|left| *left != variable);
        if sieve.is_some_and(|sieve| !self.is_sieve(sieve, variable)) {
            return None;
        }
        let mut kept = self.kept(keeper, start, (self.join_at(join)?, chosen))?;
        match &mut kept {
            Kept::Once(_) if sieve.is_some() => return None,
            Kept::Once(_) => {}
            Kept::Best(best) => {
                best.in_order = !it.exact
                    && seeds == [self.input(start, 0)]
                    && sieve.is_none_or(|sieve| self.sieves_before(sieve, *best))
                    && leads_in_order(chosen, *best);
            }
        }
        // A variable, a join, a map, a keeper and a next, and no step but those that were found.
        let n_found = 5 + usize::from(union.is_some()) + usize::from(sieve.is_some());
        let left = self.left_by(of)?;
        let leaves_variable = left == variable;
        let is_whole = members.len() == n_found && (leaves_variable || left == keeper);
        is_whole.then_some(Traversal {
            start,
            variable,
            seeds,
            sieve,
            join,
            map: *map,
            union,
            keeper,
            kept,
            next,
            leaves_variable,
        })
    }

    /// What a loop's keeper keeps of what comes to it from its start, and by this hop.
    fn kept(&self, keeper: StepId, start: StepId, (join, map): (&Join, &Map)) -> Option<Kept> {
        let step = self.step(keeper);
        match &step.operator {
            Operator::Distinct if is_word(&step.schema.types()) => {
                is_looked_for(join, 0, &join.key_types()).then_some(())?;
                Some(Kept::Once(chosen_side(join, 1, map).filter(|_| is_word(&join.key_types()))?))
            }
            Operator::Top(top) => {
                let types = step.schema.types();
                let best = best(top, &types)?;
                let Operator::Top(begun) = &self.step(start).operator else { return None };
                let is_so = self::best(begun, &self.step(start).schema.types()) == Some(best)
                    && is_looked_for(join, best.node, &types[best.node..=best.node])
                    && leads_on(join, map, best);
                is_so.then_some(Kept::Best(best))
            }
            _ => None,
        }
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

    fn join_at(&self, id: StepId) -> Option<&Join> {
        match &self.step(id).operator {
            Operator::Join(join) => Some(join),
            _ => None,
        }
    }

    /// The join and the map of a hop that ends in a map.
    fn hop(&self, map: StepId, is_within: &dyn Fn(StepId) -> bool) -> Option<(StepId, &Map)> {
        let Operator::Map(chosen) = &self.step(map).operator else { return None };
        let id = self.input(map, 0);
        let join = self.join_at(id)?;
        let is_plain =
            join.kind == JoinKind::Inner && join.asof.is_none() && join.residual.is_none();
        let is_hop = is_plain
            && !is_within(self.input(id, 1))
            && self.is_read_once(id)
            && self.is_read_once(map);
        is_hop.then_some((id, chosen))
    }

    /// Whether a step only leaves out rows of the variable, for one reader.
    fn is_sieve(&self, id: StepId, variable: StepId) -> bool {
        let Operator::Map(map) = &self.step(id).operator else { return false };
        conditions(&map.stages).is_some() && self.input(id, 0) == variable && self.is_read_once(id)
    }

    /// Whether of a node's values that pass all better ones would pass as well.
    fn sieves_before(&self, sieve: StepId, best: Best) -> bool {
        let Operator::Map(map) = &self.step(sieve).operator else { return false };
        conditions(&map.stages)
            .is_some_and(|all| all.iter().all(|it| holds_before(it, best.value, best.order)))
    }

    /// Whether one step reads it, once: or others than the hop would need its rows.
    fn is_read_once(&self, id: StepId) -> bool {
        self.steps.iter().filter(|step| step.inputs.contains(&id)).count() == 1
    }
}

/// Whether a join's left rows are looked for by this field of theirs, as it is.
fn is_looked_for(join: &Join, field: usize, types: &[Type]) -> bool {
    matches!(join.left_key.as_slice(), [only] if only.kind == ExprKind::Column(field))
        && join.key_types() == types
}

/// What a `top` keeps of each node, if that is its best value and no more.
fn best(top: &Top, types: &[Type]) -> Option<Best> {
    let ([per], [by], [_, _]) = (top.per.as_slice(), top.by.as_slice(), types) else {
        return None;
    };
    let (ExprKind::Column(node), ExprKind::Column(value)) = (&per.kind, &by.expr.kind) else {
        return None;
    };
    let best = Best { node: *node, value: *value, order: by.order, in_order: false };
    let is_first = top.n == 1 && top.offset == 0 && top.ties == Ties::Cut && !top.rank;
    let is_best = is_first
        && best.node != best.value
        && !types[best.node].is_option()
        && is_eight_bytes(&types[best.value]);
    is_best.then_some(best)
}

/// Whether values of this type pack to eight bytes, which sort as they do.
fn is_eight_bytes(ty: &Type) -> bool {
    *ty == Type::Float64 || is_word(std::slice::from_ref(ty))
}

/// Whether a map leads from the pairs of a node and an edge to a node that stands in the edge, and
/// reads but one field of the edge beside it.
fn leads_on(join: &Join, map: &Map, best: Best) -> bool {
    const N_LEFT: usize = 2;
    let Some((exprs, conditions)) = projected(map) else { return false };
    let Some(to) = edge_field(join, N_LEFT, &exprs[best.node]) else { return false };
    if exprs.len() != N_LEFT || exprs[best.node].ty.is_option() {
        return false;
    }
    let mut read = BTreeMap::new();
    let is_known = exprs.iter().chain(conditions).all(|expr| edge_fields(join, expr, &mut read));
    read.remove(&to);
    is_known && read.len() <= 1 && read.values().all(is_eight_bytes)
}

/// Whether a map makes nothing worse of a pair with a better value.
fn leads_in_order(map: &Map, best: Best) -> bool {
    projected(map).is_some_and(|(exprs, conditions)| {
        is_isotone(&exprs[best.value], best.value)
            && conditions.iter().all(|it| holds_before(it, best.value, best.order))
    })
}

/// What a map makes of a pair by conditions and then one projection, if it does no more.
pub fn projected(map: &Map) -> Option<(&[Expr], Vec<&Expr>)> {
    let (last, before) = map.stages.split_last()?;
    let StageKind::Project(exprs) = &last.kind else { return None };
    Some((exprs, conditions(before)?))
}

/// The conditions of stages that do nothing else.
fn conditions(stages: &[Stage]) -> Option<Vec<&Expr>> {
    let each = stages.iter().map(|stage| match &stage.kind {
        StageKind::Filter(condition) => Some(condition),
        StageKind::Project(_) | StageKind::Unnest(_) => None,
    });
    each.collect()
}

/// Which field of the right row of a join it is, by its place among those that are kept, if it is
/// one as it stands. `n_left` fields are kept of the left row.
pub fn edge_field(join: &Join, n_left: usize, expr: &Expr) -> Option<usize> {
    match (&expr.kind, join.output) {
        (ExprKind::Column(at), JoinOutput::Flat) => at.checked_sub(n_left),
        (ExprKind::Field { of, idx }, JoinOutput::Nested) => {
            matches!(of.kind, ExprKind::Column(at) if at == n_left).then_some(*idx)
        }
        _ => None,
    }
}

/// Adds the fields of the right row that an expression over pairs reads, with their types; whether
/// it reads it field by field.
fn edge_fields(join: &Join, expr: &Expr, read: &mut BTreeMap<usize, Type>) -> bool {
    const N_LEFT: usize = 2;
    if let Some(field) = edge_field(join, N_LEFT, expr) {
        read.insert(field, expr.ty.clone());
        return true;
    }
    if matches!(expr.kind, ExprKind::Column(at) if N_LEFT <= at) {
        return false;
    }
    expr.children().into_iter().all(|child| edge_fields(join, child, read))
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
