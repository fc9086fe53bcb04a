//! Pass `reorder`: joins that leave rows out go before joins that only add to them.
//!
//! Law: a left join keeps each of its left rows, once or more often, and what it adds hangs on that
//! row alone. A join after it that reads nothing of what was added, and puts out each of its left
//! rows at most once (its match is a declared or proven key, or it only asks for one), may as well
//! stand before it: the rows between the two are then no more than before, whatever the data. Where
//! that cannot be proven, as behind an inner join, which may leave out more, joins stay as written.
//! None of the two may fail, since their errors show the rows as they meet them. Columns come out
//! in the order of the text.

use std::collections::BTreeMap;
use std::sync::Arc;

use arqon_operators::{Expr, ExprKind};
use arqon_plan::{DataflowPlan, Join, JoinKind, Map, Operator, Stage, StageKind, Step, StepId};
use arqon_types::{Field, Schema};

use crate::keys::{Keys, plain_columns, plan_keys, proves};
use crate::total::never_fails;

/// The same plan with its joins in a better order.
pub(crate) fn reorder(plan: DataflowPlan) -> DataflowPlan {
    let chains = chains(&plan);
    if chains.is_empty() {
        return plan;
    }
    let keys = plan_keys(&plan);
    let mut gone = vec![false; plan.steps.len()];
    // What each chain reads and its new steps, by the place of its last join.
    let mut moved: BTreeMap<usize, (StepId, Vec<Step>)> = BTreeMap::new();
    for chain in chains {
        let links: Vec<Link<'_>> = chain.iter().map(|at| Link::new(&plan, &keys, *at)).collect();
        let order = order(&links);
        if order.is_sorted() {
            continue;
        }
        for at in &chain {
            gone[*at] = true;
        }
        let last = chain[chain.len() - 1];
        let first = plan.steps[chain[0]].inputs[0];
        moved.insert(last, (first, in_order(&plan, &chain, &links, &order)));
    }
    if moved.is_empty() { plan } else { rebuilt(plan, &gone, moved) }
}

/// The joins of one node each of which reads the one before as its left side, and is the only one
/// to do so; those that have a left join before another one.
fn chains(plan: &DataflowPlan) -> Vec<Vec<usize>> {
    let mut chains: Vec<Vec<usize>> = Vec::new();
    let mut chain_of: BTreeMap<usize, usize> = BTreeMap::new();
    let mut n_readers = None;
    for (at, step) in plan.steps.iter().enumerate() {
        let Operator::Join(join) = &step.operator else { continue };
        if join.kind == JoinKind::Full || !exprs(join).all(never_fails) {
            continue;
        }
        let left = step.inputs[0].index();
        let n_readers = n_readers.get_or_insert_with(|| plan.n_readers());
        let chain = chain_of
            .get(&left)
            .copied()
            .filter(|_| n_readers[left] == 1 && plan.steps[left].node == step.node)
            .unwrap_or_else(|| {
                chains.push(Vec::new());
                chains.len() - 1
            });
        chains[chain].push(at);
        chain_of.insert(at, chain);
    }
    chains.retain(|chain| {
        let before = chain.split_last().map_or(&[][..], |(_, before)| before);
        before.iter().any(|at| {
            matches!(&plan.steps[*at].operator, Operator::Join(it) if it.kind == JoinKind::Left)
        })
    });
    chains
}

fn exprs(join: &Join) -> impl Iterator<Item = &Expr> {
    let times = join.asof.iter().flat_map(|asof| [&asof.left, &asof.right]);
    join.left_key.iter().chain(&join.right_key).chain(&join.residual).chain(times)
}

/// A join of a chain.
struct Link<'p> {
    join: &'p Join,
    /// How many columns its left side has.
    n_left: usize,
    /// Which of them it reads.
    reads: Vec<bool>,
    /// The columns that it adds.
    added: &'p [Field],
    /// Whether each left row comes out at most once.
    is_single: bool,
}

impl<'p> Link<'p> {
    fn new(plan: &'p DataflowPlan, keys: &[Keys], at: usize) -> Self {
        let step = &plan.steps[at];
        let Operator::Join(join) = &step.operator else { panic!("a chain is of joins") };
        let n_left = plan.steps[step.inputs[0].index()].schema.fields.len();
        let mut reads = vec![false; n_left];
        let times = join.asof.iter().map(|asof| &asof.left);
        for expr in join.left_key.iter().chain(&join.residual).chain(times) {
            mark_columns(expr, &mut reads);
        }
        let is_single = match join.kind {
            JoinKind::Semi | JoinKind::Anti => true,
            JoinKind::Inner | JoinKind::Left | JoinKind::Full => {
                let right = &keys[step.inputs[1].index()];
                join.asof.is_some() || proves(right, &plain_columns(&join.right_key))
            }
        };
        Self { join, n_left, reads, added: &step.schema.fields[n_left..], is_single }
    }

    /// Whether this one, which stands directly behind the other, is better before it.
    fn goes_before(&self, other: &Self) -> bool {
        let keeps_all = other.join.kind == JoinKind::Left;
        let leaves_out = self.join.kind != JoinKind::Left;
        let added = other.n_left..other.n_left + other.added.len();
        keeps_all
            && self.is_single
            && (leaves_out || !other.is_single)
            && !self.reads[added].iter().any(|is_read| *is_read)
    }
}

