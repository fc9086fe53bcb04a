//! Which groups are by session, so that they are one operator with their window.

use std::collections::BTreeMap;

use arqon_operators::{Expr, ExprKind, GroupPlan};
use arqon_plan::{DataflowPlan, Group, Map, Operator, StageKind, Step, StepId};

use crate::narrow::moved_group;
use crate::needs::{can_fail, reads_only};

/// A group by session, and the window whose rows nobody else reads.
#[derive(Debug)]
pub(crate) struct GroupedSessions {
    /// The window.
    pub(crate) window: StepId,
    /// What chooses fields of its rows behind it, if anything does.
    pub(crate) choice: Option<StepId>,
    /// What holds its rows until it closes, if it is final.
    pub(crate) hold: Option<StepId>,
    /// The group, over the window's rows.
    pub(crate) group: Group,
    /// Its key.
    pub(super) key: Vec<KeyPart>,
}

/// What a part of the group's key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyPart {
    /// A part of the window's key.
    Per(usize),
    /// When the session begins.
    Start,
    /// When it ends.
    End,
}

impl GroupedSessions {
    /// The steps that are rendered with the group.
    pub(crate) fn within(&self) -> impl Iterator<Item = StepId> {
        [Some(self.window), self.choice, self.hold].into_iter().flatten()
    }
}

/// The groups of a plan that are by session and read no more than that of it, by place. A row for
/// which an aggregate may fail has its bounds in the error, and is left to a group by itself.
pub(crate) fn grouped_sessions(plan: &DataflowPlan) -> BTreeMap<usize, GroupedSessions> {
    let found = plan.steps.iter().enumerate().filter_map(|(idx, step)| {
        let Operator::Group(group) = &step.operator else { return None };
        Some((idx, grouped(plan, step, group)?))
    });
    found.collect()
}

fn grouped(plan: &DataflowPlan, step: &Step, group: &Group) -> Option<GroupedSessions> {
    let of = |id: StepId| &plan.steps[id.index()];
    let mut at = step.inputs[0];
    let closing = match &of(at).operator {
        Operator::Final(closing) => Some((at, closing)),
        _ => None,
    };
    if closing.is_some() {
        at = of(at).inputs[0];
    }
    let choice = match &of(at).operator {
        Operator::Map(map) => Some((at, chosen_fields(map)?)),
        _ => None,
    };
    if choice.is_some() {
        at = of(at).inputs[0];
    }
    let Operator::Session(session) = &of(at).operator else { return None };
    let n_fields = of(at).schema.fields.len() - 2;
    // The place of a field that the group sees among those of the window's rows.
    let place = |field: usize| choice.as_ref().map_or(field, |(_, fields)| fields[field]);
    if let Some((_, closing)) = closing {
        let is_end = field(&closing.time).map(place) == Some(n_fields + 1);
        if !is_end || closing.slack != session.gap || closing.topics != session.topics {
            return None;
        }
    }
    let group = match &choice {
        Some((_, fields)) => moved_group(group, fields, &of(at).schema),
        None => group.clone(),
    };
    let part = |key: &Expr| {
        let at = field(key)?;
        match at.checked_sub(n_fields) {
            Some(0) => Some(KeyPart::Start),
            Some(_) => Some(KeyPart::End),
            None => {
                let per = |it: &Expr| field(it) == Some(at);
                session.per.iter().position(per).map(KeyPart::Per)
            }
        }
    };
    let key: Vec<KeyPart> = group.keys.iter().map(part).collect::<Option<_>>()?;
    let mut parts = (0..session.per.len()).map(KeyPart::Per);
    let is_by_session = key.contains(&KeyPart::End) && parts.all(|part| key.contains(&part));
    let reads_rows = GroupPlan::new(&group.aggregates)
        .inputs()
        .iter()
        .all(|input| !can_fail(input) && reads_only(input, n_fields));
    let (choice, hold) = (choice.map(|it| it.0), closing.map(|it| it.0));
    let found = GroupedSessions { window: at, choice, hold, group, key };
    let n_readers = |id: StepId| {
        let steps = plan.steps.iter().filter(|it| it.inputs.contains(&id)).count();
        steps + plan.ends().filter(|(_, end)| *end == id).count()
    };
    let are_its_own = found.within().all(|id| n_readers(id) == 1 && of(id).node == step.node);
    (is_by_session && reads_rows && are_its_own).then_some(found)
}

fn field(expr: &Expr) -> Option<usize> {
    match expr.kind {
        ExprKind::Column(at) => Some(at),
        _ => None,
    }
}

/// The fields that a map chooses, if it does no more.
fn chosen_fields(map: &Map) -> Option<Vec<usize>> {
    let [stage] = map.stages.as_slice() else { return None };
    let StageKind::Project(fields) = &stage.kind else { return None };
    fields.iter().map(field).collect()
}
