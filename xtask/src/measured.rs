//! `docs/MEASURED.md`: text of ours, commands, and below each of them what it printed.
//!
//! What stands between `<!-- printed -->` and `<!-- end -->` was printed by the commands of the
//! block of code before it. Between `<!-- aims -->` and `<!-- end -->` stand the aims of all of
//! them, between `<!-- machine -->` and `<!-- end -->` what they ran on. So the document says
//! itself what is to be run, and nobody copies figures.

use std::fmt::Write as _;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

use arqon_bench_report::HEAD;

const PRINTED: &str = "<!-- printed -->";
const AIMS: &str = "<!-- aims -->";
const MACHINE: &str = "<!-- machine -->";
const END: &str = "<!-- end -->";
const FENCE: &str = "```";

/// The document, piece by piece.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pieces: Vec<Piece>,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// Ours, as it is.
    Text(String),
    /// What commands printed.
    Printed { commands: Vec<String>, output: String },
    /// All aims of what was printed.
    Aims(String),
    /// What the commands ran on.
    Machine(String),
}

impl Document {
    /// Where it stands.
    pub(crate) fn path(root: &Path) -> PathBuf {
        root.join("docs/MEASURED.md")
    }

    /// Reads the document of the checkout.
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let path = Self::path(root);
        let text = fs::read_to_string(&path);
        Self::parse(&text.map_err(|error| format!("{}: {error}", path.display()))?)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (mut pieces, mut ours) = (Vec::new(), String::new());
        let mut lines = text.lines().zip(1..);
        while let Some((line, number)) = lines.next() {
            ours.push_str(line);
            ours.push('\n');
            if ![PRINTED, AIMS, MACHINE].contains(&line) {
                continue;
            }
            let mut inner = String::new();
            loop {
                match lines.next() {
                    Some((END, _)) => break,
                    Some((line, _)) => inner.extend([line, "\n"]),
                    None => return Err(format!("line {number}: `{line}` has no `{END}`")),
                }
            }
            let piece = match line {
                AIMS => Piece::Aims(inner),
                MACHINE => Piece::Machine(inner),
                _ => {
                    let commands = last_code(&ours);
                    if commands.is_empty() {
                        return Err(format!("line {number}: no block of commands before it"));
                    }
                    Piece::Printed { commands, output: inner }
                }
            };
            pieces.extend([Piece::Text(std::mem::take(&mut ours)), piece]);
            ours.extend([END, "\n"]);
        }
        pieces.push(Piece::Text(ours));
        Ok(Self { pieces })
    }

    /// The commands of each place where something is printed.
    pub(crate) fn places(&self) -> impl Iterator<Item = &[String]> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Printed { commands, .. } => Some(commands.as_slice()),
            _ => None,
        })
    }

    /// Puts what these commands have printed where they stand, and what follows from it.
    pub(crate) fn put(&mut self, wanted: &[String], printed: &str) {
        for piece in &mut self.pieces {
            match piece {
                Piece::Printed { commands, output } if commands == wanted => {
                    *output = framed(printed);
                }
                _ => {}
            }
        }
        let aims = self.aims();
        for piece in &mut self.pieces {
            match piece {
                Piece::Aims(text) => text.clone_from(&aims),
                Piece::Machine(text) => *text = framed(&machine()),
                Piece::Text(_) | Piece::Printed { .. } => {}
            }
        }
    }

    /// Writes it back.
    pub(crate) fn write(&self, root: &Path) -> Result<(), String> {
        let path = Self::path(root);
        fs::write(&path, self.text()).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn text(&self) -> String {
        let inner = |piece: &Piece| match piece {
            Piece::Text(text) | Piece::Aims(text) | Piece::Machine(text) => text.clone(),
            Piece::Printed { output, .. } => output.clone(),
        };
        self.pieces.iter().map(inner).collect()
    }

    /// A table of all aims, in the order of the document, under how many of them are met.
    fn aims(&self) -> String {
        let mut rows = Vec::new();
        for piece in &self.pieces {
            let Piece::Printed { output, .. } = piece else { continue };
            for table in output.split(HEAD).skip(1) {
                rows.extend(table.lines().skip(1).take_while(|line| line.starts_with('|')));
            }
        }
        let n_met = rows.iter().filter(|row| !row.contains("**missed**")).count();
        let mut text = format!("{n_met} of {} are met.\n\n{HEAD}\n", rows.len());
        for row in rows {
            let _ = writeln!(text, "{row}");
        }
        framed(&text)
    }
}

