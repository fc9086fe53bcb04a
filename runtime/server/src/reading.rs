//! A circuit in the body of a request: an artifact, or the text of a circuit that imports nothing.

use arqon_compiler::{Options, compile};
use arqon_grammar::diagnostic::sort;
use arqon_plan::{Artifact, decode, is_artifact};
use serde_json::{Value as Json, json};

use crate::diagnostics::diagnostic_entries;

/// What a text in a request is called in diagnostics and error rows.
const FILE: &str = "request.yaml";

/// Why a body is no circuit that runs.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) message: String,
    pub(crate) diagnostics: Json,
}

/// Reads the circuit.
pub(crate) fn read_circuit(body: &[u8]) -> Result<Artifact, Unreadable> {
    let plain = |message: String| Unreadable { message, diagnostics: json!([]) };
    if is_artifact(body) {
        return decode(body).map_err(|error| {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            plain(format!("{error}{}", source.unwrap_or_default()))
        });
    }
    let text = std::str::from_utf8(body).map_err(|_| plain("the body is not UTF-8".to_owned()))?;
    let mut compiled = compile(text, FILE, &Options::default());
    sort(&mut compiled.diagnostics);
    if compiled.has_errors() {
        let entries = diagnostic_entries(&compiled.sources, &compiled.diagnostics);
        let n_errors = compiled.diagnostics.iter().filter(|it| it.is_error()).count();
        let message = match n_errors {
            1 => "the circuit has an error".to_owned(),
            n => format!("the circuit has {n} errors"),
        };
        return Err(Unreadable { message, diagnostics: json!(entries) });
    }
    if !compiled.not_runnable.is_empty() {
        let lines = compiled.sources.lines();
        let parts = compiled.not_runnable.iter();
        let parts = parts.map(|part| format!("{}: {}", lines.place(part.span), part.message));
        return Err(plain(parts.collect::<Vec<_>>().join("\n")));
    }
    match (compiled.plan, compiled.dataflow) {
        (Some(plan), Some(dataflow)) => Ok(Artifact { plan, dataflow }),
        _ => Err(plain("the text holds no circuit".to_owned())),
    }
}
