//! `arqon compile --emit proto`: the rows of topics as protobuf messages, for clients that speak
//! protobuf, and for circuits that import them.

use std::collections::BTreeSet;

use arqon_plan::Plan;
use arqon_proto::{MessageOf, message_name, proto_file};
use arqon_types::Schema;

/// A message with the topics whose rows it is.
struct Message<'p> {
    name: String,
    schema: &'p Schema,
    topics: Vec<&'p str>,
}

/// A protobuf file with the rows of all topics that clients can reach.
pub(crate) fn document(plan: &Plan) -> String {
    let mut messages: Vec<Message<'_>> = Vec::new();
    for (_, topic) in plan.topics() {
        if !topic.admits_clients() && !topic.emits_to_clients() {
            continue;
        }
        let (schema, name) = (topic.schema.as_ref(), topic.name.as_str());
        if let Some(known) = messages.iter_mut().find(|known| known.schema == schema) {
            known.topics.push(name);
        } else {
            messages.push(Message { name: named(&schema.name), schema, topics: vec![name] });
        }
    }
    let mut taken = BTreeSet::new();
    for message in &mut messages {
        let name = message.name.clone();
        let mut n_tries = 2;
        while !taken.insert(message.name.clone()) {
            message.name = format!("{name}{n_tries}");
            n_tries += 1;
        }
    }
    let abouts: Vec<String> = messages.iter().map(|it| it.topics.join(", ")).collect();
    let messages: Vec<MessageOf<'_>> = messages
        .iter()
        .zip(&abouts)
        .map(|(Message { name, schema, .. }, about)| MessageOf { name, schema, about })
        .collect();
    proto_file(&plan.namespace, &messages)
}

/// A schema's own name; one made of its topic's where it has none, which is that of the topic.
fn named(schema: &str) -> String {
    let is_word = schema.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_word { schema.to_owned() } else { message_name(schema) }
}
