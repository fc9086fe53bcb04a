//! `arqon compile`: a circuit becomes an artifact, or is shown as what it became.

use std::fs;

use arqon_plan::{Artifact, Plan, content_hash, dataflow_text, encode, plan_text};
use serde_json::json;

use crate::arguments::{CompileArguments, Emission, GlobalArguments};
use crate::circuit::{Circuit, compile_source, options};
use crate::console::{Console, OutputFormat, Style};
use crate::exit::{Exit, Failure};
use crate::jobs;
use crate::messages;
use crate::picture;
use crate::report::{print_as_result, print_for_people};
use crate::schema;
use crate::source::Source;

/// Compiles one circuit.
///
/// # Errors
/// A [`Failure`] if the file cannot be read or the artifact cannot be written.
pub(crate) fn compile(
    arguments: &CompileArguments,
    global: &GlobalArguments,
    console: Console,
) -> Result<Exit, Failure> {
    let source = Source::read(&arguments.file)?;
    let circuit = compile_source(&source, &options(global, &arguments.compiler))?;
    let findings = std::slice::from_ref(&circuit.findings);
    if arguments.emit.is_none() && console.format != OutputFormat::Human {
        print_as_result(console, findings)?;
    } else {
        print_for_people(console, findings);
    }
    if circuit.findings.has_errors() {
        return Ok(Exit::Errors);
    }
    if let Some(output) = &arguments.output {
        let bytes = artifact(&circuit)?;
        fs::write(output, &bytes).map_err(|error| Failure::unwritable(output.display(), error))?;
        if console.is_human() {
            let hash = content_hash(&bytes)
                .map_err(|error| Failure::internal(Failure::chain(&error)))?
                .to_string();
            let name = console.paint_err(Style::Bold, &output.display().to_string());
            console.note(&format!("{name}: {} bytes, blake3 {hash}\n", bytes.len()));
        }
    }
    match arguments.emit {
        Some(emission) => console.out(&emit(&circuit, emission)?)?,
        None if arguments.output.is_none() && console.is_human() => {
            let text = format!("{}: no errors", circuit.findings.file());
            console.note(&format!("{}\n", console.paint_err(Style::Green, &text)));
        }
        None => {}
    }
    Ok(Exit::Success)
}

fn artifact(circuit: &Circuit) -> Result<Vec<u8>, Failure> {
    let dataflow = circuit.runnable()?;
    let plan = plan_of(circuit)?.clone();
    encode(&Artifact { plan, dataflow }).map_err(|error| Failure::internal(Failure::chain(&error)))
}

/// The typed graph of a circuit without errors.
pub(crate) fn plan_of(circuit: &Circuit) -> Result<&Plan, Failure> {
    let file = circuit.findings.file();
    circuit
        .compiled
        .plan
        .as_ref()
        .ok_or_else(|| Failure::internal(format!("{file}: a circuit without errors has no plan")))
}

fn emit(circuit: &Circuit, emission: Emission) -> Result<String, Failure> {
    let plan = plan_of(circuit)?;
    Ok(match emission {
        Emission::Plan => plan_text(plan),
        Emission::Dataflow => dataflow_text(&circuit.runnable()?),
        Emission::Dot => picture::dot(plan),
        Emission::Mermaid => picture::mermaid(plan),
        Emission::Svg => picture::svg(plan),
        Emission::Schema => schema::document(),
        Emission::Proto => messages::document(plan),
        Emission::Itmd => jobs::document(&plan.circuit, &circuit.runnable()?)?,
        Emission::Json => {
            // A circuit that calls operators has a graph, and no steps in this version.
            let document = json!({ "plan": plan, "dataflow": circuit.compiled.dataflow });
            format!("{document:#}\n")
        }
    })
}
