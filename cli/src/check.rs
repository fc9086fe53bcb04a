//! `arqon check`: all static checks over many circuits, for people and for build servers.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use arqon_compiler::{no_bypass_proof, with_profiles};

use crate::arguments::{CheckArguments, GlobalArguments, Property};
use crate::circuit::{Circuit, CompileOptions, compile_source, options};
use crate::console::{Console, OutputFormat, Style};
use crate::diff::unified;
use crate::exit::{Exit, Failure};
use crate::fix::mend;
use crate::parallel::in_parallel;
use crate::report::{Findings, Tally, count, print_as_result};
use crate::source::{Source, find_all};

/// What has become of a circuit.
struct Checked {
    findings: Findings,
    /// The proof that was asked for, if it holds.
    proof: Option<String>,
    mended: Option<Changes>,
}

/// What was mended in a circuit.
struct Changes {
    /// Each change in a line.
    lines: Vec<String>,
    /// The whole difference.
    diff: String,
}

/// Checks every circuit at or under the paths.
///
/// # Errors
/// A [`Failure`] if stdout cannot be written, or the flags do not fit each other. What cannot be
/// read is reported; the rest is checked all the same.
pub(crate) fn check(
    arguments: &CheckArguments,
    global: &GlobalArguments,
    console: Console,
) -> Result<Exit, Failure> {
    refuse_odd_flags(arguments, console)?;
    let options = options(global, &arguments.compiler);
    let paths = find_all(&arguments.paths);
    let checked = in_parallel(&paths, "circuits", console, |path| match path {
        Ok(path) => check_one(path, arguments, &options, console),
        Err(failure) => Err(failure.clone()),
    });
    report(checked, arguments, console)
}

fn refuse_odd_flags(arguments: &CheckArguments, console: Console) -> Result<(), Failure> {
    if arguments.fix
        && !arguments.dry_run
        && arguments.paths.iter().any(|path| path.as_os_str() == "-")
    {
        return Err(Failure::usage("`--fix` writes files, and stdin is none")
            .help("`--fix --dry-run -` prints what it would change"));
    }
    if arguments.dry_run && console.format != OutputFormat::Human {
        return Err(Failure::usage("`--dry-run` prints a difference, which has one format only")
            .help("the documents of `--format json` and `sarif` hold every fix"));
    }
    Ok(())
}

fn check_one(
    path: &Path,
    arguments: &CheckArguments,
    options: &CompileOptions,
    console: Console,
) -> Result<Checked, Failure> {
    let source = Source::read(path)?;
    if !arguments.fix {
        let circuit = with_each_profile(&source, options)?;
        let proof = circuit.compiled.plan.as_ref().filter(|_| {
            arguments.explain == Some(Property::NoBypass) && !circuit.findings.has_errors()
        });
        let proof = proof.map(|plan| format!("{}\n", no_bypass_proof(plan)));
        return Ok(Checked { findings: circuit.findings, proof, mended: None });
    }
    let mended = mend(source, options)?;
    let findings = mended.circuit.findings;
    let (file, text) = (findings.file(), findings.sources.main_text());
    let changes = mended.before.map(|before| Changes {
        lines: mended.changes,
        diff: unified(file, &before, text, console.out_has_color()),
    });
    if changes.is_some()
        && !arguments.dry_run
        && let Err(error) = fs::write(path, text)
    {
        return Err(Failure::unwritable(file, error));
    }
    Ok(Checked { findings, proof: None, mended: changes })
}

/// Prints all in the order of the paths.
fn report(
    checked: Vec<Result<Checked, Failure>>,
    arguments: &CheckArguments,
    console: Console,
) -> Result<Exit, Failure> {
    let mut all = Vec::new();
    let mut data = String::new();
    let mut unreadable = None;
    let (mut n_changes, mut n_changed) = (0, 0);
    for one in checked {
        match one {
            Ok(Checked { findings, proof, mended }) => {
                data.extend(proof);
                if let Some(changes) = mended {
                    n_changes += changes.lines.len();
                    n_changed += 1;
                    if arguments.dry_run {
                        data.push_str(&changes.diff);
                    } else {
                        console.note(&format!("{}\n", changes.lines.join("\n")));
                    }
                }
                all.push(findings);
            }
            Err(failure) => {
                console.report(&failure);
                unreadable = Some(failure.exit);
            }
        }
    }
    once(&mut all);
    print_as_result(console, &all)?;
    let tally = Tally::of(&all);
    if console.format == OutputFormat::Human {
        console.out(&data)?;
        if n_changes > 0 {
            let (n_fixes, n_files) = (count(n_changes, "fix"), count(n_changed, "circuit"));
            let verb = if arguments.dry_run { "would be made" } else { "made" };
            console.note(&format!("{n_fixes} {verb} in {n_files}\n"));
        }
        if tally == Tally::default() && !all.is_empty() {
            let text = format!("{}: no errors", count(all.len(), "circuit"));
            console.note(&format!("{}\n", console.paint_err(Style::Green, &text)));
        }
    }
    let pending = if arguments.dry_run && n_changes > 0 { Exit::Errors } else { Exit::Success };
    let exit = tally.exit().and(pending);
    Ok(unreadable.map_or(exit, |unreadable| exit.and(unreadable)))
}

/// A circuit as it is written, and with each of its profiles, unless one was chosen.
fn with_each_profile(source: &Source, options: &CompileOptions) -> Result<Circuit, Failure> {
    let mut circuit = compile_source(source, options)?;
    if options.compiler.profile.is_some() {
        return Ok(circuit);
    }
    let plain = std::mem::take(&mut circuit.findings.diagnostics);
    circuit.findings.diagnostics = with_profiles(plain, &circuit.compiled.profiles, |profile| {
        let mut options = options.clone();
        options.compiler.profile = Some(profile.to_owned());
        Ok(compile_source(source, &options)?.findings.diagnostics)
    })?;
    Ok(circuit)
}

/// What was found in a file that several circuits import is said once.
fn once(all: &mut [Findings]) {
    let mut seen = BTreeSet::new();
    for Findings { sources, diagnostics } in all {
        diagnostics.retain(|found| {
            let span = found.primary.span;
            let file = sources.file(span);
            let (start, end) = (span.start - file.span.start, span.end - file.span.start);
            seen.insert((file.name.clone(), start, end, found.code.id(), found.message.clone()))
        });
    }
}
