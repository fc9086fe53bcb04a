//! What joins hold together is what each of them would hold, and takes its memory once.

use arqon_engine::{BackendChoice, RowOutput};
use arqon_plan::DataflowPlan;
use arqon_tests::generator;
use arqon_tests::random::Random;
use arqon_tests::updates::Message;
use arqon_types::{Change, Row, TopicName, Value};

use crate::check;
use crate::runs::{Case, planned, run, seeds};

const CASES: u64 = 120;

#[test]
fn what_joins_hold_together_is_what_each_would_hold() {
    let wanted = seeds(CASES);
    let n_wanted = usize::try_from(wanted.end - wanted.start).expect("few cases");
    let holds_together = |seed: &u64| {
        let text = generator::circuit(&mut Random::new(*seed));
        !planned(*seed, &text).arrangements.is_empty()
    };
    let found = (wanted.start..).filter(holds_together).take(n_wanted);
    for (seed, n_workers) in found.zip([1, 2, 4].into_iter().cycle()) {
        let Case { text, plan, epochs } = Case::random(&mut Random::new(seed), seed);
        check(seed, &text, &plan, &epochs, BackendChoice::Hash, n_workers);
    }
}

const STAR: &str = "\
arqon: 1
circuit: law.star
schemas:
  Customer: { id: int64, region: string, name: string, since: int64 }
  Event: { customer: int64, amount: int64 }
  Loss: { customer: option<int64>, amount: int64 }
  Row: { region: string, amount: int64 }
topics:
  customers: { schema: Customer, carries: full, key: id, shared: true, edge: in }
  orders: { schema: Event, carries: delta, shared: true, edge: in }
  visits: { schema: Event, carries: delta, shared: true, edge: in }
  losses: { schema: Loss, carries: delta, shared: true, edge: in }
  ordered: { schema: Row, carries: delta, shared: true, edge: out }
  visited: { schema: Row, carries: delta, shared: true, edge: out }
  lost: { schema: Row, carries: delta, shared: true, edge: out }
flow:
  order:
    from: orders
    do:
      - join: customers
        match: { customer: id }
        as: c
      - select: { region: c.name, amount: amount }
    to: ordered
  visit:
    from: visits
    do:
      - join: customers
        match: { customer: id }
        as: c
        kind: left
        where: c.since > amount
      - select: { region: c.name // \"nobody\", amount: amount }
    to: visited
  lose:
    from: losses
    do:
      - join: customers
        match: { customer: id }
        as: c
        kind: full
      - select: { region: c.name // \"nobody\", amount: amount // 0 }
    to: lost
";

fn row(values: &[i64], text: Option<&str>) -> Row {
    let numbers = values.iter().map(|number| Value::Int(*number));
    match text {
        None => numbers.collect(),
        Some(text) => {
            let mut values: Vec<Value> = numbers.collect();
            values.splice(1..1, [Value::string(text), Value::string(&text.repeat(5))]);
            values.into()
        }
    }
}

/// Customers that come, change and go, and events that come and go, many of one customer.
fn messages(random: &mut Random, n_customers: i64) -> Vec<Vec<Message>> {
    let name = |name: &str| TopicName::parse(name).expect("a name");
    let number = |random: &mut Random| {
        i64::try_from(random.below(usize::try_from(n_customers).expect("few"))).expect("few")
    };
    let first = (0..n_customers).map(|id| {
        let row = row(&[id, id % 5], Some(&format!("customer {id}")));
        (name("customers"), Change::Upsert(row))
    });
    let mut epochs = vec![first.collect::<Vec<Message>>()];
    for _ in 0..12 {
        let mut epoch = Vec::new();
        for _ in 0..random.below(40) {
            let id = if random.chance(30) { 3 } else { number(random) };
            let amount = number(random) % 7;
            let topic = *random.pick(&["orders", "visits", "losses", "customers"]);
            epoch.push(match topic {
                "customers" if random.chance(40) => (name(topic), Change::Delete(row(&[id], None))),
                "customers" => {
                    let row = row(&[id, amount], Some(&format!("moved {amount}")));
                    (name(topic), Change::Upsert(row))
                }
                _ => {
                    let diff = if random.chance(25) { -1 } else { 1 };
                    let mut values: Vec<Value> = vec![Value::Int(id), Value::Int(amount)];
                    if topic == "losses" && random.chance(20) {
                        values[0] = Value::None;
                    }
                    (name(topic), Change::Diff { row: values.into(), diff })
                }
            });
        }
        epochs.push(epoch);
    }
    epochs
}

#[test]
fn kinds_of_joins_that_hold_a_side_together_follow_it() {
    let plan = planned(0, STAR);
    let readers: Vec<usize> = plan.arrangements.iter().map(|it| it.readers.len()).collect();
    assert_eq!(readers, [2], "keys of the third may be `none`, and it holds such rows");
    for (seed, n_workers) in (0..24).zip([1, 2, 4].into_iter().cycle()) {
        let epochs = messages(&mut Random::new(seed), 20);
        check(seed, STAR, &plan, &epochs, BackendChoice::Hash, n_workers);
    }
}

fn state_bytes(plan: &DataflowPlan, epochs: &[Vec<Message>]) -> i64 {
    let outputs = run(plan, epochs, BackendChoice::Hash, 1);
    let bytes = |output: &RowOutput| -> i64 {
        output.stats.nodes.iter().map(|node| node.counts.bytes).sum()
    };
    outputs.iter().map(|(_, output)| bytes(output)).sum()
}

#[test]
fn rows_that_are_held_together_take_their_memory_once() {
    let plan = planned(0, STAR);
    let apart = DataflowPlan { arrangements: Vec::new(), ..plan.clone() };
    let epochs = messages(&mut Random::new(1), 2_000);
    let [together, apart] = [&plan, &apart].map(|plan| state_bytes(plan, &epochs));
    // Names stand in the table of the topic, with what the third join holds, and once for two.
    assert!(together * 100 < apart * 90, "{together} bytes together, {apart} apart");
}
