//! The nodes of the flow and their steps. Loops hold steps and nodes of their own; the shape of
//! these is told for as many loops within loops as it is asked for, and is anything further in.

use super::{Shape, name, names, object, one_or_more, truth};
use crate::circuit::tables;
use crate::name::NameRule;

/// A node; `depth` is how many loops within loops are told.
pub(super) fn node(depth: usize) -> Shape {
    object("a node", tables::NODE_KEYS, &[], |key| match key {
        "from" => sources(),
        "do" => steps(depth),
        "to" => Shape::Either(vec![
            name("a topic", NameRule::Dotted),
            names(NameRule::Plain, name("a topic", NameRule::Dotted)),
        ]),
        "loop" => node_loop(depth),
        "out" => name("a variable of the loop", NameRule::Plain),
        _ => Shape::Any,
    })
}

fn sources() -> Shape {
    let source = || Shape::Scalar("a topic, a node or a label of one");
    Shape::Either(vec![one_or_more(source()), names(NameRule::Plain, source())])
}

fn node_loop(depth: usize) -> Shape {
    let Some(depth) = depth.checked_sub(1) else { return Shape::Any };
    object("a loop of nodes", tables::NODE_LOOP_KEYS, &["let", "next"], |key| match key {
        "let" => names(NameRule::Plain, sources()),
        "flow" => names(NameRule::Plain, node(depth)),
        "next" => names(NameRule::Plain, Shape::Either(vec![sources(), next()])),
        "exact" => truth(),
        _ => Shape::Scalar("a number of rounds"),
    })
}

fn next() -> Shape {
    object("the next round", tables::NEXT_KEYS, &["from"], |key| match key {
        "merge" => merge(),
        _ => sources(),
    })
}

fn steps(depth: usize) -> Shape {
    let step = |(verb, companions)| step(verb, companions, depth);
    Shape::List(Box::new(Shape::Either(tables::verbs().map(step).collect())))
}

/// A step: its verb, and the companions of that verb.
fn step(verb: &'static str, companions: &'static [&'static str], depth: usize) -> Shape {
    let keys: Vec<&'static str> = std::iter::once(verb).chain(companions.iter().copied()).collect();
    let required: &[&'static str] = match verb {
        "over" => return over(&keys),
        "join" => &["join", "match"],
        "top" => &["top", "by"],
        _ => &[verb],
    };
    object("a step", &keys, required, |key| match (verb, key) {
        ("where", _) | (_, "where") => Shape::Scalar("a condition"),
        ("carries", _) => Shape::Words(tables::words(tables::DISCIPLINES)),
        ("select" | "unnest", _) | ("group", "group") | (_, "keep") => {
            let field = || Shape::Scalar("a field, or an expression");
            let fields = || Shape::Map(None, Box::new(field()));
            let item = Shape::Either(vec![field(), fields()]);
            Shape::Either(vec![field(), Shape::List(Box::new(item)), fields()])
        }
        ("with", _) | (_, "agg") => Shape::Map(None, Box::new(Shape::Scalar("an expression"))),
        ("drop" | "distinct", _) | (_, "per" | "by") => one_or_more(Shape::Scalar("a field")),
        ("join", "join") => Shape::Scalar("a topic, a node or a label of one"),
        ("join", "match") => Shape::Map(None, Box::new(Shape::Scalar("an expression"))),
        ("join", "as") | (_, "rank") => name("what it is called", NameRule::Identifier),
        ("join", "kind") => Shape::Words(tables::words(tables::JOIN_KINDS)),
        ("join", "asof") => asof(),
        ("top", "ties") => Shape::Words(tables::words(tables::TIES)),
        ("window", "window") => window(),
        ("within", _) => object("a stretch of time", tables::WITHIN_KEYS, &["last"], |key| {
            Shape::Scalar(if key == "last" { "a duration" } else { "an expression" })
        }),
        ("loop", "loop") => step_loop(depth),
        ("loop", "merge") => merge(),
        (_, "exact" | "final") => truth(),
        ("route", _) => {
            names(NameRule::Plain, Shape::Scalar("a condition, or `else` for the rest"))
        }
        ("call", "call") => name("an operator", NameRule::Plain),
        ("call", "job") | (_, "args") => Shape::Map(None, Box::new(Shape::Any)),
        (_, "errors" | "control" | "metrics") => name("a topic", NameRule::Dotted),
        ("kernel", "modes") => one_or_more(Shape::Words(tables::words(tables::MODES))),
        ("kernel", "emit") => Shape::Either(vec![
            Shape::Words(tables::words(tables::EMITS)),
            object("a way to emit", tables::PULL_KEYS, tables::PULL_KEYS, |_| {
                name("a topic", NameRule::Dotted)
            }),
            object("a way to emit", tables::EPS_KEYS, tables::EPS_KEYS, |_| {
                Shape::Scalar("a number above 0")
            }),
        ]),
        ("kernel", "bounds") => object("bounds of a kernel", tables::BOUND_KEYS, &[], |key| {
            Shape::Scalar(if key == "error" { "a number above 0" } else { "a duration" })
        }),
        ("wasm", "limits") => object("limits of a capsule", tables::CAPSULE_LIMITS, &[], |_| {
            Shape::Scalar("a quantity with its unit")
        }),
        _ => Shape::Any,
    })
}

fn asof() -> Shape {
    object("the latest row", tables::ASOF_KEYS, &["time", "of"], |_| {
        Shape::Scalar("an expression, or a duration")
    })
}

/// The windows of one kind each, by the key that names it.
fn window() -> Shape {
    let kind = |keys: &[&'static str], required: &[&'static str]| {
        object("a window", keys, required, |key| match key {
            "final" => truth(),
            "per" => one_or_more(Shape::Scalar("a field")),
            _ => Shape::Scalar("a duration, or a field of time"),
        })
    };
    Shape::Either(vec![
        kind(&["tumble", "time", "final"], &["tumble"]),
        kind(&["hop", "every", "time", "final"], &["hop", "every"]),
        kind(&["session", "per", "time", "final"], &["session"]),
    ])
}

/// The steps, with the rest beside `loop`, or all of it in one map.
fn step_loop(depth: usize) -> Shape {
    let Some(depth) = depth.checked_sub(1) else { return Shape::Any };
    let whole = object("a loop", tables::STEP_LOOP_KEYS, &["do"], |key| match key {
        "do" => steps(depth),
        "merge" => merge(),
        "exact" => truth(),
        _ => Shape::Scalar("a number of rounds"),
    });
    Shape::Either(vec![steps(depth), whole])
}

fn merge() -> Shape {
    let best = |direction: &'static str| {
        object("a merge", &[direction, "by"], &[direction, "by"], |key| match key {
            "by" => one_or_more(name("a field", NameRule::Identifier)),
            _ => name("a field", NameRule::Identifier),
        })
    };
    Shape::Either(vec![Shape::Words(tables::MERGE_WORDS.to_vec()), best("min"), best("max")])
}

/// The parts of `over` stand in it, or beside it where it has no value.
fn over(keys: &[&'static str]) -> Shape {
    let part = |key: &str| match key {
        "with" => Shape::Map(None, Box::new(Shape::Scalar("a value along the order"))),
        _ => one_or_more(Shape::Scalar("a field")),
    };
    let within = object("a step", &["over"], &["over"], |_| {
        object("values along an order", tables::OVER_KEYS, &["with"], part)
    });
    let beside = object("a step", keys, &["over", "with"], |key| match key {
        "over" => Shape::Nothing,
        key => part(key),
    });
    Shape::Either(vec![within, beside])
}
