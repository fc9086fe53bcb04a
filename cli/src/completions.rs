//! `arqon completions`: a shell's completion script.

use clap::CommandFactory;
use clap_complete::Shell;

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
    let script = String::from_utf8_lossy(&script);
    console.out(&match arguments.shell {
        Shell::Fish => script.replacen(FISH_UNFINISHED, FISH_MENDED, 1),
        _ => script.into_owned(),
    })?;
    Ok(Exit::Success)
}

/// How the generated script sees whether a command is given yet. Where the last word is an option
/// that waits for its value, as in `arqon --format `, fish's `argparse` fails, and nothing but
/// files would be offered.
const FISH_UNFINISHED: &str = "    or return\n    if set -q argv[1]";
const FISH_MENDED: &str = "    or return 0\n    if set -q argv[1]";
