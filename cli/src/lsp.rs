//! `arqon lsp`: the language server over stdin and stdout, with the files of the disk.

use std::fs;
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use arqon_compiler::Options;
use arqon_editor::{Ending, ImportRoot, Workspace, serve};
use arqon_grammar::limits::FILE_BYTES_MAX;

use crate::arguments::{GlobalArguments, LspArguments};
use crate::circuit::{CompileOptions, options};
use crate::exit::{Exit, Failure};
use crate::imports::Root;

/// Serves an editor until it leaves.
///
/// # Errors
/// A [`Failure`] if stdout cannot be written.
pub(crate) fn lsp(arguments: &LspArguments, global: &GlobalArguments) -> Result<Exit, Failure> {
    let disk = Disk { options: options(global, &arguments.compiler) };
    let input = BufReader::new(io::stdin());
    let output = BufWriter::new(io::stdout());
    match serve(input, output, &disk) {
        Ok(Ending::Asked) => Ok(Exit::Success),
        Ok(Ending::Abrupt) => Ok(Exit::Errors),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::silent()),
        Err(error) => Err(Failure::unreachable(format!("cannot write to stdout: {error}"))),
    }
}

/// Circuits and what they import, as they lie on the disk.
struct Disk {
    options: CompileOptions,
}

impl Workspace for Disk {
    fn options(&self) -> Options {
        self.options.compiler.clone()
    }

    fn root(&self, file: &Path) -> Option<ImportRoot> {
        let root = Root::of(file, self.options.root.as_deref()).ok()?;
        // Editors know files by their whole paths, also where `--root` is a part of one.
        let name = match self.options.root {
            Some(_) => root.folder().display().to_string(),
            None => root.name.clone(),
        };
        Some(ImportRoot {
            name,
            path: root.path.clone(),
            folder: root.folder().to_owned(),
            loader: Box::new(root),
        })
    }

    fn importable(&self, file: &Path) -> Vec<String> {
        let Some(root) = self.root(file) else { return Vec::new() };
        let is_circuit =
            |path: &Path| fs::read_to_string(path).is_ok_and(|text| text.contains("arqon:"));
        let found = files(&root.folder, &["yaml", "yml", "proto"]).into_iter().filter(|path| {
            path.extension().is_some_and(|ending| ending == "proto") || is_circuit(path)
        });
        let written = found.filter_map(|path| {
            let parts = path.strip_prefix(&root.folder).ok()?.iter();
            Some(parts.map(|part| part.to_str()).collect::<Option<Vec<_>>>()?.join("/"))
        });
        let mut written: Vec<String> = written.filter(|path| *path != root.path).collect();
        written.sort();
        written
    }

    fn circuits(&self, folder: &Path) -> Vec<(PathBuf, String)> {
        let read = |path: PathBuf| {
            let text = fs::read_to_string(&path).ok()?;
            Some((path, text))
        };
        files(folder, &["yaml", "yml"]).into_iter().filter_map(read).collect()
    }
}

/// The files of these endings under a folder that are no larger than a circuit may be.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let mut paths: Vec<PathBuf> = entries.filter_map(|it| Some(it.ok()?.path())).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(".");
            if name.starts_with('.') || name == "target" || name == "node_modules" {
                continue;
            }
            let Ok(kind) = fs::symlink_metadata(&path) else { continue };
            let ending = path.extension().and_then(|ending| ending.to_str());
            if kind.is_dir() && depth < FOLDER_DEPTH_MAX {
                waiting.push((path, depth + 1));
            } else if kind.is_file()
                && kind.len() <= FILE_BYTES_MAX as u64
                && ending.is_some_and(|ending| endings.contains(&ending))
            {
                if FILES_MAX <= found.len() {
                    return found;
                }
                found.push(path);
            }
        }
    }
    found
}

/// Most files of a folder that are looked at for circuits that share a name.
const FILES_MAX: usize = 2_000;

/// How deep folders are looked into.
const FOLDER_DEPTH_MAX: usize = 16;
