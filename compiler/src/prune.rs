//! Pass `prune`: columns that nobody reads are projected away before joins, which hold rows.
//!
//! Law: joins, groups and unions compute each output column from the columns it names, so a
//! column that nothing downstream reads (`crate::needs`) may be left out before them. An expression
//! that may fail for a row is kept, because its failure is an answer. Rows of topics never change;
//! error rows downstream show the columns that are left. Joins that hold a side together have the
//! columns that any of them needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arqon_operators::{Expr, ExprKind, Need};
use arqon_plan::{
    DataflowPlan, Join, JoinOutput, JoinReader, JoinSide, Map, Operator, Stage, StageKind, Step,
    StepId,
};
use arqon_types::{Field, Schema, Type};

use crate::needs::{Widths, input_needs, needs, needs_together, stage_needs};
use crate::total::never_fails;

/// The same plan with narrower rows before joins and unions.
pub(crate) fn prune(mut plan: DataflowPlan) -> DataflowPlan {
    let needs = needs(&plan);
    let together = needs_together(&plan, &needs);
    let n_steps = plan.steps.len();
    let mut pruning = Pruning {
        steps: Vec::with_capacity(n_steps),
        layouts: Vec::with_capacity(n_steps),
        places: Vec::with_capacity(n_steps),
        errors_read: BTreeSet::new(),
        cuts: BTreeMap::new(),
    };
    let readers = plan.arrangement_readers();
    for (at, step) in std::mem::take(&mut plan.steps).into_iter().enumerate() {
        let join = StepId::at(at);
        let both = JoinSide::BOTH
            .map(|side| readers.get(&JoinReader { join, side }).map(|at| &together[*at]));
        pruning.step(step, &needs[at], both);
    }
    let Pruning { steps, places, .. } = pruning;
    plan.with_steps(steps, |end| places[end.index()])
}

/// Where the columns of a step have gone.
type Layout = Vec<Option<Place>>;

#[derive(Debug, Clone)]
struct Place {
    column: usize,
    /// For a struct that became narrower: where its fields have gone.
    fields: Option<Vec<Option<usize>>>,
}

struct Pruning {
    steps: Vec<Step>,
    /// Of each old step.
    layouts: Vec<Layout>,
    /// Which new step stands for each old one.
    places: Vec<StepId>,
    /// The nodes whose errors a step so far reads.
    errors_read: BTreeSet<String>,
    /// For what several joins hold together: the step with these columns of a step.
    cuts: BTreeMap<(StepId, Vec<usize>), StepId>,
}

impl Pruning {
    fn push(&mut self, step: Step) -> StepId {
        let id = StepId::at(self.steps.len());
        if let Operator::Errors(node) = &step.operator {
            self.errors_read.insert(node.clone());
        }
        self.steps.push(step);
        id
    }

    fn finish(&mut self, step: Step, layout: Layout) {
        let id = self.push(step);
        self.places.push(id);
        self.layouts.push(layout);
    }

