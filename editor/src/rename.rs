//! Another name for what has one of its own: what may have it, and what changes in one circuit.

use std::path::Path;

use arqon_grammar::Span;
use arqon_grammar::vocabulary::{Naming, is_name};
use arqon_operators::{aggregate_names, along_order_names, function_names};

use crate::analysis::Analysis;
use crate::fields::shorthands;
use crate::names::{self, Kind, Occurrence};
use crate::navigation::{declaration, same};
use crate::words;

/// Why something is not renamed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) String);

/// A part of a text that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replacement {
    /// What is replaced.
    pub(crate) span: Span,
    /// By what.
    pub(crate) text: String,
    /// Where in it the new name begins.
    pub(crate) name_at: u32,
}

/// What would be renamed at an offset, and how it is called now.
pub(crate) fn prepare(analysis: &Analysis, offset: u32) -> Result<(Span, String), Refusal> {
    let found = renamable(analysis, offset)?;
    Ok((found.span, names::written(found.kind, &found.name).to_owned()))
}

/// What stands at an offset, if it may have another name.
pub(crate) fn renamable(analysis: &Analysis, offset: u32) -> Result<&Occurrence, Refusal> {
    let Some(found) = names::at(analysis.everything(), offset) else {
        return Err(Refusal(nameless(analysis, offset)));
    };
    let name = names::written(found.kind, &found.name);
    let refused = match found.kind {
        Kind::Port => format!("the kernel calls its port `{name}`"),
        Kind::Test => "the name of a test is free text: edit it where it stands".to_owned(),
        _ if declaration(analysis, found).is_none() => {
            format!("`{name}` is not declared in this circuit")
        }
        _ => match same(analysis, found).find(|it| is_foreign(analysis, it.span)) {
            None => return Ok(found),
            Some(foreign) => {
                let file = &analysis.compiled.sources.file(foreign.span).name;
                format!("`{name}` is declared in `{file}`, which is not a circuit file")
            }
        },
    };
    Err(Refusal(refused))
}

/// Whether a place is in a file that others own, such as a protobuf file.
fn is_foreign(analysis: &Analysis, span: Span) -> bool {
    let sources = &analysis.compiled.sources;
    !sources.is_main(span)
        && Path::new(&sources.file(span).name).extension().is_some_and(|it| it == "proto")
}

/// Why what stands at an offset has no name that could be another one.
fn nameless(analysis: &Analysis, offset: u32) -> String {
    let text = analysis.compiled.sources.main_text();
    let Some(span) = words::word_at(text, offset) else {
        return "nothing with a name stands here".to_owned();
    };
    let word = span.slice(text);
    let is_function = || {
        let mut known = function_names().chain(aggregate_names()).chain(along_order_names());
        known.any(|known| known == word)
    };
    if analysis.facts.type_of(span).is_some() {
        format!("`{word}` has its name from the language")
    } else if is_function() {
        format!("`{word}` is a function of the language")
    } else {
        format!("`{word}` is a word of the language, or a value, and no name that is declared")
    }
}

/// Whether the new name may be one, and nothing else that it could be mistaken for has it.
pub(crate) fn check(
    analysis: &Analysis,
    found: &Occurrence,
    new_name: &str,
) -> Result<(), Refusal> {
    let what = noun(found.kind);
    if !naming(found.kind).is_none_or(|naming| is_name(naming, new_name)) {
        return Err(Refusal(format!("`{new_name}` cannot name a {what}")));
    }
    match clash(analysis, found, new_name) {
        Some(other) => {
            let what = noun(other.kind);
            Err(Refusal(format!("there is a {what} `{new_name}` already")))
        }
        None => Ok(()),
    }
}

