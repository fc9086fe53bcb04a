//! Bytes to text, and the characters that a circuit may not contain.

use std::borrow::Cow;

use crate::code;
use crate::diagnostic::Collector;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::is_unseen;
use crate::limits::FILE_BYTES_MAX;
use crate::span::Span;

/// The text of a file's bytes.
///
/// When they are not UTF-8, a readable stand-in and a diagnostic that points into it.
pub fn decode(bytes: &[u8]) -> (Cow<'_, str>, Vec<Diagnostic>) {
    let utf16 = match bytes {
        [0xFF, 0xFE, ..] | [1..=0xFF, 0, 1..=0xFF, 0, ..] => Some("UTF-16, little-endian"),
        [0xFE, 0xFF, ..] | [0, 1..=0xFF, 0, 1..=0xFF, ..] => Some("UTF-16, big-endian"),
        _ => None,
    };
    if let Some(encoding) = utf16 {
        let message = format!("the file is in {encoding}");
        let diagnostic = Diagnostic::new(code::yaml::ENCODING, Span::empty(0), message)
            .help("save the file as UTF-8");
        return (Cow::Borrowed(""), vec![diagnostic]);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), Vec::new()),
        Err(error) => {
            let start = u32::try_from(error.valid_up_to()).unwrap_or(u32::MAX);
            let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
            // Each byte that encodes no character has become one U+FFFD, of three bytes.
            let span = Span::new(start, start.saturating_add(3));
            let message = format!("the byte {byte:#04x} is not part of UTF-8 text");
            let diagnostic =
                Diagnostic::new(code::yaml::ENCODING, span, message).help("save the file as UTF-8");
            (String::from_utf8_lossy(bytes), vec![diagnostic])
        }
    }
}

/// Reports a file that is too large, and each character that may not stand in it. The file begins
/// at `start` of the text and ends with it.
///
/// True when the file may be read further.
pub(crate) fn check_characters(text: &str, start: u32, diagnostics: &mut Collector) -> bool {
    let n_bytes = text.len() - start as usize;
    if FILE_BYTES_MAX < n_bytes {
        let message = format!("the file has {n_bytes} bytes, at most {FILE_BYTES_MAX} are read");
        diagnostics.push(Diagnostic::new(code::yaml::TOO_LARGE, Span::empty(start), message));
        return false;
    }
    let found = diagnostics.len();
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate().skip(start as usize) {
        let forbidden = match byte {
            b'\t' | b'\n' | 0x20..=0x7E | 0x80..=0xC1 | 0xC3..=0xE1 | 0xE4..=0xEE | 0xF0..=0xFF => {
                false
            }
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            0..=0x1F | 0x7F => true,
            // C1 control characters, and the marks that turn the direction of text.
            0xC2 => match bytes.get(at + 1) {
                Some(0x80..=0x9F) => true,
                Some(0xA0) => indents(text, at),
                _ => false,
            },
            0xE2 => {
                let rest = bytes.get(at + 1..at + 3);
                turns_direction(rest)
                    || (matches!(rest, Some([0x80, 0x80..=0x8D | 0xA8..=0xA9 | 0xAF]))
                        && indents(text, at))
            }
            0xE3 => bytes.get(at + 1..at + 3) == Some(&[0x80, 0x80]) && indents(text, at),
            // U+FFFE and U+FFFF are no characters; a byte order mark stands at the beginning only.
            0xEF => match bytes.get(at + 1..at + 3) {
                Some([0xBF, 0xBE..=0xBF]) => true,
                Some([0xBB, 0xBF]) => start as usize != at && indents(text, at),
                _ => false,
            },
        };
        if forbidden {
            diagnostics.push(describe(text, at));
            if diagnostics.len() - found == REPORTED_CHARACTERS_MAX {
                break;
            }
        }
    }
    diagnostics.len() == found
}

/// U+202A to U+202E and U+2066 to U+2069, by their last two bytes.
fn turns_direction(rest: Option<&[u8]>) -> bool {
    matches!(rest, Some([0x80, 0xAA..=0xAE] | [0x81, 0xA6..=0xA9]))
}

/// Whether nothing but blanks stands before a place in its line, so that what stands there counts
/// as the beginning of a name, though it looks like a blank or like nothing.
fn indents(text: &str, at: usize) -> bool {
    let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    text[line..at].chars().all(|before| before.is_whitespace() || is_unseen(before))
}

fn describe(text: &str, at: usize) -> Diagnostic {
    let character = text[at..].chars().next().unwrap_or_default();
    let start = u32::try_from(at).unwrap_or(u32::MAX);
    let span = Span::new(start, start + u32::try_from(character.len_utf8()).unwrap_or(1));
    let number = u32::from(character);
    let diagnostic = |kind: &str| {
        let message = format!("the {kind} U+{number:04X} may not stand in a circuit");
        Diagnostic::new(code::yaml::FORBIDDEN_CHARACTER, span, message)
    };
    match character {
        '\r' => diagnostic("carriage return").help("end lines with a line feed").fix(
            span,
            "\n",
            "end the line with a line feed",
        ),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => diagnostic("direction mark")
            .note("it makes the text that follows show in another order than it is read")
            .fix(span, "", "remove the direction mark"),
        '\u{fffe}' | '\u{ffff}' => diagnostic("noncharacter").help("remove it"),
        _ if is_unseen(character) && !character.is_control() => {
            let message =
                format!("a character that looks like a blank begins this line: U+{number:04X}");
            Diagnostic::new(code::yaml::FORBIDDEN_CHARACTER, span, message)
                .help("lines are indented with plain spaces")
                .fix(span, if character.is_whitespace() { " " } else { "" }, "indent with spaces")
        }
        _ => {
            let escape =
                if number < 0x100 { format!("x{number:02x}") } else { format!("u{number:04x}") };
            diagnostic("control character")
                .help(format!("remove it; a text in double quotes may have it as `\\{escape}`"))
        }
    }
}

/// Forbidden characters reported for one file; a binary file has thousands.
const REPORTED_CHARACTERS_MAX: usize = 20;