    /// `together` is what a join's sides have because others that hold them need it.
    fn step(&mut self, mut step: Step, need: &[Need], together: [Option<&Vec<Need>>; 2]) {
        if self.is_untouched(&step, need) {
            for input in &mut step.inputs {
                *input = self.places[input.index()];
            }
            let layout = identity(step.schema.fields.len());
            return self.finish(step, layout);
        }
        let widths: Widths = step.inputs.iter().map(|id| self.layouts[id.index()].len()).collect();
        let mut needs = input_needs(&step.operator, need, &widths);
        let layout: Layout = match &mut step.operator {
            Operator::Source(_)
            | Operator::Errors(_)
            | Operator::Log(_)
            | Operator::Distinct
            | Operator::Top(_)
            | Operator::Over(_)
            | Operator::Latest(_)
            | Operator::Unique { .. }
            | Operator::Kernel(_)
            | Operator::Measured(_)
            | Operator::Retain(_)
            | Operator::Variable(_)
            | Operator::Next(_)
            | Operator::Leave(_)
            | Operator::Late(_) => {
                step.inputs = step.inputs.iter().map(|id| self.places[id.index()]).collect();
                identity(step.schema.fields.len())
            }
            Operator::Map(map) => {
                let old = step.inputs[0];
                let input = self.places[old.index()];
                let layout = self.layouts[old.index()].clone();
                let fields = &self.steps[input.index()].schema.fields;
                step.inputs = vec![input];
                let (layout, fields) = map_stages(map, layout, fields, need);
                step.schema = rebuilt(&step.schema, fields, &layout);
                layout
            }
            Operator::Union => {
                let columns = columns_of(need);
                step.inputs = step
                    .inputs
                    .iter()
                    .map(|id| self.narrowed(*id, &columns, &step.node, &step.address))
                    .collect();
                let fields = columns.iter().map(|&at| step.schema.fields[at].clone()).collect();
                step.schema = Arc::new(Schema::new(step.schema.name.clone(), fields));
                kept(need.len(), &columns)
            }
            Operator::Route(route) => {
                let old = step.inputs[0];
                let input = self.places[old.index()];
                let layout = self.layouts[old.index()].clone();
                let fields = &self.steps[input.index()].schema.fields;
                for condition in &mut route.conditions {
                    rewrite(condition, &layout, fields);
                }
                let fields = fields.clone();
                step.inputs = vec![input];
                step.schema = rebuilt(&step.schema, fields, &layout);
                layout
            }
            Operator::Arm(_) => {
                let old = step.inputs[0];
                let input = self.places[old.index()];
                let layout = self.layouts[old.index()].clone();
                let fields = self.steps[input.index()].schema.fields.clone();
                step.inputs = vec![input];
                step.schema = rebuilt(&step.schema, fields, &layout);
                layout
            }
            Operator::Join(join) => {
                let sides = [step.inputs[0], step.inputs[1]];
                for (needs, together) in needs.iter_mut().zip(together) {
                    if let Some(together) = together {
                        needs.clone_from(together);
                    }
                }
                let (fields, layout) =
                    self.join(join, sides, &needs, &mut step.inputs, (&step.node, &step.address));
                for (side, together) in together.iter().enumerate() {
                    if together.is_some() {
                        let cut = (sides[side], columns_of(&needs[side]));
                        self.cuts.entry(cut).or_insert(step.inputs[side]);
                    }
                }
                step.schema = rebuilt(&step.schema, fields, &layout);
                layout
            }
            Operator::Window(_)
            | Operator::Session(_)
            | Operator::Final(_)
            | Operator::Within(_) => self.windowed(&mut step, &needs[0]),
            Operator::Group(group) => {
                // A group holds no rows, only what it computes of them, so nothing is cut here.
                let old = step.inputs[0];
                let input = self.places[old.index()];
                let layout = self.layouts[old.index()].clone();
                let fields = &self.steps[input.index()].schema.fields;
                let aggregates = group
                    .aggregates
                    .iter_mut()
                    .flat_map(|it| it.args.iter_mut().chain(&mut it.filter));
                for expr in group.keys.iter_mut().chain(aggregates) {
                    rewrite(expr, &layout, fields);
                }
                step.inputs = vec![input];
                identity(step.schema.fields.len())
            }
        };
        self.finish(step, layout);
    }

    /// Whether a step over one input sees all of its columns where they were and drops none.
    fn is_untouched(&self, step: &Step, need: &[Need]) -> bool {
        let drops = match &step.operator {
            Operator::Map(map) => {
                let n_input = self.layouts[step.inputs[0].index()].len();
                let drops = |need: &[Need]| need.contains(&Need::Nothing);
                let is_single = map.stages.len() <= 1;
                drops(need)
                    || !is_single && stage_needs(map, need, n_input).iter().any(|it| drops(it))
            }
            Operator::Route(_) | Operator::Arm(_) | Operator::Group(_) => false,
            Operator::Source(_)
            | Operator::Log(_)
            | Operator::Union
            | Operator::Join(_)
            | Operator::Distinct
            | Operator::Top(_)
            | Operator::Over(_)
            | Operator::Latest(_)
            | Operator::Unique { .. }
            | Operator::Kernel(_)
            | Operator::Measured(_)
            | Operator::Errors(_)
            | Operator::Variable(_)
            | Operator::Next(_)
            | Operator::Leave(_)
            | Operator::Window(_)
            | Operator::Late(_)
            | Operator::Session(_)
            | Operator::Final(_)
            | Operator::Within(_)
            | Operator::Retain(_) => return false,
        };
        !drops && step.inputs.iter().all(|id| is_identity(&self.layouts[id.index()]))
    }

