//! Causes that lines of text show better than the place where the YAML parser gave up: a quote left
//! open, a colon without its blank, a line indented by a number of its own.

use granit_parser::ErrorKind;

use crate::code;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// What the lines up to a fault at `at` show, if they show more than the fault itself.
pub(super) fn cause(text: &str, start: u32, at: usize, kind: &ErrorKind) -> Option<Diagnostic> {
    let lines = Lines { text, from: start as usize, at };
    let own = lines.own();
    if let Some(cause) = lines.glued_dash(own).or_else(|| lines.glued_dash(lines.before(own)?)) {
        return Some(cause);
    }
    match kind {
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidTrailingDoubleQuotedScalar
        | ErrorKind::InvalidTrailingSingleQuotedScalar => lines.open_quote(),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => lines.glued(lines.own()),
        ErrorKind::MappingValueNotAllowed => {
            // A line without its colon is continued by the next one.
            let is_second = lines.text[lines.own()..at].contains(": ");
            lines.before(lines.own()).filter(|_| !is_second).and_then(|before| lines.glued(before))
        }
        ErrorKind::ExpectedBlockMappingKey => lines.glued(lines.own()).or_else(|| lines.misfit()),
        _ => lines.open_bracket(),
    }
}

struct Lines<'t> {
    text: &'t str,
    /// Where the file begins.
    from: usize,
    /// Where the parser gave up.
    at: usize,
}

impl<'t> Lines<'t> {
    /// Where the line of the fault begins.
    fn own(&self) -> usize {
        self.text[self.from..self.at].rfind('\n').map_or(self.from, |at| self.from + at + 1)
    }

    /// Where the line before one begins.
    fn before(&self, line: usize) -> Option<usize> {
        let end = line.checked_sub(1).filter(|end| self.from <= *end)?;
        Some(self.text[self.from..end].rfind('\n').map_or(self.from, |at| self.from + at + 1))
    }

    fn line(&self, start: usize) -> &'t str {
        self.text[start..].split('\n').next().unwrap_or_default().trim_end_matches('\r')
    }

    /// A quote that opens a value, and is closed only lines after it or never.
    fn open_quote(&self) -> Option<Diagnostic> {
        let own = self.own();
        let mut start = self.from;
        let open = loop {
            if own <= start {
                return None;
            }
            let line = self.line(start);
            if let Some(open) = left_open(line) {
                break start + open;
            }
            start += self.text[start..].find('\n')? + 1;
        };
        let quote = &self.text[open..=open];
        // Another quote between would have closed it.
        if 1 < self.text[open + 1..self.at].matches(quote).count() {
            return None;
        }
        let message = format!("the quote `{quote}` is not closed on its line");
        Some(
            syntax(open, open + 1, message)
                .secondary(span(self.at, self.at), "so that the text goes on to here")
                .help(format!("close it at the end of the value: {quote}…{quote}")),
        )
    }

    /// A bracket that is still open in a line that is indented no further than its own.
    fn open_bracket(&self) -> Option<Diagnostic> {
        let own = self.own();
        let mut start = own;
        let mut n_closed = 0;
        for _ in 0..BRACKET_LINES_MAX {
            start = self.before(start)?;
            let (open, n_closing) = brackets(self.line(start));
            if n_closed < open.len() {
                let open = start + open[open.len() - 1 - n_closed];
                if indent(self.line(start)) < indent(self.line(own)) {
                    return None;
                }
                let bracket = &self.text[open..=open];
                let message = format!("the bracket `{bracket}` is not closed where its entry ends");
                return Some(
                    syntax(open, open + 1, message)
                        .secondary(span(self.at, self.at), "so that this belongs to it")
                        .help(
                            "inside brackets every entry ends with a comma or the closing bracket",
                        ),
                );
            }
            n_closed = n_closed - open.len() + n_closing;
        }
        None
    }

    /// `-key: value`, in the line that begins at `start`.
    fn glued_dash(&self, start: usize) -> Option<Diagnostic> {
        let line = self.line(start);
        let entry = line.trim_start_matches(' ').strip_prefix('-')?;
        let n_key = entry.find(|c: char| !c.is_ascii_lowercase() && c != '_')?;
        let is_key = 0 < n_key && (entry[n_key..].starts_with(": ") || entry[n_key..] == *":");
        let dash = start + indent(line);
        is_key.then(|| {
            syntax(dash, dash + 1, "the `-` of this item has no blank behind it".to_owned())
                .help("an item of a list is `- key: value`")
                .fix(span(dash + 1, dash + 1), " ", "put a blank there")
        })
    }

    /// `key:value` or `key = value`, in the line that begins at `start`.
    fn glued(&self, start: usize) -> Option<Diagnostic> {
        let line = self.line(start);
        let entry = line.trim_start_matches([' ', '-']);
        let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        let n_key = entry.find(|c| !is_key(c)).filter(|at| 0 < *at)?;
        // The parameters of a function belong to its key.
        let n_key = match entry[n_key..].strip_prefix('(').and_then(|rest| rest.find(')')) {
            Some(end) => n_key + end + 2,
            None => n_key,
        };
        let key_start = start + line.len() - entry.len();
        let rest = &entry[n_key..];
        let sign = n_key + rest.len() - rest.trim_start().len();
        let (sign_start, key) = (key_start + sign, &entry[..n_key]);
        let mut signs = rest.trim_start().chars();
        match (signs.next()?, signs.next()?) {
            (':', next) if !next.is_whitespace() && next != '/' && next != ':' => {
                let message = format!("the `:` behind `{key}` has no blank after it");
                let colon = span(sign_start, sign_start + 1);
                Some(
                    syntax(sign_start, sign_start + 1, message)
                        .help(format!("an entry is `{key}: value`, with a blank after the colon"))
                        .fix(colon, ": ", "put a blank there"),
                )
            }
            ('=', next) if next != '=' => {
                let message = format!("`{key}` gets its value by `:`, not by `=`");
                let gap = span(key_start + n_key, sign_start + 1);
                let colon = if next == ' ' { ":" } else { ": " };
                Some(
                    syntax(sign_start, sign_start + 1, message)
                        .help(format!("write `{key}: value`"))
                        .fix(gap, colon, "write `:`"),
                )
            }
            _ => None,
        }
    }

    /// A line that is indented neither like the lines around it nor like those within them.
    fn misfit(&self) -> Option<Diagnostic> {
        let own = self.own();
        let mut levels: Vec<(usize, usize)> = Vec::new();
        let mut start = self.from;
        while start < own {
            let line = self.line(start);
            levels.retain(|(level, _)| *level <= indent(line) || is_empty(line));
            for level in starts(line) {
                if levels.last().is_none_or(|(last, _)| *last < level) {
                    levels.push((level, start));
                }
            }
            start += self.text[start..].find('\n')? + 1;
        }
        let line = self.line(own);
        let found = indent(line);
        let (above, line_above) = *levels.iter().find(|(level, _)| found <= *level)?;
        let below = levels.iter().rev().map(|(level, _)| *level).find(|level| *level < found);
        if above == found {
            return None;
        }
        let fits = match below {
            Some(below) => format!("{below} or {above}"),
            None => above.to_string(),
        };
        let n_word = line[found..].find([' ', ':']).unwrap_or(line.len() - found).max(1);
        let first_above = self.text[line_above + above..].chars().next();
        let n_first = first_above.map_or(0, char::len_utf8);
        let message = format!("this line is indented by {found} blanks, and {fits} would fit");
        Some(
            syntax(own + found, own + found + n_word.min(line.len() - found), message)
                .secondary(
                    span(line_above + above, line_above + above + n_first),
                    format!("indented by {above}"),
                )
                .help("indent all entries of one list or map alike, by spaces"),
        )
    }
}

