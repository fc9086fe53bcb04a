//! The circuits of the house: every one under `circuits/` that must be accepted, with its imports.

use std::fs;
use std::path::{Path, PathBuf};

use arqon_compiler::{Compiled, Options, compile_with};
use arqon_grammar::{LoadFault, Loader, Main};

/// Folders whose circuits have no fault.
const FOLDERS: &[&str] = &["ok", "demo", "bench/nexmark", "bench/tpch", "mistakes", "diff"];

/// A circuit of the house.
#[derive(Debug, Clone)]
pub struct Circuit {
    /// Its path below `circuits/`.
    pub name: String,
    /// Its text.
    pub text: String,
    folder: PathBuf,
}

/// What refuses a circuit, a line each.
pub fn errors(compiled: &Compiled) -> Vec<String> {
    let errors = compiled.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
    errors.map(|diagnostic| format!("{}: {}", diagnostic.code, diagnostic.message)).collect()
}

/// All circuits without faults, in the order of their names.
///
/// # Panics
/// If a folder or a file cannot be read.
pub fn circuits() -> Vec<Circuit> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../circuits");
    let mut found = Vec::new();
    for folder in FOLDERS {
        let entries = fs::read_dir(root.join(folder)).expect("the folder is there");
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            if path.extension().is_none_or(|ending| ending != "yaml") {
                continue;
            }
            let name = path.strip_prefix(&root).expect("it is below").display().to_string();
            let text = fs::read_to_string(&path).expect("a readable circuit");
            found.push(Circuit { name, text, folder: root.join(folder) });
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

impl Circuit {
    /// What has become of it, or of `text` in its place; unbounded state is allowed.
    pub fn compile(&self, text: &str) -> Compiled {
        let options = Options { allow_unbounded: true, ..Options::default() };
        let mut folder = Folder(self.folder.clone());
        compile_with(Main::alone(&self.name, text), &mut folder, &options)
    }
}

/// Imports from one folder.
struct Folder(PathBuf);

impl Loader for Folder {
    fn load(&mut self, path: &str) -> Result<String, LoadFault> {
        let path = self.0.join(path);
        if !path.exists() {
            return Err(LoadFault::Missing { near: Vec::new() });
        }
        fs::read_to_string(path).map_err(|_| LoadFault::NotText)
    }
}
