//! Whole circuits: text in, plans and diagnostics out.

use std::fmt::Write;

use arqon_compiler::{Compiled, NotRunnable, Options, compile};
use arqon_plan::{Operator, dataflow_text};
use arqon_types::{Change, Row, Value};

fn compiled(text: &str) -> Compiled {
    compile(text, "circuit.yaml", &Options::default())
}

/// All diagnostics, one after another, in their brief form.
fn faults(text: &str) -> String {
    let compiled = compiled(text);
    let briefs: Vec<String> = compiled.diagnostics.iter().map(|fault| fault.brief(text)).collect();
    briefs.join("\n")
}

#[test]
fn the_revenue_circuit_compiles() {
    let text = include_str!("circuits/revenue.yaml");
    assert_eq!(faults(text), "");
    let compiled = compiled(text);
    let dataflow = compiled.dataflow.expect("it has no faults");
    let addresses: Vec<&str> = dataflow.steps.iter().map(|step| &*step.address).collect();
    let expected =
        ["shop.orders", "shop.customers", "revenue[0]", "revenue[1]", "revenue[1]", "revenue[2]"];
    assert_eq!(addresses, expected);
    assert!(compiled.plan.is_some() && compiled.not_runnable.is_empty());
}

#[test]
fn the_revenue_tests_are_typed() {
    let compiled = compiled(include_str!("circuits/revenue.yaml"));
    let [test] = compiled.tests.as_slice() else { panic!("one test") };
    assert_eq!(test.name, "moving a customer moves only their revenue");
    let [first, second] = test.examples.as_slice() else { panic!("two steps") };
    let topics: Vec<&str> = first.send.iter().map(|input| input.topic.as_str()).collect();
    assert_eq!(topics, ["shop.customers", "shop.orders"]);
    let order =
        Row::from(vec![Value::Int(10), Value::Int(1), Value::Decimal(3000), Value::Enum(1)]);
    assert_eq!(first.send[1].changes[0], Change::Upsert(order));
    let revenue = |units: i128, orders: i64, region: &str| {
        Row::from(vec![Value::string(region), Value::Decimal(units), Value::Int(orders)])
    };
    assert_eq!(
        second.expect[0].updates,
        [(revenue(4200, 2, "EU"), -1), (revenue(1200, 1, "EU"), 1), (revenue(3000, 1, "US"), 1)]
    );
    let bound = second.updates.expect("the second step has a cost");
    assert!(bound.holds(8) && !bound.holds(9));
}

#[test]
fn choices_from_outside_are_applied() {
    let text = "arqon: 1\ncircuit: shop\nparams: { least: 1, name: x }\nschemas:\n  Order: \
                { id: int64, total: int64 }\ntopics:\n  orders: { schema: Order, carries: full, \
                key: id, edge: in }\n  large: { schema: Order, carries: delta, edge: out }\n\
                flow:\n  a:\n    from: orders\n    do:\n      - where: total > least\n    to: \
                large\nprofiles:\n  strict: { params: { least: 100 } }\n";
    let steps = |options: &Options| {
        let compiled = compile(text, "circuit.yaml", options);
        let errors: Vec<String> = compiled
            .diagnostics
            .iter()
            .filter(|fault| fault.is_error())
            .map(|fault| fault.message.clone())
            .collect();
        compiled.dataflow.map_or(errors.join("; "), |dataflow| {
            let text = dataflow_text(&dataflow);
            text.lines().find(|line| line.contains("where")).unwrap_or_default().trim().to_owned()
        })
    };
    let strict = Options { profile: Some("strict".to_owned()), ..Options::default() };
    let set = |name: &str, value: &str| Options {
        set: vec![(name.to_owned(), value.to_owned())],
        ..strict.clone()
    };
    assert_eq!(steps(&Options::default()), "a[0]  where total > 1");
    assert_eq!(steps(&strict), "a[0]  where total > 100");
    assert_eq!(steps(&set("least", "-7")), "a[0]  where total > -7");
    assert_eq!(steps(&set("leest", "7")), "the circuit has no parameter `leest`");
    assert_eq!(steps(&set("least", "seven")), "parameter `least` is a whole number, not a text");
    let lax = Options { profile: Some("lax".to_owned()), ..Options::default() };
    assert_eq!(steps(&lax), "the circuit has no profile `lax`");
}

