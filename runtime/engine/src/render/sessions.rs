//! Session windows, by themselves and with the group behind them.

use arqon_plan::{Operator, Session, Step, StepId};

use super::{Backend, Walk};
use crate::arrangement::reduce_sessions;
use crate::batch::Batches;
use crate::evaluate::Formula;
use crate::group::GroupShape;
use crate::keyed::{KeyShape, pack_whole};
use crate::recorder::Meter;
use crate::session::{
    GroupedSessions, Meters, SessionGroupLogic, SessionGroupShape, SessionLogic, SessionShape,
};
use crate::stateful::{Operation, Placement, render_stateful};

impl<'scope> Walk<'scope, '_> {
    /// The rows of sessions.
    pub(super) fn sessions(&self, step: &Step, session: &Session, meter: Meter) -> Batches<'scope> {
        let types = self.plan.steps[step.inputs[0].index()].schema.types();
        let shape = SessionShape::new(session.gap);
        let value = SessionShape::pack_value(Formula::new(&session.time), pack_whole(types));
        let rows = self.key(step, 0, KeyShape::plain(&session.per), value, &meter);
        let types = step.schema.types();
        match self.backend {
            Backend::Arrangements => reduce_sessions(rows.packed(), shape, types, meter),
            Backend::Hash => {
                let closes = !session.topics.is_empty();
                let marks = closes.then(|| self.marks_of(&session.topics));
                let placement = Placement::ByKey;
                let operation =
                    Operation { name: "Session", types, meter, marks, placement, aside: None };
                render_stateful(self.scope, [rows], operation, SessionLogic::new(shape, closes))
            }
        }
    }

    /// A group by session with its window.
    pub(super) fn session_groups(
        &self,
        step: &Step,
        grouped: &GroupedSessions,
        meter: Meter,
    ) -> Batches<'scope> {
        let window = &self.plan.steps[grouped.window.index()];
        let Operator::Session(session) = &window.operator else {
            panic!("`{}` is no session window", window.address)
        };
        let meter_of = |id: StepId| self.meters(id.index()).swap_remove(0);
        let meters = Meters {
            window: meter_of(grouped.window),
            choice: grouped.choice.map(meter_of),
            hold: grouped.hold.map(meter_of),
        };
        let group = GroupShape::new(&grouped.group, &step.schema);
        let shape = SessionGroupShape::new(grouped, session, group);
        let value = shape.pack_value(Formula::new(&session.time));
        let rows = self.key(window, 0, KeyShape::plain(&session.per), value, &meters.window);
        let marks = (!session.topics.is_empty()).then(|| self.marks_of(&session.topics));
        let (types, placement) = (step.schema.types(), Placement::ByKey);
        let operation =
            Operation { name: "SessionGroup", types, meter, marks, placement, aside: None };
        render_stateful(self.scope, [rows], operation, SessionGroupLogic::new(shape, meters))
    }
}
