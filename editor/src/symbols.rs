//! What the circuits of a workspace declare, found by letters of its name.
//!
//! Texts are read and not compiled: a workspace may have thousands. Circuits that cannot be read
//! are left out.

use std::rc::Rc;

use arqon_grammar::{ParseOptions, Span, parse_circuit};
use lsp_types::Uri;

use crate::outline::{Entry, Picture, sections};

/// A declaration in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Symbol {
    /// Its name.
    pub(crate) name: String,
    /// What it is.
    pub(crate) picture: Picture,
    /// The circuit, or the schema of a field.
    pub(crate) within: Option<String>,
    /// The file.
    pub(crate) uri: Uri,
    /// The file's text.
    pub(crate) text: Rc<str>,
    /// Where the name stands in it.
    pub(crate) span: Span,
}

/// How well a name answers a query, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    Same,
    Beginning,
    Part,
    Letters,
}

/// The declarations whose names have the letters of the query in their order; all for an empty one.
pub(crate) fn symbols(query: &str, texts: Vec<(Uri, Rc<str>)>) -> Vec<Symbol> {
    let query = query.to_lowercase();
    let mut found: Vec<(Likeness, Symbol)> = Vec::new();
    for (uri, text) in texts {
        if !text.contains("arqon") {
            continue;
        }
        let (Some(circuit), _) = parse_circuit(&text, &ParseOptions::default()) else { continue };
        let name = circuit.name.as_ref().map(|name| name.node.clone());
        let entries = sections(&circuit, &text).into_iter().flat_map(|section| section.parts);
        for Entry { name: declared, picture, name_span, parts, .. } in entries {
            let mut add = |name: &str, picture, within: Option<&String>, span| {
                let Some(likeness) = likeness(&name.to_lowercase(), &query) else { return };
                let (uri, text) = (uri.clone(), Rc::clone(&text));
                let (name, within) = (name.to_owned(), within.cloned());
                found.push((likeness, Symbol { name, picture, within, uri, text, span }));
            };
            add(&declared, picture, name.as_ref(), name_span);
            for field in parts.iter().filter(|part| part.picture == Picture::Field) {
                add(&field.name, field.picture, Some(&declared), field.name_span);
            }
        }
    }
    let place = |it: &Symbol| (it.name.clone(), it.uri.as_str().to_owned(), it.span);
    found.sort_by_cached_key(|(likeness, symbol)| (*likeness, place(symbol)));
    found.truncate(SYMBOLS_MAX);
    found.into_iter().map(|(_, symbol)| symbol).collect()
}

/// More answers than these are of no use to anyone.
const SYMBOLS_MAX: usize = 500;

fn likeness(name: &str, query: &str) -> Option<Likeness> {
    if name == query {
        return Some(Likeness::Same);
    }
    if name.starts_with(query) {
        return Some(Likeness::Beginning);
    }
    if name.contains(query) {
        return Some(Likeness::Part);
    }
    let mut letters = name.chars();
    query.chars().all(|wanted| letters.any(|c| c == wanted)).then_some(Likeness::Letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_their_letters() {
        for (name, query, found) in [
            ("orders", "orders", Some(Likeness::Same)),
            ("orders", "ord", Some(Likeness::Beginning)),
            ("shop.orders", "ord", Some(Likeness::Part)),
            ("shop.orders", "shord", Some(Likeness::Letters)),
            ("shop.orders", "sdro", None),
            ("anything", "", Some(Likeness::Beginning)),
        ] {
            assert_eq!(likeness(name, query), found, "{name} {query}");
        }
    }
}
