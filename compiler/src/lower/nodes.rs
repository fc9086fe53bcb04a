//! Nodes: what they read, and their steps one after another.

use std::sync::Arc;

use arqon_operators::Expr;
use arqon_plan::{Frame, Step, StepId};
use arqon_types::Schema;

use super::hidden::{Kept, hidden_of, with_hidden};
use super::{Lowering, project};
use crate::feeds::is_control;
use crate::row_type::RowType;
use crate::typed::{Input, NodeId, TypedNode, TypedSource, Verb};

impl Lowering<'_, '_> {
    pub(super) fn node(&mut self, id: NodeId) -> Option<()> {
        let flow = self.flow;
        let node = &flow.nodes[id.0];
        let mut at = match &node.repeated {
            Some(repeated) => self.node_loop(node, repeated)?,
            None if !node.ports.is_empty() => match &node.steps.first()?.verb {
                Verb::Kernel(kernel) => self.kernel((id, 0), kernel, None)?,
                _ => return None,
            },
            None => self.node_sources(id, node)?,
        };
        let mut row = Arc::clone(&node.row_in);
        let mut arms = None;
        for (idx, step) in node.steps.iter().enumerate() {
            if idx == 0 && !node.ports.is_empty() {
                row = Arc::clone(&step.row);
                continue;
            }
            let arrival = self.brings_arrival(id, idx);
            let places = idx < self.placed.n_steps[id.0];
            at = self.shaped(at, Kept { arrival, mark: true, places })?;
            at = match &step.verb {
                Verb::Window(window) => {
                    at = self.late(id, step, at, (&window.time, window.frame.frame()))?;
                    let n_marked = self.marks.nodes.get(&id.0);
                    let keeps_mark = n_marked.is_some_and(|n_marked| idx < *n_marked);
                    self.window(node, step, at, (window, keeps_mark))?
                }
                Verb::Within(within) => {
                    let frame = Frame::Own { length: within.last };
                    at = self.late(id, step, at, (&within.time, frame))?;
                    self.within(node, step, at, within)?
                }
                Verb::Call(call) => self.mocked_call((id, idx), call, at)?,
                Verb::Wasm(_) => self.mocked_capsule((id, idx), at)?,
                Verb::Kernel(kernel) => self.kernel((id, idx), kernel, Some(at))?,
                _ => self.step(node, step, at, &row)?,
            };
            if let Verb::Route(_) = &step.verb {
                arms = Some(self.arms(node, step, at)?);
            }
            row = Arc::clone(&step.row);
        }
        if arms.is_none() {
            let arrival = self.brings_arrival(id, node.steps.len());
            let places = self.placed.nodes[id.0];
            at = self.shaped(at, Kept { arrival, mark: true, places })?;
        }
        self.results[id.0] = arms.unwrap_or_else(|| vec![at]);
        Some(())
    }

    pub(super) fn node_sources(&mut self, id: NodeId, node: &TypedNode) -> Option<StepId> {
        let mut inputs = Vec::with_capacity(node.sources.len());
        for source in &node.sources {
            let kept = Kept {
                arrival: self.brings_arrival(id, 0),
                mark: self.marks.nodes.contains_key(&id.0),
                places: self.placed.nodes[id.0] || 0 < self.placed.n_steps[id.0],
            };
            let whole = match source.input {
                Input::Topic(topic) if kept.mark || kept.places => {
                    if is_control(self.resolved, topic) {
                        self.control(topic)?;
                    }
                    self.whole[topic.0]
                }
                _ => None,
            };
            let input = match whole {
                Some(whole) => whole,
                None => self.input(source.input)?,
            };
            let input = self.shaped(input, kept)?;
            inputs.push(self.node_source(node, source, input, &node.row_in)?);
        }
        if inputs.is_empty() {
            return None;
        }
        let schema = node_schema(node, &node.row_in)?;
        Some(self.union(inputs, (&node.errors_of, &node.name), &schema))
    }

    /// What is read within a loop, whose rows have no place in the log.
    pub(super) fn plain_sources(
        &mut self,
        node: &TypedNode,
        sources: &[TypedSource],
        row: &RowType,
    ) -> Option<StepId> {
        let mut inputs = Vec::with_capacity(sources.len());
        for source in sources {
            let input = self.input(source.input)?;
            let input = self.plain(input)?;
            inputs.push(self.node_source(node, source, input, row)?);
        }
        if inputs.is_empty() {
            return None;
        }
        let schema = node_schema(node, row)?;
        Some(self.union(inputs, (&node.errors_of, &node.name), &schema))
    }

    pub(super) fn node_source(
        &mut self,
        node: &TypedNode,
        source: &TypedSource,
        step: StepId,
        row: &RowType,
    ) -> Option<StepId> {
        let Some(columns) = &source.columns else { return Some(step) };
        let schema = &self.steps[step.index()].schema;
        let fields = &schema.fields;
        let exprs: Vec<Expr> =
            columns.iter().map(|&at| Expr::column(at, fields[at].ty.clone())).collect();
        let exprs = exprs.into_iter().chain(hidden_of(schema)).collect();
        let schema = with_hidden(node_schema(node, row)?, schema);
        Some(self.push(Step {
            node: node.errors_of.clone(),
            address: node.name.clone(),
            operator: project(&node.name, exprs),
            inputs: vec![step],
            schema,
        }))
    }
}

pub(super) fn node_schema(node: &TypedNode, row: &RowType) -> Option<Arc<Schema>> {
    row.fields().map(|fields| Arc::new(Schema::new(node.name.clone(), fields)))
}

/// As [`node_schema`]; shared with the rows before where nothing has changed.
pub(super) fn schema_after(
    before: &Arc<Schema>,
    node: &TypedNode,
    row: &RowType,
) -> Option<Arc<Schema>> {
    let is_same = before.name == node.name && row.has_fields(&before.fields);
    if is_same { Some(Arc::clone(before)) } else { node_schema(node, row) }
}
