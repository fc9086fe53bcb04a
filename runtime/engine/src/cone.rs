//! Steps that hold the same in different dataflows: those that make the same of the same topics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arqon_operators::Place;
use arqon_plan::{ContentHash, Deed, Operator, Step, StepId};
use arqon_types::TopicName;

use crate::joined::{Joined, joined};
use crate::narrow::NarrowPlan;

/// A step of a plan, by what it makes.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// Its place in the plan.
    pub(crate) at: usize,
    /// Where its expressions stand in the circuit.
    pub(crate) places: Arc<[Place]>,
}

/// The steps that hang on nothing but the rows of these topics, by what they make of them. Of two
/// that make the same in one plan, the first is there.
pub(crate) fn cones(
    narrow: &NarrowPlan,
    topics: &BTreeSet<TopicName>,
) -> BTreeMap<ContentHash, Made> {
    let joins = joined(narrow);
    let mut made: Vec<Option<ContentHash>> = Vec::with_capacity(narrow.plan.steps.len());
    let mut cones = BTreeMap::new();
    for (at, step) in narrow.plan.steps.iter().enumerate() {
        let inputs: Option<Vec<ContentHash>> =
            step.inputs.iter().map(|input| made[input.index()]).collect();
        let join = joins.get(&StepId::at(at));
        let found = inputs.and_then(|inputs| upon((narrow, join), topics, (at, step), &inputs));
        made.push(found.as_ref().map(|(hash, _)| *hash));
        if let Some((hash, places)) = found {
            cones.entry(hash).or_insert_with(|| Made { at, places: places.into() });
        }
    }
    cones
}

fn upon(
    (narrow, join): (&NarrowPlan, Option<&Joined>),
    topics: &BTreeSet<TopicName>,
    (idx, step): (usize, &Step),
    inputs: &[ContentHash],
) -> Option<(ContentHash, Vec<Place>)> {
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
    // What it reads of its sides, what it holds of them for others as well, and in which form: who
    // comes first to an epoch applies its own rows for all.
    let held = |join: &Joined| join.sides.each_ref().map(|side| side.columns.clone());
    let kept = join.map(|join| (narrow.joins.get(&StepId::at(idx)), held(join), join.is_words));
    let deed = Deed::of(step)?;
    Some((deed.upon(&format!("{kept:?}"), inputs), deed.places))
}
