//! What the hub tells of itself.

use std::collections::BTreeMap;

use arqon_types::TopicName;

use crate::circuit::Circuit;
use crate::hub::Hub;
use crate::report::{CircuitReport, ServerReport};

impl Hub {
    pub(crate) fn report(&self) -> ServerReport {
        let circuits = self.circuits.iter();
        let mut circuits: Vec<CircuitReport> =
            circuits.map(|(id, circuit)| report(circuit, self.shares(*id))).collect();
        circuits.sort_by(|one, other| one.name.cmp(&other.name));
        ServerReport {
            epoch: self.bus.applied(),
            circuits,
            topics: self.bus.topics(),
            sessions: self.bus.sessions(),
        }
    }
}

fn report(circuit: &Circuit, shares: BTreeMap<TopicName, Vec<String>>) -> CircuitReport {
    CircuitReport {
        name: circuit.plan.circuit.clone(),
        namespace: circuit.plan.namespace.clone(),
        file: circuit.plan.file.clone(),
        since: circuit.since,
        stopped: circuit.stopped.clone(),
        topics: circuit.topics.iter().cloned().collect(),
        shares,
        state_bytes_max: circuit.plan.state_bytes_max,
        tally: circuit.tally.clone(),
    }
}
