//! What may be written at the cursor.
//!
//! The place comes from the text alone (`cursor`), the names and rows from the last analysis that
//! could read the circuit, so that a line in the middle of being written is served.

use arqon_compiler::{CONTRACT_NAMES, Law};
use arqon_grammar::TYPE_WORDS;
use arqon_grammar::ast;
use arqon_grammar::vocabulary;
use arqon_operators::{
    KERNELS, Kernel, aggregate_names, aggregate_signature_text, along_order_names,
    along_order_signature_text, function_names, signature_text,
};
use arqon_types::{Field, Type};

use crate::analysis::Analysis;
use crate::cursor::{Cursor, Place, StepPlace, cursor};
use crate::names::{Kind as NameKind, written};
use crate::rows::{Rows, fields_on_bus, of_step, rows};
use crate::shape;
use crate::values::{self, compared, struct_fields, type_within};
use crate::words;

/// A word that may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// The word.
    pub(crate) label: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// Its type, signature or meaning.
    pub(crate) detail: Option<String>,
}

/// What a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A key of a map, to be followed by a colon.
    Key,
    /// A word of a closed set.
    Word,
    /// A topic.
    Topic,
    /// A node.
    Node,
    /// A record type.
    Schema,
    /// A type of the language.
    Type,
    /// A field of a row.
    Field,
    /// A function.
    Function,
    /// A parameter.
    Constant,
    /// An operator.
    Operator,
    /// A file that may be imported.
    File,
}

/// The candidates at a byte of `text`, and where the word that they replace begins; `files` are
/// those that may be imported.
pub(crate) fn complete(
    text: &str,
    offset: usize,
    analysis: Option<&Analysis>,
    files: &dyn Fn() -> Vec<String>,
) -> (usize, Vec<Candidate>) {
    let found = cursor(text, offset);
    let request = Request { cursor: &found, analysis, files };
    let candidates = request.candidates();
    let before = &text[..offset];
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    // Names on the bus have dots; in an expression only what stands behind the last one is new.
    let has_dots = candidates.iter().any(|it| matches!(it.kind, Kind::Topic | Kind::Node))
        || request.is_dotted_key();
    let is_path = candidates.iter().any(|it| it.kind == Kind::File);
    let joins = |c: char| (has_dots && c == '.') || (is_path && matches!(c, '.' | '/' | '-'));
    let word = before.trim_end_matches(|c: char| is_word(c) || joins(c));
    (word.len(), candidates)
}

/// Whether an expression may hold aggregates.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aggregates {
    Shown,
    Hidden,
}

struct Request<'a> {
    cursor: &'a Cursor,
    analysis: Option<&'a Analysis>,
    files: &'a dyn Fn() -> Vec<String>,
}

