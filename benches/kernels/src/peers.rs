//! What others take for the same, asked of `peers.py` in the Python that `--python` names.

use std::path::Path;
use std::process::Command;

/// Names and seconds; none without a Python, which is said.
#[expect(clippy::print_stdout, reason = "a missing peer is part of the figures")]
pub fn peers(part: &str) -> Vec<(String, f64)> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--python");
    let Some(python) = arguments.nth(1) else {
        println!("NumPy is left out: no `--python`");
        return Vec::new();
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers.py");
    let output = match Command::new(python).arg(script).arg(part).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) => {
            println!("NumPy is left out: {error}");
            return Vec::new();
        }
    };
    let line = |line: &str| {
        let (name, seconds) = line.split_once(' ')?;
        Some((name.to_owned(), seconds.trim().parse().ok()?))
    };
    let found: Vec<(String, f64)> = output.lines().filter_map(line).collect();
    for (name, seconds) in &found {
        println!("{name:<44} {:>11.2} us", seconds * 1e6);
    }
    found
}
