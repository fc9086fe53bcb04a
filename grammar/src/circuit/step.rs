//! The steps of a node: one verb each, with its companions.

use smallvec::{SmallVec, smallvec};

use super::reader::Fields;
use super::reader::Item;
use super::reader::Reader;
use super::tables;
use super::value::Computing;
use super::verb::VERBS;
use super::verb::Verb;
use super::verb::no_verb;
use crate::ast::Branch;
use crate::ast::BranchCondition;
use crate::ast::Call;
use crate::ast::Direction;
use crate::ast::Group;
use crate::ast::NamedExpr;
use crate::ast::OrderBy;
use crate::ast::Step;
use crate::ast::StepKind;
use crate::ast::Ties;
use crate::ast::Top;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::expr::Expr;
use crate::expression;
use crate::name::NameRule;
use crate::span::Span;
use crate::yaml::NodeId;

pub(crate) const TIES: &[(&str, Ties)] = &[("cut", Ties::Cut), ("all", Ties::All)];

impl<'a> Reader<'a> {
    /// `do:`.
    pub(crate) fn steps(&mut self, item: Item<'a>) -> Vec<Step> {
        let what = "a list of steps, each `- verb: …`";
        let Some(steps) = self.expect_list(item.value, what) else {
            // Nothing can be said about the rows after steps that could not be read.
            let span = self.span(item.value);
            return vec![Step { verb: span, span, kind: StepKind::Error }];
        };
        if steps.is_empty() {
            self.empty(item.span, &format!("`{}` has no step", item.key));
        }
        steps.iter().map(|step| self.step(*step)).collect()
    }

    fn step(&mut self, id: NodeId) -> Step {
        let span = self.span(id);
        let error = Step { verb: span, span, kind: StepKind::Error };
        let Some(items) = self.map(id) else {
            self.no_step(id);
            return error;
        };
        let Some((item, verb)) = self.verb(&items, span) else { return error };
        let step = |kind| Step { verb: item.span, span, kind };
        let mut known: SmallVec<[&str; 8]> = smallvec![verb.name];
        known.extend_from_slice(verb.companions);
        let Some(fields) = self.fields(id, verb.name, item.span, &known) else { return error };
        step(self.step_kind(verb.name, item, &fields).unwrap_or(StepKind::Error))
    }

    /// Reports an item that is no map: a verb without its value, or without its colon.
    fn no_step(&mut self, id: NodeId) {
        let what = "a step, as in `- where: amount > 0`";
        let Some(fault) = self.shape_fault(id, what) else { return };
        let text = self.scalar(id).map_or("", |scalar| &scalar.text);
        let n_word = text.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(text.len());
        let (word, rest) = text.split_at(n_word);
        if !VERBS.iter().any(|verb| verb.name == word) {
            self.report(fault);
            return;
        }
        let at = self.inner_span(id).start + u32::try_from(n_word).unwrap_or_default();
        self.report(match rest.chars().next() {
            None if word == "distinct" => fault.help("write `distinct: all`").fix(
                Span::empty(at),
                ": all",
                "write `distinct: all`",
            ),
            None => fault.help(format!("`{word}` has a value: `{word}: …`")),
            Some(':') => fault.help("a blank stands behind the `:` of a key").fix(
                Span::empty(at + 1),
                " ",
                "put a blank there",
            ),
            Some(' ') => {
                let title = format!("write `{word}:`");
                fault.help(format!("an entry is `{word}: …`")).fix(Span::empty(at), ":", title)
            }
            Some(_) => fault,
        });
    }

