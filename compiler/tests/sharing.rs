//! Steps of several nodes that do the same with the same rows are one; those that may fail, or whose
//! rows tell themselves apart, are not.

mod support;

use arqon_plan::dataflow_text;

use support::{planned, shop};

/// The steps of nodes over orders and customers, a line each, and the outputs `one` and `other`.
#[track_caller]
fn check(flow: &str, expected: &str) {
    let text = shop(
        "  Count: { n: int64 }\n",
        "  one: { schema: Count, carries: delta, edge: out }
  other: { schema: Count, carries: delta, edge: out }\n",
        &format!(
            "access: {{ shop: {{ publish: [orders, customers], subscribe: [one, other] }} }}
flow:
{flow}"
        ),
    );
    let shown = planned(&text).dataflow.as_ref().map(dataflow_text).unwrap_or_default();
    let (_, steps) = shown.split_once("\n\n").expect("topics, then steps");
    let told = |line: &&str| line.starts_with(['#', 'o']) && !line.contains("  source ");
    let told: Vec<&str> = steps.lines().filter(told).collect();
    assert_eq!(told.join("\n"), expected);
}

/// Two nodes, each with these steps.
fn two(one: &str, other: &str) -> String {
    format!(
        "  a:\n    from: orders\n    do:\n{one}    to: one\n  b:\n    from: orders\n    do:\n{other}    to: other\n"
    )
}

const COUNT: &str = "      - group: []\n        agg: { n: count() }\n";

#[test]
fn equal_steps_of_two_nodes_are_one() {
    let group = "      - group: [customer]\n        agg: { n: count(where=amount > 3) }\n";
    let spelt = "      # The same.\n      - group: [ customer ]\n        agg:\n          n: count(where = (amount > 3))\n";
    check(
        &two(&format!("{group}      - select: [n]\n"), &format!("{spelt}      - select: [n]\n")),
        "#1 a[0]  group by customer agg n: count(where=amount > 3) of #0
#2 a[1]  map of #1
output one = #2
output other = #2",
    );
}

#[test]
fn what_follows_differs_and_reads_the_same_step() {
    let join = "      - join: customers\n        match: { customer: id }\n        as: c\n";
    let one = "      - group: [c.region]\n        agg: { n: count() }\n      - select: [n]\n";
    let other = "      - group: [amount]\n        agg: { n: count() }\n      - select: [n]\n";
    check(
        &two(&format!("{join}{one}"), &format!("{join}{other}")),
        "#2 a[0]  map of #0
#3 a[0]  map of #1
#4 a[0]  join #3 as c on customer = id of #2, #3
#5 a[1]  group by c.region agg n: count() of #4
#6 a[2]  map of #5
#7 b[1]  group by amount agg n: count() of #4
#8 b[2]  map of #7
output one = #6
output other = #8",
    );
}

#[test]
fn readers_of_equal_steps_are_equal_in_turn() {
    let node = |name: &str, from: &str, steps: &str| {
        format!("  {name}:\n    from: {from}\n    do:\n{steps}")
    };
    let large = "      - distinct: [customer, amount]\n";
    let flow = [
        node("a", "orders", large),
        node("b", "orders", large),
        node("c", "a", &format!("{COUNT}    to: one\n")),
        node("d", "b", &format!("{COUNT}    to: other\n")),
    ];
    check(
        &flow.concat(),
        "#1 a[0]  map of #0
#2 a[0]  distinct of #1
#3 c[0]  group all rows agg n: count() of #2
output one = #3
output other = #3",
    );
}

#[test]
fn each_node_tells_its_own_errors() {
    let group = |aggregate: &str| {
        format!(
            "      - group: [customer]\n        agg: {{ n: {aggregate} }}\n      - select: [n]\n"
        )
    };
    // A sum may be too large for an int64.
    check(
        &two(&group("sum(amount)"), &group("sum(amount)")),
        "#1 a[0]  group by customer agg n: sum(amount) of #0
#2 a[1]  map of #1
#3 b[0]  group by customer agg n: sum(amount) of #0
#4 b[1]  map of #3
output one = #2
output other = #4",
    );
    let where_in = format!("      - where: 10 / amount > 1\n{COUNT}");
    check(
        &two(&where_in, &where_in),
        "#1 a[0]  map of #0
#2 a[1]  group all rows agg n: count() of #1
#3 b[0]  map of #0
#4 b[1]  group all rows agg n: count() of #3
output one = #2
output other = #4",
    );
    // What is tried has a value, if only none.
    let tried = format!("      - where: try(10 / amount) // 0.0 > 1\n{COUNT}");
    check(
        &two(&tried, &tried),
        "#1 a[0]  map of #0
#2 a[1]  group all rows agg n: count() of #1
output one = #2
output other = #2",
    );
}

#[test]
fn what_is_not_the_same_stays_apart() {
    let top = |n: u64, by: &str| {
        format!("      - top: {n}\n        by: [{by}]\n      - select: {{ n: id }}\n")
    };
    check(
        &two(&top(1, "amount"), &top(2, "amount")),
        "#1 a[0]  top 1 by amount of #0
#2 a[1]  map of #1
#3 b[0]  top 2 by amount of #0
#4 b[1]  map of #3
output one = #2
output other = #4",
    );
    check(
        &two(&top(1, "amount"), &top(1, "amount desc")),
        "#1 a[0]  top 1 by amount of #0
#2 a[1]  map of #1
#3 b[0]  top 1 by amount desc of #0
#4 b[1]  map of #3
output one = #2
output other = #4",
    );
    // Names are shown by error rows.
    let group = |name: &str| {
        format!(
            "      - group: [{name}: customer]\n        agg: {{ n: count() }}\n      - select: [n]\n"
        )
    };
    check(
        &two(&group("who"), &group("whom")),
        "#1 a[0]  group by who: customer agg n: count() of #0
#2 a[1]  map of #1
#3 b[0]  group by whom: customer agg n: count() of #0
#4 b[1]  map of #3
output one = #2
output other = #4",
    );
}
