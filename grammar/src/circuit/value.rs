//! What stands in a value's place: expressions, lists of fields, raw values.

use granit_parser::ScalarStyle;

use super::reader::Item;
use super::reader::Reader;
use crate::ast::Name;
use crate::ast::NamedExpr;
use crate::ast::Value;
use crate::ast::ValueKind;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::expr::Expr;
use crate::expression;
use crate::expression::Source;
use crate::name::NameRule;
use crate::span::Span;
use crate::span::Spanned;
use crate::yaml::Content;
use crate::yaml::NodeId;
use crate::yaml::Scalar;
use crate::yaml::quote;

/// Whether `=text` in a raw value is an expression.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Computing {
    /// As in `job` and `args`.
    Allowed,
    /// Everywhere else it is text.
    NotHere,
}

impl<'a> Reader<'a> {
    /// The expression at a node; what could not be read is an error expression.
    pub(crate) fn expression(&mut self, id: NodeId) -> Expr {
        let n_before = self.diagnostics.len();
        let expr = self
            .with_source(id, |source, reader| reader.parse(source))
            .unwrap_or_else(|| Expr::error(self.span(id)));
        if expr.is_error() {
            self.unquoted_words(id, n_before);
        }
        expr
    }

    /// The expression of this text.
    pub(crate) fn parse(&mut self, source: Source<'_>) -> Expr {
        expression::parse(source, &mut self.known, &mut self.diagnostics)
    }

