//! `window:` and `within:`: windows of event time.

use super::reader::Fields;
use super::reader::Item;
use super::reader::Reader;
use crate::ast::Window;
use crate::ast::WindowKind;
use crate::ast::Within;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::expr::Expr;
use crate::span::Spanned;

/// What stands inside of `window: { … }`.
pub(crate) const WINDOW_KEYS: &[&str] =
    &["tumble", "hop", "every", "session", "per", "time", "final"];

/// What stands inside of `within: { … }`.
pub(crate) const WITHIN_KEYS: &[&str] = &["time", "last"];

/// The words that say which windows.
const KINDS: [&str; 3] = ["tumble", "hop", "session"];

impl<'a> Reader<'a> {
    /// `window:`; `beside` are its companions.
    pub(super) fn window(&mut self, item: Item<'a>, beside: &Fields<'a>) -> Option<Window> {
        let what = "a window, as in `{ tumble: 1m }`";
        self.length_alone(item, "tumble", what)?;
        let inside = self.fields(item.value, "a window", item.span, WINDOW_KEYS)?;
        let kind = self.window_kind(&inside);
        let time = self.once("time", &inside, beside).map(|time| self.expression(time.value));
        let is_final = self.once("final", &inside, beside);
        let is_final = is_final.and_then(|is_final| self.boolean(is_final.value));
        Some(Window { kind: kind?, time, is_final })
    }

    /// Wants a map; a length without one is put in its key.
    fn length_alone(&mut self, item: Item<'a>, key: &str, what: &str) -> Option<()> {
        let length = self.scalar(item.value).map(|scalar| scalar.text.to_string());
        match length.filter(|text| text.starts_with(|c: char| c.is_ascii_digit())) {
            Some(length) => {
                let span = self.inner_span(item.value);
                let meant = format!("{{ {key}: {length} }}");
                let message = format!("expected {what}, found a length");
                let title = format!("write `{meant}`");
                self.report(
                    Diagnostic::new(code::yaml::WRONG_SHAPE, span, message)
                        .help(title.clone())
                        .fix(span, meant, title),
                );
                None
            }
            None => self.expect_map(item.value, what).map(|_| ()),
        }
    }

    /// A key that may stand inside of `window` or beside it, and not twice.
    fn once(&mut self, key: &str, inside: &Fields<'a>, beside: &Fields<'a>) -> Option<Item<'a>> {
        let (one, other) = (inside.get(key), beside.get(key));
        if let (Some(one), Some(other)) = (one, other) {
            self.report(
                Diagnostic::new(
                    code::yaml::DUPLICATE_KEY,
                    other.span,
                    format!("`{key}` of one window stands twice"),
                )
                .secondary(one.span, "the first one"),
            );
        }
        one.or(other)
    }

    fn window_kind(&mut self, fields: &Fields<'a>) -> Option<Spanned<WindowKind>> {
        let named: Vec<Item<'a>> = KINDS.iter().filter_map(|kind| fields.get(kind)).collect();
        let kind = match named.as_slice() {
            [kind] => *kind,
            [] => {
                self.report(
                    Diagnostic::new(
                        code::yaml::MISSING_KEY,
                        fields.owner,
                        "a window needs `tumble`, `hop` or `session`",
                    )
                    .help(
                        "write `{ tumble: 1m }`, `{ hop: 10s, every: 2s }` or `{ session: 10s }`",
                    ),
                );
                return None;
            }
            [first, second, ..] => {
                self.report(
                    Diagnostic::new(
                        code::names::WINDOW,
                        second.span,
                        format!("a window is `{}` or `{}`, not both", first.key, second.key),
                    )
                    .secondary(first.span, "the first kind")
                    .help("give each a step in a node of its own"),
                );
                return None;
            }
        };
        for (key, owner) in [("every", "hop"), ("per", "session")] {
            if let Some(stray) = fields.get(key).filter(|_| kind.key != owner) {
                self.stray(stray, owner, kind);
            }
        }
        let length = self.length(kind.value);
        let read = match kind.key {
            "tumble" => WindowKind::Tumble { size: length? },
            "hop" => {
                let Some(every) = fields.get("every") else {
                    let fault = Diagnostic::new(
                        code::yaml::MISSING_KEY,
                        kind.span,
                        "a window that hops needs `every`",
                    );
                    self.report(fault.help(
                        "say how often one begins, as in `every: 10s`; windows that do not overlap \
                         are `tumble`",
                    ));
                    return None;
                };
                WindowKind::Hop { every: self.length(every.value)?, size: length? }
            }
            _ => {
                let per = match fields.value("per") {
                    Some(value) => self.expressions(value, "paths")?,
                    None => Vec::new(),
                };
                WindowKind::Session { gap: length?, per }
            }
        };
        Some(Spanned::new(read, kind.span))
    }

    fn stray(&mut self, stray: Item<'a>, owner: &str, kind: Item<'a>) {
        let diagnostic = Diagnostic::new(
            code::names::WINDOW,
            stray.span,
            format!("`{}` belongs to `{owner}`, not to `{}`", stray.key, kind.key),
        )
        .secondary(kind.span, "the kind of these windows");
        self.report(match stray.key {
            "per" => diagnostic.help(
                "these windows are the same for all rows: leave it away, and group by the fields \
                 and `window_end`",
            ),
            _ => diagnostic.help(format!("leave it away, or write `{owner}`")),
        });
    }

    /// `within:`.
    pub(super) fn within(&mut self, item: Item<'a>) -> Option<Within> {
        let what = "a stretch of time, as in `{ last: 24h }`";
        self.length_alone(item, "last", what)?;
        let fields = self.fields(item.value, "`within`", item.span, WITHIN_KEYS)?;
        let time: Option<Expr> = fields.value("time").map(|value| self.expression(value));
        let last = self.require(&fields, "last")?;
        Some(Within { last: self.length(last.value)?, time })
    }
}
