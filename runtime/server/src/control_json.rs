//! What the control API says, as JSON.

use arqon_engine::{Count, CounterKind, NodeCounts};
use arqon_spine::{SessionReport, TopicReport};
use arqon_types::{Field, TopicName};
use serde_json::{Value as Json, json};

use crate::command::Changed;
use crate::report::{CircuitReport, ServerReport};
use crate::tally::{EpochTally, Tally};
use crate::topics::schema_hash;

/// The circuits that the one who asks looks after.
pub(crate) fn circuits(report: &ServerReport, is_own: impl Fn(&str) -> bool) -> Json {
    let own = report.circuits.iter().filter(|circuit| is_own(&circuit.name));
    json!({ "epoch": report.epoch.0, "circuits": own.map(in_short).collect::<Vec<_>>() })
}

fn in_short(circuit: &CircuitReport) -> Json {
    let state = if circuit.stopped.is_some() { "stopped" } else { "running" };
    let topics: Vec<&str> = circuit.topics.iter().map(TopicName::as_str).collect();
    let Tally { n_epochs, rows_in, deltas_out, errors, rows_touched, state_bytes, .. } =
        &circuit.tally;
    json!({
        "name": circuit.name,
        "namespace": circuit.namespace,
        "file": circuit.file,
        "state": state,
        "reason": circuit.stopped,
        "since": circuit.since.0,
        "topics": topics,
        "in_common": {
            "tables": circuit.in_common.tables,
            "steps": circuit.in_common.steps,
        },
        "epochs": n_epochs,
        "rows_in": rows_in,
        "deltas_out": deltas_out,
        "errors": errors,
        "rows_touched": rows_touched,
        "rows_held": circuit.tally.rows_held(),
        "state_bytes": state_bytes,
        "state_bytes_max": circuit.state_bytes_max,
    })
}

/// One circuit with its newest epoch, its steps and its topics.
pub(crate) fn circuit(circuit: &CircuitReport, report: &ServerReport) -> Json {
    let mut document = in_short(circuit);
    let topics = report.topics.iter().filter(|it| circuit.topics.contains(&it.spec.name));
    document["epoch"] = json!(report.epoch.0);
    document["last"] = circuit.tally.last.as_ref().map_or(Json::Null, last);
    document["steps"] = circuit.tally.nodes.iter().map(step).collect();
    document["topics"] = topics.map(topic).collect();
    document
}

fn last(epoch: &EpochTally) -> Json {
    json!({
        "epoch": epoch.epoch.0,
        "rows_in": epoch.rows_in,
        "deltas_out": epoch.deltas_out,
        "errors": epoch.errors,
        "rows_touched": epoch.rows_touched,
        "churn": epoch.churn,
        "elapsed_us": micros(epoch.elapsed),
    })
}

fn step(node: &NodeCounts) -> Json {
    let count = |count: Count| json!({ "changes": count.changes, "net": count.net });
    let counts = &node.counts;
    let kind = match node.kind {
        CounterKind::Source => "source",
        CounterKind::Stateless | CounterKind::Multiplying => "stateless",
        CounterKind::Stateful => "stateful",
    };
    json!({
        "step": &*node.address,
        "node": &*node.node,
        "kind": kind,
        "in": count(counts.input),
        "out": count(counts.output),
        "filtered": count(counts.filtered),
        "errors": count(counts.errors),
        "late": count(counts.late),
        "touched": counts.touched,
        "held": counts.held,
        "state_bytes": counts.bytes,
        "released": counts.released,
    })
}

/// A topic with its contract.
pub(crate) fn topic(report: &TopicReport) -> Json {
    let spec = &report.spec;
    let field = |field: &Field| json!({ "name": &*field.name, "type": field.ty.to_string() });
    let edge = match (spec.edge.admits(), spec.edge.emits()) {
        (true, true) => "both",
        (true, false) => "in",
        (false, true) => "out",
        (false, false) => "none",
    };
    json!({
        "name": spec.name.as_str(),
        "schema": spec.schema_id,
        "schema_hash": schema_hash(&spec.schema),
        "fields": spec.schema.fields.iter().map(field).collect::<Vec<_>>(),
        "carries": spec.discipline.to_string(),
        "edge": edge,
        "key": spec.key,
        "rows": report.n_rows,
        "messages": report.n_messages,
        "subscriptions": report.n_subscriptions,
        "stopped": report.stopped,
    })
}

/// The sessions with what they follow.
pub(crate) fn sessions(sessions: &[SessionReport]) -> Vec<Json> {
    let one = |session: &SessionReport| {
        json!({
            "session": session.session.0,
            "principal": session.principal,
            "subscriptions": session.subscriptions,
        })
    };
    sessions.iter().map(one).collect()
}

/// What a change came to.
pub(crate) fn changed(outcome: &Changed) -> Json {
    let without: Vec<&str> = outcome.starts_without.iter().map(TopicName::as_str).collect();
    json!({
        "circuit": outcome.circuit,
        "epoch": outcome.epoch.0,
        "rows": outcome.n_rows,
        "updates": outcome.updates,
        "starts_without": without,
        "changes": outcome.difference.as_ref().map(|found| &found.changes),
        "effects": outcome.difference.as_ref().map(|found| &found.effects),
    })
}

fn micros(elapsed: std::time::Duration) -> u64 {
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}
