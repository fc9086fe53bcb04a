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

    fn circuits(&self, folder: &Path) -> Vec<(PathBuf, String)> {
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
                if kind.is_dir() && depth < FOLDER_DEPTH_MAX {
                    waiting.push((path, depth + 1));
                } else if kind.is_file() && is_circuit_file(&path) {
                    if FILES_MAX <= found.len() {
                        return found;
                    }
                    let is_small = kind.len() <= FILE_BYTES_MAX as u64;
                    let text = is_small.then(|| fs::read_to_string(&path).ok()).flatten();
                    found.extend(text.map(|text| (path, text)));
                }
            }
        }
        found
    }
}

fn is_circuit_file(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml")
}

/// Most files of a folder that are looked at for circuits that share a name.
const FILES_MAX: usize = 2_000;

/// How deep folders are looked into.
const FOLDER_DEPTH_MAX: usize = 16;
