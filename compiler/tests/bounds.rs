//! State without a bound is refused with the way to bound it; bounded steps pass.

mod lab;

use std::sync::Arc;

use arqon_compiler::{Unbounded, plan_errors, plan_warnings};
use arqon_operators::{Aggregate, AggregateFunction, Expr, Place};
use arqon_plan::*;
use arqon_types::{Discipline, Edge, Field, Schema, Type};

/// `clicks { id, page, kind }`, then one step, then topic `out`.
fn circuit(change: impl FnOnce(&mut Topic), verb: Verb, schema: &[(&str, Type)]) -> Plan {
    let fields = [("id", Type::Int64), ("page", Type::String), ("mobile", Type::Bool)];
    let schema_of = |name: &str, fields: &[(&str, Type)]| {
        let fields = fields.iter().map(|(name, ty)| Field::new(*name, ty.clone())).collect();
        Arc::new(Schema::new(name, fields))
    };
    let click = schema_of("Click", &fields);
    let out = schema_of("Out", schema);
    let mut places = lab::Places(0);
    let mut builder = PlanBuilder::new("web", "web", "web.yaml");
    let mut topic = lab::topic("clicks", Edge::In, TopicOrigin::Declared, &mut places);
    topic.schema = Arc::clone(&click);
    change(&mut topic);
    let clicks = builder.topic(topic);
    let mut topic = lab::topic("out", Edge::Out, TopicOrigin::Declared, &mut places);
    topic.schema = Arc::clone(&out);
    topic.discipline = Discipline::Delta;
    let sink = builder.topic(topic);
    let step = |address: &str, verb, schema: &Arc<Schema>, range| FlowStep {
        node: "pages".into(),
        address: address.into(),
        verb,
        schema: Arc::clone(schema),
        range,
    };
    let from = builder.step(step("pages", Verb::From, &click, places.next()));
    let middle = builder.step(step("pages[0]", verb, &out, places.next()));
    let after = builder.step(step("pages[1]", Verb::Distinct, &out, places.next()));
    builder.wire((clicks, from), Port::Main, &click, places.next());
    builder.wire((from, middle), Port::Main, &click, places.next());
    builder.wire((middle, after), Port::Main, &out, places.next());
    builder.wire((after, sink), Port::Main, &out, places.next());
    builder.role(Role {
        name: "browser".into(),
        range: places.next(),
        grants: vec![Grant {
            right: Right::Publish,
            target: "clicks".into(),
            range: places.next(),
        }],
    });
    builder.finish()
}

fn group(keys: Vec<Expr>, function: AggregateFunction) -> Verb {
    let args = match function {
        AggregateFunction::Count => Vec::new(),
        _ => vec![Expr::column(1, Type::String)],
    };
    let ty = if args.is_empty() { Type::Int64 } else { Type::String };
    let aggregate = Aggregate { function, args, filter: None, ty, place: Place::default() };
    Verb::Group(Group { keys, aggregates: vec![aggregate] })
}

fn id() -> Expr {
    Expr::column(0, Type::Int64)
}

fn page() -> Expr {
    Expr::column(1, Type::String)
}

fn mobile() -> Expr {
    Expr::column(2, Type::Bool)
}

fn as_events(_: &mut Topic) {}

fn messages(plan: &Plan) -> Vec<String> {
    let errors = plan_errors(plan, Unbounded::Refused);
    errors.iter().map(|it| format!("{} {}", it.code, it.message)).collect()
}

#[test]
fn groups_of_events_need_a_bound() {
    let rows = [("page", Type::String), ("n", Type::Int64)];
    let plan = circuit(as_events, group(vec![page()], AggregateFunction::Count), &rows);
    let errors = plan_errors(&plan, Unbounded::Refused);
    // The `distinct` after it inherits the fault and is not reported.
    let [error] = errors.as_slice() else { panic!("{errors:?}") };
    assert_eq!(error.code.id(), "E0302");
    assert_eq!(error.message, "`group` at `pages[0]` holds a group for every `page` of `clicks`");
    assert_eq!(
        error.help,
        [
            "let `clicks` carry what can be replaced: `carries: full` and a `key`; or what its \
             producers retract: `carries: delta`",
            "or group by fields of type `bool` or `enum`, or by the topic's `key`, once it is \
             declared",
            "or count in windows: `time` on topic `clicks`, a `window` before it, and \
             `window_end` among its keys",
            "or say how long events count: `retain: 1h` on topic `clicks`",
        ]
    );
    assert_eq!(plan_errors(&plan, Unbounded::Allowed), []);
}

