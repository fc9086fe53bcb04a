//! What may stand where in a circuit file, as data: for editors that know no circuits.
//!
//! Made from the tables by which the reader itself decides, so a key that is read is a key that is
//! offered. It says less than the reader does: names are not looked up, expressions not parsed.

mod flow;

use crate::ast::TIME_UNITS;
use crate::circuit::tables;
use crate::name;
use crate::name::NameRule;
use crate::span::Span;

/// What may stand at a place.
#[derive(Clone, PartialEq, Debug)]
pub enum Shape {
    /// Anything.
    Any,
    /// No value, as in `over:`.
    Nothing,
    /// A text, number or truth value: one scalar of YAML, whatever its notation.
    Scalar(&'static str),
    /// A scalar that keeps to this regular expression.
    Pattern(&'static str, &'static str),
    /// One of these words.
    Words(Vec<&'static str>),
    /// A list.
    List(Box<Shape>),
    /// A map with keys of the user's; the expression that they keep to, if there is one.
    Map(Option<&'static str>, Box<Shape>),
    /// A map with known keys.
    Object {
        /// What it is.
        about: &'static str,
        /// Each with what stands there.
        keys: Vec<(&'static str, Shape)>,
        /// Keys that must be there.
        required: Vec<&'static str>,
    },
    /// One of these.
    Either(Vec<Shape>),
}

/// What a name may look like, by what it names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Naming {
    /// Topics and circuits: parts with dots between them.
    Dotted,
    /// Nodes, labels, operators: one part.
    Plain,
    /// Schemas, fields, parameters, functions.
    Identifier,
}

/// The keys of a circuit, in their order.
pub fn circuit_keys() -> &'static [&'static str] {
    tables::CIRCUIT_KEYS
}

/// The keys of a topic.
pub fn topic_keys() -> &'static [&'static str] {
    tables::TOPIC_KEYS
}

/// The keys of an operator.
pub fn operator_keys() -> &'static [&'static str] {
    tables::OPERATOR_KEYS
}

/// The ways to reach an implementation.
pub fn transport_keys() -> &'static [&'static str] {
    tables::TRANSPORT_KEYS
}

/// The keys of a node.
pub fn node_keys() -> &'static [&'static str] {
    tables::NODE_KEYS
}

/// The keys of what an operator answers in a test.
pub fn job_mock_keys() -> &'static [&'static str] {
    tables::JOB_MOCK_KEYS
}

/// The keys of what a capsule answers in a test.
pub fn capsule_mock_keys() -> &'static [&'static str] {
    tables::CAPSULE_MOCK_KEYS
}

/// The keys of a test's step.
pub fn test_step_keys() -> &'static [&'static str] {
    tables::TEST_STEP_KEYS
}

/// The keys of what a role may do.
pub fn role_keys() -> &'static [&'static str] {
    tables::ROLE_KEYS
}

/// The keys of a profile.
pub fn profile_keys() -> &'static [&'static str] {
    tables::PROFILE_KEYS
}

/// The keys within `window: { … }`.
pub fn window_keys() -> &'static [&'static str] {
    tables::WINDOW_KEYS
}

/// The keys within `within: { … }`.
pub fn within_keys() -> &'static [&'static str] {
    tables::WITHIN_KEYS
}

/// The keys within `over: { … }`.
pub fn over_keys() -> &'static [&'static str] {
    tables::OVER_KEYS
}

/// The keys within the `loop: { … }` of a step.
pub fn step_loop_keys() -> &'static [&'static str] {
    tables::STEP_LOOP_KEYS
}

/// The keys within the `loop:` of a node.
pub fn node_loop_keys() -> &'static [&'static str] {
    tables::NODE_LOOP_KEYS
}

/// The keys of a field with a unit of time.
pub fn field_keys() -> &'static [&'static str] {
    &["type", "unit"]
}

