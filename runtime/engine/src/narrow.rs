//! Joins keep only what is read after them, and where the host allows it so do input topics: a plan
//! without the columns that nobody needs.
//!
//! A join holds whole rows of both sides, and often few of their fields are ever looked at again.
//! Needs go backward from the outputs; then the plan is rewritten forward. Rows stay as they are
//! at sources, at outputs and before every step whose meaning is about whole rows (`distinct`,
//! `top`, unique keys, unions, routes, loops); expressions that may fail stay too, since their
//! errors are part of the answer. What changes is the text of error rows in the steps after a
//! join: it shows the fields that are left. So it is with what follows a narrowed topic; a topic
//! whose rows are shown by a condition that may fail keeps all of its fields.

use std::collections::BTreeMap;
use std::sync::Arc;

use arqon_operators::{Aggregate, Expr, ExprKind, Need};
use arqon_plan::{
    Asof, DataflowPlan, Group, Join, JoinOutput, LoopId, Map, Operator, StageKind, Step, StepId,
    TopicPlan, Traversal,
};
use arqon_types::{Discipline, Field, Schema, TopicName, Type};

use crate::needs::{Needs, can_fail, kept_needs, needs, stays};

/// What is kept of the rows of input topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// Whole rows, so that a circuit that takes the place of this one can have them.
    #[default]
    Rows,
    /// The columns that this circuit reads.
    Read,
}

/// A plan whose joins and topics keep little.
#[derive(Debug, Clone)]
pub(crate) struct NarrowPlan {
    /// The rewritten plan: expressions and schemas speak of the columns that are left.
    pub(crate) plan: DataflowPlan,
    /// For each join the columns of the left and of the right input that it keeps.
    pub(crate) joins: BTreeMap<StepId, [Vec<usize>; 2]>,
    /// For each topic, by place in the plan, the columns that it keeps; all where none are named.
    pub(crate) topics: Vec<Option<Vec<usize>>>,
    /// Loops that walk a graph.
    pub(crate) traversals: BTreeMap<LoopId, Traversal>,
    /// What the host allows.
    pub(crate) keep: Keep,
}

/// What became of a column.
#[derive(Debug, Clone)]
struct Slot {
    at: usize,
    /// Where the fields of a struct are, if some were left out.
    fields: Option<BTreeMap<usize, usize>>,
}

/// What became of a step's columns; none for those that are gone.
type Layout = Vec<Option<Slot>>;

/// Rewrites a verified plan.
pub(crate) fn narrow(plan: &DataflowPlan, keep: Keep) -> NarrowPlan {
    let stage_needs = needs(plan);
    let topics: Vec<Option<Vec<usize>>> = plan
        .topics
        .iter()
        .map(|topic| kept_columns(plan, topic, &stage_needs).filter(|_| keep == Keep::Read))
        .collect();
    let mut narrowed = NarrowPlan {
        plan: plan.clone(),
        joins: BTreeMap::new(),
        traversals: plan.traversals(),
        topics,
        keep,
    };
    for (topic, kept) in narrowed.plan.topics.iter_mut().zip(&narrowed.topics) {
        if let Some(kept) = kept {
            narrow_topic(topic, kept);
        }
    }
    let mut layouts: Vec<Layout> = Vec::new();
    for (idx, step) in plan.steps.iter().enumerate() {
        let inputs: Vec<Read<'_>> = step
            .inputs
            .iter()
            .map(|input| Read {
                layout: &layouts[input.index()],
                schema: &narrowed.plan.steps[input.index()].schema,
            })
            .collect();
        let needs = &stage_needs[idx];
        let (operator, schema, layout) = match &step.operator {
            Operator::Map(map) => {
                let (map, schema, layout) = inputs[0].map(map, needs, &step.schema);
                (Operator::Map(map), Arc::new(schema), layout)
            }
            Operator::Join(join) => {
                let n_left = plan.steps[step.inputs[0].index()].schema.fields.len();
                let (rewritten, keep, schema, layout) =
                    rewrite_join(join, n_left, &inputs, needs, &step.schema);
                let id = StepId::at(idx);
                narrowed.joins.insert(id, keep);
                (Operator::Join(rewritten), Arc::new(schema), layout)
            }
            Operator::Group(group) => (
                Operator::Group(inputs[0].group(group)),
                step.schema.clone(),
                identity(&step.schema),
            ),
            Operator::Source(name) => match narrowed.kept(name) {
                Some(kept) => {
                    let (schema, layout) = narrow_source(&step.schema, kept);
                    (step.operator.clone(), Arc::new(schema), layout)
                }
                None => (step.operator.clone(), step.schema.clone(), identity(&step.schema)),
            },
            Operator::Errors(_)
            | Operator::Log(_)
            | Operator::Union
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
                (step.operator.clone(), step.schema.clone(), identity(&step.schema))
            }
        };
        let rewritten = &mut narrowed.plan.steps[idx];
        rewritten.operator = operator;
        rewritten.schema = schema;
        layouts.push(layout);
    }
    narrowed
}

