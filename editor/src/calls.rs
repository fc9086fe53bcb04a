//! The call that is being written: its signature, and which argument the cursor is in.

use arqon_grammar::ast;
use arqon_operators::{aggregate_signature_text, along_order_signature_text, signature_text};

use crate::analysis::Analysis;
use crate::cursor::{Place, cursor};

/// A call around the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    /// `substr(s, from, n) -> string`
    pub(crate) label: String,
    /// The parameters as they stand in the label, in bytes.
    pub(crate) parameters: Vec<(usize, usize)>,
    /// Which of them is being written.
    pub(crate) active: usize,
}

/// The innermost call around a byte of a text.
pub(crate) fn signature(
    text: &str,
    offset: usize,
    analysis: Option<&Analysis>,
) -> Option<Signature> {
    let before = match cursor(text, offset).place {
        Place::Value(before) | Place::Item(before) => before,
        Place::Key | Place::Nothing => return None,
    };
    let (name, arguments) = open_call(&before)?;
    let label = own(name, analysis)
        .or_else(|| signature_text(name).map(str::to_owned))
        .or_else(|| aggregate_signature_text(name).map(str::to_owned))
        .or_else(|| along_order_signature_text(name).map(str::to_owned))?;
    let parameters = parameters(&label);
    let last = arguments.last().copied().unwrap_or("").trim_start();
    let named = last.split_once('=').map(|(name, _)| name.trim());
    let active = named
        .and_then(|name| {
            parameters.iter().position(|(start, end)| {
                label[*start..*end].split([':', ' ', '=']).next() == Some(name)
            })
        })
        .unwrap_or(arguments.len().saturating_sub(1));
    Some(Signature { label, parameters, active })
}

/// The signature of a function of the circuit.
fn own(name: &str, analysis: Option<&Analysis>) -> Option<String> {
    let circuit = analysis?.facts.circuit.as_ref()?;
    let function = circuit.functions.iter().find(|known| known.name.node == name)?;
    let params: Vec<&str> = function.params.iter().map(ast::Name::as_str).collect();
    Some(format!("{name}({})", params.join(", ")))
}

/// The name of the innermost call that is open at the end of a text, and its arguments so far.
fn open_call(before: &str) -> Option<(&str, Vec<&str>)> {
    let mut open: Vec<(char, usize, Vec<usize>)> = Vec::new();
    let mut in_text = false;
    let mut is_escaped = false;
    for (at, c) in before.char_indices() {
        if in_text {
            in_text = c != '"' || is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            continue;
        }
        match c {
            '"' => in_text = true,
            '(' | '[' => open.push((c, at, Vec::new())),
            ')' | ']' => _ = open.pop(),
            ',' => {
                if let Some((_, _, commas)) = open.last_mut() {
                    commas.push(at);
                }
            }
            _ => {}
        }
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    open.iter().rev().find_map(|(bracket, at, commas)| {
        let head = &before[..*at];
        let name = &head[head.trim_end_matches(is_word).len()..];
        if *bracket != '(' || name.is_empty() {
            return None;
        }
        let starts = std::iter::once(at + 1).chain(commas.iter().map(|comma| comma + 1));
        let ends = commas.iter().copied().chain([before.len()]);
        Some((name, starts.zip(ends).map(|(start, end)| &before[start..end]).collect()))
    })
}

/// Where the parameters stand in `name(a, b: list<x>)`.
fn parameters(label: &str) -> Vec<(usize, usize)> {
    let Some(open) = label.find('(') else { return Vec::new() };
    let mut found = Vec::new();
    let mut start = open + 1;
    let mut depth = 0_usize;
    for (at, c) in label.char_indices().skip_while(|(at, _)| *at <= open) {
        match c {
            '(' | '[' | '<' | '{' => depth += 1,
            ')' if depth == 0 => {
                if !label[start..at].trim().is_empty() {
                    found.push((start, at));
                }
                break;
            }
            // An arrow closes no bracket.
            '>' if label[..at].ends_with('-') => {}
            ')' | ']' | '>' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.push((start, at));
                start = at + 1;
            }
            _ => {}
        }
    }
    found
        .into_iter()
        .map(|(start, end)| (end - label[start..end].trim_start().len(), end))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_open_call_counts() {
        let check = |before: &str, expected: Option<(&str, usize)>| {
            let found = open_call(before).map(|(name, arguments)| (name, arguments.len()));
            assert_eq!(found, expected, "{before}");
        };
        check("round(x, ", Some(("round", 2)));
        check("round(abs(x), ", Some(("round", 2)));
        check("f(x) + 1", None);
        check("f([1, 2], g(\"a(,\", ", Some(("g", 2)));
        check("f([1, ", Some(("f", 1)));
        check("(x + ", None);
    }

    #[test]
    fn parameters_stand_between_commas() {
        let label = "map(list: list<A>, f: A -> B) -> list<B>";
        let found: Vec<&str> =
            parameters(label).into_iter().map(|(start, end)| &label[start..end]).collect();
        assert_eq!(found, ["list: list<A>", "f: A -> B"]);
        assert_eq!(parameters("count()"), []);
    }
}
