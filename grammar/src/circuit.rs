//! The YAML tree of a circuit file to its syntax tree, led by what each place may hold.

mod habit;
mod reader;
mod value;
mod schema;
mod topic;
mod flow;
mod join;
mod looped;
mod window;
mod kernel;
mod over;
mod verb;
mod step;
mod operator;
mod example;
pub(crate) mod tables;
mod elsewhere;

use std::collections::BTreeMap;

use crate::ast::Circuit;
use crate::code;
use crate::diagnostic::Collector;
use crate::diagnostic::Diagnostic;
use crate::expression::Known;
use crate::limits::SECTION_ENTRIES_MAX;
use crate::limits::SECTIONS_BYTES_MAX;
use crate::name::NameRule;
use crate::name::is_reserved;
use crate::span::Span;
use crate::span::Spanned;
use crate::yaml;
use crate::yaml::Content;
use crate::yaml::NodeId;
use reader::Fields;
use reader::Item;
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
/// can be said about the rest then. Else it holds all that could be read. Imports are listed and
/// not followed.
pub fn parse_circuit(text: &str, options: &ParseOptions) -> (Option<Circuit>, Vec<Diagnostic>) {
    parse_part(text, Span::new(0, u32::try_from(text.len()).unwrap_or(u32::MAX)), options)
}

/// Reads the circuit that stands at `part` of a text; places are those in the whole text.
pub(crate) fn parse_part(
    whole: &str,
    part: Span,
    options: &ParseOptions,
) -> (Option<Circuit>, Vec<Diagnostic>) {
    let mut diagnostics = Collector::default();
    // What stands behind the part is out of sight.
    let text = &whole[..(part.end as usize).min(whole.len())];
    if !yaml::check_characters(text, part.start, &mut diagnostics) {
        return (None, diagnostics.finish());
    }
    let Some(document) = yaml::read(text, part.start, &mut diagnostics) else {
        return (None, diagnostics.finish());
    };
    lower(text, &document, options, diagnostics)
}

/// Reads a circuit out of the tree of its text.
pub(crate) fn lower(
    text: &str,
    document: &yaml::Document<'_>,
    options: &ParseOptions,
    diagnostics: Collector,
) -> (Option<Circuit>, Vec<Diagnostic>) {
    let mut reader = Reader {
        text,
        document,
        variables: &options.variables,
        diagnostics,
        known: Known::default(),
    };
    let circuit = reader.circuit();
    let diagnostics = reader.diagnostics.finish().into_iter();
    (circuit, diagnostics.map(|diagnostic| elsewhere::told(diagnostic, text)).collect())
}

/// The version of the language read here.
const LANGUAGE_VERSION: u64 = 1;

