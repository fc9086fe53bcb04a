//! `arqon graph`: a circuit as a picture.

use crate::arguments::{GlobalArguments, GraphArguments, GraphKind};
use crate::circuit::{compile_source, options};
use crate::compile::plan_of;
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::picture;
use crate::report::print_beside;
use crate::source::Source;

/// Draws one circuit to stdout; its diagnostics go to stderr.
///
/// # Errors
/// A [`Failure`] if the file cannot be read.
pub(crate) fn graph(
    arguments: &GraphArguments,
    global: &GlobalArguments,
    console: Console,
) -> Result<Exit, Failure> {
    let source = Source::read(&arguments.file)?;
    let circuit = compile_source(&source, &options(global, &arguments.compiler))?;
    print_beside(console, &circuit.findings)?;
    if circuit.findings.has_errors() {
        return Ok(Exit::Errors);
    }
    let plan = plan_of(&circuit)?;
    let drawing = match arguments.kind {
        GraphKind::Terminal => picture::terminal(plan, Console::out_columns()),
        GraphKind::Dot => picture::dot(plan),
        GraphKind::Mermaid => picture::mermaid(plan),
        GraphKind::Svg => picture::svg(plan),
    };
    console.out(&drawing)?;
    Ok(Exit::Success)
}
