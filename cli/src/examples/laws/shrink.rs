//! Fewer messages that still break a law: halves, quarters, and then single ones are left out
//! for as long as the law stays broken.

use super::check::Violation;
use super::history::Message;
use crate::exit::Failure;

/// Attempts at most: a shrunk case is a courtesy, and must not take minutes.
const ATTEMPTS_MAX: usize = 400;

/// The violation of as few messages as were found to show it.
///
/// # Errors
/// What the attempt itself says.
pub(super) fn shrink(
    mut messages: Vec<Message>,
    mut violation: Violation,
    mut attempt: impl FnMut(&[Message]) -> Result<Option<Violation>, Failure>,
) -> Result<Violation, Failure> {
    let mut n_attempts = 0;
    let mut size = messages.len().div_ceil(2);
    while size > 0 && n_attempts < ATTEMPTS_MAX {
        let mut at = 0;
        let mut has_shrunk = false;
        while at < messages.len() && n_attempts < ATTEMPTS_MAX {
            let mut fewer = messages.clone();
            fewer.drain(at..(at + size).min(messages.len()));
            n_attempts += 1;
            if let Some(smaller) = attempt(&fewer)? {
                (messages, violation, has_shrunk) = (fewer, smaller, true);
            } else {
                at += size;
            }
        }
        if !has_shrunk || size > 1 {
            size /= 2;
        }
    }
    Ok(violation)
}
