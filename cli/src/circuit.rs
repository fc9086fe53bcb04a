//! Circuits as the commands get them: compiled from a file, or read from an artifact.

use std::path::{Path, PathBuf};

use arqon_compiler::{
    Compiled, NotRunnable, Options, Purpose, Rehearsal, Unanswered, compile, compile_with,
};
use arqon_grammar::Main;
use arqon_plan::{ARTIFACT_BYTES_MAX, Artifact, DataflowPlan, decode, is_artifact};

use crate::arguments::{Allowance, CompilerArguments, GlobalArguments};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::imports::Root;
use crate::report::{Findings, print_beside};
use crate::source::Source;

/// A compiled circuit with what was found in it.
#[derive(Debug)]
pub(crate) struct Circuit {
    /// Plan, steps and tests, as far as they could be made.
    pub(crate) compiled: Compiled,
    /// The text and its diagnostics.
    pub(crate) findings: Findings,
}

/// How circuits are compiled.
#[derive(Debug, Clone, Default)]
pub(crate) struct CompileOptions {
    /// The compiler's own.
    pub(crate) compiler: Options,
    /// The folder that imports may not leave; the circuit's own if none is chosen.
    pub(crate) root: Option<PathBuf>,
}

/// The options from the command line and the environment.
pub(crate) fn options(global: &GlobalArguments, compiler: &CompilerArguments) -> CompileOptions {
    let root = compiler.root.clone();
    let compiler = Options {
        set: global.set.clone(),
        profile: global.profile.clone(),
        uses: global.uses.clone(),
        allow_unbounded: compiler.allow.contains(&Allowance::Unbounded),
        variables: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        keep_passes: false,
        purpose: Purpose::Run,
    };
    CompileOptions { compiler, root }
}

/// Compiles a source with what it imports; the texts and their diagnostics move into the findings.
///
/// # Errors
/// A [`Failure`] if the root of its imports is no folder that holds it.
pub(crate) fn compile_source(
    source: &Source,
    options: &CompileOptions,
) -> Result<Circuit, Failure> {
    let mut compiled = match &source.path {
        None => compile(&source.text, &source.file, &options.compiler),
        Some(path) => {
            let mut root = Root::of(path, options.root.as_deref())?;
            let (path, name) = (root.path.clone(), root.name.clone());
            let main = Main { name: &source.file, text: &source.text, path: &path, root: &name };
            compile_with(main, &mut root, &options.compiler)
        }
    };
    let mut diagnostics = std::mem::take(&mut compiled.diagnostics);
    if let Some(encoding) = source.encoding.clone() {
        // The text that was compiled is not the text of the file: one fault says it all.
        diagnostics = vec![encoding];
        compiled.dataflow = None;
        compiled.plan = None;
    }
    let sources = std::mem::take(&mut compiled.sources);
    Ok(Circuit { compiled, findings: Findings::new(sources, diagnostics) })
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
        let file = self.findings.file();
        self.compiled.dataflow.clone().ok_or_else(|| {
            Failure::internal(format!("{file}: a circuit without errors has no steps"))
        })
    }

    /// The steps that tests run, and the outputs in which no row is to come: where operators,
    /// kernels and capsules do not run, those with the answers of mocks.
    ///
    /// # Errors
    /// As [`Self::runnable`].
    pub(crate) fn testable(&self) -> Result<(DataflowPlan, &[Unanswered]), Failure> {
        match &self.compiled.rehearsal {
            Some(Rehearsal { dataflow, unanswered }) => Ok((dataflow.clone(), unanswered)),
            None => Ok((self.runnable()?, &[])),
        }
    }

    /// `file:line:column: why`, for each part.
    fn placed(&self, parts: &[NotRunnable]) -> Vec<String> {
        let lines = self.findings.sources.lines();
        let placed = |part: &NotRunnable| format!("{}: {}", lines.place(part.span), part.message);
        parts.iter().map(placed).collect()
    }
}

/// The graph and steps of a circuit file or artifact; diagnostics go to stderr, and notes of what
/// the file asks for that has no effect.
///
/// # Errors
/// A [`Failure`] if the file cannot be read, has errors, or holds what does not run.
pub(crate) fn load(
    path: &Path,
    global: &GlobalArguments,
    compiler: &CompilerArguments,
    console: Console,
) -> Result<Artifact, Failure> {
    if let Some(artifact) = load_artifact(path)? {
        takes_no_overrides(path, global)?;
        return Ok(artifact);
    }
    let circuit = compile_source(&Source::read(path)?, &options(global, compiler))?;
    let dataflow = tell(&circuit, console)?;
    let plan = circuit.compiled.plan.ok_or_else(|| {
        Failure::internal(format!("{}: a circuit with steps has no graph", path.display()))
    })?;
    Ok(Artifact { plan, dataflow })
}

/// The steps of a circuit; what was found in it goes to stderr.
fn tell(circuit: &Circuit, console: Console) -> Result<DataflowPlan, Failure> {
    let runnable = circuit.runnable();
    print_beside(console, &circuit.findings)?;
    if runnable.is_ok() {
        for part in circuit.placed(&circuit.compiled.not_honoured) {
            console.note(&format!("note: {part}\n"));
        }
    }
    runnable
}

/// Whether the command line leaves an artifact as it was compiled.
///
/// # Errors
/// A [`Failure`] that names the option that comes too late.
pub(crate) fn takes_no_overrides(artifact: &Path, global: &GlobalArguments) -> Result<(), Failure> {
    let profile = global.profile.iter().map(|name| format!("--profile {name}"));
    let uses = global.uses.iter().map(|(operator, via)| format!("--use {operator}={via}"));
    let set = global.set.iter().map(|(name, value)| format!("--set {name}={value}"));
    let Some(option) = profile.chain(uses).chain(set).next() else { return Ok(()) };
    let message = format!("`{option}` comes too late: `{}` is compiled", artifact.display());
    Err(Failure::usage(message)
        .help("compile the circuit anew with it, or name the circuit itself"))
}

/// What an artifact holds; none if the file is none.
pub(crate) fn load_artifact(path: &Path) -> Result<Option<Artifact>, Failure> {
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
    Ok(Some(artifact))
}
