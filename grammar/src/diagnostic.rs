//! Diagnostics as data: what is wrong, where, and how to mend it. Only the command prints them.

use crate::code::Code;
use crate::limits::DIAGNOSTICS_MAX;
use crate::span::LineIndex;
use crate::span::Span;
use crate::suggest::is_certain;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The circuit is refused.
    Error,
    /// The circuit is accepted.
    Warning,
}

/// A place with a remark; the remark may be empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is to be seen there.
    pub message: String,
}

/// A change of the text that mends the fault, safe to apply by machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fix {
    /// The text to replace; empty for an insertion.
    pub span: Span,
    /// The new text.
    pub replacement: String,
    /// What the change does, in a few words.
    pub title: String,
}

/// One fault in the user's text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// Error or warning, as the code says.
    pub severity: Severity,
    /// One line: lower case, no full stop, the user's words in backticks.
    pub message: String,
    /// The smallest text that must change.
    pub primary: Label,
    /// Up to three places that explain it.
    pub secondary: Vec<Label>,
    /// How to go on.
    pub help: Vec<String>,
    /// Why it is so.
    pub notes: Vec<String>,
    /// A machine-applicable change, when there is exactly one right one.
    pub fix: Option<Fix>,
}

/// Longest message in characters; what the user wrote may be of any length.
const MESSAGE_CHARACTERS_MAX: usize = 500;

/// The message as one line of bounded length in which all characters are seen.
fn one_line(message: String) -> String {
    if message.len() <= MESSAGE_CHARACTERS_MAX && !message.contains(is_unseen) {
        return message;
    }
    let characters: Vec<char> = message.chars().collect();
    let n_cut = characters.len().saturating_sub(MESSAGE_CHARACTERS_MAX);
    let (head, tail) = if n_cut > 0 {
        let head = MESSAGE_CHARACTERS_MAX * 3 / 4;
        (&characters[..head], &characters[head + n_cut..])
    } else {
        (characters.as_slice(), [].as_slice())
    };
    let mut line = String::new();
    for (part, begins_with) in [(head, ""), (tail, if n_cut > 0 { "…" } else { "" })] {
        line.push_str(begins_with);
        for character in part {
            if is_unseen(*character) {
                line.extend(character.escape_unicode());
            } else {
                line.push(*character);
            }
        }
    }
    line
}

/// Whether a character shows as nothing, as a blank that is no space, or breaks the line.
pub(crate) fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\0'..='\x1f'
            | '\x7f'..='\u{a0}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{1680}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180e}'
            | '\u{2000}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{205f}'..='\u{206f}'
            | '\u{3000}'
            | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{fffe}'..='\u{ffff}'
            | '\u{e0000}'..='\u{10ffff}'
    )
}

/// Most secondary labels a diagnostic carries; more would hide the fault.
pub(crate) const SECONDARY_MAX: usize = 3;

