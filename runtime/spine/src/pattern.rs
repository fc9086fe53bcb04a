//! Patterns of topic names: `*` stands for one token, `>` for the rest, as in NATS.

use std::fmt;

use arqon_types::{NAME_CHARS_MAX, TopicName};

/// The first part of the names of the server's own topics.
const SYSTEM: &str = "system";

/// A topic's name, or a pattern of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Exact(String),
    One,
    Rest,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// More characters than a topic may have.
    #[error("a pattern has at most {NAME_CHARS_MAX} characters")]
    TooLong,
    /// `>` before the end.
    #[error("`>` stands for the rest, so only at the end")]
    RestInside,
    /// A token that is neither a name's part nor a wildcard.
    #[error("`{0}` is no token; a token is `[a-z][a-z0-9_]*`, `*` or `>`")]
    Token(String),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`] names the token at fault.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > NAME_CHARS_MAX {
            return Err(PatternError::TooLong);
        }
        let mut tokens = Vec::new();
        for token in text.split('.') {
            if tokens.last() == Some(&Token::Rest) {
                return Err(PatternError::RestInside);
            }
            tokens.push(match token {
                "*" => Token::One,
                ">" => Token::Rest,
                name if TopicName::parse(name).is_ok() => Token::Exact(name.to_owned()),
                odd => return Err(PatternError::Token(odd.to_owned())),
            });
        }
        Ok(Self { tokens })
    }

    /// Whether the name is one of those the pattern stands for.
    pub fn matches(&self, name: &TopicName) -> bool {
        let mut parts = name.as_str().split('.');
        for token in &self.tokens {
            let part = parts.next();
            match token {
                Token::Rest => return part.is_some(),
                Token::One if part.is_some() => {}
                Token::Exact(exact) if part == Some(exact) => {}
                Token::One | Token::Exact(_) => return false,
            }
        }
        parts.next().is_none()
    }

    /// Whether somebody who subscribes to it means the topic: one of the server's own only where
    /// the pattern says so.
    pub(crate) fn means(&self, name: &TopicName) -> bool {
        let is_system = |text: &str| text == SYSTEM;
        let says_so = matches!(self.tokens.first(), Some(Token::Exact(first)) if is_system(first));
        let is_own = name.as_str().split('.').next().is_some_and(is_system);
        self.matches(name) && (says_so || !is_own)
    }

    /// Whether it stands for all names.
    pub fn is_all(&self) -> bool {
        self.tokens == [Token::Rest]
    }

    /// The name, if there is no wildcard in it.
    pub fn exact(&self) -> Option<TopicName> {
        let mut name = String::new();
        for token in &self.tokens {
            let Token::Exact(part) = token else { return None };
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(part);
        }
        TopicName::parse(&name).ok()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, token) in self.tokens.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "." })?;
            f.write_str(match token {
                Token::Exact(part) => part,
                Token::One => "*",
                Token::Rest => ">",
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(&TopicName::parse(name).unwrap())
    }

    #[test]
    fn wildcards_stand_for_whole_tokens() {
        assert!(matches("a.*", "a.b"));
        assert!(!matches("a.*", "a.b.c"));
        assert!(!matches("a.*", "a"));
        assert!(matches("a.>", "a.b.c"));
        assert!(!matches("a.>", "a"));
        assert!(matches(">", "a"));
        assert!(matches("*.b.>", "a.b.c.d"));
        assert!(!matches("a.b", "a.bc"));
        for odd in ["", ".", "a.", "a..b", "a.>.b", "A", "a.b*", "а", "../x", "a.**", "a b"] {
            assert!(Pattern::parse(odd).is_err(), "{odd}");
        }
        assert_eq!(Pattern::parse(&"a".repeat(4096)), Err(PatternError::TooLong));
        assert_eq!(Pattern::parse("a.*").unwrap().exact(), None);
    }

    /// The obvious way: try every split, token by token, recursively.
    fn reference(pattern: &[&str], name: &[&str]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            ([">"], [_, ..]) => true,
            (["*", pattern @ ..], [_, name @ ..]) => reference(pattern, name),
            ([token, pattern @ ..], [part, name @ ..]) => token == part && reference(pattern, name),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn patterns_match_as_the_reference_does(
            pattern in "([ab]|\\*)(\\.([ab]|\\*)){0,3}(\\.>)?|>",
            name in "[ab](\\.[ab]){0,4}",
        ) {
            let wanted = reference(
                &pattern.split('.').collect::<Vec<_>>(),
                &name.split('.').collect::<Vec<_>>(),
            );
            prop_assert_eq!(matches(&pattern, &name), wanted, "{} {}", pattern, name);
        }
    }
}