    /// The one verb of a step; reports none and several.
    fn verb(&mut self, items: &[Item<'a>], span: Span) -> Option<(Item<'a>, &'static Verb)> {
        let verbs: SmallVec<[(Item<'a>, &Verb); 2]> = items
            .iter()
            .filter_map(|item| Some((*item, VERBS.iter().find(|verb| verb.name == item.key)?)))
            .collect();
        // `join` with its `where`: a verb whose companions all the others are.
        let leading = verbs.iter().find(|(item, verb)| {
            verbs
                .iter()
                .all(|(other, _)| other.key == item.key || verb.companions.contains(&other.key))
        });
        if let Some((item, verb)) = leading {
            return Some((*item, verb));
        }
        match (verbs.as_slice(), items.first()) {
            ([(first, _), (second, _), ..], _) => {
                let diagnostic = Diagnostic::new(
                    code::yaml::STEP_VERB,
                    second.span,
                    format!("one step has two verbs, `{}` and `{}`", first.key, second.key),
                )
                .secondary(first.span, "the first verb")
                .help("put a `-` before each verb, so that each is a step of its own");
                self.report(match self.room_for_dash(span, second.span) {
                    Some(room) => diagnostic.fix(room, "- ", "begin a step"),
                    None => diagnostic,
                });
            }
            (_, Some(item)) => {
                let is_elsewhere = tables::NODE_KEYS.contains(&item.key);
                self.report(no_verb(*item, is_elsewhere));
            }
            (_, None) => {
                self.report(Diagnostic::new(code::yaml::STEP_VERB, span, "a step without a verb"));
            }
        }
        None
    }

    /// The two blanks before a key on its own line, where its step begins behind a dash.
    fn room_for_dash(&self, step: Span, key: Span) -> Option<Span> {
        let line = |at: u32| {
            let before = self.text.get(..at as usize)?;
            Some(&before[before.rfind('\n').map_or(0, |newline| newline + 1)..])
        };
        let (first, second) = (line(step.start)?, line(key.start)?);
        let is_below = first.len() == second.len()
            && first.trim_start() == "- "
            && second.bytes().all(|byte| byte == b' ');
        is_below.then(|| Span::new(key.start - 2, key.start))
    }

    fn step_kind(&mut self, verb: &str, item: Item<'a>, fields: &Fields<'a>) -> Option<StepKind> {
        let id = item.value;
        match verb {
            "where" => Some(StepKind::Where(self.condition(id))),
            "select" => {
                let named = self.named_exprs(id, "field")?;
                self.not_empty(named, item, "`select` keeps no field").map(StepKind::Select)
            }
            "with" => {
                let items = self.expect_map(id, "a map of fields, `{ name: expression }`")?;
                let named = self.named_map(&items, "field");
                Some(StepKind::With(named))
            }
            "drop" => {
                let names = self.names(id, NameRule::Identifier, "field")?;
                self.not_empty(names, item, "`drop` names no field").map(StepKind::Drop)
            }
            "unnest" => self.unnest(item).map(StepKind::Unnest),
            "join" => self.join(item, fields).map(|it| StepKind::Join(Box::new(it))),
            "group" => self.group(item, fields).map(StepKind::Group),
            "distinct" => {
                if self.is_all(item)? {
                    return Some(StepKind::Distinct(None));
                }
                let named = self.named_exprs(id, "field")?;
                let named = self.not_empty(named, item, "`distinct` names no field")?;
                Some(StepKind::Distinct(Some(named)))
            }
            "top" => self.top(item, fields).map(|it| StepKind::Top(Box::new(it))),
            "over" => self.over(item, fields).map(StepKind::Over),
            "loop" => self.step_loop(item, fields).map(|it| StepKind::Loop(Box::new(it))),
            "window" => self.window(item, fields).map(StepKind::Window),
            "within" => self.within(item).map(StepKind::Within),
            "route" => self.route_step(item).map(StepKind::Route),
            "call" => self.call(item, fields).map(StepKind::Call),
            "kernel" => self.kernel(item, fields).map(|it| StepKind::Kernel(Box::new(it))),
            "wasm" => self.wasm(item, fields).map(|it| StepKind::Wasm(Box::new(it))),
            "carries" => self.discipline(id).map(StepKind::Carries),
            // `VERBS` has no other verb.
            _ => None,
        }
    }

    /// The condition of a `where`; several are joined by `and`.
    fn condition(&mut self, id: NodeId) -> Expr {
        let conditions: Option<Vec<&str>> = self
            .list(id)
            .and_then(|items| items.iter().map(|item| Some(&*self.scalar(*item)?.text)).collect());
        let is_map = self.map(id).is_some();
        match (conditions, is_map) {
            (Some(conditions), _) if 1 < conditions.len() => {
                let bracketed = |it: &&str| {
                    if it.contains(" or ") { format!("({it})") } else { (*it).to_owned() }
                };
                let written: Vec<String> = conditions.iter().map(bracketed).collect();
                let span = self.span(id);
                let bracket = Span::new(span.start, span.start + 1);
                let fault = Diagnostic::new(
                    code::yaml::WRONG_SHAPE,
                    bracket,
                    "expected one condition, found a list",
                )
                .help("conditions are joined by `and` or `or`");
                let is_in_brackets = span.slice(self.text).starts_with('[');
                let is_plain = conditions.iter().all(|it| !it.contains([':', '#', '\n']));
                self.report(if is_in_brackets && is_plain {
                    fault.fix(span, written.join(" and "), "join them by `and`")
                } else {
                    fault
                });
                Expr::error(span)
            }
            (_, true) => {
                let fault = self.shape_fault(id, "a condition");
                if let Some(fault) = fault {
                    self.report(fault.help("a condition is written `amount > 0 and paid`"));
                }
                Expr::error(self.span(id))
            }
            _ => self.expression(id),
        }
    }

    /// Whether `distinct` has `all` for its value; reports what else is meant to be.
    fn is_all(&mut self, item: Item<'a>) -> Option<bool> {
        let Some(scalar) = self.scalar(item.value) else { return Some(false) };
        if scalar.text == "all" {
            return Some(true);
        }
        let is_nothing = self.is_empty(item.value);
        if !is_nothing && !matches!(&*scalar.text, "true" | "yes" | "*" | "on") {
            return Some(false);
        }
        let fault = self.shape_fault(item.value, "`all`, or a list of fields")?;
        let fault = fault.help("each row once is `distinct: all`");
        let span = self.inner_span(item.value);
        self.report(if is_nothing {
            let end = self.span(item.key_id).end + 1;
            fault.fix(Span::empty(end), " all", "write `all`")
        } else {
            fault.fix(span, "all", "write `all`")
        });
        None
    }

    /// The list, when it has entries. One without any is reported, unless its entries have been.
    pub(super) fn not_empty<T>(
        &mut self,
        list: Vec<T>,
        item: Item<'a>,
        message: &str,
    ) -> Option<Vec<T>> {
        let n_written = self.list(item.value).map(<[NodeId]>::len);
        let n_written = n_written.or_else(|| self.map(item.value).map(|items| items.len()));
        if n_written == Some(0) {
            self.empty(item.span, message);
        }
        (!list.is_empty()).then_some(list)
    }

    /// `unnest: { name: list }`, or the path of a list, whose last name the element gets.
    fn unnest(&mut self, item: Item<'a>) -> Option<NamedExpr> {
        let mut named = self.named_exprs(item.value, "list")?;
        let n_written = self.map(item.value).map_or(named.len(), |items| items.len());
        if n_written == 0 {
            self.empty(item.span, "`unnest` names no list");
        } else if let [_, second, ..] = named.as_slice() {
            self.report(
                Diagnostic::new(
                    code::yaml::WRONG_SHAPE,
                    second.name.span,
                    "`unnest` takes one list at a time",
                )
                .help("put the second list into an `unnest` step of its own"),
            );
            return None;
        }
        named.pop()
    }

    fn group(&mut self, item: Item<'a>, fields: &Fields<'a>) -> Option<Group> {
        if self.has_aggregates_within(item) {
            return None;
        }
        let keys = self.named_exprs(item.value, "key");
        let aggregates = match fields.value("agg") {
            Some(value) => {
                let items = self.expect_map(value, "a map of aggregates, `{ name: sum(x) }`");
                items.map(|items| self.named_map(&items, "aggregate"))
            }
            None => Some(Vec::new()),
        };
        let condition = fields.value("where").map(|value| self.expression(value));
        Some(Group {
            keys: keys?,
            keys_span: self.span(item.value),
            aggregates: aggregates?,
            condition,
        })
    }

    /// Reports `group: { by: …, agg: … }`.
    fn has_aggregates_within(&mut self, item: Item<'a>) -> bool {
        let entries = self.map(item.value).unwrap_or_default();
        let within = entries.iter().find(|entry| {
            matches!(entry.key, "agg" | "aggregates") && self.map(entry.value).is_some()
        });
        let Some(within) = within else { return false };
        let message = format!("`{}` stands within `group`, and belongs beside it", within.key);
        self.report(
            Diagnostic::new(code::yaml::WRONG_SHAPE, within.span, message)
                .help("`group: [key]` has the keys; `agg: { n: count() }` stands on its own line"),
        );
        true
    }

    fn top(&mut self, item: Item<'a>, fields: &Fields<'a>) -> Option<Top> {
        let count = self.expression(item.value);
        let by = self.require(fields, "by").map(|by| self.order(by.value)).unwrap_or_default();
        let per = match fields.value("per") {
            Some(value) => self.expressions(value, "paths")?,
            None => Vec::new(),
        };
        let ties =
            fields.value("ties").and_then(|value| self.word(value, "a way to handle ties", TIES));
        Some(Top {
            count,
            by,
            per,
            offset: fields.value("offset").map(|value| self.expression(value)),
            ties,
            rank: fields
                .value("rank")
                .and_then(|value| self.name(value, NameRule::Identifier, "field")),
        })
    }

    /// `by:`, one or several of `expression`, `expression asc`, `expression desc`.
    pub(super) fn order(&mut self, id: NodeId) -> Vec<OrderBy> {
        let items = self.items(id);
        let mut keys = Vec::with_capacity(items.len());
        for item in items {
            if self.is_map_of_directions(item) {
                keys.push(OrderBy {
                    value: Expr::error(self.span(item)),
                    direction: Direction::Ascending,
                });
                continue;
            }
            let read = self.with_source(item, |source, reader| {
                expression::parse_order(source, &mut reader.diagnostics)
            });
            let (value, direction) =
                read.unwrap_or_else(|| (Expr::error(self.span(item)), Direction::Ascending));
            keys.push(OrderBy { value, direction });
        }
        if keys.is_empty() {
            let span = self.span(id);
            self.empty(span, "an order by nothing");
        }
        keys
    }

    /// Reports `{ amount: desc }`.
    fn is_map_of_directions(&mut self, id: NodeId) -> bool {
        let Some(entries) = self.map(id) else { return false };
        let keys: Option<Vec<String>> = entries
            .iter()
            .map(|entry| match &*self.scalar(entry.value)?.text {
                direction @ ("asc" | "desc") => Some(format!("{} {direction}", entry.key)),
                _ => None,
            })
            .collect();
        let Some(fault) = self.shape_fault(id, "an order") else { return true };
        let fault = fault.help("a direction follows its field: `by: [amount desc, id]`");
        let span = self.span(id);
        let is_item = self.text[..span.start as usize].trim_end().ends_with([',', '[', '-']);
        self.report(match keys {
            Some(keys) if span.slice(self.text).starts_with('{') && !keys.is_empty() => {
                let keys = keys.join(", ");
                let written = if is_item { keys } else { format!("[{keys}]") };
                let title = format!("write `{written}`");
                fault.fix(span, written, title)
            }
            _ => fault,
        });
        true
    }

    /// One expression or a list of them.
    pub(super) fn expressions(&mut self, id: NodeId, what: &str) -> Option<Vec<Expr>> {
        if self.map(id).is_some() {
            self.wrong_shape(id, &format!("a list of {what}"));
            return None;
        }
        Some(self.items(id).into_iter().map(|item| self.expression(item)).collect())
    }

    fn route_step(&mut self, item: Item<'a>) -> Option<Vec<Branch>> {
        let what = "a map of labels, `{ label: condition, rest: else }`";
        let items = self.expect_map(item.value, what)?;
        if items.is_empty() {
            self.empty(item.span, "`route` names no label");
            return None;
        }
        let mut rest: Option<Span> = None;
        let mut branches = Vec::with_capacity(items.len());
        for item in items {
            let label = self.declared(item, NameRule::Plain, "label");
            let is_else = self.scalar(item.value).is_some_and(|scalar| scalar.text == "else");
            let condition = if is_else {
                let span = self.inner_span(item.value);
                if let Some(first) = rest {
                    self.report(
                        Diagnostic::new(
                            code::yaml::DUPLICATE_KEY,
                            span,
                            "two labels take the rest",
                        )
                        .secondary(first, "the first one"),
                    );
                    continue;
                }
                rest = Some(span);
                BranchCondition::Else(span)
            } else {
                BranchCondition::When(self.expression(item.value))
            };
            branches.push(Branch { label, condition });
        }
        Some(branches)
    }

    fn call(&mut self, item: Item<'a>, fields: &Fields<'a>) -> Option<Call> {
        let operator = self.name(item.value, NameRule::Plain, "operator");
        let (job, job_span) = match fields.get("job") {
            Some(job) => {
                self.expect_map(job.value, "the map of a job's fields");
                (self.value_map(job.value, Computing::Allowed), self.span(job.value))
            }
            None => (Vec::new(), item.span),
        };
        let keep = match fields.value("keep") {
            Some(value) => self.named_exprs(value, "field")?,
            None => Vec::new(),
        };
        let errors =
            fields.value("errors").and_then(|value| self.name(value, NameRule::Dotted, "topic"));
        Some(Call { operator: operator?, job, job_span, keep, errors })
    }
}
