//! The steps of a node: one verb each, with its companions.

use smallvec::{SmallVec, smallvec};

use super::reader::Fields;
use super::reader::Item;
use super::reader::Reader;
use super::value::Computing;
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
use crate::suggest::suggest;
use crate::yaml::NodeId;

/// A verb with its companions.
struct Verb {
    name: &'static str,
    companions: &'static [&'static str],
}

const fn verb(name: &'static str, companions: &'static [&'static str]) -> Verb {
    Verb { name, companions }
}

pub(crate) const TIES: &[(&str, Ties)] = &[("cut", Ties::Cut), ("all", Ties::All)];

/// All verbs of the language.
const VERBS: &[Verb] = &[
    verb("where", &[]),
    verb("select", &[]),
    verb("with", &[]),
    verb("drop", &[]),
    verb("unnest", &[]),
    verb("join", &["match", "as", "kind", "where", "asof"]),
    verb("group", &["agg", "where"]),
    verb("distinct", &[]),
    verb("top", &["by", "per", "offset", "ties", "rank"]),
    verb("over", &["per", "by", "with"]),
    verb("window", &["time", "final"]),
    verb("within", &[]),
    verb("loop", &["merge", "rounds", "exact"]),
    verb("route", &[]),
    verb("call", &["job", "keep", "errors"]),
    verb("kernel", &["args", "modes", "bounds", "emit", "control", "metrics"]),
    verb("wasm", &["returns", "limits"]),
    verb("carries", &[]),
];

/// The verbs, each with its companions.
pub(crate) fn verbs() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    VERBS.iter().map(|verb| (verb.name, verb.companions))
}

/// Words of other languages whose value is written as that of our verb.
const VERB_SYNONYMS: [&str; 11] = [
    "filter", "having", "project", "extend", "mutate", "assign", "remove", "omit", "dedup",
    "dedupe", "unique",
];

/// What other languages call our verbs.
fn verb_habit(word: &str) -> Option<&'static str> {
    match word {
        "filter" | "having" | "keep" => Some("where"),
        "map" | "project" | "columns" => Some("select"),
        "extend" | "mutate" | "assign" | "add" | "let" => Some("with"),
        "remove" | "omit" => Some("drop"),
        "group_by" | "groupby" | "aggregate" | "reduce" | "agg" => Some("group"),
        "dedup" | "dedupe" | "unique" => Some("distinct"),
        "sort" | "order" | "order_by" | "limit" | "take" | "head" => Some("top"),
        "partition" | "running" | "analytic" => Some("over"),
        "flatten" | "explode" | "flat_map" => Some("unnest"),
        "lookup" | "merge" => Some("join"),
        "iterate" | "recurse" | "recursive" | "repeat" | "fixpoint" => Some("loop"),
        "tumble" | "hop" | "session" | "tumbling" | "hopping" => Some("window"),
        "split" | "switch" | "branch" => Some("route"),
        "invoke" | "run" => Some("call"),
        _ => None,
    }
}

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
        let Some(items) = self.expect_map(id, "a step, as in `- where: amount > 0`") else {
            return error;
        };
        let Some((item, verb)) = self.verb(&items, span) else { return error };
        let step = |kind| Step { verb: item.span, span, kind };
        let mut known: SmallVec<[&str; 8]> = smallvec![verb.name];
        known.extend_from_slice(verb.companions);
        let Some(fields) = self.fields(id, verb.name, item.span, &known) else { return error };
        step(self.step_kind(verb.name, item, &fields).unwrap_or(StepKind::Error))
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
            (_, Some(item)) => self.report(no_verb(*item)),
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
            "where" => Some(StepKind::Where(self.expression(id))),
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
                if self.scalar(id).is_some_and(|scalar| scalar.text == "all") {
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

/// A step none of whose keys is a verb.
fn no_verb(item: Item<'_>) -> Diagnostic {
    let names = VERBS.iter().map(|verb| verb.name);
    let near = verb_habit(item.key).or_else(|| suggest(item.key, names.clone()));
    if let Some(verb) = VERBS.iter().find(|verb| verb.companions.contains(&item.key)) {
        let message = format!("`{}` stands beside its verb `{}`", item.key, verb.name);
        return Diagnostic::new(code::yaml::STEP_VERB, item.span, message)
            .help("without a `-` of its own it belongs to the step above");
    }
    let message = format!("there is no verb `{}`", item.key);
    let diagnostic = Diagnostic::new(code::yaml::UNKNOWN_KEY, item.span, message);
    if let Some(near) = near {
        let diagnostic = diagnostic.did_you_mean(Some(near));
        return if VERB_SYNONYMS.contains(&item.key) {
            diagnostic.fix(item.span, near, format!("write `{near}`"))
        } else {
            diagnostic.fix_name(item.span, item.key, Some(near), names)
        };
    }
    let all: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    diagnostic.help(format!("the verbs are {}", all.join(", ")))
}
