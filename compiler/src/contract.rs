//! The known contracts: what a job and a result of an operator are.
//!
//! Large values (pulse programs, audio, frames) travel by reference or as lists of numbers.

use arqon_types::{Field, TimeUnits, Type};

/// What an operator takes and gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contract {
    /// The fields of a job; a field that is an option may be left out.
    pub(crate) job: Vec<Field>,
    /// The fields of a result.
    pub(crate) result: Vec<Field>,
    /// In which units timestamps of a job may be integers where values are written.
    pub(crate) job_units: TimeUnits,
    /// The same of a result.
    pub(crate) result_units: TimeUnits,
}

impl Contract {
    /// A contract whose timestamps are texts.
    fn new(job: Vec<Field>, result: Vec<Field>) -> Self {
        let units = TimeUnits::default;
        Self { job, result, job_units: units(), result_units: units() }
    }
}

/// The known contract of this name and version.
pub(crate) fn known_contract(name: &str, version: u64) -> Option<Contract> {
    match (name, version) {
        ("arqonbus.nvm", 1) => Some(nvm()),
        ("arqonbus.bowlnet", 1) => Some(bowlnet()),
        ("arqonbus.qml", 1) => Some(qml()),
        ("arqonbus.helios", 1) => Some(helios()),
        _ => None,
    }
}

/// The known contracts as they are written.
pub const CONTRACT_NAMES: [&str; 4] =
    ["arqonbus.nvm@1", "arqonbus.bowlnet@1", "arqonbus.qml@1", "arqonbus.helios@1"];

/// The name of the built-in implementation of a contract: `nvm` of `arqonbus.nvm`.
pub(crate) fn builtin_name(contract: &str) -> Option<&str> {
    contract.strip_prefix("arqonbus.")
}

fn nvm() -> Contract {
    Contract::new(
        vec![
            Field::new("program_ref", optional(Type::String)),
            Field::new("program", optional(Type::String)),
            Field::new("input_data", optional(numbers())),
            Field::new("constraints", optional(constraints())),
            Field::new("metadata", optional(texts())),
        ],
        vec![
            Field::new("frame", numbers()),
            Field::new("snr", Type::Float64),
            Field::new("runtime_ms", Type::Int64),
            Field::new("energy_joules", optional(Type::Float64)),
        ],
    )
}

fn bowlnet() -> Contract {
    Contract::new(
        vec![
            Field::new("operator_set", Type::String),
            Field::new("mode", choice(&["online_stream", "batch"])),
            Field::new("input_audio_ref", optional(Type::String)),
            Field::new("frame", optional(numbers())),
            Field::new("output_topics", optional(texts())),
        ],
        vec![
            Field::new("features", numbers()),
            Field::new("label", optional(Type::String)),
            Field::new("confidence", optional(Type::Float64)),
        ],
    )
}

fn qml() -> Contract {
    Contract::new(
        vec![
            Field::new("features", numbers()),
            Field::new("model_ref", optional(Type::String)),
            Field::new("shots", optional(Type::Int64)),
        ],
        vec![
            Field::new("label", Type::String),
            Field::new("confidence", optional(Type::Float64)),
            Field::new("scores", optional(numbers())),
        ],
    )
}

fn helios() -> Contract {
    Contract::new(
        vec![
            Field::new("action", choice(&["compile_transform", "apply_transform"])),
            Field::new("transform_ref", optional(Type::String)),
            Field::new("transform", optional(Type::String)),
            Field::new("delta_mode", optional(choice(&["full_state", "delta_only"]))),
            Field::new("input", optional(numbers())),
            Field::new("constraints", optional(constraints())),
        ],
        vec![
            Field::new("transform_ref", optional(Type::String)),
            Field::new("output", optional(numbers())),
            Field::new("mode", choice(&["pass", "itmd", "rr"])),
            Field::new("churn", optional(Type::Float64)),
            Field::new("error", optional(Type::Float64)),
        ],
    )
}

fn constraints() -> Type {
    Type::Struct(vec![
        Field::new("max_runtime_ms", optional(Type::Int64)),
        Field::new("max_energy_joules", optional(Type::Float64)),
        Field::new("max_runs", optional(Type::Int64)),
    ])
}

fn optional(ty: Type) -> Type {
    ty.optional()
}

fn numbers() -> Type {
    Type::List(Box::new(Type::Float64))
}

fn texts() -> Type {
    Type::List(Box::new(Type::String))
}

fn choice(labels: &[&str]) -> Type {
    Type::Enum(labels.iter().map(|&label| label.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_contract_is_known() {
        for written in CONTRACT_NAMES {
            let (name, version) = written.split_once('@').unwrap();
            let contract = known_contract(name, version.parse().unwrap()).unwrap();
            assert!(!contract.job.is_empty() && !contract.result.is_empty(), "{written}");
            assert!(builtin_name(name).is_some(), "{written}");
        }
        assert_eq!(known_contract("arqonbus.nvm", 2), None);
    }
}
