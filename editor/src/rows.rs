//! The rows around a step that is being written.

use arqon_plan::{Plan, Vertex, VertexId};
use arqon_types::Field;

use crate::analysis::Analysis;
use crate::cursor::{Cursor, Part, StepPlace};

/// The rows around a step.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// What comes into it.
    pub(crate) before: Vec<Field>,
    /// What leaves it.
    pub(crate) after: Vec<Field>,
    /// Of a join the other side.
    pub(crate) other: Vec<Field>,
    /// What a join calls the other side.
    pub(crate) alias: Option<String>,
    /// Of a call, the fields of a job.
    pub(crate) job: Vec<Field>,
    /// Whether it is a `group`, whose `where` is over its result.
    pub(crate) is_group: bool,
}

/// The rows around the step of a cursor.
pub(crate) fn rows(cursor: &Cursor, step: &StepPlace, analysis: &Analysis) -> Rows {
    let mut rows = Rows::default();
    let Some(plan) = analysis.plan() else { return rows };
    (rows.before, rows.after) = around(analysis, plan, (&step.base, step.idx));
    let beside = match cursor.path.get(step.behind) {
        Some(Part::Key(_, beside)) => beside,
        Some(Part::Item(_)) | None => &cursor.beside,
    };
    let written = |key: &str| beside.iter().find(|(other, _)| other == key).map(|(_, it)| it);
    rows.is_group = written("group").is_some();
    if let Some(operator) = written("call") {
        rows.job = fields_on_bus(analysis, &format!("{operator}.jobs"));
        rows.job.retain(|field| &*field.name != "job_id");
    }
    if let Some(other) = written("join") {
        rows.alias = written("as").cloned();
        rows.other = local(cursor, other, analysis)
            .map_or_else(|| fields_on_bus(analysis, other), |id| fields(plan, id));
    }
    rows
}

/// The rows that a step of a node gets and gives.
pub(crate) fn of_step(analysis: &Analysis, step: (&str, usize)) -> (Vec<Field>, Vec<Field>) {
    analysis.plan().map_or_else(Default::default, |plan| around(analysis, plan, step))
}

fn around(
    analysis: &Analysis,
    plan: &Plan,
    (node, step): (&str, usize),
) -> (Vec<Field>, Vec<Field>) {
    let row = |address: &str| analysis.step(address).map(|id| fields(plan, id));
    let at = |idx: usize| row(&format!("{node}[{idx}]"));
    // A step that is new has none of its own yet: the last one before it counts.
    let before = (0..step).rev().find_map(at).or_else(|| row(node)).unwrap_or_default();
    let after = at(step).unwrap_or_else(|| before.clone());
    (before, after)
}

/// What a name within the loops around the place leads to, from the innermost one on.
fn local(cursor: &Cursor, name: &str, analysis: &Analysis) -> Option<VertexId> {
    let (mut owner, _) = cursor.node()?;
    loop {
        if let Some(id) = analysis.node(&format!("{owner}.{name}")) {
            return Some(id);
        }
        owner = owner.rsplit_once('.')?.0.to_owned();
    }
}

/// The rows of a topic, or of a node.
pub(crate) fn fields_on_bus(analysis: &Analysis, name: &str) -> Vec<Field> {
    let Some(plan) = analysis.plan() else { return Vec::new() };
    let node = name.rsplit_once('.').map_or(name, |(node, _)| node);
    let id = plan.named(name).or_else(|| analysis.node(name)).or_else(|| analysis.node(node));
    id.map(|id| fields(plan, id)).unwrap_or_default()
}

fn fields(plan: &Plan, id: VertexId) -> Vec<Field> {
    match plan.vertex(id) {
        Vertex::Topic(topic) => topic.schema.fields.clone(),
        Vertex::Step(step) => step.schema.fields.clone(),
        Vertex::Client(_) | Vertex::Endpoint(_) => Vec::new(),
    }
}
