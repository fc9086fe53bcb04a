//! What Prometheus reads: the tallies of circuits, steps and topics, in its text format.
//!
//! Names and addresses hold nothing that would have to be escaped: no quote, no backslash, no line.

use std::fmt::Write;

use arqon_engine::Counts;
use arqon_spine::TopicReport;

use crate::report::{CircuitReport, ServerReport};

/// Numbers of one name.
struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
}

/// A number of each circuit, where it has one.
type OfCircuit = (Family, fn(&CircuitReport) -> Option<f64>);
/// A number of each step.
type OfStep = (Family, fn(&Counts) -> f64);
/// A number of each topic.
type OfTopic = (Family, fn(&TopicReport) -> f64);

const CIRCUITS: [OfCircuit; 10] = [
    (gauge("arqon_circuit_up", "1 while the circuit runs, 0 once it has stopped."), |it| {
        Some(if it.stopped.is_none() { 1.0 } else { 0.0 })
    }),
    (counter("arqon_circuit_epochs_total", "Epochs that the circuit took part in."), |it| {
        Some(number(it.tally.n_epochs))
    }),
    (counter("arqon_circuit_rows_in_total", "Changes that came in."), |it| {
        Some(number(it.tally.rows_in))
    }),
    (counter("arqon_circuit_deltas_out_total", "Updates of output topics."), |it| {
        Some(number(it.tally.deltas_out))
    }),
    (counter("arqon_circuit_errors_total", "Changes of error collections."), |it| {
        Some(number(it.tally.errors))
    }),
    (counter("arqon_circuit_rows_touched_total", "Rows read or written in state."), |it| {
        Some(number(it.tally.rows_touched))
    }),
    (counter("arqon_circuit_epoch_seconds_total", "The time of all epochs."), |it| {
        Some(it.tally.elapsed.as_secs_f64())
    }),
    (gauge("arqon_circuit_state_bytes", "What the state takes."), |it| {
        Some(signed(it.tally.state_bytes))
    }),
    (gauge("arqon_circuit_rows_held", "Rows that the input topics hold."), |it| {
        Some(number(it.tally.rows_held()))
    }),
    (gauge("arqon_circuit_churn_ratio", "Share of the held input that changed last."), |it| {
        it.tally.last.as_ref()?.churn
    }),
];

const STEPS: [OfStep; 3] = [
    (gauge("arqon_step_rows_held", "Rows in the state of a step."), |it| signed(it.held)),
    (gauge("arqon_step_state_bytes", "What the state of a step takes."), |it| signed(it.bytes)),
    (counter("arqon_step_rows_touched_total", "Rows read or written in its state."), |it| {
        number(it.touched)
    }),
];

const TOPICS: [OfTopic; 3] = [
    (gauge("arqon_topic_rows", "Rows that clients see in a topic."), |it| number(it.n_rows)),
    (counter("arqon_topic_messages_total", "Messages, or events, of a topic."), |it| {
        number(it.n_messages)
    }),
    (gauge("arqon_topic_subscriptions", "Subscriptions that follow a topic."), |it| {
        number(it.n_subscriptions)
    }),
];

/// All that is counted, as text.
pub(crate) fn metrics(report: &ServerReport) -> String {
    let mut text = String::new();
    let epoch = gauge("arqon_epoch", "The newest epoch that is out.");
    put(&mut text, &epoch, [(String::new(), number(report.epoch.0))]);
    let sessions = gauge("arqon_sessions", "Sessions that are open.");
    put(&mut text, &sessions, [(String::new(), number(report.sessions.len() as u64))]);
    for (family, number) in &CIRCUITS {
        let labelled = |it: &CircuitReport| Some((label(&[("circuit", &it.name)]), number(it)?));
        put(&mut text, family, report.circuits.iter().filter_map(labelled));
    }
    for (family, number) in &STEPS {
        let numbers = report.circuits.iter().flat_map(|circuit| {
            circuit.tally.nodes.iter().map(|node| {
                let labels = [("circuit", circuit.name.as_str()), ("step", &*node.address)];
                (label(&labels), number(&node.counts))
            })
        });
        put(&mut text, family, numbers);
    }
    for (family, number) in &TOPICS {
        let labelled = |it: &TopicReport| (label(&[("topic", it.spec.name.as_str())]), number(it));
        put(&mut text, family, report.topics.iter().map(labelled));
    }
    text
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: "gauge", help }
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: "counter", help }
}

fn label(labels: &[(&str, &str)]) -> String {
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    format!("{{{}}}", labels.join(","))
}

fn put(text: &mut String, family: &Family, numbers: impl IntoIterator<Item = (String, f64)>) {
    let Family { name, kind, help } = family;
    // To write to a text never fails.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (label, number) in numbers {
        let _ = writeln!(text, "{name}{label} {number}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus counts in floats")]
fn number(n: u64) -> f64 {
    n as f64
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus counts in floats")]
fn signed(n: i64) -> f64 {
    n as f64
}
