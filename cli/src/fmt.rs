//! `arqon fmt`: circuits in canonical form, their comments kept.

use std::fs;
use std::path::{Path, PathBuf};

use arqon_grammar::{Sources, format_circuit};

use crate::arguments::FmtArguments;
use crate::console::{Console, OutputFormat, Style};
use crate::diff::unified;
use crate::exit::{Exit, Failure};
use crate::parallel::in_parallel;
use crate::report::{Findings, Tally, count, print_as_result};
use crate::source::{Source, find_all};

/// A circuit in canonical form.
struct Formatted {
    path: PathBuf,
    /// What the user called it.
    file: String,
    before: String,
    after: String,
}

impl Formatted {
    fn is_changed(&self) -> bool {
        self.before != self.after
    }

    fn is_stdin(&self) -> bool {
        self.path.as_os_str() == "-"
    }
}

/// Formats every circuit at or under the paths, in the files; what comes from stdin goes to
/// stdout.
///
/// # Errors
/// A [`Failure`] if stdout cannot be written. What cannot be read is reported; the rest is
/// formatted all the same.
pub(crate) fn fmt(arguments: &FmtArguments, console: Console) -> Result<Exit, Failure> {
    let paths = find_all(&arguments.paths);
    let formatted = in_parallel(&paths, "circuits", console, |path| match path {
        Ok(path) => format_one(path, arguments.check),
        Err(failure) => Err(failure.clone()),
    });
    let mut faulty = Vec::new();
    let mut exit = Exit::Success;
    let (mut n_circuits, mut n_changed) = (0, 0);
    for one in formatted {
        match one {
            Ok(Ok(formatted)) => {
                n_circuits += 1;
                n_changed += usize::from(formatted.is_changed());
                print(&formatted, arguments.check, console)?;
            }
            Ok(Err(findings)) => faulty.push(findings),
            Err(failure) => {
                console.report(&failure);
                exit = exit.and(failure.exit);
            }
        }
    }
    if !faulty.is_empty() || console.format != OutputFormat::Human {
        print_as_result(console, &faulty)?;
    }
    summary(n_circuits, n_changed, arguments, console);
    let pending = if arguments.check && n_changed > 0 { Exit::Errors } else { Exit::Success };
    Ok(exit.and(Tally::of(&faulty).exit()).and(pending))
}

/// Formats a file, and writes it if it has changed; what was found if it cannot be read as a
/// circuit.
fn format_one(path: &Path, is_check: bool) -> Result<Result<Formatted, Findings>, Failure> {
    let Source { file, text, encoding, .. } = Source::read(path)?;
    let formatted = match encoding {
        Some(encoding) => Err(vec![encoding]),
        None => format_circuit(&text),
    };
    let after = match formatted {
        Ok(after) => after,
        Err(faults) => return Ok(Err(Findings::new(Sources::new(&file, &text), faults))),
    };
    let formatted = Formatted { path: path.to_owned(), file, before: text, after };
    if formatted.is_changed() && !is_check && !formatted.is_stdin() {
        fs::write(path, &formatted.after)
            .map_err(|error| Failure::unwritable(&formatted.file, error))?;
    }
    Ok(Ok(formatted))
}

/// Says what was, or would be, changed; hands on what came from stdin.
fn print(formatted: &Formatted, is_check: bool, console: Console) -> Result<(), Failure> {
    let Formatted { file, before, after, .. } = formatted;
    if !console.is_human() {
        return Ok(());
    }
    if is_check {
        return console.out(&unified(file, before, after, console.out_has_color()));
    }
    if formatted.is_stdin() {
        return console.out(after);
    }
    if formatted.is_changed() {
        console.note(&format!("formatted {file}\n"));
    }
    Ok(())
}

fn summary(n_circuits: usize, n_changed: usize, arguments: &FmtArguments, console: Console) {
    if !console.is_human() || !arguments.check || n_circuits == 0 {
        return;
    }
    let text = if n_changed == 0 {
        let text = format!("{} in canonical form", count(n_circuits, "circuit"));
        console.paint_err(Style::Green, &text)
    } else {
        let text = format!("{} not in canonical form", count(n_changed, "circuit"));
        console.paint_err(Style::Red, &text)
    };
    console.note(&format!("{text}\n"));
}
