//! Where a name is declared, and where it is used.

use arqon_grammar::Span;

use crate::analysis::Analysis;
use crate::names::{self, Kind, Occurrence};

/// Where what stands at an offset is declared.
pub(crate) fn definition(analysis: &Analysis, offset: u32) -> Option<Span> {
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
