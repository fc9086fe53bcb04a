//! What others take for the same: scripts in `peers/`, run by the Python that `--python` names.

use std::path::Path;
use std::process::Command;

use crate::steps::Full;
use crate::words::option;

/// What a script prints; nothing without a Python, or if it fails, which is said.
#[expect(clippy::print_stdout, reason = "a missing peer is part of the figures")]
pub fn peers(script: &str, arguments: &[&str]) -> Vec<Full> {
    let Some(python) = option("--python") else {
        println!("NumPy and SciPy are left out: no `--python`.\n");
        return Vec::new();
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("peers/{script}.py"));
    let said = match Command::new(python).arg(path).args(arguments).output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
        Ok(output) => {
            let fault = String::from_utf8_lossy(&output.stderr);
            println!("{script}.py is left out: {}\n", fault.lines().last().unwrap_or_default());
            return Vec::new();
        }
        Err(error) => {
            println!("{script}.py is left out: {error}\n");
            return Vec::new();
        }
    };
    let side = |line: &str| {
        let (seconds, name) = line.split_once(' ')?;
        Some(Full::new(name, seconds.parse().ok()?))
    };
    said.lines().filter_map(side).collect()
}
