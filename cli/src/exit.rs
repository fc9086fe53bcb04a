//! How a command ends: its exit code, and the one line that says why it did not do its work.

use std::fmt;
use std::process::ExitCode;

/// The exit codes of the command, as documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// All is well.
    Success,
    /// Errors were found, tests failed, rows were refused.
    Errors,
    /// The command line asks for what does not exist.
    Usage,
    /// Something cannot be read, written or reached.
    Unreachable,
    /// A change that cannot take the place of what runs.
    Incompatible,
    /// A fault of ours.
    Internal,
    /// Interrupted by SIGINT.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Errors => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Incompatible => 5,
            Self::Internal => 70,
            Self::Interrupted => 130,
        }
    }

    /// The graver of two ends; being unable to read hides what else would have been found.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command gave up, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// How the command ends.
    pub(crate) exit: Exit,
    /// One line: lower case, no full stop. Empty if all has been said already.
    pub(crate) message: String,
    /// How to go on.
    pub(crate) help: Option<String>,
}

impl Failure {
    /// A command line that cannot be followed.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into(), help: None }
    }

    /// Something that cannot be read, written or reached.
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self { exit: Exit::Unreachable, message: message.into(), help: None }
    }

    /// A file that cannot be written.
    pub(crate) fn unwritable(file: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::unreachable(format!("cannot write `{file}`: {error}"))
    }

    /// No server answers at an address.
    pub(crate) fn nobody(message: impl Into<String>) -> Self {
        Self::unreachable(message).help(
            "is the server running, and is this its address? `arqon run` and `arqon serve` print \
             it when they begin",
        )
    }

    /// Errors in what the user gave us.
    pub(crate) fn errors(message: impl Into<String>) -> Self {
        Self { exit: Exit::Errors, message: message.into(), help: None }
    }

    /// A fault of ours.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self { exit: Exit::Internal, message: message.into(), help: None }
    }

    /// The reader of our output has gone, as `head` does: nothing is left to say.
    pub(crate) fn silent() -> Self {
        Self { exit: Exit::Success, message: String::new(), help: None }
    }

    /// Adds how to go on.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// An error with all of its causes, `a: b: c`.
    pub(crate) fn chain(error: &dyn std::error::Error) -> String {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let told = inner.to_string();
            // Some errors end with their cause already.
            if !text.ends_with(&told) {
                text.push_str(": ");
                text.push_str(&told);
            }
            cause = inner.source();
        }
        text
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error that ends with its cause, as those of some libraries do, or does not.
    #[derive(Debug, thiserror::Error)]
    enum Layer {
        #[error("deep: {0}")]
        Told(#[source] std::num::ParseIntError),
        #[error("high")]
        Untold(#[source] Box<Layer>),
    }

    #[test]
    fn each_cause_is_told_once() {
        let deep = || Layer::Told("x".parse::<i64>().unwrap_err());
        assert_eq!(Failure::chain(&deep()), "deep: invalid digit found in string");
        let high = Layer::Untold(Box::new(deep()));
        assert_eq!(Failure::chain(&high), "high: deep: invalid digit found in string");
    }
}
