//! Steps that hold the same in different dataflows: those that make the same of the same topics.

use std::collections::{BTreeMap, BTreeSet};

use arqon_plan::{ContentHash, Deed, Operator, Step};
use arqon_types::TopicName;

use crate::narrow::NarrowPlan;

/// The steps that hang on nothing but the rows of these topics, by what they make of them; their
/// places in the plan. Of two that make the same in one plan, one is there.
pub(crate) fn cones(
    narrow: &NarrowPlan,
    topics: &BTreeSet<TopicName>,
) -> BTreeMap<ContentHash, usize> {
    let mut made: Vec<Option<ContentHash>> = Vec::with_capacity(narrow.plan.steps.len());
    for (idx, step) in narrow.plan.steps.iter().enumerate() {
        let inputs: Option<Vec<ContentHash>> =
            step.inputs.iter().map(|input| made[input.index()]).collect();
        made.push(inputs.and_then(|inputs| upon(narrow, topics, (idx, step), &inputs)));
    }
    let made = made.into_iter().enumerate().rev();
    made.filter_map(|(idx, made)| Some((made?, idx))).collect()
}

fn upon(
    narrow: &NarrowPlan,
    topics: &BTreeSet<TopicName>,
    (idx, step): (usize, &Step),
    inputs: &[ContentHash],
) -> Option<ContentHash> {
    let hangs_on_rows_alone = match &step.operator {
        Operator::Source(topic) => topics.contains(topic),
        Operator::Join(join) => join.asof.is_none(),
        Operator::Map(_)
        | Operator::Union
        | Operator::Group(_)
        | Operator::Distinct
        | Operator::Top(_) => true,
        // Rows go by marks or come by rounds, stand in the log, or are told to one circuit.
        Operator::Log(_)
        | Operator::Errors(_)
        | Operator::Route(_)
        | Operator::Arm(_)
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
        | Operator::Retain(_) => false,
    };
    let is_released = narrow.plan.releases.iter().any(|it| it.step.index() == idx);
    if !hangs_on_rows_alone || is_released {
        return None;
    }
    let kept = narrow.joins.iter().find(|(id, _)| id.index() == idx).map(|(_, kept)| kept);
    Some(Deed::of(step)?.upon(&format!("{kept:?}"), inputs))
}