/// Marks the columns of the left side that an expression reads.
fn mark_columns(expr: &Expr, reads: &mut [bool]) {
    if let ExprKind::Column(at) = expr.kind
        && let Some(is_read) = reads.get_mut(at)
    {
        *is_read = true;
    }
    expr.for_each_child(|child| mark_columns(child, reads));
}

/// The joins in their new order, by place in the chain.
fn order(links: &[Link<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(links.len());
    for (idx, link) in links.iter().enumerate() {
        let n_passed =
            order.iter().rev().take_while(|other| link.goes_before(&links[**other])).count();
        order.insert(order.len() - n_passed, idx);
    }
    order
}

/// The steps of a chain in a new order. What each link adds moves with it, and at the end all
/// columns stand where they stood.
fn in_order(
    plan: &DataflowPlan,
    chain: &[usize],
    links: &[Link<'_>],
    order: &[usize],
) -> Vec<Step> {
    let first = &plan.steps[plan.steps[chain[0]].inputs[0].index()];
    let n_first = first.schema.fields.len();
    let last = &plan.steps[chain[chain.len() - 1]];
    // Where each column of the whole chain stands in the new order, as far as it is there.
    let mut places: Vec<Option<usize>> = vec![None; last.schema.fields.len().max(n_first)];
    places.iter_mut().take(n_first).enumerate().for_each(|(at, place)| *place = Some(at));
    let mut fields = first.schema.fields.clone();
    let mut steps: Vec<Step> = Vec::with_capacity(order.len() + 1);
    for idx in order {
        let (link, step) = (&links[*idx], &plan.steps[chain[*idx]]);
        let mut join = link.join.clone();
        for expr in join.left_key.iter_mut().chain(join.asof.iter_mut().map(|it| &mut it.left)) {
            move_columns(expr, link.n_left, fields.len(), &places);
        }
        if let Some(residual) = &mut join.residual {
            move_columns(residual, link.n_left, fields.len(), &places);
        }
        for at in 0..link.added.len() {
            places[link.n_left + at] = Some(fields.len() + at);
        }
        fields.extend(link.added.iter().cloned());
        let schema = Arc::new(Schema::new(Arc::clone(&step.schema.name), fields.clone()));
        let operator = Operator::Join(join);
        steps.push(Step { operator, schema, ..step.clone() });
    }
    let exprs: Vec<Expr> = (last.schema.fields.iter().zip(&places))
        .filter_map(|(field, place)| Some(Expr::column((*place)?, field.ty.clone())))
        .collect();
    let is_moved = |(at, expr): (usize, &Expr)| expr.kind != ExprKind::Column(at);
    if exprs.iter().enumerate().any(is_moved) {
        let address = Arc::clone(&last.address);
        let stage = Stage { address: Arc::clone(&address), kind: StageKind::Project(exprs) };
        steps.push(Step {
            node: Arc::clone(&last.node),
            address,
            operator: Operator::Map(Map { stages: vec![stage] }),
            inputs: Vec::new(),
            schema: Arc::clone(&last.schema),
        });
    }
    steps
}

/// Moves the columns of the left side to their new places, and those of the right side, which stand
/// behind them, along.
fn move_columns(expr: &mut Expr, n_left: usize, n_new: usize, places: &[Option<usize>]) {
    if let ExprKind::Column(at) = &mut expr.kind {
        *at = match at.checked_sub(n_left) {
            Some(right) => n_new + right,
            None => places[*at].expect("a join stays behind those whose columns it reads"),
        };
    }
    expr.for_each_child_mut(|child| move_columns(child, n_left, n_new, places));
}

/// The plan with the chains in their new order, each where its last join stood.
fn rebuilt(
    mut plan: DataflowPlan,
    gone: &[bool],
    mut moved: BTreeMap<usize, (StepId, Vec<Step>)>,
) -> DataflowPlan {
    let mut steps: Vec<Step> = Vec::with_capacity(plan.steps.len() + moved.len());
    let mut places: Vec<Option<StepId>> = Vec::with_capacity(plan.steps.len());
    for (at, mut step) in std::mem::take(&mut plan.steps).into_iter().enumerate() {
        if !gone[at] {
            for input in &mut step.inputs {
                *input = places[input.index()].expect("a chain is read at its end");
            }
            places.push(Some(StepId::at(steps.len())));
            steps.push(step);
            continue;
        }
        let Some((first, chain)) = moved.remove(&at) else {
            places.push(None);
            continue;
        };
        let mut left = places[first.index()].expect("a chain reads what is there");
        for mut step in chain {
            let right = step.inputs.get(1).map(|id| places[id.index()].expect("it stands before"));
            step.inputs = [Some(left), right].into_iter().flatten().collect();
            left = StepId::at(steps.len());
            steps.push(step);
        }
        places.push(Some(left));
    }
    plan.with_steps(steps, |end| places[end.index()].expect("a chain is read at its end"))
}
