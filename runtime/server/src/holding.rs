//! Who holds what the input topics of a circuit that comes have had, and who holds it from then on.

use std::collections::BTreeSet;

use arqon_engine::Held;
use arqon_plan::DataflowPlan;
use arqon_spine::TopicSpec;
use arqon_types::TopicName;

use crate::circuit::{Circuit, CircuitId};
use crate::hub::Hub;
use crate::report::InCommon;
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

    /// Lets a circuit that has caught up have what it holds in common with those that run, which
    /// are fed the same from now on: its tables of input topics, those aside that another circuit
    /// writes, and the states of steps that do the same with them.
    pub(crate) fn share_state(&mut self, newcomer: &mut Circuit) {
        let Some(dataflow) = &newcomer.dataflow else { return };
        let is_written = |topic: &TopicName| self.circuits.values().any(|it| it.writes(topic));
        let mut wanted: BTreeSet<TopicName> =
            newcomer.inputs.iter().filter(|topic| !is_written(topic)).cloned().collect();
        for circuit in self.circuits.values_mut() {
            let Some(other) = circuit.running() else { continue };
            let both: BTreeSet<TopicName> = wanted.intersection(&circuit.inputs).cloned().collect();
            // One that stops at this moment shares nothing.
            for topic in dataflow.share_tables(other, &both).unwrap_or_default() {
                wanted.remove(&topic);
                circuit.shares.insert(topic.clone());
                newcomer.shares.insert(topic);
            }
        }
        for circuit in self.circuits.values_mut() {
            let Some(other) = circuit.running() else { continue };
            let both = newcomer.shares.intersection(&circuit.shares).cloned().collect();
            let steps = dataflow.share_steps(other, &both).unwrap_or_default();
            for [own, other] in steps {
                self.n_states_shared += 1;
                let state = *circuit.steps_shared.entry(other).or_insert(self.n_states_shared);
                newcomer.steps_shared.insert(own, state);
            }
        }
    }

    /// What another circuit has in common with some that run, and with which.
    pub(crate) fn in_common(&self, id: CircuitId) -> InCommon {
        let mut found = InCommon::default();
        let Some(circuit) = self.circuits.get(&id).filter(|it| it.running().is_some()) else {
            return found;
        };
        let others =
            self.circuits.iter().filter(|(other, it)| **other != id && it.running().is_some());
        for (_, other) in others {
            let name = &other.plan.circuit;
            for topic in circuit.shares.intersection(&other.shares) {
                found.tables.entry(topic.clone()).or_default().push(name.clone());
            }
            let states: BTreeSet<u64> = other.steps_shared.values().copied().collect();
            for (step, _) in circuit.steps_shared.iter().filter(|(_, it)| states.contains(it)) {
                found.steps.entry(step.to_string()).or_default().push(name.clone());
            }
        }
        found
    }
}

/// Whether a topic's rows can be fed to another declaration of it.
fn can_take((spec, known): (TopicSpec, TopicSpec)) -> bool {
    spec.discipline == known.discipline
        && spec.schema.fields == known.schema.fields
        && spec.key == known.key
}