/// All that changes in the files of a circuit.
pub(crate) fn replacements(
    analysis: &Analysis,
    found: &Occurrence,
    new_name: &str,
) -> Vec<Replacement> {
    let shorthands = analysis.facts.circuit.as_ref().map(shorthands).unwrap_or_default();
    let text = analysis.compiled.sources.text();
    let all: Vec<&Occurrence> = same(analysis, found).collect();
    let has = |span: Span, is_declaration: bool| {
        all.iter().any(|it| it.span == span && it.is_declaration == is_declaration)
    };
    let replacement = |it: &&Occurrence| {
        let plain = Replacement { span: it.span, text: new_name.to_owned(), name_at: 0 };
        let Some(path) = shorthands.get(&it.span).filter(|_| it.kind == Kind::Field) else {
            return plain;
        };
        let base = Span::new(path.start, it.span.start).slice(text);
        // The field that is taken and the one that it becomes part here.
        let (begin, end) = match (has(it.span, false), has(it.span, true)) {
            (true, false) => (format!("{{ {}: {base}", it.name), " }".to_owned()),
            (false, true) => ("{ ".to_owned(), format!(": {base}{} }}", it.name)),
            (true, true) | (false, false) => return plain,
        };
        let name_at = u32::try_from(begin.len()).unwrap_or(0);
        Replacement { span: *path, text: format!("{begin}{new_name}{end}"), name_at }
    };
    let mut found: Vec<Replacement> = all.iter().map(replacement).collect();
    found.sort_by_key(|it| it.span);
    found.dedup_by_key(|it| it.span);
    found
}

/// What has the new name already, where the two could be mistaken for each other.
fn clash<'a>(analysis: &'a Analysis, found: &Occurrence, new_name: &str) -> Option<&'a Occurrence> {
    let is_on_bus =
        |kind: Kind| matches!(kind, Kind::Topic | Kind::Node | Kind::Operator | Kind::Local);
    let within = |name: &str| name.rsplit_once('.').map_or(String::new(), |(it, _)| it.to_owned());
    let owner = within(&found.name);
    analysis.everything().iter().filter(|it| it.is_declaration).find(|it| {
        // The labels of other nodes are others; a name within a loop hides one outside.
        let same_space = match found.kind {
            Kind::Label | Kind::Implementation => {
                it.kind == found.kind && within(&it.name) == owner
            }
            Kind::Topic | Kind::Node | Kind::Operator | Kind::Local => is_on_bus(it.kind),
            Kind::Variant => it.kind == found.kind && it.owner == found.owner,
            Kind::Schema | Kind::Function | Kind::Param | Kind::Profile | Kind::Role => {
                it.kind == found.kind
            }
            // Rows have their own fields, and expressions their own variables: the compiler says.
            Kind::Field | Kind::Argument | Kind::Variable | Kind::Port | Kind::Test => false,
        };
        same_space && names::written(it.kind, &it.name) == new_name && it.name != found.name
    })
}

fn naming(kind: Kind) -> Option<Naming> {
    match kind {
        Kind::Topic | Kind::Role => Some(Naming::Dotted),
        Kind::Node
        | Kind::Operator
        | Kind::Label
        | Kind::Local
        | Kind::Implementation
        | Kind::Profile => Some(Naming::Plain),
        Kind::Schema
        | Kind::Function
        | Kind::Param
        | Kind::Field
        | Kind::Argument
        | Kind::Variable => Some(Naming::Identifier),
        // What these may be the compiler says.
        Kind::Variant | Kind::Port | Kind::Test => None,
    }
}

/// What people call it.
pub(crate) fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Topic => "topic",
        Kind::Node => "node",
        Kind::Schema => "schema",
        Kind::Function => "function",
        Kind::Param => "parameter",
        Kind::Operator => "operator",
        Kind::Label => "label",
        Kind::Local => "name within a loop",
        Kind::Field => "field",
        Kind::Variant => "variant",
        Kind::Argument => "parameter of a function",
        Kind::Variable => "variable",
        Kind::Implementation => "implementation",
        Kind::Port => "port",
        Kind::Profile => "profile",
        Kind::Role => "role",
        Kind::Test => "test",
    }
}
