//! The checks on real text: what a circuit that reads and types well may still not do.

use arqon_compiler::{Options, compile, no_bypass_proof};

/// Compiles a shop with this flow, and compares all diagnostics in brief.
fn check(body: &str, expected: &str) {
    check_text(&format!("{SHOP}{body}"), expected);
}

fn check_text(text: &str, expected: &str) {
    let compiled = compile(text, "shop.yaml", &Options::default());
    let found: Vec<String> = compiled.diagnostics.iter().map(|it| it.brief(text)).collect();
    assert_eq!(found.join("\n"), expected.trim_end(), "\n{text}");
}

const SHOP: &str = "\
arqon: 1
circuit: shop
schemas:
  Order: { id: int64, region: string, amount: int64 }
  Total: { region: string, total: int64 }
topics:
  orders: { schema: Order, carries: full, key: id, edge: in }
  events: { schema: Order, edge: in }
  totals: { schema: Total, carries: delta, edge: out }
  facts: { schema: Total, edge: out }
";

#[test]
fn changes_as_facts() {
    check(
        "\
flow:
  sums:
    from: orders
    do:
      - group: [region]
        agg: { total: sum(amount) }
    to: facts
",
        "\
17:9-14 error[E0301]: node `sums` yields changes, and topic `facts` carries `events`
  here: retractions would pass as facts here
  7:37-41: topic `orders` carries `full`
  10:3-8: declared here; `events` is what a topic carries unless it says otherwise
  help: declare `facts` with `carries: delta`, so that readers see changes
  help: or with `carries: full` and a `key`, so that they see the state of each key",
    );
}

#[test]
fn unbounded_state_is_reported_once_on_its_way() {
    let flow = "\
flow:
  sums:
    from: events
    do:
      - join: orders
        match: { id: id }
        as: o
      - group: [region]
        agg: { total: sum(amount) }
    to: totals
";
    check(
        flow,
        "\
15:9-13 error[E0302]: `join` at `sums[0]` holds every event of `events`
  here: this state has no bound
  8:3-9: `events` carries `events`, which are never retracted
  help: let `events` carry what can be replaced: `carries: full` and a `key`; or what its \
producers retract: `carries: delta`
  help: or count in windows: `time` on topic `events`, a `window` before it, and `window_end` \
among its keys
  help: or say how long events count: `retain: 1h` on topic `events`
  note: `--allow unbounded` accepts it as it is",
    );
    let text = format!("{SHOP}{flow}");
    let allowed = Options { allow_unbounded: true, ..Options::default() };
    assert!(!compile(&text, "shop.yaml", &allowed).has_errors());
    let bounded = text.replace("Order, edge: in }", "Order, edge: in, retain: 1h }");
    assert!(!compile(&bounded, "shop.yaml", &Options::default()).has_errors());
}

#[test]
fn full_state_needs_a_key() {
    let text = SHOP.replace("carries: full, key: id,", "carries: full,");
    let compiled = compile(&text, "shop.yaml", &Options::default());
    let codes: Vec<&str> = compiled.diagnostics.iter().map(|it| it.code.id()).collect();
    assert_eq!(codes, ["E0303"]);
}

#[test]
fn cycles_are_drawn() {
    check(
        "\
flow:
  a: { from: [orders, b] }
  b: { from: a }
",
        "\
13:14-15 error[E0304]: cycle without delay: a -> b -> a
  here: closes the cycle
  12:23-24: on the cycle
  help: let the rows go back through a topic with `control: true`, an epoch later
  help: or write a `loop`, whose variables bring them to the next round",
    );
}

#[test]
fn writers_and_roles() {
    check(
        "\
flow:
  sums:
    from: orders
    do:
      - group: [region]
        agg: { total: sum(amount) }
    to: totals
  again:
    from: orders
    do:
      - select: { region: region, total: amount }
    to: totals
access:
  reader: { subscribe: [sums, orders, total, sums.errors], execute: [nvm], publish: [events] }
",
        "\
22:9-15 error[E0406]: node `again` writes topic `totals`, which node `sums` writes already
  17:9-15: node `sums`
  help: bring the rows together in one node, with `from: [a, b]`
  help: or declare `totals` with `shared: true`, if both are meant to write it
24:25-29 error[E0401]: role `reader` may subscribe to node `sums`, past every topic
  help: grant topic `totals` instead
24:31-37 error[E0602]: role `reader` may subscribe to topic `orders`, whose `edge` is `in`
  7:58-60: the topic's side
  help: list it under `publish`
  help: declare `orders` with `edge: both`, if clients are to subscribe
24:39-44 error[E0601]: role `reader` names unknown topic `total`
  help: did you mean `totals`?
24:70-73 error[E0405]: operator `nvm` is not declared under `operators`",
    );
}

