//! `arqon check`: all static checks over many circuits, for people and for build servers.

use arqon_compiler::no_bypass_proof;

use crate::arguments::{CheckArguments, GlobalArguments, Property};
use crate::circuit::{compile_source, options};
use crate::console::{Console, OutputFormat, Style};
use crate::exit::{Exit, Failure};
use crate::report::{Tally, count, print_as_result};
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
        match find(path).and_then(|found| found.iter().map(|at| Source::read(at)).collect()) {
            Ok(sources) => {
                let sources: Vec<Source> = sources;
                for source in sources {
                    let circuit = compile_source(source, &options);
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
