//! `cargo xtask bench`: the programs behind docs/MEASURED.md, built in release and run in turn.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::measured::Document;
use crate::python::{self, Environment, KERNEL_PEERS, PEERS, TESTS};
use crate::step::{run_told, say};
use crate::tpch;

/// What can be measured. All but `peers` and `kernels` are programs of the benches crate; `peers`
/// is `engine` with those beside it that others have made, `kernels` all programs of
/// benches/kernels, which stand apart so that they build without the engine.
const PROGRAMS: &[&str] = &[
    "peers",
    "engine",
    "workers",
    "growth",
    "rehydrate",
    "sharing",
    "arrangements",
    "holds",
    "websocket",
    "files",
    "compile",
    "check",
    "editor",
    "kernels",
];

/// The programs of benches/kernels.
const KERNELS: &[&str] = &["roofline", "linear", "attention", "graphs", "grids", "nystrom"];

/// Which program, and its own arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Write what the program's commands in docs/MEASURED.md print into it, as all are without a
    /// program.
    #[arg(long)]
    write: bool,
    /// One program (`engine`, `compile`); without it all commands of docs/MEASURED.md.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(PROGRAMS))]
    program: Option<String>,
    /// Passed on to the program; with `--write`, how the commands go on that are run.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Runs the programs; true if all ended well.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<bool, String> {
    let Some(program) = &arguments.program else { return write(root, &[]) };
    let words: Vec<&str> =
        [program].into_iter().chain(&arguments.rest).map(String::as_str).collect();
    if arguments.write {
        return write(root, &words);
    }
    let run =
        Run { environment: Vec::new(), words: words.into_iter().map(str::to_owned).collect() };
    run.output(root).map(|(_, ended_well)| ended_well)
}

/// Runs the commands of the document that begin with `words`, and writes what each printed.
fn write(root: &Path, words: &[&str]) -> Result<bool, String> {
    let mut places = Vec::new();
    for commands in Document::read(root)?.places() {
        let runs: Vec<Run> =
            commands.iter().map(|line| Run::read(line)).collect::<Result<_, _>>()?;
        if runs.iter().any(|run| run.begins_with(words)) {
            places.push((commands.to_vec(), runs));
        }
    }
    if places.is_empty() {
        let path = Document::path(root);
        return Err(format!("no command of {} begins so: {}", path.display(), words.join(" ")));
    }
    let (mut passed, n_places) = (true, places.len());
    for (at, (commands, runs)) in places.into_iter().enumerate() {
        say(&format!("\n== {} of {n_places}\n{}\n", at + 1, commands.join("\n")));
        let (mut output, mut well) = (String::new(), true);
        for run in runs {
            let (printed, ended_well) = run.output(root)?;
            output.push_str(&printed);
            well &= ended_well;
        }
        passed &= well;
        if !well {
            say("-- it did not end well, and what the document has stays");
            continue;
        }
        // Each at once: who stops a long run keeps what has ended. Its text may be another by now.
        let mut document = Document::read(root)?;
        document.put(&commands, &output);
        document.write(root)?;
    }
    Ok(passed)
}

/// One command: `NAME=VALUE… cargo xtask bench WORD…`.
struct Run {
    environment: Vec<(String, String)>,
    /// The program, and what it is told.
    words: Vec<String>,
}

impl Run {
    /// Reads a line of the document.
    fn read(line: &str) -> Result<Self, String> {
        let fault = || format!("not `cargo xtask bench` and a program: {line}");
        let mut words = line.split_whitespace().map(str::to_owned).peekable();
        let mut environment = Vec::new();
        while let Some(word) = words.next_if(|word| word.contains('=')) {
            let (name, value) = word.split_once('=').ok_or_else(fault)?;
            environment.push((name.to_owned(), value.to_owned()));
        }
        for wanted in ["cargo", "xtask", "bench"] {
            if words.next().is_none_or(|word| word != wanted) {
                return Err(fault());
            }
        }
        let words: Vec<String> = words.collect();
        match words.first() {
            Some(program) if PROGRAMS.contains(&program.as_str()) => {
                Ok(Self { environment, words })
            }
            _ => Err(fault()),
        }
    }

    fn begins_with(&self, words: &[&str]) -> bool {
        words.len() <= self.words.len() && words.iter().zip(&self.words).all(|(a, b)| a == b)
    }

    /// Runs it: what it printed, and whether it ended well.
    fn output(&self, root: &Path) -> Result<(String, bool), String> {
        let (program, rest) = self.words.split_first().ok_or("no program")?;
        if program == "kernels" {
            return self.kernels(root, rest);
        }
        let mut words = rest.to_vec();
        let mut built = true;
        match program.as_str() {
            "peers" => words.extend(peers(root)?),
            // These run `engine` at other sizes.
            "growth" | "workers" => {
                built = cargo(root, &["build", "--quiet", "--release", "-p", "arqon-benches"])?;
            }
            // These measure the command itself, which is built beside the program.
            "check" => built = cargo(root, &["build", "--quiet", "--release", "-p", "arqon"])?,
            "files" => {
                let options = tables(root, &mut words)?;
                words.extend(options);
                built = cargo(root, &["build", "--quiet", "--release", "-p", "arqon"])?;
            }
            _ => {}
        }
        let binary = if program == "peers" { "engine" } else { program };
        let (output, ended_well) = self.cargo_run(root, "arqon-benches", binary, &words)?;
        Ok((output, built && ended_well))
    }

