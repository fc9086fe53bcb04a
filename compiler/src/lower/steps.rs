//! One step of a node as steps of the dataflow.

use std::sync::Arc;

use arqon_operators::Expr;
use arqon_plan::{Arm, Operator, PLACE_FIELD, Route, StageKind, Step, StepId, Unnest, n_places};
use arqon_types::{Discipline, Field, Schema, Type};

use super::hidden::{hidden_of, n_own, with_arrival, with_hidden};
use super::nodes::{node_schema, schema_after};
use super::{Label, Lowering, filter, project, stage};
use crate::placed::FullStep;
use crate::row_type::RowType;
use crate::typed::{TypedNode, TypedStep, Verb};

impl Lowering<'_, '_> {
    pub(super) fn step(
        &mut self,
        node: &TypedNode,
        step: &TypedStep,
        at: StepId,
        before: &Arc<RowType>,
    ) -> Option<StepId> {
        let from = Arc::clone(&self.steps[at.index()].schema);
        let schema = schema_after(&from, node, &step.row)?;
        let hiding = || with_hidden(Arc::clone(&schema), &from);
        // What was asked for by name is a column of the rows.
        let came = step.asks_arrival.map(|_| n_own(&from));
        let address = step.address.clone();
        let made = |operator: Operator, inputs: Vec<StepId>, schema: Arc<Schema>| Step {
            node: node.errors_of.clone(),
            address: address.clone(),
            operator,
            inputs,
            schema,
        };
        Some(match &step.verb {
            Verb::Where(condition) => {
                let condition = with_arrival(condition, came);
                self.push(made(filter(&address, condition), vec![at], hiding()))
            }
            Verb::Project(_, exprs) => {
                let exprs = exprs.iter().map(|expr| with_arrival(expr, came));
                let exprs = exprs.chain(hidden_of(&from)).collect();
                self.push(made(project(&address, exprs), vec![at], hiding()))
            }
            Verb::Unnest(unnest) => {
                let list = with_arrival(&unnest.list, came);
                self.unnest(&Unnest { list, ..*unnest }, at, (&address, made), schema)?
            }
            Verb::Join { input, join, .. } => {
                let right = self.input(*input)?;
                let right = self.plain(right)?;
                self.push(made(Operator::Join((**join).clone()), vec![at, right], schema))
            }
            Verb::Group { group, having } => {
                let grouped =
                    self.push(made(Operator::Group(group.clone()), vec![at], Arc::clone(&schema)));
                match having {
                    None => grouped,
                    Some(condition) => self.push(made(
                        filter(&address, Expr::clone(condition)),
                        vec![grouped],
                        schema,
                    )),
                }
            }
            Verb::Distinct { fields } => {
                let input = match fields {
                    None => at,
                    Some(exprs) => self.push(made(
                        project(&address, exprs.to_vec()),
                        vec![at],
                        Arc::clone(&schema),
                    )),
                };
                self.push(made(Operator::Distinct, vec![input], schema))
            }
            Verb::Top(top) => self.push(made(Operator::Top(top.clone()), vec![at], schema)),
            Verb::Over(over) => self.push(made(Operator::Over(over.clone()), vec![at], schema)),
            Verb::Route(route) => {
                let schema = with_hidden(node_schema(node, before)?, &from);
                let conditions = route.conditions.iter();
                let conditions = conditions.map(|expr| with_arrival(expr, came)).collect();
                let route = Route { conditions, has_rest: route.has_rest };
                self.push(made(Operator::Route(route), vec![at], schema))
            }
            Verb::Carries(Discipline::Full) => {
                let label = Label { node: &node.errors_of, address: &address };
                let FullStep { key, is_last } = self.placed.full_steps.get(&*address)?.clone();
                if is_last {
                    self.latest(at, &key, label, schema)?
                } else {
                    self.unique(at, &key, label, schema)
                }
            }
            Verb::Loop(repeated) => {
                let at = self.plain(at)?;
                self.step_loop(node, step, repeated, at)?
            }
            Verb::Carries(Discipline::Events | Discipline::Delta) => at,
            // These are lowered where more is known of the node.
            Verb::Window(_)
            | Verb::Within(_)
            | Verb::Call(_)
            | Verb::Kernel(_)
            | Verb::Wasm(_)
            | Verb::Unknown => return None,
        })
    }

    /// The row with each element, and then its fields in their order. Elements of one event follow
    /// one another in the log.
    pub(super) fn unnest(
        &mut self,
        Unnest { list, field }: &Unnest,
        at: StepId,
        (address, made): (&Arc<str>, impl Fn(Operator, Vec<StepId>, Arc<Schema>) -> Step),
        schema: Arc<Schema>,
    ) -> Option<StepId> {
        let before = &self.steps[at.index()].schema;
        let n_before = before.fields.len();
        let mut hidden = hidden_of(before);
        let n_places = n_places(before);
        let mut unnested = Arc::clone(before);
        let element = schema.fields.get(*field)?.ty.clone();
        let position = Field::new("$position", Type::Int64);
        Arc::make_mut(&mut unnested).fields.extend([position, Field::new("$element", element)]);
        let exprs = schema.fields.iter().enumerate().map(|(column, new)| {
            let from = if column == *field { n_before + 1 } else { column };
            Expr::column(from, new.ty.clone())
        });
        let mut exprs: Vec<Expr> = exprs.collect();
        let mut schema = with_hidden(schema, before);
        if n_places > 0 {
            hidden.push(Expr::column(n_before, Type::Int64));
            let place = Field::new(format!("{PLACE_FIELD}{n_places}"), Type::Int64);
            Arc::make_mut(&mut schema).fields.push(place);
        }
        exprs.extend(hidden);
        let unnest = stage(address, StageKind::Unnest(list.clone()));
        let unnested = self.push(made(unnest, vec![at], unnested));
        Some(self.push(made(project(address, exprs), vec![unnested], schema)))
    }

    pub(super) fn arms(
        &mut self,
        node: &TypedNode,
        step: &TypedStep,
        route: StepId,
    ) -> Option<Vec<StepId>> {
        let schema = node_schema(node, &step.row)?;
        let schema = with_hidden(schema, &self.steps[route.index()].schema);
        let arms = node.labels.iter().enumerate().map(|(idx, label)| {
            self.push(Step {
                node: node.errors_of.clone(),
                address: format!("{}.{}", step.address, label.node).into(),
                operator: Operator::Arm(Arm { idx }),
                inputs: vec![route],
                schema: Arc::clone(&schema),
            })
        });
        Some(arms.collect())
    }
}
