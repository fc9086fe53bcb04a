//! The verbs of the language with the keys beside them, and what other languages call them.

use super::reader::Item;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::suggest::suggest;

/// A verb with its companions.
pub(super) struct Verb {
    pub(super) name: &'static str,
    pub(super) companions: &'static [&'static str],
}

const fn verb(name: &'static str, companions: &'static [&'static str]) -> Verb {
    Verb { name, companions }
}

/// All verbs of the language.
pub(super) const VERBS: &[Verb] = &[
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
const SYNONYMS: [&str; 11] = [
    "filter", "having", "project", "extend", "mutate", "assign", "remove", "omit", "dedup",
    "dedupe", "unique",
];

/// What other languages call our verbs.
pub(super) fn verb_habit(word: &str) -> Option<&'static str> {
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
        "lookup" | "merge" | "enrich" => Some("join"),
        "iterate" | "recurse" | "recursive" | "repeat" | "fixpoint" => Some("loop"),
        "tumble" | "hop" | "session" | "tumbling" | "hopping" => Some("window"),
        "split" | "switch" | "branch" => Some("route"),
        "invoke" | "run" => Some("call"),
        _ => None,
    }
}

/// How the work of a verb is said that we have no counterpart of.
fn verb_help(word: &str) -> Option<&'static str> {
    Some(match word.replace([' ', '-'], "_").as_str() {
        "rename" | "alias" => "a field gets another name in `select: [id, { new_name: old_name }]`",
        "union" | "union_all" | "append" | "concat" => {
            "the rows of several nodes come together by `from: [a, b]`"
        }
        "left_join" | "left_outer_join" => "it is a `join` with `kind: left`",
        "full_join" | "outer_join" | "full_outer_join" => "it is a `join` with `kind: full`",
        "inner_join" => "it is a `join`",
        "cross_join" => "it is a `join` with `match: {}`",
        "right_join" => "it is a `join` with `kind: left`, from the other side",
        "semi" | "semi_join" | "exists" => "it is a `join` with `kind: semi`",
        "anti" | "anti_join" | "except" | "minus" => "it is a `join` with `kind: anti`",
        "count" | "sum" | "avg" | "min" | "max" => {
            "it is an aggregate: `group: [key]` with `agg: { n: count() }` beside it"
        }
        "cast" | "convert" => "a field gets another type by `with: { x: int64(x) }`",
        "fill" | "fillna" | "fill_null" | "default" | "coalesce" => {
            "a value for `none` is given by `with: { x: x // 0 }`"
        }
        "pivot" => "it is a `group` with an aggregate for each column: `sum(x, where=k == \"a\")`",
        "if" | "case" | "when" => "rows are kept by `where`, and parted by `route`",
        _ => return None,
    })
}

/// A step none of whose keys is a verb; `is_elsewhere` of a key that is known in another place.
pub(super) fn no_verb(item: Item<'_>, is_elsewhere: bool) -> Diagnostic {
    let names = VERBS.iter().map(|verb| verb.name);
    if let Some(verb) = VERBS.iter().find(|verb| verb.companions.contains(&item.key)) {
        let message = format!("`{}` stands beside its verb `{}`", item.key, verb.name);
        let help = match item.key {
            "keep" => "a step that keeps fields is `select: [id, amount]`",
            _ => "without a `-` of its own it belongs to the step above",
        };
        return Diagnostic::new(code::yaml::STEP_VERB, item.span, message).help(help);
    }
    let message = format!("there is no verb `{}`", item.key);
    let diagnostic = Diagnostic::new(code::yaml::UNKNOWN_KEY, item.span, message);
    if let Some(help) = verb_help(item.key) {
        return diagnostic.help(help);
    }
    if is_elsewhere {
        return diagnostic.help("the steps end before it: it stands beside `do`");
    }
    let near = verb_habit(item.key).or_else(|| suggest(item.key, names.clone()));
    if let Some(near) = near {
        let diagnostic = diagnostic.did_you_mean(Some(near));
        return if SYNONYMS.contains(&item.key) {
            diagnostic.fix(item.span, near, format!("write `{near}`"))
        } else {
            diagnostic.fix_name(item.span, item.key, Some(near), names)
        };
    }
    let all: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    diagnostic.help(format!("the verbs are {}", all.join(", ")))
}
