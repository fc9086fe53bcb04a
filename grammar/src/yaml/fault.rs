//! What the YAML parser could not read, in words that lead to the cause.

use granit_parser::ErrorKind;
use granit_parser::ScanError;

use crate::code;
use crate::diagnostic::Diagnostic;
use crate::limits::YAML_DEPTH_MAX;
use crate::span::Span;
use crate::type_habit::in_other_brackets;

/// Lists and maps nested too deeply.
pub(super) fn too_deep(span: Span) -> Diagnostic {
    let message = format!("lists and maps nest more than {YAML_DEPTH_MAX} deep here");
    Diagnostic::new(code::yaml::TOO_DEEP, span, message)
}

/// The diagnostic for a fault of the YAML parser.
pub(super) fn describe(text: &str, start: u32, error: &ScanError) -> Diagnostic {
    let at = error.marker().byte_offset().unwrap_or_default() + start as usize;
    let at = at.min(text.len());
    let span = character_span(text, at);
    let found = span.slice(text);
    let syntax = |message: String| Diagnostic::new(code::yaml::SYNTAX, span, message);
    if let Some(cause) = super::lines::cause(text, start, at, error.kind()) {
        return cause;
    }
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => too_deep(span),
        ErrorKind::DirectiveDisallowed => Diagnostic::new(
            code::yaml::DOCUMENTS,
            span,
            "YAML directives are not part of the language",
        )
        .help("remove the line that begins with `%`"),
        ErrorKind::UnclosedFlowCollection { open }
        | ErrorKind::MismatchedFlowCollectionEnd { open, .. } => {
            syntax(format!("the bracket `{open}` is not closed where its line or entry ends"))
                .help("inside brackets every entry ends with a comma or the closing bracket")
        }
        ErrorKind::MisplacedFlowCollectionEnd => {
            syntax(format!("`{found}` closes no bracket")).help(QUOTE_HELP)
        }
        ErrorKind::UnclosedQuotedScalar => syntax(format!("the quote `{found}` is never closed")),
        ErrorKind::InvalidTrailingDoubleQuotedScalar => quoted(
            text,
            at,
            |value| value.starts_with('"'),
            Diagnostic::new(code::expression::QUOTED_START, span, "text follows the closing `\"`")
                .help(
                    "an expression that begins with `\"` goes in single quotes: '\"EU\" == region'",
                ),
        ),
        ErrorKind::InvalidTrailingSingleQuotedScalar => {
            syntax("text follows the closing `'`".to_owned())
                .help("in a single-quoted text, `'` is written `''`")
                .help("in an expression, texts stand in double quotes")
        }
        ErrorKind::MappingValueNotAllowed => mapping_value(text, at, span),
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator => {
            separator(text, at, span)
        }
        ErrorKind::ExpectedBlockMappingKey if matches!(before(text, at), Some(']' | '}')) => {
            let message = format!("`{found}` follows a closed list or map");
            quoted(
                text,
                at,
                |value| value.starts_with('['),
                Diagnostic::new(code::expression::LIST_START, span, message)
                    .help("an expression that begins with `[` goes in single quotes"),
            )
        }
        ErrorKind::TabInBlockIndentation
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart => {
            syntax("a tab stands where YAML indents with spaces".to_owned())
                .help("replace the tabs at the beginning of the line by spaces")
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            syntax("a key without its `:`, or a line that belongs to nothing".to_owned())
                .help("an entry is `key: value`, with a space after the colon")
        }
        ErrorKind::InvalidBlockScalarHeader => {
            syntax("a value that begins with `>` or `|` starts a block of text".to_owned())
                .help("an expression that begins so goes in single quotes")
        }
        ErrorKind::UnexpectedCharacter { character } => {
            let fault = syntax(format!("a value cannot begin with `{character}`"))
                .help("put the value in single quotes");
            let is_name = text[at + found.len()..].starts_with(|c: char| c.is_ascii_alphabetic());
            if is_name { fault.help("a field is named without a sign before it") } else { fault }
        }
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::InvalidUnicodeEscape
        | ErrorKind::InvalidLowSurrogate
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate => escape(text, at, error),
        ErrorKind::BomInsideDocument => {
            syntax("a byte order mark stands inside the file".to_owned())
                .help("it is allowed at the very beginning only")
        }
        ErrorKind::InvalidIndentation | ErrorKind::InvalidBlockScalarIndent => {
            syntax("this line is indented otherwise than the lines it belongs to".to_owned())
        }
        ErrorKind::BlockSequenceEntryNotAllowed | ErrorKind::BlockEntryInFlowCollection => {
            syntax("a list item `-` cannot begin here".to_owned())
                .help("a list stands on its own lines under its key")
        }
        _ if is_star(text, at) => star(text, at, span),
        _ => syntax("the text cannot be read as YAML from here on".to_owned()).note(error.info()),
    }
}