/// How many lines a list or map in brackets may have behind its first one.
const BRACKET_LINES_MAX: usize = 100;

/// Where a line opens brackets that it does not close, and how many it closes of others.
fn brackets(line: &str) -> (Vec<usize>, usize) {
    let (mut open, mut n_closing) = (Vec::new(), 0);
    let mut quote: Option<char> = None;
    let (mut before, mut is_escaped) = (':', false);
    for (at, character) in line.char_indices() {
        if let Some(quoting) = quote {
            quote = quote.filter(|_| character != quoting || is_escaped);
            is_escaped = character == '\\' && !is_escaped && quoting == '"';
            continue;
        }
        match character {
            '#' if line[..at].ends_with([' ', '\t']) => break,
            '"' | '\'' if matches!(before, ':' | '-' | '[' | '{' | ',') => quote = Some(character),
            '[' | '{' => open.push(at),
            ']' | '}' if open.pop().is_none() => n_closing += 1,
            _ => {}
        }
        if !character.is_whitespace() {
            before = character;
        }
    }
    (open, n_closing)
}

/// Where a value begins with a quote that its line does not close.
fn left_open(line: &str) -> Option<usize> {
    let mut open: Option<(usize, char)> = None;
    let (mut before, mut is_escaped) = (':', false);
    for (at, character) in line.char_indices() {
        match open {
            Some((_, quote)) => {
                if character == quote && !is_escaped {
                    open = None;
                }
                is_escaped = character == '\\' && !is_escaped && quote == '"';
                before = '"';
            }
            None if character == '#' && line[..at].ends_with([' ', '\t']) => return None,
            None if matches!(character, '"' | '\'')
                && matches!(before, ':' | '-' | '[' | '{' | ',') =>
            {
                open = Some((at, character));
            }
            None => {
                if !character.is_whitespace() {
                    before = character;
                }
            }
        }
    }
    open.map(|(at, _)| at)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn is_empty(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// The columns at which a line begins lists and maps: `- - a: 1` at three of them.
fn starts(line: &str) -> Vec<usize> {
    if is_empty(line) {
        return Vec::new();
    }
    let mut found = vec![indent(line)];
    let mut at = indent(line);
    while let Some(rest) = line[at..].strip_prefix("- ") {
        at = line.len() - rest.trim_start_matches(' ').len();
        found.push(at);
    }
    found
}

fn syntax(start: usize, end: usize, message: String) -> Diagnostic {
    Diagnostic::new(code::yaml::SYNTAX, span(start, end), message)
}

fn span(start: usize, end: usize) -> Span {
    let offset = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Span::new(offset(start), offset(end))
}