impl Diagnostic {
    /// A diagnostic with its primary place.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        let severity = if code.is_warning() { Severity::Warning } else { Severity::Error };
        Self {
            code,
            severity,
            message: one_line(message.into()),
            primary: Label { span, message: String::new() },
            secondary: Vec::new(),
            help: Vec::new(),
            notes: Vec::new(),
            fix: None,
        }
    }

    /// Adds a remark at the primary place.
    #[must_use]
    pub fn label(mut self, message: impl Into<String>) -> Self {
        self.primary.message = message.into();
        self
    }

    /// Adds another place; past three they are left out.
    #[must_use]
    pub fn secondary(mut self, span: Span, message: impl Into<String>) -> Self {
        if self.secondary.len() < SECONDARY_MAX {
            self.secondary.push(Label { span, message: message.into() });
        }
        self
    }

    /// Adds a line of help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds `did you mean …?` when there is a candidate.
    #[must_use]
    pub fn did_you_mean(self, candidate: Option<&str>) -> Self {
        match candidate {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// Writes `near` for the name that stands at `span`, when only that can have been meant.
    ///
    /// A place that does not hold just the name, such as a name with escapes, is left alone.
    #[must_use]
    pub fn fix_name<'n>(
        self,
        span: Span,
        name: &str,
        near: Option<&str>,
        candidates: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        match near {
            Some(near)
                if span.len() as usize == name.len() && is_certain(name, near, candidates) =>
            {
                self.fix(span, near, format!("write `{near}`"))
            }
            Some(_) | None => self,
        }
    }

    /// Adds a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Sets the machine-applicable change.
    #[must_use]
    pub fn fix(
        mut self,
        span: Span,
        replacement: impl Into<String>,
        title: impl Into<String>,
    ) -> Self {
        self.fix = Some(Fix { span, replacement: replacement.into(), title: title.into() });
        self
    }

    /// Whether the circuit is refused because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// All in plain lines: `3:5 error[E0203]: message`, then labels, help and fix, indented.
    ///
    /// The form for tests and logs; the command draws snippets instead.
    pub fn brief(&self, text: &str) -> String {
        let index = LineIndex::new(text);
        let place = |span: Span| {
            let (start, end) = index.range(text, span);
            if start.line == end.line {
                format!("{}:{}-{}", start.line, start.column, end.column)
            } else {
                format!("{}:{}-{}:{}", start.line, start.column, end.line, end.column)
            }
        };
        let kind = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut lines =
            vec![format!("{} {kind}[{}]: {}", place(self.primary.span), self.code, self.message)];
        if !self.primary.message.is_empty() {
            lines.push(format!("  here: {}", self.primary.message));
        }
        for label in &self.secondary {
            lines.push(format!("  {}: {}", place(label.span), label.message));
        }
        lines.extend(self.help.iter().map(|help| format!("  help: {help}")));
        lines.extend(self.notes.iter().map(|note| format!("  note: {note}")));
        // A change to what the help asks for would say it twice.
        let is_said = |fix: &Fix| {
            let asked = [
                format!("did you mean `{}`?", fix.replacement),
                format!("write `{}`", fix.replacement),
            ];
            self.help.iter().any(|help| asked.contains(help))
        };
        if let Some(fix) = &self.fix
            && !is_said(fix)
        {
            lines.push(format!("  fix {}: {} -> {}", place(fix.span), fix.title, fix.replacement));
        }
        lines.join("\n")
    }
}

/// Collects the diagnostics of one run, up to a limit.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    list: Vec<Diagnostic>,
    n_left_out: usize,
}

impl Collector {
    /// Takes one more; past the limit it is counted only.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.list.len() < DIAGNOSTICS_MAX {
            self.list.push(diagnostic);
        } else {
            self.n_left_out += 1;
        }
    }

    /// Whether one of this kind was found within a place.
    pub(crate) fn has_within(&self, code: Code, place: Span) -> bool {
        let is_there = |span: Span| place.start <= span.start && span.end <= place.end;
        self.list.iter().any(|it| it.code == code && is_there(it.primary.span))
    }

    /// Takes several more.
    pub(crate) fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        for diagnostic in diagnostics {
            self.push(diagnostic);
        }
    }

    /// How many were found so far.
    pub(crate) fn len(&self) -> usize {
        self.list.len() + self.n_left_out
    }

    /// Forgets those that were found after the first `len`, for one that says it better.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.n_left_out = len.saturating_sub(self.list.len()).min(self.n_left_out);
        self.list.truncate(len);
    }

    /// All of them, in order of the file.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        sort(&mut self.list);
        if let Some(last) = self.list.last_mut()
            && 0 < self.n_left_out
        {
            last.notes.push(format!("{} more diagnostics are not shown", self.n_left_out));
        }
        self.list
    }
}

/// The diagnostics of one run in order of the file, at most so many as [`DIAGNOSTICS_MAX`]:
/// errors before warnings, and the last one says how many are left out.
pub fn limited(mut all: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let in_order = |it: &Diagnostic| (it.primary.span, it.code.id());
    let n_left_out = all.len().saturating_sub(DIAGNOSTICS_MAX);
    if 0 < n_left_out {
        all.sort_by_key(|it| (it.severity, in_order(it)));
        all.truncate(DIAGNOSTICS_MAX);
    }
    all.sort_by_key(in_order);
    if let Some(last) = all.last_mut()
        && 0 < n_left_out
    {
        last.notes.push(format!("{n_left_out} more diagnostics are not shown"));
    }
    all
}

/// Orders diagnostics as they stand in the file; equal places keep the order of finding.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by_key(|diagnostic| (diagnostic.primary.span.start, diagnostic.severity));
}
