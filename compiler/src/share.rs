//! Pass `share`: steps that do the same with the same rows are one step.
//!
//! Law: equal rows, put through equal steps, come out equal, so whoever reads the later of two such
//! steps may read the earlier one. What a step is called, where it stands in the text and to which
//! node it belongs say nothing of its rows; what its fields are called does, since error rows
//! further on show them. **A step that can fail stays**: its failures are rows of its own node's
//! errors, under its own address, and each node tells its own. Conditions have moved before, so
//! that steps whose rows were narrowed differently stay apart; columns are cut later, by what all
//! readers need.
//!
//! Cost: one walk. Two steps can be equal only if they read the same, so that only the readers of
//! what is read more than once are looked at, and these by a hash.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use arqon_operators::{Aggregate, BinaryOp, Expr, ExprKind, Function, UnaryOp};
use arqon_plan::{DataflowPlan, Join, Operator, Over, OverKind, SortKey, StageKind, Step, StepId};
use arqon_types::{Type, Value};
use smallvec::SmallVec;

use crate::total::{always_has_value, is_certain, never_fails};

/// A step that is not there any more, and the one that does the same.
#[derive(Debug, Clone)]
pub struct Twin {
    /// The node that it was of.
    pub node: Arc<str>,
    /// Its address.
    pub address: Arc<str>,
    /// The one that is left.
    pub of: StepId,
}

/// The same plan with each computation once, and what is not done a second time.
pub(crate) fn share(mut plan: DataflowPlan) -> (DataflowPlan, Vec<Twin>) {
    let mut sharing = Sharing {
        steps: Vec::with_capacity(plan.steps.len()),
        n_readers: Vec::with_capacity(plan.steps.len()),
        only_reader: vec![None; plan.steps.len()],
        known: BTreeMap::new(),
        twins: Vec::new(),
    };
    let n_readers = plan.n_readers();
    let mut places: Vec<StepId> = Vec::with_capacity(plan.steps.len());
    for (mut step, n_readers) in std::mem::take(&mut plan.steps).into_iter().zip(n_readers) {
        for input in &mut step.inputs {
            *input = places[input.index()];
        }
        places.push(sharing.step(step, n_readers));
    }
    (plan.with_steps(sharing.steps, |end| places[end.index()]), sharing.twins)
}

/// The steps so far.
struct Sharing {
    steps: Vec<Step>,
    /// Who reads them, those included that come later.
    n_readers: Vec<usize>,
    /// Of a step that seemed to have one reader, which; that one is not known yet.
    only_reader: Vec<Option<StepId>>,
    /// Those that others may be equal to, by hash.
    known: BTreeMap<u64, SmallVec<[StepId; 1]>>,
    /// Those that are equal to one of them.
    twins: Vec<Twin>,
}

impl Sharing {
    /// Adds a step, or finds the one that it is equal to.
    fn step(&mut self, step: Step, n_readers: usize) -> StepId {
        let id = StepId::at(self.steps.len());
        if let Some(first) = step.inputs.first().map(|input| input.index()) {
            if self.n_readers[first] == 1 {
                self.only_reader[first] = Some(id);
            } else if let Some(hash) = hash_of(&step) {
                let alike = self.known.entry(hash).or_default();
                let twin = alike.iter().find(|it| are_equal(&self.steps[it.index()], &step));
                if let Some(of) = twin.copied() {
                    self.merge(of, n_readers);
                    self.twins.push(Twin { node: step.node, address: step.address, of });
                    return of;
                }
                alike.push(id);
            }
        }
        self.steps.push(step);
        self.n_readers.push(n_readers);
        id
    }

    /// Gives a step the readers of its equal.
    fn merge(&mut self, twin: StepId, n_readers: usize) {
        self.n_readers[twin.index()] += n_readers;
        if let Some(reader) = self.only_reader[twin.index()].take()
            && let Some(hash) = hash_of(&self.steps[reader.index()])
        {
            self.known.entry(hash).or_default().push(reader);
        }
    }
}

/// A part of what an operator does. Equal operators have equal parts, one by one.
#[derive(Debug, Clone, Copy)]
enum Part<'s> {
    Number(u64),
    Type(&'s Type),
    Expr(&'s Expr),
}

type Parts<'s> = SmallVec<[Part<'s>; 8]>;

