//! Tasks of the house, run as `cargo xtask NAME`.
//!
//! A task is a module with its arguments and a `run` that says whether it went well; a new one is
//! one line in `Task` and one in `main`.

mod step;
mod python;
mod readme;
mod tpch;
mod nexmark;
mod suite;
mod torture;
mod measured;
mod bench;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;

/// Tasks of the house.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every test: format, lints, Rust, circuits, Python, oracles, README.
    Test(suite::Arguments),
    /// Write the wire code and descriptors anew from the `.proto` files.
    Proto,
    /// Write the eight TPC-H tables as CSV files.
    Tpch(tpch::Arguments),
    /// Write the events of the Nexmark benchmark as CSV files.
    Nexmark(nexmark::Arguments),
    /// Run a long test by name, with a seed and a count.
    Torture(torture::Arguments),
    /// Run the measured programs, and write what they print into docs/MEASURED.md.
    Bench(bench::Arguments),
}

#[expect(clippy::print_stderr, reason = "a command's own voice")]
fn main() -> ExitCode {
    let root = root();
    let outcome = match Arguments::parse().task {
        Task::Test(arguments) => suite::run(&root, &arguments),
        Task::Proto => suite::write_wire_code(&root),
        Task::Tpch(arguments) => tpch::run(&arguments),
        Task::Nexmark(arguments) => nexmark::run(&arguments),
        Task::Torture(arguments) => torture::run(&root, &arguments),
        Task::Bench(arguments) => bench::run(&root, &arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("the xtask crate stands in the checkout").to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn steps_may_be_chosen_by_name() {
        let line = ["cargo xtask", "test", "--only", "rust,python", "--skip", "readme"];
        assert!(Arguments::try_parse_from(line).is_ok());
        assert!(Arguments::try_parse_from(["cargo xtask", "test", "--only", "nothing"]).is_err());
    }
}
