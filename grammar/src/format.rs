//! The canonical form of a circuit file: another layout of the same text.
//!
//! Sections stand in the order of the language, two blanks indent, what is written in braces stays
//! so while it fits its line, expressions have canonical blanks, at most one empty line parts
//! entries. Comments stay where they belong, one-line entries stay aligned where some of them are.
//!
//! **Invariants:** no word, quote or comment changes; the tree of the file stays the same but for
//! the order of its sections; what is in canonical form stays as it is.

mod spacing;
mod comments;
mod align;
mod layout;
mod scalar;
mod printer;

use crate::circuit::ParseOptions;
use crate::circuit::lower;
use crate::code;
use crate::diagnostic::Collector;
use crate::diagnostic::Diagnostic;
use crate::yaml;
use crate::yaml::Content;
use crate::yaml::Document;
use crate::yaml::NodeId;
use printer::Printer;

/// Longer lines are broken where that is possible.
pub const LINE_CHARACTERS_MAX: usize = 100;

/// The canonical form of a circuit's text.
///
/// # Errors
/// The faults of a text that cannot be read; a part that is not available in this version, or a
/// variable without a value, is none.
///
/// # Panics
/// If the new text would not have the same tree, which is a fault of ours.
pub fn format_circuit(text: &str) -> Result<String, Vec<Diagnostic>> {
    let mut diagnostics = Collector::default();
    let document = if yaml::check_characters(text, 0, &mut diagnostics) {
        yaml::read(text, 0, &mut diagnostics)
    } else {
        None
    };
    let Some(document) = document else { return Err(diagnostics.finish()) };
    let (circuit, found) = lower(text, &document, &ParseOptions::default(), diagnostics);
    let is_fault = |diagnostic: &Diagnostic| {
        diagnostic.is_error() && diagnostic.code != code::yaml::MISSING_VARIABLE
    };
    let Some(circuit) = circuit.filter(|_| !found.iter().any(is_fault)) else {
        return Err(found.into_iter().filter(is_fault).collect());
    };
    let formatted = Printer::new(text, &document, &circuit).print();
    assert_same(text, &document, &formatted);
    let is_dos = text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
    Ok(if is_dos { formatted.replace('\n', "\r\n") } else { formatted })
}

/// Both texts have the same tree: a layout that changed what it lays out never leaves this room.
fn assert_same(before: &str, document: &Document<'_>, after: &str) {
    let mut diagnostics = Collector::default();
    let same = yaml::read(after, 0, &mut diagnostics).is_some_and(|other| {
        document.root.zip(other.root).is_some_and(|(one, two)| is_same(document, one, &other, two))
    });
    assert!(same, "the layout has changed the tree of:\n{before}\nto that of:\n{after}");
}

fn is_same(one: &Document<'_>, a: NodeId, two: &Document<'_>, b: NodeId) -> bool {
    match (&one.node(a).content, &two.node(b).content) {
        (Content::Scalar(a), Content::Scalar(b)) => is_same_text(&a.text, &b.text),
        (Content::List(a), Content::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(one, *a, two, *b))
        }
        (Content::Map(a), Content::Map(b)) => {
            let is_root = one.root.is_some_and(
                |root| matches!(&one.node(root).content, Content::Map(top) if std::ptr::eq(top, a)),
            );
            a.len() == b.len()
                && a.iter().enumerate().all(|(at, entry)| {
                    let same_key =
                        |other: &&yaml::Entry| is_same_text(one.key(*entry), two.key(**other));
                    let other =
                        if is_root { b.iter().find(same_key) } else { b.get(at).filter(same_key) };
                    other.is_some_and(|other| is_same(one, entry.value, two, other.value))
                })
        }
        _ => false,
    }
}

/// Equal, or equal but for blanks, which only expressions may have gained or lost.
fn is_same_text(one: &str, two: &str) -> bool {
    let letters = |text: &'_ str| -> Vec<char> {
        text.chars().filter(|c| !c.is_ascii_whitespace()).collect()
    };
    one == two || letters(one) == letters(two)
}

#[cfg(test)]
mod tests;
