//! Circuits as the commands get them: compiled from a file, or read from an artifact.

use std::path::Path;

use arqon_compiler::{Compiled, NotRunnable, Options, compile};
use arqon_grammar::span::LineIndex;
use arqon_plan::{ARTIFACT_BYTES_MAX, DataflowPlan, decode, is_artifact};

use crate::arguments::{Allowance, CompilerArguments, GlobalArguments};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::report::{Findings, print_for_people};
use crate::source::Source;

/// A compiled circuit with what was found in it.
#[derive(Debug)]
pub(crate) struct Circuit {
    /// Plan, steps and tests, as far as they could be made.
    pub(crate) compiled: Compiled,
    /// The text and its diagnostics.
    pub(crate) findings: Findings,
}

/// The compiler's options from the command line and the environment.
pub(crate) fn options(global: &GlobalArguments, compiler: &CompilerArguments) -> Options {
    Options {
        set: global.set.clone(),
        profile: global.profile.clone(),
        uses: global.uses.clone(),
        allow_unbounded: compiler.allow.contains(&Allowance::Unbounded),
        variables: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
    }
}

/// Compiles a source; its diagnostics move into the findings.
pub(crate) fn compile_source(source: Source, options: &Options) -> Circuit {
    let mut compiled = compile(&source.text, &source.file, options);
    let mut diagnostics = std::mem::take(&mut compiled.diagnostics);
    if let Some(encoding) = source.encoding.clone() {
        // The text that was compiled is not the text of the file: one fault says it all.
        diagnostics = vec![encoding];
        compiled.dataflow = None;
        compiled.plan = None;
    }
    Circuit { compiled, findings: Findings::new(source, diagnostics) }
}

impl Circuit {
    /// The steps, if the circuit can run.
    ///
    /// # Errors
    /// A [`Failure`] that names what does not run in this version; a silent one for a circuit
    /// with errors, whose diagnostics the caller has printed.
    pub(crate) fn runnable(&self) -> Result<DataflowPlan, Failure> {
        if self.findings.has_errors() {
            return Err(Failure { exit: Exit::Errors, message: String::new(), help: None });
        }
        if !self.compiled.not_runnable.is_empty() {
            let parts = self.placed(&self.compiled.not_runnable);
            return Err(Failure::errors(parts.join("\n"))
                .help("`arqon check` and `arqon graph` work on the whole circuit"));
        }
        let file = &self.findings.source.file;
        self.compiled.dataflow.clone().ok_or_else(|| {
            Failure::internal(format!("{file}: a circuit without errors has no steps"))
        })
    }

    /// `file:line:column: why`, for each part.
    fn placed(&self, parts: &[NotRunnable]) -> Vec<String> {
        let Source { file, text, .. } = &self.findings.source;
        let index = LineIndex::new(text);
        let placed = |part: &NotRunnable| {
            let at = index.position(text, part.span.start);
            format!("{file}:{}:{}: {}", at.line, at.column, part.message)
        };
        parts.iter().map(placed).collect()
    }
}

/// The steps of a circuit file or artifact; diagnostics go to stderr, and notes of what the file
/// asks for that has no effect.
///
/// # Errors
/// A [`Failure`] if the file cannot be read, has errors, or holds what does not run.
pub(crate) fn load(
    path: &Path,
    global: &GlobalArguments,
    compiler: &CompilerArguments,
    console: Console,
) -> Result<DataflowPlan, Failure> {
    if let Some(plan) = load_artifact(path)? {
        return Ok(plan);
    }
    let circuit = compile_source(Source::read(path)?, &options(global, compiler));
    let runnable = circuit.runnable();
    print_for_people(console, std::slice::from_ref(&circuit.findings));
    if runnable.is_ok() {
        for part in circuit.placed(&circuit.compiled.not_honoured) {
            console.note(&format!("note: {part}\n"));
        }
    }
    runnable
}

/// The steps of an artifact; none if the file is none.
fn load_artifact(path: &Path) -> Result<Option<DataflowPlan>, Failure> {
    use std::io::Read;

    if path == Path::new("-") {
        return Ok(None);
    }
    let cannot = |error: std::io::Error| {
        Failure::unreachable(format!("cannot read `{}`: {error}", path.display()))
    };
    let mut file = std::fs::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.by_ref().take(64).read_to_end(&mut bytes).map_err(cannot)?;
    if !is_artifact(&bytes) {
        return Ok(None);
    }
    file.take(ARTIFACT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
    let artifact = decode(&bytes).map_err(|error| {
        Failure::errors(format!("{}: {}", path.display(), Failure::chain(&error)))
    })?;
    Ok(Some(artifact.dataflow))
}
