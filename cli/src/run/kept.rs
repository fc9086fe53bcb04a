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

/// What a line of a file is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// What is said of one that is not.
    pub(crate) fault: &'static str,
    /// A line.
    pub(crate) example: &'static str,
}

impl Kept {
    /// Opens the file, which need not be there, and reads each of its lines by `entry`. A last line
    /// that a run was stopped in the middle of is cut off, since nothing has followed from it.
    ///
    /// # Errors
    /// A [`Failure`] if it cannot be read or written, or has a line that is none.
    pub(crate) fn open<T>(
        path: &Path,
        entry: impl Fn(&str) -> Option<T>,
        wanted: Wanted,
    ) -> Result<(Self, Vec<T>), Failure> {
        let unreachable = |what: &str, error: std::io::Error| {
            Failure::unreachable(format!("cannot {what} `{}`: {error}", path.display()))
        };
        let file = OpenOptions::new().create(true).append(true).open(path);
        let mut file = file.map_err(|error| unreachable("write", error))?;
        let text = std::fs::read_to_string(path).map_err(|error| unreachable("read", error))?;
        let mut entries = Vec::new();
        for (line, number) in text.split_inclusive('\n').zip(1..) {
            let is_ended = line.ends_with('\n');
            match entry(line) {
                Some(entry) => entries.push(entry),
                // The first line is what tells such a file from one that is named by mistake.
                None if !is_ended && !entries.is_empty() => {
                    let whole = text.len() - line.len();
                    file.set_len(whole as u64).map_err(|error| unreachable("write", error))?;
                    break;
                }
                None => {
                    let Wanted { fault, example } = wanted;
                    let text = format!("{}:{number}: {fault}", path.display());
                    return Err(Failure::errors(text).help(format!("a line is `{example}`")));
                }
            }
            if !is_ended {
                file.write_all(b"\n").map_err(|error| unreachable("write", error))?;
            }
        }
        Ok((Self { path: path.to_owned(), file }, entries))
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