/// The columns that a dataflow with [`Keep::Read`] keeps of each topic that it does not keep whole.
pub fn columns_kept(plan: &DataflowPlan) -> BTreeMap<TopicName, Vec<usize>> {
    let needs = needs(plan);
    let kept = |topic: &TopicPlan| Some((topic.name.clone(), kept_columns(plan, topic, &needs)?));
    plan.topics.iter().filter_map(kept).collect()
}

impl NarrowPlan {
    /// The columns that a topic keeps, if not all.
    fn kept(&self, name: &TopicName) -> Option<&Vec<usize>> {
        let at = self.plan.topics.iter().position(|topic| topic.name == *name)?;
        self.topics[at].as_ref()
    }
}

/// Which columns of a topic are kept; none if all are, or if its rows are seen whole.
fn kept_columns(
    plan: &DataflowPlan,
    topic: &TopicPlan,
    needs: &[Vec<Needs>],
) -> Option<Vec<usize>> {
    let is_alone = matches!(topic.discipline, Discipline::Full | Discipline::Events)
        && topic.lateness.is_none()
        && !topic.arrival
        && !plan.has_log(&topic.name)
        && plan.ends().all(|(name, _)| *name != topic.name);
    let mut read = vec![false; topic.schema.fields.len()];
    topic.key.iter().chain(&topic.time).for_each(|at| read[*at] = true);
    for (idx, step) in plan.steps.iter().enumerate() {
        if step.operator.source() != Some(&topic.name) {
            continue;
        }
        let mut readers =
            plan.steps.iter().filter(|reader| reader.inputs.contains(&StepId::at(idx)));
        if !is_alone || readers.any(shows_rows) {
            return None;
        }
        for (read, need) in read.iter_mut().zip(&needs[idx][0]) {
            *read |= *need != Need::Nothing;
        }
    }
    let kept: Vec<usize> = (0..read.len()).filter(|at| read[*at]).collect();
    (!kept.is_empty() && kept.len() < read.len()).then_some(kept)
}

/// Whether error rows of a step show its input as it came, though little of it is read.
fn shows_rows(step: &Step) -> bool {
    let Operator::Map(map) = &step.operator else { return false };
    map.stages.iter().any(|stage| match &stage.kind {
        StageKind::Filter(condition) => can_fail(condition),
        StageKind::Project(exprs) => exprs.iter().any(can_fail),
        StageKind::Unnest(list) => can_fail(list),
    })
}

/// What each reader of a topic asks first of its rows: a row that no reader lets through is read by
/// nobody. Empty if some reader takes any row, or sees more than how the collection changes.
pub(crate) fn conditions<'p>(
    plan: &'p DataflowPlan,
    topic: &TopicPlan,
    keep: Keep,
) -> Vec<Vec<&'p Expr>> {
    let sees_all = keep == Keep::Rows
        || topic.lateness.is_some()
        || topic.arrival
        || plan.has_log(&topic.name);
    let sources = (0..plan.steps.len()).map(StepId::at);
    let sources: Vec<StepId> = sources
        .filter(|id| plan.steps[id.index()].operator.source() == Some(&topic.name))
        .collect();
    if sees_all || plan.ends().any(|(_, end)| sources.contains(&end)) {
        return Vec::new();
    }
    let readers =
        plan.steps.iter().filter(|step| step.inputs.iter().any(|id| sources.contains(id)));
    let asked: Vec<Vec<&Expr>> = readers.map(first_conditions).collect();
    if asked.iter().any(Vec::is_empty) { Vec::new() } else { asked }
}

/// The conditions with which a step begins, up to the first that may fail.
fn first_conditions(step: &Step) -> Vec<&Expr> {
    let Operator::Map(map) = &step.operator else { return Vec::new() };
    let conditions = map.stages.iter().map_while(|stage| match &stage.kind {
        StageKind::Filter(condition) if !can_fail(condition) => Some(condition),
        StageKind::Filter(_) | StageKind::Project(_) | StageKind::Unnest(_) => None,
    });
    conditions.collect()
}

