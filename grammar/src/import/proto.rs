//! A protobuf file, parsed, with the places of its parts.

use miette::Diagnostic as _;
use protox::file::File;
use protox::prost_reflect::prost_types::FileDescriptorProto;
use std::collections::BTreeMap;

use crate::code::imports as codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::span::Spanned;

/// Numbers of fields of descriptors, as paths of places name them.
pub(super) mod tag {
    pub(in super::super) const FILE_DEPENDENCY: i32 = 3;
    pub(in super::super) const FILE_MESSAGE: i32 = 4;
    pub(in super::super) const MESSAGE_NAME: i32 = 1;
    pub(in super::super) const MESSAGE_FIELD: i32 = 2;
    pub(in super::super) const MESSAGE_NESTED: i32 = 3;
    pub(in super::super) const FIELD_NAME: i32 = 1;
    pub(in super::super) const FIELD_TYPE: i32 = 5;
    pub(in super::super) const FIELD_TYPE_NAME: i32 = 6;
}

/// A protobuf file.
#[derive(Debug)]
pub(super) struct ProtoFile {
    /// What it declares; names of types are as written.
    pub(super) descriptor: FileDescriptorProto,
    /// Places among all texts, by the path of the part.
    places: BTreeMap<Vec<i32>, Span>,
    /// Types of circuits, `// arqon: timestamp`, behind the fields at these paths.
    notes: BTreeMap<Vec<i32>, Spanned<String>>,
    span: Span,
}

impl ProtoFile {
    /// Parses the text at `span`.
    pub(super) fn read(text: &str, span: Span) -> Result<Self, Vec<Diagnostic>> {
        let own = span.slice(text);
        let file = File::from_source("", own).map_err(|error| faults(&error, span))?;
        let descriptor = file.file_descriptor_proto().clone();
        let mut line_starts = vec![span.start];
        let breaks = own.match_indices('\n').map(|(at, _)| offset(at + 1));
        line_starts.extend(breaks.map(|at| span.start.saturating_add(at)));
        let at = |line: i32, column: i32| {
            let line = usize::try_from(line).ok().and_then(|line| line_starts.get(line));
            let start = line.copied().unwrap_or(span.end);
            start.saturating_add(u32::try_from(column).unwrap_or(0)).min(span.end)
        };
        let locations = descriptor.source_code_info.iter().flat_map(|info| &info.location);
        let places: BTreeMap<Vec<i32>, Span> = locations
            .filter_map(|location| {
                let place = match location.span.as_slice() {
                    [line, from, to] => Span::new(at(*line, *from), at(*line, *to)),
                    [line, from, last, to] => Span::new(at(*line, *from), at(*last, *to)),
                    _ => return None,
                };
                let is_import = matches!(location.path.as_slice(), [tag::FILE_DEPENDENCY, _]);
                let place = if is_import { within_quotes(place, text) } else { place };
                Some((location.path.clone(), place))
            })
            .collect();
        let is_field = |path: &[i32]| {
            matches!(path, [tag::FILE_MESSAGE, .., tag::MESSAGE_FIELD, _])
                && path.len().is_multiple_of(2)
        };
        let notes = places
            .iter()
            .filter(|(path, _)| is_field(path))
            .filter_map(|(path, place)| Some((path.clone(), note_behind(text, *place, span)?)))
            .collect();
        Ok(Self { descriptor, places, notes, span })
    }

    /// The files that it imports, without those of protobuf itself.
    pub(super) fn imports(&self) -> Vec<Spanned<String>> {
        let imports = self.descriptor.dependency.iter().enumerate();
        imports
            .filter(|(_, name)| !name.starts_with("google/protobuf/"))
            .map(|(at, name)| {
                let place = self.place(&[tag::FILE_DEPENDENCY, index(at)]);
                Spanned::new(name.clone(), place)
            })
            .collect()
    }

    /// The type of circuits that is written behind a field.
    pub(super) fn note(&self, path: &[i32]) -> Option<&Spanned<String>> {
        self.notes.get(path)
    }

    /// The place of a part; the whole file if it is not known.
    pub(super) fn place(&self, path: &[i32]) -> Span {
        self.places.get(path).copied().unwrap_or(Span::empty(self.span.start))
    }
}

/// The type in a comment `// arqon: …` on the line on which a field ends.
fn note_behind(text: &str, field: Span, file: Span) -> Option<Spanned<String>> {
    let rest = Span::new(field.end, file.end).slice(text);
    let line = rest.split(['\n', '\r']).next()?;
    let comment = line.trim_start_matches([' ', '\t', ';']).strip_prefix("//")?;
    let written = comment.trim_start().strip_prefix("arqon:")?.trim();
    let start = field.end + offset(line.rfind(written)?);
    Some(Spanned::new(written.to_owned(), Span::new(start, start + offset(written.len()))))
}

/// The path of an import, without the statement around it.
fn within_quotes(statement: Span, text: &str) -> Span {
    let written = statement.slice(text);
    let quote = |c: char| c == '"' || c == '\'';
    match (written.find(quote), written.rfind(quote)) {
        (Some(first), Some(last)) if first < last => {
            Span::new(statement.start + offset(first + 1), statement.start + offset(last))
        }
        _ => statement,
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// A count as paths of places hold it.
pub(super) fn index(at: usize) -> i32 {
    i32::try_from(at).unwrap_or(i32::MAX)
}

/// What the parser found, each with its place.
fn faults(error: &protox::Error, span: Span) -> Vec<Diagnostic> {
    let mut all = vec![fault(error, span)];
    all.extend(error.related().into_iter().flatten().map(|other| fault(other, span)));
    all
}

fn fault(error: &dyn miette::Diagnostic, span: Span) -> Diagnostic {
    let label = error.labels().and_then(|mut labels| labels.next());
    let place = label.as_ref().map_or(Span::empty(span.start), |label| {
        let at = |at: usize| span.start.saturating_add(offset(at)).min(span.end);
        Span::new(at(label.offset()), at(label.offset() + label.len()))
    });
    let message = format!("the protobuf file cannot be read: {error}");
    let diagnostic = Diagnostic::new(codes::PROTO_SYNTAX, place, message.replace('\'', "`"));
    match label.as_ref().and_then(|label| label.label()) {
        Some(text) => diagnostic.label(text.to_owned()),
        None => diagnostic,
    }
}
