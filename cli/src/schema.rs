//! `arqon schema`: the shape of a circuit file as JSON Schema, for editors.
//!
//! Draft 2020-12. It offers keys and words and finds misplaced ones; the compiler stays the
//! authority on everything else.

use arqon_grammar::vocabulary::{Shape, circuit_file};
use serde_json::{Map, Value, json};

use crate::console::Console;
use crate::exit::{Exit, Failure};

/// Prints the schema.
///
/// # Errors
/// A [`Failure`] if stdout cannot be written.
pub(crate) fn schema(console: Console) -> Result<Exit, Failure> {
    console.out(&document())?;
    Ok(Exit::Success)
}

/// The schema, closed by a line break.
pub(crate) fn document() -> String {
    let mut root = rendered(&circuit_file());
    if let Value::Object(fields) = &mut root {
        let head = [
            ("$schema", "https://json-schema.org/draft/2020-12/schema"),
            ("title", "ArqonBus circuit"),
        ];
        for (key, value) in head {
            fields.insert(key.to_owned(), value.into());
        }
    }
    format!("{root:#}\n")
}

fn rendered(shape: &Shape) -> Value {
    match shape {
        Shape::Any => json!({}),
        Shape::Nothing => json!({ "type": "null" }),
        Shape::Scalar(about) => {
            json!({ "type": ["string", "number", "boolean"], "description": about })
        }
        Shape::Pattern(about, pattern) => {
            json!({ "type": "string", "pattern": pattern, "description": about })
        }
        Shape::Words(words) => {
            json!({ "enum": words.iter().flat_map(|word| spelled(word)).collect::<Vec<_>>() })
        }
        Shape::List(item) => json!({ "type": "array", "items": rendered(item) }),
        Shape::Map(pattern, value) => {
            let mut map = json!({ "type": "object", "additionalProperties": rendered(value) });
            if let Some(pattern) = pattern {
                map["propertyNames"] = json!({ "pattern": pattern });
            }
            map
        }
        Shape::Object { about, keys, required } => {
            let properties: Map<String, Value> =
                keys.iter().map(|(key, shape)| ((*key).to_owned(), rendered(shape))).collect();
            let mut object = json!({
                "type": "object",
                "description": about,
                "properties": properties,
                "additionalProperties": false,
            });
            if !required.is_empty() {
                object["required"] = json!(required);
            }
            object
        }
        Shape::Either(shapes) => {
            json!({ "anyOf": shapes.iter().map(rendered).collect::<Vec<_>>() })
        }
    }
}

/// A word as YAML reads it when it stands without quotes, and as a text.
fn spelled(word: &str) -> Vec<Value> {
    let read = serde_json::from_str::<Value>(word).ok().filter(|value| !value.is_string());
    read.into_iter().chain([Value::from(word)]).collect()
}
