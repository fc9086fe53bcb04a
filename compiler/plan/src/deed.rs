//! What a step does, whatever it is called and wherever it stands: by this, steps of different
//! circuits are told to be the same.

use std::sync::Arc;

use serde_json::Value as Json;

use arqon_operators::Place;
use arqon_types::Field;

use crate::artifact::ContentHash;
use crate::dataflow::{Operator, Step};

/// What a step does, and where in its circuit that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Equal for steps that make the same rows of the same inputs, and for them only. Inputs are no
    /// part of it, nor is how rows are called that come out of joins and groups further on.
    pub text: String,
    /// The places of its expressions; steps with equal texts have as many, in the same order.
    pub places: Vec<Place>,
}

impl Deed {
    /// That of a step; none if something in it has no form as text.
    pub fn of(step: &Step) -> Option<Self> {
        let mut operator = step.operator.clone();
        if let Operator::Map(map) = &mut operator {
            map.stages.iter_mut().for_each(|stage| stage.address = Arc::from(""));
        }
        let said: (Operator, &[Field]) = (operator, &step.schema.fields);
        let mut said = serde_json::to_value(said).ok()?;
        let mut places = Vec::new();
        if is_vague(&said) {
            return None;
        }
        take_places(&mut said, &mut places);
        Some(Self { text: said.to_string(), places })
    }
}

impl Deed {
    /// What the step makes of what its inputs make: equal for steps that make the same rows of the
    /// same topics, however many steps are between, and for them only. `more` is what else its rows
    /// hang on.
    pub fn upon(&self, more: &str, inputs: &[ContentHash]) -> ContentHash {
        let mut bytes = Vec::with_capacity(self.text.len() + more.len() + 32 * inputs.len() + 16);
        for text in [self.text.as_str(), more] {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        for input in inputs {
            bytes.extend_from_slice(&input.0);
        }
        ContentHash(*blake3::hash(&bytes).as_bytes())
    }
}

/// Whether it has numbers that look alike as JSON: those that are none, and those beyond all.
fn is_vague(said: &Json) -> bool {
    match said {
        Json::Object(fields) => {
            fields.get("Float").is_some_and(Json::is_null)
                || fields.contains_key("Tensor")
                || fields.values().any(is_vague)
        }
        Json::Array(items) => items.iter().any(is_vague),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}

/// Takes out all places, from the first on.
fn take_places(said: &mut Json, places: &mut Vec<Place>) {
    match said {
        Json::Object(fields) => {
            if let Some(place) = fields.get("place").and_then(as_place) {
                places.push(place);
                fields.remove("place");
            }
            fields.values_mut().for_each(|value| take_places(value, places));
        }
        Json::Array(items) => items.iter_mut().for_each(|item| take_places(item, places)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// A place is a line and a column, and nothing else.
fn as_place(value: &Json) -> Option<Place> {
    let fields = value.as_object().filter(|fields| fields.len() == 2)?;
    let number = |name: &str| u32::try_from(fields.get(name)?.as_u64()?).ok();
    Some(Place { line: number("line")?, column: number("column")? })
}
