//! What the bus needs to know of a circuit: its topics, and how filters are compiled.

use std::collections::BTreeSet;

use arqon_plan::{DataflowPlan, History, Operator, RetentionRule, StepId};
use arqon_spine::{FilterCompiler, Keep, Source, TopicSpec, filter};
use arqon_types::{Field, Schema, TopicName};

/// The topics of a plan as the bus knows them.
pub(crate) fn topic_specs(plan: &DataflowPlan) -> Vec<TopicSpec> {
    let is_written = |topic: &TopicName| {
        let output = plan.outputs.iter().find(|output| output.topic == *topic);
        plan.is_fed_back(topic)
            || output.is_some_and(|output| !is_own_source(plan, topic, output.step))
    };
    let source = |topic: &TopicName| match (is_written(topic), plan.is_input(topic)) {
        (false, _) => Source::Outside,
        (true, false) => Source::Circuit,
        (true, true) if plan.is_fed_back(topic) => Source::Returning,
        (true, true) => Source::Both,
    };
    let spec = |topic: &arqon_plan::TopicPlan| TopicSpec {
        name: topic.name.clone(),
        schema: topic.schema.clone(),
        schema_id: format!("{}.{}", plan.circuit, topic.schema.name),
        discipline: topic.discipline,
        edge: topic.edge,
        key: topic.key.iter().map(|place| topic.schema.fields[*place].name.to_string()).collect(),
        source: source(&topic.name),
        keep: match topic.history {
            History::All => Keep::All,
            History::Nothing => Keep::Nothing,
            History::Ruled(RetentionRule::Bytes(bytes)) => Keep::Bytes(bytes),
            History::Ruled(RetentionRule::Arrival(length)) => Keep::Arrival(length),
            History::Ruled(RetentionRule::Time { field, length, late }) => {
                Keep::Time { field, length, late }
            }
        },
    };
    plan.topics.iter().map(spec).collect()
}

/// Whether the step hands on what comes in by the topic, and nothing else: an input that clients
/// may also read stands among the outputs too.
fn is_own_source(plan: &DataflowPlan, topic: &TopicName, id: StepId) -> bool {
    let step = &plan.steps[id.index()];
    match (&step.operator, step.inputs.as_slice()) {
        (Operator::Map(_), [one]) => is_own_source(plan, topic, *one),
        (operator, _) => operator.source() == Some(topic),
    }
}

/// The topics that the engine reads; a message to any other goes no further than the bus.
pub(crate) fn engine_inputs(plan: &DataflowPlan) -> BTreeSet<TopicName> {
    plan.steps.iter().filter_map(|step| step.operator.source().cloned()).collect()
}

/// The topics that the engine reads and the circuit does not write.
pub(crate) fn read_topics(
    specs: &[TopicSpec],
    inputs: &BTreeSet<TopicName>,
) -> BTreeSet<TopicName> {
    let outside = specs.iter().filter(|spec| spec.source == Source::Outside);
    outside.map(|spec| &spec.name).filter(|name| inputs.contains(*name)).cloned().collect()
}

/// The content hash of a schema: equal for equal rows under an equal name.
pub fn schema_hash(schema: &Schema) -> String {
    let field = |field: &Field| format!("{}: {}", field.name, field.ty);
    let fields: Vec<String> = schema.fields.iter().map(field).collect();
    let units = schema.units.paths().into_iter().map(|(path, unit)| format!("{path}: {unit}"));
    let units: Vec<String> = units.collect();
    let text = format!("{} {{ {} }} [{}]", schema.name, fields.join(", "), units.join(", "));
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// Grants for everything that the edge of the circuit offers.
pub(crate) fn edge_grants(plan: &DataflowPlan) -> Vec<String> {
    let mut grants = Vec::new();
    for topic in &plan.topics {
        if topic.edge.admits() {
            grants.push(format!("can_publish:{}", topic.name));
        }
        if topic.edge.emits() {
            grants.push(format!("can_subscribe:{}", topic.name));
        }
    }
    grants
}

/// Compiles filters with the compiler's own expressions.
pub(crate) fn filter_compiler() -> FilterCompiler {
    Box::new(|text, schema| {
        arqon_compiler::compile_filter(text, schema).map(filter).map_err(|faults| {
            let messages: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
            messages.join("; ")
        })
    })
}
