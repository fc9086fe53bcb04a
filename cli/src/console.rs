//! The terminal: data to stdout, diagnostics and progress to stderr, colours only for people.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;
use terminal_size::terminal_size_of;
use unicode_width::UnicodeWidthChar;

use crate::exit::Failure;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON document, or one a line, on stdout.
    Json,
    /// Diagnostics as SARIF 2.1.0.
    Sarif,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Also into files and pipes.
    Always,
    /// Not at all.
    Never,
}

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Errors only.
    Quiet,
    /// Results, warnings and progress.
    Normal,
    /// What the parts are doing, too.
    Verbose,
}

/// Where a command writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    /// How results are written.
    pub(crate) format: OutputFormat,
    /// How much is said.
    pub(crate) verbosity: Verbosity,
    color: ColorChoice,
}

/// How many columns of a terminal a character takes.
pub(crate) fn character_columns(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// How many columns of a terminal a text takes.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(character_columns).sum()
}

/// A few styles, used sparingly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Titles and what matters most.
    Bold,
    /// What may be passed over.
    Dim,
    /// Success, insertions.
    Green,
    /// Errors, retractions.
    Red,
    /// Names and numbers to look at.
    Cyan,
    /// Warnings.
    Yellow,
}

impl Console {
    pub(crate) fn new(format: OutputFormat, verbosity: Verbosity, color: ColorChoice) -> Self {
        Self { format, verbosity, color }
    }

    /// Whether the result is for people.
    pub(crate) fn is_human(self) -> bool {
        self.format == OutputFormat::Human
    }

    /// Whether stderr shows colours.
    pub(crate) fn err_has_color(self) -> bool {
        self.has_color(io::stderr().is_terminal())
    }

    /// Whether stdout shows colours.
    pub(crate) fn out_has_color(self) -> bool {
        self.has_color(io::stdout().is_terminal())
    }

    /// How wide the terminal is that stdout goes to.
    pub(crate) fn out_columns() -> Option<usize> {
        terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0))
    }

    /// Whether a person watches stderr, so that a progress bar makes sense.
    pub(crate) fn shows_progress(self) -> bool {
        self.verbosity >= Verbosity::Normal && io::stderr().is_terminal()
    }

    fn has_color(self, is_terminal: bool) -> bool {
        match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => is_terminal && !no_color(),
        }
    }

    /// Writes data.
    ///
    /// # Errors
    /// A [`Failure`] if stdout cannot be written; a silent one if its reader has gone.
    #[expect(clippy::unused_self, reason = "everything that is written goes through a console")]
    pub(crate) fn out(self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                Failure::silent()
            } else {
                Failure::unreachable(format!("cannot write to stdout: {error}"))
            }
        })
    }

    /// Writes data as a document for machines.
    ///
    /// # Errors
    /// As [`Self::out`].
    pub(crate) fn document(self, document: &Value) -> Result<(), Failure> {
        self.out(&format!("{document:#}\n"))
    }

    /// Writes to stderr; who does not listen there misses it.
    #[expect(clippy::unused_self, reason = "everything that is written goes through a console")]
    pub(crate) fn err(self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Writes a remark to stderr, unless `-q` was given.
    pub(crate) fn note(self, text: &str) {
        if self.verbosity >= Verbosity::Normal {
            self.err(text);
        }
    }

    /// `text` in a style, if stderr shows colours.
    pub(crate) fn paint_err(self, style: Style, text: &str) -> String {
        paint(self.err_has_color(), style, text)
    }

    /// `text` in a style, if stdout shows colours.
    pub(crate) fn paint_out(self, style: Style, text: &str) -> String {
        paint(self.out_has_color(), style, text)
    }

    /// Says why a command gave up.
    pub(crate) fn report(self, failure: &Failure) {
        if failure.message.is_empty() {
            return;
        }
        let title = self.paint_err(Style::Red, "error");
        let help = failure.help.as_ref().map(|help| format!("help: {help}\n")).unwrap_or_default();
        self.err(&format!("{title}: {}\n{help}", failure.message));
    }
}

/// `text` in a style, or as it is.
pub(crate) fn paint(colored: bool, style: Style, text: &str) -> String {
    if !colored {
        return text.to_owned();
    }
    let code = match style {
        Style::Bold => "1",
        Style::Dim => "2",
        Style::Green => "32",
        Style::Red => "1;31",
        Style::Cyan => "36",
        Style::Yellow => "33",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

#[expect(clippy::disallowed_methods, reason = "NO_COLOR is how a user tells every command")]
fn no_color() -> bool {
    std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty())
}
