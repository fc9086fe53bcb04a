//! Circuit files on disk: read whole, and found under directories.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use arqon_grammar::limits::FILE_BYTES_MAX;
use arqon_grammar::{Diagnostic, decode};
use arqon_plan::is_artifact;

use crate::exit::Failure;

/// A circuit's text under the name that the user gave.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// As in diagnostics: the path as given or found.
    pub(crate) file: String,
    /// Where it was read, `-` for stdin; none for a text of ours.
    pub(crate) path: Option<PathBuf>,
    /// UTF-8; what was not is replaced, see `encoding`.
    pub(crate) text: String,
    /// Set if the file is not UTF-8: then nothing else need be looked at.
    pub(crate) encoding: Option<Diagnostic>,
}

impl Source {
    /// Reads `path`, or stdin for `-`.
    ///
    /// # Errors
    /// A [`Failure`] if it cannot be read, or is an artifact.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let file = path.display().to_string();
        let cannot =
            |error: std::io::Error| Failure::unreachable(format!("cannot read `{file}`: {error}"));
        // One byte over the limit is enough for the front end to refuse the file by its limit.
        let bytes_max = FILE_BYTES_MAX as u64 + 1;
        let mut bytes = Vec::new();
        if path == Path::new("-") {
            std::io::stdin().take(bytes_max).read_to_end(&mut bytes).map_err(cannot)?;
        } else {
            let open = fs::File::open(path).map_err(cannot)?;
            open.take(bytes_max).read_to_end(&mut bytes).map_err(cannot)?;
        }
        if is_artifact(&bytes) {
            return Err(Failure::errors(format!("`{file}` is compiled, and holds no text")).help(
                "name the circuit that it was made of; `arqon run`, `install`, `replace` and \
                 `diff` take what is compiled",
            ));
        }
        Ok(Self { path: Some(path.to_owned()), ..Self::from_bytes(file, &bytes) })
    }

    /// Text that is already in memory.
    pub(crate) fn from_text(file: &str, text: &str) -> Self {
        Self { file: file.to_owned(), path: None, text: text.to_owned(), encoding: None }
    }

    fn from_bytes(file: String, bytes: &[u8]) -> Self {
        let (text, faults) = decode(bytes);
        let (text, encoding) = (text.into_owned(), faults.into_iter().next());
        Self { file, path: None, text, encoding }
    }
}

/// The circuit files of all paths; what cannot be read stands in its place.
pub(crate) fn find_all(paths: &[PathBuf]) -> Vec<Result<PathBuf, Failure>> {
    paths
        .iter()
        .flat_map(|path| match find(path) {
            Ok(found) => found.into_iter().map(Ok).collect(),
            Err(failure) => vec![Err(failure)],
        })
        .collect()
}

/// All circuits at or under `path`: a file itself, of a directory every YAML file whose first key
/// is `arqon`, by name. Hidden directories and links are passed over.
///
/// # Errors
/// A [`Failure`] if `path` cannot be read, or holds no circuit.
pub(crate) fn find(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if path == Path::new("-") {
        return Ok(vec![path.to_owned()]);
    }
    let cannot = |error: std::io::Error| {
        Failure::unreachable(format!("cannot read `{}`: {error}", path.display()))
    };
    if !fs::metadata(path).map_err(cannot)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(directory) = open.pop() {
        let unreadable = |error: std::io::Error| {
            Failure::unreachable(format!("cannot read `{}`: {error}", directory.display()))
        };
        for entry in fs::read_dir(&directory).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let kind = entry.file_type().map_err(unreadable)?;
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if kind.is_dir() && !hidden {
                open.push(entry.path());
            } else if kind.is_file() && is_circuit(&entry.path()) {
                found.push(entry.path());
            }
        }
    }
    if found.is_empty() {
        return Err(Failure::unreachable(format!("no circuit under `{}`", path.display()))
            .help("a circuit is a .yaml file whose first key is `arqon`"));
    }
    found.sort();
    Ok(found)
}

fn is_circuit(path: &Path) -> bool {
    let is_yaml = path.extension().is_some_and(|ending| {
        ending.eq_ignore_ascii_case("yaml") || ending.eq_ignore_ascii_case("yml")
    });
    if !is_yaml {
        return false;
    }
    let mut head = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(64 << 10).read_to_end(&mut head));
    read.is_ok() && begins_as_circuit(&String::from_utf8_lossy(&head))
}

fn begins_as_circuit(text: &str) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().map(str::trim).find(|line| {
        !line.is_empty()
            && !line.starts_with('#')
            && !line.starts_with("---")
            && !line.starts_with('%')
    });
    let key = first.and_then(|line| line.split_once(':')).map(|(key, _)| key.trim());
    matches!(key, Some("arqon" | "\"arqon\"" | "'arqon'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circuit_is_known_by_its_first_key() {
        assert!(begins_as_circuit("arqon: 1\n"));
        assert!(begins_as_circuit("\u{feff}# a comment\n\n---\narqon: 1"));
        assert!(!begins_as_circuit("on: push\narqon: 1"));
        assert!(!begins_as_circuit(""));
    }

    #[test]
    fn circuits_are_found_in_order_of_their_names() {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("b/z.yaml", "arqon: 1\n"),
            ("b/a.yml", "arqon: 1\n"),
            ("b/ci.yaml", "on: push\n"),
            ("a.yaml", "arqon: 1\n"),
            (".hidden/c.yaml", "arqon: 1\n"),
            ("notes.txt", "arqon: 1\n"),
        ] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = find(root.path()).unwrap();
        let names: Vec<_> =
            found.iter().map(|path| path.strip_prefix(root.path()).unwrap()).collect();
        assert_eq!(names, [Path::new("a.yaml"), Path::new("b/a.yml"), Path::new("b/z.yaml")]);
        let named = find(&root.path().join("notes.txt")).unwrap();
        assert_eq!(named.len(), 1);
        assert!(find(&root.path().join(".hidden/none")).is_err());
    }

    #[test]
    fn bytes_that_are_no_text_are_a_diagnostic_with_its_place() {
        let source = Source::from_bytes("a.yaml".into(), b"arqon: 1\n# \xFF\n");
        assert_eq!(source.encoding.unwrap().primary.span, arqon_grammar::Span::new(11, 14));
    }
}