/// The units in which integers stand for timestamps.
pub fn time_units() -> Vec<&'static str> {
    tables::words(&TIME_UNITS)
}

/// All verbs, each with the keys that stand beside it.
pub fn verbs() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    tables::verbs()
}

/// Whether a name keeps to its rule, and is none of the bus's own.
pub fn is_name(naming: Naming, text: &str) -> bool {
    let rule = match naming {
        Naming::Dotted => NameRule::Dotted,
        Naming::Plain => NameRule::Plain,
        Naming::Identifier => NameRule::Identifier,
    };
    name::check(rule, "name", text, Span::default()).is_ok() && !name::is_reserved(text)
}

/// What a circuit file is.
pub fn circuit_file() -> Shape {
    object("a circuit", tables::CIRCUIT_KEYS, &["arqon"], |key| match key {
        "arqon" => Shape::Words(vec!["1"]),
        "circuit" => name("the circuit's name", NameRule::Dotted),
        "namespace" => name("the domain of topics and access", NameRule::Dotted),
        "description" => Shape::Scalar("free text"),
        "params" => params(),
        "import" => one_or_more(Shape::Scalar("a path, as in `lab/schemas.yaml`")),
        "schemas" => names(NameRule::Identifier, names(NameRule::Identifier, field())),
        "functions" => {
            Shape::Map(None, Box::new(Shape::Scalar("an expression over the parameters")))
        }
        "topics" => names(NameRule::Dotted, topic()),
        "operators" => names(NameRule::Plain, operator()),
        "flow" => names(NameRule::Plain, flow::node(1)),
        "routes" => Shape::List(Box::new(Shape::Scalar("`a.topic -> b.topic when amount > 3`"))),
        "limits" => object("limits of the circuit", tables::CIRCUIT_LIMITS, &[], quantity),
        "access" => names(NameRule::Dotted, role()),
        "profiles" => names(NameRule::Plain, profile()),
        "tests" => Shape::Map(None, Box::new(one_or_more(test_step()))),
        _ => Shape::Any,
    })
}

