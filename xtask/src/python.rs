//! Python environments: made inside the checkout, from pinned versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An environment: where it stands and what is installed into it.
pub(crate) struct Environment {
    /// From the root of the checkout.
    folder: &'static str,
    /// Pinned packages, one a line; installed from the package index.
    requirements: &'static str,
    /// A package of this checkout, installed as it stands.
    own: Option<&'static str>,
}

/// What the tests use.
pub(crate) const TESTS: Environment = Environment {
    folder: "target/python",
    requirements: include_str!("../../tests/python/requirements.txt"),
    own: Some("sdk/python"),
};

/// The peers that are written in Python.
pub(crate) const PEERS: Environment = Environment {
    folder: "target/peers/python",
    requirements: include_str!("../../benches/peers/requirements.txt"),
    own: None,
};

/// What kernels are measured beside.
pub(crate) const KERNEL_PEERS: Environment = Environment {
    folder: "target/peers/kernels",
    requirements: include_str!("../../benches/kernels/peers/requirements.txt"),
    own: None,
};

/// What installing will do, to be shown before anything is done; `None` when all is there.
pub(crate) fn announcement(root: &Path, environment: &Environment) -> Option<String> {
    if environment.is_ready(root) {
        return None;
    }
    let mut packages: Vec<&str> = environment.requirements().collect();
    packages.extend(environment.own.map(|_| "arqonbus (this checkout, editable)"));
    Some(format!(
        "This makes a Python environment in {} and installs into it, from the package index:\n  \
         {}\nNothing is installed outside this checkout.",
        environment.folder,
        packages.join("\n  ")
    ))
}

/// The environment's interpreter; makes the environment first where it is missing or outdated.
pub(crate) fn ensure(root: &Path, environment: &Environment) -> Result<PathBuf, String> {
    let python = environment.interpreter(root);
    if environment.is_ready(root) {
        return Ok(python);
    }
    let folder = root.join(environment.folder);
    let _ = fs::remove_file(environment.stamp(root));
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(Command::new(&python).args(pip).args(environment.requirements()))?;
    if let Some(own) = environment.own {
        let editable = ["--no-deps", "--no-build-isolation", "--editable"];
        run(Command::new(&python).args(pip).args(editable).arg(root.join(own)))?;
    }
    fs::write(environment.stamp(root), environment.wanted(root))
        .map_err(|error| format!("{}: {error}", environment.folder))?;
    Ok(python)
}

/// The folder of the environment's commands.
pub(crate) fn commands(root: &Path, environment: &Environment) -> PathBuf {
    root.join(environment.folder).join("bin")
}

impl Environment {
    fn interpreter(&self, root: &Path) -> PathBuf {
        commands(root, self).join("python")
    }

    fn stamp(&self, root: &Path) -> PathBuf {
        root.join(self.folder).join("installed.txt")
    }

    /// What the stamp says when the environment is up to date.
    fn wanted(&self, root: &Path) -> String {
        let own = self.own.map(|own| root.join(own).join("pyproject.toml"));
        let own = own.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        format!("{}\n{own}", self.requirements)
    }

    fn is_ready(&self, root: &Path) -> bool {
        let installed = fs::read_to_string(self.stamp(root)).unwrap_or_default();
        installed == self.wanted(root) && self.interpreter(root).exists()
    }

    fn requirements(&self) -> impl Iterator<Item = &'static str> {
        self.requirements
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
    }
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
        for environment in [TESTS, PEERS, KERNEL_PEERS] {
            assert!(environment.requirements().count() > 0);
            for line in environment.requirements() {
                assert!(line.contains("=="), "{line} has no pinned version");
            }
        }
    }
}
