//! Behind every step: the rows that leave it, and what they are.

use std::collections::BTreeMap;

use arqon_plan::{FlowStep, VertexId};

use crate::analysis::Analysis;
use crate::describe;

/// A hint behind the line of an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hint {
    /// A place in the line.
    pub(crate) offset: u32,
    /// What stands behind it.
    pub(crate) label: String,
    /// The whole of it.
    pub(crate) tooltip: String,
}

/// The hints of the steps that begin between two offsets, by place.
pub(crate) fn hints(analysis: &Analysis, start: u32, end: u32) -> Vec<Hint> {
    let Some(plan) = analysis.plan() else { return Vec::new() };
    // The parts of one step share its address: the last one's rows are those that leave it.
    let mut steps: BTreeMap<(u32, &str), (VertexId, &FlowStep)> = BTreeMap::new();
    for (id, step) in plan.steps() {
        let is_step = step.address.ends_with(']') && !step.node.starts_with("routes[");
        if is_step && start <= step.range.start && step.range.start <= end {
            steps.insert((step.range.start, &step.address), (id, step));
        }
    }
    steps
        .into_iter()
        .map(|((offset, _), (id, step))| {
            let discipline = plan.facts(id).discipline;
            let carried = discipline.map_or_else(|| "?".to_owned(), |it| it.to_string());
            let row = describe::row(&step.schema.fields, ROW_CHARACTERS_MAX);
            Hint { offset, label: format!("{carried} {row}"), tooltip: describe::step(plan, id) }
        })
        .collect()
}

/// Longer rows are cut.
const ROW_CHARACTERS_MAX: usize = 60;
