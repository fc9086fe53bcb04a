//! What the hub tells of itself.

use crate::circuit::Circuit;
use crate::hub::Hub;
use crate::report::{CircuitReport, ServerReport};

impl Hub {
    pub(crate) fn report(&self) -> ServerReport {
        let mut circuits: Vec<CircuitReport> = self.circuits.values().map(report).collect();
        circuits.sort_by(|one, other| one.name.cmp(&other.name));
        ServerReport {
            epoch: self.bus.applied(),
            circuits,
            topics: self.bus.topics(),
            sessions: self.bus.sessions(),
        }
    }
}

fn report(circuit: &Circuit) -> CircuitReport {
    CircuitReport {
        name: circuit.plan.circuit.clone(),
        namespace: circuit.plan.namespace.clone(),
        file: circuit.plan.file.clone(),
        since: circuit.since,
        stopped: circuit.stopped.clone(),
        topics: circuit.topics.iter().cloned().collect(),
        state_bytes_max: circuit.plan.state_bytes_max,
        tally: circuit.tally.clone(),
    }
}
