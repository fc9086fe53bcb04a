//! Asks a YAML tree for what is expected of it, and reports what is there instead.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::habit::Foreign;
use super::habit::foreign_reference;
use super::habit::key_habit;
use super::habit::word_habit;
use super::habit::word_help;
use crate::ast::Name;
use crate::code;
use crate::diagnostic::Collector;
use crate::diagnostic::Diagnostic;
use crate::expr::Expr;
use crate::expr::ExprKind;
use crate::expr::Literal;
use crate::expression::Known;
use crate::expression::ZERO_HELP;
use crate::expression::duration;
use crate::expression::without_zeros;
use crate::name;
use crate::name::EXPRESSION_WORDS;
use crate::name::NameRule;
use crate::name::is_identifier;
use crate::quantity;
use crate::span::Span;
use crate::span::Spanned;
use crate::suggest::suggest;
use crate::yaml::Content;
use crate::yaml::Document;
use crate::yaml::Entry;
use crate::yaml::NodeId;
use crate::yaml::Offsets;
use crate::yaml::Scalar;

/// A document being lowered.
pub(crate) struct Reader<'a> {
    /// The file.
    pub(crate) text: &'a str,
    /// Its tree.
    pub(crate) document: &'a Document<'a>,
    /// Values for `${NAME}`.
    pub(crate) variables: &'a BTreeMap<String, String>,
    /// What was found wrong.
    pub(crate) diagnostics: Collector,
    /// Expressions that have been read.
    pub(crate) known: Known,
}

/// One entry of a map: its key, the key's place, and its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    /// The key.
    pub(crate) key: &'a str,
    /// Where the key stands.
    pub(crate) span: Span,
    /// The key's own node, for keys that are expressions.
    pub(crate) key_id: NodeId,
    /// The value.
    pub(crate) value: NodeId,
}

/// The entries of a map. Most maps have a few, which need no allocation.
pub(crate) type Items<'a> = SmallVec<[Item<'a>; 4]>;

/// A map with a closed set of keys.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    what: &'static str,
    /// What is shown when a key is missing.
    pub(crate) owner: Span,
    items: Items<'a>,
    /// Unknown keys, reported, under the known ones that they were probably meant to be.
    meant: Vec<(String, Item<'a>)>,
    /// Where the whole map stands.
    pub(crate) span: Span,
}

impl<'a> Reader<'a> {
    /// Reports a fault.
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Where a node stands; a node of which nothing is written stands at its beginning.
    pub(crate) fn span(&self, id: NodeId) -> Span {
        self.document.node(id).span
    }

    /// Whether nothing is written there.
    pub(crate) fn is_empty(&self, id: NodeId) -> bool {
        matches!(&self.document.node(id).content, Content::Scalar(scalar) if scalar.text.is_empty()
            && self.span(id).is_empty())
    }

    /// The scalar at a node, when it is one; reports nothing.
    pub(crate) fn scalar(&self, id: NodeId) -> Option<&'a Scalar<'a>> {
        match &self.document.node(id).content {
            Content::Scalar(scalar) => Some(scalar),
            Content::List(_) | Content::Map(_) | Content::Tagged { .. } | Content::Refused => None,
        }
    }

