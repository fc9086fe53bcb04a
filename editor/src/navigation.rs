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
    if let Some(found) = names::at(&analysis.occurrences, offset) {
        return declaration(analysis, found.kind, &found.name).map(|it| it.span);
    }
    // The smallest name around the offset: in `c.region` each part leads to its own place.
    analysis
        .facts
        .declarations()
        .filter(|(place, _)| place.start <= offset && offset <= place.end)
        .min_by_key(|(place, _)| place.len())
        .map(|(_, declared)| declared)
}

/// The beginning of the file whose import stands at an offset.
fn imported(analysis: &Analysis, offset: u32) -> Option<Span> {
    let imports = &analysis.facts.circuit.as_ref()?.imports;
    let import = imports.iter().find(|it| it.span.start <= offset && offset <= it.span.end)?;
    let sources = &analysis.compiled.sources;
    let folder = Path::new(&sources.main().name).parent()?;
    let wanted = plain(&folder.join(&import.node));
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
    let Some(found) = names::at(&analysis.occurrences, offset) else { return Vec::new() };
    same(analysis, found.kind, &found.name).collect()
}

/// The declaration of a name.
pub(crate) fn declaration<'a>(
    analysis: &'a Analysis,
    kind: Kind,
    name: &str,
) -> Option<&'a Occurrence> {
    same(analysis, kind, name).find(|it| it.is_declaration)
}

fn same<'a>(
    analysis: &'a Analysis,
    kind: Kind,
    name: &str,
) -> impl Iterator<Item = &'a Occurrence> {
    analysis.occurrences.iter().filter(move |it| it.kind == kind && it.name == name)
}
