//! A file that a run takes lines from, and adds those to that it has not yet.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// A journal of lines, each of which is on disk before anything follows from it.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Where it is.
    pub(crate) path: PathBuf,
    file: File,
}

impl Kept {
    /// Opens the file, which need not be there, and reads what it has.
    ///
    /// # Errors
    /// A [`Failure`] if it cannot be read or written.
    pub(crate) fn open(path: &Path) -> Result<(Self, String), Failure> {
        let unreachable = |what: &str, error: std::io::Error| {
            Failure::unreachable(format!("cannot {what} `{}`: {error}", path.display()))
        };
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|error| unreachable("write", error))?;
        let text = std::fs::read_to_string(path).map_err(|error| unreachable("read", error))?;
        Ok((Self { path: path.to_owned(), file }, text))
    }

    /// Adds a text of whole lines.
    ///
    /// # Errors
    /// If it cannot be written, or does not reach the disk.
    pub(crate) fn add(&mut self, lines: &str) -> std::io::Result<()> {
        self.file.write_all(lines.as_bytes())?;
        self.file.sync_data()
    }
}