/// Whether a value is `*` alone, which YAML takes for the beginning of an alias.
fn is_star(text: &str, at: usize) -> bool {
    text[at..].starts_with('*')
        && text[at + 1..].starts_with(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}'))
}

/// `select: *`, as in SQL.
fn star(text: &str, at: usize, span: Span) -> Diagnostic {
    let line = &text[text[..at].rfind('\n').map_or(0, |newline| newline + 1)..at];
    let key = line.trim_start_matches([' ', '-']).split(':').next().unwrap_or("");
    let fault = Diagnostic::new(code::yaml::SYNTAX, span, "no `*` stands for all fields");
    match key {
        "distinct" => fault.help("write `distinct: all`").fix(span, "all", "write `all`"),
        "group" | "per" => fault.help("all rows are one group in `group: []`"),
        "select" => fault
            .help("all fields pass by themselves: leave the `select` out")
            .help("`with` adds fields to a row, and `drop` takes some away"),
        _ => fault.help("name the fields"),
    }
}

/// A backslash in double quotes that begins no character; the parser stops at the escape, or at
/// the beginning of the text.
fn escape(text: &str, at: usize, error: &ScanError) -> Diagnostic {
    let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let found = bad_escape(text, at).or_else(|| bad_escape(text, line));
    let (start, len) = found.unwrap_or((at, 0));
    let offset = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let span = Span::new(offset(start), offset(start + len));
    let message = format!("`{}` is no character in double quotes", span.slice(text));
    Diagnostic::new(code::yaml::SYNTAX, span, message)
        .help("a plain backslash is `\\\\` there, and `\\` in single quotes")
        .note(error.info())
}

/// The first escape from a place on that YAML does not have, and its length.
fn bad_escape(text: &str, from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        at += text[at..].find('\\')?;
        let rest = &text[at + 1..];
        let kind = rest.chars().next()?;
        let n_wanted = match kind {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            '0' | 'a' | 'b' | 't' | '\t' | 'n' | 'v' | 'f' | 'r' | 'e' | ' ' | '"' | '/' | '\\'
            | 'N' | '_' | 'L' | 'P' | '\n' | '\r' => 0,
            _ => return Some((at, 1 + kind.len_utf8())),
        };
        let digits = &rest[kind.len_utf8()..];
        let n_digits = digits.bytes().take(n_wanted).take_while(u8::is_ascii_hexdigit).count();
        let number = u32::from_str_radix(&digits[..n_digits], 16).unwrap_or_default();
        // Two halves may make one character.
        let second = digits[n_digits..].strip_prefix("\\u").and_then(|rest| rest.get(..4));
        let second = second.and_then(|rest| u32::from_str_radix(rest, 16).ok());
        let is_pair = (0xD800..0xDC00).contains(&number)
            && second.is_some_and(|second| (0xDC00..0xE000).contains(&second));
        if n_digits < n_wanted || (char::from_u32(number).is_none() && !is_pair) {
            return Some((at, 2 + n_digits));
        }
        at += 2 + n_digits + if is_pair { 6 } else { 0 };
    }
}

/// `a: b: c`, or a line indented too far: both end at a colon that may not be there.
fn mapping_value(text: &str, at: usize, span: Span) -> Diagnostic {
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = &text[line_start..at];
    if line.ends_with('?') {
        let whole = Span::new(span.start - 1, span.end);
        return Diagnostic::new(code::expression::QUESTION_MARK, whole, "`?:` is written `//`")
            .fix(whole, "//", "write `//`");
    }
    if line.trim_start_matches([' ', '-']).contains(": ") {
        let n_before =
            |value: &str| value.len().saturating_sub(text[at..].lines().next().map_or(0, str::len));
        let mut diagnostic = quoted(
            text,
            at,
            // Within a text, or after the `?` of a choice, the `:` belongs to an expression.
            |value| {
                let before = value.get(..n_before(value)).unwrap_or("");
                before.matches('"').count() % 2 == 1 || before.contains(" ? ")
            },
            Diagnostic::new(code::yaml::SYNTAX, span, "a second `:` in one entry")
                .label("this `:` would begin another value")
                .help(if line.contains(" ? ") {
                    "a choice is written `if condition then this else that`"
                } else {
                    QUOTE_HELP
                }),
        );
        if diagnostic.fix.is_some() {
            diagnostic.code = code::expression::COLON;
        }
        diagnostic
    } else {
        let message = "a second `:` in one entry, or a line indented too far";
        Diagnostic::new(code::yaml::SYNTAX, span, message)
            .label("this line continues the value above it")
            .help("indent it like the other keys of its map")
    }
}

