//! Circuits without faults: the steps that they become.

use arqon_compiler::{Options, compile};
use arqon_plan::dataflow_text;

/// What the cases begin with; their own part goes on in `topics:`.
const SHOP: &str = "\
arqon: 1
circuit: shop
schemas:
  Order: { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
  Customer: { id: int64, region: string, name: option<string> }
  Sum: { region: string, total: decimal<2> }
topics:
  orders: { schema: Order, carries: full, key: id, edge: in }
  customers: { schema: Customer, carries: full, key: id, edge: in }
  sums: { schema: Sum, carries: delta, key: region, edge: out }
";

/// The steps of the circuit, without the topics before them.
#[track_caller]
fn check(rest: &str, expected: &str) {
    let text = format!("{SHOP}{rest}");
    let compiled = compile(&text, "circuit.yaml", &Options::default());
    let errors: Vec<String> = compiled
        .diagnostics
        .iter()
        .filter(|fault| fault.is_error())
        .map(|fault| fault.brief(&text))
        .collect();
    assert_eq!(errors.join("\n"), "");
    let shown = dataflow_text(&compiled.dataflow.expect("a circuit without errors has steps"));
    let (_, steps) = shown.split_once("\n\n").expect("topics, then steps");
    assert_eq!(steps.trim_end(), expected.trim_end());
}

#[test]
fn fields_in_another_order_fit() {
    check(
        "flow:
  a:
    from: customers
    do:
      - group: [region]
        agg: { n: count() }
      - select: { total: 0.50, region: region }
    to: sums
",
        "#0 customers  source customers
    { id: int64, region: string, name: option<string> }
#1 a[0]  group by region agg n: count() of #0
    { region: string, n: int64 }
#2 orders  source orders
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
#3 a[1]  map of #1
  a[1]  select $0: 0.50, $1: region
  a.to  select region: $1, total: $0
    { region: string, total: decimal<2> }

output sums = #3
",
    );
}

#[test]
fn not_of_an_option_is_an_option() {
    check(
        "  unnamed: { schema: Customer, carries: delta, key: id, edge: out }
flow:
  a:
    from: customers
    do:
      - where: (not name < \"b\") // not id == 3
    to: unnamed
",
        "#0 customers  source customers
    { id: int64, region: string, name: option<string> }
#1 a[0]  map of #0
  a[0]  where (not (name < \"b\")) // (not (id == 3))
    { id: int64, region: string, name: option<string> }
#2 orders  source orders
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }

output unnamed = #1
",
    );
}

#[test]
fn functions_and_params_are_put_in() {
    check(
        "  dear: { schema: Order, carries: delta, key: id, edge: out }
params: { rate: 0.05, floor: 10 }
functions:
  net(price, off): price * (1 - off)
  over(price): net(price, rate) > floor
flow:
  a:
    from: orders
    do:
      - where: over(amount)
      - where: net(amount, 0.1) != -1 and any([id, customer], x -> x > floor)
    to: dear
",
        "#0 orders  source orders
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
#1 a[0]  map of #0
  a[0]  where amount * (1.00 - 0.05) > 10.0000
  a[1]  where amount * (1.00 - 0.10) != -1.0000 and any([id, customer], x1 -> x1 > 10)
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
#2 customers  source customers
    { id: int64, region: string, name: option<string> }

output dear = #1
",
    );
}

#[test]
fn literals_take_the_sinks_type() {
    check(
        r#"  marks: { schema: { id: int64, status: enum<open|paid>, note: option<string>, amount: decimal<2> }, carries: delta, edge: out }
flow:
  a:
    from: orders
    do:
      - select:
          id: id
          amount: 1
          note: none
          status: if amount > 3 then "paid" else "open"
      - where: id > 3
    to: marks
"#,
        r#"#0 orders  source orders
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
#1 customers  source customers
    { id: int64, region: string, name: option<string> }
#2 a[0]  map of #0
  a[0]  select $0: id, $1: 1.00, $2: none, $3: if amount > 3.00 then "paid" else "open"
  a[1]  where $0 > 3
  a.to  select id: $0, status: $3, note: $2, amount: $1
    { id: int64, status: enum<open|paid>, note: option<string>, amount: decimal<2> }

output marks = #2
"#,
    );
}

#[test]
fn joins_hold_what_is_read() {
    check(
        r#"flow:
  a:
    from: orders
    do:
      - join: customers
        match: { customer: id }
        as: c
        kind: left
        where: c.region == "EU" and amount > 1
      - with: { region: c.region // "none" }
      - join: customers
        match: { region: region }
        as: d
        kind: anti
        where: d.id > id
      - group: [region]
        agg: { total: sum(amount) }
        where: total > 100
    to: sums
"#,
        r#"#0 orders  source orders
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
#1 customers  source customers
    { id: int64, region: string, name: option<string> }
#2 a[0]  map of #0
  a[0]  select id, customer, amount
    { id: int64, customer: int64, amount: decimal<2> }
#3 a[0]  map of #1
  a[0]  where region == "EU"
  a[0]  select id, region
    { id: int64, region: string }
#4 a[0]  left join #3 as c on customer = id where amount > 1.00 of #2, #3
    { id: int64, customer: int64, amount: decimal<2>, c: option<{ id: int64, region: string }> }
#5 a[1]  map of #4
  a[1]  select id, amount, region: c.region // "none"
    { id: int64, amount: decimal<2>, region: string }
#6 a[2]  map of #1
  a[2]  select id, region
    { id: int64, region: string }
#7 a[2]  anti join #6 on region = region where #6.id > id of #5, #6
    { id: int64, amount: decimal<2>, region: string }
#8 a[3]  group by region agg total: sum(amount) of #7
    { region: string, total: decimal<2> }
#9 a[3]  map of #8
  a[3]  where total > 100.00
    { region: string, total: decimal<2> }

output sums = #9
"#,
    );
}

#[test]
fn unions_reorder_their_sides() {
    check(
        "flow:
  a:
    from: orders
    do:
      - select: { total: amount, region: string(customer) }
  b:
    from: customers
    do:
      - select:
          region: region
          total: decimal(id, 2)
  both:
    from: [a, b]
    do:
      - distinct: all
    to: sums
",
        "#0 orders  source orders
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
#1 a[0]  map of #0
  a[0]  select total: amount, region: string(customer)
    { total: decimal<2>, region: string }
#2 customers  source customers
    { id: int64, region: string, name: option<string> }
#3 b[0]  map of #2
  b[0]  select $0: region, $1: decimal(id, 2)
  both  select total: $1, region: $0
    { total: decimal<2>, region: string }
#4 both  union of #1, #3
    { total: decimal<2>, region: string }
#5 both[0]  distinct of #4
    { total: decimal<2>, region: string }
#6 both.to  map of #5
  both.to  select region, total
    { region: string, total: decimal<2> }
#7 both.to  unique (region) of #6
    { region: string, total: decimal<2> }

output sums = #7
",
    );
}

#[test]
fn routes_split_and_wire() {
    check(
        "  big: { schema: Order, carries: delta }
  small: { schema: Order, carries: delta, shared: true, edge: out }
flow:
  split:
    from: orders
    do:
      - route: { big: amount > 100, rest: else }
    to: { big: big }
  rest:
    from: split.rest
    to: small
routes:
  - big -> small when id > 3
",
        "#0 orders  source orders
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
#1 split[0]  route amount > 100.00, else of #0
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
#2 split[0].big  arm 0 of #1
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
#3 split[0].rest  arm 1 of #1
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
#4 routes[0]  map of #2
  routes[0]  where id > 3
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
#5 customers  source customers
    { id: int64, region: string, name: option<string> }
#6 small  source small
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
#7 small  union of #3, #4, #6
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }

output big = #2
output small = #7
",
    );
}
