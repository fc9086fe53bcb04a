//! What a topic retains: its rows, and when they go.
//!
//! By event time, rows that come in are judged by their marks, on any worker. All other rules are
//! about the rows of a topic as they follow one another, so the changes bring their place in the
//! log along, and what the flow writes stands behind them.

use std::sync::Arc;

use arqon_operators::Expr;
use arqon_plan::{
    Closing, FLOW_PLACE, Frame, LogOrder, Operator, Retention, RetentionRule, Step, StepId, Window,
};
use arqon_types::{Discipline, Type, Value};

use super::{Kept, Lowering, arrived, placed_schema};
use crate::feeds::{Expiry, expiry, is_fed_from_outside};
use crate::typed::TopicId;

impl Lowering<'_, '_> {
    /// How the topic lets go of rows, where somebody sees it.
    pub(super) fn expiry(&self, id: TopicId) -> Option<Expiry> {
        let expiry = expiry(self.resolved, id, self.writers[id.0].len());
        expiry.filter(|_| self.is_watched[id.0])
    }

    /// What clients, files and other circuits put into a topic: with its place where it is needed.
    pub(super) fn fed(&mut self, id: TopicId) -> Option<StepId> {
        let is_ruled = matches!(self.expiry(id), Some(Expiry::Ruled(_)));
        if is_ruled || self.placed.topics[id.0] { self.log(id) } else { self.source(id) }
    }

    /// What the flow writes to a topic, with the place that it has among what comes in.
    pub(super) fn beside_log(&mut self, id: TopicId, written: StepId) -> Option<StepId> {
        let is_ruled = matches!(self.expiry(id), Some(Expiry::Ruled(_)));
        let is_fed = is_fed_from_outside(self.resolved, id, self.writers[id.0].len());
        if !is_ruled || !is_fed || self.placed.latest_topics[id.0] {
            return Some(written);
        }
        let written = self.shaped(written, Kept { arrival: true, mark: true, places: false })?;
        let step = &self.steps[written.index()];
        let mut exprs = super::all_columns(&step.schema);
        exprs.push(Expr::literal(Value::Int(FLOW_PLACE), Type::Int64));
        let (node, address) = (step.node.clone(), step.address.clone());
        let schema = placed_schema(Arc::clone(&step.schema), 1);
        let operator = super::project(&address, exprs);
        Some(self.push(Step { node, address, operator, inputs: vec![written], schema }))
    }

    /// The rows of a topic for as long as it retains them.
    pub(super) fn retained(&mut self, id: TopicId, rows: StepId, expiry: Expiry) -> Option<StepId> {
        match expiry {
            Expiry::Marked(length) => self.retained_by_marks(id, rows, length),
            Expiry::Ruled(rule) => self.retained_by_rule(id, rows, rule),
        }
    }

    fn retained_by_marks(&mut self, id: TopicId, rows: StepId, length: i64) -> Option<StepId> {
        let topic = self.resolved.topic(id);
        let name: Arc<str> = topic.name.as_str().into();
        let marked = self.shaped(rows, Kept { arrival: true, mark: true, places: false })?;
        let schema = Arc::new(topic.schema()?);
        let schema = if self.has_arrival(marked) { arrived(schema) } else { schema };
        let time = Expr::column(topic.time?, Type::Timestamp);
        let frame = Frame::Own { length };
        let judged = Window { frame, time: time.clone(), keeps_rows: false, keeps_mark: false };
        let closing = Closing { time, slack: length, topics: vec![topic.name.clone()] };
        let mut at = marked;
        for operator in [Operator::Window(judged), Operator::Within(closing)] {
            at = self.push(Step {
                node: name.clone(),
                address: name.clone(),
                operator,
                inputs: vec![at],
                schema: Arc::clone(&schema),
            });
        }
        Some(at)
    }

    fn retained_by_rule(
        &mut self,
        id: TopicId,
        rows: StepId,
        rule: RetentionRule,
    ) -> Option<StepId> {
        let topic = self.resolved.topic(id);
        let name: Arc<str> = topic.name.as_str().into();
        let is_log = matches!(self.steps[rows.index()].operator, Operator::Log(_));
        let order = match (is_log, self.logs[id.0]) {
            (true, _) => LogOrder::Log,
            (false, Some(_)) if !self.placed.latest_topics[id.0] => LogOrder::Both,
            (false, _) => LogOrder::Flow,
        };
        let places = 0 < order.n_places();
        let input = self.shaped(rows, Kept { arrival: true, mark: false, places })?;
        let schema = Arc::new(topic.schema()?);
        let schema = if self.has_arrival(input) { arrived(schema) } else { schema };
        let step = self.push(Step {
            node: name.clone(),
            address: name,
            operator: Operator::Retain(Retention { rule, order }),
            inputs: vec![input],
            schema,
        });
        // What a message replaces is older than what it says, so it is never there beside it.
        if is_log && topic.discipline == Discipline::Full && !topic.key.is_empty() {
            self.keys[step.index()].push(topic.key.iter().copied().collect());
        }
        Some(step)
    }
}
