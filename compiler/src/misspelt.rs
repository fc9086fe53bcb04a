//! A declaration that is misspelt: many places name something that is nowhere, and what comes
//! nearest is declared and named nowhere. The one place to mend is the declaration.

use std::collections::BTreeMap;

use arqon_grammar::code::{Code, access, names, operators};
use arqon_grammar::diagnostic::sort;
use arqon_grammar::{Diagnostic, Span};

/// The diagnostics, where those that one misspelt declaration explains are one at the declaration.
pub(crate) fn at_declarations(diagnostics: Vec<Diagnostic>, text: &str) -> Vec<Diagnostic> {
    let mut groups: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (at, diagnostic) in diagnostics.iter().enumerate() {
        if let Some((name, near)) = mistaken(diagnostic, text) {
            groups.entry((name, near)).or_default().push(at);
        }
    }
    let mut said: BTreeMap<usize, Option<Diagnostic>> = BTreeMap::new();
    let several = groups.into_iter().filter(|(_, uses)| USES_MIN <= uses.len());
    for ((name, near), uses) in several.take(DECLARATIONS_MAX) {
        let Some(span) = only_declared(near, text) else { continue };
        let first = &diagnostics[uses[0]];
        let n_uses = uses.len();
        let message = format!("`{near}` is named nowhere else, and `{name}` at {n_uses} places");
        let mut fault = Diagnostic::new(first.code, span, message);
        for at in uses.iter().take(SHOWN_MAX) {
            fault = fault.secondary(diagnostics[*at].primary.span, "named here");
        }
        let fault = fault.did_you_mean(Some(name)).fix(span, name, format!("write `{name}`"));
        said.extend(uses.iter().skip(1).map(|at| (*at, None)));
        said.insert(uses[0], Some(fault));
    }
    let kept = diagnostics
        .into_iter()
        .enumerate()
        .filter_map(|(at, diagnostic)| said.remove(&at).unwrap_or(Some(diagnostic)));
    let mut kept: Vec<Diagnostic> = kept.collect();
    sort(&mut kept);
    kept
}

/// What is named and is nowhere, and what was surely meant.
fn mistaken<'t>(diagnostic: &'t Diagnostic, text: &'t str) -> Option<(&'t str, &'t str)> {
    let fix = diagnostic.fix.as_ref().filter(|_| OF_NAMES.contains(&diagnostic.code))?;
    let name = text.get(fix.span.start as usize..fix.span.end as usize)?;
    (fix.span == diagnostic.primary.span).then_some((name, fix.replacement.as_str()))
}

/// The key that declares a name, if the name stands nowhere else.
fn only_declared(name: &str, text: &str) -> Option<Span> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let whole = text.match_indices(name).filter(|(at, _)| {
        let (before, behind) = (&text[..*at], &text[at + name.len()..]);
        !before.ends_with(is_word) && !behind.starts_with(is_word)
    });
    let mut whole = whole.take(2);
    let ((at, _), None) = (whole.next()?, whole.next()) else { return None };
    let end = at + name.len();
    let is_key = text[end..].trim_start_matches(' ').starts_with(':');
    let span = Span::new(u32::try_from(at).ok()?, u32::try_from(end).ok()?);
    is_key.then_some(span)
}

/// Codes that say of a name that nothing has it.
const OF_NAMES: [Code; 7] = [
    names::UNKNOWN_TYPE,
    names::UNKNOWN_SOURCE,
    names::UNKNOWN_TOPIC,
    names::UNKNOWN_FIELD,
    names::UNKNOWN_PARAM,
    operators::UNKNOWN_OPERATOR,
    access::UNKNOWN_TOPIC,
];

/// One use may be the mistake itself.
const USES_MIN: usize = 2;

/// As many declarations are looked for, each in the whole text.
const DECLARATIONS_MAX: usize = 16;

/// As many uses are shown.
const SHOWN_MAX: usize = 3;