fn narrow_topic(topic: &mut TopicPlan, kept: &[usize]) {
    let place =
        |old: &usize| kept.iter().position(|at| at == old).expect("keys and event times are kept");
    topic.key = topic.key.iter().map(place).collect();
    topic.time = topic.time.as_ref().map(place);
    topic.schema.fields = kept.iter().map(|at| topic.schema.fields[*at].clone()).collect();
}

fn narrow_source(schema: &Schema, kept: &[usize]) -> (Schema, Layout) {
    let mut layout: Layout = vec![None; schema.fields.len()];
    for (at, old) in kept.iter().enumerate() {
        layout[*old] = Some(Slot { at, fields: None });
    }
    let fields = kept.iter().map(|at| schema.fields[*at].clone()).collect();
    (Schema::new(Arc::clone(&schema.name), fields), layout)
}

fn identity(schema: &Schema) -> Layout {
    (0..schema.fields.len()).map(|at| Some(Slot { at, fields: None })).collect()
}

/// The same group over rows of another schema, in which its columns are these fields.
pub(crate) fn moved_group(group: &Group, fields: &[usize], schema: &Schema) -> Group {
    let layout: Layout = fields.iter().map(|at| Some(Slot { at: *at, fields: None })).collect();
    Read { layout: &layout, schema }.group(group)
}

/// A step's input as it is now.
#[derive(Debug, Clone, Copy)]
struct Read<'a> {
    layout: &'a Layout,
    schema: &'a Schema,
}

/// The expression over the columns that are left; `types` are theirs.
fn remap(expr: &Expr, layout: &Layout, types: &[Type]) -> Expr {
    let mut expr = expr.clone();
    remap_in(&mut expr, layout, types);
    expr
}

fn remap_in(expr: &mut Expr, layout: &Layout, types: &[Type]) {
    if let ExprKind::Field { of, idx } = &mut expr.kind
        && let ExprKind::Column(at) = of.kind
        && let Some(fields) = &slot(layout, at).fields
    {
        *idx = fields[idx];
    }
    if let ExprKind::Column(at) = &mut expr.kind {
        let slot = slot(layout, *at);
        *at = slot.at;
        expr.ty = types[slot.at].clone();
        return;
    }
    expr.for_each_child_mut(|child| remap_in(child, layout, types));
}

fn slot(layout: &Layout, at: usize) -> &Slot {
    layout[at].as_ref().expect("a column that is read was kept")
}

impl Read<'_> {
    fn remap(&self, expr: &Expr) -> Expr {
        remap(expr, self.layout, &self.schema.types())
    }

    fn group(&self, group: &Group) -> Group {
        let aggregate = |aggregate: &Aggregate| Aggregate {
            args: aggregate.args.iter().map(|arg| self.remap(arg)).collect(),
            filter: aggregate.filter.as_ref().map(|filter| self.remap(filter)),
            ..aggregate.clone()
        };
        Group {
            keys: group.keys.iter().map(|key| self.remap(key)).collect(),
            aggregates: group.aggregates.iter().map(aggregate).collect(),
        }
    }

    fn map(&self, map: &Map, needs: &[Needs], schema: &Schema) -> (Map, Schema, Layout) {
        let mut map = map.clone();
        let mut layout = self.layout.clone();
        let mut types = self.schema.types();
        let mut has_projected = false;
        for (stage, needs) in map.stages.iter_mut().zip(needs) {
            match &mut stage.kind {
                StageKind::Filter(condition) => *condition = remap(condition, &layout, &types),
                StageKind::Project(exprs) => {
                    has_projected = true;
                    let mut kept = Vec::new();
                    let mut next = Layout::new();
                    for (expr, need) in exprs.iter().zip(needs) {
                        if !stays(expr, need) {
                            next.push(None);
                            continue;
                        }
                        let fields = match &expr.kind {
                            ExprKind::Column(at) => slot(&layout, *at).fields.clone(),
                            _ => None,
                        };
                        next.push(Some(Slot { at: kept.len(), fields }));
                        kept.push(remap(expr, &layout, &types));
                    }
                    types = kept.iter().map(|expr| expr.ty.clone()).collect();
                    layout = next;
                    *exprs = kept;
                }
                StageKind::Unnest(list) => {
                    *list = remap(list, &layout, &types);
                    let element = match list.ty.required() {
                        Type::List(element) => (**element).clone(),
                        other => panic!("elements of {other}"),
                    };
                    for ty in [Type::Int64, element] {
                        layout.push(Some(Slot { at: types.len(), fields: None }));
                        types.push(ty);
                    }
                    has_projected = true;
                }
            }
        }
        if !has_projected {
            return (map, self.schema.clone(), layout);
        }
        let fields = (schema.fields.iter().zip(&layout))
            .filter_map(|(field, slot)| {
                Some(Field::new(Arc::clone(&field.name), types[slot.as_ref()?.at].clone()))
            })
            .collect();
        (map, Schema::new(Arc::clone(&schema.name), fields), layout)
    }
}

