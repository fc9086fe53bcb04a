//! `arqon completions`: a shell's completion script.

use clap::CommandFactory;

use crate::arguments::{Arguments, CompletionsArguments};
use crate::console::Console;
use crate::exit::{Exit, Failure};

/// Prints the script.
///
/// # Errors
/// A [`Failure`] if stdout cannot be written.
pub(crate) fn completions(
    arguments: &CompletionsArguments,
    console: Console,
) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "arqon", &mut script);
    console.out(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}