fn state(plan: &Plan) -> String {
    let (id, _) = plan.steps().nth(1).expect("the step after the source");
    match &plan.facts(id).state {
        State::Bounded(text) => text.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn what_bounds_a_group() {
    let count = || group(vec![page()], AggregateFunction::Count);
    let rows = [("page", Type::String), ("n", Type::Int64)];
    let retained =
        circuit(|t| t.retain = Some(Retain::Nanoseconds(3_600_000_000_000)), count(), &rows);
    assert_eq!(messages(&retained), [""; 0]);
    assert_eq!(state(&retained), "1 group each of rows(clicks, last 1h)");

    let delta = circuit(|t| t.discipline = Discipline::Delta, count(), &rows);
    assert_eq!(messages(&delta), [""; 0]);
    assert_eq!(state(&delta), "1 group each of rows(clicks)");

    let full = circuit(
        |t| (t.discipline, t.key) = (Discipline::Full, vec![0]),
        group(vec![page()], AggregateFunction::Max),
        &[("page", Type::String), ("n", Type::String)],
    );
    assert_eq!(messages(&full), [""; 0]);
    assert_eq!(state(&full), "1 group each of rows(clicks), and rows(clicks) for n");

    let by_key = circuit(
        |t| t.key = vec![0],
        group(vec![mobile(), id()], AggregateFunction::Count),
        &[("mobile", Type::Bool), ("id", Type::Int64), ("n", Type::Int64)],
    );
    assert_eq!(messages(&by_key), [""; 0]);
    assert_eq!(state(&by_key), "1 group each of keys(clicks) * 2");

    let by_flag = circuit(
        as_events,
        group(vec![mobile()], AggregateFunction::Count),
        &[("mobile", Type::Bool), ("n", Type::Int64)],
    );
    assert_eq!(messages(&by_flag), [""; 0]);
    assert_eq!(state(&by_flag), "2 groups");

    let of_all = circuit(as_events, group(vec![], AggregateFunction::Count), &[("n", Type::Int64)]);
    assert_eq!(messages(&of_all), [""; 0]);
    assert_eq!(state(&of_all), "1 group");
}

#[test]
fn aggregates_that_hold_values_are_named() {
    let plan = circuit(
        as_events,
        group(vec![mobile()], AggregateFunction::Max),
        &[("mobile", Type::Bool), ("last", Type::String)],
    );
    assert_eq!(
        messages(&plan),
        ["E0302 `group` at `pages[0]` holds every value that `last` saw of `clicks`"]
    );
}

#[test]
fn distinct_and_top_hold_events_too() {
    let rows = [("id", Type::Int64), ("page", Type::String), ("mobile", Type::Bool)];
    assert_eq!(
        messages(&circuit(as_events, Verb::Distinct, &rows)),
        ["E0302 `distinct` at `pages[0]` holds every row of `clicks`"]
    );
    let top = Verb::Top(Top {
        n: 3,
        offset: 0,
        per: vec![],
        by: vec![SortKey { expr: id(), order: Order::Descending }],
        ties: Ties::Cut,
        rank: false,
    });
    assert_eq!(
        messages(&circuit(as_events, top, &rows)),
        ["E0302 `top` at `pages[0]` holds every event of `clicks`"]
    );
}

#[test]
fn full_state_needs_a_key_and_bounds_events_by_it() {
    let rows = [("id", Type::Int64), ("page", Type::String), ("mobile", Type::Bool)];
    let keyed = circuit(|t| t.key = vec![0], Verb::Carries(Discipline::Full), &rows);
    assert_eq!(messages(&keyed), [""; 0]);
    let keyless = circuit(as_events, Verb::Carries(Discipline::Full), &rows);
    assert_eq!(
        messages(&keyless)[0],
        "E0303 step `pages[0]` carries `full` state, and its rows have no key"
    );
    let topic = circuit(|t| t.discipline = Discipline::Full, Verb::Distinct, &rows);
    assert_eq!(messages(&topic), ["E0303 topic `clicks` carries `full` state and has no `key`"]);
}

#[test]
fn a_delta_topic_of_events_is_warned_of() {
    let rows = [("id", Type::Int64), ("page", Type::String), ("mobile", Type::Bool)];
    let kept = Verb::Project(Projection {
        word: ProjectionWord::Select,
        fields: vec![id(), page(), mobile()].into(),
    });
    let plan = circuit(as_events, kept, &rows);
    let mut builder = PlanBuilder::from(plan);
    let named = |builder: &PlanBuilder, name: &str| builder.plan().named(name).unwrap();
    let (project, _) = builder.plan().steps().nth(1).unwrap();
    let mut places = lab::Places(800);
    let mut topic = lab::topic("copy", Edge::Out, TopicOrigin::Declared, &mut places);
    topic.discipline = Discipline::Delta;
    topic.schema = builder.plan().topics().next().unwrap().1.schema.clone();
    let copy = builder.topic(topic);
    let schema = Arc::clone(&builder.plan().topics().next().unwrap().1.schema);
    builder.wire((project, copy), Port::Main, &schema, places.next());
    assert!(named(&builder, "copy") == copy);
    let warnings: Vec<String> = plan_warnings(&builder.finish())
        .iter()
        .map(|it| format!("{} {}", it.code, it.message))
        .collect();
    assert!(
        warnings.contains(
            &"W0301 topic `copy` keeps every event of `clicks`, for late subscribers".to_owned()
        ),
        "{warnings:?}"
    );
}
