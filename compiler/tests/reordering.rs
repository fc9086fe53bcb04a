//! Joins go before left joins that they do not need, where no more rows flow, whatever the data.

mod support;

use arqon_plan::dataflow_text;

use support::{planned, shop};

/// The joins, and what puts columns back in order, in the steps of a node over orders.
#[track_caller]
fn check(steps: &str, expected: &str) {
    let text = shop(
        "  Visit: { customer: int64, page: string, seconds: int64 }
  Out: { n: int64 }\n",
        "  visits: { schema: Visit, carries: delta, edge: in }
  one: { schema: Out, carries: delta, edge: out }\n",
        &format!(
            "access: {{ shop: {{ publish: [orders, customers, visits], subscribe: [one] }} }}
flow:
  a:
    from: orders
    do:
{steps}    to: one
"
        ),
    );
    let passes = planned(&text).passes;
    let pass = passes.iter().find(|pass| pass.name == "reorder").expect("every pass is kept");
    let shown = dataflow_text(&pass.plan);
    let told = |line: &&str| line.contains(" join ") || line.contains("select");
    let told: Vec<&str> = shown.lines().filter(told).map(str::trim).collect();
    assert_eq!(told.join("\n"), expected);
}

const VISITS: &str = "      - join: visits
        match: { customer: customer }
        as: v
        kind: left
";

fn customers(kind: &str, more: &str) -> String {
    format!(
        "      - join: customers
        match: {{ customer: id }}
        as: c
        kind: {kind}
{more}"
    )
}

const COUNT: &str = "      - group: []\n        agg: { n: count() }\n";

#[test]
fn a_join_by_a_declared_key_goes_before_one_that_multiplies() {
    check(
        &format!("{VISITS}{}{COUNT}", customers("inner", "        where: c.since > amount\n")),
        "#3 a[1]  join #2 as c on customer = id where c.since > amount of #0, #2
#4 a[0]  left join #1 as v on customer = customer of #3, #1
a[1]  select id, customer, amount, v, c",
    );
    check(
        &format!("{VISITS}{}{COUNT}", customers("left", "")),
        "#3 a[1]  left join #2 as c on customer = id of #0, #2
#4 a[0]  left join #1 as v on customer = customer of #3, #1
a[1]  select id, customer, amount, v, c",
    );
}

#[test]
fn one_that_only_asks_for_a_match_goes_first_and_past_several() {
    let again = VISITS.replace("as: v", "as: w");
    check(
        &format!("{VISITS}{again}{}{COUNT}", customers("semi", "")),
        "#3 a[2]  semi join #2 on customer = id of #0, #2
#4 a[0]  left join #1 as v on customer = customer of #3, #1
#5 a[1]  left join #1 as w on customer = customer of #4, #1",
    );
    check(
        &format!("{VISITS}{}{COUNT}", customers("anti", "")),
        "#3 a[1]  anti join #2 on customer = id of #0, #2
#4 a[0]  left join #1 as v on customer = customer of #3, #1",
    );
}

#[test]
fn what_stays_where_it_was_written() {
    let stays = |steps: &str, expected: &str| check(&format!("{steps}{COUNT}"), expected);
    // Behind an inner join there may be fewer rows than before it.
    let inner = VISITS.replace("left", "inner");
    stays(
        &format!("{inner}{}", customers("inner", "")),
        "#3 a[0]  join #1 as v on customer = customer of #0, #1
#4 a[1]  join #2 as c on customer = id of #3, #2",
    );
    // It reads what the first one added.
    let reads = customers("inner", "        where: c.since > v.seconds // 0\n");
    stays(
        &format!("{VISITS}{reads}"),
        "#3 a[0]  left join #1 as v on customer = customer of #0, #1
#4 a[1]  join #2 as c on customer = id where c.since > v.seconds // 0 of #3, #2",
    );
    // It may put a row out several times.
    let several = VISITS.replace("left", "inner").replace("as: v", "as: w");
    stays(
        &format!("{VISITS}{several}"),
        "#2 a[0]  left join #1 as v on customer = customer of #0, #1
#3 a[1]  join #1 as w on customer = customer of #2, #1",
    );
    // Its errors show the rows that it meets.
    let fails = customers("inner", "        where: c.since / amount > 1.0\n");
    stays(
        &format!("{VISITS}{fails}"),
        "#3 a[0]  left join #1 as v on customer = customer of #0, #1
#4 a[1]  join #2 as c on customer = id where c.since / amount > 1.0 of #3, #2",
    );
    // Neither multiplies, and neither leaves out.
    let other = customers("left", "").replace("as: c", "as: d");
    stays(
        &format!("{}{other}", customers("left", "")),
        "#2 a[0]  left join #1 as c on customer = id of #0, #1
#3 a[1]  left join #1 as d on customer = id of #2, #1",
    );
}