    /// Narrows the input of a step that hands its rows on, with columns added or the mark taken
    /// off at their end; where the columns of its output have gone.
    fn windowed(&mut self, step: &mut Step, need: &[Need]) -> Layout {
        let old = step.inputs[0];
        let columns = columns_of(need);
        let input = self.narrowed(old, &columns, &step.node, &step.address);
        let before = self.after(old, &columns);
        step.inputs = vec![input];
        let fields = &self.steps[input.index()].schema.fields;
        let n_handed_on = match &mut step.operator {
            Operator::Window(window) => {
                rewrite(&mut window.time, &before, fields);
                before.len() - 1
            }
            Operator::Session(session) => {
                for expr in session.per.iter_mut().chain([&mut session.time]) {
                    rewrite(expr, &before, fields);
                }
                before.len()
            }
            Operator::Final(closing) | Operator::Within(closing) => {
                rewrite(&mut closing.time, &before, fields);
                before.len()
            }
            other => panic!("{other:?} is no step of windows"),
        };
        let schema = Arc::make_mut(&mut step.schema);
        let added = schema.fields.split_off(n_handed_on);
        schema.fields = columns
            .iter()
            .filter(|at| **at < n_handed_on)
            .map(|at| schema.fields[*at].clone())
            .collect();
        let mut layout = before;
        layout.truncate(n_handed_on);
        for field in added {
            layout.push(Some(Place { column: schema.fields.len(), fields: None }));
            schema.fields.push(field);
        }
        layout
    }

    /// A step with exactly these old columns of an old step.
    fn narrowed(
        &mut self,
        old: StepId,
        columns: &[usize],
        node: &Arc<str>,
        address: &Arc<str>,
    ) -> StepId {
        if let Some(cut) = self.cuts.get(&(old, columns.to_vec())) {
            return *cut;
        }
        let input = self.places[old.index()];
        let layout = &self.layouts[old.index()];
        let from = &self.steps[input.index()];
        let wanted: Vec<usize> = columns
            .iter()
            .map(|&at| layout[at].as_ref().expect("a column that is read is kept").column)
            .collect();
        if wanted.iter().copied().eq(0..from.schema.fields.len()) {
            return input;
        }
        let fields: Vec<Field> = wanted.iter().map(|&at| from.schema.fields[at].clone()).collect();
        let exprs = wanted
            .iter()
            .zip(&fields)
            .map(|(&at, field)| Expr::column(at, field.ty.clone()))
            .collect();
        let stage = Stage { address: Arc::clone(address), kind: StageKind::Project(exprs) };
        // It stays with the node that it comes from, so that it can become one with its maps; but
        // where the errors of that node are read, all of its steps stand before.
        let is_closed = self.errors_read.contains(&*from.node);
        let node = Arc::clone(if is_closed { node } else { &from.node });
        let schema = Arc::new(Schema::new(from.schema.name.clone(), fields));
        self.push(Step {
            node,
            address: Arc::clone(address),
            operator: Operator::Map(Map { stages: vec![stage] }),
            inputs: vec![input],
            schema,
        })
    }

    /// The layout of an old step after [`Pruning::narrowed`].
    fn after(&self, old: StepId, columns: &[usize]) -> Layout {
        let layout = &self.layouts[old.index()];
        let mut after: Layout = vec![None; layout.len()];
        for (new, &at) in columns.iter().enumerate() {
            let fields = layout[at].as_ref().and_then(|place| place.fields.clone());
            after[at] = Some(Place { column: new, fields });
        }
        after
    }

    /// Rewrites a join; the fields of its output, and where the old ones have gone.
    fn join(
        &mut self,
        join: &mut Join,
        sides: [StepId; 2],
        needs: &[Vec<Need>],
        inputs: &mut Vec<StepId>,
        (node, address): (&Arc<str>, &Arc<str>),
    ) -> (Vec<Field>, Layout) {
        let columns = [columns_of(&needs[0]), columns_of(&needs[1])];
        let left_input = self.narrowed(sides[0], &columns[0], node, address);
        let right_input = self.narrowed(sides[1], &columns[1], node, address);
        let left = self.after(sides[0], &columns[0]);
        let right = self.after(sides[1], &columns[1]);
        let left_fields = self.steps[left_input.index()].schema.fields.clone();
        let right_fields = self.steps[right_input.index()].schema.fields.clone();
        for key in join.left_key.iter_mut().chain(join.asof.iter_mut().map(|it| &mut it.left)) {
            rewrite(key, &left, &left_fields);
        }
        for key in join.right_key.iter_mut().chain(join.asof.iter_mut().map(|it| &mut it.right)) {
            rewrite(key, &right, &right_fields);
        }
        let shifted: Layout = right
            .iter()
            .map(|place| {
                place.as_ref().map(|place| Place {
                    column: place.column + left_fields.len(),
                    fields: place.fields.clone(),
                })
            })
            .collect();
        if let Some(residual) = &mut join.residual {
            let both: Layout = left.iter().chain(&shifted).cloned().collect();
            let fields: Vec<Field> = left_fields.iter().chain(&right_fields).cloned().collect();
            rewrite(residual, &both, &fields);
        }
        *inputs = vec![left_input, right_input];
        let n_left = left_fields.len();
        let [misses_left, misses_right] = join.kind.may_miss();
        let side = |fields: Vec<Field>, may_miss: bool| {
            let optional = move |ty: Type| if may_miss { ty.optional() } else { ty };
            fields.into_iter().map(move |field| Field { ty: optional(field.ty), ..field })
        };
        let mut fields: Vec<Field> = side(left_fields, misses_left).collect();
        let mut layout = left;
        match join.output {
            JoinOutput::LeftOnly => {}
            JoinOutput::Flat => {
                fields.extend(side(right_fields, misses_right));
                layout.extend(shifted);
            }
            JoinOutput::Nested => {
                let is_whole = is_identity(&right);
                let gone = right.iter().map(|it| it.as_ref().map(|it| it.column)).collect();
                let right = Field::new(String::new(), Type::Struct(right_fields));
                fields.extend(side(vec![right], misses_right));
                layout.push(Some(Place {
                    column: n_left,
                    fields: if is_whole { None } else { Some(gone) },
                }));
            }
        }
        (fields, layout)
    }
}

