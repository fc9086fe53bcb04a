//! What the hub tells of itself.

use crate::circuit::Circuit;
use crate::hub::Hub;
use crate::report::{CircuitReport, InCommon, ServerReport};

impl Hub {
    pub(crate) fn report(&self) -> ServerReport {
        let circuits = self.circuits.iter();
        let mut circuits: Vec<CircuitReport> =
            circuits.map(|(id, circuit)| report(circuit, self.in_common(*id))).collect();
        circuits.sort_by(|one, other| one.name.cmp(&other.name));
        ServerReport {
            epoch: self.bus.applied(),
            circuits,
            topics: self.bus.topics(),
            sessions: self.bus.sessions(),
        }
    }
}

fn report(circuit: &Circuit, in_common: InCommon) -> CircuitReport {
    CircuitReport {
        name: circuit.plan.circuit.clone(),
        namespace: circuit.plan.namespace.clone(),
        file: circuit.plan.file.clone(),
        since: circuit.since,
        stopped: circuit.stopped.clone(),
        topics: circuit.topics.iter().cloned().collect(),
        in_common,
        state_bytes_max: circuit.plan.state_bytes_max,
        tally: circuit.tally.clone(),
    }
}
