//! What other languages call our keys and words, and how they refer to tables.

/// What other languages call our keys.
pub(super) fn key_habit(what: &str, written: &str) -> Option<&'static str> {
    Some(match (what, written) {
        ("join", "on" | "using" | "keys" | "equals") => "match",
        ("join", "how" | "type" | "mode") => "kind",
        ("join", "alias" | "name") => "as",
        ("join", "filter" | "condition") | ("group", "having" | "filter") => "where",
        ("group", "aggregates" | "aggregate" | "compute" | "select" | "values") => "agg",
        ("top" | "over", "order" | "order_by" | "sort" | "sort_by") => "by",
        ("top" | "over", "partition" | "partition_by" | "group" | "group_by") => "per",
        ("top", "skip" | "start") => "offset",
        ("a topic", "type") => "schema",
        ("a topic", "mode" | "discipline") => "carries",
        ("a topic", "primary_key" | "pk" | "id") => "key",
        ("a topic", "retention" | "ttl" | "expire") => "retain",
        ("a topic", "direction") => "edge",
        ("a topic", "timestamp" | "event_time") => "time",
        ("a topic", "lateness" | "allowed_lateness" | "watermark") => "late",
        ("a queue", "size" | "capacity" | "limit" | "length" | "depth") => "max",
        ("a queue", "overflow" | "policy" | "on_full" | "when_full") => "full",
        ("a node", "input" | "inputs" | "source" | "sources" | "reads") => "from",
        ("a node", "steps" | "pipeline" | "transform" | "ops") => "do",
        ("a node", "output" | "sink" | "target" | "into" | "writes") => "to",
        ("a test step", "given" | "input" | "inputs" | "when") => "send",
        ("a test step", "then" | "output" | "outputs" | "want" | "expected") => "expect",
        _ => return None,
    })
}

/// What other languages call a word of one of our closed sets.
pub(super) fn word_habit(what: &str, written: &str) -> Option<&'static str> {
    let written = written.to_ascii_lowercase().replace([' ', '-'], "_");
    Some(match (what, written.as_str()) {
        ("a kind of join", "left_outer" | "leftouter" | "left_join") => "left",
        ("a kind of join", "outer" | "full_outer" | "fullouter") => "full",
        ("a kind of join", "exists" | "left_semi" | "in") => "semi",
        ("a kind of join", "not_exists" | "left_anti" | "except" | "not_in") => "anti",
        ("a discipline", "append" | "append_only" | "insert" | "inserts" | "log" | "stream") => {
            "events"
        }
        ("a discipline", "upsert" | "upserts" | "state" | "table" | "snapshot" | "compacted") => {
            "full"
        }
        ("a discipline", "cdc" | "changes" | "changelog" | "diff" | "diffs" | "retract") => "delta",
        ("an edge", "output" | "egress" | "sink" | "publish") => "out",
        ("an edge", "input" | "ingress" | "source" | "subscribe") => "in",
        ("an edge", "inout" | "in_out" | "any" | "all" | "true") => "both",
        ("a way to handle a full queue", "drop" | "drop_head" | "drop_old") => "drop_oldest",
        ("a way to handle a full queue", "wait" | "backpressure") => "block",
        ("a way to handle a full queue", "error" | "fail" | "refuse") => "reject",
        ("a way to handle ties", "true" | "with" | "with_ties" | "keep" | "include") => "all",
        ("a way to handle ties", "false" | "none" | "break" | "first") => "cut",
        _ => return None,
    })
}

/// What is said of a word of other languages that has no counterpart.
pub(super) fn word_help(what: &str, written: &str) -> Option<&'static str> {
    match (what, written.to_ascii_lowercase().as_str()) {
        ("a kind of join", "right" | "right_outer" | "right outer") => {
            Some("exchange the two sides, and the kind is `left`")
        }
        ("a way to emit", "pull") => {
            Some("who asks says so in a topic: write `emit: { pull: TOPIC }`")
        }
        ("a way to emit", "eps" | "epsilon") => {
            Some("how far an output may be off is said beside it: write `emit: { eps: 0.001 }`")
        }
        ("a kind of join", "cross") => Some("each row meets each row in `match: {}`"),
        _ => None,
    }
}

/// A reference to a table as other tools write it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Foreign<'t> {
    /// `ref("customers")` of dbt, also in double braces, by the name within.
    Macro(&'t str),
    /// `customers as c`.
    Aliased {
        /// The table.
        name: &'t str,
        /// What it is called besides.
        alias: &'t str,
    },
}

/// What other tools refer to by such a text.
pub(super) fn foreign_reference(text: &str) -> Option<Foreign<'_>> {
    let text = text.trim();
    let inner = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    let inner = inner.unwrap_or(text).trim();
    let arguments = ["ref(", "source("].iter().find_map(|head| inner.strip_prefix(head));
    if let Some(arguments) = arguments.and_then(|rest| rest.strip_suffix(')')) {
        let last = arguments.rsplit(',').next().unwrap_or_default();
        return Some(Foreign::Macro(last.trim().trim_matches(['"', '\''])));
    }
    let mut words = text.split_whitespace();
    let (name, rest) = (words.next()?, words.collect::<Vec<&str>>());
    let is_name =
        |word: &str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b));
    match rest.as_slice() {
        [alias] | ["as" | "AS", alias] if is_name(name) && is_name(alias) => {
            Some(Foreign::Aliased { name, alias })
        }
        _ => None,
    }
}

/// `a == b and c = d`, as the map that `match` wants: `{ a: b, c: d }`. A name alone is that of
/// both sides.
pub(super) fn match_of(text: &str) -> Option<String> {
    let is_path = |side: &&str| {
        !side.is_empty() && side.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b))
    };
    let mut pairs = Vec::new();
    for part in text.split(" and ").flat_map(|part| part.split(" AND ")) {
        let (left, right) =
            part.split_once("==").or_else(|| part.split_once('=')).unwrap_or((part, part));
        let (left, right) = (left.trim(), right.trim());
        if ![left, right].iter().all(is_path) {
            return None;
        }
        pairs.push(format!("{left}: {right}"));
    }
    Some(format!("{{ {} }}", pairs.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_other_tools_are_understood() {
        for (text, expected) in [
            ("ref(\"customers\")", Some(Foreign::Macro("customers"))),
            ("{{ ref('customers') }}", Some(Foreign::Macro("customers"))),
            ("{{ source('raw', 'orders') }}", Some(Foreign::Macro("orders"))),
            ("customers c", Some(Foreign::Aliased { name: "customers", alias: "c" })),
            ("shop.items AS i", Some(Foreign::Aliased { name: "shop.items", alias: "i" })),
            ("shop.customers", None),
            ("two words more", None),
        ] {
            assert_eq!(foreign_reference(text), expected, "{text}");
        }
    }

    #[test]
    fn conditions_of_a_join_are_pairs() {
        for (text, expected) in [
            ("customer = id", Some("{ customer: id }")),
            ("a == b and c.d = e", Some("{ a: b, c.d: e }")),
            ("id", Some("{ id: id }")),
            ("a < b", None),
            ("lower(a) == b", None),
        ] {
            assert_eq!(match_of(text).as_deref(), expected, "{text}");
        }
    }
}