/// The change that puts the whole value of the line at `at` in single quotes, if the value is
/// written in block form and is one of those meant.
fn quoted(
    text: &str,
    at: usize,
    is_meant: impl Fn(&str) -> bool,
    diagnostic: Diagnostic,
) -> Diagnostic {
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or("");
    let entry = line.trim_start_matches([' ', '-']);
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let value = match entry.split_once(": ") {
        Some((key, value)) if key.chars().all(is_key) => value.trim_start(),
        _ => entry,
    };
    let is_comment = |at: &usize| value[..*at].matches('"').count() % 2 == 0;
    let comment = value.match_indices(" #").map(|(at, _)| at).find(is_comment);
    let value = value[..comment.unwrap_or(value.len())].trim_end();
    let start = line_start + line.find(value).unwrap_or(0);
    let end = start + value.len();
    if value.is_empty() || at < start || end < at || !is_meant(value) || value.contains('\'') {
        return diagnostic;
    }
    let offset = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let span = Span::new(offset(start), offset(end));
    diagnostic.fix(span, super::quote(value), "quote the expression")
}

/// A bracket or text where `{ }` or `[ ]` wants a comma.
fn separator(text: &str, at: usize, span: Span) -> Diagnostic {
    if let Some((whole, meant)) = type_in_brackets(text, at) {
        let title = format!("write `{meant}`");
        return Diagnostic::new(
            code::yaml::TYPE_SYNTAX,
            whole,
            "a type's argument stands in `<` `>`",
        )
        .help(title.clone())
        .fix(whole, meant, title);
    }
    match text[at..].chars().next() {
        Some('[') if text[at..].starts_with("[]") => {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let start = text[..at].trim_end_matches(is_word).len();
            let meant = format!("list<{}>", &text[start..at]);
            let offset = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
            let whole = Span::new(offset(start), offset(at + 2));
            let title = format!("write `{meant}`");
            Diagnostic::new(code::yaml::TYPE_SYNTAX, span, "a list type is not written with `[]`")
                .help(title.clone())
                .fix(whole, meant, title)
        }
        Some('{') if text[..at].ends_with('<') => {
            Diagnostic::new(code::yaml::TYPE_SYNTAX, span, "a type is expected here")
                .help("a struct within `<` `>` has a name: declare it under `schemas:`")
        }
        Some('[' | '{') => {
            let message = "inside `{ }` and `[ ]` a bracket ends the value before it";
            let diagnostic = Diagnostic::new(code::expression::SPLIT, span, message)
                .help("put the expression in single quotes, or write one entry a line");
            match value_of_entry(text, at) {
                Some(value) => {
                    diagnostic.fix(value, super::quote(value.slice(text)), "quote the expression")
                }
                None => diagnostic,
            }
        }
        _ => Diagnostic::new(
            code::yaml::SYNTAX,
            span,
            "inside brackets a comma or the closing bracket is expected here",
        )
        .help("is the bracket before this place closed, and every entry ended by a comma?"),
    }
}

/// `Optional[int64]` around the bracket at an offset, and the type that is meant.
fn type_in_brackets(text: &str, at: usize) -> Option<(Span, String)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let start = text[..at].trim_end_matches(is_word).len();
    let len = text[at..].lines().next().filter(|rest| rest.starts_with('['))?.find(']')?;
    let meant = in_other_brackets(&text[start..at], &text[at + 1..at + len])?;
    let [start, end] = [start, at + len + 1].map(u32::try_from);
    Some((Span::new(start.ok()?, end.ok()?), meant))
}

/// The value around an offset in an entry of `{ }`: from its key to the comma or bracket that ends
/// the entry.
fn value_of_entry(text: &str, at: usize) -> Option<Span> {
    let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let start = text[line..at].rfind(": ").map(|colon| line + colon + 2)?;
    // From the start of the value, so that what was opened before the offset is closed within.
    let mut depth = 0;
    let len = text[start..].find(|c| {
        match c {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth -= 1,
            _ => {}
        }
        depth < 0 || c == '\n' || (depth == 0 && c == ',')
    })?;
    let end = start + len;
    let whole = text[start..end].trim();
    if end <= at || whole.contains(['"', '\'', '\n']) {
        return None;
    }
    let from = end - text[start..end].trim_start().len();
    let [from, to] = [from, from + whole.len()].map(u32::try_from);
    Some(Span::new(from.ok()?, to.ok()?))
}

/// The character before an offset, white space aside.
fn before(text: &str, at: usize) -> Option<char> {
    text[..at].trim_end().chars().next_back()
}

/// The character at an offset; empty at the end of the text.
fn character_span(text: &str, at: usize) -> Span {
    let mut at = at;
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let len = text[at..].chars().next().map_or(0, char::len_utf8);
    let offset = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Span::new(offset(at), offset(at + len))
}

const QUOTE_HELP: &str =
    "an expression that holds `: ` or ` #`, or begins with `\"` or `[`, goes in single quotes";
