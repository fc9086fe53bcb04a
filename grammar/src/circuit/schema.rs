//! `schemas:`, `params:` and `functions:`, and types wherever they stand.

use granit_parser::ScalarStyle;

use super::reader::Item;
use super::reader::Reader;
use crate::ast::Field;
use crate::ast::Function;
use crate::ast::Param;
use crate::ast::Schema;
use crate::ast::TIME_UNITS;
use crate::ast::TimeUnit;
use crate::ast::TypeExpr;
use crate::ast::TypeKind;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::expr::Literal;
use crate::expression::ZERO_HELP;
use crate::expression::parse_literal;
use crate::expression::without_zeros;
use crate::limits::FIELDS_MAX;
use crate::limits::TYPE_DEPTH_MAX;
use crate::name::NameRule;
use crate::span::Span;
use crate::span::Spanned;
use crate::type_syntax;
use crate::yaml::Content;
use crate::yaml::NodeId;

/// Whether a word is or was to be a unit of time: it has no shape of a type or of a schema's name.
fn is_like_unit(word: &str) -> bool {
    let is_known = |word: &str| TIME_UNITS.iter().any(|(unit, _)| *unit == word);
    is_known(word)
        || (1 < word.len() && is_known(&word.to_ascii_lowercase()))
        || (word.bytes().all(|b| b.is_ascii_lowercase())
            && !type_syntax::TYPE_WORDS.contains(&word))
}

impl<'a> Reader<'a> {
    /// `schemas:`.
    pub(crate) fn schemas(&mut self, id: NodeId) -> Vec<Schema> {
        let items = self.expect_map(id, "a map of schemas").unwrap_or_default();
        let mut schemas = Vec::with_capacity(items.len());
        for item in items {
            let name = self.declared(item, NameRule::Identifier, "schema");
            let fields = self.expect_map(item.value, "a map of fields and their types");
            let fields = fields.and_then(|fields| self.type_fields(&fields, item.span, 1));
            let span = self.span(item.value);
            let is_whole = fields.is_some();
            schemas.push(Schema { name, fields: fields.unwrap_or_default(), is_whole, span });
        }
        schemas
    }