#[test]
fn what_does_not_run_says_so() {
    let text = "arqon: 1\ncircuit: shop\nschemas:\n  Order: { id: int64 }\ntopics:\n  orders: \
                { schema: Order, edge: in, retain: 64KiB }\n  seen: { schema: Order, \
                carries: delta, edge: out, retain: 2d }\n  told: { schema: Order, edge: both, \
                retain: 3d, durable: true }\nflow:\n  a: { from: orders, to: seen }\n";
    let compiled = compiled(text);
    assert!(!compiled.has_errors());
    let told = |parts: &[NotRunnable]| -> Vec<String> {
        parts.iter().map(|part| format!("{}: {}", part.span.slice(text), part.message)).collect()
    };
    assert_eq!(told(&compiled.not_runnable), [""; 0]);
    assert_eq!(
        told(&compiled.not_honoured),
        ["true: `durable` is checked, and has no effect in this version"]
    );
}

#[test]
fn the_last_event_of_a_key_wins_where_several_may_come() {
    let check = |do_steps: &str, expected: &[&str]| {
        let text = format!(
            "arqon: 1\ncircuit: shop\nschemas:\n  Order: {{ id: int64, n: int64 }}\ntopics:\n  \
             orders: {{ schema: Order, edge: in }}\n  last: {{ schema: Order, carries: full, key: \
             id, edge: out }}\nflow:\n  a:\n    from: orders\n{do_steps}    to: last\n"
        );
        let options = Options { allow_unbounded: true, ..Options::default() };
        let compiled = compile(&text, "circuit.yaml", &options);
        assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
        assert_eq!(compiled.not_runnable, [], "{do_steps}");
        let dataflow = compiled.dataflow.expect("a circuit without faults runs");
        let addresses: Vec<&str> = dataflow
            .steps
            .iter()
            .filter(|step| matches!(step.operator, Operator::Latest(_)))
            .map(|step| &*step.address)
            .collect();
        assert_eq!(addresses, expected, "{do_steps}");
    };
    check("", &["a.to"]);
    check("    do: [{ where: n > 1 }]\n", &["a.to"]);
    check("    do: [{ carries: full }]\n", &["a[0]"]);
    // One row for each key, whatever the order: nothing is replaced by what came later.
    check("    do: [{ group: [id], agg: { n: count() } }]\n", &[]);
}

#[test]
fn deep_and_long_circuits_need_no_stack() {
    let mut text = String::from(
        "arqon: 1\ncircuit: long\nschemas:\n  Row: { id: int64 }\ntopics:\n  rows: { schema: \
         Row, carries: delta, edge: in }\nflow:\n  n0: { from: rows }\n",
    );
    for idx in 1..3_000 {
        writeln!(text, "  n{idx}: {{ from: n{} }}", idx - 1).expect("writing to a string");
    }
    let worker = std::thread::Builder::new().stack_size(512 * 1024);
    let n_steps = worker
        .spawn(move || {
            let compiled = compile(&text, "long.yaml", &Options::default());
            compiled.dataflow.map(|dataflow| dataflow.steps.len())
        })
        .expect("a thread")
        .join()
        .expect("no overflow");
    assert_eq!(n_steps, Some(1));
}

#[test]
fn final_windows_are_not_advised_to_become_final() {
    let text = "arqon: 1
circuit: web
schemas:
  Click: { page: string, at: timestamp }
  Sum: { page: string, window_start: timestamp, n: int64 }
topics:
  clicks: { schema: Click, carries: events, time: at, late: 3s, retain: none, edge: in }
  sums: { schema: Sum, carries: delta, edge: out }
flow:
  count:
    from: clicks
    do:
      - window: { tumble: 1m }
      - group: [page, window_start]
        agg: { n: count() }
    to: sums
access:
  writer: { publish: [clicks] }
  reader: { subscribe: [sums] }
";
    let advice = |text: &str| {
        let all = compiled(text).diagnostics;
        let found = all.iter().find(|it| it.code.to_string() == "W0301");
        found.expect("the topic grows").help.join(" ")
    };
    assert!(advice(text).starts_with("let the window be `final: true` and"), "{}", advice(text));
    let finished = text.replace("tumble: 1m", "tumble: 1m, final: true");
    assert_eq!(advice(&finished), "let `sums` carry `events`: each window comes once");
}
