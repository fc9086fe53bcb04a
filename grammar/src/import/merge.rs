//! The declarations of imported files join those of the circuit; a name may be declared once.

use std::collections::BTreeMap;

use crate::ast::Circuit;
use crate::ast::Name;
use crate::code::imports::DUPLICATE_DECLARATION;
use crate::diagnostic::Diagnostic;
use crate::sources::Sources;
use crate::span::Span;

/// Adds what `parts` declare: schemas, functions, operators and parameters. Their topics, flows
/// and the rest are their own.
pub(super) fn merge(
    circuit: &mut Circuit,
    parts: Vec<Circuit>,
    sources: &Sources,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut schemas = Section::new("schema", &circuit.schemas, |schema| &schema.name, sources);
    let mut functions =
        Section::new("function", &circuit.functions, |function| &function.name, sources);
    let mut operators =
        Section::new("operator", &circuit.operators, |operator| &operator.name, sources);
    let mut params = Section::new("parameter", &circuit.params, |param| &param.name, sources);
    for part in parts {
        schemas.take(part.schemas, &mut circuit.schemas, diagnostics);
        functions.take(part.functions, &mut circuit.functions, diagnostics);
        operators.take(part.operators, &mut circuit.operators, diagnostics);
        params.take(part.params, &mut circuit.params, diagnostics);
    }
}

/// One kind of declaration, with the names that are taken.
struct Section<'s, T> {
    what: &'static str,
    name_of: fn(&T) -> &Name,
    taken: BTreeMap<String, Span>,
    sources: &'s Sources,
}

impl<'s, T> Section<'s, T> {
    fn new(what: &'static str, own: &[T], name_of: fn(&T) -> &Name, sources: &'s Sources) -> Self {
        let taken = own.iter().map(|one| (name_of(one).node.clone(), name_of(one).span)).collect();
        Self { what, name_of, taken, sources }
    }

    fn take(&mut self, more: Vec<T>, all: &mut Vec<T>, diagnostics: &mut Vec<Diagnostic>) {
        for one in more {
            let name = (self.name_of)(&one);
            if let Some(first) = self.taken.get(name.as_str()) {
                diagnostics.push(self.twice(name, *first));
            } else {
                self.taken.insert(name.node.clone(), name.span);
                all.push(one);
            }
        }
    }

    /// What the circuit declares itself is what its author can change.
    fn twice(&self, name: &Name, first: Span) -> Diagnostic {
        let (here, there) =
            if self.sources.is_main(first) { (first, name.span) } else { (name.span, first) };
        Diagnostic::new(
            DUPLICATE_DECLARATION,
            here,
            format!("{} `{}` is declared in two files", self.what, name.node),
        )
        .secondary(there, "here too")
        .help("rename one of them, or leave one away: what is imported need not be declared again")
    }
}
