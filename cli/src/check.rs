//! `arqon check`: all static checks over many circuits, for people and for build servers.

use std::collections::BTreeSet;

use arqon_compiler::no_bypass_proof;

use crate::arguments::{CheckArguments, GlobalArguments, Property};
use crate::circuit::{Circuit, compile_source, options};
use crate::console::{Console, OutputFormat, Style};
use crate::exit::{Exit, Failure};
use crate::report::{Findings, Tally, count, print_as_result};
use crate::source::{Source, find};

/// Checks every circuit at or under the paths.
///
/// # Errors
/// A [`Failure`] if a path cannot be read; what could be read is checked and reported before.
pub(crate) fn check(
    arguments: &CheckArguments,
    global: &GlobalArguments,
    console: Console,
) -> Result<Exit, Failure> {
    let options = options(global, &arguments.compiler);
    let mut all = Vec::new();
    let mut proofs = String::new();
    let mut unreadable = None;
    for path in &arguments.paths {
        let checked = find(path).and_then(|found| {
            found.iter().map(|at| compile_source(&Source::read(at)?, &options)).collect()
        });
        match checked {
            Ok(circuits) => {
                let circuits: Vec<Circuit> = circuits;
                for circuit in circuits {
                    if let (Some(Property::NoBypass), Some(plan)) =
                        (arguments.explain, &circuit.compiled.plan)
                        && !circuit.findings.has_errors()
                    {
                        proofs.push_str(&no_bypass_proof(plan));
                        proofs.push('\n');
                    }
                    all.push(circuit.findings);
                }
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
        console.out(&proofs)?;
        if tally == Tally::default() && !all.is_empty() {
            let text = format!("{}: no errors", count(all.len(), "circuit"));
            console.note(&format!("{}\n", console.paint_err(Style::Green, &text)));
        }
    }
    Ok(unreadable.map_or(tally.exit(), |exit| tally.exit().and(exit)))
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
