//! The README's commands, run as they are written.
//!
//! A block fenced as `sh` is one shell script; of one fenced as `console` the script is its `$ `
//! lines, and what stands between them is output that is not compared. Two comments, each on the
//! line before a fence, steer this: `<!-- file: tour.py -->` writes the block to that file in the
//! scratch folder, and `<!-- untested: reason -->` leaves the block out, counted as ignored. The
//! words `cargo run --release --` stand for the built command here, and a line that runs these very
//! tests is left out.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::python;
use crate::step::{Tally, say};

/// Longest time one block may take.
const BLOCK_SECONDS_MAX: u32 = 600;

/// Runs every block of `README.md` in a scratch folder that shows the checkout's folders.
pub(crate) fn run(root: &Path, arqon: &Path) -> Result<Tally, String> {
    let text = fs::read_to_string(root.join("README.md")).map_err(|e| format!("README.md: {e}"))?;
    let folder = root.join("target/readme");
    scratch(root, &folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut tally = Tally::default();
    for block in blocks(&text) {
        match block.role() {
            Role::File(name) => {
                fs::write(folder.join(name), block.body())
                    .map_err(|error| format!("{name}: {error}"))?;
            }
            Role::Script(script) => {
                say(&format!("README.md:{}\n{script}", block.line_no));
                let passed = run_script(root, &folder, arqon, &script)
                    .map_err(|error| format!("README.md:{}: {error}", block.line_no))?;
                if !passed {
                    say(&format!("README.md:{}: the block failed", block.line_no));
                }
                tally.add(Tally::one(passed));
            }
            Role::LeftOut => tally.n_ignored += 1,
            Role::Prose => {}
        }
    }
    if tally.n_passed + tally.n_failed == 0 {
        return Err("README.md: no command to run".to_owned());
    }
    Ok(tally)
}

fn run_script(root: &Path, folder: &Path, arqon: &Path, script: &str) -> io::Result<bool> {
    let own = arqon.parent().unwrap_or(root);
    let old = std::env::var_os("PATH").unwrap_or_default();
    let mut path = vec![own.to_path_buf(), python::commands(root, &python::TESTS)];
    path.extend(std::env::split_paths(&old));
    let path = std::env::join_paths(path).map_err(io::Error::other)?;
    // What a block leaves running in the background ends with it.
    let guarded = format!(
        "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{}\n",
        script.replace("cargo run --release -- ", "arqon ")
    );
    let status = Command::new("timeout")
        .args([&BLOCK_SECONDS_MAX.to_string(), "bash", "-c", &guarded])
        .current_dir(folder)
        .env("PATH", path)
        .env("ARQON_BIN", arqon)
        .status()?;
    Ok(status.success())
}

/// A fresh folder with a link to each visible entry of the checkout, so that blocks find the
/// circuits where the README says, and what they write does not litter the checkout.
fn scratch(root: &Path, folder: &Path) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != "target" && !name.to_string_lossy().starts_with('.') {
            symlink(entry.path(), folder.join(name))?;
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
struct Block<'a> {
    /// Line of the opening fence, from 1.
    line_no: usize,
    language: &'a str,
    /// The comment on the line before the fence, without its marks.
    comment: Option<&'a str>,
    lines: Vec<&'a str>,
}

#[derive(Debug, PartialEq, Eq)]
enum Role<'a> {
    File(&'a str),
    Script(String),
    LeftOut,
    Prose,
}

impl Block<'_> {
    fn role(&self) -> Role<'_> {
        if let Some(name) = self.comment.and_then(|comment| comment.strip_prefix("file: ")) {
            return Role::File(name);
        }
        let script = match self.language {
            "console" => self.marked_commands(),
            "sh" => self.body(),
            _ => return Role::Prose,
        };
        let own = |line: &&str| !line.starts_with("cargo xtask test");
        let script: String = script.lines().filter(own).flat_map(|line| [line, "\n"]).collect();
        let unwanted = self.comment.is_some_and(|comment| comment.starts_with("untested: "));
        if unwanted || script.trim().is_empty() { Role::LeftOut } else { Role::Script(script) }
    }

    /// The `$ ` lines without the mark; a trailing backslash carries on to the next line.
    fn marked_commands(&self) -> String {
        let mut script = String::new();
        let mut carries_on = false;
        for line in &self.lines {
            let command = if carries_on { Some(*line) } else { line.strip_prefix("$ ") };
            if let Some(command) = command {
                script += command;
                script.push('\n');
                carries_on = command.ends_with('\\');
            }
        }
        script
    }

    fn body(&self) -> String {
        self.lines.iter().flat_map(|line| [*line, "\n"]).collect()
    }
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    let mut before = "";
    for (at, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => block.lines.push(line),
            (None, Some(language)) => {
                let comment = before.strip_prefix("<!-- ").and_then(|c| c.strip_suffix(" -->"));
                open = Some(Block { line_no: at + 1, language, comment, lines: Vec::new() });
            }
            (None, None) => {}
        }
        before = line;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Title
```console
$ cargo run --release -- demo
some output
$ arqon run a.yaml \\
    --until-idle
```
<!-- file: tour.py -->
```python
print(1)
```
<!-- untested: needs a network -->
```console
$ git clone somewhere
```
```console
$ cargo xtask test
42 passed, 0 failed
```
```yaml
arqon: 1
```
```sh
cargo run --release -- demo   # the main job
cargo xtask test              # everything
```
";

    #[test]
    fn blocks_get_their_roles() {
        let blocks = blocks(TEXT);
        let roles: Vec<Role<'_>> = blocks.iter().map(Block::role).collect();
        let script = "cargo run --release -- demo\narqon run a.yaml \\\n    --until-idle\n";
        let wanted = [
            Role::Script(script.to_owned()),
            Role::File("tour.py"),
            Role::LeftOut,
            Role::LeftOut,
            Role::Prose,
            Role::Script("cargo run --release -- demo   # the main job\n".to_owned()),
        ];
        assert_eq!(roles, wanted);
        assert_eq!(blocks[0].line_no, 2);
        assert_eq!(blocks[1].body(), "print(1)\n");
    }

    #[test]
    fn a_failing_command_fails_its_block() {
        let here = std::env::temp_dir();
        let run = |script: &str| run_script(&here, &here, &here.join("arqon"), script).unwrap();
        assert!(run("true\nsleep 60 &\n"));
        assert!(!run("false\ntrue\n"));
        assert!(!run("false | cat\n"));
    }
}
