//! What may be written at the cursor.
//!
//! The place comes from the text alone (`cursor`), the names and rows from the last analysis that
//! could read the circuit, so that a line in the middle of being written is served.

use arqon_grammar::TYPE_WORDS;
use arqon_grammar::vocabulary;
use arqon_operators::{
    aggregate_names, aggregate_signature_text, along_order_names, along_order_signature_text,
    function_names, signature_text,
};
use arqon_types::{Field, Type};

use crate::analysis::Analysis;
use crate::cursor::{Cursor, Place, StepPlace, cursor};
use crate::names::{Kind as NameKind, written};
use crate::rows::{Rows, fields_on_bus, rows};
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
}

/// The candidates at a byte of `text`, and where the word that they replace begins.
pub(crate) fn complete(
    text: &str,
    offset: usize,
    analysis: Option<&Analysis>,
) -> (usize, Vec<Candidate>) {
    let found = cursor(text, offset);
    let request = Request { cursor: &found, analysis };
    let candidates = request.candidates();
    let before = &text[..offset];
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    // Names on the bus have dots; in an expression only what stands behind the last one is new.
    let has_dots = candidates.iter().any(|it| matches!(it.kind, Kind::Topic | Kind::Node))
        || request.is_dotted_key();
    let word = before.trim_end_matches(|c: char| is_word(c) || (has_dots && c == '.'));
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
}

impl Request<'_> {
    fn candidates(&self) -> Vec<Candidate> {
        let names = self.cursor.names();
        match (self.cursor.place.clone(), names.as_slice()) {
            (Place::Nothing, _) => Vec::new(),
            (Place::Key, []) => self.keys(vocabulary::circuit_keys(), words::section),
            (Place::Key, ["topics", _]) => self.keys(vocabulary::topic_keys(), words::topic_key),
            (Place::Key, ["operators", _]) => self.keys(vocabulary::operator_keys(), |_| None),
            (Place::Key, ["operators", _, "via", _]) => {
                self.keys(vocabulary::transport_keys(), |_| None)
            }
            (Place::Key, ["schemas", _, _, ..]) => {
                self.keys(vocabulary::field_keys(), words::field_key)
            }
            (Place::Key, ["access", _]) => self.keys(vocabulary::role_keys(), |_| None),
            (Place::Key, ["profiles", _]) => self.keys(vocabulary::profile_keys(), |_| None),
            (Place::Key | Place::Item(_), ["tests", _, "-"]) => {
                self.keys(vocabulary::test_step_keys(), |_| None)
            }
            (Place::Key, ["tests", _, "-", "send" | "expect"]) => self.named(&[NameKind::Topic]),
            (Place::Key, ["tests", _, "-", "send" | "expect", topic, ..]) => {
                self.fields_of(topic, Kind::Key)
            }
            (place, ["flow", _, ..]) => self.flow(&place, &names),
            (Place::Value(_) | Place::Item(_), path) => self.value(path),
            (Place::Key, _) => Vec::new(),
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
            ([], true) => self.keys(vocabulary::node_keys(), words::node_key),
            (["loop"], true) => self.keys(vocabulary::node_loop_keys(), words::loop_key),
            (["loop", "next"], true) => self.locals(Kind::Key),
            (["loop", "next", _], true) => self.keys(&["from", "merge"], words::loop_key),
            (["from", ..] | ["loop", "let", _, ..] | ["loop", "next", _, "from", ..], false) => {
                self.sources()
            }
            (["loop", "next", _, "merge"], false) => of_words(&["distinct"]),
            (["loop", "next", _, "merge"], true) => self.keys(&["min", "max", "by"], |_| None),
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
            ["schemas", _, _, .., "unit"] => of_words(&vocabulary::time_units()),
            ["schemas", _, ..] => self.types(),
            ["topics", _, "schema"] => self.types(),
            ["topics", _, "carries"] => of_words(&["events", "full", "delta"]),
            ["topics", _, "edge"] => of_words(&["in", "out", "both"]),
            ["topics", _, "control" | "shared" | "durable"] => of_words(&["true", "false"]),
            ["topics", _, "check"] => of_words(&["none"]),
            ["topics", topic, "key" | "time", ..] => self.fields_of(topic, Kind::Field),
            ["functions", _] => {
                self.expression(&self.cursor.place, &[], &Rows::default(), Aggregates::Hidden)
            }
            ["routes", "-"] => self.named(&[NameKind::Topic, NameKind::Node, NameKind::Label]),
            ["access", _, "publish" | "subscribe", ..] => self.named(&[NameKind::Topic]),
            ["access", _, "execute", ..] => self.named(&[NameKind::Operator]),
            ["operators", name, "use"] => self.implementations(name),
            ["profiles", _, "use", name] => self.implementations(name),
            _ => Vec::new(),
        }
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
            ("asof", []) if is_key => self.keys(&["time", "of", "within"], |_| None),
            ("asof", ["of"]) => self.expression(place, &rows.other, &rows, Aggregates::Hidden),
            ("window", []) if is_key => self.keys(vocabulary::window_keys(), words::companion),
            ("within", []) if is_key => self.keys(vocabulary::within_keys(), words::companion),
            ("over", []) if is_key => self.keys(vocabulary::over_keys(), words::companion),
            ("loop", []) if is_key => self.keys(vocabulary::step_loop_keys(), words::loop_key),
            ("merge", []) if is_key => self.keys(&["min", "max", "by"], |_| None),
            ("merge", []) => of_words(&["distinct"]),
            ("merge", _) | ("loop", ["merge", ..]) => fields(&rows.before, Kind::Field),
            ("exact" | "final", _) | ("loop", ["exact"]) => of_words(&["true", "false"]),
            ("window", ["final"]) => of_words(&["true", "false"]),
            ("kind", _) => of_words(&["inner", "left", "full", "semi", "anti"]),
            ("ties", _) => of_words(&["cut", "all"]),
            ("carries", _) => of_words(&["events", "full", "delta"]),
            ("call", []) => self.named(&[NameKind::Operator]),
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
        if before.matches('"').count() % 2 == 1 {
            return Vec::new();
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
        let mut found = fields(visible, Kind::Field);
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
        self.analysis.map(|it| fields(&fields_on_bus(it, topic), kind)).unwrap_or_default()
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

/// The fields of what a path leads to.
fn inner_fields(base: &str, visible: &[Field], rows: &Rows) -> Vec<Candidate> {
    let mut parts = base.split('.');
    let first = parts.next().unwrap_or("");
    let mut inner = if rows.alias.as_deref() == Some(first) {
        rows.other.clone()
    } else {
        match visible.iter().find(|field| field.name == first) {
            Some(field) => struct_fields(&field.ty),
            None => return Vec::new(),
        }
    };
    for part in parts {
        let Some(field) = inner.iter().find(|field| field.name == part) else { return Vec::new() };
        inner = struct_fields(&field.ty);
    }
    fields(&inner, Kind::Field)
}

fn struct_fields(ty: &Type) -> Vec<Field> {
    match ty.required() {
        Type::Struct(inner) => inner.clone(),
        _ => Vec::new(),
    }
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