    /// The items of a list, when it is one; reports nothing.
    pub(crate) fn list(&self, id: NodeId) -> Option<&'a [NodeId]> {
        match &self.document.node(id).content {
            Content::List(items) => Some(items),
            Content::Scalar(_) | Content::Map(_) | Content::Tagged { .. } | Content::Refused => {
                None
            }
        }
    }

    /// The items of a list, or the one value itself.
    pub(crate) fn items(&self, id: NodeId) -> Vec<NodeId> {
        self.list(id).map_or_else(|| vec![id], <[NodeId]>::to_vec)
    }

    /// The items under a key; none when it is not written.
    pub(crate) fn items_under(&self, fields: &Fields<'a>, key: &str) -> Vec<NodeId> {
        fields.value(key).map(|value| self.items(value)).unwrap_or_default()
    }

    /// The entries of a map, when it is one; reports nothing.
    pub(crate) fn map(&self, id: NodeId) -> Option<Items<'a>> {
        match &self.document.node(id).content {
            Content::Map(entries) => Some(entries.iter().map(|entry| self.item(*entry)).collect()),
            Content::Scalar(_) | Content::List(_) | Content::Tagged { .. } | Content::Refused => {
                None
            }
        }
    }

    fn item(&self, entry: Entry) -> Item<'a> {
        let key = self.document.key(entry);
        Item { key, span: self.inner_span(entry.key), key_id: entry.key, value: entry.value }
    }

    /// A scalar's place without its quotes, where that can be told at once.
    pub(crate) fn inner_span(&self, id: NodeId) -> Span {
        let span = self.span(id);
        match self.scalar(id) {
            Some(scalar) if span.len() as usize == scalar.text.len() + 2 => {
                Span::new(span.start + 1, span.end - 1)
            }
            _ => span,
        }
    }

    /// The offsets of a scalar's text in the file.
    pub(crate) fn offsets(&self, id: NodeId, scalar: &Scalar<'_>) -> Offsets {
        Offsets::new(self.text, self.span(id), scalar)
    }

    /// The items of a list that must be one; `what` says what is expected, `a list of fields`.
    pub(crate) fn expect_list(&mut self, id: NodeId, what: &str) -> Option<&'a [NodeId]> {
        let found = self.list(id);
        if found.is_none() {
            self.wrong_shape(id, what);
        }
        found
    }

    /// The entries of a map that must be one.
    pub(crate) fn expect_map(&mut self, id: NodeId, what: &str) -> Option<Items<'a>> {
        let found = self.map(id);
        if found.is_none() {
            self.wrong_shape(id, what);
        }
        found
    }

    /// The text of a scalar that must be there.
    pub(crate) fn expect_text(&mut self, id: NodeId, what: &str) -> Option<Spanned<&'a str>> {
        match self.scalar(id) {
            Some(scalar) if !self.is_empty(id) => {
                let text: &'a str = match &scalar.text {
                    Cow::Borrowed(text) => text,
                    Cow::Owned(text) => text,
                };
                Some(Spanned::new(text, self.inner_span(id)))
            }
            _ => {
                self.wrong_shape(id, what);
                None
            }
        }
    }

    /// Reports that something else stands where `what` is expected.
    pub(crate) fn wrong_shape(&mut self, id: NodeId, what: &str) {
        if let Some(fault) = self.shape_fault(id, what) {
            self.report(fault);
        }
    }

    /// The fault that something else stands where `what` is expected; none if it has been
    /// reported.
    pub(crate) fn shape_fault(&self, id: NodeId, what: &str) -> Option<Diagnostic> {
        let node = self.document.node(id);
        let found = match &node.content {
            Content::Refused => return None,
            Content::Tagged { tag } => {
                let written = tag.slice(self.text);
                return Some(
                    Diagnostic::new(
                        code::yaml::TAG,
                        *tag,
                        format!("the tag `{written}` is not part of the language"),
                    )
                    .help("a text that begins with `!` goes in quotes"),
                );
            }
            // What has lost its key there, or is a template, has been told of.
            Content::Map(_) if self.diagnostics.has_within(code::yaml::KEY_SHAPE, node.span) => {
                return None;
            }
            Content::Scalar(_) if self.is_empty(id) => "nothing",
            Content::Scalar(_) => "a text",
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
        };
        let span = self.place(node.span);
        let message = format!("expected {what}, found {found}");
        Some(Diagnostic::new(code::yaml::WRONG_SHAPE, span, message))
    }

    /// A place to show: only the first line of a long one.
    fn place(&self, span: Span) -> Span {
        let first = span.slice(self.text).lines().next().unwrap_or("").trim_end();
        Span::new(span.start, span.start + u32::try_from(first.len()).unwrap_or(u32::MAX))
    }

    /// A map whose keys are `known`; others are reported with the nearest known one.
    ///
    /// `owner` is shown when a required key is missing: the key that the map stands under.
    pub(crate) fn fields(
        &mut self,
        id: NodeId,
        what: &'static str,
        owner: Span,
        known: &[&str],
    ) -> Option<Fields<'a>> {
        let Some(mut items) = self.map(id) else {
            let fault = self.shape_fault(id, &format!("the map of {what}"))?;
            self.report(if known.len() <= KEYS_SHOWN_MAX {
                fault.help(keys_of(known))
            } else {
                fault
            });
            return None;
        };
        let mut meant = Vec::new();
        let is_known = |item: &Item<'_>| known.contains(&item.key);
        if !items.iter().all(is_known) {
            let written: BTreeSet<&str> = items.iter().map(|item| item.key).collect();
            for item in items.iter().filter(|item| !is_known(item)) {
                let habit = key_habit(what, item.key);
                let near = habit.or_else(|| meant_key(item.key, known));
                meant.extend(near.map(|near| (near.to_owned(), *item)));
                // A key that is there already cannot be what was meant.
                let free = near.filter(|near| !written.contains(near));
                self.report(unknown_key(what, *item, known, (near, free)));
            }
            items.retain(|item| is_known(item));
        }
        Some(Fields { what, owner, items, meant, span: self.span(id) })
    }

    /// The required value of a key; reports its absence at the map's own key.
    pub(crate) fn require(&mut self, fields: &Fields<'a>, key: &str) -> Option<Item<'a>> {
        let found = fields.get(key);
        if found.is_none() && !self.has_stray(fields) {
            self.report(Diagnostic::new(
                code::yaml::MISSING_KEY,
                fields.owner,
                format!("{} needs `{key}`", fields.what),
            ));
        }
        found
    }

    /// Whether something in a map has lost its key, which may be the one that is missed.
    pub(crate) fn has_stray(&self, fields: &Fields<'a>) -> bool {
        self.diagnostics.has_within(code::yaml::KEY_SHAPE, fields.span)
    }

    /// A name in a value's place.
    pub(crate) fn name(&mut self, id: NodeId, rule: NameRule, what: &str) -> Option<Name> {
        if self.scalar(id).is_none() || self.is_empty(id) {
            self.wrong_shape(id, &format!("the name of a {what}"));
            return None;
        }
        let text = self.expect_text(id, what)?;
        self.check_name(rule, what, text.node, text.span)
    }

    /// Reports the name of a topic or node as other tools write it.
    pub(crate) fn is_foreign_reference(&mut self, id: NodeId) -> bool {
        let Some(scalar) = self.scalar(id) else { return false };
        let Some(foreign) = foreign_reference(&scalar.text) else { return false };
        let message = format!("`{}` cannot name a topic or node", scalar.text);
        let fault = Diagnostic::new(code::yaml::NAME_SHAPE, self.inner_span(id), message);
        self.report(match foreign {
            Foreign::Macro(name) => fault.help("topics and nodes are named as they are").fix(
                self.span(id),
                name,
                format!("write `{name}`"),
            ),
            Foreign::Aliased { name, alias } => {
                fault.help(format!("`{name}` alone; the joined row has its name in `as: {alias}`"))
            }
        });
        true
    }

    /// The name that a key declares. One against the rule is reported and kept: what it names is
    /// there, and what refers to it finds it.
    pub(crate) fn declared(&mut self, item: Item<'a>, rule: NameRule, what: &str) -> Name {
        if let Err(diagnostic) = name::check(rule, what, item.key, item.span) {
            self.report(*diagnostic);
        }
        Spanned::new(item.key.to_owned(), item.span)
    }

    /// A key that refers to something by its name.
    pub(crate) fn key_name(&mut self, item: Item<'a>, rule: NameRule, what: &str) -> Option<Name> {
        self.check_name(rule, what, item.key, item.span)
    }

    /// A name that keeps to its rule, or none and a report.
    pub(crate) fn check_name(
        &mut self,
        rule: NameRule,
        what: &str,
        text: &str,
        span: Span,
    ) -> Option<Name> {
        match name::check(rule, what, text, span) {
            Ok(()) => Some(Spanned::new(text.to_owned(), span)),
            Err(diagnostic) => {
                self.report(*diagnostic);
                None
            }
        }
    }

    /// One name or a list of names.
    pub(crate) fn names(&mut self, id: NodeId, rule: NameRule, what: &str) -> Option<Vec<Name>> {
        match self.list(id) {
            Some(items) => {
                Some(items.iter().filter_map(|item| self.name(*item, rule, what)).collect())
            }
            None => self.name(id, rule, what).map(|name| vec![name]),
        }
    }

    /// One word out of a closed set.
    pub(crate) fn word<T: Copy>(
        &mut self,
        id: NodeId,
        what: &str,
        words: &[(&str, T)],
    ) -> Option<Spanned<T>> {
        let text = self.expect_text(id, what)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.node) {
            return Some(Spanned::new(*value, text.span));
        }
        let habit = word_habit(what, text.node);
        let near = habit.or_else(|| suggest(text.node, words.iter().map(|(word, _)| *word)));
        let all: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let mut fault = Diagnostic::new(
            code::yaml::UNKNOWN_WORD,
            text.span,
            format!("`{}` is not {what}", text.node),
        )
        .did_you_mean(near)
        .fix_name(text.span, text.node, near, words.iter().map(|(word, _)| *word))
        .help(format!("it is one of {}", all.join(", ")));
        fault.help.extend(word_help(what, text.node).map(str::to_owned));
        self.report(fault);
        None
    }

    /// A quantity, read by `read`; `what` says what is expected, with an example.
    pub(crate) fn quantity<T>(
        &mut self,
        id: NodeId,
        what: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<Spanned<T>> {
        let text = self.expect_text(id, what)?;
        let value = read(text.node.trim());
        if value.is_none() {
            let diagnostic = Diagnostic::new(
                code::yaml::QUANTITY,
                text.span,
                format!("`{}` is not {what}", text.node),
            );
            let is_bare = text.node.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            let is_time = what.contains("duration");
            let is_size = what.contains("size");
            let number = without_zeros(text.node).filter(|_| COUNTS.contains(&what));
            self.report(if let Some(meant) = number {
                let title = format!("write `{meant}`");
                diagnostic.help(ZERO_HELP).fix(text.span, meant, title)
            } else if let Some(digits) = text.node.strip_suffix('M').filter(|_| is_time && is_size)
            {
                diagnostic.help(format!("`{digits}m` is minutes, `{digits}MB` a size"))
            } else if let Some(meant) = quantity::spelt_bytes(text.node).filter(|_| is_size) {
                let title = format!("write `{meant}`");
                diagnostic.help(format!("it is `{meant}`")).fix(text.span, meant, title)
            } else if let Some(meant) = quantity::spelt_duration(text.node).filter(|_| is_time) {
                let title = format!("write `{meant}`");
                diagnostic.help(format!("it is `{meant}`")).fix(text.span, meant, title)
            } else if is_bare && is_time {
                let number = text.node;
                diagnostic.help(format!(
                    "is its unit missing? as in `{number}s`, `{number}m` or `{number}h`"
                ))
            } else if is_bare && !COUNTS.contains(&what) {
                diagnostic.help("is its unit missing?")
            } else {
                diagnostic
            });
        }
        Some(Spanned::new(value?, text.span))
    }

    /// A whole number.
    pub(crate) fn whole(&mut self, id: NodeId) -> Option<Spanned<u64>> {
        self.quantity(id, WHOLE_NUMBER, quantity::whole)
    }

    /// A duration in nanoseconds.
    pub(crate) fn duration(&mut self, id: NodeId) -> Option<Spanned<i64>> {
        self.quantity(id, "a duration, as in `500ms` or `1h30m`", duration)
    }

    /// A length of time: a duration, or the name of a parameter that is one.
    pub(crate) fn length(&mut self, id: NodeId) -> Option<Expr> {
        self.parameter(id).or_else(|| {
            let nanos = self.duration(id)?;
            Some(Expr::new(ExprKind::Literal(Literal::Duration(nanos.node)), nanos.span))
        })
    }

    /// What can only be the name of a parameter, where a quantity is expected.
    pub(crate) fn parameter(&self, id: NodeId) -> Option<Expr> {
        let name = self.scalar(id)?.text.trim();
        let is_name = is_identifier(name) && !EXPRESSION_WORDS.contains(&name);
        is_name.then(|| Expr::new(ExprKind::Name(name.to_owned()), self.inner_span(id)))
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, id: NodeId) -> Option<Spanned<bool>> {
        let written = self.scalar(id).map_or("", |scalar| &scalar.text);
        let other = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(written));
        let meant = match (other(&["yes", "on", "y"]), other(&["no", "off", "n"])) {
            (true, _) => Some("true"),
            (_, true) => Some("false"),
            (false, false) => None,
        };
        if let Some(meant) = meant {
            let span = self.inner_span(id);
            self.report(
                Diagnostic::new(
                    code::yaml::UNKNOWN_WORD,
                    span,
                    format!("`{written}` is not a truth value"),
                )
                .help("it is one of `true`, `false`")
                .fix(span, meant, format!("write `{meant}`")),
            );
            // What it means is known, so that nothing else is amiss.
            return Some(Spanned::new(meant == "true", span));
        }
        self.word(id, "a truth value", &[("true", true), ("false", false)])
    }

    /// A text with its `${NAME}`s replaced.
    pub(crate) fn substituted(&mut self, id: NodeId, what: &str) -> Option<Spanned<String>> {
        let text = self.expect_text(id, what)?;
        Some(Spanned::new(self.substitute(text.node, id), text.span))
    }

    /// Replaces each `${NAME}` of a text; `$${` stands for `${`. Reports those without a value.
    pub(crate) fn substitute(&mut self, text: &str, id: NodeId) -> String {
        if !text.contains("${") {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        while let Some(found) = text[at..].find("${") {
            let start = at + found;
            if text[..start].ends_with('$') {
                out.push_str(&text[at..start - 1]);
                out.push_str("${");
                at = start + 2;
                continue;
            }
            out.push_str(&text[at..start]);
            let Some(len) = text[start..].find('}') else {
                at = start;
                break;
            };
            let name = &text[start + 2..start + len];
            match self.variables.get(name) {
                Some(value) => out.push_str(value),
                None => self.missing_variable(id, start, start + len + 1, name),
            }
            at = start + len + 1;
        }
        out.push_str(&text[at..]);
        out
    }

    fn missing_variable(&mut self, id: NodeId, start: usize, end: usize, name: &str) {
        let Some(scalar) = self.scalar(id) else { return };
        let span = self.offsets(id, scalar).span(start, end);
        let near = suggest(name, self.variables.keys().map(String::as_str));
        self.report(
            Diagnostic::new(
                code::yaml::MISSING_VARIABLE,
                span,
                format!("the variable `{name}` has no value"),
            )
            .did_you_mean(near)
            .help("give it one in the environment, or write `$${` for a plain `${`"),
        );
    }
}

