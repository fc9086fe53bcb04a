//! Circuits as the commands get them: compiled from a file, or read from an artifact.

use std::path::Path;

use arqon_compiler::{Compiled, Options, compile};
use arqon_plan::artifact;

use crate::arguments::{Allowance, CompilerArguments, GlobalArguments};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::report::{Findings, print_for_people};
use crate::source::Source;

/// A compiled circuit with what was found in it.
pub(crate) struct Circuit {
    /// Plan, steps and tests, as far as they could be made.
    pub(crate) compiled: Compiled,
    /// The text and its diagnostics.
    pub(crate) findings: Findings,
}

/// The compiler's options from the command line.
pub(crate) fn options(global: &GlobalArguments, compiler: &CompilerArguments) -> Options {
    Options {
        set: global.set.clone(),
        profile: global.profile.clone(),
        uses: global.uses.clone(),
        allow_unbounded: compiler.allow.contains(&Allowance::Unbounded),
    }
}

/// Compiles a source; its diagnostics move into the findings.
pub(crate) fn compile_source(source: Source, options: &Options) -> Circuit {
    let mut compiled = compile(&source.text, &source.file, options);
    let mut diagnostics = std::mem::take(&mut compiled.diagnostics);
    if let Some(encoding) = source.encoding.clone() {
        // The text that was compiled is not the text in the file: one fault says it all.
        diagnostics = vec![encoding];
        compiled.dataflow = None;
        compiled.plan = None;
    }
    Circuit { compiled, findings: Findings::new(source, diagnostics) }
}
