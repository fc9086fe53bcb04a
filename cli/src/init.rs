//! `arqon init`: a project with a circuit, its examples, and what a build server runs.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde_json::json;

use crate::arguments::{Beginning, InitArguments};
use crate::console::{Console, Style};
use crate::exit::{Exit, Failure};

/// A file of the project.
struct Made {
    path: String,
    text: String,
    is_program: bool,
}

/// Files that a project usually has already, and that it can do without ours.
const LEFT_ALONE: &[&str] = &["README.md", ".gitignore"];

/// Makes the project, and says which files; nothing that is there already is touched.
///
/// # Errors
/// A [`Failure`] if a circuit or a check of that name is there already, or cannot be written.
pub(crate) fn init(arguments: &InitArguments, console: Console) -> Result<Exit, Failure> {
    let root = &arguments.directory;
    let is_there = |file: &Made| root.join(&file.path).symlink_metadata().is_ok();
    let (there, files): (Vec<Made>, Vec<Made>) =
        files(arguments.from).into_iter().partition(is_there);
    let (left, there): (Vec<Made>, Vec<Made>) =
        there.into_iter().partition(|file| LEFT_ALONE.contains(&file.path.as_str()));
    let named = |file: &Made| format!("`{}`", root.join(&file.path).display());
    let there: Vec<String> = there.iter().map(named).collect();
    if !there.is_empty() {
        let verb = if there.len() == 1 { "is" } else { "are" };
        let message = format!("{} {verb} there already, and nothing was written", there.join(", "));
        return Err(Failure::unreachable(message).help("name another directory: `arqon init DIR`"));
    }
    for file in &files {
        let path = root.join(&file.path);
        write(&path, file).map_err(|error| Failure::unwritable(path.display(), error))?;
        if console.is_human() {
            let made = console.paint_out(Style::Green, "made");
            console.out(&format!("{made}  {}\n", path.display()))?;
        }
    }
    if !console.is_human() {
        let paths = |files: &[Made]| -> Vec<String> {
            files.iter().map(|file| root.join(&file.path).display().to_string()).collect()
        };
        let document = json!({ "made": paths(&files), "left": paths(&left) });
        console.document(&document)?;
    }
    for file in &left {
        console.note(&format!("{} is left as it is\n", named(file)));
    }
    let here = root == Path::new(".");
    let go = if here { String::new() } else { format!("cd {} && ", root.display()) };
    console.note(&format!("next: {go}arqon test circuits\n"));
    Ok(Exit::Success)
}

fn files(from: Beginning) -> Vec<Made> {
    let (name, circuit) = match from {
        Beginning::Shop => ("shop", include_str!("../../circuits/ok/shop_revenue.yaml")),
        Beginning::Flights => ("flights", include_str!("../../circuits/demo/flights.yaml")),
        Beginning::Small => ("small", include_str!("init/small.yaml")),
    };
    let file = |path: &str, text: &str| Made {
        path: path.to_owned(),
        text: text.replace("{name}", name),
        is_program: path.starts_with("ci/"),
    };
    vec![
        Made { path: format!("circuits/{name}.yaml"), text: circuit.to_owned(), is_program: false },
        file("ci/check.sh", include_str!("init/check.sh")),
        file(".github/workflows/circuits.yml", include_str!("init/workflow.yml")),
        file("README.md", include_str!("init/README.md")),
        file(".gitignore", "arqon.sarif\narqon-tests.xml\n*.arqon\n"),
    ]
}

fn write(path: &Path, file: &Made) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    // Whatever has come since it was looked for is not overwritten either.
    options.write(true).create_new(true);
    #[cfg(unix)]
    if file.is_program {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o755);
    }
    options.open(path)?.write_all(file.text.as_bytes())
}
