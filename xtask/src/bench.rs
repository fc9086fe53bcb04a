//! `cargo xtask bench`: the programs behind docs/MEASURED.md, built in release and run in turn.

use std::path::Path;
use std::process::Command;

use crate::python::{self, PEERS, TESTS};
use crate::step::say;
use crate::tpch;

/// What can be measured, in the order of docs/MEASURED.md. All but `peers` and `kernels` are
/// programs of the benches crate; `peers` is `engine` with those beside it that others have made,
/// `kernels` all programs of benches/kernels, which stand apart so that they build without the
/// engine.
const PROGRAMS: &[&str] = &[
    "peers",
    "engine",
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

/// Those of them that `NumPy` is measured beside.
const WITH_NUMPY: &[&str] = &["linear", "attention", "nystrom"];

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
    let wanted: Vec<&str> = match arguments.program.as_deref() {
        Some(program) => vec![program],
        // The run with the peers has all that `engine` has.
        None => PROGRAMS.iter().copied().filter(|program| *program != "engine").collect(),
    };
    let mut passed = true;
    for program in wanted {
        if program == "kernels" {
            passed &= kernels(root, &arguments.arguments)?;
            continue;
        }
        let mut more = arguments.arguments.clone();
        if program == "peers" {
            more.extend(peers(root)?);
        }
        // `growth` runs `engine` at other sizes.
        if program == "growth" {
            passed &= cargo(root, &["build", "--quiet", "--release", "-p", "arqon-benches"])?;
        }
        if program == "files" {
            let options = tables(root, &mut more)?;
            more.extend(options);
        }
        // These measure the command itself, which is built beside the program.
        if program == "check" || program == "files" {
            passed &= cargo(root, &["build", "--quiet", "--release", "-p", "arqon"])?;
        }
        let binary = if program == "peers" { "engine" } else { program };
        let status = Command::new("cargo")
            .args(["run", "--quiet", "--release", "-p", "arqon-benches", "--bin", binary, "--"])
            .args(more)
            .current_dir(root)
            .status()
            .map_err(|error| format!("cargo: {error}"))?;
        passed &= status.success();
    }
    Ok(passed)
}

/// Runs the programs of benches/kernels, or the one that is named first.
fn kernels(root: &Path, arguments: &[String]) -> Result<bool, String> {
    let named = arguments.first().filter(|name| KERNELS.contains(&name.as_str()));
    let rest = if named.is_some() { &arguments[1..] } else { arguments };
    let mut passed = true;
    if let Some(announcement) = python::announcement(root, &TESTS) {
        say(&announcement);
    }
    let peers = match python::ensure(root, &TESTS) {
        Ok(python) => vec!["--python".to_owned(), python.display().to_string()],
        Err(error) => {
            say(&format!("NumPy is left out: it cannot be installed here: {error}"));
            Vec::new()
        }
    };
    for program in KERNELS.iter().filter(|program| named.is_none_or(|name| name == *program)) {
        let run = ["run", "--quiet", "--release", "-p", "arqon-kernel-benches", "--bin", program];
        let peers = if WITH_NUMPY.contains(program) { peers.as_slice() } else { &[] };
        let rest = rest.iter().chain(peers).map(String::as_str);
        let line: Vec<&str> = run.into_iter().chain(["--"]).chain(rest).collect();
        passed &= cargo(root, &line)?;
    }
    Ok(passed)
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
    if let Some(announcement) = python::announcement(root, &PEERS) {
        say(&announcement);
    }
    match python::ensure(root, &PEERS) {
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
    if let Some(announcement) = python::announcement(root, &TESTS) {
        say(&announcement);
    }
    let python = python::ensure(root, &TESTS)?;
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

fn cargo(root: &Path, arguments: &[&str]) -> Result<bool, String> {
    let status = Command::new("cargo").args(arguments).current_dir(root).status();
    status.map(|status| status.success()).map_err(|error| format!("cargo: {error}"))
}
