//! Circuits that read what others write: what is said of an epoch is of the same inputs, on all of
//! them.
//!
//! `cargo xtask torture chain --cases CHAINS --seed SEED` is the long run.

use std::collections::BTreeMap;

use arqon_client::{Client, ErrorCode, Message, Subscribe};
use arqon_plan::DataflowPlan;
use arqon_server::{ChangeError, Replacing};
use arqon_tests::oracle::{Collection, Inputs, evaluate};
use arqon_tests::random::Random;
use arqon_tests::setting::setting;
use arqon_types::{Change, Epoch, Row, TopicName, Value};

use crate::house::{Follower, House, plan, sums};
use crate::{SALES, order, refusal, sum};

const CASES: u64 = 20;
const STEPS: usize = 40;

/// The region with the greatest total, of what `shop.sales` writes.
const BEST: &str = "
arqon: 1
circuit: shop.best
namespace: shop
schemas:
  Sum:   { region: string, total: int64 }
topics:
  shop.sales: { schema: Sum, carries: delta, key: region, edge: in }
  shop.best:  { schema: Sum, carries: delta, edge: out }
flow:
  best:
    from: shop.sales
    do:
      - top: 1
        by: [total desc]
    to: shop.best
access:
  shop.all: { publish: [shop.sales], subscribe: [shop.best] }
";

#[test]
fn a_circuit_reads_what_another_one_writes_in_the_same_epoch() {
    for n_workers in [1, 2, 4] {
        let house = House::new(n_workers);
        let client = house.client();
        house.install(SALES).unwrap();
        house.publish(&client, order(1, "EU", 30)).unwrap();
        let installed = house.install(BEST).unwrap();
        assert_eq!((installed.n_rows, installed.updates), (1, 1));
        assert_eq!(installed.starts_without, []);
        let mut best = house.subscribe(&client, Subscribe::to("shop.best")).unwrap();
        for (id, region, amount, expected) in [
            (2, "US", 31, sum("US", 31)),
            (3, "EU", 10, sum("EU", 40)),
            (3, "EU", 0, sum("US", 31)),
            (2, "US", 1, sum("EU", 30)),
        ] {
            let epoch = house.publish(&client, order(id, region, amount)).unwrap();
            assert_eq!(house.rows(&mut best, epoch), [(expected, 1)]);
        }
        // It is the other circuit that writes the topic, and nobody else.
        let row = Message::changes("shop.sales", [(1, sum("XX", 99).as_str())]);
        let (code, words) = refusal(house.publish(&client, row).err());
        assert_eq!(code, ErrorCode::Forbidden, "{words}");
        house.server.finish(1001).unwrap();
    }
}

#[test]
fn a_replaced_writer_brings_its_difference_to_those_who_read_it() {
    let house = House::new(1);
    let client = house.client();
    house.install(SALES).unwrap();
    house.install(BEST).unwrap();
    for (id, region, amount) in [(1, "EU", 30), (2, "US", 50), (3, "US", -7)] {
        house.publish(&client, order(id, region, amount)).unwrap();
    }
    let mut best = house.subscribe(&client, Subscribe::to("shop.best")).unwrap();
    let replaced = house.replace(&SALES.replace("amount > 0", "amount < 50")).unwrap();
    assert_eq!(house.rows(&mut best, replaced.epoch), [(sum("EU", 30), 1)]);
    let replaced = house.replace(&BEST.replace("total desc", "total")).unwrap();
    assert_eq!(house.rows(&mut best, replaced.epoch), [(sum("US", -7), 1)]);
    house.server.finish(1001).unwrap();
}

