//! `join:` and its companions.

use super::habit::match_of;
use super::reader::Fields;
use super::reader::Item;
use super::reader::Reader;
use crate::ast::Asof;
use crate::ast::Join;
use crate::ast::JoinKind;
use crate::ast::MatchPair;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::expr::Expr;
use crate::name::NameRule;
use crate::span::Spanned;

pub(crate) const ASOF_KEYS: &[&str] = &["time", "of", "within"];
pub(crate) const JOIN_KINDS: &[(&str, JoinKind)] = &[
    ("inner", JoinKind::Inner),
    ("left", JoinKind::Left),
    ("full", JoinKind::Full),
    ("semi", JoinKind::Semi),
    ("anti", JoinKind::Anti),
];

impl<'a> Reader<'a> {
    /// `join:` with `match`, `as`, `kind`, `where`.
    pub(crate) fn join(&mut self, item: Item<'a>, fields: &Fields<'a>) -> Option<Join> {
        let source = self.reference(item.value);
        let kind = self.join_kind(item, fields);
        let pairs = self.require(fields, "match").and_then(|item| self.pairs(item));
        let alias = fields
            .value("as")
            .and_then(|value| self.name(value, NameRule::Identifier, "joined row"));
        let condition = fields.value("where").map(|value| self.expression(value));
        let asof = match fields.get("asof") {
            Some(asof) => Some(self.asof(asof)?),
            None => None,
        };
        // Without the name that was meant, its fields would seem to clash.
        let has_lost_name =
            alias.is_none() && (fields.value("as").is_some() || self.has_stray(fields));
        if has_lost_name {
            return None;
        }
        Some(Join { source: source?, kind: kind?, pairs, alias, condition, asof })
    }

    /// `asof: { time: …, of: …, within: 5m }`.
    fn asof(&mut self, item: Item<'a>) -> Option<Asof> {
        let fields = self.fields(item.value, "`asof`", item.span, ASOF_KEYS)?;
        let time = self.require(&fields, "time").map(|item| self.expression(item.value));
        let of = self.require(&fields, "of").map(|item| self.expression(item.value));
        let within = fields.value("within").map(|value| self.length(value));
        if within == Some(None) {
            return None;
        }
        Some(Asof { span: item.span, time: time?, of: of?, within: within.flatten() })
    }

    fn join_kind(&mut self, item: Item<'a>, fields: &Fields<'a>) -> Option<Spanned<JoinKind>> {
        let Some(value) = fields.value("kind") else {
            return Some(Spanned::new(JoinKind::Inner, item.span));
        };
        self.word(value, "a kind of join", JOIN_KINDS)
    }

    /// `match: { left: right }`, expressions on both sides.
    fn pairs(&mut self, item: Item<'a>) -> Option<Spanned<Vec<MatchPair>>> {
        let Some(entries) = self.map(item.value) else {
            self.no_pairs(item);
            return None;
        };
        let mut pairs = Vec::with_capacity(entries.len());
        for entry in entries {
            let left = self.expression(entry.key_id);
            let right = if self.is_empty(entry.value) {
                let name = entry.key;
                let message = format!("`{name}` has no field of the other side beside it");
                let fault = Diagnostic::new(code::yaml::WRONG_SHAPE, entry.span, message);
                let help = format!("for a field that both sides have: `{name}: {name}`");
                self.report(fault.help(help));
                Expr::error(entry.span)
            } else {
                self.expression(entry.value)
            };
            pairs.push(MatchPair { left, right });
        }
        Some(Spanned::new(pairs, self.span(item.value)))
    }

    /// Reports a `match` that is no map: a condition as in SQL, or names that both sides have.
    fn no_pairs(&mut self, item: Item<'a>) {
        let Some(fault) = self.shape_fault(item.value, "a map, `{ left field: right field }`")
        else {
            return;
        };
        let text = |id| self.scalar(id).map(|scalar| &*scalar.text);
        let meant = match self.list(item.value) {
            Some(items) => {
                let names: Option<Vec<&str>> = items.iter().map(|item| text(*item)).collect();
                names.map(|names| names.join(" and ")).and_then(|all| match_of(&all))
            }
            None => text(item.value).and_then(match_of),
        };
        let span = self.span(item.value);
        // A name alone may be that of both sides, and two names may be one pair.
        let is_names = !span.slice(self.text).contains('=');
        self.report(match meant {
            Some(meant) if is_names && item.key == "match" => {
                fault.help(format!("for fields that both sides have: `{meant}`"))
            }
            Some(meant) if !span.slice(self.text).contains('\n') => {
                let title = format!("write `{meant}`");
                fault.fix(span, meant, title)
            }
            _ => fault,
        });
    }
}
