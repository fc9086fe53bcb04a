//! What is counted of a plan, and by which counter.

use arqon_plan::{DataflowPlan, Operator, StageKind};

use crate::recorder::{CounterId, Layout};
use crate::stats::CounterKind;

/// The counters of a plan: one per topic that is fed, one per step, one per stage of a map.
#[derive(Debug, Clone)]
pub(crate) struct Counters {
    /// What is counted.
    pub(crate) layout: Layout,
    /// By place in the plan's topics; none for topics that a step writes.
    pub(crate) topics: Vec<Option<CounterId>>,
    /// By step; several for a map's stages, none for a source.
    pub(crate) steps: Vec<Vec<CounterId>>,
}

impl Counters {
    /// For a plan.
    pub(crate) fn new(plan: &DataflowPlan) -> Self {
        let mut layout = Layout { n_outputs: plan.ends().count(), ..Layout::default() };
        let topics = plan
            .topics
            .iter()
            .map(|topic| {
                let name = topic.name.as_str();
                plan.is_fed(&topic.name).then(|| layout.add(name, name, CounterKind::Source))
            })
            .collect();
        let steps = plan
            .steps
            .iter()
            .map(|step| match &step.operator {
                Operator::Source(_) | Operator::Log(_) => Vec::new(),
                Operator::Map(map) => map
                    .stages
                    .iter()
                    .map(|stage| layout.add(&step.node, &stage.address, stage_counter(&stage.kind)))
                    .collect(),
                Operator::Union
                | Operator::Route(_)
                | Operator::Arm(_)
                | Operator::Errors(_)
                | Operator::Variable(_)
                | Operator::Next(_)
                | Operator::Late(_) => {
                    vec![layout.add(&step.node, &step.address, CounterKind::Stateless)]
                }
                Operator::Window(_) => {
                    vec![layout.add(&step.node, &step.address, CounterKind::Multiplying)]
                }
                Operator::Join(_)
                | Operator::Group(_)
                | Operator::Distinct
                | Operator::Top(_)
                | Operator::Over(_)
                | Operator::Latest(_)
                | Operator::Unique { .. }
                | Operator::Kernel(_)
                | Operator::Measured(_)
                | Operator::Leave(_)
                | Operator::Session(_)
                | Operator::Final(_)
                | Operator::Within(_)
                | Operator::Retain(_) => {
                    vec![layout.add(&step.node, &step.address, CounterKind::Stateful)]
                }
            })
            .collect();
        Self { layout, topics, steps }
    }
}

/// How the rows of a stage are counted.
fn stage_counter(kind: &StageKind) -> CounterKind {
    match kind {
        StageKind::Filter(_) | StageKind::Project(_) => CounterKind::Stateless,
        StageKind::Unnest(_) => CounterKind::Multiplying,
    }
}