/// What a step does; none if it is the only one of its kind, or if it can fail.
fn parts(operator: &Operator) -> Option<Parts<'_>> {
    let mut parts = Parts::new();
    let number = |number: usize| Part::Number(number as u64);
    match operator {
        Operator::Map(map) => {
            parts.push(number(0));
            for stage in &map.stages {
                match &stage.kind {
                    StageKind::Filter(condition) => {
                        parts.extend([number(0), Part::Expr(condition)]);
                    }
                    StageKind::Project(fields) => {
                        parts.push(number(1));
                        list(fields, &mut parts);
                    }
                    StageKind::Unnest(of) => parts.extend([number(2), Part::Expr(of)]),
                }
            }
        }
        Operator::Union => parts.push(number(1)),
        Operator::Route(route) => {
            parts.extend([number(2), number(usize::from(route.has_rest))]);
            list(&route.conditions, &mut parts);
        }
        Operator::Arm(arm) => parts.extend([number(3), number(arm.idx)]),
        Operator::Join(join) => join_parts(join, &mut parts),
        Operator::Group(group) => {
            parts.push(number(5));
            list(&group.keys, &mut parts);
            for aggregate in &group.aggregates {
                aggregate_parts(aggregate, &mut parts)?;
            }
        }
        Operator::Distinct => parts.push(number(6)),
        Operator::Top(top) => {
            let (ties, rank) = (top.ties as usize, usize::from(top.rank));
            parts.extend([number(7), Part::Number(top.n), Part::Number(top.offset)]);
            parts.extend([number(ties), number(rank)]);
            list(&top.per, &mut parts);
            order_parts(&top.by, &mut parts);
        }
        Operator::Over(over) => over_parts(over, &mut parts)?,
        Operator::Latest(latest) => {
            parts.extend([number(9), number(latest.n_places)]);
            parts.extend(latest.key.iter().map(|at| number(*at)));
        }
        // There is one for each topic, each node, each variable.
        Operator::Source(_)
        | Operator::Log(_)
        | Operator::Errors(_)
        | Operator::Variable(_)
        | Operator::Next(_)
        | Operator::Leave(_)
        | Operator::Retain(_)
        // A second row with a key is an error; so is a row beyond all windows.
        | Operator::Unique { .. }
        | Operator::Kernel(_)
        | Operator::Measured(_)
        | Operator::Window(_)
        | Operator::Late(_)
        // Before each of these there is a window.
        | Operator::Session(_)
        | Operator::Final(_)
        | Operator::Within(_) => return None,
    }
    let can_fail = |part: &Part<'_>| matches!(part, Part::Expr(expr) if !never_fails(expr));
    (!parts.iter().any(can_fail)).then_some(parts)
}

/// Expressions, and how many there are.
fn list<'s>(exprs: &'s [Expr], parts: &mut Parts<'s>) {
    parts.push(Part::Number(exprs.len() as u64));
    parts.extend(exprs.iter().map(Part::Expr));
}

fn order_parts<'s>(by: &'s [SortKey], parts: &mut Parts<'s>) {
    parts.push(Part::Number(by.len() as u64));
    for key in by {
        parts.extend([Part::Number(key.order as u64), Part::Expr(&key.expr)]);
    }
}

fn join_parts<'s>(join: &'s Join, parts: &mut Parts<'s>) {
    parts.extend([4, join.kind as u64, join.output as u64].map(Part::Number));
    list(&join.left_key, parts);
    list(&join.right_key, parts);
    list(join.residual.as_slice(), parts);
    let Some(asof) = &join.asof else { return };
    parts.extend([&asof.left, &asof.right].map(Part::Expr));
    parts.extend(asof.within.map(|nanos| Part::Number(nanos.cast_unsigned())));
}

/// None for an aggregate that may lack a value, which is an error of its group.
fn aggregate_parts<'s>(aggregate: &'s Aggregate, parts: &mut Parts<'s>) -> Option<()> {
    always_has_value(aggregate.function).then_some(())?;
    parts.extend([Part::Number(aggregate.function as u64), Part::Type(&aggregate.ty)]);
    list(&aggregate.args, parts);
    list(aggregate.filter.as_slice(), parts);
    Some(())
}

fn over_parts<'s>(over: &'s Over, parts: &mut Parts<'s>) -> Option<()> {
    parts.push(Part::Number(8));
    list(&over.per, parts);
    order_parts(&over.by, parts);
    for function in &over.functions {
        is_certain(&function.kind).then_some(())?;
        parts.push(Part::Type(&function.ty));
        match &function.kind {
            OverKind::Lag { of, n } => {
                parts.extend([Part::Number(0), Part::Number(*n), Part::Expr(of)]);
            }
            OverKind::Lead { of, n } => {
                parts.extend([Part::Number(1), Part::Number(*n), Part::Expr(of)]);
            }
            OverKind::First { of, rows } => {
                parts.extend([Part::Number(2), Part::Expr(of)]);
                row_parts(*rows, parts);
            }
            OverKind::RowNumber => parts.push(Part::Number(3)),
            OverKind::Rank => parts.push(Part::Number(4)),
            OverKind::DenseRank => parts.push(Part::Number(5)),
            OverKind::Aggregate { aggregate, rows } => {
                parts.push(Part::Number(6));
                aggregate_parts(aggregate, parts)?;
                row_parts(*rows, parts);
            }
        }
    }
    Some(())
}

