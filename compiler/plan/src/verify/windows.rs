//! Windows, retentions and releases: times, lengths and the topics whose marks count.

use arqon_operators::Expr;
use arqon_types::{Schema, TopicName, Type};

use super::Verifier;
use crate::dataflow::{
    Closing, Frame, Operator, Release, Retention, RetentionRule, Session, Step, Window,
};

impl Verifier<'_> {
    pub(super) fn retention(&mut self, retention: Retention, input: &[Type], schema: &Schema) {
        let (row, places) = input.split_at(input.len().saturating_sub(retention.order.n_places()));
        let has_places = places.len() == retention.order.n_places()
            && places.iter().all(|ty| *ty == Type::Int64);
        self.require(has_places, || "rows without a place in the log".into());
        self.require(is_sound(retention.rule, row), || {
            format!("a retention by {:?}", retention.rule)
        });
        self.yields(row, schema);
    }

    /// The row that a window judges, without its mark.
    pub(super) fn judged(&mut self, window: &Window, input: &[Type]) -> Option<Vec<Type>> {
        self.time(&window.time, input);
        let is_sound = match window.frame {
            Frame::Aligned { size, every } => 0 < every && every <= size,
            Frame::Own { length } => 0 < length,
        };
        self.require(is_sound, || format!("a frame {:?}", window.frame));
        let marked = input.split_last().filter(|(mark, _)| **mark == Type::Int64);
        self.require(marked.is_some(), || "a window over rows without marks".into());
        marked.map(|(_, row)| row.to_vec())
    }

    pub(super) fn window(&mut self, window: &Window, input: &[Type], schema: &Schema) {
        let Some(mut types) = self.judged(window, input) else { return };
        match window.frame {
            Frame::Aligned { .. } => types.extend([Type::Timestamp, Type::Timestamp]),
            Frame::Own { .. } => {}
        }
        types.extend(window.keeps_mark.then_some(Type::Int64));
        self.yields(&types, schema);
    }

    pub(super) fn session(&mut self, session: &Session, input: &[Type], schema: &Schema) {
        self.time(&session.time, input);
        self.require(0 < session.gap, || "a session without a gap".into());
        for per in &session.per {
            self.expression(per, input);
        }
        self.marked(&session.topics);
        let mut types = input.to_vec();
        types.extend([Type::Timestamp, Type::Timestamp]);
        self.yields(&types, schema);
    }

    pub(super) fn closing(&mut self, closing: &Closing, input: &[Type]) {
        self.time(&closing.time, input);
        self.require(!closing.topics.is_empty(), || "windows that nothing closes".into());
        self.marked(&closing.topics);
    }

    pub(super) fn time(&mut self, time: &Expr, input: &[Type]) {
        self.expression(time, input);
        self.require(time.ty == Type::Timestamp, || format!("a time is {}", time.ty));
    }

    pub(super) fn marked(&mut self, topics: &[TopicName]) {
        for name in topics {
            let is_marked = self.topics.get(name).is_some_and(|topic| topic.lateness.is_some());
            self.require(is_marked, || format!("topic `{name}` has no marks"));
        }
    }

    pub(super) fn releases(&mut self) {
        for release in &self.plan.releases {
            self.place = "a release";
            let Some(step) = self.plan.steps.get(release.step.index()) else {
                self.require(false, || format!("step {} is not there", release.step.0));
                continue;
            };
            self.place = &step.address;
            self.released(release, step);
            self.require(!release.topics.is_empty(), || "windows that nothing closes".into());
            self.marked(&release.topics);
        }
    }

    pub(super) fn released(&mut self, release: &Release, step: &Step) {
        let of = |exprs: &[Expr]| exprs.get(release.key).map(|expr| expr.ty.clone());
        let column = |at: usize| step.schema.fields.get(at).map(|field| field.ty.clone());
        let ty = match &step.operator {
            Operator::Join(join) => of(&join.left_key),
            Operator::Group(group) => of(&group.keys),
            Operator::Top(top) => of(&top.per),
            Operator::Over(over) => of(&over.per),
            Operator::Distinct => column(release.key),
            Operator::Unique { key } => key.get(release.key).and_then(|at| column(*at)),
            Operator::Source(_)
            | Operator::Log(_)
            | Operator::Latest(_)
            | Operator::Variable(_)
            | Operator::Next(_)
            | Operator::Leave(_)
            | Operator::Errors(_)
            | Operator::Map(_)
            | Operator::Union
            | Operator::Route(_)
            | Operator::Arm(_)
            | Operator::Window(_)
            | Operator::Late(_)
            | Operator::Session(_)
            | Operator::Final(_)
            | Operator::Within(_)
            | Operator::Retain(_)
            | Operator::Kernel(_)
            | Operator::Measured(_) => None,
        };
        self.require(ty == Some(Type::Timestamp), || format!("part {} of its key", release.key));
    }
}

/// Whether rows of such types can go by the rule.
pub(super) fn is_sound(rule: RetentionRule, row: &[Type]) -> bool {
    match rule {
        RetentionRule::Bytes(bytes) => 0 < bytes,
        RetentionRule::Arrival(length) => 0 < length,
        RetentionRule::Time { field, length, late } => {
            0 < length && 0 <= late && row.get(field) == Some(&Type::Timestamp)
        }
    }
}