#[test]
fn operators_are_reached_through_topics_only() {
    check(
        "\
operators:
  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: nvm } } }
  qml: { contract: arqonbus.qml@1, via: { sim: { builtin: qml } }, limits: { parallel: 1 } }
routes:
  - orders -> nvm
  - nvm -> qml
flow:
  x: { from: nvm, to: facts }
access:
  lab: { publish: [nvm, orders, events], subscribe: [qml] }
",
        "\
15:15-18 error[E0403]: a route writes to operator `nvm` without a topic between
  12:3-6: the operator
  help: use a `call: nvm` step, which goes through `nvm.jobs` and `nvm.results`
  help: or name its topic: `nvm.jobs`
16:12-15 error[E0404]: operator `nvm` writes to operator `qml` without a topic between
  12:3-6: the first operator
  13:3-6: the second operator
  16:5-8: what it answers is read here
  help: chain two steps, `call: nvm` and then `call: qml` with a job made of the result
18:14-17 error[E0403]: node `x` reads from operator `nvm` without a topic between
  12:3-6: the operator
  help: use a `call: nvm` step, which goes through `nvm.jobs` and `nvm.results`
  help: or name its topic: `nvm.results`
20:20-23 error[E0402]: role `lab` reaches operator `nvm` without a topic between
  12:3-6: the operator
  help: let the role send jobs with `execute: [nvm]`
20:54-57 error[E0402]: role `lab` reaches operator `qml` without a topic between
  13:3-6: the operator
  help: let the role read results with `subscribe: [qml.results]`",
    );
}

#[test]
fn what_leads_nowhere_is_warned_of() {
    check(
        "\
params: { N: 3, M: 4 }
functions:
  twice(x): x * 2
flow:
  sums:
    from: orders
    do:
      - group: [region]
        agg: { total: sum(amount) }
  long:
    from: events
    do:
      - where: N < amount
      - select: { region: region, total: amount }
    to: totals
access:
  lab: { publish: [events] }
",
        "\
7:58-60 warning[W0601]: no role may publish to edge topic `orders`
  help: list it under `publish` of a role: `publish: [orders]`
9:37-42 warning[W0301]: topic `totals` keeps every event of `events`, for late subscribers
  help: let `totals` carry `events`: its rows are never retracted
  help: or give `events` a bound, as in `retain: 1h`
10:3-8 warning[W0201]: nothing writes topic `facts`
11:17-18 warning[W0204]: nothing reads parameter `M`
13:3-8 warning[W0203]: nothing calls function `twice`
15:3-7 warning[W0205]: nobody reads node `sums`, and it writes no topic
  help: let it write a topic with `to:`, or leave it away",
    );
}

#[test]
fn a_circuit_without_roles_is_warned_of_once() {
    check_text(
        "\
arqon: 1
circuit: copy
schemas:
  Row: { id: int64 }
  Old: { id: int64 }
topics:
  a: { schema: Row, edge: in }
  b: { schema: Row, edge: in }
  c: { schema: Row, edge: out }
operators:
  nvm: { contract: arqonbus.nvm@1, via: { sim: { builtin: nvm } } }
flow:
  all: { from: [a, b], to: c }
",
        "\
5:3-6 warning[W0202]: nothing uses schema `Old`
7:27-29 warning[W0601]: the circuit has no `access`, so no role may publish to `a`, `b`
  help: add a role: `access: { writer: { publish: [a] } }`
11:3-6 warning[W0501]: operator `nvm` has no `limits`
  help: say what it may cost, as in `limits: { parallel: 1, runs: 100/h }`",
    );
}

#[test]
fn the_shop_is_accepted_and_its_proof_holds() {
    let text = format!(
        "{SHOP}{}",
        "\
flow:
  sums:
    from: orders
    do:
      - group: [region]
        agg: { total: sum(amount) }
    to: totals
  rows:
    from: events
    do:
      - select: { region: region, total: amount }
    to: facts
access:
  writer: { publish: [orders, events] }
  reader: { subscribe: [totals, facts, sums.errors] }
"
    );
    check_text(&text, "");
    let plan = compile(&text, "shop.yaml", &Options::default()).plan.unwrap();
    assert!(no_bypass_proof(&plan).starts_with("no bypass in `shop`: holds\n"));
}