impl<'a> Fields<'a> {
    /// The entry of a key; a misspelt one, which was reported, stands for the right one, so that
    /// nothing else is found wrong because of it.
    pub(crate) fn get(&self, key: &str) -> Option<Item<'a>> {
        let written = self.items.iter().find(|item| item.key == key);
        let meant = || self.meant.iter().find(|(meant, _)| meant == key).map(|(_, item)| item);
        written.or_else(meant).copied()
    }

    /// The value of a key.
    pub(crate) fn value(&self, key: &str) -> Option<NodeId> {
        self.get(key).map(|item| item.value)
    }
}

/// What a whole number is called in messages.
const WHOLE_NUMBER: &str = "a whole number, as in `64`";

/// What a signed number of rows is called in messages.
pub(crate) const ROW_COUNT: &str = "a count, as in `+1` or `-1`";

/// Quantities without units.
const COUNTS: [&str; 2] = [WHOLE_NUMBER, ROW_COUNT];

/// The known key that a written one is like, or that it holds as a word.
fn meant_key<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    suggest(written, known.iter().copied()).or_else(|| {
        written.split_whitespace().find_map(|word| known.iter().copied().find(|it| *it == word))
    })
}

/// A key that is not one of `known`; `near` is the nearest of them, `free` the same unless it is
/// written in the map as well.
fn unknown_key(
    what: &str,
    item: Item<'_>,
    known: &[&str],
    (near, free): (Option<&str>, Option<&str>),
) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        code::yaml::UNKNOWN_KEY,
        item.span,
        format!("{what} has no key `{}`", item.key),
    );
    if near.is_some() {
        let known = known.iter().copied();
        return diagnostic.did_you_mean(near).fix_name(item.span, item.key, free, known);
    }
    diagnostic.help(keys_of(known))
}

/// The keys of a map, in words.
fn keys_of(known: &[&str]) -> String {
    let all: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
    format!("its keys are {}", all.join(", "))
}

/// Most keys that are listed where a map is missing.
const KEYS_SHOWN_MAX: usize = 6;
