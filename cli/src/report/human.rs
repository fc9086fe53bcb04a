//! Diagnostics in rustc's look.

use std::cell::Cell;
use std::ops::Range;

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level, Origin, Patch, Renderer, Snippet,
};
use arqon_grammar::diagnostic::{Label, Severity};
use arqon_grammar::sources::{Lines, SourceFile};
use arqon_grammar::{Diagnostic, Sources, Span};

use super::Findings;

/// All diagnostics of one circuit, each followed by an empty line.
pub(super) fn render(findings: &Findings, colored: bool) -> String {
    render_those(findings, colored, |_| true)
}

/// The errors of one circuit, each followed by an empty line.
pub(super) fn render_errors(findings: &Findings, colored: bool) -> String {
    render_those(findings, colored, Diagnostic::is_error)
}

fn render_those(
    findings: &Findings,
    colored: bool,
    is_shown: impl Fn(&Diagnostic) -> bool,
) -> String {
    let budget = Budget(Cell::new(SHOWN_BYTES_MAX));
    let renderer = if colored { Renderer::styled() } else { Renderer::plain() };
    let lines = findings.sources.lines();
    let mut text = String::new();
    for diagnostic in findings.diagnostics.iter().filter(|diagnostic| is_shown(diagnostic)) {
        text.push_str(&renderer.render(&groups(diagnostic, &findings.sources, &lines, &budget)));
        text.push_str("\n\n");
    }
    text
}

fn groups<'a>(
    diagnostic: &'a Diagnostic,
    sources: &'a Sources,
    lines: &Lines<'a>,
    budget: &Budget,
) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&diagnostic.message).id(diagnostic.code.id());
    let mut main = Group::with_title(title);
    for snippet in snippets(diagnostic, sources, lines, budget) {
        main = main.element(snippet);
    }
    for note in &diagnostic.notes {
        main = main.element(Level::NOTE.message(note));
    }
    for help in &diagnostic.help {
        main = main.element(Level::HELP.message(help));
    }
    let mut groups = vec![main];
    if let Some(fix) = &diagnostic.fix {
        let file = sources.file(fix.span);
        let mut window = Window::around(&spans_in(diagnostic, sources, file), lines, sources, file);
        if !budget.covers(&window) {
            window = Window::around(&[fix.span], lines, sources, file);
        }
        let group = Group::with_title(Level::HELP.secondary_title(&fix.title));
        groups.push(if !window.is_wide() && budget.take(&window) {
            let patch = Patch::new(window.range(fix.span), &fix.replacement);
            let snippet = Snippet::source(window.text)
                .line_start(window.line_start)
                .path(file.name.as_str())
                .patch(patch);
            group.element(snippet)
        } else {
            group.element(origin(fix.span, lines))
        });
    }
    groups
}

/// One snippet for each file with a label, that of the primary one first; where a label is far from
/// the others, one for each label.
fn snippets<'a>(
    diagnostic: &'a Diagnostic,
    sources: &'a Sources,
    lines: &Lines<'a>,
    budget: &Budget,
) -> Vec<Element<'a>> {
    let primary = (AnnotationKind::Primary, &diagnostic.primary);
    let secondary = diagnostic.secondary.iter().map(|label| (AnnotationKind::Context, label));
    let labels: Vec<(AnnotationKind, &Label)> = std::iter::once(primary).chain(secondary).collect();
    let mut files: Vec<&SourceFile> = Vec::new();
    for (_, label) in &labels {
        let file = sources.file(label.span);
        if !files.contains(&file) {
            files.push(file);
        }
    }
    let mut elements = Vec::new();
    for file in files {
        let own = labels.iter().filter(|(_, label)| sources.file(label.span) == file);
        let own: Vec<(AnnotationKind, &Label)> = own.copied().collect();
        let window = Window::around(&spans_in(diagnostic, sources, file), lines, sources, file);
        if budget.take(&window) {
            elements.push(window.snippet(&file.name, &own).into());
            continue;
        }
        for label in own {
            let window = Window::around(&[label.1.span], lines, sources, file);
            elements.push(if budget.take(&window) {
                window.snippet(&file.name, &[label]).into()
            } else {
                origin(label.1.span, lines).into()
            });
        }
    }
    elements
}

/// How many bytes of text may still be shown: a thousand faults in one long line would show it a
/// thousand times.
struct Budget(Cell<usize>);

impl Budget {
    fn covers(&self, window: &Window<'_>) -> bool {
        window.text.len() <= WINDOW_BYTES_MAX.min(self.0.get())
    }

    /// Whether a window is shown.
    fn take(&self, window: &Window<'_>) -> bool {
        let is_covered = self.covers(window);
        if is_covered {
            self.0.set(self.0.get() - window.text.len());
        }
        is_covered
    }
}

/// A place alone, where its line is too long to be shown.
fn origin<'a>(span: Span, lines: &Lines<'a>) -> Origin<'a> {
    let (file, position) = lines.start(span);
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Origin::path(file).line(number(position.line)).char_column(number(position.column))
}

/// The places of a diagnostic in one file.
fn spans_in(diagnostic: &Diagnostic, sources: &Sources, file: &SourceFile) -> Vec<Span> {
    let labels = std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary);
    let spans = labels.map(|label| label.span).chain(diagnostic.fix.iter().map(|fix| fix.span));
    spans.filter(|span| sources.file(*span) == file).collect()
}

/// The whole lines of a file that a diagnostic touches, so that a large file costs no more than
/// a small one.
struct Window<'t> {
    text: &'t str,
    start: usize,
    line_start: usize,
}

