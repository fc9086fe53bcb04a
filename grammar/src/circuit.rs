//! The YAML tree of a circuit file to its syntax tree, led by what each place may hold.

mod reader;

use std::collections::BTreeMap;

use crate::ast::Circuit;
use crate::code;
use crate::diagnostic::Collector;
use crate::diagnostic::Diagnostic;
use crate::name::NameRule;
use crate::name::is_reserved;
use crate::yaml;
use reader::Fields;
use reader::Reader;

/// What reading a circuit depends on besides its text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ParseOptions {
    /// Values for `${NAME}` in text values.
    pub variables: BTreeMap<String, String>,
}

/// Reads a circuit, and reports every fault of its text.
///
/// The circuit is `None` when the text has no readable structure (too large, not YAML); nothing
/// can be said about the rest then. Else it holds all that could be read.
pub fn parse_circuit(text: &str, options: &ParseOptions) -> (Option<Circuit>, Vec<Diagnostic>) {
    let mut diagnostics = Collector::default();
    if !yaml::check_characters(text, &mut diagnostics) {
        return (None, diagnostics.finish());
    }
    let Some(document) = yaml::read(text, &mut diagnostics) else {
        return (None, diagnostics.finish());
    };
    let mut reader =
        Reader { text, document: &document, variables: &options.variables, diagnostics };
    let circuit = reader.circuit();
    (circuit, reader.diagnostics.finish())
}

const CIRCUIT_KEYS: &[&str] = &[
    "arqon",
    "circuit",
    "description",
    "namespace",
    "params",
    "import",
    "schemas",
    "functions",
    "topics",
    "operators",
    "flow",
    "routes",
    "limits",
    "access",
    "profiles",
    "tests",
];

impl<'a> Reader<'a> {
    fn circuit(&mut self) -> Option<Circuit> {
        let root = self.document.root?;
        let owner = self.span(root);
        let owner = crate::span::Span::new(owner.start, owner.start);
        let fields = self.fields(root, "a circuit", owner, CIRCUIT_KEYS)?;
        let mut circuit = Circuit::default();
        self.header(&fields, &mut circuit);
        Some(circuit)
    }

    fn header(&mut self, fields: &Fields<'a>, circuit: &mut Circuit) {
        if let Some(item) = self.require(fields, "circuit") {
            circuit.name = self.name(item.value, NameRule::Dotted, "circuit");
        }
        if let Some(value) = fields.value("namespace") {
            circuit.namespace = self.name(value, NameRule::Dotted, "namespace");
        }
        for name in [&circuit.name, &circuit.namespace].into_iter().flatten() {
            if is_reserved(&name.node) {
                self.report(Diagnostic::new(
                    code::yaml::RESERVED_NAME,
                    name.span,
                    format!("the name `{}` belongs to the bus", name.node),
                ));
            }
        }
        if let Some(value) = fields.value("description") {
            circuit.description = self.substituted(value, "a text");
        }
    }
}