impl Request<'_> {
    fn candidates(&self) -> Vec<Candidate> {
        let names = self.cursor.names();
        match (self.cursor.place.clone(), names.as_slice()) {
            (Place::Nothing, _) => Vec::new(),
            (Place::Key, ["schemas", _, _, ..]) => {
                self.keys(vocabulary::field_keys(), words::field_key)
            }
            (Place::Item(_), ["tests", _, "-"]) => self.known(&names),
            (Place::Key | Place::Item(_), ["tests", _, "-", "mocks", of, "-", rest @ ..]) => {
                self.mock(of, rest, &names)
            }
            (Place::Key, ["tests", _, "-", "mocks"]) => {
                let mut found = self.of_kind(NameKind::Operator, Kind::Key);
                found.extend(self.of_kind(NameKind::Node, Kind::Key));
                found
            }
            (Place::Key, ["profiles", _, "use"]) => self.of_kind(NameKind::Operator, Kind::Key),
            (Place::Key, ["profiles", _, "params"]) => self.of_kind(NameKind::Param, Kind::Key),
            (Place::Key, ["tests", _, "-", "send" | "expect"]) => self.named(&[NameKind::Topic]),
            (Place::Key, ["tests", _, "-", "send" | "expect", topic, rest @ ..]) => {
                self.written_fields(&self.row_of(topic), rest)
            }
            (place, ["flow", _, ..]) => self.flow(&place, &names),
            (Place::Value(_) | Place::Item(_), path) => self.value(path),
            (Place::Key, path) => self.known(path),
        }
    }

    /// The keys of the language at a place.
    fn known(&self, path: &[&str]) -> Vec<Candidate> {
        let known = shape::keys(path);
        let keys: Vec<&str> = known.iter().map(|(key, _)| *key).collect();
        let meaning = |name: &str| known.iter().find(|(key, _)| *key == name)?.1;
        self.keys(&keys, meaning)
    }

    /// What an operator, capsule or kernel answers in a test.
    fn mock(&self, of: &str, path: &[&str], names: &[&str]) -> Vec<Candidate> {
        let circuit = self.analysis.and_then(|analysis| analysis.facts.circuit.as_ref());
        let Some(circuit) = circuit else { return Vec::new() };
        let is_operator = circuit.operators.iter().any(|operator| operator.name.node == of);
        let node = of.split_once('[').map_or(of, |(node, _)| node);
        let node = circuit.flow.iter().find(|known| known.name.node == node);
        let has_kernel = node.is_some_and(|node| {
            node.steps.iter().any(|step| matches!(step.kind, ast::StepKind::Kernel(_)))
        });
        let topic = |part: &str| {
            let fields = self.row_of(&format!("{of}.{part}"));
            fields.into_iter().filter(|field| &*field.name != "job_id").collect::<Vec<_>>()
        };
        let capsule = || {
            let node = node?;
            let named = of.split_once('[').map(|(_, idx)| idx.trim_end_matches(']').parse().ok());
            let is_capsule = |step: &ast::Step| matches!(step.kind, ast::StepKind::Wasm(_));
            let idx = named.unwrap_or_else(|| node.steps.iter().position(is_capsule))?;
            Some(of_step(self.analysis?, (&node.name.node, idx)))
        };
        match path {
            [] if has_kernel => self.written_fields(&self.row_of(of), &[]),
            [] => {
                let keys = if is_operator {
                    vocabulary::job_mock_keys()
                } else {
                    vocabulary::capsule_mock_keys()
                };
                let mut found = self.known(names);
                found.retain(|candidate| keys.contains(&candidate.label.as_str()));
                found
            }
            ["job", rest @ ..] if is_operator => self.written_fields(&topic("jobs"), rest),
            ["result", rest @ ..] if is_operator => self.written_fields(&topic("results"), rest),
            ["row", rest @ ..] => self.written_fields(&capsule().unwrap_or_default().0, rest),
            ["returns", "-", rest @ ..] => {
                self.written_fields(&capsule().unwrap_or_default().1, rest)
            }
            _ => Vec::new(),
        }
    }

    /// Within a node: its own keys and values, or those of a step.
    fn flow(&self, place: &Place, names: &[&str]) -> Vec<Candidate> {
        if let Some(step) = self.cursor.step() {
            return match &names[step.behind..] {
                [] => self.step_keys(),
                [word, rest @ ..] => self.step_value(place, &step, word, rest),
            };
        }
        let behind = self.cursor.node().map_or(names.len(), |(_, behind)| behind);
        match (&names[behind..], *place == Place::Key) {
            ([] | ["loop"] | ["loop", "next", _] | ["loop", "next", _, "merge"], true) => {
                self.known(names)
            }
            (["loop", "next"], true) => self.locals(Kind::Key),
            (["from"], true) => self.ports(),
            (["from", ..] | ["loop", "let", _, ..] | ["loop", "next", _, "from", ..], false) => {
                self.sources()
            }
            (["loop", "next", _, "merge"], false) => of_words(&["distinct"]),
            (["out"], false) => self.locals(Kind::Node),
            (["to", ..], false) => self.named(&[NameKind::Topic]),
            _ => Vec::new(),
        }
    }

    /// What a node or a join may read.
    fn sources(&self) -> Vec<Candidate> {
        let mut found = self.locals(Kind::Node);
        found.extend(self.named(&[NameKind::Topic, NameKind::Node, NameKind::Label]));
        found
    }

    /// The variables and nodes of the loops around the place.
    fn locals(&self, kind: Kind) -> Vec<Candidate> {
        let Some((node, _)) = self.cursor.node() else { return Vec::new() };
        let declared = self.analysis.iter().flat_map(|analysis| &analysis.occurrences);
        let is_around = |name: &str| {
            let owner = name.rsplit_once('.').map_or("", |(owner, _)| owner);
            node.strip_prefix(owner).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        declared
            .filter(|it| it.is_declaration && it.kind == NameKind::Local && is_around(&it.name))
            .map(|it| candidate(written(it.kind, &it.name), kind, None))
            .collect()
    }

    /// Whether the keys here are names with dots.
    fn is_dotted_key(&self) -> bool {
        let names = self.cursor.names();
        self.cursor.place == Place::Key
            && matches!(names.as_slice(), ["tests", _, "-", "send" | "expect"])
    }

    /// Values outside of steps.
    fn value(&self, path: &[&str]) -> Vec<Candidate> {
        match path {
            ["import", ..] => {
                let circuit = self.analysis.and_then(|analysis| analysis.facts.circuit.as_ref());
                let imports = circuit.map(|circuit| circuit.imports.as_slice()).unwrap_or_default();
                let is_new = |file: &&String| imports.iter().all(|known| known.node != **file);
                let files = (self.files)();
                files.iter().filter(is_new).map(|file| candidate(file, Kind::File, None)).collect()
            }
            ["schemas", _, _, .., "unit"] => of_words(&vocabulary::time_units()),
            ["schemas", _, ..] => self.types(),
            ["topics", _, "schema"] => self.types(),
            ["topics", topic, "key" | "time", ..] => self.fields_of(topic, Kind::Field),
            ["functions", _] => {
                self.expression(&self.cursor.place, &[], &Rows::default(), Aggregates::Hidden)
            }
            ["routes", "-"] => self.named(&[NameKind::Topic, NameKind::Node, NameKind::Label]),
            ["access", _, "publish" | "subscribe", ..] => self.named(&[NameKind::Topic]),
            ["access", _, "execute", ..] => self.named(&[NameKind::Operator]),
            ["operators", name, "use"] => self.implementations(name),
            ["profiles", _, "use", name] => self.implementations(name),
            ["operators", _, "contract"] => of_words(&CONTRACT_NAMES),
            ["operators", _, "via", _, "builtin"] => {
                let of = |name: &'static str| {
                    let (_, name) = name.split_once('.')?;
                    name.split('@').next()
                };
                of_words(&CONTRACT_NAMES.iter().filter_map(|name| of(name)).collect::<Vec<_>>())
            }
            ["tests", _, "-", "law"] => of_words(&Law::ALL.map(Law::name)),
            ["tests", _, "-", "send" | "expect", topic, rest @ ..] => {
                written_values(&self.row_of(topic), rest)
            }
            path => of_words(&shape::words(path)),
        }
    }

    /// The named ports of the kernel that a node begins with.
    fn ports(&self) -> Vec<Candidate> {
        let signature = self.kernel().map(Kernel::ports);
        let names = signature.iter().flatten().map(|port| port.name);
        self.keys(&names.collect::<Vec<_>>(), |_| None)
    }

    /// The kernel that the node around the place begins with.
    fn kernel(&self) -> Option<Kernel> {
        let (node, _) = self.cursor.node()?;
        let circuit = self.analysis?.facts.circuit.as_ref()?;
        let node = circuit.flow.iter().find(|known| known.name.node == node)?;
        node.steps.iter().find_map(|step| match &step.kind {
            ast::StepKind::Kernel(kernel) => Kernel::parse(kernel.name.as_str()),
            _ => None,
        })
    }

    /// The fields of a row that is being written out, apart from those that are there.
    fn written_fields(&self, row: &[Field], path: &[&str]) -> Vec<Candidate> {
        let inner = type_within(row, path).map(|ty| struct_fields(&ty)).unwrap_or_default();
        let is_new = |field: &&Field| {
            !self.cursor.beside.iter().any(|(written, _)| **written == *field.name)
        };
        let new: Vec<Field> = inner.iter().filter(is_new).cloned().collect();
        fields(&new, Kind::Key)
    }

    /// At the beginning of a step its verb, behind it what stands beside the verb.
    fn step_keys(&self) -> Vec<Candidate> {
        let written = |key: &str| self.cursor.beside.iter().any(|(other, _)| other == key);
        let verb = vocabulary::verbs().find(|(name, companions)| {
            written(name)
                && self
                    .cursor
                    .beside
                    .iter()
                    .all(|(key, _)| key == name || companions.contains(&key.as_str()))
        });
        if let Some((_, companions)) = verb {
            return self.keys(companions, words::companion);
        }
        let verbs: Vec<&str> = vocabulary::verbs().map(|(name, _)| name).collect();
        self.keys(&verbs, words::verb)
    }

    /// The value of a verb or of what stands beside one.
    fn step_value(
        &self,
        place: &Place,
        step: &StepPlace,
        word: &str,
        rest: &[&str],
    ) -> Vec<Candidate> {
        let rows = self.analysis.map(|it| rows(self.cursor, step, it)).unwrap_or_default();
        let is_key = *place == Place::Key;
        match (word, rest) {
            ("join", []) => self.sources(),
            ("asof", ["of"]) => self.expression(place, &rows.other, &rows, Aggregates::Hidden),
            ("asof" | "window" | "within" | "over" | "loop" | "merge", []) if is_key => {
                self.known(&self.cursor.names())
            }
            ("bounds" | "emit" | "limits", []) if is_key => self.known(&self.cursor.names()),
            ("loop", ["merge"]) if is_key => self.known(&self.cursor.names()),
            ("merge", []) => of_words(&["distinct"]),
            ("merge", _) | ("loop", ["merge", ..]) => fields(&rows.before, Kind::Field),
            ("exact" | "final", _) | ("loop", ["exact"]) => of_words(&["true", "false"]),
            ("window", ["final"]) => of_words(&["true", "false"]),
            ("kind", _) => of_words(&["inner", "left", "full", "semi", "anti"]),
            ("ties", _) => of_words(&["cut", "all"]),
            ("carries", _) => of_words(&["events", "full", "delta"]),
            ("call", []) => self.named(&[NameKind::Operator]),
            ("job", path) => match place {
                Place::Value(text) | Place::Item(text) if text.starts_with('=') => {
                    let place = Place::Value(text.trim_start_matches('=').to_owned());
                    self.expression(&place, &rows.before, &rows, Aggregates::Hidden)
                }
                Place::Key => self.written_fields(&rows.job, path),
                _ => written_values(&rows.job, path),
            },
            ("kernel", []) => of_words(&KERNELS.map(Kernel::name)),
            ("args", []) if is_key => {
                let known = self.kernel().map(Kernel::arguments).unwrap_or_default();
                self.keys(&known.iter().map(|it| it.name).collect::<Vec<_>>(), |_| None)
            }
            ("modes", _) => of_words(&["pass", "itmd", "rr"]),
            ("emit", []) if !is_key => of_words(&["changed", "all"]),
            ("emit", ["pull"]) => self.named(&[NameKind::Topic]),
            ("errors" | "control" | "metrics", _) => self.named(&[NameKind::Topic]),
            ("as" | "rank", _) => Vec::new(),
            ("match", _) if is_key => fields(&rows.before, Kind::Key),
            ("match", _) => self.expression(place, &rows.other, &rows, Aggregates::Hidden),
            ("drop" | "distinct", _) => fields(&rows.before, Kind::Field),
            ("agg", [_, ..]) => self.expression(place, &rows.before, &rows, Aggregates::Shown),
            ("over", ["with", _, ..]) => self.along_order(place, &rows),
            _ if is_key => Vec::new(),
            _ => {
                let mut visible = rows.before.clone();
                if rows.alias.is_none() {
                    visible.extend(rows.other.clone());
                }
                if word == "where" && rows.is_group {
                    visible.clone_from(&rows.after);
                }
                self.expression(place, &visible, &rows, Aggregates::Hidden)
            }
        }
    }

    /// What may stand in a value along an order.
    fn along_order(&self, place: &Place, rows: &Rows) -> Vec<Candidate> {
        let mut found = self.expression(place, &rows.before, rows, Aggregates::Shown);
        if !found.is_empty() {
            let signature = |name: &str| along_order_signature_text(name).map(str::to_owned);
            let functions = along_order_names();
            found.extend(functions.map(|it| candidate(it, Kind::Function, signature(it))));
        }
        found
    }

    /// What may stand in an expression over rows of these fields.
    fn expression(
        &self,
        place: &Place,
        visible: &[Field],
        rows: &Rows,
        aggregates: Aggregates,
    ) -> Vec<Candidate> {
        let (Place::Value(before) | Place::Item(before)) = place else { return Vec::new() };
        let is_text = before.matches('"').count() % 2 == 1;
        let variants = compared(before).map(|path| variants(path, visible, rows));
        let mut found: Vec<Candidate> = Vec::new();
        for word in variants.unwrap_or_default() {
            let word = if is_text { word } else { format!("\"{word}\"") };
            found.push(candidate(&word, Kind::Word, None));
        }
        if is_text {
            return found;
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        let start = before.trim_end_matches(is_word).len();
        let path = &before[start..];
        if path.starts_with(|c: char| c.is_ascii_digit()) {
            return Vec::new();
        }
        if let Some((base, _)) = path.rsplit_once('.') {
            return inner_fields(base, visible, rows);
        }
        found.extend(fields(visible, Kind::Field));
        found.extend(rows.alias.iter().map(|alias| candidate(alias, Kind::Field, None)));
        found.extend(self.of_kind(NameKind::Param, Kind::Constant));
        found.extend(self.of_kind(NameKind::Function, Kind::Function));
        if aggregates == Aggregates::Shown {
            let signature = |name: &str| aggregate_signature_text(name).map(str::to_owned);
            found.extend(aggregate_names().map(|it| candidate(it, Kind::Function, signature(it))));
        }
        let signature = |name: &str| signature_text(name).map(str::to_owned);
        found.extend(function_names().map(|it| candidate(it, Kind::Function, signature(it))));
        found.extend(of_words(&[
            "and", "or", "not", "in", "if", "then", "else", "none", "true", "false",
        ]));
        found
    }

    fn keys(
        &self,
        known: &[&str],
        meaning: impl Fn(&str) -> Option<&'static str>,
    ) -> Vec<Candidate> {
        let written = |key: &&&str| self.cursor.beside.iter().any(|(other, _)| other == **key);
        known
            .iter()
            .filter(|key| !written(key))
            .map(|key| candidate(key, Kind::Key, meaning(key).map(str::to_owned)))
            .collect()
    }

    fn named(&self, kinds: &[NameKind]) -> Vec<Candidate> {
        let kind = |kind: NameKind| match kind {
            NameKind::Topic => Kind::Topic,
            NameKind::Node | NameKind::Label | NameKind::Local => Kind::Node,
            NameKind::Schema => Kind::Schema,
            NameKind::Function => Kind::Function,
            NameKind::Param => Kind::Constant,
            NameKind::Operator => Kind::Operator,
            NameKind::Field => Kind::Field,
            NameKind::Argument | NameKind::Variable => Kind::Constant,
            NameKind::Variant
            | NameKind::Implementation
            | NameKind::Port
            | NameKind::Profile
            | NameKind::Role
            | NameKind::Test => Kind::Word,
        };
        let mut found: Vec<Candidate> =
            kinds.iter().flat_map(|it| self.of_kind(*it, kind(*it))).collect();
        if kinds.contains(&NameKind::Topic) {
            let topics = |operator: Candidate| {
                ["jobs", "results"]
                    .map(|part| candidate(&format!("{}.{part}", operator.label), Kind::Topic, None))
            };
            found.extend(
                self.of_kind(NameKind::Operator, Kind::Operator).into_iter().flat_map(topics),
            );
        }
        found
    }

    fn of_kind(&self, name_kind: NameKind, kind: Kind) -> Vec<Candidate> {
        let declared = self.analysis.iter().flat_map(|analysis| &analysis.occurrences);
        let declared = declared.filter(|it| it.is_declaration && it.kind == name_kind);
        declared.map(|it| candidate(&it.name, kind, None)).collect()
    }

    fn types(&self) -> Vec<Candidate> {
        let mut found = self.of_kind(NameKind::Schema, Kind::Schema);
        found.extend(TYPE_WORDS.iter().map(|word| candidate(word, Kind::Type, None)));
        found
    }

    fn fields_of(&self, topic: &str, kind: Kind) -> Vec<Candidate> {
        fields(&self.row_of(topic), kind)
    }

    fn row_of(&self, topic: &str) -> Vec<Field> {
        self.analysis.map(|it| fields_on_bus(it, topic)).unwrap_or_default()
    }

    fn implementations(&self, operator: &str) -> Vec<Candidate> {
        let circuit = self.analysis.and_then(|analysis| analysis.facts.circuit.as_ref());
        let operators = circuit.iter().flat_map(|circuit| &circuit.operators);
        operators
            .filter(|known| known.name.node == operator)
            .flat_map(|known| &known.via)
            .map(|via| candidate(via.name.as_str(), Kind::Word, None))
            .collect()
    }
}

