//! Names as checked things: a `TopicName` that exists is well formed.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Characters that a dot-separated name may have in all.
pub const NAME_CHARS_MAX: usize = 128;

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing between two dots, or nothing at all.
    #[error("a part of the name is empty")]
    EmptyPart,
    /// A character outside `[a-z0-9_]`, or a part that begins with another than `[a-z]`.
    #[error("`{0}` may not stand there; a part is `[a-z][a-z0-9_]*`")]
    Character(char),
    /// More than [`NAME_CHARS_MAX`] characters.
    #[error("{0} characters, at most {NAME_CHARS_MAX}")]
    TooLong(usize),
    /// A dot where a single part is wanted.
    #[error("a node's name has no dot")]
    Dot,
}

fn check(text: &str) -> Result<(), NameError> {
    let n_chars = text.chars().count();
    if n_chars > NAME_CHARS_MAX {
        return Err(NameError::TooLong(n_chars));
    }
    for part in text.split('.') {
        let mut chars = part.chars();
        match chars.next() {
            None => return Err(NameError::EmptyPart),
            Some(first) if !first.is_ascii_lowercase() => return Err(NameError::Character(first)),
            Some(_) => {}
        }
        if let Some(odd) =
            chars.find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_'))
        {
            return Err(NameError::Character(odd));
        }
    }
    Ok(())
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and wraps it.
            ///
            /// # Errors
            /// Says which character or length is at fault.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> Result<(), NameError> = $check;
                check(text).map(|()| Self(text.to_owned()))
            }

            /// The text of the name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type!(
    /// The name of a topic: dot-separated parts, each `[a-z][a-z0-9_]*`.
    TopicName,
    check
);
name_type!(
    /// The name of a node of a flow: one part, no dot.
    NodeName,
    |text| if text.contains('.') { Err(NameError::Dot) } else { check(text) }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_by_part() {
        assert!(TopicName::parse("shop.orders_2").is_ok());
        assert_eq!(TopicName::parse("shop..orders"), Err(NameError::EmptyPart));
        assert_eq!(TopicName::parse("Shop"), Err(NameError::Character('S')));
        assert_eq!(TopicName::parse("shop.9"), Err(NameError::Character('9')));
        assert_eq!(TopicName::parse(&"a".repeat(129)), Err(NameError::TooLong(129)));
        assert_eq!(NodeName::parse("a.b"), Err(NameError::Dot));
    }
}
