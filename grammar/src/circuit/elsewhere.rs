//! Where a key belongs that stands where it is not known.

use super::tables;
use crate::code;
use crate::diagnostic::Diagnostic;

/// Adds to unknown keys, unless they are near a known one, where they would be known.
pub(crate) fn told(diagnostic: Diagnostic, text: &str) -> Diagnostic {
    if diagnostic.code != code::yaml::UNKNOWN_KEY || diagnostic.fix.is_some() {
        return diagnostic;
    }
    let key = diagnostic.primary.span.slice(text);
    let places = places(key);
    if let [_, ..] = places.as_slice() {
        let note = format!("`{key}` {}", places.join(", and "));
        return diagnostic.note(note);
    }
    diagnostic
}

fn places(key: &str) -> Vec<String> {
    let owners = [
        ("of the circuit itself", tables::CIRCUIT_KEYS),
        ("of a topic", tables::TOPIC_KEYS),
        ("of an operator", tables::OPERATOR_KEYS),
        ("of a node", tables::NODE_KEYS),
        ("of a role in `access`", tables::ROLE_KEYS),
        // Its `from` is told as that of a node.
        ("of a variable in the `next` of a loop", &["merge"]),
        ("of a step in a test", tables::TEST_STEP_KEYS),
    ];
    let owners = owners.into_iter().filter(|(_, keys)| keys.contains(&key));
    let beside: Vec<String> = tables::verbs()
        .filter(|(_, companions)| companions.contains(&key))
        .map(|(verb, _)| format!("`{verb}`"))
        .collect();
    let mut places: Vec<String> = owners.map(|(owner, _)| format!("is a key {owner}")).collect();
    if tables::verbs().any(|(verb, _)| verb == key) {
        places.push("begins a step under `do`".to_owned());
    }
    if let [_, ..] = beside.as_slice() {
        places.push(format!("stands beside {}", beside.join(" or ")));
    }
    places
}