/// The words that a value of a row is one of.
fn written_values(row: &[Field], path: &[&str]) -> Vec<Candidate> {
    let words = type_within(row, path).map(|ty| values::words(&ty)).unwrap_or_default();
    words.iter().map(|word| candidate(word, Kind::Word, None)).collect()
}

/// The variants of the enumeration that a path leads to.
fn variants(path: &str, visible: &[Field], rows: &Rows) -> Vec<String> {
    let (base, last) = path.rsplit_once('.').unwrap_or(("", path));
    let fields = if base.is_empty() { visible.to_vec() } else { fields_at(base, visible, rows) };
    let field = fields.iter().find(|field| *field.name == *last);
    match field.map(|field| field.ty.required()) {
        Some(Type::Enum(variants)) => variants.to_vec(),
        _ => Vec::new(),
    }
}

/// The fields of what a path leads to, as candidates.
fn inner_fields(base: &str, visible: &[Field], rows: &Rows) -> Vec<Candidate> {
    fields(&fields_at(base, visible, rows), Kind::Field)
}

/// The fields of what a path leads to.
fn fields_at(base: &str, visible: &[Field], rows: &Rows) -> Vec<Field> {
    let mut parts = base.split('.');
    let first = parts.next().unwrap_or("");
    let mut inner = if rows.alias.as_deref() == Some(first) {
        rows.other.clone()
    } else {
        match visible.iter().find(|field| *field.name == *first) {
            Some(field) => struct_fields(&field.ty),
            None => return Vec::new(),
        }
    };
    for part in parts {
        let Some(field) = inner.iter().find(|field| *field.name == *part) else {
            return Vec::new();
        };
        inner = struct_fields(&field.ty);
    }
    inner
}

fn fields(fields: &[Field], kind: Kind) -> Vec<Candidate> {
    fields.iter().map(|it| candidate(&it.name, kind, Some(it.ty.to_string()))).collect()
}

fn of_words(words: &[&str]) -> Vec<Candidate> {
    words.iter().map(|word| candidate(word, Kind::Word, None)).collect()
}

fn candidate(label: &str, kind: Kind, detail: Option<String>) -> Candidate {
    Candidate { label: label.to_owned(), kind, detail }
}