    /// All programs of benches/kernels, or the one that is named first.
    fn kernels(&self, root: &Path, words: &[String]) -> Result<(String, bool), String> {
        let named = words.first().filter(|name| KERNELS.contains(&name.as_str()));
        let mut words = if named.is_some() { &words[1..] } else { words }.to_vec();
        match installed(root, &KERNEL_PEERS) {
            Ok(python) => words.extend(["--python".to_owned(), python.display().to_string()]),
            Err(error) => {
                say(&format!(
                    "NumPy and SciPy are left out: they cannot be installed here: {error}"
                ));
            }
        }
        let (mut output, mut passed) = (String::new(), true);
        for program in KERNELS.iter().filter(|program| named.is_none_or(|name| name == *program)) {
            let (printed, ended_well) =
                self.cargo_run(root, "arqon-kernel-benches", program, &words)?;
            output.push_str(&printed);
            passed &= ended_well;
        }
        Ok((output, passed))
    }

    /// Builds and runs a program; what it prints goes on to ours, line by line.
    fn cargo_run(
        &self,
        root: &Path,
        package: &str,
        binary: &str,
        words: &[String],
    ) -> Result<(String, bool), String> {
        let mut command = Command::new("cargo");
        command.args(["run", "--quiet", "--release", "-p", package, "--bin", binary, "--"]);
        command.args(words).envs(self.environment.iter().cloned()).current_dir(root);
        let mut output = String::new();
        let status = run_told(&mut command, |line| output.extend([line, "\n"]));
        let status = status.map_err(|error| format!("cargo: {error}"))?;
        Ok((output, status.success()))
    }
}

/// Builds or installs the peers: the options that tell `engine` where they are. A peer that cannot
/// be had is left out, and that is said.
fn peers(root: &Path) -> Result<Vec<String>, String> {
    let mut options = Vec::new();
    let build = ["build", "--quiet", "--release", "--locked", "--manifest-path"];
    if cargo(root, &[&build[..], &["benches/peers/Cargo.toml"]].concat())? {
        let program = root.join("benches/peers/target/release/dbsp");
        options.extend(["--dbsp".to_owned(), program.display().to_string()]);
    } else {
        say("dbsp is left out: benches/peers does not build here (see above).");
    }
    match installed(root, &PEERS) {
        Ok(python) => options.extend(["--python".to_owned(), python.display().to_string()]),
        Err(error) => {
            say(&format!(
                "Pathway and Bytewax are left out: they cannot be installed here: {error}"
            ));
        }
    }
    Ok(options)
}

/// Writes the TPC-H tables of the scale that is asked for (`--scale N`, 1 by default), as CSV and
/// as Parquet, if they are not there: the options that tell `files` where they are.
fn tables(root: &Path, arguments: &mut Vec<String>) -> Result<Vec<String>, String> {
    let mut scale = "1".to_owned();
    if let Some(at) = arguments.iter().position(|argument| argument == "--scale") {
        let flag: Vec<String> = arguments.drain(at..(at + 2).min(arguments.len())).collect();
        scale = flag.get(1).cloned().ok_or("--scale takes a number")?;
    }
    let number = scale.parse().map_err(|_| format!("scale {scale} is not a number"))?;
    let folder = root.join("target/tpch").join(&scale);
    // The last table to be written.
    if !folder.join("lineitem.csv").exists() {
        tpch::write_tables(number, &folder).map_err(|error| format!("tables: {error}"))?;
    }
    let python = installed(root, &TESTS)?;
    let packed = Command::new(&python)
        .arg(root.join("benches/peers/duckdb_peer.py"))
        .arg(&folder)
        .args(["3", "csv", "2", "--pack"])
        .status();
    if !packed.is_ok_and(|status| status.success()) {
        return Err("DuckDB does not write the tables as Parquet files".to_owned());
    }
    let paths = [("--tables", folder), ("--python", python)];
    let options =
        paths.into_iter().map(|(flag, path)| [flag.to_owned(), path.display().to_string()]);
    Ok(options.flatten().collect())
}

/// An environment's interpreter; what making it will do is said before.
fn installed(root: &Path, environment: &Environment) -> Result<PathBuf, String> {
    if let Some(announcement) = python::announcement(root, environment) {
        say(&announcement);
    }
    python::ensure(root, environment)
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<bool, String> {
    let status = Command::new("cargo").args(arguments).current_dir(root).status();
    status.map(|status| status.success()).map_err(|error| format!("cargo: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_its_environment_before_it() {
        let run = Run::read("RAYON_NUM_THREADS=1 cargo xtask bench kernels graphs").expect("one");
        assert_eq!(run.environment, [("RAYON_NUM_THREADS".to_owned(), "1".to_owned())]);
        assert_eq!(run.words, ["kernels", "graphs"]);
        assert!(run.begins_with(&["kernels"]) && run.begins_with(&[]));
        assert!(!run.begins_with(&["kernels", "grids"]));
        assert!(!run.begins_with(&["kernels", "graphs", "paths"]));
    }

    #[test]
    fn other_commands_are_no_command_of_the_document() {
        for line in ["cargo test", "cargo xtask bench", "cargo xtask bench nothing", ""] {
            assert!(Run::read(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_document_has_only_commands_that_can_be_run() {
        let document = Document::read(&crate::root()).expect("the document is well formed");
        assert!(0 < document.places().count());
        for line in document.places().flatten() {
            assert!(Run::read(line).is_ok(), "{line}");
        }
    }
}
