//! `over:` with `per`, `by` and `with`: in it, or beside it.

use super::reader::Fields;
use super::reader::Item;
use super::reader::Reader;
use crate::ast::Over;
use crate::code;
use crate::diagnostic::Diagnostic;

/// The keys within `over: { … }`.
pub(crate) const OVER_KEYS: &[&str] = &["per", "by", "with"];

impl<'a> Reader<'a> {
    /// `over: { per: …, by: …, with: … }`; or an `over:` without a value, with these beside it.
    pub(super) fn over(&mut self, item: Item<'a>, beside: &Fields<'a>) -> Option<Over> {
        let is_bare =
            self.is_empty(item.value) || self.map(item.value).is_some_and(|parts| parts.is_empty());
        if is_bare {
            return self.over_parts(item, beside);
        }
        let within = self.fields(item.value, "`over`", item.span, OVER_KEYS)?;
        if let Some(outside) = OVER_KEYS.iter().find_map(|part| beside.get(part)) {
            let message =
                format!("`{}` stands beside `over`, whose parts stand in it", outside.key);
            self.report(
                Diagnostic::new(code::yaml::WRONG_SHAPE, outside.span, message)
                    .help("indent it, so that it stands below the other parts"),
            );
            return None;
        }
        self.over_parts(item, &within)
    }

    fn over_parts(&mut self, item: Item<'a>, parts: &Fields<'a>) -> Option<Over> {
        let by = parts.value("by").map(|by| self.order(by));
        let per = match parts.value("per") {
            Some(value) => self.expressions(value, "paths")?,
            None => Vec::new(),
        };
        let Some(with) = parts.get("with") else {
            let message = "`over` needs `with`";
            self.report(Diagnostic::new(code::yaml::MISSING_KEY, item.span, message));
            return None;
        };
        let entries = self.expect_map(with.value, "a map of fields, `{ name: lag(x) }`")?;
        let named = self.named_map(&entries, "field");
        let fields = self.not_empty(named, with, "`with` adds no field")?;
        Some(Over { by, per, fields })
    }
}