#[test]
fn a_chain_has_no_circle_and_no_loose_end() {
    let house = House::new(1);
    let conflict = |outcome: Result<_, ChangeError>| match outcome {
        Err(ChangeError::Conflict(message)) => message,
        other => panic!("no conflict, but {other:?}"),
    };
    house.install(BEST).unwrap();
    let message = conflict(house.install(SALES));
    assert!(message.contains("`shop.best`") && message.contains("drop it"), "{message}");
    house.drop("shop.best").unwrap();
    house.install(SALES).unwrap();
    let other = BEST.replace("total: int64 }", "total: float64 }");
    assert!(conflict(house.install(&other)).contains("its schema"), "another schema");
    house.install(BEST).unwrap();
    let message = conflict(house.drop("shop.sales"));
    assert!(message.contains("drop `shop.best` first"), "{message}");
    let renamed =
        SALES.replace("shop.sales:  {", "shop.sums:  {").replace("to: shop.sales", "to: shop.sums");
    let renamed = renamed.replace("[shop.sales]", "[shop.sums]");
    let message = conflict(house.put(&renamed, Replacing::Whatever, |_| {}));
    assert!(message.contains("no longer write"), "{message}");
    let hidden =
        SALES.replace("key: region, edge: out }", "key: region }").replace("[shop.sales]", "[]");
    let message = conflict(house.put(&hidden, Replacing::Whatever, |_| {}));
    assert!(message.contains("`edge: out`"), "{message}");
    let circle = SALES
        .replace("Sum:   {", "Best: { region: string, total: int64 }\n  Sum:   {")
        .replace("edge: in }\n", "edge: in }\n  shop.best: { schema: Sum, carries: delta, edge: in }\n")
        .replace("    do:\n", "    do:\n      - join: shop.best\n        match: { region: region }\n        kind: semi\n");
    let message = conflict(house.put(&circle, Replacing::Whatever, |_| {}));
    assert!(message.contains("in a circle"), "{message}");
    // All is as it was.
    let client = house.client();
    let mut best = house.subscribe(&client, Subscribe::to("shop.best")).unwrap();
    let epoch = house.publish(&client, order(1, "EU", 30)).unwrap();
    assert_eq!(house.rows(&mut best, epoch), [(sum("EU", 30), 1)]);
    house.drop("shop.best").unwrap();
    house.drop("shop.sales").unwrap();
    house.server.finish(1001).unwrap();
}

#[test]
fn a_writer_that_stops_leaves_its_readers_with_what_they_have() {
    let house = House::new(2);
    let client = house.client();
    let bomb = |output: &arqon_engine::RowOutput| {
        assert!(output.epoch < Epoch(4), "a bomb went off");
    };
    house.put(SALES, Replacing::Never, bomb).unwrap();
    house.install(BEST).unwrap();
    house.publish(&client, order(1, "EU", 30)).unwrap();
    let mut best = house.subscribe(&client, Subscribe::to("shop.best")).unwrap();
    let mut sales = house.subscribe(&client, Subscribe::to("shop.sales")).unwrap();
    let stopped = house.publish(&client, order(2, "US", 50));
    assert_eq!(refusal(stopped.err()).0, ErrorCode::Unavailable);
    assert_eq!(refusal(house.end(&mut sales)).0, ErrorCode::Unavailable);
    let epoch = house.server.report().unwrap().epoch;
    assert_eq!(house.rows(&mut best, epoch), [(sum("EU", 30), 1)]);
    // What its inputs held went with it, and so does what it said once another takes its place.
    let replaced = house.replace(SALES).unwrap();
    assert_eq!(house.rows(&mut best, replaced.epoch), []);
    let epoch = house.publish(&client, order(3, "US", 70)).unwrap();
    assert_eq!(house.rows(&mut best, epoch), [(sum("US", 70), 1)]);
    house.server.finish(1001).unwrap();
}

