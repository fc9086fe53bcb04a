//! Columns that stand behind those of a schema: places in a log, times of arrival, marks. They go
//! with the rows to who reads them, and no further.

use std::sync::Arc;

use arqon_operators::{Expr, ExprKind, Function};
use arqon_plan::{ARRIVAL, MARK, Operator, PLACE_FIELD, Step, StepId, is_hidden, n_places};
use arqon_types::{Field, Schema, Type, Value};

use super::{Lowering, all_columns, project};
use crate::typed::NodeId;

impl Lowering<'_, '_> {
    /// How many columns of a step's rows are their place in the log.
    pub(super) fn n_places(&self, id: StepId) -> usize {
        n_places(&self.steps[id.index()].schema)
    }

    /// Whether the rows of a step carry marks.
    pub(super) fn has_mark(&self, id: StepId) -> bool {
        let fields = &self.steps[id.index()].schema.fields;
        let before_places = fields.len() - self.n_places(id);
        fields[..before_places].last().is_some_and(|field| &*field.name == MARK)
    }

    /// Whether the rows of a step carry the time at which they came.
    pub(super) fn has_arrival(&self, id: StepId) -> bool {
        let schema = &self.steps[id.index()].schema;
        hidden_fields(schema).iter().any(|field| &*field.name == ARRIVAL)
    }

    /// Whether the rows before a step of a node are to carry the time at which they came.
    pub(super) fn brings_arrival(&self, node: NodeId, step: usize) -> bool {
        self.marks.arrivals.nodes.get(&node.0).is_some_and(|last| step <= *last)
    }

    /// The circuit's own columns of a step's rows.
    pub(super) fn plain(&mut self, id: StepId) -> Option<StepId> {
        self.shaped(id, Kept { arrival: false, mark: false, places: false })
    }

    /// The rows of a step with at most these of the hidden columns.
    pub(super) fn shaped(&mut self, id: StepId, wanted: Kept) -> Option<StepId> {
        if hidden_fields(&self.steps[id.index()].schema).is_empty() {
            return Some(id);
        }
        let n_places = self.n_places(id);
        let has =
            Kept { arrival: self.has_arrival(id), mark: self.has_mark(id), places: 0 < n_places };
        let kept = Kept {
            arrival: has.arrival && wanted.arrival,
            mark: has.mark && wanted.mark,
            places: has.places && wanted.places,
        };
        if kept == has {
            return Some(id);
        }
        if let Some(known) = self.shaped.get(&(id, kept)) {
            return Some(*known);
        }
        let step = &self.steps[id.index()];
        let shaped = if let (Operator::Log(name), false) = (&step.operator, kept.places) {
            let topic = self.resolved.topic_id(name.as_str())?;
            let source = self.source(topic)?;
            self.shaped(source, kept)?
        } else {
            let is_kept = |field: &Field| match &*field.name {
                ARRIVAL => kept.arrival,
                MARK => kept.mark,
                name => !name.starts_with(PLACE_FIELD) || kept.places,
            };
            let columns: Vec<usize> = (0..step.schema.fields.len())
                .filter(|at| is_kept(&step.schema.fields[*at]))
                .collect();
            let fields = columns.iter().map(|at| step.schema.fields[*at].clone()).collect();
            let schema = Arc::new(Schema::new(step.schema.name.clone(), fields));
            let column = |(at, field): (&usize, &Field)| Expr::column(*at, field.ty.clone());
            let exprs = columns.iter().zip(&schema.fields).map(column).collect();
            let (mut node, address) = (step.node.clone(), step.address.clone());
            // Whoever reads the errors of a node stands after all of its steps.
            if self.errors.keys().any(|owner| self.resolved.owner_name(*owner) == &*node) {
                node = format!("{node}.rows").into();
            }
            let operator = project(&address, exprs);
            self.push(Step { node, address, operator, inputs: vec![id], schema })
        };
        self.shaped.insert((id, kept), shaped);
        Some(shaped)
    }

    /// The rows of a step with `wanted` columns for their place, the missing ones 0.
    pub(super) fn padded(&mut self, id: StepId, wanted: usize) -> StepId {
        let n_places = self.n_places(id);
        if n_places == wanted {
            return id;
        }
        let step = &self.steps[id.index()];
        let mut exprs = all_columns(&step.schema);
        exprs.resize(exprs.len() + wanted - n_places, Expr::literal(Value::Int(0), Type::Int64));
        let mut schema = Arc::clone(&step.schema);
        let fields = &mut Arc::make_mut(&mut schema).fields;
        fields.truncate(fields.len() - n_places);
        let (node, address) = (step.node.clone(), step.address.clone());
        let operator = project(&address, exprs);
        let schema = placed_schema(schema, wanted);
        self.push(Step { node, address, operator, inputs: vec![id], schema })
    }
}

/// Which of the columns that are not the circuit's rows keep, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kept {
    pub(super) arrival: bool,
    pub(super) mark: bool,
    pub(super) places: bool,
}

/// The schema of the same rows with `n_places` columns for their place in the log.
pub(super) fn placed_schema(mut schema: Arc<Schema>, n_places: usize) -> Arc<Schema> {
    if n_places == 0 {
        return schema;
    }
    Arc::make_mut(&mut schema).fields.extend((0..n_places).map(|at| {
        let name = if at == 0 { PLACE_FIELD.to_owned() } else { format!("{PLACE_FIELD}{at}") };
        Field::new(name, Type::Int64)
    }));
    schema
}

/// The schema of rows with the time at which they came as last field.
pub(super) fn arrived(mut schema: Arc<Schema>) -> Arc<Schema> {
    Arc::make_mut(&mut schema).fields.push(Field::new(ARRIVAL, Type::Timestamp));
    schema
}

/// The expression with the column `came` for `epoch_time()`, if it may ask for that.
pub(super) fn with_arrival(expr: &Expr, came: Option<usize>) -> Expr {
    fn put(expr: &mut Expr, came: usize) {
        if let ExprKind::Call { function: Function::EpochTime, .. } = expr.kind {
            expr.kind = ExprKind::Column(came);
        }
        expr.for_each_child_mut(|child| put(child, came));
    }
    let mut expr = expr.clone();
    if let Some(came) = came {
        put(&mut expr, came);
    }
    expr
}

/// How many columns are the circuit's; behind them stand arrival, mark, and place in the log.
pub(super) fn n_own(schema: &Schema) -> usize {
    let hidden = schema.fields.iter().rev().take_while(|field| is_hidden(field));
    schema.fields.len() - hidden.count()
}

/// The columns of a row that are not the circuit's.
pub(super) fn hidden_fields(schema: &Schema) -> &[Field] {
    &schema.fields[n_own(schema)..]
}

/// The same as expressions.
pub(super) fn hidden_of(schema: &Schema) -> Vec<Expr> {
    let hidden = n_own(schema)..schema.fields.len();
    hidden.map(|at| Expr::column(at, schema.fields[at].ty.clone())).collect()
}

/// The schema, followed by the hidden columns of another one.
pub(super) fn with_hidden(mut schema: Arc<Schema>, from: &Schema) -> Arc<Schema> {
    let hidden = hidden_fields(from);
    if !hidden.is_empty() {
        Arc::make_mut(&mut schema).fields.extend_from_slice(hidden);
    }
    schema
}
