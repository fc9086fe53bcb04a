//! Conditions move before the steps that do not need them, and stay where they would change an
//! answer.

mod support;

use arqon_plan::dataflow_text;

use support::{planned, shop};

/// The lines that tell of conditions and of what holds rows, in the steps of a node over orders.
#[track_caller]
fn check(steps: &str, expected: &str) {
    let text = shop(
        "  Count: { n: int64 }\n",
        "  counts: { schema: Count, carries: delta, edge: out }\n",
        &format!(
            "access: {{ shop: {{ publish: [orders, customers], subscribe: [counts] }} }}
flow:
  a:
    from: orders
    do:
{steps}
      - group: []
        agg: {{ n: count() }}
    to: counts
"
        ),
    );
    let shown = planned(&text).dataflow.as_ref().map(dataflow_text).unwrap_or_default();
    let (_, steps) = shown.split_once("\n\n").expect("topics, then steps");
    let is_told = |line: &&str| {
        ["where", " join ", "group by", "distinct", "top ", "over "]
            .iter()
            .any(|it| line.contains(it))
    };
    let told: Vec<&str> = steps.lines().filter(is_told).map(str::trim).collect();
    assert_eq!(told.join("\n"), expected);
}

const JOIN: &str = "      - join: customers\n        match: { customer: id }\n";

#[test]
fn each_part_goes_to_the_side_that_it_asks() {
    let more =
        "        as: c\n      - where: c.region == \"EU\" and amount > 1 and since < c.since";
    check(
        &format!("      - with: {{ since: customer }}\n{JOIN}{more}"),
        "a[2]  where $2 > 1
a[2]  where region == \"EU\"
#4 a[1]  join #3 as c on customer = id of #2, #3
a[2]  where since < c.since",
    );
}

#[test]
fn rows_that_may_lack_a_side_are_asked_behind_the_join() {
    let check = |kind: &str, behind: &str, expected: &str| {
        let where_in = "        as: c\n        where: c.since > 3 and amount > 2\n";
        let more = format!("        kind: {kind}\n{where_in}      - where: {behind}");
        check(&format!("{JOIN}{more}"), expected);
    };
    check(
        "left",
        "amount > 1",
        "a[1]  where amount > 1
a[0]  where since > 3
#4 a[0]  left join #3 as c on customer = id where amount > 2 of #2, #3",
    );
    check(
        "full",
        "amount // 0 > 1",
        "#3 a[0]  full join #2 as c on customer = id where c.since > 3 and amount > 2 of #0, #2
a[1]  where amount // 0 > 1",
    );
    // One that asks no row stays as well, since a row may come out by either side.
    check(
        "full",
        "1 > 2",
        "#3 a[0]  full join #2 as c on customer = id where c.since > 3 and amount > 2 of #0, #2
a[1]  where 1 > 2",
    );
    check(
        "anti",
        "amount > 1",
        "a[1]  where amount > 1
a[0]  where since > 3
#4 a[0]  anti join #3 on customer = id where amount > 2 of #2, #3",
    );
    check(
        "semi",
        "amount > 1",
        "a[0]  where amount > 2
a[1]  where amount > 1
a[0]  where since > 3
#4 a[0]  semi join #3 on customer = id of #2, #3",
    );
}

#[test]
fn a_condition_behind_one_that_may_fail_stays_with_it() {
    let more =
        "        as: c\n      - where: 10 / amount > 1 and amount > 1\n      - where: c.since > 1";
    check(
        &format!("{JOIN}{more}"),
        "#3 a[0]  join #2 as c on customer = id of #0, #2
a[1]  where 10 / amount > 1.0 and amount > 1
a[2]  where c.since > 1",
    );
    let more = "        as: c\n        where: c.since + 1 > amount\n      - where: amount > 1";
    check(
        &format!("{JOIN}{more}"),
        "#3 a[0]  join #2 as c on customer = id where c.since + 1 > amount of #0, #2
a[1]  where amount > 1",
    );
}

#[test]
fn groups_come_and_go_whole() {
    let group = |aggregate: &str| {
        format!(
            "      - group: [customer]\n        agg: {{ n: {aggregate} }}\n      \
             - where: customer > 1 and n > 2"
        )
    };
    check(
        &group("count()"),
        "a[1]  where customer > 1
#2 a[0]  group by customer agg n: count() of #1
a[1]  where n > 2",
    );
    // A sum may be too large for an int64, and the error of a group is an answer.
    check(
        &group("sum(amount)"),
        "#1 a[0]  group by customer agg n: sum(amount) of #0
a[1]  where customer > 1 and n > 2",
    );
    let top = "      - top: 1\n        by: [amount desc]\n        per: [customer]\n";
    check(
        &format!("{top}      - where: customer > 1 and amount > 1"),
        "a[1]  where customer > 1
#2 a[0]  top 1 by amount desc per customer of #1
a[1]  where amount > 1",
    );
    let over = "      - over:\n          per: [customer]\n          by: [id]\n          \
                with: { at: row_number() }\n";
    check(
        &format!("{over}      - where: customer > 1 and at < 3"),
        "a[1]  where customer > 1
#2 a[0]  over per customer by id with at: row_number() of #1
a[1]  where at < 3",
    );
}

#[test]
fn a_condition_that_would_grow_without_end_stays() {
    let doubles = "      - with: { both: both and both }\n".repeat(40);
    check(
        &format!(
            "      - with: {{ both: id > 1 }}\n      - distinct: all\n{doubles}      - where: both"
        ),
        "#2 a[1]  distinct of #1\na[42]  where both",
    );
}