/// The join over what is left, the columns that it keeps of either side, and its output.
fn rewrite_join(
    join: &Join,
    n_left: usize,
    inputs: &[Read<'_>],
    needs: &[Needs],
    schema: &Schema,
) -> (Join, [Vec<usize>; 2], Schema, Layout) {
    let [left, right] = [inputs[0], inputs[1]];
    let n_right = right.layout.len();
    let [left_needs, right_needs] = kept_needs(join, n_left, n_right, &needs[0]);
    let (left_kept, left_layout) = keep(left, &left_needs);
    let (right_kept, right_layout) = keep(right, &right_needs);
    let offset = left_kept.len();
    let shifted = |slot: &Slot| Slot { at: slot.at + offset, ..slot.clone() };
    let mut pair = left_layout.clone();
    pair.extend(right_layout.iter().map(|slot| slot.as_ref().map(shifted)));
    let left_fields: Vec<Field> =
        left_kept.iter().map(|at| left.schema.fields[*at].clone()).collect();
    let right_fields: Vec<Field> =
        right_kept.iter().map(|at| right.schema.fields[*at].clone()).collect();
    let pair_types: Vec<Type> =
        left_fields.iter().chain(&right_fields).map(|field| field.ty.clone()).collect();
    let rewritten = Join {
        left_key: join.left_key.iter().map(|key| left.remap(key)).collect(),
        right_key: join.right_key.iter().map(|key| right.remap(key)).collect(),
        residual: join.residual.as_ref().map(|residual| remap(residual, &pair, &pair_types)),
        asof: join.asof.as_ref().map(|asof| {
            let (left, right) = (left.remap(&asof.left), right.remap(&asof.right));
            Box::new(Asof { left, right, within: asof.within })
        }),
        ..join.clone()
    };
    let [misses_left, misses_right] = join.kind.may_miss();
    let optional = |ty: Type, may_miss: bool| if may_miss { ty.optional() } else { ty };
    let (layout, right_fields) = match join.output {
        JoinOutput::LeftOnly => (left_layout, Vec::new()),
        JoinOutput::Flat => {
            let named = |(at, slot): (usize, &Option<Slot>)| {
                let field = &right_fields[slot.as_ref()?.at - offset];
                let ty = optional(field.ty.clone(), misses_right);
                Some(Field::new(Arc::clone(&schema.fields[at].name), ty))
            };
            let fields = pair.iter().enumerate().skip(n_left).filter_map(named).collect();
            (pair, fields)
        }
        JoinOutput::Nested => {
            let fields: BTreeMap<usize, usize> = (right_layout.iter().enumerate())
                .filter_map(|(old, slot)| Some((old, slot.as_ref()?.at)))
                .collect();
            let mut layout = left_layout;
            layout.push(Some(Slot { at: offset, fields: Some(fields) }));
            let ty = optional(Type::Struct(right_fields), misses_right);
            (layout, vec![Field::new(Arc::clone(&schema.fields[n_left].name), ty)])
        }
    };
    let left_fields = left_fields
        .into_iter()
        .map(|field| Field::new(Arc::clone(&field.name), optional(field.ty, misses_left)));
    let fields = left_fields.chain(right_fields).collect();
    (rewritten, [left_kept, right_kept], Schema::new(Arc::clone(&schema.name), fields), layout)
}

/// The columns of an input that are kept, in order, and where the needed ones are then.
fn keep(input: Read<'_>, needs: &Needs) -> (Vec<usize>, Layout) {
    let mut kept = Vec::new();
    let layout = (input.layout.iter().zip(needs))
        .map(|(slot, need)| {
            let slot = slot.as_ref().filter(|_| *need != Need::Nothing)?;
            kept.push(slot.at);
            Some(Slot { at: kept.len() - 1, fields: slot.fields.clone() })
        })
        .collect();
    (kept, layout)
}