    /// Fields of a schema or struct; `owner` is the key above them. None when they are too many.
    fn type_fields(&mut self, items: &[Item<'a>], owner: Span, depth: usize) -> Option<Vec<Field>> {
        if items.is_empty() {
            self.report(Diagnostic::new(code::yaml::EMPTY, owner, "a record without fields"));
        }
        if FIELDS_MAX < items.len() {
            let message = format!("{} fields, at most {FIELDS_MAX} are allowed", items.len());
            self.report(Diagnostic::new(code::yaml::TYPE_LIMIT, owner, message));
            return None;
        }
        let mut fields = Vec::with_capacity(items.len());
        for item in items {
            let name = self.declared(*item, NameRule::Identifier, "field");
            let (ty, unit) = self.type_with_unit(*item, depth + 1);
            fields.push(Field { name, ty, unit });
        }
        Some(fields)
    }

    /// A type, or `{ type: timestamp, unit: ms }`.
    fn type_with_unit(
        &mut self,
        item: Item<'a>,
        depth: usize,
    ) -> (TypeExpr, Option<Spanned<TimeUnit>>) {
        let entries = self.map(item.value).unwrap_or_default();
        let value = |key: &str| entries.iter().find(|entry| entry.key == key).map(|e| e.value);
        let (Some(ty), Some(unit)) = (value("type"), value("unit")) else {
            return (self.type_at(item.value, item.span, depth), None);
        };
        if entries.len() != 2 {
            return (self.type_at(item.value, item.span, depth), None);
        }
        // A struct may well have fields named `type` and `unit`; then `unit` holds a type.
        if !self.scalar(unit).is_some_and(|scalar| is_like_unit(&scalar.text)) {
            return (self.type_at(item.value, item.span, depth), None);
        }
        let unit = self.word(unit, "a unit of time", &TIME_UNITS);
        (self.type_at(ty, item.span, depth), unit)
    }

    /// The type at a node: its text, or a nested map of fields.
    pub(crate) fn type_at(&mut self, id: NodeId, owner: Span, depth: usize) -> TypeExpr {
        let node = self.document.node(id);
        let span = node.span;
        let kind = match &node.content {
            Content::Scalar(scalar) if !self.is_empty(id) => {
                let offsets = self.offsets(id, scalar);
                return type_syntax::parse(&scalar.text, &offsets, &mut self.diagnostics);
            }
            Content::Map(_) if TYPE_DEPTH_MAX < depth => {
                let message = format!("types nest at most {TYPE_DEPTH_MAX} deep");
                self.report(Diagnostic::new(code::yaml::TYPE_LIMIT, owner, message));
                TypeKind::Error
            }
            Content::Map(_) => {
                let items = self.map(id).unwrap_or_default();
                self.type_fields(&items, owner, depth).map_or(TypeKind::Error, TypeKind::Struct)
            }
            Content::List(_) => {
                self.report(
                    Diagnostic::new(
                        code::yaml::WRONG_SHAPE,
                        Span::new(span.start, span.start + 1),
                        "expected a type, found a list",
                    )
                    .help("a list of values is `list<T>`"),
                );
                TypeKind::Error
            }
            Content::Scalar(_) | Content::Tagged { .. } | Content::Refused => {
                if self.is_empty(id) {
                    self.report(Diagnostic::new(
                        code::yaml::WRONG_SHAPE,
                        owner,
                        "expected a type, found nothing",
                    ));
                } else {
                    self.wrong_shape(id, "a type");
                }
                TypeKind::Error
            }
        };
        TypeExpr { kind, span }
    }

    /// `params:`.
    pub(crate) fn params(&mut self, id: NodeId) -> Vec<Param> {
        let items = self.expect_map(id, "a map of parameters").unwrap_or_default();
        let mut params = Vec::with_capacity(items.len());
        for item in items {
            let name = self.declared(item, NameRule::Identifier, "parameter");
            let Some(text) = self.substituted(item.value, "a value") else { continue };
            let quoted =
                self.scalar(item.value).is_some_and(|scalar| scalar.style != ScalarStyle::Plain);
            if let Some(meant) = without_zeros(text.node.trim()).filter(|_| !quoted) {
                let message = format!("`{}` begins with a zero", text.node.trim());
                self.report(
                    Diagnostic::new(code::expression::LITERAL, text.span, message)
                        .help(ZERO_HELP)
                        .fix(text.span, meant, format!("write `{meant}`")),
                );
            }
            // Quotes make it a text; expressions there would need their own.
            let literal = (!quoted).then(|| text.node.trim());
            let literal = literal.and_then(|text| parse_literal(text).or_else(|| moment(text)));
            let value = Spanned::new(literal.unwrap_or(Literal::String(text.node)), text.span);
            params.push(Param { name, value });
        }
        params
    }

    /// `functions:`, with keys of the form `net(price, off)`.
    pub(crate) fn functions(&mut self, id: NodeId) -> Vec<Function> {
        let items = self.expect_map(id, "a map of functions").unwrap_or_default();
        let mut functions = Vec::with_capacity(items.len());
        for item in items {
            let body = self.expression(item.value);
            if let Some((name, params)) = self.function_head(item) {
                functions.push(Function { name, params, body });
            }
        }
        functions
    }

    fn function_head(
        &mut self,
        item: Item<'a>,
    ) -> Option<(crate::ast::Name, Vec<crate::ast::Name>)> {
        let key = item.key;
        let (name, rest) = match key.split_once('(') {
            Some((name, rest)) => (name, Some(rest)),
            None => (key, None),
        };
        let at = |start: usize, end: usize| {
            let offset = |value: usize| item.span.start + u32::try_from(value).unwrap_or(0);
            Span::new(offset(start).min(item.span.end), offset(end).min(item.span.end))
        };
        let trimmed = name.trim();
        let name = self.check_name(NameRule::Plain, "function", trimmed, at(0, trimmed.len()))?;
        let Some(rest) = rest else { return Some((name, Vec::new())) };
        let Some(inner) = rest.trim_end().strip_suffix(')') else {
            self.report(
                Diagnostic::new(
                    code::yaml::NAME_SHAPE,
                    item.span,
                    format!("`{key}` is not the head of a function"),
                )
                .help("a function is written `net(price, off): price * (1 - off)`"),
            );
            return None;
        };
        let mut params: Vec<crate::ast::Name> = Vec::new();
        let mut start = key.len() - rest.len();
        for part in inner.split(',').filter(|_| !inner.trim().is_empty()) {
            let lead = part.len() - part.trim_start().len();
            let text = part.trim();
            let span = at(start + lead, start + lead + text.len());
            start += part.len() + 1;
            let param =
                self.check_name(NameRule::Identifier, "parameter of a function", text, span)?;
            if let Some(first) = params.iter().find(|other| other.node == param.node) {
                let message = format!("the parameter `{text}` stands twice");
                self.report(
                    Diagnostic::new(code::yaml::DUPLICATE_KEY, span, message)
                        .secondary(first.span, "the first one"),
                );
                continue;
            }
            params.push(param);
        }
        Some((name, params))
    }
}

/// A date `2026-01-31`, or a time `2026-01-31T08:00:00Z`, as YAML has them: without quotes.
fn moment(text: &str) -> Option<Literal> {
    let is_like = |shape: &str, text: &str| {
        let fits =
            |(shape, c): (char, char)| if shape == '0' { c.is_ascii_digit() } else { shape == c };
        shape.len() == text.len() && shape.chars().zip(text.chars()).all(fits)
    };
    let date = text.get(..10).filter(|date| is_like("0000-00-00", date))?;
    if date.len() == text.len() {
        return Some(Literal::Date(text.to_owned()));
    }
    let is_time = text.get(10..19).is_some_and(|time| is_like("T00:00:00", time));
    (is_time && 19 < text.len()).then(|| Literal::Time(text.to_owned()))
}
