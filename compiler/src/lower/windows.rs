//! Windows, and the marks by which their rows are judged.
//!
//! **Invariant:** a mark is the last column of its rows, and goes with them through every step that
//! [`crate::marks`] has found on the way to a window.

use std::sync::Arc;

use arqon_operators::Expr;
use arqon_plan::{
    Closing, Frame, History, MARK, Operator, Output, Session, Step, StepId, TopicPlan, Window,
    WindowFrame, WindowStep, WithinStep,
};
use arqon_types::{Discipline, Edge, Field, Schema, TopicName, Type};

use super::{Kept, Lowering, node_schema};
use crate::typed::{NodeId, TypedNode, TypedStep};

impl Lowering<'_, '_> {
    /// `<node>.late`, the rows that came after all their windows had closed; gives what the window
    /// itself reads: the rows with their mark as last column.
    pub(super) fn late(
        &mut self,
        id: NodeId,
        step: &TypedStep,
        at: StepId,
        (time, frame): (&Expr, Frame),
    ) -> Option<StepId> {
        let at = self.shaped(at, Kept { arrival: false, mark: true, places: false })?;
        let node = &self.flow.nodes[id.0];
        let idx = node.judging_step()?;
        let address: Arc<str> = late_name(node).into();
        let schema = Arc::new(Schema::new(Arc::clone(&address), node.row_before(idx).fields()?));
        let window = Window { frame, time: time.clone(), keeps_rows: false, keeps_mark: false };
        debug_assert_eq!(node.steps[idx].address, step.address, "a node judges rows once");
        let late = self.push(Step {
            node: node.errors_of.clone(),
            address: Arc::clone(&address),
            operator: Operator::Late(window),
            inputs: vec![at],
            schema,
        });
        self.outputs.push(Output { topic: TopicName::parse(&address).ok()?, step: late });
        self.late[id.0] = Some(late);
        Some(at)
    }

    /// Whether a role may subscribe to a topic of that name.
    fn may_read(&self, name: &str) -> bool {
        let roles = &self.resolved.circuit.access;
        roles.iter().flat_map(|role| &role.subscribe).any(|grant| grant.target.node == name)
    }

    /// The topics of late rows.
    pub(super) fn late_topics(&self) -> Vec<TopicPlan> {
        let topic = |(node, late): (&TypedNode, &Option<StepId>)| {
            let step = &self.steps[(*late)?.index()];
            let name = late_name(node);
            Some(TopicPlan {
                name: TopicName::parse(&name).ok()?,
                schema: Schema::clone(&step.schema),
                discipline: Discipline::Events,
                key: Vec::new(),
                time: None,
                edge: if self.may_read(&name) { Edge::Out } else { Edge::None },
                verified: true,
                lateness: None,
                arrival: false,
                history: History::All,
            })
        };
        self.flow.nodes.iter().zip(&self.late).filter_map(topic).collect()
    }

    pub(super) fn window(
        &mut self,
        node: &TypedNode,
        step: &TypedStep,
        at: StepId,
        (window, keeps_mark): (&WindowStep, bool),
    ) -> Option<StepId> {
        let schema = node_schema(node, &step.row)?;
        let bounds = schema.fields.len() - 2;
        let made = |operator: Operator, input: StepId, schema: Arc<Schema>| Step {
            node: node.errors_of.clone(),
            address: step.address.clone(),
            operator,
            inputs: vec![input],
            schema,
        };
        let judged = Operator::Window(Window {
            frame: window.frame.frame(),
            time: window.time.clone(),
            keeps_rows: true,
            keeps_mark,
        });
        let (windowed, slack) = match &window.frame {
            WindowFrame::Aligned { .. } => {
                let schema =
                    if keeps_mark { marked(Arc::clone(&schema)) } else { Arc::clone(&schema) };
                (self.push(made(judged, at, schema)), 0)
            }
            WindowFrame::Session { gap, per } => {
                let row = Schema::new(Arc::clone(&schema.name), schema.fields[..bounds].to_vec());
                let on_time = self.push(made(judged, at, Arc::new(row)));
                let sessions = Operator::Session(Session {
                    per: per.clone(),
                    time: window.time.clone(),
                    gap: *gap,
                    topics: window.topics.clone(),
                });
                (self.push(made(sessions, on_time, Arc::clone(&schema))), *gap)
            }
        };
        if !window.is_final {
            return Some(windowed);
        }
        let time = Expr::column(bounds + 1, Type::Timestamp);
        let closing = Closing { time, slack, topics: window.topics.clone() };
        Some(self.push(made(Operator::Final(closing), windowed, schema)))
    }

    pub(super) fn within(
        &mut self,
        node: &TypedNode,
        step: &TypedStep,
        at: StepId,
        within: &WithinStep,
    ) -> Option<StepId> {
        let schema = node_schema(node, &step.row)?;
        let mut push = |operator: Operator, input: StepId| {
            self.push(Step {
                node: node.errors_of.clone(),
                address: step.address.clone(),
                operator,
                inputs: vec![input],
                schema: Arc::clone(&schema),
            })
        };
        let frame = Frame::Own { length: within.last };
        let time = within.time.clone();
        let judged = Window { frame, time: time.clone(), keeps_rows: false, keeps_mark: false };
        let on_time = push(Operator::Window(judged), at);
        let topics = within.topics.clone();
        Some(push(Operator::Within(Closing { time, slack: within.last, topics }), on_time))
    }
}

/// The topic of the rows that came too late for a node.
fn late_name(node: &TypedNode) -> String {
    format!("{}.late", node.name)
}

/// The schema of rows with their mark as last field.
pub(super) fn marked(mut schema: Arc<Schema>) -> Arc<Schema> {
    Arc::make_mut(&mut schema).fields.push(Field::new(MARK, Type::Int64));
    schema
}
