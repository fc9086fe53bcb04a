//! `join:` and its companions.

use super::reader::Fields;
use super::reader::Item;
use super::reader::Reader;
use crate::ast::Join;
use crate::ast::JoinKind;
use crate::ast::MatchPair;
use crate::name::NameRule;
use crate::span::Spanned;

impl<'a> Reader<'a> {
    /// `join:` with `match`, `as`, `kind`, `where`.
    pub(crate) fn join(&mut self, item: Item<'a>, fields: &Fields<'a>) -> Option<Join> {
        let source = self.reference(item.value);
        if let Some(asof) = fields.get("asof") {
            self.not_available(asof.span, "`asof`");
        }
        let kind = self.join_kind(item, fields);
        let pairs = self.require(fields, "match").and_then(|item| self.pairs(item));
        let alias = fields
            .value("as")
            .and_then(|value| self.name(value, NameRule::Identifier, "joined row"));
        let condition = fields.value("where").map(|value| self.expression(value));
        if fields.get("asof").is_some() {
            return None;
        }
        Some(Join { source: source?, kind: kind?, pairs, alias, condition })
    }

    fn join_kind(&mut self, item: Item<'a>, fields: &Fields<'a>) -> Option<Spanned<JoinKind>> {
        let Some(value) = fields.value("kind") else {
            return Some(Spanned::new(JoinKind::Inner, item.span));
        };
        if self.scalar(value).is_some_and(|scalar| scalar.text == "full") {
            let span = self.inner_span(value);
            self.not_available(span, "a `full` join");
            return None;
        }
        let words = [
            ("inner", JoinKind::Inner),
            ("left", JoinKind::Left),
            ("semi", JoinKind::Semi),
            ("anti", JoinKind::Anti),
        ];
        self.word(value, "a kind of join", &words)
    }

    /// `match: { left: right }`, expressions on both sides.
    fn pairs(&mut self, item: Item<'a>) -> Option<Spanned<Vec<MatchPair>>> {
        let entries = self.expect_map(item.value, "a map, `{ left field: right field }`")?;
        let mut pairs = Vec::with_capacity(entries.len());
        for entry in entries {
            let left = self.expression(entry.key_id);
            let right = self.expression(entry.value);
            pairs.push(MatchPair { left, right });
        }
        Some(Spanned::new(pairs, self.span(item.value)))
    }
}
