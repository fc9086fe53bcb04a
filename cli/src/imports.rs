//! The files that circuits import, from the folder of the circuit or the one that `--root` names.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use arqon_grammar::limits::FILE_BYTES_MAX;
use arqon_grammar::{LoadFault, Loader};

use crate::exit::Failure;

/// The root of a circuit's imports, and where the circuit lies under it.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    /// Without links.
    folder: PathBuf,
    /// As the user wrote it; empty for the current folder.
    pub(crate) name: String,
    /// The circuit's path from the root, with `/` between folders.
    pub(crate) path: String,
}

/// Most names of a folder that are looked at for a suggestion.
const NEAR_MAX: usize = 1000;

impl Root {
    /// The root of the circuit at `file`: `chosen`, or the circuit's own folder.
    ///
    /// # Errors
    /// A [`Failure`] if the chosen folder is none, or does not hold the circuit.
    pub(crate) fn of(file: &Path, chosen: Option<&Path>) -> Result<Self, Failure> {
        let own = if file == Path::new("-") {
            Path::new("")
        } else {
            file.parent().unwrap_or(Path::new(""))
        };
        let name = chosen.unwrap_or(own);
        let absolute = |folder: &Path| {
            let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            fs::canonicalize(here).map_err(|error| {
                Failure::unreachable(format!("cannot read `{}`: {error}", folder.display()))
            })
        };
        let folder = absolute(name)?;
        let own = absolute(own)?;
        let Ok(within) = own.strip_prefix(&folder) else {
            return Err(Failure::usage(format!(
                "the circuit `{}` is not in the root `{}`",
                file.display(),
                name.display()
            )));
        };
        let mut parts: Vec<_> =
            within.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        parts.extend(file.file_name().map(|part| part.to_string_lossy().into_owned()));
        Ok(Self { folder, name: name.display().to_string(), path: parts.join("/") })
    }
}

impl Root {
    /// The root itself, without links.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Loader for Root {
    fn load(&mut self, path: &str) -> Result<String, LoadFault> {
        let unreadable = |error: std::io::Error| LoadFault::Unreadable(error.to_string());
        let asked = self.folder.join(path);
        let real = match fs::canonicalize(&asked) {
            Ok(real) => real,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(LoadFault::Missing { near: self.near(&asked) });
            }
            Err(error) => return Err(unreadable(error)),
        };
        if !real.starts_with(&self.folder) {
            return Err(LoadFault::Outside);
        }
        // Asked before it is opened: a pipe would wait for its writer.
        if !fs::metadata(&real).map_err(unreadable)?.is_file() {
            return Err(LoadFault::NotAFile);
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(&real).map_err(unreadable)?;
        file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if FILE_BYTES_MAX < bytes.len() {
            return Err(LoadFault::TooLarge);
        }
        String::from_utf8(bytes).map_err(|_| LoadFault::NotText)
    }
}

impl Root {
    /// Files beside one that is not there, if its folder is under the root.
    fn near(&self, asked: &Path) -> Vec<String> {
        let folder = asked.parent().and_then(|folder| fs::canonicalize(folder).ok());
        let Some(folder) = folder.filter(|folder| folder.starts_with(&self.folder)) else {
            return Vec::new();
        };
        let entries = fs::read_dir(folder).into_iter().flatten().take(NEAR_MAX);
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| {
                let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
                matches!(ending, Some("yaml" | "yml" | "proto"))
            })
            .collect();
        names.sort();
        names
    }
}