    /// Hands the expression text at a node to `read`; none when there is no text.
    pub(crate) fn with_source<T>(
        &mut self,
        id: NodeId,
        read: impl FnOnce(Source<'_>, &mut Self) -> T,
    ) -> Option<T> {
        let node = self.document.node(id);
        match &node.content {
            Content::Scalar(scalar) if !self.is_empty(id) => {
                let offsets = self.offsets(id, scalar);
                let rest = self.rest_of_line(scalar, node.span);
                let source = Source { text: &scalar.text, start: 0, offsets: &offsets, rest };
                Some(read(source, self))
            }
            Content::Tagged { tag } => {
                self.report(
                    Diagnostic::new(
                        code::expression::BANG,
                        Span::new(tag.start, tag.start + 1),
                        "`!` is written `not`",
                    )
                    .fix(
                        Span::new(tag.start, tag.start + 1),
                        "not ",
                        "write `not`",
                    ),
                );
                None
            }
            Content::List(_) => {
                let whole = node.span.slice(self.text);
                let is_written_out = whole.starts_with('[') && whole.ends_with(']');
                let code = if is_written_out {
                    code::expression::LIST_START
                } else {
                    code::yaml::WRONG_SHAPE
                };
                let bracket = Span::new(node.span.start, node.span.start + 1);
                let diagnostic =
                    Diagnostic::new(code, bracket, "expected an expression, found a list")
                        .help("an expression that begins with `[` goes in single quotes");
                self.report(if is_written_out {
                    diagnostic.fix(node.span, quote(whole), "quote the expression")
                } else {
                    diagnostic
                });
                None
            }
            Content::Scalar(_) | Content::Map(_) | Content::Refused => {
                self.wrong_shape(id, "an expression");
                None
            }
        }
    }

    /// Says of words in YAML's quotes, which cannot be read, that they are no text.
    fn unquoted_words(&mut self, id: NodeId, n_before: usize) {
        let node = self.document.node(id);
        let Content::Scalar(scalar) = &node.content else { return };
        let is_quoted =
            matches!(scalar.style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
        let is_of_words = |c: char| c.is_alphanumeric() || " -_.,!?".contains(c);
        let words = scalar.text.trim();
        let is_text = words.contains(' ') && words.chars().all(is_of_words);
        if !is_quoted || !is_text || TEXT_BYTES_MAX < words.len() {
            return;
        }
        let diagnostic = Diagnostic::new(
            code::expression::UNQUOTED_TEXT,
            node.span,
            format!("YAML's quotes make no text of `{words}`"),
        )
        .fix(node.span, quote(&format!("\"{words}\"")), "write a text");
        self.diagnostics.truncate(n_before);
        self.report(diagnostic);
    }

    /// What follows an unquoted scalar on its line.
    fn rest_of_line(&self, scalar: &Scalar<'_>, span: Span) -> &'a str {
        if scalar.style != ScalarStyle::Plain {
            return "";
        }
        let rest = &self.text[span.end as usize..];
        rest.find('\n').map_or(rest, |end| rest[..end].trim_end_matches('\r'))
    }

    /// `{ name: expression }`; `what` names the fields.
    pub(crate) fn named_map(&mut self, items: &[Item<'a>], what: &str) -> Vec<NamedExpr> {
        let mut fields = Vec::with_capacity(items.len());
        for item in items {
            let name = self.declared(*item, NameRule::Identifier, what);
            let value = if self.is_empty(item.value) {
                self.no_expression(*item, what);
                Expr::error(item.span)
            } else if self.is_call_as_map(item.value) {
                Expr::error(item.span)
            } else {
                self.expression(item.value)
            };
            fields.push(NamedExpr { name, value });
        }
        fields
    }

    /// Reports `{ sum: amount }`, a call in the form of a map.
    fn is_call_as_map(&mut self, id: NodeId) -> bool {
        let Some(entries) = self.map(id) else { return false };
        let [entry] = entries.as_slice() else { return false };
        let Some(argument) = self.scalar(entry.value).map(|scalar| scalar.text.trim()) else {
            return false;
        };
        let argument = argument.trim_matches('*');
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        let is_call = entry.key.chars().all(is_plain) && argument.chars().all(is_plain);
        let Some(fault) = self.shape_fault(id, "an expression").filter(|_| is_call) else {
            return false;
        };
        let written = format!("{}({argument})", entry.key);
        let title = format!("write `{written}`");
        self.report(fault.fix(self.span(id), written, title));
        true
    }

    /// Reports a name alone: `{ device, n: count }`.
    fn no_expression(&mut self, item: Item<'a>, what: &str) {
        let key = item.key;
        let fault = Diagnostic::new(
            code::yaml::WRONG_SHAPE,
            item.span,
            format!("the {what} `{key}` has no expression"),
        );
        let end = self.span(item.key_id).end;
        let rest = &self.text[end as usize..];
        let n_blanks = rest.len() - rest.trim_start_matches(' ').len();
        self.report(match what {
            "aggregate" => fault.help(format!("write what it is, as in `{key}: count()`")),
            // What stands behind `#` was meant to be read.
            _ if rest[n_blanks..]
                .trim_start_matches(':')
                .trim_start_matches(' ')
                .starts_with('#') =>
            {
                fault.help("` #` begins a comment, and a name has no `#`")
            }
            _ if rest[n_blanks..].starts_with(':') => {
                let n_before = u32::try_from(n_blanks + 1).expect("a line is below 4 GB");
                let place = Span::new(end + n_before, end + n_before);
                fault.fix(place, format!(" {key}"), "keep the field as it is")
            }
            _ => fault.fix(item.span, format!("{key}: {key}"), "keep the field as it is"),
        });
    }

    /// `{ name: expression }`, or `[path, { name: expression }]` where a path keeps its last
    /// name. A single path stands for a list of one.
    pub(crate) fn named_exprs(&mut self, id: NodeId, what: &str) -> Option<Vec<NamedExpr>> {
        if let Some(items) = self.map(id) {
            return Some(self.named_map(&items, what));
        }
        let items = match (self.list(id), self.scalar(id)) {
            (Some(items), _) => items,
            (None, Some(_)) if !self.is_empty(id) => &[id],
            _ => {
                let fault = self.shape_fault(id, &format!("a list or map of {what}s"))?;
                self.report(if what == "key" && self.is_empty(id) {
                    fault.help("all rows are one group in `group: []`")
                } else {
                    fault
                });
                return None;
            }
        };
        let mut fields: Vec<NamedExpr> = Vec::with_capacity(items.len());
        for item in items {
            match self.map(*item) {
                Some(items) => fields.extend(self.named_map(&items, what)),
                None => fields.extend(self.bare_path(*item)),
            }
        }
        self.refuse_second_names(&mut fields);
        Some(fields)
    }

    /// A path in a list of fields, with its last name.
    fn bare_path(&mut self, id: NodeId) -> Option<NamedExpr> {
        let value = self.expression(id);
        if value.is_error() {
            return None;
        }
        let Some(last) = value.as_path().and_then(|path| path.last().copied()) else {
            self.report(
                Diagnostic::new(
                    code::expression::NEEDS_NAME,
                    value.span,
                    "a computed field needs a name",
                )
                .help(format!("write `{{ name: {} }}`", value.span.slice(self.text))),
            );
            return None;
        };
        let name = Spanned::new(last.node.to_owned(), last.span);
        Some(NamedExpr { name, value })
    }

    /// Keeps the first of several fields with one name. (In one map YAML has seen to it.)
    fn refuse_second_names(&mut self, fields: &mut Vec<NamedExpr>) {
        let mut first: std::collections::BTreeMap<String, Span> = std::collections::BTreeMap::new();
        fields.retain(|field| match first.get(&field.name.node) {
            None => {
                first.insert(field.name.node.clone(), field.name.span);
                true
            }
            Some(span) => {
                let name = &field.name.node;
                self.report(
                    Diagnostic::new(
                        code::yaml::DUPLICATE_KEY,
                        field.name.span,
                        format!("two fields are named `{name}`"),
                    )
                    .label("the second one")
                    .secondary(*span, "the first one")
                    .help(format!("name one of them: `{{ other_{name}: … }}`")),
                );
                false
            }
        });
    }

    /// A value typed later.
    pub(crate) fn value(&mut self, id: NodeId, computing: Computing) -> Value {
        let node = self.document.node(id);
        let kind = match &node.content {
            Content::Scalar(scalar) => {
                let computes = computing == Computing::Allowed && scalar.text.starts_with('=');
                if computes {
                    let expr = self.with_source(id, |source, reader| {
                        reader.parse(Source { start: 1, ..source })
                    });
                    ValueKind::Computed(expr.unwrap_or_else(|| Expr::error(node.span)))
                } else {
                    let quoted = scalar.style != ScalarStyle::Plain;
                    ValueKind::Scalar { text: self.substitute(&scalar.text, id), quoted }
                }
            }
            Content::List(items) => {
                ValueKind::List(items.iter().map(|item| self.value(*item, computing)).collect())
            }
            Content::Map(_) => ValueKind::Map(self.value_map(id, computing)),
            Content::Tagged { .. } => {
                self.wrong_shape(id, "a value");
                ValueKind::Error
            }
            Content::Refused => ValueKind::Error,
        };
        Value { kind, span: node.span }
    }

    /// The entries of a map of values; none when it is no map.
    pub(crate) fn value_map(&mut self, id: NodeId, computing: Computing) -> Vec<(Name, Value)> {
        let Some(items) = self.map(id) else { return Vec::new() };
        items
            .into_iter()
            .map(|item| {
                let name = Spanned::new(item.key.to_owned(), item.span);
                (name, self.value(item.value, computing))
            })
            .collect()
    }
}

/// What is longer was meant as an expression, and its own fault is told.
const TEXT_BYTES_MAX: usize = 256;
