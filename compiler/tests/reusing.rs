//! Rows that several joins look up by the same key are held once; those that are looked up in
//! another way are not.

mod support;

use arqon_plan::{Arrangement, JoinReader, dataflow_text};

use support::{planned, shop};

/// What joins of nodes over orders, customers and visits hold together.
#[track_caller]
fn check(flow: &str, expected: &[&str]) {
    let text = shop(
        "  Visit: { id: int64, customer: option<int64>, buyer: int64, page: string, at: timestamp }
  Login: { customer: int64, at: timestamp, page: string }
  Row: { id: int64 }\n",
        "  visits: { schema: Visit, carries: full, key: id, edge: in }
  logins: { schema: Login, carries: full, key: [customer, at], edge: in }
  one: { schema: Row, carries: delta, edge: out }
  other: { schema: Row, carries: delta, edge: out }
  third: { schema: Row, carries: delta, edge: out }\n",
        &format!(
            "access:
  shop:
    publish: [orders, customers, visits, logins]
    subscribe: [one, other, third]
flow:
{flow}"
        ),
    );
    let compiled = planned(&text);
    let plan = compiled.dataflow.as_ref().expect("it was planned");
    let reader = |reader: &JoinReader| {
        format!("{} of {}", reader.side.name(), plan.steps[reader.join.index()].address)
    };
    let arrangement =
        |it: &Arrangement| it.readers.iter().map(reader).collect::<Vec<_>>().join(", ");
    let told: Vec<String> = plan.arrangements.iter().map(arrangement).collect();
    assert_eq!(told, expected, "{}", dataflow_text(plan));
}

fn node(name: &str, from: &str, steps: &str, to: &str) -> String {
    format!("  {name}:\n    from: {from}\n    do:\n{steps}      - select: [id]\n    to: {to}\n")
}

/// A join as `it`, of this kind.
fn join(with: &str, left: &str, right: &str, more: &str) -> String {
    format!("      - join: {with}\n        match: {{ {left}: {right} }}\n        as: it\n{more}")
}

/// A condition on what was joined.
fn only(condition: &str) -> String {
    format!("      - where: {condition}\n")
}

#[test]
fn two_nodes_look_up_the_same_customers() {
    let a = join("customers", "customer", "id", "") + &only("it.since > amount");
    let b = join("customers", "buyer", "id", "") + &only("it.region > page");
    check(
        &(node("a", "orders", &a, "one") + &node("b", "visits", &b, "other")),
        &["right of a[0], right of b[0]"],
    );
}

#[test]
fn kinds_of_joins_and_sides_do_not_matter() {
    let a = join("orders", "id", "customer", "        kind: left\n")
        + &only("(it.amount // 0) > since");
    let b =
        join("orders", "buyer", "customer", "        kind: anti\n").replace("        as: it\n", "");
    check(
        &(node("a", "customers", &a, "one") + &node("b", "visits", &b, "other")),
        &["right of a[0], right of b[0]"],
    );
}

#[test]
fn other_keys_rows_and_meanings_of_none_stay_apart() {
    let by_id = join("customers", "customer", "id", "") + &only("it.since > amount");
    let by_since = join("customers", "buyer", "since", "") + &only("it.since > id");
    check(&(node("a", "orders", &by_id, "one") + &node("b", "visits", &by_since, "other")), &[]);
    let some = join("customers", "buyer", "id", "") + &only("it.region == \"north\"");
    check(&(node("a", "orders", &by_id, "one") + &node("b", "visits", &some, "other")), &[]);
    // A key that may be `none` is another one only where rows with `none` are held.
    let b = join("customers", "customer", "id", "        kind: left\n")
        + &only("(it.since // 0) > id or (it.region // page) > page");
    check(&(node("a", "orders", &by_id, "one") + &node("b", "visits", &b, "other")), &[]);
    let b = join("customers", "customer", "id", "") + &only("it.since > id or it.region > page");
    let flow = node("a", "orders", &by_id, "one") + &node("b", "visits", &b, "other");
    check(&flow, &["right of a[0], right of b[0]"]);
}

#[test]
fn of_a_join_with_itself_one_side_is_held_with_others() {
    let a = join("orders", "customer", "customer", "") + &only("it.amount > amount");
    let b = join("orders", "buyer", "customer", "") + &only("it.amount > id or it.id > id");
    check(
        &(node("a", "orders", &a, "one") + &node("b", "visits", &b, "other")),
        &["left of a[0], right of b[0]"],
    );
}

#[test]
fn a_join_may_hold_both_of_its_sides_with_others() {
    let a = join("customers", "customer", "id", "") + &only("it.region > \"n\" or amount > id");
    let b = join("visits", "customer", "buyer", "") + &only("it.page > \"n\" or amount > id");
    let c = join("visits", "id", "buyer", "") + &only("it.page > region");
    let flow = node("a", "orders", &a, "one")
        + &node("b", "orders", &b, "other")
        + &node("c", "customers", &c, "third");
    check(
        &flow,
        &[
            "left of a[0], left of b[0]",
            "right of a[0], left of c[0]",
            "right of b[0], right of c[0]",
        ],
    );
}

#[test]
fn numbers_are_held_with_numbers_alone() {
    let number = |left: &str| join("customers", left, "id", "") + &only("it.since > id");
    let text = join("customers", "buyer", "id", "") + &only("it.region > page");
    check(
        &(node("a", "orders", &number("customer"), "one") + &node("b", "visits", &text, "other")),
        &[],
    );
    check(
        &(node("a", "orders", &number("customer"), "one")
            + &node("b", "visits", &number("buyer"), "other")),
        &["right of a[0], right of b[0]"],
    );
}

#[test]
fn rows_that_go_by_themselves_stay_apart() {
    let a = join("logins", "buyer", "customer", "") + &only("it.page > page");
    let plain = join("logins", "buyer", "customer", "        kind: left\n")
        + &only("(it.page // page) > page");
    let both = |b: &str| node("a", "visits", &a, "one") + &node("b", "visits", b, "other");
    check(&both(&plain), &["left of a[0], left of b[0]", "right of a[0], right of b[0]"]);
    let asof = "      - join: logins
        match: { buyer: customer }
        asof: { time: at, of: at }
        as: it\n";
    check(&both(asof), &[]);
}
