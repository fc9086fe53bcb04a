//! Where a name is declared, and where it is used.

use std::path::{Component, Path, PathBuf};

use arqon_grammar::Span;

use crate::analysis::Analysis;
use crate::names::{self, Kind, Occurrence};

/// Where what stands at an offset is declared; of an import, the beginning of its file.
pub(crate) fn definition(analysis: &Analysis, offset: u32) -> Option<Span> {
    if let Some(file) = imported(analysis, offset) {
        return Some(file);
    }
    let found = names::at(analysis.everything(), offset)?;
    match found.kind {
        Kind::Field if !found.is_declaration => Some(field(analysis, found.span)),
        Kind::Topic
        | Kind::Node
        | Kind::Schema
        | Kind::Function
        | Kind::Param
        | Kind::Operator
        | Kind::Label
        | Kind::Local
        | Kind::Field
        | Kind::Variant
        | Kind::Argument
        | Kind::Variable
        | Kind::Implementation
        | Kind::Port
        | Kind::Profile
        | Kind::Role
        | Kind::Test => declaration(analysis, found).map(|it| it.span),
    }
}

/// Where a field is declared: by way of all steps that take it under its own name.
fn field(analysis: &Analysis, place: Span) -> Span {
    let names = analysis.facts.names();
    let mut at = place;
    // Each step leads to one that stands before it in the flow; the bound is for broken texts.
    for _ in 0..names.len() {
        let first = names.partition_point(|(place, _)| *place < at);
        match names.get(first) {
            Some((place, declared)) if *place == at && *declared != at => at = *declared,
            _ => break,
        }
    }
    at
}

/// The imports of the circuit itself, each with the beginning of its file.
pub(crate) fn imports(analysis: &Analysis) -> Vec<(Span, Span)> {
    let circuit = analysis.facts.circuit.as_ref();
    let imports = circuit.iter().flat_map(|circuit| &circuit.imports);
    let own = imports.filter(|it| analysis.compiled.sources.is_main(it.span));
    own.filter_map(|it| Some((it.span, file_of(analysis, &it.node)?))).collect()
}

/// The beginning of the file whose import stands at an offset.
fn imported(analysis: &Analysis, offset: u32) -> Option<Span> {
    let imports = &analysis.facts.circuit.as_ref()?.imports;
    let import = imports.iter().find(|it| it.span.start <= offset && offset <= it.span.end)?;
    file_of(analysis, &import.node)
}

fn file_of(analysis: &Analysis, import: &str) -> Option<Span> {
    let sources = &analysis.compiled.sources;
    let folder = Path::new(&sources.main().name).parent()?;
    let wanted = plain(&folder.join(import));
    let file = sources.files().iter().find(|file| plain(Path::new(&file.name)) == wanted)?;
    Some(Span::empty(file.span.start))
}

/// A path without `.` and `..`, by its text alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

/// All places of what is named at an offset, the declaration among them.
pub(crate) fn references(analysis: &Analysis, offset: u32) -> Vec<&Occurrence> {
    let Some(found) = names::at(analysis.everything(), offset) else { return Vec::new() };
    same(analysis, found).collect()
}

/// The declaration of a name.
pub(crate) fn declaration<'a>(
    analysis: &'a Analysis,
    found: &'a Occurrence,
) -> Option<&'a Occurrence> {
    same(analysis, found).find(|it| it.is_declaration)
}

/// All places where the same is named.
pub(crate) fn same<'a>(
    analysis: &'a Analysis,
    found: &'a Occurrence,
) -> impl Iterator<Item = &'a Occurrence> {
    analysis.everything().iter().filter(move |it| it.is_same(found))
}
