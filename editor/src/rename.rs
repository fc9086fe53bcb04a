//! Another name for a topic, a node, a schema, a function, a parameter, an operator or a label.

use arqon_grammar::Span;
use arqon_grammar::vocabulary::{Naming, is_name};

use crate::analysis::Analysis;
use crate::names::{self, Kind, Occurrence};
use crate::navigation::{declaration, references};

/// Why something is not renamed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) String);

/// What would be renamed at an offset, and how it is called now.
pub(crate) fn prepare(analysis: &Analysis, offset: u32) -> Result<(Span, String), Refusal> {
    let found = renamable(analysis, offset)?;
    Ok((found.span, names::written(found.kind, &found.name).to_owned()))
}

/// All places that change.
pub(crate) fn rename(
    analysis: &Analysis,
    offset: u32,
    new_name: &str,
) -> Result<Vec<Span>, Refusal> {
    let found = renamable(analysis, offset)?;
    if !is_name(naming(found.kind), new_name) {
        let what = noun(found.kind);
        return Err(Refusal(format!("`{new_name}` cannot name a {what}")));
    }
    if let Some(other) = clash(analysis, found, new_name) {
        let what = noun(other.kind);
        return Err(Refusal(format!("there is a {what} `{new_name}` already")));
    }
    Ok(references(analysis, offset).iter().map(|it| it.span).collect())
}

fn renamable(analysis: &Analysis, offset: u32) -> Result<&Occurrence, Refusal> {
    let Some(found) = names::at(&analysis.occurrences, offset) else {
        return Err(Refusal(
            "only topics, nodes, schemas, functions, parameters, operators, labels and what a loop \
             names have other names"
                .to_owned(),
        ));
    };
    let sources = &analysis.compiled.sources;
    let declared = declaration(analysis, found.kind, &found.name);
    match declared {
        None => Err(Refusal(format!("`{}` is not declared in this circuit", found.name))),
        // Others may import it too.
        Some(declared) if !sources.is_main(declared.span) => Err(Refusal(format!(
            "`{}` is declared in `{}`, which other circuits may import",
            found.name,
            sources.file(declared.span).name
        ))),
        Some(_) => Ok(found),
    }
}

/// What has the new name already, where the two could be mistaken for each other.
fn clash<'a>(analysis: &'a Analysis, found: &Occurrence, new_name: &str) -> Option<&'a Occurrence> {
    let is_on_bus =
        |kind: Kind| matches!(kind, Kind::Topic | Kind::Node | Kind::Operator | Kind::Local);
    let node = found.name.rsplit_once('.').map_or("", |(node, _)| node);
    analysis.occurrences.iter().filter(|it| it.is_declaration).find(|it| {
        // The labels of other nodes are others; a name within a loop hides one outside.
        let same_space = match found.kind {
            Kind::Label => it.kind == Kind::Label && it.name == format!("{node}.{new_name}"),
            Kind::Topic | Kind::Node | Kind::Operator | Kind::Local => is_on_bus(it.kind),
            Kind::Schema | Kind::Function | Kind::Param => it.kind == found.kind,
        };
        same_space && names::written(it.kind, &it.name) == new_name && it.name != found.name
    })
}

fn naming(kind: Kind) -> Naming {
    match kind {
        Kind::Topic => Naming::Dotted,
        Kind::Node | Kind::Operator | Kind::Label | Kind::Local => Naming::Plain,
        Kind::Schema | Kind::Function | Kind::Param => Naming::Identifier,
    }
}

fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Topic => "topic",
        Kind::Node => "node",
        Kind::Schema => "schema",
        Kind::Function => "function",
        Kind::Param => "parameter",
        Kind::Operator => "operator",
        Kind::Label => "label",
        Kind::Local => "name within a loop",
    }
}