fn object(
    about: &'static str,
    keys: &[&'static str],
    required: &[&'static str],
    shape: impl Fn(&str) -> Shape,
) -> Shape {
    let keys = keys.iter().map(|key| (*key, shape(key))).collect();
    Shape::Object { about, keys, required: required.to_vec() }
}

const fn pattern(rule: NameRule) -> &'static str {
    match rule {
        NameRule::Dotted => r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$",
        NameRule::Plain => r"^[a-z][a-z0-9_]*$",
        NameRule::Identifier => r"^[A-Za-z_][A-Za-z0-9_]*$",
    }
}

fn name(about: &'static str, rule: NameRule) -> Shape {
    Shape::Pattern(about, pattern(rule))
}

fn names(rule: NameRule, value: Shape) -> Shape {
    Shape::Map(Some(pattern(rule)), Box::new(value))
}

fn one_or_more(shape: Shape) -> Shape {
    Shape::Either(vec![shape.clone(), Shape::List(Box::new(shape))])
}

fn quantity(_: &str) -> Shape {
    Shape::Scalar("a quantity with its unit")
}

fn truth() -> Shape {
    Shape::Words(vec!["true", "false"])
}

fn params() -> Shape {
    names(NameRule::Identifier, Shape::Scalar("a number, duration, date, truth value or text"))
}

fn field() -> Shape {
    Shape::Either(vec![
        Shape::Scalar("a type, as in `decimal<2>`"),
        object("a timestamp that may be an integer", field_keys(), field_keys(), |key| match key {
            "unit" => Shape::Words(time_units()),
            _ => Shape::Scalar("`timestamp`, or an option, list or map of it"),
        }),
        names(NameRule::Identifier, Shape::Any),
    ])
}

fn topic() -> Shape {
    object("a topic", tables::TOPIC_KEYS, &["schema"], |key| match key {
        "carries" => Shape::Words(tables::words(tables::DISCIPLINES)),
        "key" => one_or_more(name("a field", NameRule::Identifier)),
        "edge" => Shape::Words(tables::words(tables::EDGES)),
        "time" => name("the field with the event time", NameRule::Identifier),
        "late" | "retain" => quantity(key),
        "queue" => object("a queue", tables::QUEUE_KEYS, &[], |key| match key {
            "full" => Shape::Words(tables::words(tables::QUEUE_FULL)),
            _ => Shape::Scalar("a whole number"),
        }),
        "control" | "shared" | "durable" => truth(),
        "check" => Shape::Words(vec!["none"]),
        _ => Shape::Any,
    })
}

fn operator() -> Shape {
    object("an operator", tables::OPERATOR_KEYS, &["contract"], |key| match key {
        "via" => names(
            NameRule::Plain,
            object("an implementation", tables::TRANSPORT_KEYS, &[], |_| Shape::Any),
        ),
        "use" => name("the implementation that runs", NameRule::Plain),
        "limits" => object("limits of the operator", tables::OPERATOR_LIMITS, &[], quantity),
        "retry" => object("a retry", tables::RETRY_KEYS, &[], |key| match key {
            "when" => one_or_more(Shape::Words(tables::words(tables::RETRY_REASONS))),
            "backoff" => one_or_more(Shape::Scalar("a duration")),
            _ => Shape::Scalar("a whole number"),
        }),
        _ => Shape::Any,
    })
}

fn role() -> Shape {
    object("what a role may do", tables::ROLE_KEYS, &[], |_| {
        let caps: Vec<&'static str> =
            tables::MESSAGE_CAPS.iter().chain(tables::JOB_CAPS).copied().collect();
        let capped = names(NameRule::Dotted, object("caps", &caps, &[], quantity));
        one_or_more(Shape::Either(vec![name("a topic or operator", NameRule::Dotted), capped]))
    })
}

fn profile() -> Shape {
    object("a profile", tables::PROFILE_KEYS, &[], |key| match key {
        "use" => names(NameRule::Plain, name("an implementation", NameRule::Plain)),
        "params" => params(),
        "limits" => object("limits of the circuit", tables::CIRCUIT_LIMITS, &[], quantity),
        _ => Shape::Any,
    })
}

fn test_step() -> Shape {
    object("a step of a test", tables::TEST_STEP_KEYS, &[], |key| match key {
        "send" | "expect" => names(NameRule::Dotted, Shape::List(Box::new(row()))),
        "cost" => object("a cost", tables::COST_KEYS, &[], |_| Shape::Scalar("as in `<= 8`")),
        "law" => name("a law", NameRule::Plain),
        "within" => Shape::Scalar("a tolerance"),
        "mocks" => Shape::Map(None, Box::new(Shape::List(Box::new(mock())))),
        "time" => Shape::Scalar("when the rows come in, as in `2026-01-01T00:00:00Z`"),
        _ => Shape::Any,
    })
}

/// `{ field: value }`, `[+1, { … }]`.
fn row() -> Shape {
    let fields = || Shape::Map(None, Box::new(Shape::Any));
    Shape::Either(vec![fields(), Shape::List(Box::new(Shape::Any))])
}

/// What an operator or capsule answers, or a row that a kernel puts out.
fn mock() -> Shape {
    let fields = || Shape::Map(None, Box::new(Shape::Any));
    let job = object("an answer of an operator", tables::JOB_MOCK_KEYS, &[], |key| match key {
        "job" | "result" => fields(),
        "fail" => Shape::Scalar("why the job fails"),
        _ => Shape::Scalar("the id of the job"),
    });
    let capsule = object(
        "an answer of a capsule",
        tables::CAPSULE_MOCK_KEYS,
        tables::CAPSULE_MOCK_KEYS,
        |key| match key {
            "row" => fields(),
            _ => one_or_more(fields()),
        },
    );
    Shape::Either(vec![job, capsule, fields()])
}