#[test]
fn a_reader_that_is_full_stops_what_comes_to_those_before_it() {
    let house = House::new(1);
    let client = house.client();
    house.install(SALES).unwrap();
    let limits = "namespace: shop\nlimits: { state: 16KiB }\n";
    house.install(&BEST.replace("namespace: shop\n", limits)).unwrap();
    let mut n_taken = 0;
    let refused = loop {
        match house.publish(&client, order(n_taken, &format!("region {n_taken}"), 1)) {
            Ok(_) => n_taken += 1,
            Err(error) => break refusal(Some(error)),
        }
        assert!(n_taken < 2_000, "a row for each of 2,000 regions is more than 16 KiB");
    };
    assert_eq!(refused.0, ErrorCode::ResourceExhausted, "{}", refused.1);
    // Rows that go make room again.
    for id in 0..n_taken / 2 {
        let gone = Message::delete("shop.orders", format!(r#"{{"id":{id}}}"#));
        house.publish(&client, gone).unwrap();
    }
    house.publish(&client, order(-1, "EU", 1)).unwrap();
    house.server.finish(1001).unwrap();
}

#[test]
fn a_chain_under_load_loses_and_repeats_nothing() {
    const N: i64 = 30;
    let house = House::new(2);
    let client = house.client();
    house.install(SALES).unwrap();
    house.install(BEST).unwrap();
    let mut best = house.subscribe(&client, Subscribe::to("shop.best")).unwrap();
    let n_published = std::thread::scope(|scope| {
        let replacing = scope.spawn(|| {
            for at in 0..N {
                let total = if at % 2 == 0 { "total desc" } else { "total" };
                house.replace(&SALES.replace("amount > 0", &format!("amount != {at}"))).unwrap();
                house.replace(&BEST.replace("total desc", total)).unwrap();
            }
        });
        let many = scope.spawn(|| {
            let client = house.client();
            for id in 0..200 {
                house.publish(&client, order(-1 - id, "US", 1)).unwrap();
            }
        });
        let mut n_published = 0;
        while !replacing.is_finished() || !many.is_finished() {
            house.publish(&client, order(n_published, "EU", n_published)).unwrap();
            n_published += 1;
        }
        n_published
    });
    let epoch = house.server.report().unwrap().epoch;
    let left_out = if N <= n_published { N - 1 } else { 0 };
    let europe = (0..n_published).sum::<i64>() - left_out;
    // The last of the replacements looks for the least.
    let least = if europe < 200 { sum("EU", europe) } else { sum("US", 200) };
    assert_eq!(house.rows(&mut best, epoch), [(least.clone(), 1)]);
    let mut late = house.subscribe(&client, Subscribe::to("shop.best")).unwrap();
    assert_eq!(house.rows(&mut late, epoch), [(least, 1)]);
    house.server.finish(1001).unwrap();
}

/// What the first circuit of a chain writes.
const SUMS: [&str; 3] = [
    "
      - group: [k]
        agg: { n: count(), s: sum(n) }",
    "
      - where: n > 2
      - group: [k]
        agg: { n: count(), s: max(n) }",
    "
      - top: 1
        per: [k]
        by: [n desc, id]
      - select: [k, { n: 1 }, { s: n }]",
];

/// What the second makes of it, and of the first one's own input.
const MIXES: [&str; 3] = [
    "
    from: alpha.sums
    do:
      - join: orders
        match: { k: k }
        as: o
      - select: [k, { n: n }, { s: s - o.n }]",
    "
    from: orders
    do:
      - join: alpha.sums
        match: { k: k }
        kind: anti
      - group: [k]
        agg: { n: count(), s: sum(n) }",
    "
    from: alpha.sums
    do:
      - where: s > 3",
];

/// What the third makes of both.
const ENDS: [&str; 2] = [
    "
    from: [alpha.sums, beta.mix]
    do:
      - group: [k]
        agg: { n: sum(n), s: sum(s) }",
    "
    from: beta.mix
    do:
      - join: alpha.sums
        match: { k: k }
        as: a
      - group: [k]
        agg: { n: count(), s: min(a.s) }",
];

const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
const OUTPUTS: [&str; 3] = ["alpha.sums", "beta.mix", "gamma.end"];

/// One of the three; what `carries` says holds of what the first writes.
fn circuit(at: usize, flow: usize, carries: &str) -> String {
    let reads = match at {
        0 => "  orders: { schema: Order, carries: full, key: id, edge: in }".to_owned(),
        1 => format!(
            "  orders: {{ schema: Order, carries: full, key: id, edge: in }}
  alpha.sums: {{ schema: Sum, carries: {carries}, key: k, edge: in }}"
        ),
        _ => format!(
            "  alpha.sums: {{ schema: Sum, carries: {carries}, key: k, edge: in }}
  beta.mix: {{ schema: Sum, carries: delta, edge: in }}"
        ),
    };
    let carries = if at == 0 { format!("{carries}, key: k") } else { "delta".to_owned() };
    let body = match at {
        0 => format!("\n    from: orders\n    do:{}", SUMS[flow]),
        1 => MIXES[flow].to_owned(),
        _ => ENDS[flow].to_owned(),
    };
    let (name, output) = (NAMES[at], OUTPUTS[at]);
    let publish = if at < 2 { "publish: [orders], " } else { "" };
    format!(
        "
arqon: 1
circuit: {name}
namespace: law
schemas:
  Order: {{ id: int64, k: int64, n: int64 }}
  Sum:   {{ k: int64, n: int64, s: int64 }}
topics:
{reads}
  {output}: {{ schema: Sum, carries: {carries}, edge: out }}
flow:
  node:{body}
    to: {output}
access:
  all: {{ {publish}subscribe: [{output}] }}
"
    )
}

/// What the chain should be in.
struct Model {
    seed: u64,
    carries: &'static str,
    running: Vec<DataflowPlan>,
    log: Vec<Change>,
    followers: Vec<(usize, Follower)>,
    epoch: Epoch,
}

#[test]
fn the_end_of_a_chain_is_the_recomputation_at_every_epoch() {
    let first = setting("ARQON_SEED", 0);
    for seed in first..first + setting("ARQON_CASES", CASES) {
        let house = House::new([1, 2, 4][usize::try_from(seed % 3).unwrap()]);
        let client = house.client();
        let mut random = Random::new(seed);
        let carries = *random.pick(&["delta", "full"]);
        let (running, log, followers) = Default::default();
        let mut model = Model { seed, carries, running, log, followers, epoch: Epoch(0) };
        for _ in 0..STEPS {
            model.step(&house, &client, &mut random);
            model.compare(&house);
        }
        house.server.finish(1001).unwrap();
    }
}

impl Model {
    fn step(&mut self, house: &House, client: &Client, random: &mut Random) {
        let n_running = self.running.len();
        match random.below(12) {
            0 | 1 if n_running < NAMES.len() => self.put(house, n_running, random),
            // Any may take the place of itself, those that others read as well.
            2 if 0 < n_running => self.put(house, random.below(n_running), random),
            // The last one goes: nobody reads it.
            3 if 0 < n_running => {
                self.epoch = house.drop(NAMES[n_running - 1]).unwrap().epoch;
                self.running.pop();
                self.followers.retain(|(at, _)| *at + 1 < n_running);
                if self.running.is_empty() {
                    self.log.clear();
                }
            }
            4 | 5 if 0 < n_running => {
                let at = random.below(n_running);
                let request = Subscribe::to(OUTPUTS[at]);
                self.followers.push((at, house.subscribe(client, request).unwrap()));
            }
            _ if n_running == 0 => self.put(house, 0, random),
            _ => self.publish(house, client, random),
        }
    }

    fn put(&mut self, house: &House, at: usize, random: &mut Random) {
        let n_flows = [SUMS.len(), MIXES.len(), ENDS.len()][at];
        let text = circuit(at, random.below(n_flows), self.carries);
        let changed = house.put(&text, Replacing::Compatibly, |_| {});
        let changed = changed.unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        self.epoch = changed.epoch;
        assert_eq!(changed.starts_without, []);
        if at < self.running.len() {
            self.running[at] = plan(&text);
        } else {
            self.running.push(plan(&text));
        }
    }

    fn publish(&mut self, house: &House, client: &Client, random: &mut Random) {
        let [id, k, n] = [random.between(1, 6), random.between(1, 3), random.between(0, 5)];
        let row = |fields: &[i64]| -> Row { fields.iter().map(|n| Value::Int(*n)).collect() };
        let (message, change) = if random.chance(25) {
            let message = Message::delete("orders", format!(r#"{{"id":{id}}}"#));
            (message, Change::Delete(row(&[id])))
        } else {
            let text = format!(r#"{{"id":{id},"k":{k},"n":{n}}}"#);
            (Message::row("orders", text), Change::Upsert(row(&[id, k, n])))
        };
        self.epoch = house.publish(client, message).unwrap();
        self.log.push(change);
    }

    /// What each circuit says, the one from what the others before it do.
    fn answers(&self) -> Vec<Collection> {
        let mut answers: Vec<Collection> = Vec::new();
        for (at, plan) in self.running.iter().enumerate() {
            let mut inputs = Inputs::default();
            if at < 2 {
                let orders = TopicName::parse("orders").unwrap();
                self.log.iter().for_each(|change| inputs.apply(plan, &orders, change));
            }
            for (output, answer) in OUTPUTS.iter().zip(&answers) {
                let is_full = self.carries == "full" && *output == OUTPUTS[0];
                for (row, diff) in answer {
                    let (row, diff) = (row.clone(), *diff);
                    let change =
                        if is_full { Change::Upsert(row) } else { Change::Diff { row, diff } };
                    inputs.apply(plan, &TopicName::parse(output).unwrap(), &change);
                }
            }
            answers.push(evaluate(plan, &inputs).topics[OUTPUTS[at]].clone());
        }
        answers
    }

    fn compare(&mut self, house: &House) {
        let answers = self.answers();
        for (at, follower) in &mut self.followers {
            let expected = sums(&answers[*at]);
            let found: BTreeMap<String, i64> =
                house.rows(follower, self.epoch).into_iter().collect();
            assert_eq!(found, expected, "seed {}, circuit {}", self.seed, NAMES[*at]);
        }
    }
}
