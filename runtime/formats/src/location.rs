//! Which file, in which format: what a path's ending says.

use std::fmt;
use std::path::{Path, PathBuf};

/// How rows are written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values (RFC 4180) under a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// A file or a standard stream, with its format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// None for the standard stream.
    pub path: Option<PathBuf>,
    /// How its rows are written.
    pub format: Format,
    /// Whether it is gzipped.
    pub gzip: bool,
}

/// Why a path names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocationError {
    /// An ending that we do not know.
    #[error(
        "`{0}` does not end in .csv, .ndjson or .jsonl (each also with .gz); \
         `-` is NDJSON on the standard stream"
    )]
    Ending(String),
    /// A format of the language that this build does not read.
    #[error("`{path}`: {format} files are not part of this build; use CSV or NDJSON")]
    NotBuilt {
        /// The path as given.
        path: String,
        /// Its format.
        format: &'static str,
    },
}

impl Location {
    /// Reads `flights.csv.gz`, `deltas.ndjson`, `-`.
    ///
    /// # Errors
    /// [`LocationError`] if the ending says no format of ours.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        if text == "-" {
            return Ok(Self { path: None, format: Format::Ndjson, gzip: false });
        }
        let lower = text.to_ascii_lowercase();
        let (plain, gzip) = match lower.strip_suffix(".gz") {
            Some(plain) => (plain, true),
            None => (lower.as_str(), false),
        };
        let not_built = |format| Err(LocationError::NotBuilt { path: text.to_owned(), format });
        let format = match Path::new(plain).extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Format::Csv,
            Some("ndjson" | "jsonl") => Format::Ndjson,
            Some("parquet") => return not_built("Parquet"),
            Some("arrow" | "arrows" | "feather") => return not_built("Arrow"),
            Some("zst") => return not_built("zstd"),
            Some(_) | None => return Err(LocationError::Ending(text.to_owned())),
        };
        Ok(Self { path: Some(PathBuf::from(text)), format, gzip })
    }

    /// Whether this is a standard stream.
    pub fn is_standard_stream(&self) -> bool {
        self.path.is_none()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => path.display().fmt(f),
            None => f.write_str("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_say_the_format() {
        let check = |text: &str| Location::parse(text).map(|at| (at.format, at.gzip));
        assert_eq!(check("a/b.csv"), Ok((Format::Csv, false)));
        assert_eq!(check("B.CSV.GZ"), Ok((Format::Csv, true)));
        assert_eq!(check("x.jsonl.gz"), Ok((Format::Ndjson, true)));
        assert_eq!(check("-"), Ok((Format::Ndjson, false)));
        assert!(matches!(check("x.json"), Err(LocationError::Ending(_))));
        assert!(matches!(check("csv"), Err(LocationError::Ending(_))));
        assert!(matches!(check("x.csv.zst"), Err(LocationError::NotBuilt { .. })));
    }
}
