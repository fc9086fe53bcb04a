//! Pass `fuse`: a run of stateless steps becomes one map.
//!
//! Law: stages of a map work row by row and in order, so two maps one after the other are one map
//! with the stages of both. A map that others read too, or that a topic carries, stays, and so
//! do maps of two nodes, unless one of them cannot fail: failures go to the errors of one node.
//! Where a step reads these, all steps of the node stand before it, and stay there.

use std::collections::BTreeSet;

use arqon_plan::{DataflowPlan, Operator, Step, StepId};

/// The same plan with each run of maps as one.
pub(crate) fn fuse(plan: DataflowPlan) -> DataflowPlan {
    let n_readers = plan.n_readers();
    let errors_read: BTreeSet<String> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.operator {
            Operator::Errors(node) => Some(node.clone()),
            _ => None,
        })
        .collect();
    let mut places: Vec<StepId> = Vec::with_capacity(plan.steps.len());
    let mut steps: Vec<Option<Step>> = Vec::with_capacity(plan.steps.len());
    for mut step in plan.steps {
        let only_input = match step.inputs.as_slice() {
            [one] if n_readers[one.index()] == 1 => Some(places[one.index()]),
            _ => None,
        };
        for input in &mut step.inputs {
            *input = places[input.index()];
        }
        if let (Operator::Map(map), Some(before)) = (&mut step.operator, only_input)
            && let Some(Some(Step { operator: Operator::Map(first), node, .. })) =
                steps.get(before.index())
            && (*node == step.node
                || (!errors_read.contains(&**node) && (first.only_moves() || map.only_moves())))
        {
            // A map that cannot fail has no errors, so the one node of both is the other's.
            if map.only_moves() {
                step.node.clone_from(node);
            }
            let earlier = steps[before.index()].take().expect("it was just seen");
            if let Operator::Map(first) = earlier.operator {
                let mut stages = first.stages;
                stages.append(&mut map.stages);
                map.stages = stages;
            }
            step.inputs = earlier.inputs;
            step.address = earlier.address;
        }
        places.push(StepId::at(steps.len()));
        steps.push(Some(step));
    }
    compact(steps, &places, DataflowPlan { steps: Vec::new(), ..plan })
}

/// Whether the map does nothing but leave columns out and change their order.
/// Closes the gaps that fused steps have left.
fn compact(steps: Vec<Option<Step>>, places: &[StepId], rest: DataflowPlan) -> DataflowPlan {
    let mut moved: Vec<StepId> = Vec::with_capacity(steps.len());
    let mut kept: Vec<Step> = Vec::with_capacity(steps.len());
    for step in steps {
        moved.push(StepId::at(kept.len()));
        if let Some(mut step) = step {
            for input in &mut step.inputs {
                *input = moved[input.index()];
            }
            kept.push(step);
        }
    }
    rest.with_steps(kept, |end| moved[places[end.index()].index()])
}
