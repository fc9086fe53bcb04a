//! The comments of a file, and where they stand.

use crate::span::Span;

/// A comment from its `#` to the end of its line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comment<'a> {
    /// Its text, `#` included, blanks at the end left out.
    pub(super) text: &'a str,
    /// Where it begins.
    pub(super) start: usize,
    /// The byte after its text.
    pub(super) end: usize,
    /// Whether nothing else stands on its line.
    pub(super) is_alone: bool,
}

/// The comments of `text`: each `#` behind a blank or at the beginning of a line, outside of all
/// `scalars`, which are sorted by their place.
pub(super) fn comments<'a>(text: &'a str, scalars: &[Span]) -> Vec<Comment<'a>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut scalars = scalars.iter().map(|span| (span.start as usize, span.end as usize));
    let mut scalar = scalars.next();
    let mut at = 0;
    while at < bytes.len() {
        while scalar.is_some_and(|(_, end)| end <= at) {
            scalar = scalars.next();
        }
        if let Some((start, end)) = scalar
            && start <= at
        {
            at = end;
            continue;
        }
        let is_apart = at == 0 || matches!(bytes[at - 1], b' ' | b'\t' | b'\n' | b'\r');
        let is_after_mark = at == 3 && text.starts_with('\u{feff}');
        if bytes[at] == b'#' && (is_apart || is_after_mark) {
            let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
            let length = text[at..].find('\n').unwrap_or(text.len() - at);
            let written = text[at..at + length].trim_end();
            let is_alone = text[line_start..at].trim_matches(['\u{feff}', ' ', '\t']).is_empty();
            found.push(Comment { text: written, start: at, end: at + written.len(), is_alone });
            at += length;
        } else {
            at += 1;
        }
    }
    found
}