/// The keys of a circuit, in the order in which they stand.
pub(crate) const CIRCUIT_KEYS: &[&str] = &[
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

/// Whether a file declares something for others and nothing that runs.
fn is_library(fields: &Fields<'_>) -> bool {
    let has = |keys: &[&str]| keys.iter().any(|key| fields.get(key).is_some());
    has(&["import", "schemas", "functions", "operators", "params"])
        && !has(&["namespace", "topics", "flow", "routes", "limits", "access", "profiles", "tests"])
}

impl<'a> Reader<'a> {
    fn circuit(&mut self) -> Option<Circuit> {
        let root = self.document.root?;
        // The top has no key of its own: what is missing is shown at its first one.
        let first = self.map(root).and_then(|items| items.first().copied());
        let owner = first.map_or(Span::empty(self.span(root).start), |item| item.span);
        let fields = self.fields(root, "a circuit", owner, CIRCUIT_KEYS)?;
        self.bounded(&fields)?;
        let mut circuit = Circuit::default();
        self.version(&fields, first, &mut circuit);
        circuit.is_library = is_library(&fields);
        self.header(&fields, &mut circuit);
        if let Some(value) = fields.value("import") {
            circuit.imports = self.imports(value);
        }
        let section = |key| fields.value(key);
        if let Some(value) = section("params") {
            circuit.params = self.params(value);
        }
        if let Some(value) = section("schemas") {
            circuit.schemas = self.schemas(value);
        }
        if let Some(value) = section("functions") {
            circuit.functions = self.functions(value);
        }
        if let Some(value) = section("topics") {
            circuit.topics = self.topics(value);
        }
        if let Some(value) = section("operators") {
            circuit.operators = self.operators(value);
        }
        if let Some(value) = section("flow") {
            circuit.flow = self.flow(value);
        }
        if let Some(value) = section("routes") {
            circuit.routes = self.routes(value);
        }
        if let Some(item) = fields.get("limits") {
            circuit.limits = self.circuit_limits(item);
        }
        if let Some(value) = section("access") {
            circuit.access = self.access(value);
        }
        if let Some(value) = section("profiles") {
            circuit.profiles = self.profiles(value);
        }
        if let Some(value) = section("tests") {
            circuit.tests = self.tests(value);
        }
        Some(circuit)
    }

    /// Nothing if a section has more entries, or all have more text, than is read; then nothing
    /// of the circuit is.
    fn bounded(&mut self, fields: &Fields<'a>) -> Option<()> {
        let mut n_bytes = 0;
        for item in CIRCUIT_KEYS.iter().filter_map(|key| fields.get(key)) {
            let n_entries = match &self.document.node(item.value).content {
                Content::Map(entries) => entries.len(),
                Content::List(items) => items.len(),
                // A description, or no section at all.
                Content::Scalar(_) | Content::Tagged { .. } | Content::Refused => continue,
            };
            if SECTION_ENTRIES_MAX < n_entries {
                let message = format!(
                    "`{}` has {n_entries} entries; it may have {SECTION_ENTRIES_MAX}",
                    item.key
                );
                return self.too_large(item.span, message);
            }
            if item.key != "tests" {
                n_bytes += self.span(item.value).len() as usize;
            }
            if SECTIONS_BYTES_MAX < n_bytes {
                let message = format!(
                    "up to the end of `{}` the sections have {n_bytes} bytes; without `tests` \
                     they may have {SECTIONS_BYTES_MAX}",
                    item.key
                );
                return self.too_large(item.span, message);
            }
        }
        Some(())
    }

    fn too_large(&mut self, span: Span, message: String) -> Option<()> {
        self.report(
            Diagnostic::new(code::yaml::TOO_LARGE, span, message)
                .help("let several circuits share topics, each with a part of the flow"),
        );
        None
    }

    /// `import:`, one path or a list of them.
    fn imports(&mut self, id: NodeId) -> Vec<Spanned<String>> {
        let what = "the path of a file, as in `lab/schemas.yaml`";
        let items = match self.list(id) {
            Some(items) => items,
            None => &[id],
        };
        items.iter().filter_map(|item| self.substituted(*item, what)).collect()
    }

    /// `arqon: 1`, the first key.
    fn version(&mut self, fields: &Fields<'a>, first: Option<Item<'a>>, circuit: &mut Circuit) {
        let Some(item) = fields.get("arqon") else {
            let start = Span::empty(fields.owner.start);
            self.report(
                Diagnostic::new(
                    code::yaml::LANGUAGE_VERSION,
                    fields.owner,
                    "a circuit begins with `arqon: 1`",
                )
                .fix(start, "arqon: 1\n", "add the language version"),
            );
            return;
        };
        if first.is_some_and(|first| first.key != "arqon") {
            self.report(
                Diagnostic::new(
                    code::yaml::LANGUAGE_VERSION,
                    item.span,
                    "`arqon` stands first in a circuit",
                )
                .secondary(fields.owner, "it belongs before this key"),
            );
        }
        let Some(version) = self.whole(item.value) else { return };
        if version.node == LANGUAGE_VERSION {
            circuit.version = Some(version);
        } else {
            self.report(
                Diagnostic::new(
                    code::yaml::LANGUAGE_VERSION,
                    version.span,
                    format!("the language version {} is not known", version.node),
                )
                .help(format!("this version of ArqonBus reads `arqon: {LANGUAGE_VERSION}`")),
            );
        }
    }

    fn header(&mut self, fields: &Fields<'a>, circuit: &mut Circuit) {
        // What only declares things for others has no need of a name.
        let item = if circuit.is_library {
            fields.get("circuit")
        } else {
            self.require(fields, "circuit")
        };
        if let Some(item) = item {
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
