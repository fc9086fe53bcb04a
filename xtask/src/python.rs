//! The Python environment of the tests: made inside the checkout, from pinned versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Pinned packages of the tests, one a line; installed from the package index.
const REQUIREMENTS: &str = include_str!("../../tests/python/requirements.txt");

/// Where the environment stands, from the root of the checkout.
const FOLDER: &str = "target/python";

/// What installing will do, to be shown before anything is done; `None` when all is there.
pub(crate) fn announcement(root: &Path) -> Option<String> {
    if is_ready(root) {
        return None;
    }
    let packages: Vec<&str> = requirements().collect();
    Some(format!(
        "This makes a Python environment in {FOLDER} and installs into it, from the package \
         index:\n  {}\n  arqonbus (this checkout, editable)\nNothing is installed outside this \
         checkout.",
        packages.join("\n  ")
    ))
}

/// The environment's interpreter; makes the environment first where it is missing or outdated.
pub(crate) fn ensure(root: &Path) -> Result<PathBuf, String> {
    let python = interpreter(root);
    if is_ready(root) {
        return Ok(python);
    }
    let folder = root.join(FOLDER);
    let _ = fs::remove_file(stamp(root));
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(Command::new(&python).args(pip).args(requirements()))?;
    let editable = ["--no-deps", "--no-build-isolation", "--editable"];
    run(Command::new(&python).args(pip).args(editable).arg(root.join("sdk/python")))?;
    fs::write(stamp(root), wanted(root)).map_err(|error| format!("{FOLDER}: {error}"))?;
    Ok(python)
}

/// The folder of the environment's commands.
pub(crate) fn commands(root: &Path) -> PathBuf {
    root.join(FOLDER).join("bin")
}

fn interpreter(root: &Path) -> PathBuf {
    commands(root).join("python")
}

fn stamp(root: &Path) -> PathBuf {
    root.join(FOLDER).join("installed.txt")
}

/// What the stamp says when the environment is up to date.
fn wanted(root: &Path) -> String {
    let package = fs::read_to_string(root.join("sdk/python/pyproject.toml")).unwrap_or_default();
    format!("{REQUIREMENTS}\n{package}")
}

fn is_ready(root: &Path) -> bool {
    let installed = fs::read_to_string(stamp(root)).unwrap_or_default();
    installed == wanted(root) && interpreter(root).exists()
}

fn requirements() -> impl Iterator<Item = &'static str> {
    REQUIREMENTS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn run(command: &mut Command) -> Result<(), String> {
    let shown = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|error| format!("{shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown} ended with {status}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_is_pinned() {
        assert!(requirements().count() > 0);
        for line in requirements() {
            assert!(line.contains("=="), "{line} has no pinned version");
        }
    }
}
