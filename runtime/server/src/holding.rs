//! Who holds what the input topics of a circuit that comes have had.

use std::collections::BTreeSet;

use arqon_engine::Held;
use arqon_plan::DataflowPlan;
use arqon_spine::TopicSpec;
use arqon_types::TopicName;

use crate::circuit::CircuitId;
use crate::hub::Hub;
use crate::topics::topic_specs;

impl Hub {
    /// What the input topics of a circuit hold now, on whichever circuit holds or writes it, the
    /// one whose place it takes aside, and those that have a past which nobody holds.
    pub(crate) fn held(
        &self,
        plan: &DataflowPlan,
        old: Option<CircuitId>,
    ) -> (Vec<Held>, Vec<TopicName>) {
        let mut wanted: BTreeSet<&TopicName> = plan
            .topics
            .iter()
            .map(|topic| &topic.name)
            .filter(|topic| plan.has_source(topic))
            .collect();
        let (mut found, specs) = (Vec::new(), topic_specs(plan));
        for topic in plan.topics.iter().filter(|topic| !plan.is_fed_back(&topic.name)) {
            let is_of_another = self.owners.get(&topic.name) != old.as_ref();
            if is_of_another && wanted.contains(&topic.name) {
                let held = self.written(topic);
                if held.is_some() {
                    wanted.remove(&topic.name);
                }
                found.extend(held);
            }
        }
        for circuit in self.circuits.values() {
            let Some(dataflow) = circuit.running() else { continue };
            if !circuit.inputs.iter().any(|topic| wanted.contains(topic)) {
                continue;
            }
            // One that stops at this moment holds nothing any more.
            for held in dataflow.held().unwrap_or_default() {
                let topic = &held.topic;
                let of = |specs: &[TopicSpec]| specs.iter().find(|it| it.name == *topic).cloned();
                let is_same = of(&specs).zip(of(&circuit.specs)).is_some_and(can_take);
                // Topics that no step reads are not fed, and what the flow wrote, it writes anew.
                let is_held = circuit.inputs.contains(topic) && !plan.is_fed_back(topic);
                if is_same && is_held && wanted.remove(topic) {
                    found.push(held);
                }
            }
        }
        let has_past = |topic: &TopicName| {
            let mut reports = self.bus.topics().into_iter();
            reports.any(|report| report.spec.name == *topic && report.n_messages > 0)
        };
        let without = wanted.into_iter().filter(|topic| has_past(topic)).cloned();
        (found, without.collect())
    }
}

/// Whether a topic's rows can be fed to another declaration of it.
fn can_take((spec, known): (TopicSpec, TopicSpec)) -> bool {
    spec.discipline == known.discipline
        && spec.schema.fields == known.schema.fields
        && spec.key == known.key
}