fn columns_of(need: &[Need]) -> Vec<usize> {
    (0..need.len()).filter(|at| need[*at] != Need::Nothing).collect()
}

fn identity(n_columns: usize) -> Layout {
    (0..n_columns).map(|column| Some(Place { column, fields: None })).collect()
}

fn is_identity(layout: &[Option<Place>]) -> bool {
    layout.iter().enumerate().all(|(at, place)| {
        place.as_ref().is_some_and(|place| place.column == at && place.fields.is_none())
    })
}

fn kept(n_columns: usize, columns: &[usize]) -> Layout {
    let mut layout: Layout = vec![None; n_columns];
    for (new, &at) in columns.iter().enumerate() {
        layout[at] = Some(Place { column: new, fields: None });
    }
    layout
}

/// The stages over the narrower input, without columns that nobody reads; the layout and the
/// fields after the last one.
fn map_stages(
    map: &mut Map,
    mut layout: Layout,
    fields: &[Field],
    need: &[Need],
) -> (Layout, Vec<Field>) {
    let mut fields = fields.to_vec();
    let wanted = stage_needs(map, need, layout.len());
    for (stage, need) in map.stages.iter_mut().zip(wanted) {
        match &mut stage.kind {
            StageKind::Filter(condition) => rewrite(condition, &layout, &fields),
            StageKind::Project(exprs) => {
                let mut after: Layout = vec![None; exprs.len()];
                let mut new_fields = Vec::new();
                let mut new_exprs = Vec::new();
                for (at, mut expr) in std::mem::take(exprs).into_iter().enumerate() {
                    if need[at] == Need::Nothing && never_fails(&expr) {
                        continue;
                    }
                    let passed = match expr.kind {
                        ExprKind::Column(from) => {
                            layout[from].as_ref().and_then(|place| place.fields.clone())
                        }
                        _ => None,
                    };
                    rewrite(&mut expr, &layout, &fields);
                    after[at] = Some(Place { column: new_exprs.len(), fields: passed });
                    new_fields.push(Field::new(String::new(), expr.ty.clone()));
                    new_exprs.push(expr);
                }
                *exprs = new_exprs;
                layout = after;
                fields = new_fields;
            }
            StageKind::Unnest(list) => {
                rewrite(list, &layout, &fields);
                let element = match list.ty.required() {
                    Type::List(element) => (**element).clone(),
                    other => panic!("elements of {other}"),
                };
                for ty in [Type::Int64, element] {
                    layout.push(Some(Place { column: fields.len(), fields: None }));
                    fields.push(Field::new(String::new(), ty));
                }
            }
        }
    }
    (layout, fields)
}

/// The schema with these fields, each under the name that it had.
fn rebuilt(old: &Schema, fields: Vec<Field>, layout: &Layout) -> Arc<Schema> {
    let mut schema = Schema::new(old.name.clone(), fields);
    for (at, place) in layout.iter().enumerate() {
        if let Some(place) = place {
            schema.fields[place.column].name.clone_from(&old.fields[at].name);
        }
    }
    Arc::new(schema)
}

/// Moves an expression to where its columns have gone.
fn rewrite(expr: &mut Expr, layout: &Layout, fields: &[Field]) {
    match &mut expr.kind {
        ExprKind::Column(at) => {
            let place = layout[*at].as_ref().expect("a column that is read is kept");
            *at = place.column;
            expr.ty = fields[place.column].ty.clone();
        }
        ExprKind::Field { of, idx } => {
            if let ExprKind::Column(at) = &of.kind
                && let Some(Place { fields: Some(gone), .. }) = &layout[*at]
            {
                *idx = gone[*idx].expect("a field that is read is kept");
            }
            rewrite(of, layout, fields);
        }
        _ => {
            expr.for_each_child_mut(|child| rewrite(child, layout, fields));
        }
    }
}