impl<'t> Window<'t> {
    fn around(spans: &[Span], lines: &Lines<'t>, sources: &'t Sources, file: &SourceFile) -> Self {
        let whole = sources.text_of(file);
        let first = file.span.start as usize;
        let mut start = whole.len();
        let mut end = 0;
        for span in spans {
            start = start.min((span.start as usize).saturating_sub(first));
            end = end.max((span.end as usize).saturating_sub(first));
        }
        let bytes = whole.as_bytes();
        let last = end.min(whole.len());
        // Nobody looks further than where the window is too large anyway.
        let least = boundary(whole, start.saturating_sub(WINDOW_BYTES_MAX + 1));
        let most = boundary(whole, last + WINDOW_BYTES_MAX + 4).max(last);
        // Line breaks are ASCII, so both ends are ends of characters.
        let start = bytes[least..start]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(least, |at| least + at + 1);
        let end =
            bytes[last..most].iter().position(|byte| *byte == b'\n').map_or(most, |at| last + at);
        let end = if bytes[..end].ends_with(b"\r") && end > last { end - 1 } else { end };
        let text = &whole[start..end.max(start)];
        let start = start + first;
        let (_, position) = lines.start(Span::empty(u32::try_from(start).unwrap_or(u32::MAX)));
        Self { text, start, line_start: usize::try_from(position.line).unwrap_or(usize::MAX) }
    }

    /// Whether a line is too long for a change, of which whole lines are drawn.
    fn is_wide(&self) -> bool {
        self.text.lines().any(|line| LINE_BYTES_MAX < line.len())
    }

    fn snippet<'l>(
        &self,
        path: &'t str,
        labels: &[(AnnotationKind, &'l Label)],
    ) -> Snippet<'t, Annotation<'t>>
    where
        'l: 't,
    {
        let annotations = labels.iter().map(|&(kind, label)| {
            let annotation = kind.span(self.range(label.span));
            if label.message.is_empty() { annotation } else { annotation.label(&label.message) }
        });
        Snippet::source(self.text).line_start(self.line_start).path(path).annotations(annotations)
    }

    /// The span within the window; moved to ends of characters, which it has in our own texts.
    fn range(&self, span: Span) -> Range<usize> {
        let within =
            |offset: u32| boundary(self.text, (offset as usize).saturating_sub(self.start));
        let start = within(span.start);
        start..within(span.end).max(start)
    }
}

/// The last end of a character up to `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Longest stretch of a file that is shown for one diagnostic.
const WINDOW_BYTES_MAX: usize = 128 << 10;

/// Longest line that is drawn whole.
const LINE_BYTES_MAX: usize = 4 << 10;

/// Most bytes of a circuit's files that are shown for all of its diagnostics.
const SHOWN_BYTES_MAX: usize = 512 << 10;

#[cfg(test)]
mod tests {
    use arqon_grammar::code;

    use super::*;

    fn check(text: &str, diagnostic: Diagnostic, expected: &str) {
        let source = Sources::new("a.yaml", text);
        let rendered = render(&Findings::new(source, vec![diagnostic]), false);
        assert_eq!(rendered.trim_end(), expected.trim_matches('\n'), "\n{rendered}");
    }

    fn span_of(text: &str, part: &str) -> Span {
        let start = u32::try_from(text.find(part).unwrap()).unwrap();
        Span::new(start, start + u32::try_from(part.len()).unwrap())
    }

    #[test]
    fn a_diagnostic_shows_its_places_its_help_and_its_fix() {
        let text = "arqon: 1\nflow:\n  score:\n    from: nvm.result\n    where: µ == 1 && b\n";
        let diagnostic =
            Diagnostic::new(code::yaml::SYNTAX, span_of(text, "&&"), "`&&` is no operator")
                .label("write `and`")
                .secondary(span_of(text, "nvm.result"), "rows come from here")
                .help("conditions are joined by words")
                .fix(span_of(text, "&&"), "and", "use the word");
        let expected = "
error[E0001]: `&&` is no operator
 --> a.yaml:5:19
  |
4 |     from: nvm.result
  |           ---------- rows come from here
5 |     where: µ == 1 && b
  |                   ^^ write `and`
  |
  = help: conditions are joined by words
help: use the word
  |
5 -     where: µ == 1 && b
5 +     where: µ == 1 and b
  |
";
        check(text, diagnostic, expected);
    }

    #[test]
    fn line_breaks_of_windows_are_not_drawn() {
        let text = "arqon: 1\r\nflow: &&\r\nroutes:\r\n";
        let diagnostic =
            Diagnostic::new(code::yaml::SYNTAX, span_of(text, "&&"), "`&&` is no operator");
        let expected = "
error[E0001]: `&&` is no operator
 --> a.yaml:2:7
  |
2 | flow: &&
  |       ^^
";
        check(text, diagnostic, expected);
    }

    #[test]
    fn a_place_at_the_end_of_the_text_is_drawn() {
        let text = "arqon: 1";
        let diagnostic = Diagnostic::new(code::yaml::SYNTAX, Span::empty(8), "the file ends here");
        let source = Sources::new("a.yaml", text);
        let rendered = render(&Findings::new(source, vec![diagnostic]), false);
        assert!(rendered.contains("a.yaml:1:9"), "{rendered}");
        let beyond = Diagnostic::new(code::yaml::SYNTAX, Span::new(90, 99), "beyond");
        let source = Sources::new("a.yaml", "");
        assert!(render(&Findings::new(source, vec![beyond]), true).contains("beyond"));
    }
}