fn row_parts(rows: Option<u64>, parts: &mut Parts<'_>) {
    parts.push(Part::Number(u64::from(rows.is_some())));
    parts.extend(rows.map(Part::Number));
}

/// A number that equal steps have in common.
fn hash_of(step: &Step) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    for part in parts(&step.operator)? {
        match part {
            Part::Number(number) => hasher.write_u64(number),
            // That of its expressions tells as much.
            Part::Type(_) => {}
            Part::Expr(expr) => hash_expr(expr, &mut hasher),
        }
    }
    step.inputs.hash(&mut hasher);
    for field in &step.schema.fields {
        field.name.hash(&mut hasher);
    }
    Some(hasher.finish())
}

fn are_equal(one: &Step, other: &Step) -> bool {
    let (Some(parts_of_one), Some(parts_of_other)) = (parts(&one.operator), parts(&other.operator))
    else {
        return false;
    };
    let equal = |(one, other): (&Part<'_>, &Part<'_>)| match (one, other) {
        (Part::Number(one), Part::Number(other)) => one == other,
        (Part::Type(one), Part::Type(other)) => one == other,
        (Part::Expr(one), Part::Expr(other)) => are_equal_exprs(one, other),
        (Part::Number(_) | Part::Type(_) | Part::Expr(_), _) => false,
    };
    one.inputs == other.inputs
        && parts_of_one.len() == parts_of_other.len()
        && parts_of_one.iter().zip(&parts_of_other).all(equal)
        && (Arc::ptr_eq(&one.schema, &other.schema)
            || (one.schema.fields == other.schema.fields && one.schema.units == other.schema.units))
}

/// An expression without its parts, and without its place in the text.
#[derive(PartialEq, Eq, Hash)]
enum Head<'e> {
    Column(usize),
    Local(usize),
    Literal(&'e Value),
    Field(usize),
    Unary(UnaryOp),
    Binary(BinaryOp),
    And(usize),
    Or(usize),
    If,
    In(usize),
    Default,
    Try,
    Cast,
    Call(Function, usize),
    List(usize),
    Struct(usize),
    Lambda(usize),
}

fn head(expr: &Expr) -> Head<'_> {
    match &expr.kind {
        ExprKind::Column(at) => Head::Column(*at),
        ExprKind::Local(at) => Head::Local(*at),
        ExprKind::Literal(value) => Head::Literal(value),
        ExprKind::Field { idx, .. } => Head::Field(*idx),
        ExprKind::Unary(op, _) => Head::Unary(*op),
        ExprKind::Binary(op, ..) => Head::Binary(*op),
        ExprKind::And(parts) => Head::And(parts.len()),
        ExprKind::Or(parts) => Head::Or(parts.len()),
        ExprKind::If { .. } => Head::If,
        ExprKind::In { items, .. } => Head::In(items.len()),
        ExprKind::Default { .. } => Head::Default,
        ExprKind::Try(_) => Head::Try,
        ExprKind::Cast(_) => Head::Cast,
        ExprKind::Call { function, args } => Head::Call(*function, args.len()),
        ExprKind::List(parts) => Head::List(parts.len()),
        ExprKind::Struct(parts) => Head::Struct(parts.len()),
        ExprKind::Lambda { n_params, .. } => Head::Lambda(*n_params),
    }
}

fn hash_expr(expr: &Expr, hasher: &mut DefaultHasher) {
    head(expr).hash(hasher);
    expr.for_each_child(|child| hash_expr(child, hasher));
}

fn are_equal_exprs(one: &Expr, other: &Expr) -> bool {
    if head(one) != head(other) || one.ty != other.ty {
        return false;
    }
    let mut parts: SmallVec<[&Expr; 4]> = SmallVec::new();
    one.for_each_child(|part| parts.push(part));
    let mut rest = parts.iter();
    let mut all = true;
    other.for_each_child(|part| {
        all = all && rest.next().is_some_and(|one| are_equal_exprs(one, part));
    });
    all
}
