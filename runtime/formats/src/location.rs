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
    /// Apache Parquet.
    Parquet,
}

/// How the bytes of a file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As they are; Parquet packs its pages itself.
    None,
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
}

/// A file or a standard stream, with its format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// None for the standard stream.
    pub path: Option<PathBuf>,
    /// How its rows are written.
    pub format: Format,
    /// How its bytes are packed.
    pub compression: Compression,
}

/// Why a path names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocationError {
    /// An ending that we do not know.
    #[error(
        "`{0}` does not end in .csv, .ndjson or .jsonl (each also with .gz or .zst), or in \
         .parquet; `-` is NDJSON on the standard stream"
    )]
    Ending(String),
    /// A Parquet file in a packed file.
    #[error("`{0}`: Parquet files are packed inside, and read as they stand; unpack it")]
    PackedTwice(String),
    /// A format of the language that this build does not read.
    #[error("`{path}`: {format} files are not part of this build; use Parquet, CSV or NDJSON")]
    NotBuilt {
        /// The path as given.
        path: String,
        /// Its format.
        format: &'static str,
    },
}

impl Location {
    /// Reads `flights.csv.gz`, `trips.parquet`, `deltas.ndjson`, `-`.
    ///
    /// # Errors
    /// [`LocationError`] if the ending says no format of ours.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        let plain = Compression::None;
        if text == "-" {
            return Ok(Self { path: None, format: Format::Ndjson, compression: plain });
        }
        let lower = text.to_ascii_lowercase();
        let packed = |ending| lower.strip_suffix(ending);
        let (name, compression) = match (packed(".gz"), packed(".zst")) {
            (Some(name), _) => (name, Compression::Gzip),
            (None, Some(name)) => (name, Compression::Zstd),
            (None, None) => (lower.as_str(), plain),
        };
        let format = match Path::new(name).extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Format::Csv,
            Some("ndjson" | "jsonl") => Format::Ndjson,
            Some("parquet") if compression == plain => Format::Parquet,
            Some("parquet") => return Err(LocationError::PackedTwice(text.to_owned())),
            Some("arrow" | "arrows" | "feather") => {
                return Err(LocationError::NotBuilt { path: text.to_owned(), format: "Arrow" });
            }
            Some(_) | None => return Err(LocationError::Ending(text.to_owned())),
        };
        Ok(Self { path: Some(PathBuf::from(text)), format, compression })
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
        let check = |text: &str| Location::parse(text).map(|at| (at.format, at.compression));
        assert_eq!(check("a/b.csv"), Ok((Format::Csv, Compression::None)));
        assert_eq!(check("B.CSV.GZ"), Ok((Format::Csv, Compression::Gzip)));
        assert_eq!(check("x.jsonl.gz"), Ok((Format::Ndjson, Compression::Gzip)));
        assert_eq!(check("x.csv.zst"), Ok((Format::Csv, Compression::Zstd)));
        assert_eq!(check("x.parquet"), Ok((Format::Parquet, Compression::None)));
        assert_eq!(check("-"), Ok((Format::Ndjson, Compression::None)));
        assert!(matches!(check("x.json"), Err(LocationError::Ending(_))));
        assert!(matches!(check("csv"), Err(LocationError::Ending(_))));
        assert!(matches!(check("x.zst"), Err(LocationError::Ending(_))));
        assert!(matches!(check("x.parquet.zst"), Err(LocationError::PackedTwice(_))));
        assert!(matches!(check("x.arrow"), Err(LocationError::NotBuilt { .. })));
    }
}
