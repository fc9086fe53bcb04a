//! Diagnostics as editors show them: the same facts as those of the command.

use std::collections::BTreeMap;

use arqon_grammar::diagnostic::Severity;
use arqon_grammar::sources::SourceFile;
use arqon_grammar::{Diagnostic, Sources, Span};
use lsp_types::{DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString, Uri};

use crate::text::Lines;

/// What is said besides the place: the message, then each line of help and each note. SARIF says
/// the same.
pub fn message(diagnostic: &Diagnostic) -> String {
    let mut message = diagnostic.message.clone();
    for help in &diagnostic.help {
        message.push_str("\nhelp: ");
        message.push_str(help);
    }
    for note in &diagnostic.notes {
        message.push_str("\nnote: ");
        message.push_str(note);
    }
    message
}

/// The files of a circuit with their lines and URIs.
pub(crate) struct Places<'s> {
    sources: &'s Sources,
    lines: Vec<Lines>,
    uri: &'s dyn Fn(&str) -> Option<Uri>,
}

impl<'s> Places<'s> {
    /// The places of `sources`; `uri` gives the URI of a file by its name.
    pub(crate) fn new(sources: &'s Sources, uri: &'s dyn Fn(&str) -> Option<Uri>) -> Self {
        let lines = sources.files().iter().map(|it| Lines::new(sources.text_of(it))).collect();
        Self { sources, lines, uri }
    }

    /// The file of a place, and its range there.
    pub(crate) fn location(&self, span: Span) -> Option<Location> {
        let file = self.sources.file(span);
        let at = self.sources.files().iter().position(|other| other == file)?;
        Some(Location { uri: (self.uri)(&file.name)?, range: self.range(at, file, span) })
    }

    fn range(&self, at: usize, file: &SourceFile, span: Span) -> lsp_types::Range {
        let text = self.sources.text_of(file);
        let within = |offset: u32| offset.saturating_sub(file.span.start) as usize;
        self.lines[at].range(text, within(span.start), within(span.end))
    }
}

/// All diagnostics, by the file that they are in.
pub(crate) fn by_file(
    found: &[Diagnostic],
    places: &Places<'_>,
) -> BTreeMap<String, Vec<lsp_types::Diagnostic>> {
    let mut files: BTreeMap<String, Vec<lsp_types::Diagnostic>> = BTreeMap::new();
    for diagnostic in found {
        if let Some((uri, converted)) = convert(diagnostic, places) {
            files.entry(uri.as_str().to_owned()).or_default().push(converted);
        }
    }
    files
}

/// A diagnostic with the file it is in.
pub(crate) fn convert(
    diagnostic: &Diagnostic,
    places: &Places<'_>,
) -> Option<(Uri, lsp_types::Diagnostic)> {
    let Location { uri, range } = places.location(diagnostic.primary.span)?;
    let labels = std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary);
    let related: Vec<DiagnosticRelatedInformation> = labels
        .filter(|label| !label.message.is_empty())
        .filter_map(|label| {
            let location = places.location(label.span)?;
            Some(DiagnosticRelatedInformation { location, message: label.message.clone() })
        })
        .collect();
    let severity = match diagnostic.severity {
        Severity::Error => DiagnosticSeverity::ERROR,
        Severity::Warning => DiagnosticSeverity::WARNING,
    };
    let converted = lsp_types::Diagnostic {
        range,
        severity: Some(severity),
        code: Some(NumberOrString::String(diagnostic.code.id().to_owned())),
        source: Some("arqon".to_owned()),
        message: message(diagnostic),
        related_information: (!related.is_empty()).then_some(related),
        ..lsp_types::Diagnostic::default()
    };
    Some((uri, converted))
}
