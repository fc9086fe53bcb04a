//! `cargo xtask bench`: the programs behind docs/MEASURED.md, built in release and run in turn.

use std::path::Path;
use std::process::Command;

/// Programs of the benches crate, in the order of docs/MEASURED.md.
const PROGRAMS: &[&str] = &["engine", "compile", "check", "editor"];

/// Which program, and its own arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// One program (`engine`, `compile`); all of them without it.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(PROGRAMS))]
    program: Option<String>,
    /// Passed on to the program.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs the programs; true if all ended well.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<bool, String> {
    let mut passed = true;
    for program in PROGRAMS {
        if arguments.program.as_deref().is_some_and(|wanted| wanted != *program) {
            continue;
        }
        // `check` measures the command itself, which is built beside the program.
        if *program == "check" {
            passed &= cargo(root, &["build", "--quiet", "--release", "-p", "arqon"])?;
        }
        let status = Command::new("cargo")
            .args(["run", "--quiet", "--release", "-p", "arqon-benches", "--bin", program, "--"])
            .args(&arguments.arguments)
            .current_dir(root)
            .status()
            .map_err(|error| format!("cargo: {error}"))?;
        passed &= status.success();
    }
    Ok(passed)
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<bool, String> {
    let status = Command::new("cargo").args(arguments).current_dir(root).status();
    status.map(|status| status.success()).map_err(|error| format!("cargo: {error}"))
}
