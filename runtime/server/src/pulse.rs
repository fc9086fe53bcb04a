//! What each epoch did, on the bus: events of a topic that every server of many circuits has.

use std::sync::Arc;

use arqon_spine::{Keep, Source, TopicSpec};
use arqon_types::{
    DeltaBatch, Discipline, Edge, Epoch, Field, Float, Row, Schema, TopicName, Type, Update, Value,
};

use crate::tally::{EpochTally, Tally};

/// Bytes of the newest events that are kept for those who come later.
const KEPT_BYTES: u64 = 1 << 20;

/// The topic's name.
pub(crate) fn pulse_topic() -> TopicName {
    TopicName::parse("system.epochs").expect("a well-formed name")
}

/// The topic: one event for each circuit and epoch.
pub(crate) fn pulse_spec() -> TopicSpec {
    let counts =
        ["epoch", "rows_in", "deltas_out", "errors", "rows_touched", "rows_held", "state_bytes"];
    let fields = [Field::new("circuit", Type::String)]
        .into_iter()
        .chain(counts.map(|name| Field::new(name, Type::Int64)))
        .chain([
            Field::new("churn", Type::Option(Box::new(Type::Float64))),
            Field::new("elapsed", Type::Duration),
        ]);
    TopicSpec {
        name: pulse_topic(),
        schema: Schema::new("Epoch", fields.collect()),
        schema_id: "system.Epoch".to_owned(),
        discipline: Discipline::Events,
        edge: Edge::Out,
        key: Vec::new(),
        source: Source::Circuit,
        keep: Keep::Bytes(KEPT_BYTES),
    }
}

/// The event of a circuit's newest epoch.
pub(crate) fn pulse(circuit: &str, tally: &Tally) -> Option<Row> {
    let EpochTally { epoch, rows_in, deltas_out, errors, rows_touched, churn, elapsed } =
        tally.last.as_ref()?;
    let number = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    Some(
        [
            Value::String(Arc::from(circuit)),
            number(epoch.0),
            number(*rows_in),
            number(*deltas_out),
            number(*errors),
            number(*rows_touched),
            number(tally.rows_held()),
            Value::Int(tally.state_bytes),
            churn.map_or(Value::None, |churn| Value::Float(Float::new(churn))),
            Value::Duration(i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)),
        ]
        .into_iter()
        .collect(),
    )
}

/// The events of an epoch, by the names of the circuits.
pub(crate) fn pulses(epoch: Epoch, mut rows: Vec<Row>) -> DeltaBatch {
    rows.sort_unstable();
    let update = |row| Update { row, epoch, diff: 1 };
    let updates = rows.into_iter().map(update).collect();
    DeltaBatch { topic: pulse_topic(), lower: epoch, upper: epoch.next(), updates }
}
