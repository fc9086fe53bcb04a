//! The words of the language with what they mean, in a line each.

/// What a verb does.
pub(crate) fn verb(name: &str) -> Option<&'static str> {
    Some(match name {
        "where" => "keeps the rows for which the condition is true",
        "select" => "keeps these fields, and no others",
        "with" => "adds fields, or replaces them, computed from the row",
        "drop" => "leaves fields out",
        "unnest" => "gives a row for each item of a list",
        "join" => "brings in the rows of another topic or node that match",
        "group" => "gives one row for each key, with aggregates of its rows",
        "distinct" => "keeps each row once",
        "top" => "keeps the first rows in an order",
        "over" => "computes over the rows before and after, in an order",
        "window" => "cuts the rows into windows of their time",
        "within" => "keeps the rows of a span of time",
        "loop" => "repeats steps until nothing changes",
        "route" => "sends each row to the first label whose condition is true",
        "call" => "hands each row to an operator as a job",
        "kernel" => "runs a kernel on arrays",
        "wasm" => "runs a capsule on the rows",
        "carries" => "says what the rows are from here on: events, full or delta",
        _ => return None,
    })
}

/// What a section of a circuit holds.
pub(crate) fn section(name: &str) -> Option<&'static str> {
    Some(match name {
        "arqon" => "the version of the language",
        "circuit" => "the circuit's name",
        "description" => "what the circuit is for",
        "namespace" => "the domain of its topics; the circuit's name if it is not written",
        "params" => "named constants and symbolic dimensions",
        "import" => "circuit files and protobuf files whose declarations are used",
        "schemas" => "record types",
        "functions" => "named expressions",
        "topics" => "named channels, each with schema and discipline",
        "operators" => "external compute: a contract and its implementations",
        "flow" => "the nodes: from, do, to",
        "routes" => "plain wiring: `a -> b when condition`",
        "limits" => "rates, state and cpu of the circuit",
        "access" => "what each role may publish, subscribe and execute",
        "profiles" => "named overrides",
        "tests" => "examples and laws",
        _ => return None,
    })
}

/// What a key of a topic says.
pub(crate) fn topic_key(name: &str) -> Option<&'static str> {
    Some(match name {
        "schema" => "the type of its rows",
        "carries" => "events, full (the state of each key) or delta (signed changes)",
        "key" => "the field or fields that tell rows apart",
        "edge" => "which way clients may use it: in, out or both",
        "time" => "the field of event time",
        "late" => "how late a row may come",
        "queue" => "how many messages wait, and what happens to more",
        "retain" => "how long rows are kept",
        "control" => "an input of the next epoch, so that it may close a cycle",
        "shared" => "several may write it",
        "durable" => "its messages survive a restart",
        "check" => "`none` trusts the retractions of its publishers",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use arqon_grammar::vocabulary;

    use super::*;

    #[test]
    fn every_word_has_its_meaning() {
        for (name, _) in vocabulary::verbs() {
            assert!(verb(name).is_some(), "{name}");
        }
        for name in vocabulary::circuit_keys() {
            assert!(section(name).is_some(), "{name}");
        }
        for name in vocabulary::topic_keys() {
            assert!(topic_key(name).is_some(), "{name}");
        }
    }
}