/// With an empty line before and behind.
fn framed(text: &str) -> String {
    format!("\n{}\n\n", text.trim())
}

/// The lines of the last block of code, if nothing but empty lines and the mark stand behind it.
fn last_code(text: &str) -> Vec<String> {
    let mut lines = text.lines().rev().skip(1).skip_while(|line| line.is_empty());
    if lines.next() != Some(FENCE) {
        return Vec::new();
    }
    let mut code: Vec<String> =
        lines.take_while(|line| !line.starts_with(FENCE)).map(str::to_owned).collect();
    code.reverse();
    code
}

/// Cores, processor and memory, as far as the system tells.
fn machine() -> String {
    let n_cores = thread::available_parallelism().map_or(1, NonZero::get);
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let processor = field("/proc/cpuinfo", "model name");
    let memory = field("/proc/meminfo", "MemTotal");
    let kib = memory.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    let cores = if n_cores == 1 { "core" } else { "cores" };
    let mut text = format!("Measured on {n_cores} {cores}");
    if let Some(processor) = processor {
        let _ = write!(text, " ({processor})");
    }
    if let Some(kib) = kib {
        let _ = write!(text, " with {} GiB of memory", kib.div_ceil(1 << 20));
    }
    text.push_str(", in the release profile.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Measured

<!-- machine -->
<!-- end -->

## Aims

<!-- aims -->

old

<!-- end -->

## Growth

```
RAYON_NUM_THREADS=1 cargo xtask bench one
cargo xtask bench two
```

<!-- printed -->

12 ms

<!-- end -->

The end.
";

    #[test]
    fn a_document_is_what_it_was_read_from() {
        let document = Document::parse(TEXT).expect("it is well formed");
        assert_eq!(document.text(), TEXT);
        let places: Vec<&[String]> = document.places().collect();
        let [place] = places.as_slice() else { panic!("one place: {places:?}") };
        assert_eq!(*place, ["RAYON_NUM_THREADS=1 cargo xtask bench one", "cargo xtask bench two"]);
    }

    #[test]
    fn aims_of_what_is_put_stand_at_the_head() {
        let mut document = Document::parse(TEXT).expect("it is well formed");
        let met = "| fast | at least 2x | 3.00x | met |";
        let missed = "| small | at most 2x | 3.00x | **missed**, at the edge |";
        let commands: Vec<String> = document.places().flatten().cloned().collect();
        let printed = format!("### one\n\n| a |\n\n{HEAD}\n{met}\n\n### two\n\n{HEAD}\n{missed}\n");
        document.put(&commands, &printed);
        let text = document.text();
        let aims =
            format!("<!-- aims -->\n\n1 of 2 are met.\n\n{HEAD}\n{met}\n{missed}\n\n<!-- end -->");
        assert!(text.contains(&aims), "{text}");
        assert!(text.contains("<!-- printed -->\n\n### one\n"), "{text}");
        assert!(!text.contains("12 ms") && !text.contains("old"), "{text}");
        assert!(text.contains("<!-- machine -->\n\nMeasured on "), "{text}");
        assert_eq!(Document::parse(&text).expect("it is still well formed").text(), text);
    }

    #[test]
    fn marks_that_belong_to_nothing_are_told() {
        let open = Document::parse("```\ncargo xtask bench\n```\n<!-- printed -->\n");
        assert_eq!(open, Err("line 4: `<!-- printed -->` has no `<!-- end -->`".to_owned()));
        let alone = Document::parse("text\n\n<!-- printed -->\n<!-- end -->\n");
        assert_eq!(alone, Err("line 3: no block of commands before it".to_owned()));
    }

    #[test]
    fn the_aims_of_the_checkout_are_those_that_were_printed() {
        let document = Document::read(&crate::root()).expect("the document is well formed");
        let wanted = document.aims();
        let found = document.pieces.iter().find_map(|piece| match piece {
            Piece::Aims(text) => Some(text),
            _ => None,
        });
        assert_eq!(found, Some(&wanted), "`cargo xtask bench --write PROGRAM` gathers them");
    }
}
